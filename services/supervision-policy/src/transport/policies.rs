//! Policies as data: checked, listed.

use std::sync::Arc;

use greenstar_kernel::{LocalizedText, Log, Said, Timestamp, Token};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::policy_service_server::PolicyService;
use greenstar_rpc::{accept, fields};
use greenstar_tables::{BadTree, Defect, TableError};
use tonic::{Request, Response, Status};

use super::desk::Desk;
use super::{convert, status};
use crate::domain::policy::{Document, PolicyDefect, PolicyError, PolicyErrors, PolicyInfo};
use crate::follow::wire;
use crate::view::{Ruling, Rulings};

/// Where a policy that is only checked comes from, for messages.
const SOURCE: &str = "source";

#[derive(Clone, Debug)]
pub(crate) struct PolicyRpc(pub(crate) Desk);

impl PolicyRpc {
    /// All rulings, and the instant at which one is wanted. `None` before the policies were read.
    fn in_force(&self) -> Option<(Arc<Rulings>, Timestamp)> {
        let rulings = self.0.view.rulings().clone()?;
        Some((rulings, self.0.clock.now()))
    }
}

#[tonic::async_trait]
impl PolicyService for PolicyRpc {
    async fn validate_policy(
        &self,
        request: Request<pb::ValidatePolicyRequest>,
    ) -> Result<Response<pb::ValidatePolicyResponse>, Status> {
        let (_, request) = accept(request)?;
        let in_force = self.in_force();
        let in_force = in_force.and_then(|(rulings, now)| rulings.at(now).policy.clone());
        let in_force = in_force.ok_or_else(status::not_ready)?;
        let document = Document {
            name: SOURCE.to_owned(),
            text: request.source,
        };
        // Analysing a table may take a while.
        let checked = tokio::task::spawn_blocking(move || {
            let checked = in_force.with(&document)?;
            let read = checked.infos().iter().find(|info| info.source == document);
            Ok::<_, PolicyErrors>(read.map(|info| policy(info, None)))
        });
        let policy = match checked.await {
            Ok(Ok(policy)) => policy,
            Ok(Err(errors)) => return Err(faults(&errors)),
            Err(error) => return Err(status::damaged(&error)),
        };
        Ok(Response::new(pb::ValidatePolicyResponse {
            policy,
            ..Default::default()
        }))
    }

    async fn test_policy(
        &self,
        request: Request<pb::TestPolicyRequest>,
    ) -> Result<Response<pb::TestPolicyResponse>, Status> {
        super::checking::test_policy(&self.0, request).await
    }

    async fn diff_policies(
        &self,
        request: Request<pb::DiffPoliciesRequest>,
    ) -> Result<Response<pb::DiffPoliciesResponse>, Status> {
        super::checking::diff_policies(&self.0, request).await
    }

    async fn convert_policy(
        &self,
        request: Request<pb::ConvertPolicyRequest>,
    ) -> Result<Response<pb::ConvertPolicyResponse>, Status> {
        super::workbooks::convert_policy(&self.0, request).await
    }

    async fn get_template(
        &self,
        request: Request<pb::GetTemplateRequest>,
    ) -> Result<Response<pb::GetTemplateResponse>, Status> {
        super::workbooks::get_template(&self.0, request).await
    }

    async fn create_draft(
        &self,
        request: Request<pb::CreateDraftRequest>,
    ) -> Result<Response<pb::CreateDraftResponse>, Status> {
        super::drafts::create_draft(&self.0, request).await
    }

    async fn get_draft(
        &self,
        request: Request<pb::GetDraftRequest>,
    ) -> Result<Response<pb::GetDraftResponse>, Status> {
        super::drafts::get_draft(&self.0, request).await
    }

    async fn list_drafts(
        &self,
        request: Request<pb::ListDraftsRequest>,
    ) -> Result<Response<pb::ListDraftsResponse>, Status> {
        super::drafts::list_drafts(&self.0, request).await
    }

    async fn update_draft(
        &self,
        request: Request<pb::UpdateDraftRequest>,
    ) -> Result<Response<pb::UpdateDraftResponse>, Status> {
        super::drafts::update_draft(&self.0, request).await
    }

    async fn validate_draft(
        &self,
        request: Request<pb::ValidateDraftRequest>,
    ) -> Result<Response<pb::ValidateDraftResponse>, Status> {
        super::drafts::validate_draft(&self.0, request).await
    }

    async fn approve_draft(
        &self,
        request: Request<pb::ApproveDraftRequest>,
    ) -> Result<Response<pb::ApproveDraftResponse>, Status> {
        super::drafts::approve_draft(&self.0, request).await
    }

    async fn withdraw_draft(
        &self,
        request: Request<pb::WithdrawDraftRequest>,
    ) -> Result<Response<pb::WithdrawDraftResponse>, Status> {
        super::drafts::withdraw_draft(&self.0, request).await
    }

    async fn publish_policy(
        &self,
        request: Request<pb::PublishPolicyRequest>,
    ) -> Result<Response<pb::PublishPolicyResponse>, Status> {
        super::drafts::publish_policy(&self.0, request).await
    }

