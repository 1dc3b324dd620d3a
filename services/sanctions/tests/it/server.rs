//! A server on port 0 over a fresh database, and callers for it.

use std::net::SocketAddr;
use std::sync::Arc;

use greenstar_kernel::{Date, Log, ManualClock, Position, Timestamp, Token};
use greenstar_proto::common::v1::Document;
use greenstar_proto::sanctions::v1::appeal_service_client::AppealServiceClient;
use greenstar_proto::sanctions::v1::catalogue_service_client::CatalogueServiceClient;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::sanctions::v1::repair_service_client::RepairServiceClient;
use greenstar_proto::sanctions::v1::{
    ConfirmFlagRequest, CorrectFlagRequest, CorrectFlagResponse, Flag, GetCatalogueRequest, LiftFlagRequest,
    RaiseFlagRequest, RevokeFlagRequest,
};
use greenstar_rpc::{Client, Credentials, channel, reason_of, with_credential};
use greenstar_sanctions::domain::catalogue::{Catalogue, SHIPPED};
use greenstar_sanctions::{MIGRATIONS, Sanctions, serve};
use greenstar_store::Database;
use greenstar_testkit::Scratch;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

pub(crate) const FIRM: &str = "91110115MAX000015J";
pub(crate) const OTHER_FIRM: &str = "91110115MAX000023D";
/// Callers of the tests; the secret is the name with a tail.
const CALLERS: [&str; 10] = [
    "operator",
    "enforcement",
    "enforcement/2",
    "enforcement/3",
    "licensing",
    "licensing/2",
    "finance",
    "supervision-policy",
    "enterprises/91110115MAX000015J",
    "enterprises/91110115MAX000023D",
];

/// A fresh database of each engine.
pub(crate) async fn engines() -> [Scratch; 2] {
    [Scratch::sqlite(), Scratch::postgres().await]
}

pub(crate) fn noon(day: &str) -> Timestamp {
    let day: Date = day.parse().unwrap();
    day.start().plus(std::time::Duration::from_secs(12 * 3600))
}

/// 00:00 Asia/Shanghai.
pub(crate) fn midnight(day: &str) -> Timestamp {
    day.parse::<Date>().unwrap().start()
}

pub(crate) fn secret(name: &str) -> String {
    format!("{name} of the tests only")
}

