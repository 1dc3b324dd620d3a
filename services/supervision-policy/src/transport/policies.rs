//! Policies as data: checked, listed.

use std::sync::Arc;

use greenstar_kernel::{LocalizedText, Log, Said, Timestamp, Token};
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::policy_service_server::PolicyService;
use greenstar_rpc::accept;
use greenstar_tables::TableError;
use tonic::{Request, Response, Status};

use super::desk::Desk;
use super::{convert, findings, status};
use crate::domain::policy::{PolicyDefect, PolicyError, PolicyErrors, PolicyInfo};
use crate::follow::wire;
use crate::view::{Ruling, Rulings};
use crate::workbook::Places;

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
        super::checking::validate_policy(&self.0, request).await
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

pub(super) fn policy(info: &PolicyInfo, ruling: Option<&Ruling>) -> pb::Policy {
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

/// All faults in one status, under the reason of the first.
pub(super) fn faults(errors: &PolicyErrors) -> Status {
    faults_in(errors, &Places::default())
}

/// As [`faults`], naming the cells of the workbook that the policy was read from.
pub(super) fn faults_in(errors: &PolicyErrors, places: &Places) -> Status {
    let all = errors.0.iter().map(|error| {
        let LocalizedText { zh, en } = error.said();
        let said = LocalizedText::new(shortened(&zh), shortened(&en));
        let cell = if let PolicyDefect::Table(table) = &error.defect {
            places.of(table)
        } else {
            None
        };
        let field = cell.map_or_else(|| field_of(error), str::to_owned);
        (field, findings::reason(&error.defect), said)
    });
    let metadata = errors.0.first().map(findings::metadata).unwrap_or_default();
    let metadata: Vec<(&str, String)> = metadata
        .into_iter()
        .map(|(key, value)| (key, shortened(&value)))
        .collect();
    status::several(all.collect(), &metadata)
}

fn shortened(text: &str) -> String {
    text.chars().take(300).collect()
}

/// Where in the source: `source/{table}/{row}/{column}`, as far as it is known.
fn field_of(error: &PolicyError) -> String {
    if let PolicyDefect::Found(finding) = &error.defect {
        return format!("{SOURCE}/{}", finding.place);
    }
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
