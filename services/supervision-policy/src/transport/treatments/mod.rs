//! What changed for the enterprises that a department follows.

mod follow;
mod portfolio;
mod round;

use futures::StreamExt as _;
use greenstar_kernel::{LocalizedText, Token};
use greenstar_proto::common::v1 as common;
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::subscription_service_server::SubscriptionService;
use greenstar_rpc::watching::Answers;
use greenstar_rpc::{accept, names};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use self::follow::{Following, Members};
use self::portfolio::{Portfolio, other_cursor};
use super::authority::Authority;
use super::convert::Arguments;
use super::desk::{self, Desk};
use super::status;
use crate::consistency::Level;
use crate::store::treatment::{self, Reopened, Stream};

#[derive(Clone, Debug)]
pub(crate) struct SubscriptionRpc(pub(crate) Desk);

#[tonic::async_trait]
impl SubscriptionService for SubscriptionRpc {
    type WatchTreatmentsStream = Answers<pb::WatchTreatmentsResponse>;

    async fn watch_treatments(
        &self,
        request: Request<pb::WatchTreatmentsRequest>,
    ) -> Result<Response<Self::WatchTreatmentsStream>, Status> {
        let desk = &self.0;
        let (call, request) = accept(request)?;
        let (department, matter) = names::matter("matter", &request.matter)?;
        if call.caller.department() != Some(&department) {
            return Err(status::matter_not_yours(&department));
        }
        let (portfolio, keys) = Portfolio::read(&request.enterprises, &request.hashed_codes, &request.salt)?;
        let authority = Authority::read(request.authority)?;
        let arguments: Arguments = request.arguments.into_iter().collect();
        let cursor = match request.cursor.as_str() {
            "" => None,
            raw => Some(Cursor::parse(raw).ok_or_else(other_cursor)?),
        };

        let mut seen = request.at_least_as_fresh;
        seen.extend(cursor.as_ref().map(|cursor| cursor.token.to_string()));
        let level = Level::read(Some(&common::Consistency {
            at_least_as_fresh: seen,
            ..common::Consistency::default()
        }));
        let level = level.map_err(|error| status::unreached(&error))?;
        let reached = desk.freshness.reach(level, desk::deadline(&call)).await;
        reached.map_err(|error| status::unreached(&error))?;
        check(desk, &department, &matter, &arguments, authority.as_ref())?;

        let asked = portfolio.asked(&department, &request.matter, &arguments, &keys);
        let holder = Uuid::new_v4().to_string();
        let now = desk.clock.now();
        let (_, officer) = desk::who(&call.caller);
        let (stream, missed, held) = match cursor {
            None => {
                let stream = Stream {
                    id: Uuid::now_v7().to_string(),
                    department: department.to_string(),
                    matter: request.matter,
                    asked,
                    officer,
                    authority: authority
                        .as_ref()
                        .map_or_else(Vec::new, |known| known.wire().encode_to_vec()),
                    members: keys.len() as u64,
                    sequence: 0,
                };
                let opened = treatment::open(&desk.database, &stream, &holder, now).await;
                opened.map_err(|error| status::store(&error))?;
                (stream, Vec::new(), Vec::new())
            }
            Some(Cursor { stream, after, .. }) => {
                if !known(desk, &stream, &asked).await? {
                    return Err(other_cursor());
                }
                let reopened = treatment::reopen(&desk.database, &stream, &asked, after, &holder, now).await;
                let reopened = reopened.map_err(|error| status::store(&error))?;
                let Some(Reopened {
                    stream,
                    missed: Some(missed),
                    held,
                }) = reopened
                else {
                    return Err(too_old());
                };
                (stream, missed, held)
            }
        };
        tracing::info!(
            principal = call.caller.principal(),
            matter = stream.matter,
            stream = stream.id,
            members = stream.members,
            hashed = portfolio.is_hashed(),
            authority = authority.is_some(),
            "a department follows a portfolio"
        );
        let missed = missed
            .iter()
            .map(|body| decoded(body))
            .collect::<Result<Vec<_>, _>>()?;
        let held = held
            .into_iter()
            .map(|(member, body)| Ok((member, decoded(&body)?)))
            .collect::<Result<_, Status>>()?;
        let following = Following {
            desk: desk.clone(),
            call,
            stream,
            holder,
            department,
            matter,
            arguments,
            authority,
            members: Members::new(portfolio, keys, held),
        };
        let (tell, told) = mpsc::channel(4);
        tokio::spawn(following.run(missed, tell));
        Ok(Response::new(ReceiverStream::new(told).boxed()))
    }
}

/// Whether a stream is asked for as when it was opened.
async fn known(desk: &Desk, stream: &str, asked: &str) -> Result<bool, Status> {
    let mut tx = desk
        .database
        .read()
        .await
        .map_err(|error| status::store(&error))?;
    let found = treatment::find(&mut tx, stream)
        .await
        .map_err(|error| status::store(&error))?;
    // One that is forgotten is too old, not another's.
    Ok(found.is_none_or(|found| found.asked == asked))
}

/// What is wrong with the question is said before anything is opened.
fn check(
    desk: &Desk,
    department: &greenstar_kernel::Department,
    matter: &greenstar_kernel::Code,
    arguments: &Arguments,
    authority: Option<&Authority>,
) -> Result<(), Status> {
    let look = desk.view.look(&*desk.clock).ok_or_else(status::not_ready)?;
    if let Some(authority) = authority {
        authority.holds_on(look.as_of.date())?;
    }
    let ruling = look.reading.ruling(look.as_of).ok_or_else(status::not_ready)?;
    let policy = ruling.policy.as_ref().ok_or_else(status::not_ready)?;
    let unknown = || status::matter_unknown(department.as_str(), &status::shortened(matter.as_str()));
    let found = policy
        .matter(department.as_str(), matter.as_str())
        .ok_or_else(unknown)?;
    let given = arguments
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    found
        .parse_arguments(given)
        .map(drop)
        .map_err(|error| status::arguments(&error))
}

/// Where a subscriber stands: `{stream}.{sequence}.{token}`.
#[derive(Debug)]
struct Cursor {
    stream: String,
    after: u64,
    token: Token,
}

impl Cursor {
    fn parse(raw: &str) -> Option<Cursor> {
        let mut parts = raw.splitn(3, '.');
        let (stream, after, token) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Cursor {
            stream: stream.parse::<Uuid>().ok()?.to_string(),
            after: after.parse().ok()?,
            token: token.parse().ok()?,
        })
    }
}

fn decoded<M: prost::Message + Default>(body: &[u8]) -> Result<M, Status> {
    M::decode(body).map_err(|error| status::damaged(&error))
}

fn too_old() -> Status {
    let said = LocalizedText::new(
        "游标太旧，其后的消息已不再保留；请去掉游标重新打开订阅",
        "the cursor is too old, what came after it is not kept any more; open again without a cursor",
    );
    greenstar_rpc::status(Code::OutOfRange, ErrorReason::CursorTooOld, &said, &[])
}

/// Another connection goes on with the stream.
fn replaced() -> Status {
    let said = LocalizedText::new(
        "同一订阅已在另一连接上继续，本连接结束",
        "another connection goes on with this stream, so this one ends",
    );
    greenstar_rpc::status(Code::Aborted, ErrorReason::SubscriberReplaced, &said, &[])
}
