//! The writer task: one per replica, owns the write connection, carries commands out in batches (protocol.md §1).

use std::error::Error;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use greenstar_kernel::{Clock, Position, Revision};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::batch::{self, Decided, Outcome};
use crate::error::Damage;
use crate::journal::{Committed, Journal, SubmitError};
use crate::tally::Tally;
use crate::tx::{CommitFailure, Slot};
use crate::{Batch, Database, StoreError};

/// Commands that share one transaction.
const BATCH: usize = 256;
/// Commands that wait for the writer; further callers wait to hand theirs in.
const QUEUE: usize = 4 * BATCH;
/// Committed batches that a reader of [`Writer::batches`] may leave lying before it misses some.
const HANDED: usize = 128;
/// How long a batch is tried against a store that cannot be reached, or a head that is held by another.
/// Longer than the 5 s after which PostgreSQL ends a silent session that holds it.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Who measures how long a change takes through the suite listens to this target.
const PASSAGE: &str = "greenstar::passage";
/// sysexits.h EX_IOERR.
const EXIT_IO_ERROR: i32 = 74;

/// Hands commands to the writer task. Clones share the task; it ends when the last is dropped or one is closed.
pub struct Writer<J: Journal> {
    inbox: mpsc::Sender<Job<J>>,
    commits: watch::Receiver<Option<Position>>,
    batches: broadcast::Sender<Arc<Batch>>,
    tally: Tally,
    stop: CancellationToken,
    task: TaskTracker,
}

struct Job<J: Journal> {
    command: J::Command,
    reply: oneshot::Sender<Outcome<J>>,
}

impl<J: Journal> Writer<J> {
    /// Starts the task on the current runtime.
    pub fn start(database: Database, journal: J, clock: Arc<dyn Clock>) -> Writer<J> {
        let (inbox, jobs) = mpsc::channel(QUEUE);
        let (told, commits) = watch::channel(None);
        let batches = broadcast::Sender::new(HANDED);
        let tally = Tally::default();
        let stop = CancellationToken::new();
        let slot = database.write_slot();
        let task = TaskTracker::new();
        task.spawn(
            Task {
                database,
                slot,
                journal,
                clock,
                told,
                batches: batches.clone(),
                tally: tally.clone(),
            }
            .run(jobs, stop.clone()),
        );
        task.close();
        Writer {
            inbox,
            commits,
            batches,
            tally,
            stop,
            task,
        }
    }

    /// What it has done so far.
    pub fn tally(&self) -> Tally {
        self.tally.clone()
    }

    /// Carries a command out, or refuses it, and answers when that is committed.
    /// A caller that goes away does not take its command back.
    pub async fn submit(&self, command: J::Command) -> Result<Committed<J::Answer>, SubmitError<J::Refusal>> {
        let (reply, answer) = oneshot::channel();
        self.inbox
            .send(Job { command, reply })
            .await
            .map_err(|_| SubmitError::Closed)?;
        answer.await.unwrap_or(Err(SubmitError::Closed))
    }

    /// The head after this writer's last batch; none before the first. Told before the callers are.
    pub fn commits(&self) -> watch::Receiver<Option<Position>> {
        self.commits.clone()
    }

    /// What this writer commits from now on, in order, so that its own replica need not read it back. Who
    /// falls behind misses some and is told so; the log has them.
    pub fn batches(&self) -> broadcast::Receiver<Arc<Batch>> {
        self.batches.subscribe()
    }

    /// Finishes what was handed in and takes no more.
    pub async fn close(&self) {
        self.stop.cancel();
        self.task.wait().await;
    }
}

impl<J: Journal> Clone for Writer<J> {
    fn clone(&self) -> Self {
        Writer {
            inbox: self.inbox.clone(),
            commits: self.commits.clone(),
            batches: self.batches.clone(),
            tally: self.tally.clone(),
            stop: self.stop.clone(),
            task: self.task.clone(),
        }
    }
}

impl<J: Journal> fmt::Debug for Writer<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("commits", &*self.commits.borrow())
            .finish_non_exhaustive()
    }
}

