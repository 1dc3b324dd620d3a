//! What an enterprise's standing means for a department's matter. The service follows the logs of rating and
//! sanctions into a view in memory, decides from it by the departments' tables, and records every decision
//! before its answer leaves.

pub mod config;
mod consistency;
pub mod domain;
mod due;
mod follow;
mod meters;
pub mod program;
mod record;
mod shadow;
mod signing;
mod simulate;
mod store;
mod transport;
mod view;
mod workbook;
pub mod yardstick;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use greenstar_kernel::{Clock, LocalizedText, Log, Said};
use greenstar_proto::supervision::v1::decision_service_server::DecisionServiceServer;
use greenstar_proto::supervision::v1::enforcement_service_server::EnforcementServiceServer;
use greenstar_proto::supervision::v1::finance_service_server::FinanceServiceServer;
use greenstar_proto::supervision::v1::licensing_service_server::LicensingServiceServer;
use greenstar_proto::supervision::v1::policy_service_server::PolicyServiceServer;
use greenstar_proto::supervision::v1::receipt_service_server::ReceiptServiceServer;
use greenstar_proto::supervision::v1::subscription_service_server::SubscriptionServiceServer;
use greenstar_rpc::{Client, Credentials, Health, Stack, StackBuilder};
use greenstar_store::{Database, StoreError, SubmitError, Writer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub use domain::matter::RecordMode;
pub use record::{RecordError, RecordSettings};
pub use store::MIGRATIONS;
pub use transport::QUICK;
pub use transport::offline;

use consistency::Freshness;
use domain::policy::PolicyErrors;
use domain::shipped;
use follow::compare::{Comparison, Half};
use follow::replicas::Reporter;
use greenstar_feed::follow::{Follower, Subscriber};
use record::RecordLog;
use signing::Signer;
use store::lifecycle::{Command, PolicyJournal, Seed};
use transport::{
    DecisionRpc, Desk, Direct, EnforcementRpc, FinanceRpc, LicensingRpc, Pins, PolicyRpc, ReceiptRpc,
    Siblings, SubscriptionRpc,
};
use view::View;

/// Past this age the health name `fresh` says no: the bound that matters have by default (protocol.md §4).
const FRESH: Duration = domain::matter::MAX_STALENESS;
/// How often the view is compared with its sources, row by row. Each time the sources send all that they have.
pub const COMPARE_EVERY: Duration = Duration::from_secs(600);
/// How often the health is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What the service needs.
#[derive(Debug)]
pub struct Deps {
    /// Brought up to date by [`MIGRATIONS`].
    pub database: Database,
    pub clock: Arc<dyn Clock>,
    /// To the rating service, with the credential of a subscriber.
    pub rating: Client,
    /// To the sanctions service, likewise.
    pub sanctions: Client,
    pub record: RecordSettings,
    /// Folder of the view's snapshot, for quick starts: this replica's alone; losing it costs time only. `None`: it
    /// always starts from the sources.
    pub snapshot: Option<PathBuf>,
    /// How often the view is compared with its sources: [`COMPARE_EVERY`] unless something is to be proved.
    pub compare_every: Duration,
    /// Names this replica to the sources, e.g. `supervision-policy/1`.
    pub subscriber: String,
    /// Where the other replicas reach this one, e.g. `http://supervision-policy-1:7003`. `None`: it is the only one.
    pub advertise: Option<String>,
}

/// The service: its view, its record, and the tasks that feed them.
#[derive(Clone, Debug)]
pub struct Supervision {
    desk: Desk,
    tasks: Arc<Mutex<JoinSet<()>>>,
    stop: CancellationToken,
}

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A mistake in the shipped data files.
    #[error("a shipped policy is unsound")]
    Shipped(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the policies could not be seeded")]
    Seed,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl From<PolicyErrors> for StartError {
    fn from(errors: PolicyErrors) -> StartError {
        StartError::Shipped(Box::new(errors))
    }
}

impl Said for StartError {
    fn said(&self) -> LocalizedText {
        match self {
            StartError::Shipped(_) => LocalizedText::new("随附的政策文件有误，请更正", self.to_string()),
            StartError::Seed => LocalizedText::new("政策未能生效，请查看日志", self.to_string()),
            StartError::Store(error) => error.said(),
            StartError::Record(error) => error.said(),
        }
    }
}

impl Supervision {
    /// Takes the record folder, seeds the shipped policies where none was ever published, and starts to follow
    /// the sources. Answers are given once every log was caught up with: see [`Supervision::caught_up`].
    pub async fn start(deps: Deps) -> Result<Supervision, StartError> {
        let Deps {
            database,
            clock,
            rating,
            sanctions,
            record,
            snapshot,
            compare_every,
            subscriber,
            advertise,
        } = deps;
        let folder = record.folder.clone();
        let records = RecordLog::open(record)?;
        let writer = Writer::start(database.clone(), PolicyJournal, clock.clone());
        seed(&writer).await?;
        store::decision::register(&database, records.writer(), advertise.as_deref()).await?;
        let view = Arc::new(View::new());
        let mut policies = follow::policies::Policies::new(database.clone(), view.clone(), clock.clone());
        policies.look().await?;
        if let Some(folder) = &snapshot {
            follow::keep::load(&view, &clock, folder).await;
        }

        let stop = CancellationToken::new();
        let reporter = Reporter {
            name: subscriber.as_str().into(),
            view: view.clone(),
            clock: clock.clone(),
        };
        let subscriber = Subscriber {
            name: subscriber.into(),
            fences_after: Some(follow::FENCES_AFTER),
        };
        let mut tasks = JoinSet::new();
        let from = follow::ratings::Ratings::new(rating.clone());
        let into = follow::ratings::IntoView(view.clone());
        let compared_ratings = from.clone();
        let ratings = Follower::new(Log::Rating, from, into, clock.clone(), subscriber.clone());
        let rating_half = Half::new(ratings.starts_over());
        tasks.spawn(ratings.run(stop.clone()));
        let from = follow::flags::Flags::new(sanctions.clone());
        let into = follow::flags::IntoView {
            view: view.clone(),
            clock: clock.clone(),
        };
        let compared_flags = from.clone();
        let flags = Follower::new(Log::Sanctions, from, into, clock.clone(), subscriber);
        let comparison = Comparison {
            view: view.clone(),
            ratings: compared_ratings,
            flags: compared_flags,
            rating: rating_half,
            sanctions: Half::new(flags.starts_over()),
            copy: snapshot.clone(),
        };
        tasks.spawn(flags.run(stop.clone()));
        tasks.spawn(comparison.run(compare_every, stop.clone()));
        tasks.spawn(policies.run(writer.commits(), stop.clone()));
        tasks.spawn(reporter.clone().run(database.clone(), stop.clone()));
        if let Some(folder) = snapshot {
            tasks.spawn(follow::keep::run(view.clone(), folder, stop.clone()));
        }
        let ship = record::ship::run(records.clone(), database.clone(), view.clone(), stop.clone());
        tasks.spawn(ship);

        let retention = record::retention::Retention {
            log: records.clone(),
            database: database.clone(),
            view: view.clone(),
            clock: clock.clone(),
        };
        tasks.spawn(retention.run(stop.clone()));
        let shadows = shadow::Shadows::new();
        let beside = shadows.clone().run(database.clone(), clock.clone(), stop.clone());
        tasks.spawn(beside);

        let signer = Signer::new(&folder, database.clone(), clock.clone());
        tasks.spawn(signer.clone().run(stop.clone()));

        let (read, at) = (rating.clone(), clock.clone());
        let freshness = Freshness::new(view.clone(), at, database.clone(), read, sanctions);
        let desk = Desk {
            view,
            freshness,
            records,
            database,
            clock,
            siblings: Siblings::default(),
            pins: Arc::new(Pins::default()),
            writer,
            reporter,
            shadows,
            simulations: Arc::new(Semaphore::new(1)),
            rating,
            signer,
        };
        Ok(Supervision {
            desk,
            tasks: Arc::new(Mutex::new(tasks)),
            stop,
        })
    }

    /// Adds the service's gRPC services.
    #[must_use]
    pub fn add_to(&self, stack: StackBuilder) -> StackBuilder {
        let desk = || self.desk.clone();
        let shared = Arc::new(desk());
        let this = self.clone();
        stack
            .metrics()
            .register("supervision-policy", move |samples| this.tell(samples));
        stack
            .quick(QUICK)
            .with(Direct::new(
                shared.clone(),
                DecisionServiceServer::new(DecisionRpc(desk())),
            ))
            .with(Direct::new(
                shared.clone(),
                LicensingServiceServer::new(LicensingRpc(desk())),
            ))
            .with(Direct::new(
                shared.clone(),
                FinanceServiceServer::new(FinanceRpc(desk())),
            ))
            .with(Direct::new(
                shared.clone(),
                EnforcementServiceServer::new(EnforcementRpc(desk())),
            ))
            .with(PolicyServiceServer::new(PolicyRpc(desk())))
            .with(ReceiptServiceServer::new(ReceiptRpc(desk())))
            .with(SubscriptionServiceServer::new(SubscriptionRpc(desk())))
    }

    /// Returns once every log was caught up with and its age was measured.
    pub async fn caught_up(&self) {
        let mut look = interval(Duration::from_millis(5));
        while !self.desk.view.is_caught_up() {
            look.tick().await;
        }
    }

    /// Whether the view is within its bound of staleness.
    fn is_fresh(&self) -> bool {
        let Desk { view, clock, .. } = &self.desk;
        let age = view.look(&**clock).and_then(|look| look.age);
        age.is_some_and(|age| age <= FRESH)
    }

    /// Keeps `health` right until the service is closed: serving from the first catch-up on and for good,
    /// `fresh` while the view is within its bound.
    pub async fn keep_health(&self, health: Health) {
        health.fresh(false).await;
        tokio::select! {
            () = self.caught_up() => {}
            () = self.stop.cancelled() => return,
        }
        health.serving(true).await;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was = None;
        loop {
            let fresh = self.is_fresh();
            if was != Some(fresh) {
                if !fresh {
                    tracing::error!("the view is older than its bound; matters answer by their on_stale");
                }
                health.fresh(fresh).await;
                was = Some(fresh);
            }
            tokio::select! {
                _ = look.tick() => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Stops following, writes and ships what was recorded, and lets go of the database.
    pub async fn close(&self) {
        self.stop.cancel();
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a task of the service failed");
            }
        }
        self.desk.writer.close().await;
        self.desk.database.close().await;
    }
}

/// Serves on one port until `stop`, then closes the service.
pub async fn serve(
    supervision: Supervision,
    credentials: Arc<Credentials>,
    listener: TcpListener,
    stop: CancellationToken,
) -> io::Result<()> {
    let stack = supervision.add_to(Stack::builder(credentials)).build();
    let health = {
        let (supervision, health) = (supervision.clone(), stack.health().clone());
        tokio::spawn(async move { supervision.keep_health(health).await })
    };
    let served = stack.serve(listener, stop).await;
    supervision.close().await;
    health.abort();
    served
}

async fn seed(writer: &Writer<PolicyJournal>) -> Result<(), StartError> {
    let seed = Seed::of(shipped::documents())?;
    let seeded = writer.submit(Command::Seed(seed)).await;
    seeded.map(drop).map_err(|error| match error {
        SubmitError::Store(error) => StartError::Store(error),
        SubmitError::Refused(_) | SubmitError::RequestIdReused | SubmitError::Closed => StartError::Seed,
    })
}
