//! What a feed counts, for telemetry and tests.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use greenstar_kernel::Revision;

use crate::Feed;

/// What a feed has done since it was started, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The last revision that subscribers of this replica can have.
    pub head: Revision,
    /// How long ago the primary was last looked at; grows when the database cannot be read.
    pub head_age: Duration,
    /// Frames that this replica's own writer handed over.
    pub handed: u64,
    /// Frames of siblings that came by Redis.
    pub heard: u64,
    /// Frames that were read from the table.
    pub read: u64,
    /// Reads of the table because something had been missed.
    pub gaps: u64,
    /// How long after its decision the last frame of a sibling came by Redis, by the two replicas' clocks.
    pub sibling_delay: Duration,
    /// Whether Redis is in use at this moment. False without a fan-out.
    pub connected: bool,
    /// Frames that this replica added to the stream, or found there already.
    pub published: u64,
    /// Times that Redis was lost, or did not take a frame.
    pub failures: u64,
    /// Times that a stream of another life was dropped: a restore, which operators are to know of.
    pub rotations: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) handed: AtomicU64,
    pub(crate) heard: AtomicU64,
    pub(crate) read: AtomicU64,
    pub(crate) gaps: AtomicU64,
    pub(crate) sibling_delay_micros: AtomicU64,
    pub(crate) connected: AtomicBool,
    pub(crate) published: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) rotations: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

impl Feed {
    /// Cheap enough to be asked at any time.
    pub fn figures(&self) -> Figures {
        let counters = &self.shared.counters;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (head, head_age) = self.shared.looked();
        Figures {
            head,
            head_age,
            handed: get(&counters.handed),
            heard: get(&counters.heard),
            read: get(&counters.read),
            gaps: get(&counters.gaps),
            sibling_delay: Duration::from_micros(get(&counters.sibling_delay_micros)),
            connected: counters.connected.load(Ordering::Relaxed),
            published: get(&counters.published),
            failures: get(&counters.failures),
            rotations: get(&counters.rotations),
        }
    }
}
