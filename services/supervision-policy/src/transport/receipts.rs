//! Signed statements.

use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::receipt_service_server::ReceiptService;
use tonic::{Request, Response, Status};

use super::desk::Desk;
use super::status;

#[derive(Clone, Debug)]
pub(crate) struct ReceiptRpc(pub(crate) Desk);

#[tonic::async_trait]
impl ReceiptService for ReceiptRpc {
    async fn issue_decision_receipt(
        &self,
        request: Request<pb::IssueDecisionReceiptRequest>,
    ) -> Result<Response<pb::IssueDecisionReceiptResponse>, Status> {
        issue_decision_receipt(&self.0, request).await
    }

    async fn screen_enterprise(
        &self,
        request: Request<pb::ScreenEnterpriseRequest>,
    ) -> Result<Response<pb::ScreenEnterpriseResponse>, Status> {
        screen_enterprise(&self.0, request).await
    }

    async fn list_keys(
        &self,
        request: Request<pb::ListKeysRequest>,
    ) -> Result<Response<pb::ListKeysResponse>, Status> {
        list_keys(&self.0, request).await
    }

    async fn rotate_key(
        &self,
        request: Request<pb::RotateKeyRequest>,
    ) -> Result<Response<pb::RotateKeyResponse>, Status> {
        rotate_key(&self.0, request).await
    }

    async fn list_checkpoints(
        &self,
        request: Request<pb::ListCheckpointsRequest>,
    ) -> Result<Response<pb::ListCheckpointsResponse>, Status> {
        list_checkpoints(&self.0, request).await
    }
}

pub(super) async fn issue_decision_receipt(
    _desk: &Desk,
    _request: Request<pb::IssueDecisionReceiptRequest>,
) -> Result<Response<pb::IssueDecisionReceiptResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn screen_enterprise(
    _desk: &Desk,
    _request: Request<pb::ScreenEnterpriseRequest>,
) -> Result<Response<pb::ScreenEnterpriseResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn list_keys(
    _desk: &Desk,
    _request: Request<pb::ListKeysRequest>,
) -> Result<Response<pb::ListKeysResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn rotate_key(
    _desk: &Desk,
    _request: Request<pb::RotateKeyRequest>,
) -> Result<Response<pb::RotateKeyResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn list_checkpoints(
    _desk: &Desk,
    _request: Request<pb::ListCheckpointsRequest>,
) -> Result<Response<pb::ListCheckpointsResponse>, Status> {
    Err(status::not_ready())
}
