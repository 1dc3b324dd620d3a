//! What a follower of another service's log says and hears (`greenstar_feed::follow`), in the contract's messages.

use std::time::Duration;

use greenstar_feed::follow::{Broken, Event, Open, Rejection};
use greenstar_kernel::{Epoch, Position, Revision, Timestamp};
use greenstar_proto::common::v1 as common;
use tonic::Status;

use crate::reason_of;

/// Most that one message may take: far more than the 1,000 rows or 2,000 changes of one do.
pub const MESSAGE_BYTES: usize = 64 << 20;

/// A watch that was refused, or ended by its source.
pub fn broken(status: &Status) -> Broken {
    let wants_snapshot = matches!(
        reason_of(status).as_deref(),
        Some("CURSOR_TOO_OLD" | "TOKEN_FOREIGN" | "TOKEN_AHEAD")
    );
    let what = format!("{:?} {}", status.code(), status.message());
    Broken {
        wants_snapshot,
        source: what.into(),
    }
}

pub fn open(open: Open) -> common::WatchOpen {
    common::WatchOpen {
        subscriber: open.subscriber.to_string(),
        cursor: open.cursor.map(|at| common::Position {
            epoch: at.epoch.to_string(),
            revision: at.revision.0,
        }),
        filter: None,
        fences_after: open.fences_after.map(pbjson_types::Duration::from),
    }
}

pub fn acknowledgement(revision: Revision, rejection: Option<Rejection>) -> common::Acknowledgement {
    common::Acknowledgement {
        revision: revision.0,
        rejection: rejection.map(|rejection| common::Rejection {
            revision: rejection.revision.0,
            reason: rejection.reason,
        }),
    }
}

/// A pong that does not say all that it must is malformed.
pub fn pong<R>(pong: common::Pong) -> Result<Event<R>, Broken> {
    let age = pong.head_age.and_then(|age| {
        let (seconds, nanos) = (u64::try_from(age.seconds).ok()?, u32::try_from(age.nanos).ok()?);
        Some(Duration::new(seconds, nanos))
    });
    let wall = pong
        .wall
        .ok_or_else(|| Broken::malformed("a pong without a clock"))?;
    Ok(Event::Pong {
        nonce: pong.nonce,
        head: position(pong.head)?.revision,
        head_age: age.ok_or_else(|| Broken::malformed("a pong without the age of its head"))?,
        wall: instant(&wall),
    })
}

pub fn instant(at: &pbjson_types::Timestamp) -> Timestamp {
    Timestamp::from_micros(
        at.seconds
            .saturating_mul(1_000_000)
            .saturating_add(i64::from(at.nanos / 1_000)),
    )
}

/// A position that is none is malformed.
pub fn position(position: Option<common::Position>) -> Result<Position, Broken> {
    let common::Position { epoch, revision } = position.ok_or_else(|| Broken::malformed("no position"))?;
    let epoch = Epoch::parse(&epoch).ok_or_else(|| Broken::malformed("an epoch that is none"))?;
    Ok(Position {
        epoch,
        revision: Revision(revision),
    })
}
