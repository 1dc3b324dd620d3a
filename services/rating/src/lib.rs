//! The rating service: enterprises, schemes, rounds, and ratings that live.
//!
//! Layers: `transport` → [`domain`] ← `store`. [`Rating::start`] puts them together over a database,
//! [`Rating::follow`] joins them to the sanctions service.

pub mod config;
pub mod domain;
mod follow;
mod lapse;
pub mod program;
mod sample;
mod store;
mod transport;

use std::pin::pin;
use std::sync::Arc;

use greenstar_feed::Feed;
use greenstar_kernel::{Caller, Clock, Date, LocalizedText, Log, Said, Trust};
use greenstar_proto::rating::v1::assistance_service_server::AssistanceServiceServer;
use greenstar_proto::rating::v1::data_quality_service_server::DataQualityServiceServer;
use greenstar_proto::rating::v1::enterprise_service_server::EnterpriseServiceServer;
use greenstar_proto::rating::v1::event_service_server::EventServiceServer;
use greenstar_proto::rating::v1::notice_service_server::NoticeServiceServer;
use greenstar_proto::rating::v1::rating_service_server::RatingServiceServer;
use greenstar_proto::rating::v1::round_service_server::RoundServiceServer;
use greenstar_proto::rating::v1::scheme_service_server::SchemeServiceServer;
use greenstar_rpc::watching::{Recent, Replica, Watching};
use greenstar_rpc::{Credentials, Stack, StackBuilder};
use greenstar_store::{Database, StoreError, SubmitError, Writer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use sample::SampleError;
pub use store::MIGRATIONS;

use domain::command::Command;
use domain::error::Refusal;
use follow::Followed;
use lapse::Lapses;
use store::{RatingJournal, RequestId, Schemes, Submission};
use transport::{Desk, Siblings};

/// The scheme that every new database begins with.
pub const DEFAULT_SCHEME: &str = include_str!("../data/schemes/daxing-green-credit.yaml");

/// Schemes of other places, ready to be stored by `SchemeService.CreateScheme`.
pub const OTHER_SCHEMES: [&str; 4] = [
    include_str!("../data/schemes/jiangsu-twelve-points.yaml"),
    include_str!("../data/schemes/shandong-negative-list.yaml"),
    include_str!("../data/schemes/shaanxi-base-70.yaml"),
    include_str!("../data/schemes/national-21-indicators.yaml"),
];

/// The running service over its database.
#[derive(Clone, Debug)]
pub struct Rating {
    desk: Desk,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The shipped scheme was refused.
    #[error("the shipped scheme was refused")]
    Scheme(#[source] Refusal),
}

impl Said for StartError {
    fn said(&self) -> LocalizedText {
        match self {
            StartError::Store(error) => error.said(),
            StartError::Scheme(refusal) => refusal.said(),
        }
    }
}

impl Rating {
    /// Stores the shipped scheme if it is missing; starts the writer, the feed and the task that writes down
    /// what time changes.
    ///
    /// # Errors
    /// [`StartError`]
    pub async fn start(database: Database, clock: Arc<dyn Clock>) -> Result<Rating, StartError> {
        Rating::start_as(database, clock, Replica::alone(Log::Rating)).await
    }

    /// As [`Rating::start`], as one replica of several.
    ///
    /// # Errors
    /// [`StartError`]
    pub async fn start_as(
        database: Database,
        clock: Arc<dyn Clock>,
        replica: Replica,
    ) -> Result<Rating, StartError> {
        // Before anything is written here: it would be dated by the clock that is asked about.
        let newest = database.newest_change().await?;
        let trust = Trust::starting(newest, clock.now(), clock.monotonic());
        let schemes = Schemes::default();
        let writer = Writer::start(
            database.clone(),
            RatingJournal::new(schemes.clone()),
            clock.clone(),
        );
        let fan_out = replica.fan_out.clone();
        let feed = Feed::start(database.clone(), writer.batches(), clock.clone(), fan_out).await?;
        let watching = Watching::start(Log::Rating, &feed, &replica, Siblings).await?;
        seed(&writer).await?;
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let lapses = Lapses::new(database.clone(), writer.clone(), clock.clone(), trust);
        tasks.spawn(lapses.run(stop.clone()));
        Ok(Rating {
            desk: Desk {
                followed: Followed::new(database.clone()),
                database,
                writer,
                feed,
                watching,
                recent: Recent::default(),
                schemes,
                clock,
                told: Arc::default(),
            },
            stop,
            tasks,
        })
    }

    /// Follows the sanctions log for as long as this runs: what it repairs or annuls is scored again here. `sanctions`
    /// calls as a subscriber of the rating department; `subscriber` is the name of this replica there, its own and the
    /// same at every start, e.g. `rating/1`. Replicas may all follow. To be called once.
    pub fn follow(&self, sanctions: greenstar_rpc::Client, subscriber: String) {
        let Desk {
            followed,
            writer,
            clock,
            ..
        } = self.desk.clone();
        self.tasks.spawn(follow::run(
            followed,
            writer,
            clock,
            sanctions,
            subscriber,
            self.stop.clone(),
        ));
    }

    /// Adds the services to a stack.
    pub fn add_to(&self, builder: StackBuilder) -> StackBuilder {
        builder
            .with(EnterpriseServiceServer::new(self.desk.clone()))
            .with(SchemeServiceServer::new(self.desk.clone()))
            .with(RoundServiceServer::new(self.desk.clone()))
            .with(RatingServiceServer::new(self.desk.clone()))
            .with(EventServiceServer::new(self.desk.clone()))
            .with(NoticeServiceServer::new(self.desk.clone()))
            .with(DataQualityServiceServer::new(self.desk.clone()))
            .with(AssistanceServiceServer::new(self.desk.clone()))
            .tells_of(Log::Rating, &self.desk.feed, self.desk.writer.tally())
            .tells_of_followers(&self.desk.watching)
    }

    /// Loads the sample round unless it is there. Its dates are offsets from `sample_date`, or from today.
    /// Answers whether it was loaded now.
    ///
    /// # Errors
    /// [`SampleError`]
    pub async fn load_sample(&self, sample_date: Option<Date>) -> Result<bool, SampleError> {
        let mut tx = self.desk.database.read().await?;
        let round = store::round(&mut tx, &sample::round_id()?).await?;
        drop(tx);
        if round.is_some_and(|round| round.publication.is_some()) {
            return Ok(false);
        }
        let first_day = sample_date.unwrap_or_else(|| self.desk.clock.now().date());
        sample::load(&self.desk.writer, first_day).await?;
        Ok(true)
    }

    /// Ends every watch, so that a server that stops need not wait for them. Their cursors stay valid.
    pub async fn end_watches(&self) {
        self.desk.feed.close().await;
    }

    /// Finishes what was handed in; closes feed and database.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.desk.writer.close().await;
        self.desk.feed.close().await;
        self.desk.database.close().await;
    }
}

/// Replicas that start together race for it; one wins, the others find it stored.
async fn seed(writer: &Writer<RatingJournal>) -> Result<(), StartError> {
    let command = Command::CreateScheme {
        source: DEFAULT_SCHEME.to_owned(),
    };
    let request = Some(RequestId {
        method: "Seed",
        id: "scheme".to_owned(),
        body: Vec::new(),
    });
    match writer
        .submit(Submission {
            by: Caller::Public,
            command,
            request,
            at: None,
        })
        .await
    {
        Ok(_) | Err(SubmitError::Refused(Refusal::SchemeExists(_))) => Ok(()),
        Err(SubmitError::Refused(refusal)) => Err(StartError::Scheme(refusal)),
        Err(SubmitError::Store(error)) => Err(error.into()),
        Err(SubmitError::RequestIdReused | SubmitError::Closed) => Ok(()),
    }
}

/// What the binary does with a listener: serves until `stop`, then closes.
///
/// # Errors
/// The listener's.
pub async fn serve(
    rating: Rating,
    credentials: Arc<Credentials>,
    listener: TcpListener,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let stack = rating.add_to(Stack::builder(credentials)).build();
    stack.health().serving(true).await;
    stack.health().fresh(true).await;
    let mut served = pin!(stack.serve(listener, stop.clone()));
    let served = tokio::select! {
        served = &mut served => served,
        () = stop.cancelled() => {
            rating.end_watches().await;
            served.await
        }
    };
    rating.close().await;
    served
}
