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

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use greenstar_kernel::{Caller, Clock, Timestamp};
use greenstar_store::{Database, StoreError, Writer};
use tokio_util::sync::CancellationToken;

use crate::domain::command::{Answer, Command};
use crate::store::{RatingJournal, Submission, due, next_due};

/// How often the clock is looked at when a transition is ahead.
const TICK: Duration = Duration::from_millis(250);
/// Transitions in one joined transaction.
const BATCH: usize = 200;

/// Runs until `stop`.
pub(crate) async fn run(
    database: Database,
    writer: Writer<RatingJournal>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let mut commits = writer.commits();
    let mut next: Option<Timestamp> = None;
    let mut known = false;
    loop {
        if !known || next.is_some_and(|next| next <= clock.now()) {
            match write_due(&database, &writer, &*clock).await {
                Ok(ahead) => (next, known) = (ahead, true),
                // The store says why at the calls it fails; here it is enough to try again.
                Err(error) => tracing::warn!(error = %error, "transitions that are due could not be written"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = commits.changed() => match changed {
                Ok(()) => known = false,
                Err(_) => return,
            },
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// Writes everything that is due, of each enterprise in order of time; answers when the next one will be.
///
/// The clock is looked at anew for each pass, since it may step back meanwhile. The writer decides by its own
/// look, so a pass may change nothing: going on would then spin, and the rows wait for the next tick.
async fn write_due(
    database: &Database,
    writer: &Writer<RatingJournal>,
    clock: &dyn Clock,
) -> Result<Option<Timestamp>, StoreError> {
    loop {
        let mut tx = database.read().await?;
        let found = due(&mut tx, clock.now(), BATCH).await?;
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
        assert!(write_due(&database, &writer, &*clock).await.unwrap() > Some(clock.now()));

        // The task looked at the clock before it stepped back, the writer after it.
        let before = ManualClock::at(today.plus_days(3650).start());
        let pass = write_due(&database, &writer, &before);
        let next = tokio::time::timeout(Duration::from_secs(60), pass).await;
        assert!(next.expect("a pass that changes nothing ends").unwrap() > Some(clock.now()));

        clock.set(before.now());
        assert_eq!(write_due(&database, &writer, &before).await.unwrap(), None);
        writer.close().await;
        database.close().await;
    }
}
