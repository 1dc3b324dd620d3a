//! The tail: follows the log for all subscribers of a replica, one read at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use greenstar_kernel::{Clock, Position, Revision};
use greenstar_store::{Database, StoreError};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ring::{Found, Ring};
use crate::{FeedError, frame, snapshot};

/// Siblings' commits are seen within this, whoever announces them or not. Silence proves nothing.
const POLL: Duration = Duration::from_millis(250);
/// Callers that wait for a read of the head.
const WAITING: usize = 1_024;

/// One replica's feed of its service's log. Clones share it.
#[derive(Clone, Debug)]
pub struct Feed {
    pub(crate) shared: Arc<Shared>,
    syncs: mpsc::Sender<oneshot::Sender<Result<Position, StoreError>>>,
    pub(crate) stop: CancellationToken,
    pub(crate) task: TaskTracker,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) database: Database,
    pub(crate) clock: Arc<dyn Clock>,
    /// Turns of [`snapshot`].
    pub(crate) snapshots: Semaphore,
    ring: Mutex<Ring>,
    live: watch::Sender<Live>,
}

/// What the tail last saw.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// As of the ring that holds the frames up to `head`.
    pub(crate) history: u64,
    /// The head by the last read on the primary; every frame up to it is in the ring.
    pub(crate) head: Position,
    /// [`Clock::monotonic`] when that read began.
    pub(crate) read_at: Duration,
}

impl Feed {
    /// Starts the tail at the head of the log. `commits` comes from the writer of this replica.
    pub async fn start(
        database: Database,
        commits: watch::Receiver<Option<Position>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Feed, StoreError> {
        let read_at = clock.monotonic();
        let head = database.head().await?;
        let ring = Mutex::new(Ring::starting_at(head.revision, 0));
        let live = watch::Sender::new(Live {
            history: 0,
            head,
            read_at,
        });
        let shared = Arc::new(Shared {
            database,
            clock,
            snapshots: Semaphore::new(snapshot::AT_ONCE),
            ring,
            live,
        });
        let (syncs, waiting) = mpsc::channel(WAITING);
        let stop = CancellationToken::new();
        let task = TaskTracker::new();
        task.spawn(
            stop.clone()
                .run_until_cancelled_owned(follow(shared.clone(), commits, waiting)),
        );
        task.close();
        Ok(Feed {
            shared,
            syncs,
            stop,
            task,
        })
    }

    /// The committed head as last read.
    pub fn head(&self) -> Position {
        self.shared.live.borrow().head.clone()
    }

    /// The committed head by a read on the primary that starts after this call; the tail has every frame
    /// up to it. `at_least` must be of this life of the database, and not beyond it.
    pub async fn sync(&self, at_least: Option<&Position>) -> Result<Position, FeedError> {
        let stopped = || FeedError::Store(StoreError::Unavailable(Arc::new(Stopped)));
        let (tell, told) = oneshot::channel();
        self.syncs.send(tell).await.map_err(|_| stopped())?;
        let head = told.await.map_err(|_| stopped())??;
        match at_least {
            Some(wanted) if wanted.epoch != head.epoch => Err(FeedError::Foreign),
            Some(wanted) if wanted.revision > head.revision => Err(FeedError::Ahead),
            Some(_) | None => Ok(head),
        }
    }

    /// Ends the tail and every watch.
    pub async fn close(&self) {
        self.stop.cancel();
        self.task.wait().await;
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the feed was closed")]
struct Stopped;

impl Shared {
    pub(crate) fn live(&self) -> watch::Receiver<Live> {
        self.live.subscribe()
    }

    pub(crate) fn after(&self, cursor: Revision, history: u64) -> Found {
        self.ring().after(cursor, history)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the head, then the log up to it.
    async fn read(&self) -> Result<Position, StoreError> {
        let read_at = self.clock.monotonic();
        let head = self.database.head().await?;
        let (mut history, known) = {
            let live = self.live.borrow();
            (live.history, live.head.clone())
        };
        let mut to = self.ring().to();
        if head.epoch != known.epoch || head.revision < to {
            tracing::error!(from = %known.revision, to = %head.revision, "the log was replaced; every watch ends");
            history += 1;
            to = head.revision;
            *self.ring() = Ring::starting_at(to, history);
        }
        while to < head.revision {
            let frames = match frame::read(&self.database, to).await {
                Ok(frames) => frames,
                Err(FeedError::Store(error)) => return Err(error),
                Err(error) => return Err(StoreError::corrupt(error)),
            };
            let Some(last) = frames.last() else {
                return Err(StoreError::corrupt("the log ends before its head"));
            };
            to = last.to;
            let mut ring = self.ring();
            frames.into_iter().for_each(|frame| ring.push(frame));
        }
        self.live.send_replace(Live {
            history,
            head: head.clone(),
            read_at,
        });
        Ok(head)
    }
}

/// Never two reads at once, and one read for all who wait.
async fn follow(
    shared: Arc<Shared>,
    mut commits: watch::Receiver<Option<Position>>,
    mut waiting: mpsc::Receiver<oneshot::Sender<Result<Position, StoreError>>>,
) {
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = Vec::new();
    let mut failing = false;
    loop {
        tokio::select! {
            Ok(()) = commits.changed() => {}
            asked = waiting.recv() => match asked {
                Some(tell) => told.push(tell),
                // The last feed was dropped.
                None => return,
            },
            _ = poll.tick() => {}
        }
        // All who asked before the read starts; who asks during it waits for the next.
        while let Ok(tell) = waiting.try_recv() {
            told.push(tell);
        }
        let read = shared.read().await;
        match &read {
            Err(error) if !failing => {
                tracing::warn!(
                    error = error as &dyn std::error::Error,
                    "the log cannot be read; views grow old"
                );
            }
            Ok(head) if failing => tracing::info!(revision = %head.revision, "the log can be read again"),
            Ok(_) | Err(_) => {}
        }
        failing = read.is_err();
        told.drain(..).for_each(|tell| drop(tell.send(read.clone())));
    }
}
