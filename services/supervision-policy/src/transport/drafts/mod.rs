//! Policies in the making, and how they take effect.

mod parse;
mod publish;
mod refused;
mod versions;

use greenstar_kernel::{Code, Timestamp};
use greenstar_proto::supervision::v1 as pb;
use greenstar_rpc::{Call, accept, pages};
use greenstar_store::Request as Repeat;
use tonic::{Request, Response, Status};

pub(super) use publish::{publish_policy, rollback_policy, validate_draft};
pub(super) use versions::{get_policy_version, list_policy_replicas, list_policy_versions, published};

use super::desk::Desk;
use super::status;
use crate::domain::draft::{Actor, Draft, DraftState, Step};
use crate::domain::draft_refusal::Refusal;
use crate::domain::policy::Document;
use crate::follow::wire;
use crate::store::lifecycle::{Answer, Command};
use crate::store::{draft as rows, policy};

/// Entries of a page, whatever is asked.
const MOST: usize = 200;

pub(super) async fn create_draft(
    desk: &Desk,
    request: Request<pb::CreateDraftRequest>,
) -> Result<Response<pb::CreateDraftResponse>, Status> {
    let (call, mut request) = accept(request)?;
    let request_id = std::mem::take(&mut request.request_id);
    let repeat = parse::repeat(&call, "CreateDraft", &request_id, &request);
    let actor = parse::actor(&call)?;
    let text = parse::manuscript(request.content).await?;
    let source = text.source.clone();
    let step = Step::Create {
        id: parse::fresh_id(&*desk.clock)?,
        text,
        note: request.note,
    };
    let (draft, version) = take(desk, step, actor, repeat, &request_id).await?;
    let draft = Some(draft_of(&draft, version, Some(source)));
    Ok(Response::new(pb::CreateDraftResponse { draft }))
}

pub(super) async fn get_draft(
    desk: &Desk,
    request: Request<pb::GetDraftRequest>,
) -> Result<Response<pb::GetDraftResponse>, Status> {
    let (call, request) = accept(request)?;
    let id = parse::draft("name", &request.name)?;
    let (draft, source) = own(desk, &call, &id).await?;
    let version = number(desk, &draft).await?;
    let draft = Some(draft_of(&draft, version, Some(source)));
    Ok(Response::new(pb::GetDraftResponse { draft }))
}

pub(super) async fn list_drafts(
    desk: &Desk,
    request: Request<pb::ListDraftsRequest>,
) -> Result<Response<pb::ListDraftsResponse>, Status> {
    let (call, request) = accept(request)?;
    let Actor { department, .. } = parse::actor(&call)?;
    let query = ["ListDrafts", department.as_str()];
    let page = pages::page(request.page_size, &request.page_token, &query)?;
    let size = page.size.min(MOST);
    let after = page.after.as_deref().map(key).transpose()?;
    let mut tx = desk
        .database
        .read()
        .await
        .map_err(|error| status::store(&error))?;
    // One more than the page tells whether there is a next one.
    let found = rows::list(&mut tx, &department, after.as_ref(), size + 1).await;
    let mut drafts = found.map_err(|error| status::store(&error))?;
    let lines = policy::lines(&mut tx, drafts.iter().map(|draft| &draft.policy)).await;
    let lines = lines.map_err(|error| status::store(&error))?;
    let more = drafts.len() > size;
    drafts.truncate(size);
    let next = drafts.last().filter(|_| more).map(|last| {
        let key = format!("{}:{}", last.created_at.micros(), last.id);
        pages::next_token(&query, &key)
    });
    let version = |draft: &Draft| draft.number(lines.get(&draft.policy));
    Ok(Response::new(pb::ListDraftsResponse {
        drafts: drafts
            .iter()
            .map(|draft| draft_of(draft, version(draft), None))
            .collect(),
        next_page_token: next.unwrap_or_default(),
    }))
}

pub(super) async fn update_draft(
    desk: &Desk,
    request: Request<pb::UpdateDraftRequest>,
) -> Result<Response<pb::UpdateDraftResponse>, Status> {
    let (call, mut request) = accept(request)?;
    let request_id = std::mem::take(&mut request.request_id);
    let repeat = parse::repeat(&call, "UpdateDraft", &request_id, &request);
    let actor = parse::actor(&call)?;
    let text = parse::manuscript(request.content).await?;
    let source = text.source.clone();
    let step = Step::Update {
        seen: parse::seen("name", &request.name, request.etag)?,
        text,
        note: (!request.note.is_empty()).then_some(request.note),
    };
    let (draft, version) = take(desk, step, actor, repeat, &request_id).await?;
    let draft = Some(draft_of(&draft, version, Some(source)));
    Ok(Response::new(pb::UpdateDraftResponse { draft }))
}

pub(super) async fn approve_draft(
    desk: &Desk,
    request: Request<pb::ApproveDraftRequest>,
) -> Result<Response<pb::ApproveDraftResponse>, Status> {
    let (call, mut request) = accept(request)?;
    let request_id = std::mem::take(&mut request.request_id);
    let repeat = parse::repeat(&call, "ApproveDraft", &request_id, &request);
    let step = Step::Approve(parse::seen("name", &request.name, request.etag)?);
    let actor = parse::actor(&call)?;
    let (draft, version) = take(desk, step, actor, repeat, &request_id).await?;
    let source = text_of(desk, &draft).await?;
    let draft = Some(draft_of(&draft, version, source));
    Ok(Response::new(pb::ApproveDraftResponse { draft }))
}

