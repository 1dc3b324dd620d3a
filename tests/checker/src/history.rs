//! What clients saw, with when they began and ended to see it, on one monotonic clock.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use greenstar_kernel::Token;

/// What a write did to a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Confirmed,
    Lifted,
    Repaired,
}

/// A write to the sanctions service.
#[derive(Clone, Debug)]
pub struct Write {
    pub deed: Deed,
    pub enterprise: String,
    /// `enterprises/{uscc}/flags/{flag}`
    pub flag: String,
    pub began: Duration,
    /// `None`: nobody knows whether it was carried out.
    pub done: Option<Done>,
}

/// A write that was acknowledged.
#[derive(Clone, Debug)]
pub struct Done {
    pub at: Duration,
    pub token: Token,
}

/// A decision that was given.
#[derive(Clone, Debug)]
pub struct Decided {
    pub replica: String,
    pub enterprise: String,
    pub asked: Option<Token>,
    pub began: Duration,
    pub ended: Duration,
    pub token: Token,
    pub outcome: String,
    pub flags: BTreeSet<String>,
    pub star: Option<i32>,
    pub manual_review: bool,
    pub data_age: Option<Duration>,
    /// `decisions/{decision}`
    pub name: String,
}

/// A claim that everybody has applied a write.
#[derive(Clone, Debug)]
pub struct Converged {
    pub at: Duration,
    /// In the sanctions log.
    pub sanctions: u64,
    /// In the rating log, for scope ALL.
    pub rating: Option<u64>,
}

/// A frame that a watcher was sent.
#[derive(Clone, Debug)]
pub struct Framed {
    pub watcher: usize,
    pub epoch: String,
    pub after: u64,
    pub to: u64,
    /// Revisions of its changes.
    pub changes: Vec<u64>,
}

/// All of it.
#[derive(Debug)]
pub struct History {
    started: Instant,
    seen: Mutex<Seen>,
}

/// Lists, each in the order in which it was written down.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub writes: Vec<Write>,
    pub decisions: Vec<Decided>,
    pub converged: Vec<Converged>,
    pub frames: Vec<Framed>,
    /// Cursors that a snapshot gave, by watcher.
    pub snapshots: Vec<(usize, String, u64)>,
    /// What went wrong while it was run, by promise.
    pub violations: Vec<(&'static str, String)>,
    /// Who had not applied a write when the wait for it was over.
    pub outstanding: std::collections::BTreeMap<String, u64>,
    /// Calls that got no answer, by reason.
    pub unanswered: std::collections::BTreeMap<String, u64>,
}

impl Default for History {
    fn default() -> History {
        History {
            started: Instant::now(),
            seen: Mutex::default(),
        }
    }
}

impl History {
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub fn note<T>(&self, note: impl FnOnce(&mut Seen) -> T) -> T {
        note(&mut self.seen())
    }

    pub fn taken(&self) -> Seen {
        std::mem::take(&mut *self.seen())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