struct Task<J: Journal> {
    database: Database,
    slot: Arc<Slot>,
    journal: J,
    clock: Arc<dyn Clock>,
    told: watch::Sender<Option<Position>>,
    batches: broadcast::Sender<Arc<Batch>>,
    tally: Tally,
}

/// How one attempt ended without an answer for its callers.
enum Trouble<J: Journal> {
    /// Rolled back because of a command.
    Command(StoreError),
    /// Not carried out for a reason that may pass.
    Passing(StoreError),
    /// The answer to the COMMIT was lost.
    Unknown(StoreError, Decided<J>),
}

/// How a batch ended without an answer for its callers.
enum Failure {
    /// One of its commands is to blame.
    Command(StoreError),
    /// The store is.
    Store(StoreError),
}

impl<J: Journal> Task<J> {
    async fn run(self, mut jobs: mpsc::Receiver<Job<J>>, stop: CancellationToken) {
        let mut batch = Vec::new();
        loop {
            // Whatever is there, without waiting for more.
            let taken = tokio::select! {
                biased;
                () = stop.cancelled(), if !jobs.is_closed() => {
                    jobs.close();
                    continue;
                }
                taken = jobs.recv_many(&mut batch, BATCH) => taken,
            };
            if taken == 0 {
                return;
            }
            self.settle(std::mem::take(&mut batch)).await;
        }
    }

    async fn settle(&self, jobs: Vec<Job<J>>) {
        match self.carry_out(&jobs).await {
            Ok(outcomes) => jobs
                .into_iter()
                .zip(outcomes)
                .for_each(|(job, outcome)| answer(job, outcome)),
            Err(Failure::Store(error)) => jobs.into_iter().for_each(|job| fail(job, &error)),
            Err(Failure::Command(error)) if jobs.len() == 1 => {
                jobs.into_iter().for_each(|job| fail(job, &error))
            }
            Err(Failure::Command(_)) => self.one_by_one(jobs).await,
        }
    }

    /// After a statement failed, so that it fails nobody but its own command.
    async fn one_by_one(&self, jobs: Vec<Job<J>>) {
        let mut jobs = jobs.into_iter();
        while let Some(job) = jobs.next() {
            match self.carry_out(std::slice::from_ref(&job)).await {
                Ok(outcomes) => {
                    if let Some(outcome) = outcomes.into_iter().next() {
                        answer(job, outcome);
                    }
                }
                Err(Failure::Command(error)) => fail(job, &error),
                Err(Failure::Store(error)) => {
                    fail(job, &error);
                    // The others were not tried, whatever became of this one.
                    let untried = StoreError::unavailable(error);
                    return jobs.for_each(|job| fail(job, &untried));
                }
            }
        }
    }

    /// Tries a batch until it is committed, a command is to blame, or patience ends.
    async fn carry_out(&self, jobs: &[Job<J>]) -> Result<Vec<Outcome<J>>, Failure> {
        let mut patience = Patience::new();
        loop {
            // A new one each time: an earlier attempt may yet be looked for.
            let batch = Uuid::now_v7();
            match self.attempt(jobs, batch).await {
                Ok(decided) => return Ok(self.publish(decided)),
                Err(Trouble::Command(error)) => return Err(Failure::Command(error)),
                Err(Trouble::Passing(error)) => patience.pause(error).await.map_err(Failure::Store)?,
                Err(Trouble::Unknown(error, decided)) => {
                    tracing::warn!(error = &error as &dyn Error, %batch, "the answer to a commit was lost");
                    let stands = match &decided.batch {
                        // Nothing to look for, and nothing that could be done twice.
                        None => false,
                        Some(wrote) => {
                            let first = wrote.after.next();
                            self.look_up(first, batch).await.map_err(Failure::Store)?
                        }
                    };
                    if stands {
                        return Ok(self.publish(decided));
                    }
                    patience.pause(error).await.map_err(Failure::Store)?;
                }
            }
        }
    }

