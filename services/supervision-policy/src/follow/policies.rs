//! The policy log: this service's own, read from its database.

use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::{Clock, Log, Position};
use greenstar_store::{Database, StoreError};
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
    /// What is in the view.
    seen: Option<Position>,
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
        let now = self.clock.now();
        if self.seen.as_ref() != Some(&head) {
            let mut tx = self.database.read().await?;
            let policy::Policies { at, versions } = policy::load(&mut tx).await?;
            self.view.put_policies(at.clone(), versions.into(), now);
            self.seen = Some(at);
        } else {
            self.view.forget_rulings(now);
        }
        let after = self.clock.monotonic();
        self.view
            .set_age(Log::Policy, Some(after.saturating_sub(began)), after);
        Ok(())
    }

    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                _ = poll.tick() => {}
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
