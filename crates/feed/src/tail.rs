//! The tail: follows the log for all subscribers of a replica, in one task.
//!
//! Three hands feed it: its own writer, siblings by way of Redis, and the table. What the first two bring is
//! taken when it follows the ring's end exactly; whatever does not makes it read the table, at once.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use greenstar_kernel::{Clock, Position, Revision};
use greenstar_store::{Batch, Database, StoreError};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fanout::{self, FanOut, Heard};
use crate::figures::{Counters, count};
use crate::ring::{Found, Ring};
use crate::{FeedError, Frame, frame, snapshot};

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
    pub(crate) counters: Counters,
}

/// What the tail last saw.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// As of the ring that holds the frames up to `head`.
    pub(crate) history: u64,
    /// The last revision known to be committed; every frame up to it is in the ring.
    pub(crate) head: Position,
    /// [`Clock::monotonic`] when the last read of the head on the primary began. It saw `head`, or an
    /// earlier one: what was told since makes nothing look fresher than the table was seen to be.
    pub(crate) read_at: Duration,
}

/// What became of something that the tail was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Taken,
    /// The ring has it already.
    Known,
    /// It does not follow the ring's end, or cannot be read: the table has it.
    Missed,
}

impl Feed {
    /// Starts the tail at the head of the log. `batches` comes from the writer of this replica; siblings
    /// are heard through `fan_out`, and without it by polling.
    pub async fn start(
        database: Database,
        batches: broadcast::Receiver<Arc<Batch>>,
        clock: Arc<dyn Clock>,
        fan_out: Option<FanOut>,
    ) -> Result<Feed, StoreError> {
        let read_at = clock.monotonic();
        let head = database.head().await?;
        let to = head.revision;
        let shared = Arc::new(Shared {
            database,
            clock,
            snapshots: Semaphore::new(snapshot::AT_ONCE),
            ring: Mutex::new(Ring::starting_at(to, 0)),
            live: watch::Sender::new(Live {
                history: 0,
                head,
                read_at,
            }),
            counters: Counters::default(),
        });
        let (syncs, waiting) = mpsc::channel(WAITING);
        let (hear, heard) = mpsc::channel(fanout::HEARD);
        let stop = CancellationToken::new();
        let task = TaskTracker::new();
        let (own, committed) = watch::channel(to);
        let (doubt, doubted) = watch::channel(());
        if let Some(fan_out) = fan_out {
            let redis = fan_out.run(shared.clone(), hear, committed, doubted);
            task.spawn(stop.clone().run_until_cancelled_owned(redis));
        }
        let tail = Tail {
            shared: shared.clone(),
            own,
            doubt,
            failing: false,
        };
        task.spawn(
            stop.clone()
                .run_until_cancelled_owned(tail.follow(batches, heard, waiting)),
        );
        task.close();
        Ok(Feed {
            shared,
            syncs,
            stop,
            task,
        })
    }

    /// The last revision known to be committed.
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

    /// Waits until the feed is closed.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.stop.clone().cancelled_owned()
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

    /// The end of the ring.
    pub(crate) fn to(&self) -> Revision {
        self.ring().to()
    }

