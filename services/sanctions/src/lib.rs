//! Flags and the catalogue of what the law allows. A flag binds every department from the revision at
//! which a second officer confirms it, until it is lifted or its term ends.

pub mod config;
pub mod domain;
mod lapse;
pub mod program;
mod store;
mod transport;

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use greenstar_feed::Feed;
use greenstar_kernel::{Clock, LocalizedText, Log, Said};
use greenstar_proto::rating::v1::rating_service_client::RatingServiceClient;
use greenstar_proto::sanctions::v1::appeal_service_server::AppealServiceServer;
use greenstar_proto::sanctions::v1::catalogue_service_server::CatalogueServiceServer;
use greenstar_proto::sanctions::v1::flag_service_server::FlagServiceServer;
use greenstar_proto::sanctions::v1::repair_service_server::RepairServiceServer;
use greenstar_rpc::watching::{Recent, Replica, Watching};
use greenstar_rpc::{Client, Credentials, Stack, StackBuilder};
use greenstar_store::{Database, StoreError, SubmitError, Writer};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use store::MIGRATIONS;

use domain::catalogue::{Catalogue, CatalogueErrors, SHIPPED};
use store::{Cases, Command, FeedSource, Reader, SanctionsJournal, Shelf};
use transport::{AppealRpc, CatalogueRpc, Desk, FlagRpc, Rating, RepairRpc, Siblings};

