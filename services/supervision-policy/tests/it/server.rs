//! The service on port 0 between its two sources, and callers for it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::{Clock, Date, Log, ManualClock, Month, Timestamp};
use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1::RatingFact;
use greenstar_proto::sanctions::v1::{Flag, FlagState};
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::decision_service_client::DecisionServiceClient;
use greenstar_proto::supervision::v1::enforcement_service_client::EnforcementServiceClient;
use greenstar_proto::supervision::v1::finance_service_client::FinanceServiceClient;
use greenstar_proto::supervision::v1::licensing_service_client::LicensingServiceClient;
use greenstar_proto::supervision::v1::policy_service_client::PolicyServiceClient;
use greenstar_rpc::{Client, Credentials, channel, reason_of, with_credential};
use greenstar_store::Database;
use greenstar_supervision_policy::{Deps, MIGRATIONS, RecordSettings, Supervision, serve};
use greenstar_testkit::{Proxy, Scratch};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::law;
use crate::source::Source;

pub(crate) const FIRM: &str = "91110115MAX000015J";
pub(crate) const OTHER: &str = "91110115MAX000023D";
const CALLERS: [&str; 16] = [
    "rating",
    "licensing",
    "finance",
    "enforcement",
    "supervision-policy",
    "urban-management",
    "procurement",
    "subsidies",
    "awards",
    "licensing/2",
    "finance/2",
    "baseline",
    "baseline/2",
    "operator",
    "enterprises/91110115MAX000015J",
    "enterprises/91110115MAX000023D",
];

fn secret(name: &str) -> String {
    format!("{name} of the tests only")
}

pub(crate) fn credentials() -> Arc<Credentials> {
    let secrets: BTreeMap<_, _> = CALLERS.map(|name| (name, secret(name))).into();
    Arc::new(Credentials::parse(&serde_json::to_string(&secrets).unwrap()).unwrap())
}

pub(crate) fn client(address: SocketAddr, name: &str) -> Client {
    with_credential(channel(&format!("http://{address}")).unwrap(), &secret(name)).unwrap()
}

pub(crate) fn to_wire(at: Timestamp) -> pbjson_types::Timestamp {
    let nanos = i32::try_from(at.micros().rem_euclid(1_000_000) * 1_000).unwrap();
    pbjson_types::Timestamp {
        seconds: at.micros().div_euclid(1_000_000),
        nanos,
    }
}

/// Both sources, each behind a proxy that can be cut.
pub(crate) struct Sources {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) rating: Source,
    pub(crate) sanctions: Source,
    pub(crate) rating_proxy: Proxy,
    pub(crate) sanctions_proxy: Proxy,
}

impl Sources {
    /// Noon of 2026-05-10, with the shipped catalogue.
    pub(crate) async fn start() -> Sources {
        let day: Date = "2026-05-10".parse().unwrap();
        let clock = Arc::new(ManualClock::at(day.start().plus(Duration::from_secs(12 * 3600))));
        let rating = Source::start(Log::Rating, clock.clone(), credentials()).await;
        let sanctions = Source::start(Log::Sanctions, clock.clone(), credentials()).await;
        sanctions.enact(law::catalogue("2026-1")).await;
        let rating_proxy = Proxy::start(rating.address).await;
        let sanctions_proxy = Proxy::start(sanctions.address).await;
        Sources {
            clock,
            rating,
            sanctions,
            rating_proxy,
            sanctions_proxy,
        }
    }

    pub(crate) async fn star(&self, uscc: &str, star: i32) -> String {
        self.rating.rate(vec![self.fact(uscc, star)]).await
    }

    pub(crate) fn fact(&self, uscc: &str, star: i32) -> RatingFact {
        RatingFact {
            enterprise: format!("enterprises/{uscc}"),
            star: Some(star),
            state: common::RatingState::Rated.into(),
            points: "91.5".to_owned(),
            scheme: "schemes/daxing/versions/1".to_owned(),
            version: 3,
            rate_time: Some(to_wire(self.clock.now())),
            valid_until_time: Some(to_wire(self.clock.now().plus(Duration::from_secs(300 * 86_400)))),
            district: "110115".to_owned(),
            sector: "C2710".to_owned(),
            ..RatingFact::default()
        }
    }

    /// A flag that was confirmed this moment, on a document of that day.
    pub(crate) fn confirmed(&self, uscc: &str, kind: &str, scope: &str, months: u16) -> Flag {
        let date: Date = "2026-05-08".parse().unwrap();
        Flag {
            name: format!("enterprises/{uscc}/flags/{kind}"),
            kind: kind.to_owned(),
            severity: common::Severity::Serious.into(),
            state: FlagState::InForce.into(),
            department: "enforcement".to_owned(),
            document: Some(common::Document {
                issuer: "北京市大兴区生态环境局".to_owned(),
                number: "京兴环罚〔2026〕12号".to_owned(),
                date: date.to_string(),
            }),
            scope: scope.to_owned(),
            bases: law::bases_of(kind),
            start_time: Some(to_wire(self.clock.now())),
            end_time: Some(to_wire(date.term_end(Month(months)))),
            ..Flag::default()
        }
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) supervision: Supervision,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Ready: every log was caught up with.
    pub(crate) async fn start(sources: &Sources, scratch: &Scratch) -> Server {
        let record = RecordSettings {
            segment_bytes: 8_192,
            ..RecordSettings::in_folder(scratch.dir().join("records"))
        };
        let server = Server::start_with(sources, scratch, record).await;
        server.supervision.caught_up().await;
        server
    }

