//! Flags and the catalogue of what the law allows. A flag binds every department from the revision at
//! which a second officer confirms it, until it is lifted or its term ends.

pub mod config;
pub mod domain;
pub mod program;
mod store;
mod transport;

use std::io;
use std::sync::Arc;

use greenstar_feed::Feed;
use greenstar_kernel::{Clock, LocalizedText, Log, Said};
use greenstar_proto::sanctions::v1::catalogue_service_server::CatalogueServiceServer;
use greenstar_proto::sanctions::v1::flag_service_server::FlagServiceServer;
use greenstar_rpc::{Credentials, Stack, StackBuilder};
use greenstar_store::{Database, StoreError, SubmitError, Writer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use store::MIGRATIONS;

use domain::catalogue::{Catalogue, CatalogueErrors, SHIPPED};
use store::{Command, FeedSource, Reader, SanctionsJournal, Shelf};
use transport::{CatalogueRpc, FlagRpc};

/// The service on its database: one writer, one feed.
#[derive(Clone, Debug)]
pub struct Sanctions {
    database: Database,
    writer: Writer<SanctionsJournal>,
    reader: Reader,
    feed: Feed,
    shelf: Shelf,
    clock: Arc<dyn Clock>,
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
        let shelf = Shelf::default();
        let journal = SanctionsJournal::new(shelf.clone());
        let writer = Writer::start(database.clone(), journal, clock.clone());
        let reader = Reader::new(database.clone(), shelf.clone());
        enact(&writer, &reader, catalogue).await?;
        let feed = Feed::start(database.clone(), writer.batches(), clock.clone(), None).await?;
        Ok(Sanctions {
            database,
            writer,
            reader,
            feed,
            shelf,
            clock,
        })
    }

    /// Adds the service's gRPC services.
    #[must_use]
    pub fn add_to(&self, stack: StackBuilder) -> StackBuilder {
        let flags = FlagRpc {
            writer: self.writer.clone(),
            reader: self.reader.clone(),
            feed: self.feed.clone(),
            source: Arc::new(FeedSource::new(self.shelf.clone())),
            clock: self.clock.clone(),
        };
        let catalogue = CatalogueRpc {
            reader: self.reader.clone(),
        };
        stack
            .with(FlagServiceServer::new(flags))
            .with(CatalogueServiceServer::new(catalogue))
            .tells_of(Log::Sanctions, &self.feed, self.writer.tally())
    }

    /// Finishes what was handed in, then lets go of the database.
    pub async fn close(&self) {
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
) -> Result<(), StartError> {
    let edition = *shipped.edition();
    writer
        .submit(Command::Enact(shipped.clone()))
        .await
        .map_err(|error| match error {
            SubmitError::Store(error) => StartError::Store(error),
            SubmitError::Refused(_) | SubmitError::RequestIdReused | SubmitError::Closed => StartError::Enact,
        })?;
    match reader.catalogue().await?.0 {
        None => return Err(StartError::Enact),
        Some(law) if law.catalogue == shipped => {
            tracing::info!(%edition, since = %law.since, "catalogue in force")
        }
        Some(law) if *law.catalogue.edition() == edition => {
            tracing::warn!(%edition, "the shipped catalogue differs from the edition in force; give it a new number");
        }
        Some(law) => {
            tracing::warn!(shipped = %edition, in_force = %law.catalogue.edition(), "kept the newer catalogue")
        }
    }
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
    let over = stop.child_token();
    let serving = async {
        let served = stack.serve(listener, stop).await;
        over.cancel();
        served
    };
    // A watch has no end of its own: the server would wait for it in vain.
    let ending = async {
        over.cancelled().await;
        sanctions.feed.close().await;
    };
    let (served, ()) = tokio::join!(serving, ending);
    sanctions.close().await;
    served
}
