//! Why a call has no answer, as the contract says it. No `_` arm: a new variant must choose its code here.

use greenstar_feed::FeedError;
use greenstar_kernel::{Code as Name, Log, Said, Uscc};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_rpc::{status, stored};

use greenstar_store::SubmitError;
pub(super) use stored::store;
use tonic::{Code, Status};

use super::convert::scheme_name;
use crate::domain::assistance::AssistanceRefusal;
use crate::domain::error::{Refusal, RoundRefusal};
use crate::domain::round::MAX_ENROLLED;
use crate::domain::scheme::{SchemeFault, SchemeFaults, SchemeProblem};
use crate::domain::score::GrantError;

pub(super) fn refused(refusal: &Refusal) -> Status {
    use Code::{Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied};
    use ErrorReason as R;
    let (code, reason, metadata) = match refusal {
        Refusal::Field { field, .. } => {
            return greenstar_rpc::field(field, R::FieldInvalid, &refusal.said(), &[]);
        }
        Refusal::EnterpriseUnknown(_) => (NotFound, R::EnterpriseUnknown, vec![]),
        Refusal::EnterpriseExists(_) => (AlreadyExists, R::EnterpriseExists, vec![]),
        Refusal::EtagMismatch { current } | Refusal::EtagMissing { current } => {
            (Aborted, R::EtagMismatch, vec![("etag", current.clone())])
        }
        Refusal::SchemeUnknown(name) => (NotFound, R::SchemeUnknown, vec![("scheme", name.clone())]),
        Refusal::Scheme(faults) => return scheme_faults(faults),
        Refusal::SchemeActive(key) => (
            FailedPrecondition,
            R::SchemeActive,
            vec![("scheme", scheme_name(key))],
        ),
        Refusal::SchemeNotInForce { in_force } => (
            FailedPrecondition,
            R::SchemeNotInForce,
            vec![("in_force", scheme_name(in_force))],
        ),
        Refusal::ActivationTime { earliest } => (
            InvalidArgument,
            R::ActivationTimeInvalid,
            vec![("earliest", earliest.to_string())],
        ),
        Refusal::SchemeExists(_) => (AlreadyExists, R::SchemeExists, vec![]),
        Refusal::RoundUnknown(name) => (NotFound, R::RoundUnknown, vec![("round", name.clone())]),
        Refusal::RoundExists(_) => (AlreadyExists, R::RoundExists, vec![]),
        Refusal::RoundState { state, needed } => {
            let metadata = vec![
                ("state", state.as_str().to_owned()),
                ("needed", (*needed).to_owned()),
            ];
            (FailedPrecondition, R::RoundState, metadata)
        }
        Refusal::RoundTooLarge { enrolled } => {
            let metadata = vec![
                ("limit", MAX_ENROLLED.to_string()),
                ("enrolled", enrolled.to_string()),
            ];
            (FailedPrecondition, R::RoundTooLarge, metadata)
        }
        Refusal::NotEnrolled(_) => (NotFound, R::NotEnrolled, vec![]),
        Refusal::NotClaimed(item)
        | Refusal::ItemTwice(item)
        | Refusal::Grant(GrantError::ItemUnknown(item)) => {
            (InvalidArgument, R::ItemUnknown, vec![("item", item.to_string())])
        }
        Refusal::Grant(GrantError::Points { max, .. }) => {
            let metadata = vec![
                ("field", "points".to_owned()),
                ("minimum", "0".to_owned()),
                ("maximum", max.to_string()),
            ];
            (InvalidArgument, R::PointsInvalid, metadata)
        }
        Refusal::Grant(GrantError::Tier { item, allowed }) => {
            let metadata = vec![("item", item.to_string()), ("allowed", list(allowed))];
            (InvalidArgument, R::TierUnknown, metadata)
        }
        Refusal::EvidenceNotAccepted { evidence, allowed } => {
            let metadata = vec![("evidence", evidence.to_string()), ("allowed", list(allowed))];
            (InvalidArgument, R::EvidenceNotAccepted, metadata)
        }
        Refusal::KindUnknown { kind, known } => {
            let metadata = vec![("kind", kind.to_string()), ("known", list(known))];
            (InvalidArgument, R::EventKindUnknown, metadata)
        }
        Refusal::EventUnknown => (NotFound, R::EventUnknown, vec![]),
        Refusal::EventExists { event } => (AlreadyExists, R::EventExists, vec![("event", event.to_string())]),
        Refusal::NotRepairable(kind) => (
            FailedPrecondition,
            R::NotRepairable,
            vec![("kind", kind.to_string())],
        ),
        Refusal::RepairByDocument { flag } => (
            FailedPrecondition,
            R::RepairByDocument,
            vec![("flag", flag.clone())],
        ),
        Refusal::RepairTooEarly { earliest } => (
            FailedPrecondition,
            R::RepairTooEarly,
            vec![("earliest", earliest.to_string())],
        ),
        Refusal::NotTheRecognisingBody(department) => (
            PermissionDenied,
            R::NotTheRecognisingBody,
            vec![("department", department.to_string())],
        ),
        Refusal::EventEnded => (FailedPrecondition, R::EventEnded, vec![]),
        Refusal::SiteUnknown { site, known } => {
            let metadata = vec![("site", site.clone()), ("known", known.join(","))];
            (InvalidArgument, R::SiteUnknown, metadata)
        }
        Refusal::NoticeUnknown => (NotFound, R::NoticeUnknown, vec![]),
        Refusal::SuspensionState { suspended } => {
            let state = if *suspended { "SUSPENDED" } else { "NOT_SUSPENDED" };
            let metadata = vec![("state", state.to_owned())];
            (FailedPrecondition, R::SuspensionState, metadata)
        }
        Refusal::SnapshotExists(id) => (
            AlreadyExists,
            R::SnapshotExists,
            vec![("snapshot", format!("snapshots/{id}"))],
        ),
        Refusal::SnapshotUnknown(name) => (NotFound, R::SnapshotUnknown, vec![("snapshot", name.clone())]),
        Refusal::SourceUnknown(name) => (InvalidArgument, R::SourceUnknown, vec![("source", name.clone())]),
        Refusal::DatumUnknown(datum) => (InvalidArgument, R::DatumUnknown, vec![("datum", datum.clone())]),
        Refusal::DataErrorExists(id) => (
            AlreadyExists,
            R::DataErrorExists,
            vec![("data_error", id.to_string())],
        ),
        Refusal::DataErrorUnknown => (NotFound, R::DataErrorUnknown, vec![]),
        Refusal::DataErrorState(state) => (
            FailedPrecondition,
            R::DataErrorState,
            vec![("state", state.as_str().to_owned())],
        ),
        Refusal::Instant { field } => {
            return greenstar_rpc::field(field, R::InstantInvalid, &refusal.said(), &[]);
        }
        Refusal::AssessmentUnknown(_) => (NotFound, R::AssessmentUnknown, vec![]),
        Refusal::SameOfficer(officer) => (
            PermissionDenied,
            R::SameOfficer,
            vec![("officer", officer.to_string())],
        ),
        Refusal::NotYours => (PermissionDenied, R::NotYourEnterprise, vec![]),
        Refusal::Assistance(refusal) => return assistance(refusal),
        Refusal::DateInFuture { field } | Refusal::DateInPast { field } => {
            return greenstar_rpc::field(field, R::DateInvalid, &refusal.said(), &[]);
        }
        Refusal::Round(refusal) => round(refusal),
        Refusal::Filter { filter, position, .. } => {
            let metadata = vec![("filter", filter.clone()), ("position", position.to_string())];
            (InvalidArgument, R::FilterInvalid, metadata)
        }
    };
    status(code, reason, &refusal.said(), &metadata)
}