    pub(crate) async fn start_with(sources: &Sources, scratch: &Scratch, record: RecordSettings) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Server::start_on(listener, sources, scratch, record).await
    }

    /// Another replica finds it at the listener's address.
    pub(crate) async fn start_on(
        listener: TcpListener,
        sources: &Sources,
        scratch: &Scratch,
        record: RecordSettings,
    ) -> Server {
        Server::start_as("supervision-policy", listener, sources, scratch, record).await
    }

    /// One of several replicas, by its name.
    pub(crate) async fn start_as(
        name: &str,
        listener: TcpListener,
        sources: &Sources,
        scratch: &Scratch,
        record: RecordSettings,
    ) -> Server {
        let address = listener.local_addr().unwrap();
        let deps = Deps {
            database: Database::migrate(&scratch.url().parse().unwrap(), &MIGRATIONS)
                .await
                .unwrap(),
            clock: sources.clock.clone(),
            rating: client(sources.rating_proxy.address(), "supervision-policy"),
            sanctions: client(sources.sanctions_proxy.address(), "supervision-policy"),
            snapshot: Some(record.folder.with_file_name("snapshot")),
            record,
            compare_every: Duration::from_millis(200),
            subscriber: name.to_owned(),
            advertise: Some(format!("http://{address}")),
        };
        let supervision = Supervision::start(deps).await.unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(supervision.clone(), credentials(), listener, stop.clone()));
        Server {
            address,
            supervision,
            stop,
            task,
        }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// Follows the health of `service` until it is serving, or not.
    pub(crate) async fn until(&self, service: &str, serving: bool) {
        let mut health = HealthClient::new(client(self.address, "licensing"));
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let mut said = health.watch(request).await.unwrap().into_inner();
        let reached = async { while (said.message().await.unwrap().unwrap().status == 1) != serving {} };
        timeout(Duration::from_secs(30), reached).await.unwrap();
    }

    pub(crate) fn decisions(&self, department: &str) -> DecisionServiceClient<Client> {
        DecisionServiceClient::new(client(self.address, department))
    }

    pub(crate) fn policies(&self) -> PolicyServiceClient<Client> {
        self.policies_of("urban-management")
    }

    pub(crate) fn policies_of(&self, officer: &str) -> PolicyServiceClient<Client> {
        PolicyServiceClient::new(client(self.address, officer))
    }

    pub(crate) async fn permit(
        &self,
        uscc: &str,
        kind: &str,
        consistency: Ask,
    ) -> Result<pb::CheckPermitResponse, Status> {
        let mut client = LicensingServiceClient::new(client(self.address, "licensing"));
        let request = pb::CheckPermitRequest {
            enterprise: format!("enterprises/{uscc}"),
            permit_kind: kind.to_owned(),
            consistency: consistency.0,
            request_id: "case-7".to_owned(),
            ..Default::default()
        };
        client
            .check_permit(request)
            .await
            .map(tonic::Response::into_inner)
    }

    pub(crate) async fn finance(&self, uscc: &str, consistency: Ask) -> pb::CheckGreenFinanceResponse {
        let mut client = FinanceServiceClient::new(client(self.address, "finance"));
        let request = pb::CheckGreenFinanceRequest {
            enterprise: format!("enterprises/{uscc}"),
            consistency: consistency.0,
            ..pb::CheckGreenFinanceRequest::default()
        };
        client.check_green_finance(request).await.unwrap().into_inner()
    }

    pub(crate) async fn inspection(&self, uscc: &str, consistency: Ask) -> pb::GetInspectionRegimeResponse {
        let mut client = EnforcementServiceClient::new(client(self.address, "enforcement"));
        let request = pb::GetInspectionRegimeRequest {
            enterprise: format!("enterprises/{uscc}"),
            consistency: consistency.0,
            ..pb::GetInspectionRegimeRequest::default()
        };
        client.get_inspection_regime(request).await.unwrap().into_inner()
    }

    pub(crate) async fn recorded(&self, department: &str, name: &str) -> Result<pb::Decision, Status> {
        let request = pb::GetDecisionRequest {
            name: name.to_owned(),
        };
        let answer = self.decisions(department).get_decision(request).await?;
        Ok(answer.into_inner().decision.unwrap())
    }
}

/// A read level.
#[derive(Clone, Debug)]
pub(crate) struct Ask(pub(crate) Option<common::Consistency>);

impl Ask {
    pub(crate) const LATEST: Ask = Ask(None);

    pub(crate) fn token(token: &str) -> Ask {
        Ask(Some(common::Consistency {
            at_least_as_fresh: vec![token.to_owned()],
            ..common::Consistency::default()
        }))
    }

    pub(crate) fn full() -> Ask {
        Ask(Some(common::Consistency {
            fully_consistent: true,
            ..common::Consistency::default()
        }))
    }

    pub(crate) fn within(bound: Duration) -> Ask {
        Ask(Some(common::Consistency {
            max_staleness: Some(bound.into()),
            ..common::Consistency::default()
        }))
    }
}

pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.unwrap_err();
    (
        status.code(),
        reason_of(&status).unwrap_or_else(|| status.to_string()),
    )
}

pub(crate) fn refused(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}