    async fn rollback_policy(
        &self,
        request: Request<pb::RollbackPolicyRequest>,
    ) -> Result<Response<pb::RollbackPolicyResponse>, Status> {
        super::drafts::rollback_policy(&self.0, request).await
    }

    async fn list_policy_versions(
        &self,
        request: Request<pb::ListPolicyVersionsRequest>,
    ) -> Result<Response<pb::ListPolicyVersionsResponse>, Status> {
        super::drafts::list_policy_versions(&self.0, request).await
    }

    async fn get_policy_version(
        &self,
        request: Request<pb::GetPolicyVersionRequest>,
    ) -> Result<Response<pb::GetPolicyVersionResponse>, Status> {
        super::drafts::get_policy_version(&self.0, request).await
    }

    async fn list_policy_replicas(
        &self,
        request: Request<pb::ListPolicyReplicasRequest>,
    ) -> Result<Response<pb::ListPolicyReplicasResponse>, Status> {
        super::drafts::list_policy_replicas(&self.0, request).await
    }

    type SimulatePolicyStream = super::impact::SimulatePolicyStream;

    async fn simulate_policy(
        &self,
        request: Request<pb::SimulatePolicyRequest>,
    ) -> Result<Response<Self::SimulatePolicyStream>, Status> {
        super::impact::simulate_policy(&self.0, request).await
    }

    async fn start_shadow(
        &self,
        request: Request<pb::StartShadowRequest>,
    ) -> Result<Response<pb::StartShadowResponse>, Status> {
        super::impact::start_shadow(&self.0, request).await
    }

    async fn stop_shadow(
        &self,
        request: Request<pb::StopShadowRequest>,
    ) -> Result<Response<pb::StopShadowResponse>, Status> {
        super::impact::stop_shadow(&self.0, request).await
    }

    async fn list_shadow_differences(
        &self,
        request: Request<pb::ListShadowDifferencesRequest>,
    ) -> Result<Response<pb::ListShadowDifferencesResponse>, Status> {
        super::impact::list_shadow_differences(&self.0, request).await
    }

    async fn list_policies(
        &self,
        request: Request<pb::ListPoliciesRequest>,
    ) -> Result<Response<pb::ListPoliciesResponse>, Status> {
        accept(request)?;
        let (rulings, now) = self.in_force().ok_or_else(status::not_ready)?;
        let ruling = rulings.at(now);
        let compiled = ruling.policy.as_ref().ok_or_else(status::not_ready)?;
        let mut policies: Vec<pb::Policy> = compiled
            .infos()
            .iter()
            .map(|info| policy(info, Some(ruling)))
            .collect();
        policies.sort_by(|a, b| a.name.cmp(&b.name));
        let token = Token::of(Log::Policy, rulings.applied.clone()).to_string();
        Ok(Response::new(pb::ListPoliciesResponse { policies, token }))
    }

    async fn list_matters(
        &self,
        request: Request<pb::ListMattersRequest>,
    ) -> Result<Response<pb::ListMattersResponse>, Status> {
        accept(request)?;
        let (rulings, now) = self.in_force().ok_or_else(status::not_ready)?;
        let policy = rulings.at(now).policy.as_ref().ok_or_else(status::not_ready)?;
        let mut matters: Vec<pb::Matter> = policy.matters().iter().map(convert::matter).collect();
        matters.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Response::new(pb::ListMattersResponse { matters }))
    }
}

fn policy(info: &PolicyInfo, ruling: Option<&Ruling>) -> pb::Policy {
    let published = ruling.and_then(|ruling| ruling.versions.iter().find(|one| one.document == info.source));
    pb::Policy {
        name: format!("policies/{}", info.name),
        version: info.version,
        department: info.department.to_string(),
        matters: info.matters.clone(),
        rows: i32::try_from(info.rows).unwrap_or(i32::MAX),
        effective_time: published.map(|published| wire::to_instant(published.effective_at)),
        source: info.source.text.clone(),
    }
}

/// All faults in one status, under the reason of the first; as many in full as a header carries.
fn faults(errors: &PolicyErrors) -> Status {
    const BYTES: usize = 2_500;
    let mut places: Vec<(String, ErrorReason, LocalizedText)> = Vec::new();
    let mut bytes = 0;
    for error in &errors.0 {
        let LocalizedText { zh, en } = error.said();
        let said = LocalizedText::new(shortened(&zh), shortened(&en));
        bytes += said.zh.len() + said.en.len();
        if bytes > BYTES && !places.is_empty() {
            break;
        }
        places.push((field_of(error), reason(&error.defect), said));
    }
    let join = |separator: &str, part: fn(&LocalizedText) -> &str| {
        places
            .iter()
            .map(|(_, _, said)| part(said))
            .collect::<Vec<_>>()
            .join(separator)
    };
    let mut said = LocalizedText::new(join("；", |said| &said.zh), join("; ", |said| &said.en));
    let more = errors.0.len() - places.len();
    if more > 0 {
        said.zh.push_str(&format!("；另有 {more} 处问题"));
        said.en.push_str(&format!("; and {more} more"));
    }
    let first = places
        .first()
        .map_or(ErrorReason::TableMalformed, |(_, reason, _)| *reason);
    let metadata = errors.0.first().map(place).unwrap_or_default();
    let metadata: Vec<(&str, String)> = metadata
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    fields(first, &said, &metadata, &places)
}

