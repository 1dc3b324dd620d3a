//! The rating service: enterprises, schemes, rounds, and ratings that live.
//!
//! Layers: `transport` → [`domain`] ← `store`. [`Rating::start`] puts them together over a database.

pub mod config;
pub mod domain;
mod lapse;
pub mod program;
mod sample;
mod store;
mod transport;

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use greenstar_feed::Feed;
use greenstar_kernel::{Caller, Clock, Date, LocalizedText, Log, Said};
use greenstar_proto::rating::v1::enterprise_service_server::EnterpriseServiceServer;
use greenstar_proto::rating::v1::rating_service_server::RatingServiceServer;
use greenstar_proto::rating::v1::round_service_server::RoundServiceServer;
use greenstar_proto::rating::v1::scheme_service_server::SchemeServiceServer;
use greenstar_rpc::{Credentials, Stack, StackBuilder};
use greenstar_store::{Database, StoreError, SubmitError, Writer};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use sample::SampleError;
pub use store::MIGRATIONS;

use domain::command::Command;
use domain::error::Refusal;
use store::{RatingJournal, RequestId, Schemes, Submission};
use transport::Desk;

/// The scheme that every new database begins with.
pub const DEFAULT_SCHEME: &str = include_str!("../data/schemes/daxing-green-credit.yaml");

/// The running service over its database.
#[derive(Clone, Debug)]
pub struct Rating {
    desk: Desk,
    stop: CancellationToken,
    lapses: Arc<Mutex<Option<JoinHandle<()>>>>,
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
        let schemes = Schemes::default();
        let writer = Writer::start(
            database.clone(),
            RatingJournal::new(schemes.clone()),
            clock.clone(),
        );
        let feed = Feed::start(database.clone(), writer.batches(), clock.clone(), None).await?;
        seed(&writer).await?;
        let stop = CancellationToken::new();
        let task = lapse::run(database.clone(), writer.clone(), clock.clone(), stop.clone());
        let lapses = Arc::new(Mutex::new(Some(tokio::spawn(task))));
        Ok(Rating {
            desk: Desk {
                database,
                writer,
                feed,
                schemes,
                clock,
                told: Arc::default(),
            },
            stop,
            lapses,
        })
    }

    /// Adds the four services to a stack.
    pub fn add_to(&self, builder: StackBuilder) -> StackBuilder {
        builder
            .with(EnterpriseServiceServer::new(self.desk.clone()))
            .with(SchemeServiceServer::new(self.desk.clone()))
            .with(RoundServiceServer::new(self.desk.clone()))
            .with(RatingServiceServer::new(self.desk.clone()))
            .tells_of(Log::Rating, &self.desk.feed, self.desk.writer.tally())
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
        let task = self.lapses.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(error = %error, "the task that writes transitions ended badly");
        }
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
