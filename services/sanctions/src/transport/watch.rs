//! A watch in the contract's words. What it may contain and in which order is the feed's business.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt as _, stream};
use greenstar_feed::{Feed, FeedError, Frame, Inbound, Outbound};
use greenstar_kernel::{Epoch, Position, Revision};
use greenstar_proto::common::v1 as common;
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::flag_row;
use greenstar_proto::sanctions::v1::watch_flags_request::Step;
use greenstar_proto::sanctions::v1::watch_flags_response::Event;
use greenstar_store::{Entry, StoreError};
use tonic::{Status, Streaming};

use super::{convert, status};
use crate::domain::catalogue::InForce;
use crate::domain::flag::Flag;
use crate::store::{FeedSource, Row, entry};

pub(crate) type Responses = Pin<Box<dyn Stream<Item = Result<pb::WatchFlagsResponse, Status>> + Send>>;

pub(super) fn open(
    feed: &Feed,
    source: Arc<FeedSource>,
    inbound: Streaming<pb::WatchFlagsRequest>,
) -> Responses {
    // A message that breaks the contract ends the watch; this says why, after what was sent before it.
    let refusal = Arc::new(Mutex::new(None));
    let last_words = refusal.clone();
    let inbound = inbound.map(move |message| {
        message.and_then(step).map_err(|status| {
            *refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
        })
    });
    let events = feed.watch(source, inbound).map(|event| match event {
        Ok(event) => outbound(event).map_err(|error| status::store(&error)),
        Err(error) => Err(status::feed(&error)),
    });
    let end = stream::once(async move { last_words.lock().unwrap_or_else(PoisonError::into_inner).take() });
    Box::pin(events.chain(end.filter_map(|refusal| async move { refusal.map(Err) })))
}

fn outbound(event: Outbound<Row>) -> Result<pb::WatchFlagsResponse, StoreError> {
    let event = match event {
        Outbound::SnapshotBegin { at } => Event::SnapshotBegin(common::SnapshotBegin {
            position: Some(wire_position(&at)),
        }),
        Outbound::SnapshotRows(page) => Event::Rows(pb::FlagRows {
            rows: page.iter().map(row).collect(),
        }),
        Outbound::SnapshotEnd { rows } => Event::SnapshotEnd(common::SnapshotEnd { rows }),
        Outbound::Frame(frame) => Event::Frame(wire_frame(&frame)?),
        Outbound::Pong {
            nonce,
            head,
            head_age,
            wall,
        } => Event::Pong(common::Pong {
            nonce,
            head: Some(wire_position(&head)),
            head_age: Some(head_age.into()),
            wall: Some(convert::timestamp(wall)),
        }),
    };
    Ok(pb::WatchFlagsResponse { event: Some(event) })
}

fn step(message: pb::WatchFlagsRequest) -> Result<Inbound, Status> {
    greenstar_rpc::checked(&message)?;
    match message.step {
        Some(Step::Open(open)) => {
            let from = open.cursor.as_ref().map(position).transpose();
            let from = from.map_err(|error| status::feed(&error))?;
            Ok(Inbound::Open(greenstar_feed::Open::at(from)))
        }
        Some(Step::Ping(ping)) => Ok(Inbound::Ping { nonce: ping.nonce }),
        Some(Step::Acknowledgement(ack)) => Ok(Inbound::Ack(greenstar_feed::Ack::up_to(Revision(ack.revision)))),
        None => Err(status::feed(&FeedError::Malformed("a message says nothing"))),
    }
}

fn row(row: &Row) -> pb::FlagRow {
    let row = match row {
        Row::Catalogue(law) => flag_row::Row::Catalogue(convert::catalogue(law)),
        Row::Flag(flag) => flag_row::Row::Flag(shown(flag)),
    };
    pb::FlagRow { row: Some(row) }
}

/// As it stood after its last move: time is the follower's to apply. Officers are not its business.
fn shown(flag: &Flag) -> pb::Flag {
    convert::flag(flag, flag.moved_at(), false)
}

fn wire_frame(frame: &Frame) -> Result<pb::FlagFrame, StoreError> {
    let mut changes = Vec::new();
    for entry in &frame.entries {
        changes.push(change(entry)?);
    }
    Ok(pb::FlagFrame {
        after: frame.after.0,
        to: frame.to.0,
        changes,
        left: Vec::new(),
    })
}

/// A kind that this program does not know is never skipped.
fn change(entry: &Entry) -> Result<pb::FlagChange, StoreError> {
    let row = match entry.kind.as_str() {
        kind if entry::KNOWN.contains(&kind) => flag_row::Row::Flag(shown(&entry.json::<Flag>()?)),
        entry::CATALOGUE => flag_row::Row::Catalogue(convert::catalogue(&entry.json::<InForce>()?)),
        other => {
            return Err(StoreError::corrupt(format!(
                "a change of the unknown kind {other}"
            )));
        }
    };
    Ok(pb::FlagChange {
        revision: entry.revision.0,
        cause: entry.cause.clone().unwrap_or_default(),
        row: Some(pb::FlagRow { row: Some(row) }),
    })
}

/// An epoch that is none of ours is a foreign one.
pub(super) fn position(wire: &common::Position) -> Result<Position, FeedError> {
    let epoch = Epoch::parse(&wire.epoch).ok_or(FeedError::Foreign)?;
    Ok(Position {
        epoch,
        revision: Revision(wire.revision),
    })
}

pub(super) fn wire_position(position: &Position) -> common::Position {
    common::Position {
        epoch: position.epoch.to_string(),
        revision: position.revision.0,
    }
}