fn assistance(refusal: &AssistanceRefusal) -> Status {
    use AssistanceRefusal as A;
    use Code::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound};
    use ErrorReason as R;
    let said = refusal.said();
    let (code, reason, metadata) = match refusal {
        A::CohortUnknown(_) => (NotFound, R::CohortUnknown, vec![]),
        A::CohortExists(_) => (AlreadyExists, R::CohortExists, vec![]),
        A::CohortEmpty => (FailedPrecondition, R::CohortEmpty, vec![]),
        A::NotInCohort(uscc) => (
            FailedPrecondition,
            R::NotInCohort,
            vec![("enterprise", uscc.as_str().to_owned())],
        ),
        A::FindingUnknown(_) => (NotFound, R::FindingUnknown, vec![]),
        A::RequestUnknown => (NotFound, R::HelpRequestUnknown, vec![]),
        A::RequestAnswered => (FailedPrecondition, R::HelpRequestAnswered, vec![]),
        A::RulesUnknown(_) => (NotFound, R::ServiceRulesUnknown, vec![]),
        A::RulesUnreadable { place, .. } => (
            InvalidArgument,
            R::ServiceRulesInvalid,
            vec![("place", place.clone())],
        ),
        A::RulesTable(errors) => {
            let place = errors
                .0
                .first()
                .map(|error| error.place.to_string())
                .unwrap_or_default();
            let places: Vec<_> = errors
                .0
                .iter()
                .take(10)
                .map(|error| (error.place.to_string(), R::ServiceRulesInvalid, error.said()))
                .collect();
            return greenstar_rpc::fields(R::ServiceRulesInvalid, &said, &[("place", place)], &places);
        }
        A::TermUnknown { list, .. } => return greenstar_rpc::field(list, R::FieldInvalid, &said, &[]),
        A::PlanUnknown => (NotFound, R::PlanUnknown, vec![]),
        A::PlanState { state, needed } => {
            let metadata = vec![
                ("state", state.as_str().to_owned()),
                ("needed", (*needed).to_owned()),
            ];
            (FailedPrecondition, R::PlanState, metadata)
        }
        A::PlanExists(id) => (FailedPrecondition, R::PlanExists, vec![("plan", id.to_string())]),
        A::MeasureUnknown => (NotFound, R::PlanMeasureUnknown, vec![]),
        A::MeasureState { state, needed } => {
            let metadata = vec![
                ("state", state.as_str().to_owned()),
                ("needed", needed.as_str().to_owned()),
            ];
            (FailedPrecondition, R::PlanMeasureState, metadata)
        }
        A::MeasuresOpen(open) => (
            FailedPrecondition,
            R::PlanMeasuresOpen,
            vec![("measures", list(open))],
        ),
    };
    status(code, reason, &said, &metadata)
}

