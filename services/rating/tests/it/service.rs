//! The service over a real database, called by its contract.

use std::sync::Arc;

use greenstar_kernel::{Clock as _, Date, ManualClock, Timestamp};
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::data_quality_service_client::DataQualityServiceClient;
use greenstar_proto::rating::v1::enterprise_service_client::EnterpriseServiceClient;
use greenstar_proto::rating::v1::event_service_client::EventServiceClient;
use greenstar_proto::rating::v1::notice_service_client::NoticeServiceClient;
use greenstar_proto::rating::v1::rating_service_client::RatingServiceClient;
use greenstar_proto::rating::v1::round_service_client::RoundServiceClient;
use greenstar_proto::rating::v1::scheme_service_client::SchemeServiceClient;
use greenstar_rating::{MIGRATIONS, Rating};
use greenstar_rpc::{Client, Credentials, Stack, with_credential};
use greenstar_store::{Database, Location};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Status};

const CREDENTIALS: &str = r#"{
    "rating": "secret-rating-0001",
    "rating/2": "secret-rating-0002",
    "rating/3": "secret-rating-0003",
    "finance": "secret-finance-0001",
    "finance/2": "secret-finance-0002",
    "awards": "secret-awards-00001",
    "enforcement": "secret-enforcement-1",
    "enforcement/2": "secret-enforcement-2",
    "licensing": "secret-licensing-01",
    "supervision-policy": "secret-policy-0001",
    "operator": "secret-operator-001",
    "rating/subscriber": "secret-rating-sub-1",
    "licensing/subscriber": "secret-licensing-sub",
    "enforcement/subscriber": "secret-enforcement-s",
    "enterprises/91110115MAX000015J": "secret-firm-000001",
    "enterprises/91110115MAX000023D": "secret-firm-000002"
}"#;

/// A service in memory over one database, with a clock that stands until it is moved.
pub(crate) struct Suite {
    pub(crate) rating: Rating,
    pub(crate) clock: Arc<ManualClock>,
    location: Location,
    channel: Channel,
    stop: CancellationToken,
    folder: Option<tempfile::TempDir>,
}

impl Suite {
    pub(crate) async fn start(now: Timestamp) -> Suite {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("rating.db"));
        Suite::over(location, now, Some(folder)).await
    }

    /// One suite an engine.
    pub(crate) async fn both(now: Timestamp) -> [Suite; 2] {
        let postgres = greenstar_testkit::postgres::database().await.parse().unwrap();
        [Suite::start(now).await, Suite::over(postgres, now, None).await]
    }

    async fn over(location: Location, now: Timestamp, folder: Option<tempfile::TempDir>) -> Suite {
        let database = Database::migrate(&location, &MIGRATIONS).await.unwrap();
        let clock = Arc::new(ManualClock::at(now));
        let rating = Rating::start(database, clock.clone()).await.unwrap();
        let credentials = Arc::new(Credentials::parse(CREDENTIALS).unwrap());
        let stack = rating.add_to(Stack::builder(credentials)).build();
        stack.health().serving(true).await;
        let stop = CancellationToken::new();
        let channel = stack.in_process(stop.clone());
        Suite {
            rating,
            clock,
            location,
            channel,
            stop,
            folder,
        }
    }

    /// Another process over the same database.
    pub(crate) async fn restarted(mut self) -> Suite {
        let (location, now, folder) = (self.location.clone(), self.clock.now(), self.folder.take());
        self.stop().await;
        Suite::over(location, now, folder).await
    }

    /// With the sample round, on the day of its first start.
    pub(crate) async fn sample(first_day: Date) -> Suite {
        let suite = Suite::start(first_day.start().plus(std::time::Duration::from_secs(9 * 3600))).await;
        assert!(suite.rating.load_sample(None).await.unwrap());
        suite
    }

    pub(crate) fn ratings(&self, who: &str) -> RatingServiceClient<Client> {
        RatingServiceClient::new(self.client(who))
    }

    pub(crate) fn events(&self, who: &str) -> EventServiceClient<Client> {
        EventServiceClient::new(self.client(who))
    }

    pub(crate) fn notices(&self, who: &str) -> NoticeServiceClient<Client> {
        NoticeServiceClient::new(self.client(who))
    }

    pub(crate) fn quality(&self, who: &str) -> DataQualityServiceClient<Client> {
        DataQualityServiceClient::new(self.client(who))
    }

    pub(crate) fn public_quality(&self) -> DataQualityServiceClient<Channel> {
        DataQualityServiceClient::new(self.channel.clone())
    }

    pub(crate) fn enterprises(&self, who: &str) -> EnterpriseServiceClient<Client> {
        EnterpriseServiceClient::new(self.client(who))
    }

    pub(crate) fn rounds(&self, who: &str) -> RoundServiceClient<Client> {
        RoundServiceClient::new(self.client(who))
    }

    pub(crate) fn schemes(&self, who: &str) -> SchemeServiceClient<Client> {
        SchemeServiceClient::new(self.client(who))
    }

    pub(crate) fn public(&self) -> RatingServiceClient<Channel> {
        RatingServiceClient::new(self.channel.clone())
    }

    pub(crate) fn public_rounds(&self) -> RoundServiceClient<Channel> {
        RoundServiceClient::new(self.channel.clone())
    }

    fn client(&self, who: &str) -> Client {
        let all: std::collections::BTreeMap<String, String> = serde_json::from_str(CREDENTIALS).unwrap();
        with_credential(self.channel.clone(), &all[who]).unwrap()
    }

    pub(crate) async fn rating_of(&self, who: &str, uscc: &str) -> pb::Rating {
        let request = pb::GetRatingRequest {
            name: format!("enterprises/{uscc}/rating"),
            ..Default::default()
        };
        self.ratings(who)
            .get_rating(request)
            .await
            .unwrap()
            .into_inner()
            .rating
            .unwrap()
    }

    pub(crate) async fn stop(self) {
        self.rating.end_watches().await;
        self.stop.cancel();
        self.rating.close().await;
    }
}

/// Code and reason of a refusal.
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.unwrap_err();
    let said = greenstar_rpc::said_of(&status);
    assert!(!said.zh.is_empty() && !said.en.is_empty(), "{status:?}");
    (status.code(), greenstar_rpc::reason_of(&status).unwrap())
}
