//! Why a call has no answer, as the contract says it. No `_` arm: a new variant must choose its code here.

use greenstar_feed::FeedError;
use greenstar_kernel::{Log, Said};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_rpc::{hidden, status, stored};

use greenstar_store::SubmitError;
pub(super) use stored::store;
use tonic::{Code, Status};

use crate::domain::appeal::AppealState;
use crate::domain::refusal::Refusal;
use crate::domain::remedies::{RemedyRefusal, last_day};
use crate::domain::repair::RepairState;
use crate::domain::stage::FlagState;

/// For the handler's own task.
pub(super) fn refused(refusal: &Refusal) -> Status {
    use ErrorReason as R;
    let (code, reason, metadata) = match refusal {
        Refusal::Remedy(refusal) => remedy(refusal),
        Refusal::KindUnknown { kind } => (
            Code::InvalidArgument,
            R::FlagKindUnknown,
            vec![("kind", kind.to_string())],
        ),
        Refusal::KindNotYours { kind, departments } => {
            let metadata = vec![("kind", kind.to_string()), ("departments", list(departments))];
            (Code::PermissionDenied, R::FlagKindNotYours, metadata)
        }
        Refusal::SeverityNotAllowed { kind, allowed } => {
            let allowed: Vec<&str> = allowed.iter().map(|severity| severity.as_str()).collect();
            let metadata = vec![("kind", kind.to_string()), ("allowed", list(&allowed))];
            (Code::InvalidArgument, R::SeverityNotAllowed, metadata)
        }
        Refusal::ScopeInvalid { kind, allowed } => {
            let metadata = vec![("kind", kind.to_string()), ("allowed", list(allowed))];
            (Code::InvalidArgument, R::ScopeInvalid, metadata)
        }
        Refusal::DateInFuture { .. } => (
            Code::InvalidArgument,
            R::DateInvalid,
            vec![("field", "document.date".to_owned())],
        ),
        Refusal::BasisMissing { kind, bases, .. } => {
            let metadata = vec![("kind", kind.to_string()), ("basis", list(bases))];
            (Code::FailedPrecondition, R::BasisMissing, metadata)
        }
        Refusal::TermEnded { end } => (
            Code::FailedPrecondition,
            R::TermEnded,
            vec![("end", end.to_string())],
        ),
        Refusal::FlagExists { flag } | Refusal::Settled { flag } => (
            Code::AlreadyExists,
            R::FlagExists,
            vec![("flag", flag.to_string())],
        ),
        Refusal::FlagUnknown { flag } | Refusal::FlagHidden { flag } => {
            (Code::NotFound, R::FlagUnknown, vec![("flag", flag.to_string())])
        }
        Refusal::FlagState { state, needed } => {
            let needed: Vec<&str> = needed.iter().copied().map(FlagState::as_str).collect();
            let metadata = vec![("state", state.as_str().to_owned()), ("needed", list(&needed))];
            (Code::FailedPrecondition, R::FlagState, metadata)
        }
        Refusal::DepartmentNotAllowed { department } => {
            let metadata = vec![("department", department.to_string())];
            (Code::PermissionDenied, R::DepartmentNotAllowed, metadata)
        }
        Refusal::SameOfficer { officer } => (
            Code::PermissionDenied,
            R::SameOfficer,
            vec![("officer", officer.to_string())],
        ),
        Refusal::PenaltyUnknown { penalty, known } => {
            let metadata = vec![("penalty", penalty.to_string()), ("known", list(known))];
            (Code::InvalidArgument, R::PenaltyUnknown, metadata)
        }
        Refusal::CorrectionInvalid { enterprise } => {
            let metadata = vec![("enterprise", format!("enterprises/{enterprise}"))];
            (Code::InvalidArgument, R::CorrectionInvalid, metadata)
        }
        Refusal::NotRepairable { kind } => (
            Code::FailedPrecondition,
            R::NotRepairable,
            vec![("kind", kind.to_string())],
        ),
        Refusal::EditionExists { edition, newest } => {
            let metadata = vec![("edition", edition.to_string()), ("newest", newest.to_string())];
            (Code::AlreadyExists, R::EditionExists, metadata)
        }
        Refusal::EditionNotAllowed {
            edition,
            effective,
            earliest,
        } => {
            let metadata = vec![
                ("edition", edition.to_string()),
                ("effective", effective.to_string()),
                ("earliest", earliest.to_string()),
            ];
            (Code::FailedPrecondition, R::EditionNotAllowed, metadata)
        }
        Refusal::KindsDropped { edition, kinds } => {
            let metadata = vec![("edition", edition.to_string()), ("kinds", list(kinds))];
            (Code::FailedPrecondition, R::EditionNotAllowed, metadata)
        }
    };
    let status = status(code, reason, &refusal.said(), &metadata);
    let unseen = matches!(
        refusal,
        Refusal::FlagHidden { .. }
            | Refusal::Remedy(
                RemedyRefusal::RepairUnknown { hidden: true, .. }
                    | RemedyRefusal::AppealUnknown { hidden: true, .. }
            )
    );
    if unseen {
        hidden(R::DepartmentNotAllowed, status)
    } else {
        status
    }
}