pub(super) async fn withdraw_draft(
    desk: &Desk,
    request: Request<pb::WithdrawDraftRequest>,
) -> Result<Response<pb::WithdrawDraftResponse>, Status> {
    let (call, mut request) = accept(request)?;
    let request_id = std::mem::take(&mut request.request_id);
    let repeat = parse::repeat(&call, "WithdrawDraft", &request_id, &request);
    let step = Step::Withdraw(parse::seen("name", &request.name, request.etag)?);
    let actor = parse::actor(&call)?;
    let (draft, version) = take(desk, step, actor, repeat, &request_id).await?;
    let source = text_of(desk, &draft).await?;
    let draft = Some(draft_of(&draft, version, source));
    Ok(Response::new(pb::WithdrawDraftResponse { draft }))
}

/// Takes one step with a draft.
async fn take(
    desk: &Desk,
    step: Step,
    actor: Actor,
    request: Option<Repeat>,
    request_id: &str,
) -> Result<(Draft, u32), Status> {
    let step = Box::new(step);
    let command = Command::Step { step, actor, request };
    let committed = desk.writer.submit(command).await;
    match committed
        .map_err(|error| refused::submitted(error, request_id))?
        .answer
    {
        Answer::Draft { draft, version } => Ok((*draft, version)),
        Answer::Seeded | Answer::Version(_) => Err(refused::mixed_up()),
    }
}

/// `drafts/{draft}`
pub(super) fn draft_id(field: &str, raw: &str) -> Result<Code, Status> {
    parse::draft(field, raw)
}

/// `policies/{policy}/versions/{version}`
pub(super) fn version_name(field: &str, raw: &str) -> Result<(Code, u32), Status> {
    parse::version(field, raw)
}

pub(super) fn state_refused(state: DraftState, needed: DraftState) -> Status {
    refused::refused(&Refusal::State { state, needed })
}

pub(super) fn version_unknown(version: u32) -> Status {
    refused::refused(&Refusal::VersionUnknown { version })
}

/// A draft of the caller's department, with its text.
pub(super) async fn own(desk: &Desk, call: &Call, id: &Code) -> Result<(Draft, String), Status> {
    let Actor { department, .. } = parse::actor(call)?;
    let found = async {
        let mut tx = desk.database.read().await?;
        rows::find(&mut tx, id).await
    };
    match found.await.map_err(|error| status::store(&error))? {
        Some(found) if found.0.department == department => Ok(found),
        other => Err(refused::draft_unknown(other.is_some())),
    }
}

/// The text of a draft of the caller's department, by its name.
pub(super) async fn drafted(desk: &Desk, call: &Call, field: &str, name: &str) -> Result<Document, Status> {
    let id = parse::draft(field, name)?;
    let (draft, text) = own(desk, call, &id).await?;
    let name = draft.policy.to_string();
    Ok(Document { name, text })
}

/// The text that the answer speaks of; `None`: it was written anew since, as after a repeated request.
async fn text_of(desk: &Desk, draft: &Draft) -> Result<Option<String>, Status> {
    let found = async {
        let mut tx = desk.database.read().await?;
        rows::find(&mut tx, &draft.id).await
    };
    let found = found.await.map_err(|error| status::store(&error))?;
    let same = found.filter(|(now, _)| now.source_hash == draft.source_hash);
    Ok(same.map(|(_, source)| source))
}

/// The number of the version that a draft is or will be.
async fn number(desk: &Desk, draft: &Draft) -> Result<u32, Status> {
    let lines = async {
        let mut tx = desk.database.read().await?;
        policy::lines(&mut tx, [&draft.policy]).await
    };
    let lines = lines.await.map_err(|error| status::store(&error))?;
    Ok(draft.number(lines.get(&draft.policy)))
}

fn draft_of(draft: &Draft, version: u32, source: Option<String>) -> pb::Draft {
    let state = match draft.state {
        DraftState::Draft => pb::DraftState::Draft,
        DraftState::Validated => pb::DraftState::Validated,
        DraftState::Approved => pb::DraftState::Approved,
        DraftState::Published => pb::DraftState::Published,
        DraftState::Withdrawn => pb::DraftState::Withdrawn,
    };
    let published = draft.published;
    pb::Draft {
        name: format!("drafts/{}", draft.id),
        policy: format!("policies/{}", draft.policy),
        version,
        department: draft.department.to_string(),
        state: state.into(),
        author: draft.author.to_string(),
        approver: draft
            .approver
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        note: draft.note.clone(),
        source: source.unwrap_or_default(),
        etag: draft.etag.to_string(),
        create_time: Some(wire::to_instant(draft.created_at)),
        update_time: Some(wire::to_instant(draft.updated_at)),
        source_hash: draft.source_hash.clone(),
        published_version: published.map_or_else(String::new, |version| {
            format!("policies/{}/versions/{version}", draft.policy)
        }),
    }
}

/// `{created_at}:{id}`
fn key(raw: &str) -> Result<(Timestamp, Code), Status> {
    let parsed = raw.split_once(':').and_then(|(at, id)| {
        let at = Timestamp::from_micros(at.parse().ok()?);
        Some((at, Code::parse(id).ok()?))
    });
    parsed.ok_or_else(status::page_token_invalid)
}
