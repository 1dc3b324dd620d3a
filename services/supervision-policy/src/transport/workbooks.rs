//! Policies as workbooks.

use greenstar_proto::supervision::v1 as pb;
use tonic::{Request, Response, Status};

use super::desk::Desk;
use super::status;

pub(super) async fn convert_policy(
    _desk: &Desk,
    _request: Request<pb::ConvertPolicyRequest>,
) -> Result<Response<pb::ConvertPolicyResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn get_template(
    _desk: &Desk,
    _request: Request<pb::GetTemplateRequest>,
) -> Result<Response<pb::GetTemplateResponse>, Status> {
    Err(status::not_ready())
}
