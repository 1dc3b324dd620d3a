//! Requests in the domain's words.

use greenstar_kernel::{Caller, Clock, Code, Date, Document, LocalizedText, Timestamp, Uscc, Verdict};
use greenstar_proto::common::v1::{self as common, ErrorReason};
use greenstar_proto::sanctions::v1 as pb;
use greenstar_rpc::{Call, field, names, status, stored};
use greenstar_store::{Request, StoreError};
use prost::Message;
use tonic::Status;

use crate::domain::catalogue::Severity;
use crate::domain::evidence::{Evidence, Penalty};
use crate::domain::flag::{FlagName, Identity};
use crate::domain::ledger::{Actor, Proposal};
use crate::domain::stage::FlagState;
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

/// The enterprise of a flag that is to be. A code whose check character fails is taken only where the officer says that it is
/// so on the licence: a flag on a code that nobody has leaves the firm that was meant clear everywhere.
pub(super) fn flaggable(name: &str, raw: &str, accepted: bool) -> Result<Uscc, Status> {
    let enterprise = names::enterprise(name, raw)?;
    match enterprise.verdict() {
        Verdict::Valid | Verdict::UnknownArea => Ok(enterprise),
        Verdict::CheckFailedOrgOk if accepted => Ok(enterprise),
        Verdict::CheckFailedOrgOk => {
            let said = LocalizedText::new(
                "统一社会信用代码末位校验不通过，请与营业执照核对；确认无误的，请注明 accept_failed_check",
                "the enterprise code's check character does not match: compare it with the licence, and if it is so there, set accept_failed_check",
            );
            let value = ("value", raw.to_owned());
            Err(field(name, ErrorReason::UsccMalformed, &said, &[value]))
        }
    }
}

pub(super) fn proposal(id: Code, request: pb::RaiseFlagRequest) -> Result<Proposal, Status> {
    let enterprise = flaggable("parent", &request.parent, request.accept_failed_check)?;
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
        penalties: penalties(request.penalties)?,
        evidence: evidence(request.evidence)?,
        reason: request.reason,
    })
}

fn penalties(raw: Vec<pb::Penalty>) -> Result<Vec<Penalty>, Status> {
    let mut penalties = Vec::new();
    for (at, penalty) in raw.into_iter().enumerate() {
        let of_type = Code::parse(penalty.r#type.trim()).map_err(|_| {
            let said = LocalizedText::new(
                "目录中没有这个处罚种类，请查阅目录",
                "the catalogue has no such type of penalty: see the catalogue",
            );
            let metadata = [("penalty", penalty.r#type.clone())];
            let place = format!("penalties[{at}].type");
            field(&place, ErrorReason::PenaltyUnknown, &said, &metadata)
        })?;
        let amount = match penalty.amount.trim() {
            "" => None,
            amount => Some(amount.parse().map_err(|_| {
                let said = LocalizedText::new(
                    "金额应以元为单位，最多两位小数，例如 250000.00",
                    "an amount is written in yuan with at most two places, e.g. 250000.00",
                );
                let place = format!("penalties[{at}].amount");
                field(&place, ErrorReason::FieldInvalid, &said, &[])
            })?),
        };
        penalties.push(Penalty { of_type, amount });
    }
    Ok(penalties)
}

pub(super) fn evidence(raw: Vec<pb::EvidenceDocument>) -> Result<Vec<Evidence>, Status> {
    let mut evidence = Vec::new();
    for (at, document) in raw.into_iter().enumerate() {
        evidence.push(Evidence {
            title: filled(&format!("evidence[{at}].title"), &document.title)?,
            sha256: document.sha256.parse().map_err(|_| {
                let said = LocalizedText::new(
                    "SHA-256 应为 64 位十六进制数字，请重新计算文件的哈希值",
                    "a SHA-256 is written with 64 hexadecimal digits: take the file's hash again",
                );
                let place = format!("evidence[{at}].sha256");
                field(&place, ErrorReason::FieldInvalid, &said, &[])
            })?,
            reference: document.reference.trim().to_owned(),
        });
    }
    Ok(evidence)
}

/// For what is made now. Ids grow with time, so that pages of the store stay together.
pub(super) fn fresh_id(clock: &dyn Clock) -> Result<Code, Status> {
    let micros = u64::try_from(clock.now().micros()).unwrap_or(0);
    let nanos = u32::try_from(micros % 1_000_000 * 1000).unwrap_or(0);
    let time = uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos);
    let id = uuid::Uuid::new_v7(time).to_string();
    Code::parse(&id).map_err(|error| stored::store(&StoreError::corrupt(error)))
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

pub(super) fn document(raw: common::Document) -> Result<Document, Status> {
    let issuer = filled("document.issuer", &raw.issuer)?;
    let number = filled("document.number", &raw.number)?;
    Ok(Document::typed(
        &issuer,
        &number,
        date("document.date", &raw.date)?,
    ))
}

pub(super) fn date(name: &str, raw: &str) -> Result<Date, Status> {
    raw.parse().map_err(|_| {
        let said = LocalizedText::new(
            "日期应为实际存在的“年-月-日”，例如 2026-03-12",
            "a date is an existing day written YYYY-MM-DD, e.g. 2026-03-12",
        );
        field(name, ErrorReason::DateInvalid, &said, &[])
    })
}

pub(super) fn severity(raw: common::Severity) -> Option<Severity> {
    match raw {
        common::Severity::Unspecified => None,
        common::Severity::Minor => Some(Severity::Minor),
        common::Severity::Ordinary => Some(Severity::Ordinary),
        common::Severity::Serious => Some(Severity::Serious),
    }
}

pub(super) fn state(raw: pb::FlagState) -> Option<FlagState> {
    match raw {
        pb::FlagState::Unspecified => None,
        pb::FlagState::Proposed => Some(FlagState::Proposed),
        pb::FlagState::InForce => Some(FlagState::InForce),
        pb::FlagState::Lifted => Some(FlagState::Lifted),
        pb::FlagState::Lapsed => Some(FlagState::Lapsed),
        pb::FlagState::Repaired => Some(FlagState::Repaired),
        pb::FlagState::Revoked => Some(FlagState::Revoked),
        pb::FlagState::Suspended => Some(FlagState::Suspended),
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
    parse().ok_or_else(page_token_invalid)
}

pub(super) fn page_token_invalid() -> Status {
    let said = LocalizedText::new(
        "page_token 无效：请从第一页重新开始",
        "the page token is not one of ours: start at the first page",
    );
    let code = tonic::Code::InvalidArgument;
    status(code, ErrorReason::PageTokenInvalid, &said, &[])
}