    async fn attempt(&self, jobs: &[Job<J>], batch: Uuid) -> Result<Decided<J>, Trouble<J>> {
        tracing::trace!(target: PASSAGE, step = "begun", epoch = %self.database.epoch());
        let (mut tx, head) = batch::begin(&self.database, &self.slot, batch)
            .await
            .map_err(|error| match error {
                StoreError::Unavailable(_) => Trouble::Passing(error),
                error => Trouble::Command(error),
            })?;
        let commands: Vec<&J::Command> = jobs.iter().map(|job| &job.command).collect();
        let (batch, now) = (Arc::from(batch.to_string()), self.clock.now());
        let deciding = batch::decide(&self.journal, &mut tx, &batch, &head, &commands, now);
        // A panic is one command's; the writer serves the others.
        let decided = match AssertUnwindSafe(deciding).catch_unwind().await {
            Ok(decided) => decided,
            Err(_) => Err(StoreError::backend("a command panicked")),
        };
        let decided = match decided {
            Ok(decided) => decided,
            Err(error) => {
                let damage = tx.damage();
                tx.rollback().await;
                return Err(match damage {
                    Some(Damage::Contention | Damage::Connection) => Trouble::Passing(error),
                    Some(Damage::Statement) | None => Trouble::Command(error),
                });
            }
        };
        match tx.try_commit().await {
            Ok(()) => Ok(decided),
            Err(CommitFailure::RolledBack(error)) => Err(Trouble::Command(error)),
            Err(CommitFailure::Unknown(error)) => Err(Trouble::Unknown(error, decided)),
            Err(CommitFailure::Disk(error)) => end(&error),
        }
    }

    /// After a lost answer: a new connection takes the head, so the lost transaction has ended one way
    /// or the other, and looks for the batch where it would stand.
    async fn look_up(&self, first: Revision, batch: Uuid) -> Result<bool, StoreError> {
        let mut patience = Patience::new();
        loop {
            match self.look_once(first, batch).await {
                Ok(stands) => return Ok(stands),
                Err(error) => {
                    patience
                        .pause(error)
                        .await
                        .map_err(|error| StoreError::OutcomeUnknown(Arc::new(error)))?;
                }
            }
        }
    }

    async fn look_once(&self, first: Revision, batch: Uuid) -> Result<bool, StoreError> {
        let (mut tx, _) = batch::begin(&self.database, &self.slot, Uuid::nil()).await?;
        let found = batch::wrote(&mut tx, first, &batch.to_string()).await;
        tx.rollback().await;
        found
    }

    fn publish(&self, decided: Decided<J>) -> Vec<Outcome<J>> {
        if let Some(Batch { epoch, after, .. }) = decided.batch.as_deref() {
            let to = decided.head.revision.0;
            tracing::trace!(target: PASSAGE, step = "committed", %epoch, after = after.0, to);
        }
        self.tally.batch(decided.outcomes.len());
        if let Some(batch) = decided.batch {
            // Without a reader there is nobody to tell.
            drop(self.batches.send(batch));
            self.told.send_replace(Some(decided.head));
        }
        decided.outcomes
    }
}

/// A caller that went away has no use for its answer.
fn answer<J: Journal>(job: Job<J>, outcome: Outcome<J>) {
    let _ = job.reply.send(outcome);
}

fn fail<J: Journal>(job: Job<J>, error: &StoreError) {
    answer(job, Err(SubmitError::Store(error.clone())));
}

/// SQLite could not write or sync at COMMIT: what stands is known only to a process that reads the disk anew.
fn end(error: &StoreError) -> ! {
    tracing::error!(
        error = error as &dyn Error,
        "the disk failed at a commit; the process ends"
    );
    std::process::exit(EXIT_IO_ERROR)
}

struct Patience {
    end: Instant,
    pause: Duration,
}

impl Patience {
    fn new() -> Patience {
        Patience {
            end: Instant::now() + PATIENCE,
            pause: FIRST_PAUSE,
        }
    }

    /// Waits a little before the next attempt; gives `error` back when there is to be none.
    async fn pause(&mut self, error: StoreError) -> Result<(), StoreError> {
        if Instant::now() + self.pause > self.end {
            return Err(error);
        }
        tokio::time::sleep(self.pause).await;
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
        Ok(())
    }
}