    /// Where subscribers of this replica stand at best, and how long ago the primary was looked at.
    pub(crate) fn looked(&self) -> (Revision, Duration) {
        let live = self.live.borrow();
        let age = self.clock.monotonic().saturating_sub(live.read_at);
        (live.head.revision, age)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the writer of this replica committed.
    fn hand(&self, batch: &Batch) -> Told {
        if batch.epoch != self.live.borrow().head.epoch {
            return Told::Missed;
        }
        let told = self.push(batch.after, batch.to(), || Some(Frame::of_batch(batch)));
        if told == Told::Taken {
            count(&self.counters.handed, 1);
        }
        told
    }

    /// Takes what a sibling published. Redis is believed only as far as it fits.
    fn hear(&self, heard: Heard) -> Told {
        if heard.history != self.live.borrow().history {
            // Of a stream that is no longer listened to.
            return Told::Known;
        }
        let decided = heard
            .frame
            .as_ref()
            .and_then(|frame| frame.entries.last())
            .map(|entry| entry.at);
        let told = self.push(heard.after, heard.to, || heard.frame);
        if let (Told::Taken, Some(decided)) = (told, decided) {
            count(&self.counters.heard, 1);
            let micros = self.clock.now().since(decided).as_micros();
            self.counters
                .sibling_delay_micros
                .store(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        told
    }

    fn push(&self, after: Revision, to: Revision, frame: impl FnOnce() -> Option<Frame>) -> Told {
        {
            let mut ring = self.ring();
            if to <= ring.to() {
                return Told::Known;
            }
            if after != ring.to() {
                return Told::Missed;
            }
            let Some(frame) = frame() else { return Told::Missed };
            ring.push(frame);
        }
        self.live.send_modify(|live| live.head.revision = to);
        Told::Taken
    }

    /// Reads the head, then the log up to it.
    async fn read(&self) -> Result<Position, StoreError> {
        let read_at = self.clock.monotonic();
        let (mut to, ended_by) = self.ring().end();
        let (head, batch) = self.database.head_and_batch(to).await?;
        let (mut history, known) = {
            let live = self.live.borrow();
            (live.history, live.head.clone())
        };
        // Another batch where the ring ends: the table lost that one to a restore and has gone on since.
        let changed = matches!((&ended_by, &batch), (Some(ours), Some(theirs)) if ours != theirs);
        if head.epoch != known.epoch || head.revision < to || changed {
            tracing::error!(from = %known.revision, to = %head.revision, "the log was replaced; every watch ends");
            history += 1;
            to = head.revision;
            *self.ring() = Ring::starting_at(to, history);
        } else if let (None, Some(batch)) = (ended_by, batch) {
            self.ring().ended_by(batch);
        }
        while to < head.revision {
            let frames = match frame::read(&self.database, &head.epoch, to).await {
                Ok(frames) => frames,
                Err(FeedError::Store(error)) => return Err(error),
                Err(error) => return Err(StoreError::corrupt(error)),
            };
            let Some(last) = frames.last() else {
                return Err(StoreError::corrupt("the log ends before its head"));
            };
            to = last.to;
            count(&self.counters.read, frames.len());
            let mut ring = self.ring();
            frames.into_iter().for_each(|frame| ring.push(frame));
        }
        // The log may have grown meanwhile, and whole batches are read.
        let head = Position {
            epoch: head.epoch,
            revision: to,
        };
        self.live.send_replace(Live {
            history,
            head: head.clone(),
            read_at,
        });
        Ok(head)
    }
}

/// The task's own.
#[derive(Debug)]
struct Tail {
    shared: Arc<Shared>,
    /// Up to where the ring holds commits of this replica, which siblings are to hear of.
    own: watch::Sender<Revision>,
    /// The stream holds what the table does not.
    doubt: watch::Sender<()>,
    failing: bool,
}

impl Tail {
    /// Never two reads at once, and one read for all who wait.
    async fn follow(
        mut self,
        mut batches: broadcast::Receiver<Arc<Batch>>,
        mut siblings: mpsc::Receiver<Heard>,
        mut waiting: mpsc::Receiver<oneshot::Sender<Result<Position, StoreError>>>,
    ) {
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = Vec::new();
        let mut handed = true;
        loop {
            tokio::select! {
                batch = batches.recv(), if handed => match batch {
                    Ok(batch) => {
                        if self.shared.hand(&batch) == Told::Missed {
                            self.gap().await;
                        }
                        self.publish();
                        continue;
                    }
                    Err(RecvError::Lagged(_)) => {
                        self.gap().await;
                        self.publish();
                        continue;
                    }
                    Err(RecvError::Closed) => {
                        handed = false;
                        continue;
                    }
                },
                Some(heard) = siblings.recv() => {
                    let to = heard.to;
                    // Published means committed: a table that does not have it, and a stream that does, are
                    // not of one life.
                    if self.shared.hear(heard) == Told::Missed && self.gap().await.is_none_or(|head| head < to) {
                        self.doubt.send_replace(());
                    }
                    continue;
                }
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
            let read = self.read().await;
            told.drain(..).for_each(|tell| drop(tell.send(read.clone())));
        }
    }

    /// Something was missed: the table has it. Answers the head, unless it cannot be read; then the poll will.
    async fn gap(&mut self) -> Option<Revision> {
        count(&self.shared.counters.gaps, 1);
        self.read().await.ok().map(|head| head.revision)
    }

    /// Siblings are to hear of everything up to here.
    fn publish(&self) {
        self.own.send_replace(self.shared.to());
    }

    async fn read(&mut self) -> Result<Position, StoreError> {
        let read = self.shared.read().await;
        match &read {
            Err(error) if !self.failing => {
                tracing::warn!(
                    error = error as &dyn std::error::Error,
                    "the log cannot be read; views grow old"
                );
            }
            Ok(head) if self.failing => {
                tracing::info!(revision = %head.revision, "the log can be read again");
            }
            Ok(_) | Err(_) => {}
        }
        self.failing = read.is_err();
        read
    }
}
