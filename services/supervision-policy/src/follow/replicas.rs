//! This replica's word on what it decides by, for all who ask any replica.

use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::Clock;
use greenstar_store::Database;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::store::replica::{self, Report};
use crate::view::View;

/// How often it is looked at whether there is something new to say.
const LOOK: Duration = Duration::from_millis(250);
/// How long a word may go unrepeated; well within what others wait for it.
const RENEW: Duration = Duration::from_secs(2);

/// Says it.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    pub(crate) name: Arc<str>,
    pub(crate) view: Arc<View>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Reporter {
    /// As it is now; `None` before the policies were read.
    pub(crate) fn report(&self) -> Option<Report> {
        let now = self.clock.now();
        let rulings = self.view.rulings();
        let rulings = rulings.as_ref()?;
        let ruling = rulings.at(now);
        Some(Report {
            name: self.name.to_string(),
            applied: rulings.applied.clone(),
            fit: ruling.sound,
            policy_version: ruling
                .policy
                .as_ref()
                .map_or_else(String::new, |policy| policy.version().to_owned()),
            reported_at: now,
        })
    }

    /// Keeps its row in the database right, and takes it away at the end.
    pub(crate) async fn run(self, database: Database, stop: CancellationToken) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said: Option<(Report, Instant)> = None;
        loop {
            tokio::select! {
                _ = look.tick() => {}
                () = stop.cancelled() => break,
            }
            let Some(report) = self.report() else { continue };
            let old = said.as_ref().is_none_or(|(before, at)| {
                let news = Report {
                    reported_at: before.reported_at,
                    ..report.clone()
                };
                *before != news || at.elapsed() >= RENEW
            });
            if old {
                match replica::renew(&database, &report).await {
                    Ok(()) => said = Some((report, Instant::now())),
                    Err(error) => tracing::debug!(%error, "the replica's word could not be written"),
                }
            }
        }
        if let Err(error) = replica::leave(&database, &self.name).await {
            tracing::debug!(%error, "the replica's word could not be taken back");
        }
    }
}
