//! Whom a policy would hit.

use futures::stream::BoxStream;
use greenstar_proto::supervision::v1 as pb;
use tonic::{Request, Response, Status};

use super::desk::Desk;
use super::status;

pub(super) type SimulatePolicyStream = BoxStream<'static, Result<pb::SimulatePolicyResponse, Status>>;

pub(super) async fn simulate_policy(
    _desk: &Desk,
    _request: Request<pb::SimulatePolicyRequest>,
) -> Result<Response<SimulatePolicyStream>, Status> {
    Err(status::not_ready())
}

pub(super) async fn start_shadow(
    _desk: &Desk,
    _request: Request<pb::StartShadowRequest>,
) -> Result<Response<pb::StartShadowResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn stop_shadow(
    _desk: &Desk,
    _request: Request<pb::StopShadowRequest>,
) -> Result<Response<pb::StopShadowResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn list_shadow_differences(
    _desk: &Desk,
    _request: Request<pb::ListShadowDifferencesRequest>,
) -> Result<Response<pb::ListShadowDifferencesResponse>, Status> {
    Err(status::not_ready())
}
