//! Who follows a log, in numbers, for telemetry.

use crate::Subscribers;
use crate::converge::{SILENT, SLACK};

/// The registered subscribers of a log as one replica of its service knows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Heard of lately, here or by a sibling.
    pub live: u64,
    /// Not heard of, and it still may answer as fresh.
    pub silent: u64,
    /// Not heard of for longer than it promised to answer as fresh.
    pub fenced: u64,
    /// Revisions that the slowest of those connected here has not acknowledged.
    pub lag: u64,
}

impl Subscribers {
    /// Counts them. Asks nobody.
    pub fn census(&self) -> Census {
        let head = self.feed.head().revision;
        let mut census = Census::default();
        for entry in self.inner.entries() {
            let known = entry.seat.as_ref().map(|seat| seat.known());
            let connected = known.filter(|known| known.connected);
            let silent = entry.row.silent();
            let promised = entry.row.fences_after;
            if connected.is_some() || silent <= SILENT {
                census.live += 1;
            } else if promised.is_some_and(|promised| silent > promised.saturating_add(SLACK)) {
                census.fenced += 1;
            } else {
                census.silent += 1;
            }
            if let Some(known) = connected {
                census.lag = census.lag.max(head.0.saturating_sub(known.acknowledged.0));
            }
        }
        census
    }
}
