//! Drafts beside live traffic: begun, ended, and what they found.

use std::fmt::Debug;
use std::time::Duration;

use greenstar_kernel::{Code, LocalizedText, Timestamp};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::supervision::v1 as pb;
use greenstar_rpc::{Call, accept, field, pages, stored};
use greenstar_store::{StoreError, SubmitError};
use prost::Message;
use tonic::{Request, Response, Status};

use crate::domain::draft::{Draft, DraftState};
use crate::follow::wire;
use crate::store::feedback::{Kept, Repeatable};
use crate::store::shadow::{self as rows, Counts, Difference, Shadow, Step};
use crate::transport::convert::sha256;
use crate::transport::desk::Desk;
use crate::transport::{drafts, status};

/// How long one goes on, if nobody says.
const TERM: Duration = Duration::from_secs(7 * 86_400);
/// And at most: whoever forgets one does not pay for it for ever.
const LONGEST: Duration = Duration::from_secs(92 * 86_400);
/// Entries of a page, whatever is asked.
const MOST: usize = 200;

pub(in crate::transport) async fn start_shadow(
    desk: &Desk,
    request: Request<pb::StartShadowRequest>,
) -> Result<Response<pb::StartShadowResponse>, Status> {
    let (call, request) = accept(request)?;
    let id = drafts::draft_id("draft", &request.draft)?;
    let (draft, source) = drafts::own(desk, &call, &id).await?;
    is_validated(&draft)?;
    let now = desk.clock.now();
    let ends_at = match wire::optional_instant(request.end_time.as_ref()) {
        None => now.plus(TERM),
        Some(end) if now < end && end <= now.plus(LONGEST) => end,
        Some(_) => return Err(end_invalid()),
    };
    let repeat = Repeat::of(
        &call,
        "StartShadow",
        &request.request_id,
        &(&request.draft, request.end_time),
    );
    let step = Step::Start {
        source: &source,
        ends_at,
    };
    let answer = |begun| {
        let shadow = Some(told(&id, begun, now));
        pb::StartShadowResponse { shadow }.encode_to_vec()
    };
    let kept = rows::step(
        &desk.database,
        &repeat.repeatable(),
        id.as_str(),
        step,
        now,
        answer,
    )
    .await;
    desk.shadows.changed();
    Ok(Response::new(repeat.answer(kept)?))
}

pub(in crate::transport) async fn stop_shadow(
    desk: &Desk,
    request: Request<pb::StopShadowRequest>,
) -> Result<Response<pb::StopShadowResponse>, Status> {
    let (call, request) = accept(request)?;
    let id = drafts::draft_id("draft", &request.draft)?;
    drafts::own(desk, &call, &id).await?;
    let now = desk.clock.now();
    let repeat = Repeat::of(&call, "StopShadow", &request.request_id, &request.draft);
    let answer = |ended| {
        let shadow = Some(told(&id, ended, now));
        pb::StopShadowResponse { shadow }.encode_to_vec()
    };
    let kept = rows::step(
        &desk.database,
        &repeat.repeatable(),
        id.as_str(),
        Step::Stop,
        now,
        answer,
    )
    .await;
    desk.shadows.changed();
    Ok(Response::new(repeat.answer(kept)?))
}

/// A request that may come twice.
struct Repeat {
    principal: String,
    /// As the caller has it.
    request_id: String,
    /// Of this method; empty: it cannot be repeated.
    key: String,
    body_hash: String,
}

impl Repeat {
    fn of(call: &Call, method: &str, request_id: &str, body: &impl Debug) -> Repeat {
        let key = if request_id.is_empty() {
            String::new()
        } else {
            format!("{method}/{request_id}")
        };
        Repeat {
            principal: call.caller.principal(),
            request_id: request_id.to_owned(),
            key,
            body_hash: sha256(format!("{body:?}")),
        }
    }

    fn repeatable(&self) -> Repeatable<'_> {
        Repeatable {
            principal: &self.principal,
            request_id: &self.key,
            body_hash: &self.body_hash,
        }
    }

    fn answer<A: Message + Default>(&self, kept: Result<Kept, StoreError>) -> Result<A, Status> {
        match kept.map_err(|error| status::store(&error))? {
            Kept::Answer(encoded) => A::decode(&*encoded).map_err(|error| status::failed(&error)),
            Kept::Reused => Err(stored::submitted(
                SubmitError::<std::convert::Infallible>::RequestIdReused,
                &self.request_id,
                |never| match *never {},
            )),
        }
    }
}

pub(in crate::transport) async fn list_shadow_differences(
    desk: &Desk,
    request: Request<pb::ListShadowDifferencesRequest>,
) -> Result<Response<pb::ListShadowDifferencesResponse>, Status> {
    let (call, request) = accept(request)?;
    let id = drafts::draft_id("draft", &request.draft)?;
    drafts::own(desk, &call, &id).await?;
    let query = ["ListShadowDifferences", id.as_str()];
    let page = pages::page(request.page_size, &request.page_token, &query)?;
    let size = page.size.min(MOST);
    let found = async {
        let mut tx = desk.database.read().await?;
        let shadow = rows::find(&mut tx, id.as_str()).await?;
        // One more than the page tells whether there is a next one.
        let found = rows::differences(&mut tx, id.as_str(), page.after.as_deref(), size + 1).await?;
        Ok((shadow, found))
    };
    let (shadow, mut found) = found.await.map_err(|error| status::store(&error))?;
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more);
    let next = next.map(|last| pages::next_token(&query, &last.id));
    Ok(Response::new(pb::ListShadowDifferencesResponse {
        differences: found.into_iter().map(difference).collect(),
        next_page_token: next.unwrap_or_default(),
        shadow: Some(told(&id, shadow, desk.clock.now())),
    }))
}

fn is_validated(draft: &Draft) -> Result<(), Status> {
    match draft.state {
        DraftState::Validated | DraftState::Approved => Ok(()),
        state @ (DraftState::Draft | DraftState::Published | DraftState::Withdrawn) => {
            Err(drafts::state_refused(state, DraftState::Validated))
        }
    }
}

fn end_invalid() -> Status {
    let said = LocalizedText::new(
        "试运行的结束时间应在现在之后、三个月之内；不填则为七天后",
        "a draft runs beside live traffic until an instant within three months from now; left out, seven days",
    );
    field("end_time", ErrorReason::FieldInvalid, &said, &[])
}

/// One that never began runs not and has found nothing.
fn told(draft: &Code, shadow: Option<Shadow>, now: Timestamp) -> pb::Shadow {
    let name = format!("drafts/{draft}");
    let Some(Shadow {
        started_at,
        ends_at,
        counts: Counts {
            evaluated,
            different,
            dropped,
        },
        ..
    }) = shadow
    else {
        return pb::Shadow {
            draft: name,
            ..pb::Shadow::default()
        };
    };
    pb::Shadow {
        draft: name,
        running: now < ends_at,
        start_time: Some(wire::to_instant(started_at)),
        end_time: Some(wire::to_instant(ends_at)),
        evaluated,
        different,
        dropped,
    }
}

fn difference(found: Difference) -> pb::ShadowDifference {
    pb::ShadowDifference {
        decision: found.decision,
        enterprise: found.enterprise,
        matter: found.matter,
        outcome: found.outcome,
        shadow_outcome: found.shadow_outcome,
        measures_dropped: found.measures_dropped,
        measures_added: found.measures_added,
        as_of_time: Some(wire::to_instant(found.as_of)),
    }
}
