//! The policy log: this service's own, read from its database.

use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::{Clock, Log, Position, Revision};
use greenstar_store::{Database, StoreError};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::store::policy;
use crate::view::View;

/// How often the head is read (protocol.md §4).
const POLL: Duration = Duration::from_millis(250);

/// Brings published policies into the view, ahead of their instant: the view switches by time, so that every
/// replica which is not stale switches at the same one (protocol.md §3).
#[derive(Debug)]
pub(crate) struct Policies {
    database: Database,
    view: Arc<View>,
    clock: Arc<dyn Clock>,
    /// What is in the view, and which revision published last of it.
    seen: Option<(Position, Revision)>,
}

impl Policies {
    pub(crate) fn new(database: Database, view: Arc<View>, clock: Arc<dyn Clock>) -> Policies {
        Policies {
            database,
            view,
            clock,
            seen: None,
        }
    }

    /// Looks once. The view is as old as the look's begin.
    pub(crate) async fn look(&mut self) -> Result<(), StoreError> {
        let began = self.clock.monotonic();
        let head = self.database.head().await?;
        if self.seen.as_ref().is_none_or(|(at, _)| *at != head) {
            let mut tx = self.database.read().await?;
            let newest = policy::newest(&mut tx).await?;
            let same = |(at, known): &(Position, Revision)| at.epoch == head.epoch && *known == newest;
            let at = if self.seen.as_ref().is_some_and(same) {
                // Drafts moved the log.
                let at = tx.head().await?;
                self.view.move_policies(at.clone());
                at
            } else {
                let policy::Policies { at, versions } = policy::load(&mut tx).await?;
                drop(tx);
                // Compiling and analysing may take a while, and others want to run meanwhile.
                let (view, now, position) = (self.view.clone(), self.clock.now(), at.clone());
                let put = move || view.put_policies(position, versions.into(), now);
                tokio::task::spawn_blocking(put)
                    .await
                    .map_err(StoreError::corrupt)?;
                at
            };
            self.seen = Some((at, newest));
        } else {
            self.view.forget_rulings(self.clock.now());
        }
        let after = self.clock.monotonic();
        self.view
            .set_age(Log::Policy, Some(after.saturating_sub(began)), after);
        Ok(())
    }

    /// Looks as soon as this replica's writer has committed, and every 250 ms for what others did.
    pub(crate) async fn run(
        mut self,
        mut commits: watch::Receiver<Option<Position>>,
        stop: CancellationToken,
    ) {
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                _ = poll.tick() => {}
                Ok(()) = commits.changed() => {}
                () = stop.cancelled() => return,
            }
            // The view grows old meanwhile, and says so; this is said once.
            let looked = self.look().await;
            match (&looked, failing) {
                (Ok(()), true) => tracing::info!("the policy log can be read again"),
                (Err(error), false) => tracing::warn!(%error, "the policy log cannot be read"),
                (Ok(()), false) | (Err(_), true) => {}
            }
            failing = looked.is_err();
        }
    }
}
