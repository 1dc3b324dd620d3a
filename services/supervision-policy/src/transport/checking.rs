//! Policies checked, tested and compared; nothing is changed.

use std::sync::Arc;

use greenstar_kernel::{Code as Word, LocalizedText, Said as _, Timestamp};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::policy_content::Form;
use greenstar_proto::supervision::v1::policy_reference::Reference;
use greenstar_rpc::{Call, accept, field};
use tonic::{Request, Response, Status};

use super::content::{self, Content};
use super::desk::Desk;
use super::{drafts, findings, policies, status};
use crate::domain::analysis::diff::{Difference, differences};
use crate::domain::analysis::{Examination, FindingKind, examine};
use crate::domain::catalogue::CatalogueErrors;
use crate::domain::policy::{Document, Policy, PolicyErrors};

/// A text among what is in force.
struct Checked {
    policy: Policy,
    name: Word,
    examination: Examination,
}

/// The policies in force, and the instant of the question.
pub(super) fn in_force(desk: &Desk) -> Result<(Arc<Policy>, Timestamp), Status> {
    let rulings = desk.view.rulings().clone().ok_or_else(status::not_ready)?;
    let now = desk.clock.now();
    let policy = rulings.at(now).policy.clone().ok_or_else(status::not_ready)?;
    Ok((policy, now))
}

/// Compiles and examines; analysing tables may take a while.
async fn check(desk: &Desk, document: Document) -> Result<Result<Checked, PolicyErrors>, Status> {
    let (before, now) = in_force(desk)?;
    let checked = tokio::task::spawn_blocking(move || {
        let policy = before.with(&document)?;
        let name = name_of(&policy, &document)?;
        let examination = examine(&policy, &name, Some(&before), now);
        Ok(Checked {
            policy,
            name,
            examination,
        })
    });
    checked.await.map_err(|error| status::damaged(&error))
}

/// The policy that a document of the bundle is.
pub(super) fn name_of(policy: &Policy, document: &Document) -> Result<Word, PolicyErrors> {
    let info = policy.infos().iter().find(|info| info.source == *document);
    info.map(|info| info.name.clone())
        .ok_or_else(|| PolicyErrors(Vec::new()))
}

pub(super) async fn validate_policy(
    desk: &Desk,
    request: Request<pb::ValidatePolicyRequest>,
) -> Result<Response<pb::ValidatePolicyResponse>, Status> {
    let (_, request) = accept(request)?;
    let form = if request.workbook.is_empty() {
        Form::Source(request.source)
    } else {
        Form::Workbook(request.workbook)
    };
    // What can be read of a bad workbook is looked at as well, so that everything is mended at once.
    let (before, _) = in_force(desk)?;
    let read =
        tokio::task::spawn_blocking(move || content::read(form).map_err(|unread| unread.checked(&before)));
    let read = read.await.map_err(|error| status::damaged(&error))?;
    let Content { document, places } = match read {
        Ok(content) => content,
        Err(unread) if request.report => {
            return Ok(Response::new(pb::ValidatePolicyResponse {
                findings: unread.findings(),
                ..Default::default()
            }));
        }
        Err(unread) => return Err(unread.into()),
    };
    match check(desk, document).await? {
        Ok(Checked {
            policy,
            name,
            examination,
        }) => {
            if !request.report {
                examination
                    .sound(&name)
                    .map_err(|errors| policies::faults_in(&errors, &places))?;
            }
            let info = policy.infos().iter().find(|info| info.name == name);
            let Examination {
                findings: found,
                cases,
                coverage,
            } = &examination;
            Ok(Response::new(pb::ValidatePolicyResponse {
                policy: info.map(|info| policies::policy(info, None)),
                findings: found
                    .iter()
                    .map(|finding| findings::of(finding, &places))
                    .collect(),
                cases: cases.iter().map(findings::case).collect(),
                coverage: Some(findings::coverage(coverage)),
            }))
        }
        Err(PolicyErrors(errors)) if request.report => Ok(Response::new(pb::ValidatePolicyResponse {
            findings: errors
                .iter()
                .map(|error| findings::of_error(error, &places))
                .collect(),
            ..Default::default()
        })),
        Err(errors) => Err(policies::faults_in(&errors, &places)),
    }
}