/// Of a step of a round, or of an objection.
fn round(refusal: &RoundRefusal) -> (Code, ErrorReason, Vec<(&'static str, String)>) {
    use Code::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied};
    use ErrorReason as R;
    use RoundRefusal as No;
    let enterprise = |uscc: &Uscc| ("enterprise", format!("enterprises/{uscc}"));
    match refusal {
        No::StepNotAsked => (FailedPrecondition, R::StepNotAsked, vec![]),
        No::TooEarly { earliest } => (
            FailedPrecondition,
            R::StepTooEarly,
            vec![("earliest", earliest.to_string())],
        ),
        No::DeadlinePassed { deadline } => (
            FailedPrecondition,
            R::DeadlinePassed,
            vec![("deadline", deadline.to_string())],
        ),
        No::NotDeclared(uscc) => (FailedPrecondition, R::NotDeclared, vec![enterprise(uscc)]),
        No::NotVerified(item) => (
            FailedPrecondition,
            R::NotVerified,
            vec![("item", item.to_string())],
        ),
        No::VerificationOpen { uscc, items } => {
            let metadata = vec![enterprise(uscc), ("items", items.to_string())];
            (FailedPrecondition, R::VerificationOpen, metadata)
        }
        No::EvidenceTooWeak { item, most } => {
            let metadata = vec![("item", item.to_string()), ("maximum", most.to_string())];
            (InvalidArgument, R::EvidenceTooWeak, metadata)
        }
        No::EnrolledElsewhere { uscc, round } => {
            let metadata = vec![enterprise(uscc), ("round", format!("rounds/{round}"))];
            (FailedPrecondition, R::EnrolledElsewhere, metadata)
        }
        No::NoticesMissing => (FailedPrecondition, R::NoticesMissing, vec![]),
        No::NoticeUnknown(uscc) => (NotFound, R::RoundNoticeUnknown, vec![enterprise(uscc)]),
        No::CommentOpen { until } => (
            FailedPrecondition,
            R::CommentOpen,
            vec![("until", until.to_string())],
        ),
        No::CommentsUnanswered(count) => (
            FailedPrecondition,
            R::CommentsUnanswered,
            vec![("comments", count.to_string())],
        ),
        No::CommentUnknown => (NotFound, R::CommentUnknown, vec![]),
        No::NotAMember => (PermissionDenied, R::NotAMember, vec![]),
        No::Recused { officer, uscc } => {
            let metadata = vec![("officer", officer.to_string()), enterprise(uscc)];
            (PermissionDenied, R::Recused, metadata)
        }
        No::VoteCannotRaise { uscc } => (InvalidArgument, R::VoteCannotRaise, vec![enterprise(uscc)]),
        No::QuorumMissing { uscc, votes, quorum } => {
            let metadata = vec![
                enterprise(uscc),
                ("votes", votes.to_string()),
                ("quorum", quorum.to_string()),
            ];
            (FailedPrecondition, R::QuorumMissing, metadata)
        }
        No::ApprovalMissing => (FailedPrecondition, R::ApprovalMissing, vec![]),
        No::ApprovalExists => (AlreadyExists, R::ApprovalExists, vec![]),
        No::ObjectionUnknown => (NotFound, R::ObjectionUnknown, vec![]),
        No::ObjectionExists { objection } => (
            AlreadyExists,
            R::ObjectionExists,
            vec![("objection", objection.to_string())],
        ),
        No::ObjectionDecided => (FailedPrecondition, R::ObjectionDecided, vec![]),
        No::ObjectionByDocument { flag } => (
            FailedPrecondition,
            R::ObjectionByDocument,
            vec![("flag", flag.clone())],
        ),
        No::FindingsIncomplete => (InvalidArgument, R::FindingsIncomplete, vec![]),
        No::VersionUnknown { newest, .. } => (
            NotFound,
            R::RatingVersionUnknown,
            vec![("newest", newest.to_string())],
        ),
    }
}

