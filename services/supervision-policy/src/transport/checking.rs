//! Policies checked, tested and compared; nothing is changed.

use greenstar_proto::supervision::v1 as pb;
use tonic::{Request, Response, Status};

use super::desk::Desk;
use super::status;

pub(super) async fn test_policy(
    _desk: &Desk,
    _request: Request<pb::TestPolicyRequest>,
) -> Result<Response<pb::TestPolicyResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn diff_policies(
    _desk: &Desk,
    _request: Request<pb::DiffPoliciesRequest>,
) -> Result<Response<pb::DiffPoliciesResponse>, Status> {
    Err(status::not_ready())
}
