//! Brings the logs of the other services, and this service's own, into the view. How a log is followed is
//! `greenstar_feed::follow`; here is what travels and where it goes.

mod catalogue;
pub(crate) mod compare;
pub(crate) mod flags;
pub(crate) mod keep;
pub(crate) mod policies;
pub(crate) mod ratings;
pub(crate) mod wire;

use std::time::Duration;

use greenstar_feed::follow::{Broken, Event, Open, RECOVERY, Rejection};
use greenstar_kernel::Revision;
use greenstar_proto::common::v1 as common;
use tonic::Status;

use crate::domain::matter::MAX_STALENESS;

/// Far more than the 1,000 rows or 2,000 changes of one message take.
const MESSAGE_BYTES: usize = 64 << 20;

/// What this replica promises its sources: having heard nothing for so long it answers by `on_stale` only
/// (protocol.md §5).
pub(crate) const FENCES_AFTER: Duration = Duration::from_secs(7);

// The relation between the timers, so that no other build can have another one: a source that comes back is followed
// again before answers turn to manual review, and by the time that a source counts this replica as fenced, even
// the loosest matter has called its view stale for two seconds.
const _: () = assert!(RECOVERY.as_millis() < MAX_STALENESS.as_millis());
const _: () = assert!(FENCES_AFTER.as_millis() >= MAX_STALENESS.as_millis() + 2_000);

/// A message that breaks the contract; the watch is opened again.
#[derive(Debug, thiserror::Error)]
#[error("the source sent what the contract does not know: {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

impl From<Malformed> for Broken {
    fn from(Malformed(what): Malformed) -> Broken {
        Broken::malformed(what)
    }
}

/// A watch that was refused or ended by its source.
fn broken(status: Status) -> Broken {
    let reason = greenstar_rpc::reason_of(&status);
    let wants_snapshot = matches!(
        reason.as_deref(),
        Some("CURSOR_TOO_OLD" | "TOKEN_FOREIGN" | "TOKEN_AHEAD")
    );
    let what = format!("{:?} {}", status.code(), status.message());
    Broken {
        wants_snapshot,
        source: what.into(),
    }
}

fn open(open: Open) -> common::WatchOpen {
    common::WatchOpen {
        subscriber: open.subscriber.to_string(),
        cursor: open.cursor.as_ref().map(wire::to_position),
        filter: None,
        fences_after: open.fences_after.map(pbjson_types::Duration::from),
    }
}

fn acknowledgement(revision: Revision, rejection: Option<Rejection>) -> common::Acknowledgement {
    common::Acknowledgement {
        revision: revision.0,
        rejection: rejection.map(|rejection| common::Rejection {
            revision: rejection.revision.0,
            reason: rejection.reason,
        }),
    }
}

fn pong<R>(pong: common::Pong) -> Result<Event<R>, Malformed> {
    Ok(Event::Pong {
        nonce: pong.nonce,
        head: wire::position(pong.head)?.revision,
        head_age: wire::span(pong.head_age).ok_or(Malformed("a pong without the age of its head"))?,
        wall: wire::instant(&pong.wall.ok_or(Malformed("a pong without a clock"))?),
    })
}