fn remedy(refusal: &RemedyRefusal) -> (Code, ErrorReason, Vec<(&'static str, String)>) {
    use ErrorReason as R;
    let precondition = |reason, metadata| (Code::FailedPrecondition, reason, metadata);
    let denied = |reason, metadata| (Code::PermissionDenied, reason, metadata);
    let state = |state: &str, needed: &str| vec![("state", state.to_owned()), ("needed", needed.to_owned())];
    match refusal {
        RemedyRefusal::NothingInForce { state } => {
            let metadata = state.map(|state| vec![("state", state.as_str().to_owned())]);
            precondition(R::NothingInForce, metadata.unwrap_or_default())
        }
        RemedyRefusal::NotRepairable { kind, .. } => {
            precondition(R::NotRepairable, vec![("kind", kind.to_string())])
        }
        RemedyRefusal::TooEarly { earliest } => {
            precondition(R::RepairTooEarly, vec![("earliest", earliest.date().to_string())])
        }
        RemedyRefusal::RepairExists { repair, .. } => {
            let metadata = vec![("repair", repair.to_string())];
            (Code::AlreadyExists, R::RepairExists, metadata)
        }
        RemedyRefusal::UnderRepair { repair } => {
            precondition(R::RepairExists, vec![("repair", repair.to_string())])
        }
        RemedyRefusal::UnderAppeal { appeal } => {
            precondition(R::AppealExists, vec![("appeal", appeal.to_string())])
        }
        RemedyRefusal::SeveralBodies { departments } => {
            let metadata = vec![
                ("field", "document".to_owned()),
                ("departments", list(departments)),
            ];
            (Code::InvalidArgument, R::FieldInvalid, metadata)
        }
        RemedyRefusal::RepairUnknown { repair, .. } => {
            let metadata = vec![("repair", repair.to_string())];
            (Code::NotFound, R::RepairUnknown, metadata)
        }
        RemedyRefusal::RepairState { state: found } => {
            let needed = RepairState::Applied.as_str();
            precondition(R::RepairState, state(found.as_str(), needed))
        }
        RemedyRefusal::Condition { condition } => precondition(
            R::RepairCondition,
            vec![("condition", condition.as_str().to_owned())],
        ),
        RemedyRefusal::NotTheRecognisingBody { department } => denied(
            R::NotTheRecognisingBody,
            vec![("department", department.to_string())],
        ),
        RemedyRefusal::ReviewsOwn { officer } | RemedyRefusal::JudgesOwn { officer } => {
            denied(R::SameOfficer, vec![("officer", officer.to_string())])
        }
        RemedyRefusal::AppealExists { appeal, .. } => {
            let metadata = vec![("appeal", appeal.to_string())];
            (Code::AlreadyExists, R::AppealExists, metadata)
        }
        RemedyRefusal::AppealOutOfTime { until } => precondition(
            R::AppealOutOfTime,
            vec![("deadline", last_day(*until).to_string())],
        ),
        RemedyRefusal::AppealUnknown { appeal, .. } => {
            let metadata = vec![("appeal", appeal.to_string())];
            (Code::NotFound, R::AppealUnknown, metadata)
        }
        RemedyRefusal::AppealState { state: found } => {
            let needed = AppealState::Filed.as_str();
            precondition(R::AppealState, state(found.as_str(), needed))
        }
    }
}

/// `request_id`: of the request, for its caller.
pub(super) fn submit(error: SubmitError<Refusal>, request_id: &str) -> Status {
    stored::submitted(error, request_id, refused)
}

pub(super) fn feed(error: &FeedError) -> Status {
    stored::feed(Log::Sanctions, error)
}

fn list<T: ToString>(items: &[T]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}