fn shortened(text: &str) -> String {
    text.chars().take(300).collect()
}

/// Where in the source: `source/{table}/{row}/{column}`, as far as it is known.
fn field_of(error: &PolicyError) -> String {
    let PolicyDefect::Table(TableError { place, .. }) = &error.defect else {
        return SOURCE.to_owned();
    };
    let row = place.row.map(|row| {
        if row == 0 {
            "default".to_owned()
        } else {
            row.to_string()
        }
    });
    let parts = [
        Some(SOURCE.to_owned()),
        Some(place.table.clone()),
        row,
        place.column.clone(),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("/")
}

fn reason(defect: &PolicyDefect) -> ErrorReason {
    use ErrorReason as R;
    match defect {
        PolicyDefect::Table(error) => match &error.defect {
            Defect::UnknownColumn(_) => R::TableColumnUnknown,
            Defect::UnknownOutcome { .. } => R::OutcomeUnknown,
            Defect::UnknownMeasure(_) => R::MeasureUnknown,
            Defect::MeasureWithoutBasis | Defect::BasisEmpty => R::MeasureWithoutBasis,
            Defect::Gap { .. } => R::TableGap,
            Defect::Overlap { .. } | Defect::Masked { .. } => R::TableOverlap,
            Defect::Unreadable(_)
            | Defect::RowCount { .. }
            | Defect::Cell(_)
            | Defect::Parameter { .. }
            | Defect::NoParameter(_)
            | Defect::ReasonMissing
            | Defect::DefaultWithCells
            | Defect::Unreachable { .. }
            | Defect::TooComplex => R::TableMalformed,
        },
        PolicyDefect::MeasureUnknown { .. } => R::MeasureUnknown,
        PolicyDefect::Tree { bad, .. } => match bad {
            BadTree::Cyclic(_) => R::TreeCyclic,
            BadTree::TooLarge(_) | BadTree::UnknownParent { .. } | BadTree::UnknownChild(_) => {
                R::TableMalformed
            }
        },
        PolicyDefect::Unreadable(_)
        | PolicyDefect::NoBaseline
        | PolicyDefect::SecondBaseline
        | PolicyDefect::BaselineShape
        | PolicyDefect::PolicyTwice(_)
        | PolicyDefect::NoMatter
        | PolicyDefect::MatterTwice(_)
        | PolicyDefect::OutcomeTwice(_)
        | PolicyDefect::NeutralCount(_)
        | PolicyDefect::NotAscending(_)
        | PolicyDefect::CarrierMissing(_)
        | PolicyDefect::CarrierNotNeeded(_)
        | PolicyDefect::FloorParameter { .. }
        | PolicyDefect::NotAdvice(_)
        | PolicyDefect::ArgumentTwice(_)
        | PolicyDefect::TooPatient(_) => R::TableMalformed,
    }
}

fn place(error: &PolicyError) -> Vec<(&'static str, String)> {
    if let PolicyDefect::Tree { tree, bad } = &error.defect {
        let mut metadata = vec![("tree", (*tree).to_owned())];
        if let BadTree::Cyclic(circle) = bad {
            metadata.push(("cycle", circle.join(" > ")));
        }
        return metadata;
    }
    let PolicyDefect::Table(TableError { place, defect }) = &error.defect else {
        return vec![("table", error.policy.clone())];
    };
    let mut metadata = vec![
        ("table", place.table.clone()),
        ("row", place.row.map_or_else(String::new, |row| row.to_string())),
        ("column", place.column.clone().unwrap_or_default()),
        (
            "position",
            place.character.map_or_else(String::new, |at| at.to_string()),
        ),
    ];
    match defect {
        Defect::Gap { example } => metadata.push(("counterexample", example.to_string())),
        Defect::Overlap {
            first,
            second,
            example,
        } => {
            metadata.push(("rows", format!("{first}, {second}")));
            metadata.push(("counterexample", example.to_string()));
        }
        Defect::Masked { row, by, example } => {
            metadata.push(("rows", format!("{by}, {row}")));
            metadata.push(("counterexample", example.to_string()));
        }
        Defect::UnknownOutcome { found, .. } => metadata.push(("outcome", found.clone())),
        Defect::UnknownMeasure(measure) => metadata.push(("measure", measure.clone())),
        Defect::UnknownColumn(column) => metadata.push(("column", column.clone())),
        Defect::Unreadable(_)
        | Defect::RowCount { .. }
        | Defect::Cell(_)
        | Defect::Parameter { .. }
        | Defect::NoParameter(_)
        | Defect::MeasureWithoutBasis
        | Defect::ReasonMissing
        | Defect::BasisEmpty
        | Defect::DefaultWithCells
        | Defect::Unreachable { .. }
        | Defect::TooComplex => {}
    }
    metadata
}
