//! Follows the sanctions log, so that a repair or an annulment of a document scores its events again (protocol.md §5).
//!
//! The cursor lies in this service's database and is compared and set in the transaction that scores again, so every
//! replica may follow: one takes a frame, the others find it taken. Why the log is read from its start, and never
//! from a snapshot: docs/adr/0013-rating-reads-the-whole-sanctions-log.md.

mod sink;
mod source;

use std::sync::Arc;
use std::time::Duration;

use greenstar_feed::follow::{Follower, Subscriber};
use greenstar_kernel::{Clock, Log, Position};
use greenstar_store::{Database, StoreError, Writer};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::store::{self, RatingJournal};

/// Where this service stands in the sanctions log. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Followed {
    database: Database,
    /// Up to where the log was taken, as far as this replica knows; absent until the source was heard.
    taken: Arc<watch::Sender<Option<Position>>>,
}

/// How often the cursor is looked at by who waits for it: another replica may have moved it.
const LOOK: Duration = Duration::from_millis(100);

impl Followed {
    pub(crate) fn new(database: Database) -> Followed {
        Followed {
            database,
            taken: Arc::new(watch::Sender::new(None)),
        }
    }

    /// Waits until everything up to `cause`, a position of the sanctions log, was taken and what follows from it was
    /// scored; answers a position of this service's own log that has it all. Without end while nobody follows, or
    /// while another epoch is followed.
    pub(crate) async fn caused(&self, cause: &Position) -> Result<Position, StoreError> {
        let mut taken = self.taken.subscribe();
        loop {
            taken.borrow_and_update();
            if let Some(position) = self.reached(cause).await? {
                return Ok(position);
            }
            // Moved here or elsewhere: the next look is at the database.
            let _ = timeout(LOOK, taken.changed()).await;
        }
    }

    async fn reached(&self, cause: &Position) -> Result<Option<Position>, StoreError> {
        let mut tx = self.database.read().await?;
        let cursor = store::cursor(&mut tx).await?.map(|cursor| cursor.at);
        let passed = cursor.is_some_and(|at| at.epoch == cause.epoch && at.revision >= cause.revision);
        // The head of the same snapshot is no earlier than the transaction that moved the cursor.
        Ok(if passed { Some(tx.head().await?) } else { None })
    }
}

/// Follows until `stop`.
pub(crate) async fn run(
    followed: Followed,
    writer: Writer<RatingJournal>,
    clock: Arc<dyn Clock>,
    sanctions: greenstar_rpc::Client,
    subscriber: String,
    stop: CancellationToken,
) {
    let flags = source::client(sanctions);
    let source = source::Flags(flags.clone());
    let sink = sink::IntoJournal::new(followed, writer, flags);
    let subscriber = Subscriber {
        name: subscriber.into(),
        // Whoever asks this service is answered from a database that all replicas share, however long this one
        // heard nothing: it promises nothing, and is named until it is back.
        fences_after: None,
    };
    Follower::new(Log::Sanctions, source, sink, clock, subscriber)
        .run(stop)
        .await;
}