/// `request_id`: of the request, for its caller.
pub(super) fn submitted(error: SubmitError<Refusal>, request_id: &str) -> Status {
    stored::submitted(error, request_id, refused)
}

pub(super) fn feed(error: &FeedError) -> Status {
    stored::feed(Log::Rating, error)
}

fn list(codes: &[Name]) -> String {
    codes.iter().map(Name::as_str).collect::<Vec<_>>().join(",")
}

/// Details travel in a header: of the texts, so many bytes.
const FAULTS_SAID: usize = 2_500;

/// Which of the reasons a fault of a scheme is.
pub(super) fn fault_reason(fault: &SchemeFault) -> ErrorReason {
    match &fault.problem {
        SchemeProblem::Unreachable { .. } => ErrorReason::SchemeStarUnreachable,
        SchemeProblem::BoughtBack { .. } => ErrorReason::SchemeBonusBuysBack,
        SchemeProblem::Unreadable(_)
        | SchemeProblem::Version
        | SchemeProblem::Duplicate(_)
        | SchemeProblem::Undefined { .. }
        | SchemeProblem::Empty
        | SchemeProblem::Step { .. }
        | SchemeProblem::Range { .. }
        | SchemeProblem::Caps(_)
        | SchemeProblem::CapIdle { .. }
        | SchemeProblem::Mode
        | SchemeProblem::Order(_)
        | SchemeProblem::Easier
        | SchemeProblem::Effect
        | SchemeProblem::Unsupported(_)
        | SchemeProblem::TooFine => ErrorReason::SchemeInvalid,
    }
}

/// All faults at once; the first one names the reason.
fn scheme_faults(faults: &SchemeFaults) -> Status {
    let mut metadata = Vec::new();
    let mut reason = ErrorReason::SchemeInvalid;
    if let Some(first) = faults.0.first() {
        reason = fault_reason(first);
        metadata.push(("place", first.place.clone()));
        if let SchemeProblem::Unreachable { star, .. } | SchemeProblem::BoughtBack { star, .. } =
            &first.problem
        {
            metadata.push(("star", star.to_string()));
        }
        if let SchemeProblem::BoughtBack { example, .. } = &first.problem {
            metadata.push(("counterexample", example.to_string()));
        }
    }
    let mut room = FAULTS_SAID;
    let mut told = Vec::new();
    for fault in &faults.0 {
        let said = fault.said();
        match room.checked_sub(said.zh.len() + said.en.len() + fault.place.len()) {
            Some(left) => room = left,
            None => break,
        }
        told.push(fault.clone());
    }
    let places: Vec<_> = told
        .iter()
        .map(|fault| (fault.place.clone(), fault_reason(fault), fault.said()))
        .collect();
    let said = match SchemeFaults(told.into_iter().take(1).collect()) {
        one if faults.0.len() == 1 => one.said(),
        first => {
            let said = first.said();
            let count = faults.0.len();
            greenstar_kernel::LocalizedText::new(
                format!("共 {count} 处。{}", said.zh),
                format!("{count} faults. {}", said.en),
            )
        }
    };
    greenstar_rpc::fields(reason, &said, &metadata, &places)
}
