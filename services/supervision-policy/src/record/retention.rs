//! Lets go of what has outlived the retention that its policy sets: salt and body are deleted, here and in the
//! database. Leaf and link stay, so that the chain is whole and says that there was a record.

use std::sync::Arc;

use greenstar_kernel::{Clock, Timestamp};
use greenstar_store::{Database, StoreError};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::RecordLog;
use crate::store::{decision, retold};
use crate::view::View;

/// Records of one transaction.
const BATCH: u32 = 500;

/// What it takes.
#[derive(Debug)]
pub(crate) struct Retention {
    pub(crate) log: RecordLog,
    pub(crate) database: Database,
    pub(crate) view: Arc<View>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Retention {
    /// Looks at once and then as often as the settings say, until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut look = interval(self.log.retain_every());
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = look.tick() => {}
                () = stop.cancelled() => return,
            }
            match self.pass(&stop).await {
                Ok(0) => {}
                Ok(erased) => tracing::info!(erased, "decision records have outlived their retention"),
                Err(error) => tracing::warn!(%error, "retention waits for the database"),
            }
        }
    }

    /// How many records were erased.
    async fn pass(&self, stop: &CancellationToken) -> Result<u64, StoreError> {
        retold::note_not_kept(&self.database, self.log.writer(), self.log.not_kept()).await?;
        while !stop.is_cancelled() && decision::link_some(&self.database).await? {}
        let mut erased = 0;
        for (matter, before) in self.ended() {
            while !stop.is_cancelled() {
                let some = retold::erase(&self.database, &matter, before, BATCH).await?;
                erased += some;
                if some < u64::from(BATCH) {
                    break;
                }
            }
        }
        // The folder may still have the bodies of what was shipped from it.
        self.log.roll().await;
        for left in self.log.left() {
            let mut tx = self.database.read().await?;
            if retold::any_erased(&mut tx, left.writer, &left.sequences).await? {
                tracing::warn!(path = %left.path.display(), "a damaged segment goes, because retention has ended for what it holds");
                self.log.let_go(left).await;
            }
        }
        Ok(erased)
    }

    /// Matters with a retention, and the instant before which a decision has outlived it: a record of one day is kept
    /// to the end of the day so many days later. Nothing while nobody can say what time it is or which policies are
    /// in force: what is erased does not come back.
    fn ended(&self) -> Vec<(String, Timestamp)> {
        let now = self.clock.now();
        if self.view.age(self.clock.monotonic(), now).is_none() {
            return Vec::new();
        }
        let rulings = self.view.rulings();
        let ruling = rulings.as_ref().map(|rulings| rulings.at(now));
        let Some(policy) = ruling.and_then(|ruling| ruling.policy.as_ref().filter(|_| ruling.sound)) else {
            return Vec::new();
        };
        let matters = policy.matters().iter().filter_map(|matter| {
            let days = i32::try_from(matter.retention_days()?).ok()?;
            Some((matter.name(), now.date().plus_days(-days).start()))
        });
        matters.collect()
    }
}
