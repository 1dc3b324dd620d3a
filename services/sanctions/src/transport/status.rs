//! Why a call has no answer, as the contract says it. No `_` arm: a new variant must choose its code here.

use greenstar_feed::FeedError;
use greenstar_kernel::{Log, Said};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_rpc::{hidden, status, stored};

use greenstar_store::SubmitError;
pub(super) use stored::store;
use tonic::{Code, Status};

use crate::domain::flag::FlagState;
use crate::domain::refusal::Refusal;

/// For the handler's own task.
pub(super) fn refused(refusal: &Refusal) -> Status {
    use ErrorReason as R;
    let (code, reason, metadata) = match refusal {
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
        Refusal::FlagExists { flag } => (
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
    };
    let status = status(code, reason, &refusal.said(), &metadata);
    if matches!(refusal, Refusal::FlagHidden { .. }) {
        hidden(R::DepartmentNotAllowed, status)
    } else {
        status
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
