//! Policies in the making, and how they take effect.

use greenstar_proto::supervision::v1 as pb;
use tonic::{Request, Response, Status};

use super::desk::Desk;
use super::status;

pub(super) async fn create_draft(
    _desk: &Desk,
    _request: Request<pb::CreateDraftRequest>,
) -> Result<Response<pb::CreateDraftResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn get_draft(
    _desk: &Desk,
    _request: Request<pb::GetDraftRequest>,
) -> Result<Response<pb::GetDraftResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn list_drafts(
    _desk: &Desk,
    _request: Request<pb::ListDraftsRequest>,
) -> Result<Response<pb::ListDraftsResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn update_draft(
    _desk: &Desk,
    _request: Request<pb::UpdateDraftRequest>,
) -> Result<Response<pb::UpdateDraftResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn validate_draft(
    _desk: &Desk,
    _request: Request<pb::ValidateDraftRequest>,
) -> Result<Response<pb::ValidateDraftResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn approve_draft(
    _desk: &Desk,
    _request: Request<pb::ApproveDraftRequest>,
) -> Result<Response<pb::ApproveDraftResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn withdraw_draft(
    _desk: &Desk,
    _request: Request<pb::WithdrawDraftRequest>,
) -> Result<Response<pb::WithdrawDraftResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn publish_policy(
    _desk: &Desk,
    _request: Request<pb::PublishPolicyRequest>,
) -> Result<Response<pb::PublishPolicyResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn rollback_policy(
    _desk: &Desk,
    _request: Request<pb::RollbackPolicyRequest>,
) -> Result<Response<pb::RollbackPolicyResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn list_policy_versions(
    _desk: &Desk,
    _request: Request<pb::ListPolicyVersionsRequest>,
) -> Result<Response<pb::ListPolicyVersionsResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn get_policy_version(
    _desk: &Desk,
    _request: Request<pb::GetPolicyVersionRequest>,
) -> Result<Response<pb::GetPolicyVersionResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn list_policy_replicas(
    _desk: &Desk,
    _request: Request<pb::ListPolicyReplicasRequest>,
) -> Result<Response<pb::ListPolicyReplicasResponse>, Status> {
    Err(status::not_ready())
}
