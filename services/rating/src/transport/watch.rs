//! WatchRatings: the feed's session in the contract's messages.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::ready;
use futures::{Stream, StreamExt as _, stream};
use greenstar_feed::{Feed, FeedError, Frame, Inbound, Outbound};
use greenstar_kernel::{Position, Revision};
use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::watch_ratings_request::Step;
use greenstar_proto::rating::v1::watch_ratings_response::Event;
use tonic::{Status, Streaming};

use super::{convert, parse, status};
use crate::domain::firm::Fact;
use crate::store::{Lists, Schemes};

pub(super) type Responses = Pin<Box<dyn Stream<Item = Result<pb::WatchRatingsResponse, Status>> + Send>>;

pub(super) fn open(feed: &Feed, schemes: Schemes, messages: Streaming<pb::WatchRatingsRequest>) -> Responses {
    // The session ends with the first message that cannot be read; the subscriber is told why after it.
    let unread: Arc<Mutex<Option<Status>>> = Arc::default();
    let slot = unread.clone();
    let inbound = messages.map(move |message| {
        let read = message.and_then(inbound);
        read.map_err(|status| *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(status))
    });
    let session = feed.watch(Arc::new(Lists { schemes }), inbound).map(|event| {
        let event = event.map_err(|error| status::feed(&error))?;
        Ok(pb::WatchRatingsResponse {
            event: Some(outbound(event)?),
        })
    });
    let why = stream::once(async move { unread.lock().unwrap_or_else(PoisonError::into_inner).take() });
    Box::pin(session.chain(why.filter_map(|status| ready(status.map(Err)))))
}

/// A position of a caller. An epoch that cannot be one of ours is another database's.
pub(super) fn position(raw: &common::Position) -> Result<Position, FeedError> {
    parse::position(raw).ok_or(FeedError::Foreign)
}

fn inbound(message: pb::WatchRatingsRequest) -> Result<Inbound, Status> {
    greenstar_rpc::checked(&message)?;
    match message.step {
        Some(Step::Open(open)) => {
            let from = open.cursor.as_ref().map(position).transpose();
            let from = from.map_err(|error| status::feed(&error))?;
            Ok(Inbound::Open(greenstar_feed::Open::at(from)))
        }
        Some(Step::Ping(ping)) => Ok(Inbound::Ping { nonce: ping.nonce }),
        Some(Step::Acknowledgement(ack)) => Ok(Inbound::Ack(greenstar_feed::Ack::up_to(Revision(ack.revision)))),
        None => Err(status::feed(&FeedError::Malformed("a message without a step"))),
    }
}

fn outbound(event: Outbound<Fact>) -> Result<Event, Status> {
    Ok(match event {
        Outbound::SnapshotBegin { at } => Event::SnapshotBegin(common::SnapshotBegin {
            position: Some(convert::position(&at)),
        }),
        Outbound::SnapshotRows(rows) => Event::Rows(pb::RatingRows {
            rows: rows.into_iter().map(convert::fact).collect(),
        }),
        Outbound::SnapshotEnd { rows } => Event::SnapshotEnd(common::SnapshotEnd { rows }),
        Outbound::Frame(frame) => Event::Frame(self::frame(&frame)?),
        Outbound::Pong {
            nonce,
            head,
            head_age,
            wall,
        } => Event::Pong(common::Pong {
            nonce,
            head: Some(convert::position(&head)),
            head_age: Some(pbjson_types::Duration {
                seconds: i64::try_from(head_age.as_secs()).unwrap_or(i64::MAX),
                nanos: i32::try_from(head_age.subsec_nanos()).unwrap_or(0),
            }),
            wall: Some(convert::time(wall)),
        }),
    })
}

/// Schemes, rounds and declarations move the log as well: followers of ratings see their revisions pass.
fn frame(frame: &Frame) -> Result<pb::RatingFrame, Status> {
    let mut changes = Vec::with_capacity(frame.entries.len());
    for entry in frame
        .entries
        .iter()
        .filter(|entry| entry.kind == crate::store::FACT)
    {
        let fact: Fact = entry.json().map_err(|error| status::store(&error))?;
        changes.push(pb::RatingChange {
            revision: entry.revision.0,
            cause: entry.cause.clone().unwrap_or_default(),
            fact: Some(convert::fact(fact)),
        });
    }
    Ok(pb::RatingFrame {
        after: frame.after.0,
        to: frame.to.0,
        changes,
        left: Vec::new(),
    })
}
