//! Why a step is refused, as the contract says it. No `_` arm: a new variant must choose its code here.

use greenstar_kernel::{LocalizedText, Said as _};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_rpc::{field, hidden, status, stored};
use greenstar_store::{StoreError, SubmitError};
use tonic::{Code, Status};

use crate::domain::draft_refusal::Refusal;

pub(super) fn submitted(error: SubmitError<Refusal>, request_id: &str) -> Status {
    stored::submitted(error, request_id, refused)
}

pub(super) fn refused(refusal: &Refusal) -> Status {
    use ErrorReason as R;
    let said = refusal.said();
    let precondition =
        |reason, metadata: &[(&str, String)]| status(Code::FailedPrecondition, reason, &said, metadata);
    match refusal {
        Refusal::DraftUnknown { hidden } => draft_unknown(*hidden),
        Refusal::State { state, needed } => precondition(
            R::DraftState,
            &[
                ("state", state.as_str().to_owned()),
                ("needed", needed.as_str().to_owned()),
            ],
        ),
        Refusal::Closed { state } => precondition(R::DraftState, &[("state", state.as_str().to_owned())]),
        Refusal::EtagMismatch { current } => status(
            Code::Aborted,
            R::EtagMismatch,
            &said,
            &[("etag", current.to_string())],
        ),
        Refusal::NotApproved { state } => {
            precondition(R::DraftNotApproved, &[("state", state.as_str().to_owned())])
        }
        Refusal::SameOfficer { officer } => status(
            Code::PermissionDenied,
            R::SameOfficer,
            &said,
            &[("officer", officer.to_string())],
        ),
        Refusal::OtherPolicy { .. } => field("content", R::FieldInvalid, &said, &[]),
        Refusal::NotYours { department } => status(
            Code::PermissionDenied,
            R::DepartmentNotAllowed,
            &said,
            &[("department", department.to_string())],
        ),
        Refusal::TooSoon { earliest } | Refusal::TooLate { earliest, .. } => field(
            "effective_time",
            R::EffectiveTimeInvalid,
            &said,
            &[("earliest", earliest.to_string())],
        ),
        Refusal::PolicyUnknown { .. } => status(Code::NotFound, R::PolicyUnknown, &said, &[]),
        Refusal::VersionUnknown { .. } => status(Code::NotFound, R::PolicyVersionUnknown, &said, &[]),
        Refusal::NeverInForce { .. } => field("version", R::FieldInvalid, &said, &[]),
        Refusal::VersionMismatch { in_force } => {
            let in_force = in_force.map_or_else(String::new, |version| version.to_string());
            status(
                Code::Aborted,
                R::PolicyVersionMismatch,
                &said,
                &[("in_force", in_force)],
            )
        }
        Refusal::Unchecked { .. } => status(
            Code::Unavailable,
            R::ServiceUnavailable,
            &said,
            &[("service", "supervision-policy".to_owned())],
        ),
    }
}

/// Whether another department has it is nobody else's business; that somebody tried is the log's.
pub(super) fn draft_unknown(is_others: bool) -> Status {
    let said = Refusal::DraftUnknown { hidden: is_others }.said();
    let unknown = status(Code::NotFound, ErrorReason::DraftUnknown, &said, &[]);
    if is_others {
        hidden(ErrorReason::DepartmentNotAllowed, unknown)
    } else {
        unknown
    }
}

pub(super) fn officers_only() -> Status {
    let said = LocalizedText::new(
        "只有部门工作人员可以办理，请使用部门凭据",
        "only a department's officer may do this: use a department's credential",
    );
    status(
        Code::PermissionDenied,
        ErrorReason::RoleNotAllowed,
        &said,
        &[("roles", "OFFICER".to_owned())],
    )
}

/// A step was answered with something else.
pub(super) fn mixed_up() -> Status {
    stored::store(&StoreError::corrupt(
        "a step was answered with another one's answer",
    ))
}