/// The edition of the service's data file under another number.
pub(crate) fn edition(number: &str) -> Catalogue {
    Catalogue::from_yaml(&SHIPPED.replace("edition: 2026-2", &format!("edition: {number}"))).unwrap()
}

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// At noon of 2026-05-10, with the shipped catalogue.
    pub(crate) async fn start(scratch: &Scratch) -> Server {
        Server::start_with(scratch, edition("2026-1")).await
    }

    pub(crate) async fn start_with(scratch: &Scratch, catalogue: Catalogue) -> Server {
        let clock = Arc::new(ManualClock::at(noon("2026-05-10")));
        let database = Database::migrate(&scratch.url().parse().unwrap(), &MIGRATIONS)
            .await
            .unwrap();
        let sanctions = Sanctions::start_with(database, clock.clone(), catalogue)
            .await
            .unwrap();
        let secrets: std::collections::BTreeMap<_, _> = CALLERS.map(|name| (name, secret(name))).into();
        let credentials = Credentials::parse(&serde_json::to_string(&secrets).unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(sanctions, Arc::new(credentials), listener, stop.clone()));
        Server {
            addr,
            clock,
            stop,
            task,
        }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    fn client(&self, caller: &str) -> Client {
        let channel = channel(&format!("http://{}", self.addr)).unwrap();
        with_credential(channel, &secret(caller)).unwrap()
    }

    pub(crate) fn flags(&self, caller: &str) -> FlagServiceClient<Client> {
        FlagServiceClient::new(self.client(caller))
    }

    pub(crate) fn repairs(&self, caller: &str) -> RepairServiceClient<Client> {
        RepairServiceClient::new(self.client(caller))
    }

    pub(crate) fn appeals(&self, caller: &str) -> AppealServiceClient<Client> {
        AppealServiceClient::new(self.client(caller))
    }

    pub(crate) fn anonymous(&self) -> FlagServiceClient<tonic::transport::Channel> {
        FlagServiceClient::new(channel(&format!("http://{}", self.addr)).unwrap())
    }

    pub(crate) async fn catalogue(&self) -> greenstar_proto::sanctions::v1::GetCatalogueResponse {
        let channel = channel(&format!("http://{}", self.addr)).unwrap();
        let mut client = CatalogueServiceClient::new(channel);
        client
            .get_catalogue(GetCatalogueRequest::default())
            .await
            .unwrap()
            .into_inner()
    }

    /// Where the log stands.
    pub(crate) async fn head(&self) -> Position {
        position(&self.catalogue().await.token)
    }

    pub(crate) async fn raise(
        &self,
        caller: &str,
        request: RaiseFlagRequest,
    ) -> Result<(Flag, String), Status> {
        let answer = self.flags(caller).raise_flag(request).await?.into_inner();
        Ok((answer.flag.unwrap(), answer.token))
    }

    pub(crate) async fn confirm(&self, caller: &str, name: &str) -> Result<(Flag, String), Status> {
        let request = ConfirmFlagRequest {
            name: name.to_owned(),
            ..Default::default()
        };
        let answer = self.flags(caller).confirm_flag(request).await?.into_inner();
        Ok((answer.flag.unwrap(), answer.token))
    }

    pub(crate) async fn lift(&self, caller: &str, name: &str) -> Result<(Flag, String), Status> {
        let (name, reason) = (name.to_owned(), "corrected".to_owned());
        let request = LiftFlagRequest {
            name,
            reason,
            request_id: String::new(),
        };
        let answer = self.flags(caller).lift_flag(request).await?.into_inner();
        Ok((answer.flag.unwrap(), answer.token))
    }

    pub(crate) async fn revoke(&self, caller: &str, name: &str) -> Result<(Flag, String), Status> {
        let request = RevokeFlagRequest {
            name: name.to_owned(),
            reason: "annulled by the court".to_owned(),
            ..Default::default()
        };
        let answer = self.flags(caller).revoke_flag(request).await?.into_inner();
        Ok((answer.flag.unwrap(), answer.token))
    }

    pub(crate) async fn correct(
        &self,
        caller: &str,
        name: &str,
        enterprise: &str,
    ) -> Result<CorrectFlagResponse, Status> {
        let request = CorrectFlagRequest {
            name: name.to_owned(),
            enterprise: format!("enterprises/{enterprise}"),
            reason: "two firms of one name".to_owned(),
            ..Default::default()
        };
        Ok(self.flags(caller).correct_flag(request).await?.into_inner())
    }

    pub(crate) fn law(&self, caller: &str) -> CatalogueServiceClient<Client> {
        CatalogueServiceClient::new(self.client(caller))
    }

    /// Raised and confirmed by enforcement.
    pub(crate) async fn flagged(&self, request: RaiseFlagRequest) -> Flag {
        let (flag, _) = self.raise("enforcement", request).await.unwrap();
        self.confirm("enforcement/2", &flag.name).await.unwrap().0
    }
}

/// A serious penalty of 2026-04-01 on [`FIRM`], by document number.
pub(crate) fn penalty(number: &str) -> RaiseFlagRequest {
    RaiseFlagRequest {
        parent: format!("enterprises/{FIRM}"),
        kind: "serious-penalty".to_owned(),
        document: Some(Document {
            issuer: "北京市大兴区生态环境局".to_owned(),
            number: number.to_owned(),
            date: "2026-04-01".to_owned(),
        }),
        reason: "discharged beyond the limit".to_owned(),
        ..Default::default()
    }
}

pub(crate) fn position(token: &str) -> Position {
    token
        .parse::<Token>()
        .unwrap()
        .get(Log::Sanctions)
        .unwrap()
        .clone()
}

#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(outcome: Result<T, Status>, code: Code, reason: &str) -> Status {
    let status = outcome.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).as_deref()),
        (code, Some(reason)),
        "{status:?}"
    );
    status
}
