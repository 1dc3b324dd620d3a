//! The log of flags in the contract's words. Which messages there are and in which order is the feed's business.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use greenstar_feed::Frame;
use greenstar_proto::common::v1 as common;
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::flag_row;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::sanctions::v1::watch_flags_request as request;
use greenstar_proto::sanctions::v1::watch_flags_response as response;
use greenstar_rpc::watching::{Answers, Event, Plain, Recent, Reports, Step, Watching};
use greenstar_rpc::{Call, Client};
use greenstar_store::{Entry, StoreError};
use tonic::{Status, Streaming};

use super::convert;
use crate::domain::catalogue::InForce;
use crate::domain::flag::Flag;
use crate::domain::viewer::Sight;
use crate::store::{FeedSource, Row, entry};

pub(super) fn open(
    watching: &Watching,
    call: &Call,
    source: Arc<FeedSource>,
    recent: Recent<pb::FlagChange>,
    messages: Streaming<pb::WatchFlagsRequest>,
) -> Answers<pb::WatchFlagsResponse> {
    watching.watch(call, source, messages, step, move |event| said(&recent, event))
}

pub(super) fn stream(
    watching: &Watching,
    call: &Call,
    source: Arc<FeedSource>,
    recent: Recent<pb::FlagChange>,
    request: pb::StreamFlagsRequest,
) -> Result<Answers<pb::StreamFlagsResponse>, Status> {
    let plain = Plain {
        cursor: request.cursor,
        subscriber: request.subscriber,
        filter: common::WatchFilter {
            kinds: request.kinds,
            districts: request.districts,
            enterprises: request.enterprises,
        },
    };
    let answers = watching.stream(call, source, plain, move |event| said(&recent, event))?;
    let answers = answers.map(|answer| {
        let (cursor, message) = answer?;
        let message = Some(message);
        Ok(pb::StreamFlagsResponse { cursor, message })
    });
    Ok(answers.boxed())
}

/// How replicas of this service ask one another.
#[derive(Debug)]
pub(crate) struct Siblings;

impl Reports for Siblings {
    fn reports(
        &self,
        client: Client,
    ) -> BoxFuture<'static, Result<Answers<common::Acknowledgements>, Status>> {
        async move {
            let request = pb::ReportAcknowledgementsRequest {};
            let answers = FlagServiceClient::new(client)
                .report_acknowledgements(request)
                .await?;
            let answers = answers.into_inner().map(|answer| {
                let said = answer?.acknowledgements;
                Ok(said.unwrap_or_default())
            });
            Ok(answers.boxed())
        }
        .boxed()
    }

    fn acknowledge(
        &self,
        client: Client,
        subscriber: String,
        ack: common::Acknowledgement,
    ) -> BoxFuture<'static, Result<(), Status>> {
        async move {
            let request = pb::AcknowledgeFlagsRequest {
                subscriber,
                acknowledgement: Some(ack),
            };
            FlagServiceClient::new(client).acknowledge_flags(request).await?;
            Ok(())
        }
        .boxed()
    }
}

fn step(message: pb::WatchFlagsRequest) -> Option<Step> {
    Some(match message.step? {
        request::Step::Open(open) => Step::Open(open),
        request::Step::Ping(ping) => Step::Ping(ping),
        request::Step::Acknowledgement(ack) => Step::Acknowledgement(ack),
    })
}

fn said(recent: &Recent<pb::FlagChange>, event: Event<Row>) -> Result<pb::WatchFlagsResponse, StoreError> {
    let event = match event {
        Event::SnapshotBegin(begin) => response::Event::SnapshotBegin(begin),
        Event::Rows(page) => response::Event::Rows(pb::FlagRows {
            rows: page.iter().map(row).collect(),
        }),
        Event::SnapshotEnd(end) => response::Event::SnapshotEnd(end),
        Event::Frame(frame) => response::Event::Frame(wire_frame(recent, &frame)?),
        Event::Pong(pong) => response::Event::Pong(pong),
    };
    Ok(pb::WatchFlagsResponse { event: Some(event) })
}

fn row(row: &Row) -> pb::FlagRow {
    let row = match row {
        Row::Catalogue(law) => flag_row::Row::Catalogue(convert::catalogue(law)),
        Row::Flag(flag) => flag_row::Row::Flag(shown(flag)),
    };
    pb::FlagRow { row: Some(row) }
}

/// As it stood after its last move: time is the follower's to apply. Officers, appeals and corrections are not its
/// business.
fn shown(flag: &Flag) -> pb::Flag {
    convert::flag(flag, flag.moved_at(), Sight::Other)
}

fn wire_frame(recent: &Recent<pb::FlagChange>, frame: &Frame) -> Result<pb::FlagFrame, StoreError> {
    let mut changes = Vec::new();
    for entry in &frame.entries {
        changes.push(recent.of(entry, change)?);
    }
    Ok(pb::FlagFrame {
        after: frame.after.0,
        to: frame.to.0,
        changes,
        // A flag's kind and enterprise never change, so that none ever leaves a filter.
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
