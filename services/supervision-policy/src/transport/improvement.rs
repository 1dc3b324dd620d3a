//! How a firm can do better.

use greenstar_proto::supervision::v1 as pb;
use tonic::{Request, Response, Status};

use super::desk::Desk;
use super::status;

pub(super) async fn find_improvement(
    _desk: &Desk,
    _request: Request<pb::FindImprovementRequest>,
) -> Result<Response<pb::FindImprovementResponse>, Status> {
    Err(status::not_ready())
}
