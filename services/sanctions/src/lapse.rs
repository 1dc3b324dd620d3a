//! Writes down that a flag's term has ended, at the instant at which it did (protocol.md §6).
//!
//! Nobody waits for it: a flag says itself until when it binds. It keeps the log and the lists in step, and lets
//! followers forget. A lapse cannot be taken back, so that a clock that was moved is not trusted with it ([`Trust`]), nor
//! one that the database's own contradicts. Idempotent by flag, so replicas may race.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use greenstar_kernel::{Clock, Timestamp, Trust};
use greenstar_store::{Database, StoreError, Writer};
use tokio_util::sync::CancellationToken;

use crate::store::{Answer, Command, SanctionsJournal, due, next_due, today};

/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(250);
/// How often the database is looked at without a commit of our own: siblings write flags as well.
const LOOK: Duration = Duration::from_secs(30);
/// So many days may a host be ahead of its database, which says the day in UTC.
const AHEAD: i32 = 2;
/// Lapses in one joined transaction.
const BATCH: usize = 200;

/// Runs until `stop`.
pub(crate) async fn run(
    database: Database,
    writer: Writer<SanctionsJournal>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let mut commits = writer.commits();
    // What cannot be read agrees with no clock.
    let newest = database.newest_change().await.unwrap_or_else(|error| {
        tracing::warn!(error = %error, "the newest change could not be read; lapses wait");
        Some(Timestamp::from_micros(0))
    });
    let mut trust = Trust::starting(newest, clock.now(), clock.monotonic());
    let mut trusted = true;
    let mut witness = Witness::default();
    let mut looked: Option<(Option<Timestamp>, Duration)> = None;
    loop {
        let (now, monotonic) = (clock.now(), clock.monotonic());
        // At most once a tick, however busy the writer is.
        match commits.has_changed() {
            Ok(true) => looked = None,
            Ok(false) => {}
            Err(_) => return,
        }
        let wanted = looked.is_none_or(|(next, at)| {
            next.is_some_and(|next| next <= now) || LOOK <= monotonic.saturating_sub(at)
        });
        let before = std::mem::replace(&mut trusted, trust.look(now, monotonic));
        if before && !trusted {
            tracing::warn!(wall = %now, "the clock was moved ahead, or the newest change is long ago and nothing else vouches for it; lapses wait for a minute");
        }
        if !trusted {
            witness = Witness::default();
        }
        if trusted && wanted && witness.agrees(&database, now, monotonic).await {
            commits.mark_unchanged();
            match write_due(&database, &writer, now).await {
                Ok(next) => looked = Some((next, clock.monotonic())),
                // The store says why at the calls it fails; here it is enough to try again.
                Err(error) => tracing::warn!(error = %error, "ended terms could not be written down"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// The database's clock, asked at the start and whenever the wall clock was in doubt. On PostgreSQL it is another
/// host's, so a replica on a host that is a year ahead relieves nobody, however long it stays so.
#[derive(Debug, Default)]
struct Witness {
    agreed: bool,
    /// When it was last asked, by the monotonic clock.
    asked: Option<Duration>,
}

impl Witness {
    async fn agrees(&mut self, database: &Database, wall: Timestamp, monotonic: Duration) -> bool {
        let lately = self
            .asked
            .is_some_and(|asked| monotonic.saturating_sub(asked) < LOOK);
        if self.agreed || lately {
            return self.agreed;
        }
        self.asked = Some(monotonic);
        match today(database).await {
            Ok(today) if wall < today.plus_days(AHEAD).start() => self.agreed = true,
            Ok(today) => tracing::error!(
                %wall, database = %today,
                "this host's clock is ahead of the database's by days; lapses wait until one of them is set right"
            ),
            Err(error) => {
                tracing::warn!(error = %error, "the database's clock could not be read; lapses wait")
            }
        }
        self.agreed
    }
}

/// Writes down every term that has ended, the earliest first; answers when the next one will.
///
/// `now` is an instant that was trusted: the clock may be moved meanwhile. The writer decides by its own look, so a
/// pass may change nothing: going on would then spin, and the rows wait for the next tick.
async fn write_due(
    database: &Database,
    writer: &Writer<SanctionsJournal>,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    loop {
        let mut tx = database.read().await?;
        let found = due(&mut tx, now, BATCH).await?;
        if found.is_empty() {
            return next_due(&mut tx).await;
        }
        drop(tx);
        let lapses = found.into_iter().map(|flag| writer.submit(Command::Lapse(flag)));
        let mut written = false;
        for outcome in join_all(lapses).await {
            match outcome {
                Ok(committed) => written |= committed.answer == Answer::Lapsed { written: true },
                Err(error) => {
                    tracing::warn!(error = ?error, "an ended term could not be written down");
                    return Ok(Some(now));
                }
            }
        }
        if !written {
            return Ok(Some(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use greenstar_kernel::{Code, Date, Department, Document, ManualClock, Officer, SystemClock};
    use greenstar_store::Location;
    use greenstar_testkit::Scratch;

    use super::*;
    use crate::domain::catalogue::{Catalogue, SHIPPED};
    use crate::domain::flag::{FlagName, Identity};
    use crate::domain::ledger::{Actor, Proposal, Step};
    use crate::store::{MIGRATIONS, Shelf};

    fn day(raw: &str) -> Date {
        raw.parse().unwrap()
    }

    async fn take(writer: &Writer<SanctionsJournal>, step: Step, officer: &str) {
        let actor = Actor {
            department: Department::parse("enforcement").unwrap(),
            officer: Officer(officer.to_owned()),
        };
        let request = None;
        writer
            .submit(Command::Step { step, actor, request })
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_host_that_is_a_year_ahead_of_its_database_is_never_trusted() {
        for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
            let location = scratch.url().parse().unwrap();
            let database = Database::migrate(&location, &MIGRATIONS).await.unwrap();
            let (now, second) = (SystemClock::new().now(), Duration::from_secs(1));
            let mut witness = Witness::default();
            let ahead = now.plus(Duration::from_secs(365 * 86_400));
            for monotonic in [second, second * 60, second * 3600 * 24] {
                assert!(!witness.agrees(&database, ahead, monotonic).await);
            }
            let later = second * 3600 * 25;
            assert!(witness.agrees(&database, now, later).await, "it was set right");
            assert!(
                Witness::default()
                    .agrees(&database, day("2020-01-01").start(), later)
                    .await
            );
            database.close().await;
        }
    }

    #[tokio::test]
    async fn a_term_that_ended_is_written_down_once_by_whichever_replica_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("sanctions.db"));
        let database = Database::migrate(&location, &MIGRATIONS).await.unwrap();
        let clock = Arc::new(ManualClock::at(day("2026-05-10").start()));
        let start = || {
            let journal = SanctionsJournal::new(Shelf::default());
            Writer::start(database.clone(), journal, clock.clone())
        };
        let (writer, sibling) = (start(), start());
        let catalogue = Catalogue::from_yaml(SHIPPED).unwrap();
        writer.submit(Command::Enact(catalogue)).await.unwrap();
        let enterprise = "91110115MAX000015J".parse().unwrap();
        let id = Code::parse("a").unwrap();
        let proposal = Proposal {
            id: id.clone(),
            identity: Identity {
                enterprise,
                document: Document::typed("局", "1号", day("2026-04-30")),
                site: None,
                kind: Code::parse("ordinary-penalty").unwrap(),
                scope: None,
            },
            severity: None,
            penalties: Vec::new(),
            evidence: Vec::new(),
            reason: String::new(),
        };
        take(&writer, Step::Raise(Box::new(proposal)), "enforcement").await;
        let name = FlagName { enterprise, id };
        take(&writer, Step::Confirm(name.clone()), "enforcement/2").await;

        let end = day("2027-05-01").start();
        assert_eq!(
            write_due(&database, &writer, clock.now()).await.unwrap(),
            Some(end)
        );

        // The task looked at a clock that stepped back before the writer looked.
        let ahead = ManualClock::at(end);
        let pass = write_due(&database, &writer, ahead.now());
        let next = tokio::time::timeout(Duration::from_secs(60), pass).await;
        assert_eq!(
            next.expect("a pass that changes nothing ends").unwrap(),
            Some(end)
        );

        clock.set(end);
        let head = writer.commits();
        let before = head.borrow().clone().unwrap().revision;
        let (one, other) = tokio::join!(
            write_due(&database, &writer, clock.now()),
            write_due(&database, &sibling, clock.now())
        );
        // Who came second may look once more.
        let outcomes = [one.unwrap(), other.unwrap()];
        assert!(outcomes.contains(&None), "{outcomes:?}");
        assert_eq!(write_due(&database, &sibling, clock.now()).await.unwrap(), None);
        let late = writer.submit(Command::Lapse(name.id)).await.unwrap();
        assert_eq!(late.answer, Answer::Lapsed { written: false });
        assert_eq!(late.position.revision, before.next(), "one entry in all");
        writer.close().await;
        sibling.close().await;
        database.close().await;
    }
}
