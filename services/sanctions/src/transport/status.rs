//! Why a call has no answer, as the contract says it. No `_` arm: a new variant must choose its code here.

use greenstar_feed::FeedError;
use greenstar_kernel::{LocalizedText, Said};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_rpc::{fault, status};
use greenstar_store::{StoreError, SubmitError};
use tonic::{Code, Status};

use crate::domain::flag::FlagState;
use crate::domain::refusal::Refusal;

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
        Refusal::FlagExists { flag } => {
            let metadata = flag.iter().map(|flag| ("flag", flag.to_string())).collect();
            (Code::AlreadyExists, R::FlagExists, metadata)
        }
        Refusal::FlagUnknown { flag } => (Code::NotFound, R::FlagUnknown, vec![("flag", flag.to_string())]),
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
    status(code, reason, &refusal.said(), &metadata)
}

/// `request_id`: of the request, for its caller.
pub(super) fn submit(error: SubmitError<Refusal>, request_id: &str) -> Status {
    match error {
        SubmitError::Refused(refusal) => refused(&refusal),
        SubmitError::RequestIdReused => {
            let said = LocalizedText::new(
                "同一 request_id 已用于内容不同的请求，先前那次仍然有效：新业务请换用新的 request_id",
                "this request_id came before with another body, which stands: use a new id for a new act",
            );
            let metadata = [("request_id", request_id.to_owned())];
            status(
                Code::AlreadyExists,
                ErrorReason::RequestIdReused,
                &said,
                &metadata,
            )
        }
        SubmitError::Closed => {
            let said = LocalizedText::new(
                "服务正在停止，没有作出任何更改：请稍后重试",
                "the service is stopping and nothing was changed: try again",
            );
            status(Code::Unavailable, ErrorReason::NotReady, &said, &[])
        }
        SubmitError::Store(error) => store(&error),
    }
}

pub(super) fn store(error: &StoreError) -> Status {
    let (code, reason) = match error {
        StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_) => {
            (Code::Unavailable, ErrorReason::StoreUnavailable)
        }
        StoreError::Full(_) => (Code::ResourceExhausted, ErrorReason::StoreFull),
        StoreError::Corrupt(_) => (Code::DataLoss, ErrorReason::StoreCorrupt),
        StoreError::Constraint { .. } | StoreError::Backend(_) => (Code::Internal, ErrorReason::Internal),
    };
    fault(code, reason, &error.said(), error)
}

pub(super) fn feed(error: &FeedError) -> Status {
    let (code, reason, metadata) = match error {
        FeedError::CursorTooOld => (Code::OutOfRange, ErrorReason::CursorTooOld, vec![]),
        FeedError::Foreign => (
            Code::FailedPrecondition,
            ErrorReason::TokenForeign,
            vec![("log", "sanctions".to_owned())],
        ),
        FeedError::Ahead => (
            Code::InvalidArgument,
            ErrorReason::TokenAhead,
            vec![("log", "sanctions".to_owned())],
        ),
        FeedError::CutOff { cursor } => {
            let metadata = vec![("cursor", cursor.revision.to_string())];
            (Code::ResourceExhausted, ErrorReason::WatchCutOff, metadata)
        }
        FeedError::Malformed(_) => (Code::InvalidArgument, ErrorReason::WatchMalformed, vec![]),
        FeedError::Store(error) => return store(error),
    };
    status(code, reason, &error.said(), &metadata)
}

fn list<T: ToString>(items: &[T]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}
