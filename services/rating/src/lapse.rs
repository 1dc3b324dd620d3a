//! Writes down what time has changed, at the instant at which it did (protocol.md §6).
//!
//! Readers do not wait for it: an answer is scored as of its own instant. It keeps the log, the history and the
//! lists in step. Idempotent by enterprise and instant, so replicas may race.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use greenstar_kernel::{Caller, Clock, Timestamp};
use greenstar_store::{Database, StoreError, Writer};
use tokio_util::sync::CancellationToken;

use crate::domain::command::Command;
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
            match write_due(&database, &writer, clock.now()).await {
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
async fn write_due(
    database: &Database,
    writer: &Writer<RatingJournal>,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    loop {
        let mut tx = database.read().await?;
        let found = due(&mut tx, now, BATCH).await?;
        if found.is_empty() {
            return next_due(&mut tx).await;
        }
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
        for outcome in join_all(lapses).await {
            if let Err(error) = outcome {
                // The row stays due and is taken again at the next tick; going on here would spin.
                tracing::warn!(error = ?error, "a transition that is due could not be written");
                return Ok(Some(now));
            }
        }
    }
}
