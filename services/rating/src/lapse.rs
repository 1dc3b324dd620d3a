//! Writes down what time has changed, at the instant at which it did (protocol.md §6).
//!
//! Readers do not wait for it: an answer is scored as of its own instant. It keeps the log, the history and the
//! lists in step.
//!
//! Every replica does it, and they may race without a lease: each transition is a command that names the enterprise and
//! the instant, decided under the head lock on the row as it then is. Whoever comes second finds that the row's
//! next transition is another one and changes nothing; and the row is scored as of the instant itself, so it is the
//! same whoever writes it and however late. A lease would save the losers a read and a refused command, and
//! would cost a time in which nobody writes when its holder is lost.
//!
//! What is written so cannot be taken back, and relief is never assumed (P10): a clock that was moved ahead, or that at
//! the start differs from the newest change, waits until it is trusted ([`Trust`]).

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use greenstar_kernel::{Caller, Clock, Timestamp, Trust};
use greenstar_store::{Database, StoreError, Writer};
use tokio_util::sync::CancellationToken;

use crate::domain::command::{Answer, Command};
use crate::store::{RatingJournal, Submission, due, next_due};

/// How often the clock is looked at when a transition is ahead.
const TICK: Duration = Duration::from_millis(250);
/// Transitions in one joined transaction.
const BATCH: usize = 200;

/// What the task knows between two looks.
#[derive(Debug)]
pub(crate) struct Lapses {
    database: Database,
    writer: Writer<RatingJournal>,
    clock: Arc<dyn Clock>,
    trust: Trust,
    trusted: bool,
    /// When the next transition is due, where that is known.
    next: Option<Timestamp>,
    known: bool,
}

impl Lapses {
    /// `trust`: of `clock`, from the start.
    pub(crate) fn new(
        database: Database,
        writer: Writer<RatingJournal>,
        clock: Arc<dyn Clock>,
        trust: Trust,
    ) -> Lapses {
        Lapses {
            database,
            writer,
            clock,
            trust,
            trusted: true,
            next: None,
            known: false,
        }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut commits = self.writer.commits();
        loop {
            self.look().await;
            tokio::select! {
                () = stop.cancelled() => return,
                changed = commits.changed() => match changed {
                    Ok(()) => self.known = false,
                    Err(_) => return,
                },
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    /// Writes what is due, if the clock is to be trusted.
    async fn look(&mut self) {
        let now = self.clock.now();
        let before = std::mem::replace(&mut self.trusted, self.trust.look(now, self.clock.monotonic()));
        if before && !self.trusted {
            tracing::warn!(wall = %now, "the clock was moved ahead, or the newest change is long ago and nothing else vouches for it; transitions wait for a minute");
        }
        if self.trusted && (!self.known || self.next.is_some_and(|next| next <= now)) {
            match write_due(&self.database, &self.writer, now).await {
                Ok(ahead) => (self.next, self.known) = (ahead, true),
                // The store says why at the calls it fails; here it is enough to try again.
                Err(error) => tracing::warn!(error = %error, "transitions that are due could not be written"),
            }
        }
    }
}

/// Writes everything that is due, of each enterprise in order of time; answers when the next one will be.
///
/// `now` is an instant that was trusted: the clock may be moved meanwhile. The writer decides by its own look, so a
/// pass may change nothing: going on would then spin, and the rows wait for the next tick.
async fn write_due(
    database: &Database,
    writer: &Writer<RatingJournal>,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    loop {
        let mut tx = database.read().await?;
        let found = due(&mut tx, now, BATCH).await?;
        let Some(&(_, earliest)) = found.first() else {
            return next_due(&mut tx).await;
        };
        drop(tx);
        let lapses = found.into_iter().map(|(uscc, due)| {
            let command = Command::Lapse { uscc, due };
            writer.submit(Submission {
                by: Caller::Public,
                command,
                request: None,
                at: None,
            })
        });
        let mut written = false;
        for outcome in join_all(lapses).await {
            match outcome {
                Ok(committed) => written |= committed.answer == Answer::Lapsed { written: true },
                Err(error) => {
                    tracing::warn!(error = ?error, "a transition that is due could not be written");
                    return Ok(Some(earliest));
                }
            }
        }
        if !written {
            return Ok(Some(earliest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{MIGRATIONS, Schemes};
    use greenstar_kernel::{Date, ManualClock};
    use greenstar_store::Location;

    #[tokio::test]
    async fn what_the_writer_holds_for_not_yet_due_waits_and_is_written_once_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("rating.db"));
        let database = Database::migrate(&location, &MIGRATIONS).await.unwrap();
        let today: Date = "2026-03-02".parse().unwrap();
        let clock = Arc::new(ManualClock::at(today.start()));
        let writer = Writer::start(
            database.clone(),
            RatingJournal::new(Schemes::default()),
            clock.clone(),
        );
        crate::seed(&writer).await.unwrap();
        crate::sample::load(&writer, today).await.unwrap();
        assert!(write_due(&database, &writer, clock.now()).await.unwrap() > Some(clock.now()));

        // The task looked at the clock before it stepped back, the writer after it.
        let before = ManualClock::at(today.plus_days(3650).start());
        let pass = write_due(&database, &writer, before.now());
        let next = tokio::time::timeout(Duration::from_secs(60), pass).await;
        assert!(next.expect("a pass that changes nothing ends").unwrap() > Some(clock.now()));

        clock.set(before.now());
        assert_eq!(write_due(&database, &writer, before.now()).await.unwrap(), None);
        writer.close().await;
        database.close().await;
    }

    /// A wall clock that is moved while the monotonic one goes on.
    #[derive(Debug)]
    struct Moved {
        wall: ManualClock,
        monotonic: ManualClock,
    }

    impl Clock for Moved {
        fn now(&self) -> Timestamp {
            self.wall.now()
        }

        fn monotonic(&self) -> Duration {
            self.monotonic.monotonic()
        }
    }

    #[tokio::test]
    async fn a_clock_that_is_a_year_ahead_for_a_moment_relieves_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("rating.db"));
        let database = Database::migrate(&location, &MIGRATIONS).await.unwrap();
        let today = "2026-03-02".parse::<Date>().unwrap().start();
        let clock = Arc::new(Moved {
            wall: ManualClock::at(today),
            monotonic: ManualClock::at(today),
        });
        let journal = RatingJournal::new(Schemes::default());
        let writer = Writer::start(database.clone(), journal, clock.clone());
        crate::seed(&writer).await.unwrap();
        crate::sample::load(&writer, today.date()).await.unwrap();
        let newest = database.newest_change().await.unwrap();
        assert_eq!(newest, Some(today));
        let start = |newest| {
            let trust = Trust::starting(newest, clock.now(), clock.monotonic());
            Lapses::new(database.clone(), writer.clone(), clock.clone(), trust)
        };
        let mut task = start(newest);
        task.look().await;
        let head = database.head().await.unwrap();

        clock.wall.set(today.plus(Duration::from_secs(365 * 86_400)));
        task.look().await;
        // Who starts meanwhile has but the newest change to go by.
        start(newest).look().await;
        assert_eq!(database.head().await.unwrap(), head, "nobody trusts it yet");
        // It stays: then it is the time.
        clock.wall.advance(Trust::SETTLE);
        clock.monotonic.advance(Trust::SETTLE);
        task.look().await;
        assert!(database.head().await.unwrap().revision > head.revision);
        writer.close().await;
        database.close().await;
    }
}
