//! The log of ratings in the contract's words. Which messages there are and in which order is the feed's business.

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use greenstar_feed::Frame;
use greenstar_kernel::Caller;
use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::rating_service_client::RatingServiceClient;
use greenstar_proto::rating::v1::watch_ratings_request as request;
use greenstar_proto::rating::v1::watch_ratings_response as response;
use greenstar_rpc::Client;
use greenstar_rpc::watching::{Answers, Event, Recent, Reports, Step};
use greenstar_store::StoreError;
use tonic::Status;

use super::convert;
use crate::domain::firm::Fact;
use crate::domain::visibility;

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
            let answers = RatingServiceClient::new(client)
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
            let request = pb::AcknowledgeRatingsRequest {
                subscriber,
                acknowledgement: Some(ack),
            };
            RatingServiceClient::new(client)
                .acknowledge_ratings(request)
                .await?;
            Ok(())
        }
        .boxed()
    }
}

pub(super) fn step(message: pb::WatchRatingsRequest) -> Option<Step> {
    Some(match message.step? {
        request::Step::Open(open) => Step::Open(open),
        request::Step::Ping(ping) => Step::Ping(ping),
        request::Step::Acknowledgement(ack) => Step::Acknowledgement(ack),
    })
}

/// A message as `caller` may read it. Every revision passes, whoever follows.
pub(super) fn said(
    caller: &Caller,
    recent: &Recent<Fact>,
    event: Event<Fact>,
) -> Result<pb::WatchRatingsResponse, StoreError> {
    let event = match event {
        Event::SnapshotBegin(begin) => response::Event::SnapshotBegin(begin),
        Event::Rows(rows) => response::Event::Rows(pb::RatingRows {
            rows: rows.into_iter().map(|fact| row(caller, fact)).collect(),
        }),
        Event::SnapshotEnd(end) => response::Event::SnapshotEnd(end),
        Event::Frame(frame) => response::Event::Frame(self::frame(caller, recent, &frame)?),
        Event::Pong(pong) => response::Event::Pong(pong),
    };
    Ok(pb::WatchRatingsResponse { event: Some(event) })
}

fn row(caller: &Caller, fact: Fact) -> pb::RatingFact {
    convert::fact(
        visibility::followed(caller, fact),
        visibility::follows_whole(caller),
    )
}

/// Schemes, rounds and declarations move the log as well: followers of ratings see their revisions pass.
fn frame(caller: &Caller, recent: &Recent<Fact>, frame: &Frame) -> Result<pb::RatingFrame, StoreError> {
    let mut changes = Vec::with_capacity(frame.entries.len());
    for entry in frame
        .entries
        .iter()
        .filter(|entry| entry.kind == crate::store::FACT)
    {
        let fact = recent.of(entry, greenstar_store::Entry::json)?;
        // It would say why there is no star.
        let cause = entry
            .cause
            .as_ref()
            .filter(|_| !visibility::conceals(caller, &fact));
        changes.push(pb::RatingChange {
            revision: entry.revision.0,
            cause: cause.cloned().unwrap_or_default(),
            fact: Some(row(caller, fact)),
        });
    }
    let left = frame.left.iter().map(|uscc| format!("enterprises/{uscc}"));
    Ok(pb::RatingFrame {
        after: frame.after.0,
        to: frame.to.0,
        changes,
        left: left.collect(),
    })
}