pub(super) async fn test_policy(
    desk: &Desk,
    request: Request<pb::TestPolicyRequest>,
) -> Result<Response<pb::TestPolicyResponse>, Status> {
    let (_, request) = accept(request)?;
    let Content { document, .. } = content::of(request.content)?;
    let checked = check(desk, document).await?;
    let Checked {
        name,
        mut examination,
        ..
    } = checked.map_err(|errors| policies::faults(&errors))?;
    // A case that fails is an answer here.
    examination
        .findings
        .retain(|finding| finding.kind != FindingKind::CaseFailed);
    examination
        .sound(&name)
        .map_err(|errors| policies::faults(&errors))?;
    let Examination { cases, coverage, .. } = &examination;
    Ok(Response::new(pb::TestPolicyResponse {
        passed: cases.iter().all(|case| case.passed),
        cases: cases.iter().map(findings::case).collect(),
        coverage: Some(findings::coverage(coverage)),
    }))
}

pub(super) async fn diff_policies(
    desk: &Desk,
    request: Request<pb::DiffPoliciesRequest>,
) -> Result<Response<pb::DiffPoliciesResponse>, Status> {
    let (call, request) = accept(request)?;
    let (before, now) = in_force(desk)?;
    let from = document(desk, &call, "from", request.from).await?;
    let to = document(desk, &call, "to", request.to).await?;
    let compared = tokio::task::spawn_blocking(move || {
        let (old, new) = (before.with(&from)?, before.with(&to)?);
        let (old_name, new_name) = (name_of(&old, &from)?, name_of(&new, &to)?);
        Ok(differences((&old, &old_name), (&new, &new_name), now))
    });
    let compared = compared.await.map_err(|error| status::damaged(&error))?;
    let difference = compared.map_err(|errors: PolicyErrors| policies::faults(&errors))?;
    told(difference).map(Response::new)
}

/// A comparison as the contract has it.
pub(super) fn told(difference: Difference) -> Result<pb::DiffPoliciesResponse, Status> {
    let Difference {
        changes,
        behaviour,
        intricate,
    } = difference;
    if intricate {
        let said = LocalizedText::new(
            "两个版本的决策表合在一起过于复杂，无法逐一比较，请拆分决策表",
            "the two versions' tables together are too intricate to be compared; split the table",
        );
        return Err(field("to", ErrorReason::TableMalformed, &said, &[]));
    }
    let changes = changes.into_iter().map(|change| pb::PolicyChange {
        place: change.place,
        before: change.before,
        after: change.after,
    });
    let behaviour = behaviour.into_iter().map(|change| pb::BehaviourChange {
        matter: change.matter,
        example: change.example.into_iter().collect(),
        outcome_before: change.before.0,
        outcome_after: change.after.0,
        measures_before: change.before.1,
        measures_after: change.after.1,
    });
    Ok(pb::DiffPoliciesResponse {
        changes: changes.collect(),
        behaviour: behaviour.collect(),
    })
}

/// A catalogue that was handed in as a file and is none.
pub(super) fn catalogue_unread(errors: &CatalogueErrors) -> Status {
    field("catalogue", ErrorReason::FieldInvalid, &errors.said(), &[])
}

/// One side of a comparison. The rule of its message makes sure that it names something.
async fn document(
    desk: &Desk,
    call: &Call,
    side: &str,
    reference: Option<pb::PolicyReference>,
) -> Result<Document, Status> {
    let reference = reference.and_then(|reference| reference.reference);
    match reference.unwrap_or_else(|| Reference::Version(String::new())) {
        Reference::Content(content) => Ok(content::of(Some(content))?.document),
        Reference::Version(name) => drafts::published(desk, &format!("{side}.version"), &name).await,
        Reference::Draft(name) => drafts::drafted(desk, call, &format!("{side}.draft"), &name).await,
    }
}
