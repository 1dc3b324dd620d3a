//! Brings the logs of the other services, and this service's own, into the view. How a log is followed is
//! `greenstar_feed::follow`; here is what travels and where it goes.

pub(crate) mod catalogue;
pub(crate) mod compare;
pub(crate) mod flags;
pub(crate) mod keep;
pub(crate) mod policies;
pub(crate) mod ratings;
pub(crate) mod replicas;
pub(crate) mod wire;

use std::time::Duration;

use greenstar_feed::follow::RECOVERY;

use crate::domain::matter::MAX_STALENESS;

/// What this replica promises its sources: having heard nothing for so long it answers by `on_stale` only
/// (protocol.md §5).
pub(crate) const FENCES_AFTER: Duration = Duration::from_secs(7);

// The relation between the timers, so that no other build can have another one: a source that comes back is followed
// again before answers turn to manual review, and by the time that a source counts this replica as fenced, even
// the loosest matter has called its view stale for two seconds.
const _: () = assert!(RECOVERY.as_millis() < MAX_STALENESS.as_millis());
const _: () = assert!(FENCES_AFTER.as_millis() >= MAX_STALENESS.as_millis() + 2_000);
