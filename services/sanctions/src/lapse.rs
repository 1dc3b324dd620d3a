//! Writes down that a flag's term has ended, at the instant at which it did (protocol.md §6).
//!
//! Nobody waits for it: a flag says itself until when it binds. It keeps the log and the lists in step, and lets
//! followers forget. Idempotent by flag, so replicas may race.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use greenstar_kernel::{Clock, Ratchet, Timestamp};
use greenstar_store::{Database, StoreError, Writer};
use tokio_util::sync::CancellationToken;

use crate::store::{Answer, Command, SanctionsJournal, due, next_due};

/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(250);
/// How often the database is looked at without a commit of our own: siblings write flags as well.
const LOOK: Duration = Duration::from_secs(30);
/// After the wall clock was moved ahead, nothing is written for so long: a lapse cannot be taken back, and relief is
/// never assumed.
const SETTLE: Duration = Duration::from_secs(60);
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
    let mut trust = Trust::default();
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
        if trust.look(now, monotonic) && wanted {
            commits.mark_unchanged();
            match write_due(&database, &writer, &*clock).await {
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

/// Whether the wall clock is to be trusted. One that gained on the monotonic clock was moved, and may be moved back.
#[derive(Debug, Default)]
struct Trust {
    /// Both clocks at the last look.
    last: Option<(Timestamp, Duration)>,
    /// By the monotonic clock.
    from: Duration,
}

impl Trust {
    fn look(&mut self, wall: Timestamp, monotonic: Duration) -> bool {
        if let Some((before, then)) = self.last {
            let expected = before.plus(monotonic.saturating_sub(then));
            if Ratchet::SLACK < wall.since(expected) {
                tracing::warn!(%wall, %expected, "the clock was moved ahead; lapses wait");
                self.from = monotonic + SETTLE;
            } else if Ratchet::SLACK < expected.since(wall) {
                self.from = monotonic;
            }
        }
        self.last = Some((wall, monotonic));
        self.from <= monotonic
    }
}

/// Writes down every term that has ended, the earliest first; answers when the next one will.
///
/// The clock is looked at anew for each pass, since it may step back meanwhile. The writer decides by its own look, so
/// a pass may change nothing: going on would then spin, and the rows wait for the next tick.
async fn write_due(
    database: &Database,
    writer: &Writer<SanctionsJournal>,
    clock: &dyn Clock,
) -> Result<Option<Timestamp>, StoreError> {
    loop {
        let now = clock.now();
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
    use greenstar_kernel::{Code, Date, Department, Document, ManualClock, Officer};
    use greenstar_store::Location;

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

    #[test]
    fn a_clock_that_jumps_for_a_moment_is_not_trusted_with_a_lapse() {
        let (noon, second) = (day("2026-05-10").start(), Duration::from_secs(1));
        let year = Duration::from_secs(365 * 86_400);
        let mut trust = Trust::default();
        assert!(trust.look(noon, second));
        assert!(trust.look(noon.plus(second), second * 2));
        assert!(!trust.look(noon.plus(year), second * 3), "it was moved ahead");
        assert!(!trust.look(noon.plus(year + second), second * 4));
        assert!(trust.look(noon.plus(second * 4), second * 5), "and back");
        assert!(!trust.look(noon.plus(year), second * 6), "or it stays");
        assert!(!trust.look(noon.plus(year + SETTLE - second), second * 5 + SETTLE));
        assert!(trust.look(noon.plus(year + SETTLE), second * 6 + SETTLE));
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
        assert_eq!(write_due(&database, &writer, &*clock).await.unwrap(), Some(end));

        // The task looked at a clock that stepped back before the writer looked.
        let ahead = ManualClock::at(end);
        let pass = write_due(&database, &writer, &ahead);
        let next = tokio::time::timeout(Duration::from_secs(60), pass).await;
        assert_eq!(
            next.expect("a pass that changes nothing ends").unwrap(),
            Some(end)
        );

        clock.set(end);
        let head = writer.commits();
        let before = head.borrow().clone().unwrap().revision;
        let (one, other) = tokio::join!(
            write_due(&database, &writer, &*clock),
            write_due(&database, &sibling, &*clock)
        );
        // Who came second may look once more.
        let outcomes = [one.unwrap(), other.unwrap()];
        assert!(outcomes.contains(&None), "{outcomes:?}");
        assert_eq!(write_due(&database, &sibling, &*clock).await.unwrap(), None);
        let late = writer.submit(Command::Lapse(name.id)).await.unwrap();
        assert_eq!(late.answer, Answer::Lapsed { written: false });
        assert_eq!(late.position.revision, before.next(), "one entry in all");
        writer.close().await;
        sibling.close().await;
        database.close().await;
    }
}
