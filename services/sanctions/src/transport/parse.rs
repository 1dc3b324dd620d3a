//! Requests in the domain's words.

use greenstar_kernel::{Caller, Code, Date, Document, LocalizedText, Timestamp, Uscc};
use greenstar_proto::common::v1::{self as common, ErrorReason};
use greenstar_proto::sanctions::v1 as pb;
use greenstar_rpc::{Call, field, names, status};
use greenstar_store::Request;
use prost::Message;
use tonic::Status;

use crate::domain::catalogue::Severity;
use crate::domain::flag::{FlagName, FlagState, Identity};
use crate::domain::ledger::{Actor, Proposal};
use crate::domain::viewer::Viewer;

/// `enterprises/-`: of all enterprises.
pub(super) const ALL: &str = "enterprises/-";

/// The officer who calls. The access rules let nobody else in; a bare handler says so too.
pub(super) fn actor(call: &Call) -> Result<Actor, Status> {
    match &call.caller {
        Caller::Department {
            department, officer, ..
        } => Ok(Actor {
            department: department.clone(),
            officer: officer.clone(),
        }),
        Caller::Enterprise(_) | Caller::Public => Err(officers_only()),
    }
}

/// Whoever looks.
pub(super) fn viewer(call: &Call) -> Result<Viewer, Status> {
    match &call.caller {
        Caller::Department { department, .. } => Ok(Viewer::Department(department.clone())),
        Caller::Enterprise(uscc) => Ok(Viewer::Enterprise(*uscc)),
        Caller::Public => Err(officers_only()),
    }
}

fn officers_only() -> Status {
    let said = LocalizedText::new(
        "只有部门工作人员可以办理，请使用部门凭据",
        "only a department's officer may do this: use a department's credential",
    );
    status(
        tonic::Code::PermissionDenied,
        ErrorReason::RoleNotAllowed,
        &said,
        &[("roles", "OFFICER".to_owned())],
    )
}

/// The caller's request id, bound to everything else that the request says.
pub(super) fn request<M: Message>(
    call: &Call,
    method: &str,
    request_id: String,
    rest: &M,
) -> Option<Request> {
    (!request_id.is_empty())
        .then(|| Request::new(call.caller.principal(), method, request_id, &rest.encode_to_vec()))
}

pub(super) fn flag_name(raw: &str) -> Result<FlagName, Status> {
    let (enterprise, id) = names::of_enterprise("name", raw, "flags")?;
    match Code::parse(id) {
        Ok(id) => Ok(FlagName { enterprise, id }),
        Err(_) => Err(names::malformed("name", raw, "enterprises/{uscc}/flags/{flag}")),
    }
}

pub(super) fn proposal(id: Code, request: pb::RaiseFlagRequest) -> Result<Proposal, Status> {
    let enterprise: Uscc = names::enterprise("parent", &request.parent)?;
    let severity = severity(request.severity());
    let document = document(request.document.unwrap_or_default())?;
    let kind = Code::parse(request.kind.trim()).map_err(|_| {
        let said = LocalizedText::new(
            "目录中没有这个失信标记种类，请查阅目录",
            "the catalogue has no such kind of flag: see the catalogue",
        );
        field(
            "kind",
            ErrorReason::FlagKindUnknown,
            &said,
            &[("kind", request.kind.clone())],
        )
    })?;
    let scope = match request.scope.trim() {
        "" => None,
        scope => Some(Code::parse(scope).map_err(|_| {
            let said = LocalizedText::new("范围无效，请查阅目录", "the scope is no code: see the catalogue");
            field(
                "scope",
                ErrorReason::ScopeInvalid,
                &said,
                &[("kind", request.kind.clone())],
            )
        })?),
    };
    let site = match request.site {
        site if site.is_empty() => None,
        site => Some(site.try_into().map_err(|_| {
            let said = LocalizedText::new("厂区编号应为 001 至 999", "a site is written 001 to 999");
            field("site", ErrorReason::FieldInvalid, &said, &[])
        })?),
    };
    let identity = Identity {
        enterprise,
        document,
        site,
        kind,
        scope,
    };
    Ok(Proposal {
        id,
        identity,
        severity,
        reason: request.reason,
    })
}

/// A text without the blanks around it; one of blanks only says nothing.
pub(super) fn filled(name: &str, value: &str) -> Result<String, Status> {
    match value.trim() {
        "" => {
            let said = LocalizedText::new("不得为空白，请填写", "must not be blank: fill it in");
            Err(field(name, ErrorReason::FieldInvalid, &said, &[]))
        }
        value => Ok(value.to_owned()),
    }
}

fn document(raw: common::Document) -> Result<Document, Status> {
    let issuer = filled("document.issuer", &raw.issuer)?;
    let number = filled("document.number", &raw.number)?;
    Ok(Document::typed(
        &issuer,
        &number,
        date("document.date", &raw.date)?,
    ))
}

fn date(name: &str, raw: &str) -> Result<Date, Status> {
    raw.parse().map_err(|_| {
        let said = LocalizedText::new(
            "日期应为实际存在的“年-月-日”，例如 2026-03-12",
            "a date is an existing day written YYYY-MM-DD, e.g. 2026-03-12",
        );
        field(name, ErrorReason::DateInvalid, &said, &[])
    })
}

fn severity(raw: common::Severity) -> Option<Severity> {
    match raw {
        common::Severity::Unspecified => None,
        common::Severity::Minor => Some(Severity::Minor),
        common::Severity::Ordinary => Some(Severity::Ordinary),
        common::Severity::Serious => Some(Severity::Serious),
    }
}

pub(super) fn state(raw: pb::FlagState) -> Option<FlagState> {
    match raw {
        pb::FlagState::Unspecified
        | pb::FlagState::Repaired
        | pb::FlagState::Revoked
        | pb::FlagState::Suspended => None,
        pb::FlagState::Proposed => Some(FlagState::Proposed),
        pb::FlagState::InForce => Some(FlagState::InForce),
        pb::FlagState::Lifted => Some(FlagState::Lifted),
        pb::FlagState::Lapsed => Some(FlagState::Lapsed),
    }
}

/// The key of a page token: `{micros}:{id}`.
pub(super) fn page_key(raw: &str) -> Result<(Timestamp, Code), Status> {
    let parse = || {
        let (micros, id) = raw.split_once(':')?;
        Some((
            Timestamp::from_micros(micros.parse().ok()?),
            Code::parse(id).ok()?,
        ))
    };
    parse().ok_or_else(|| {
        let said = LocalizedText::new(
            "page_token 无效：请从第一页重新开始",
            "the page token is not one of ours: start at the first page",
        );
        status(
            tonic::Code::InvalidArgument,
            ErrorReason::PageTokenInvalid,
            &said,
            &[],
        )
    })
}
