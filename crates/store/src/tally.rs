//! What a writer counts, for telemetry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The work of one writer since it was started. Clones share the counts, and keep no writer alive.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    batches: AtomicU64,
    commands: AtomicU64,
}

impl Tally {
    /// Joined transactions that ended with answers.
    pub fn batches(&self) -> u64 {
        self.0.batches.load(Ordering::Relaxed)
    }

    /// Commands that were answered in them, refusals included.
    pub fn commands(&self) -> u64 {
        self.0.commands.load(Ordering::Relaxed)
    }

    pub(crate) fn batch(&self, commands: usize) {
        self.0.batches.fetch_add(1, Ordering::Relaxed);
        self.0.commands.fetch_add(commands as u64, Ordering::Relaxed);
    }
}
