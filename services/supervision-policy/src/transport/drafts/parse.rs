//! Requests in the domain's words.

use greenstar_kernel::{Caller, Clock, Code, LocalizedText, Timestamp};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::supervision::v1 as pb;
use greenstar_rpc::{Call, field, names};
use greenstar_store::{Request, StoreError};
use prost::Message;
use tonic::Status;

use super::super::{content, convert, policies, status};
use super::refused;
use crate::domain::draft::{Actor, Manuscript, Seen};
use crate::domain::policy::Head;
use crate::follow::wire;

/// The officer who calls. The access rules let nobody else in; a bare handler says so too.
pub(super) fn actor(call: &Call) -> Result<Actor, Status> {
    match &call.caller {
        Caller::Department {
            department, officer, ..
        } => Ok(Actor {
            department: department.clone(),
            officer: officer.clone(),
        }),
        Caller::Enterprise(_) | Caller::Public => Err(refused::officers_only()),
    }
}

/// The caller's request id, bound to everything else that the request says.
pub(super) fn repeat(call: &Call, method: &str, request_id: &str, rest: &impl Message) -> Option<Request> {
    (!request_id.is_empty())
        .then(|| Request::new(call.caller.principal(), method, request_id, &rest.encode_to_vec()))
}

/// Rising with time, so that the newest draft has the greatest.
pub(super) fn fresh_id(clock: &dyn Clock) -> Result<Code, Status> {
    let micros = u64::try_from(clock.now().micros()).unwrap_or(0);
    let nanos = u32::try_from(micros % 1_000_000 * 1000).unwrap_or(0);
    let time = uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos);
    let id = uuid::Uuid::new_v7(time).to_string();
    Code::parse(&id).map_err(|error| status::store(&StoreError::corrupt(error)))
}

/// A policy of which at least the head can be read.
pub(super) async fn manuscript(content: Option<pb::PolicyContent>) -> Result<Manuscript, Status> {
    // A workbook may take a while to be looked through.
    let read = tokio::task::spawn_blocking(move || content::of(content));
    let document = read.await.map_err(|error| status::damaged(&error))??.document;
    let head = Head::read(&document).map_err(|errors| policies::faults(&errors))?;
    Ok(Manuscript {
        policy: head.policy,
        department: head.department,
        hash: convert::sha256(&document.text),
        source: document.text,
    })
}

pub(super) fn seen(field: &str, name: &str, etag: String) -> Result<Seen, Status> {
    let id = draft(field, name)?;
    Ok(Seen { id, etag })
}

/// `drafts/{draft}`
pub(super) fn draft(field: &str, raw: &str) -> Result<Code, Status> {
    let id = names::single(field, raw, "drafts")?;
    Code::parse(id).map_err(|_| names::malformed(field, raw, "drafts/{draft}"))
}

/// `policies/{policy}`
pub(super) fn policy(field: &str, raw: &str) -> Result<Code, Status> {
    let name = names::single(field, raw, "policies")?;
    Code::parse(name).map_err(|_| names::malformed(field, raw, "policies/{policy}"))
}

/// `policies/{policy}/versions/{version}`
pub(super) fn version(field: &str, raw: &str) -> Result<(Code, u32), Status> {
    let (name, version) = names::nested(field, raw, "policies", "versions")?;
    match (Code::parse(name), version.parse()) {
        (Ok(name), Ok(version)) => Ok((name, version)),
        (Err(_), _) | (_, Err(_)) => Err(names::malformed(
            field,
            raw,
            "policies/{policy}/versions/{version}",
        )),
    }
}

/// An instant as protobuf means it.
pub(super) fn instant(name: &str, raw: Option<pbjson_types::Timestamp>) -> Result<Option<Timestamp>, Status> {
    let Some(raw) = raw else { return Ok(None) };
    // 0001-01-01 to 9999-12-31.
    let fits =
        (-62_135_596_800..=253_402_300_799).contains(&raw.seconds) && (0..=999_999_999).contains(&raw.nanos);
    if fits {
        return Ok(Some(wire::instant(&raw)));
    }
    let said = LocalizedText::new(
        "时间无效，请按 RFC 3339 填写",
        "this is no instant; write it as RFC 3339 says",
    );
    Err(field(name, ErrorReason::FieldInvalid, &said, &[]))
}
