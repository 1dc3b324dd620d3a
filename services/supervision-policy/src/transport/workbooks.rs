//! Policies as workbooks.

use greenstar_proto::supervision::v1 as pb;
use greenstar_rpc::accept;
use tonic::{Request, Response, Status};

use super::content;
use super::desk::Desk;
use super::status;

pub(super) async fn convert_policy(
    _desk: &Desk,
    request: Request<pb::ConvertPolicyRequest>,
) -> Result<Response<pb::ConvertPolicyResponse>, Status> {
    let (_, request) = accept(request)?;
    content::of(request.content)?;
    Err(status::not_ready())
}

pub(super) async fn get_template(
    _desk: &Desk,
    _request: Request<pb::GetTemplateRequest>,
) -> Result<Response<pb::GetTemplateResponse>, Status> {
    Err(status::not_ready())
}