/// The service on its database: one writer, one feed.
#[derive(Clone, Debug)]
pub struct Sanctions {
    database: Database,
    writer: Writer<SanctionsJournal>,
    reader: Reader,
    feed: Feed,
    watching: Watching,
    rating: Rating,
    shelf: Shelf,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    lapses: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A mistake in the shipped data file.
    #[error("the shipped catalogue is unsound")]
    Catalogue(#[from] CatalogueErrors),
    #[error("the catalogue could not be brought into force")]
    Enact,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Said for StartError {
    fn said(&self) -> LocalizedText {
        match self {
            StartError::Catalogue(errors) => LocalizedText::new(
                format!("随附的目录自相矛盾，请更正：{errors}"),
                errors.to_string(),
            ),
            StartError::Enact => LocalizedText::new("目录未能生效，请查看日志", self.to_string()),
            StartError::Store(error) => error.said(),
        }
    }
}

impl Sanctions {
    /// Starts on a database that [`MIGRATIONS`] have brought up to date. The shipped edition of the
    /// catalogue takes effect if it is newer than the one in force.
    pub async fn start(database: Database, clock: Arc<dyn Clock>) -> Result<Sanctions, StartError> {
        Sanctions::start_with(database, clock, Catalogue::from_yaml(SHIPPED)?).await
    }

    /// As [`Sanctions::start`], with another edition than the shipped one.
    pub async fn start_with(
        database: Database,
        clock: Arc<dyn Clock>,
        catalogue: Catalogue,
    ) -> Result<Sanctions, StartError> {
        Sanctions::start_as(database, clock, catalogue, Replica::alone(Log::Sanctions)).await
    }

    /// As [`Sanctions::start_with`], as one replica of several.
    pub async fn start_as(
        database: Database,
        clock: Arc<dyn Clock>,
        catalogue: Catalogue,
        replica: Replica,
    ) -> Result<Sanctions, StartError> {
        let shelf = Shelf::default();
        let journal = SanctionsJournal::new(shelf.clone());
        let writer = Writer::start(database.clone(), journal, clock.clone());
        let reader = Reader::new(database.clone(), shelf.clone());
        enact(&writer, &reader, catalogue, &*clock).await?;
        let fan_out = replica.fan_out.clone();
        let feed = Feed::start(database.clone(), writer.batches(), clock.clone(), fan_out).await?;
        let watching = Watching::start(Log::Sanctions, &feed, &replica, Siblings).await?;
        let stop = CancellationToken::new();
        let task = lapse::run(database.clone(), writer.clone(), clock.clone(), stop.clone());
        let lapses = Arc::new(Mutex::new(Some(tokio::spawn(task))));
        Ok(Sanctions {
            database,
            writer,
            reader,
            feed,
            watching,
            rating: Rating::default(),
            shelf,
            clock,
            stop,
            lapses,
        })
    }

    /// Says where rating is, so that `WaitConverged` can follow what it makes of a write. The first one stands.
    pub fn know_rating(&self, rating: Client) {
        // Said twice in one process, it is the same service.
        let _ = self.rating.set(RatingServiceClient::new(rating));
    }

    /// Adds the service's gRPC services.
    #[must_use]
    pub fn add_to(&self, stack: StackBuilder) -> StackBuilder {
        let flags = FlagRpc {
            writer: self.writer.clone(),
            reader: self.reader.clone(),
            feed: self.feed.clone(),
            watching: self.watching.clone(),
            rating: self.rating.clone(),
            source: Arc::new(FeedSource::new(self.shelf.clone())),
            recent: Recent::default(),
            clock: self.clock.clone(),
        };
        let catalogue = CatalogueRpc {
            writer: self.writer.clone(),
            reader: self.reader.clone(),
            clock: self.clock.clone(),
        };
        let desk = Desk {
            writer: self.writer.clone(),
            cases: Cases::new(self.database.clone(), self.shelf.clone()),
            clock: self.clock.clone(),
        };
        stack
            .with(FlagServiceServer::new(flags))
            .with(CatalogueServiceServer::new(catalogue))
            .with(RepairServiceServer::new(RepairRpc { desk: desk.clone() }))
            .with(AppealServiceServer::new(AppealRpc { desk }))
            .tells_of(Log::Sanctions, &self.feed, self.writer.tally())
            .tells_of_followers(&self.watching)
    }

    /// Ends every watch and answers who waits for convergence, so that a server that stops need not wait for them. Cursors
    /// stay valid.
    pub async fn end_watches(&self) {
        self.feed.close().await;
    }

    /// Finishes what was handed in, then lets go of the database.
    pub async fn close(&self) {
        self.stop.cancel();
        let task = self.lapses.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(error = %error, "the task that writes lapses down did not end well");
        }
        self.writer.close().await;
        self.feed.close().await;
        self.database.close().await;
    }
}

/// An edition that the database has is the record of what was decided by it: it stays as it is, even if
/// this program ships another text under its name.
async fn enact(
    writer: &Writer<SanctionsJournal>,
    reader: &Reader,
    shipped: Catalogue,
    clock: &dyn Clock,
) -> Result<(), StartError> {
    let edition = *shipped.edition();
    writer
        .submit(Command::Enact(shipped.clone()))
        .await
        .map_err(|error| match error {
            SubmitError::Store(error) => StartError::Store(error),
            SubmitError::Refused(_) | SubmitError::RequestIdReused | SubmitError::Closed => StartError::Enact,
        })?;
    let (law, _) = reader.law().await?;
    let known = law
        .editions()
        .iter()
        .find(|known| *known.catalogue.edition() == edition);
    match known {
        Some(known) if known.catalogue == shipped => {}
        Some(_) => {
            tracing::warn!(%edition, "the shipped catalogue differs from the one of this number; give it a new number");
        }
        None => {
            tracing::warn!(shipped = %edition, "kept the catalogue: the shipped one is older, or misses a kind of it");
        }
    }
    let in_force = law.at(clock.now()).ok_or(StartError::Enact)?;
    let edition = in_force.catalogue.edition();
    tracing::info!(%edition, since = %in_force.since, "catalogue in force");
    Ok(())
}

/// Serves on one port until `stop`, then closes the service.
pub async fn serve(
    sanctions: Sanctions,
    credentials: Arc<Credentials>,
    listener: TcpListener,
    stop: CancellationToken,
) -> io::Result<()> {
    let stack = sanctions.add_to(Stack::builder(credentials)).build();
    stack.health().serving(true).await;
    let mut served = pin!(stack.serve(listener, stop.clone()));
    let served = tokio::select! {
        served = &mut served => served,
        () = stop.cancelled() => {
            sanctions.end_watches().await;
            served.await
        }
    };
    sanctions.close().await;
    served
}
