//! Recorded decisions retold, evaluated again and listed.

use greenstar_proto::supervision::v1 as pb;
use tonic::{Request, Response, Status};

use super::desk::Desk;
use super::status;

pub(super) async fn get_dossier(
    _desk: &Desk,
    _request: Request<pb::GetDossierRequest>,
) -> Result<Response<pb::GetDossierResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn replay_decision(
    _desk: &Desk,
    _request: Request<pb::ReplayDecisionRequest>,
) -> Result<Response<pb::ReplayDecisionResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn list_decisions(
    _desk: &Desk,
    _request: Request<pb::ListDecisionsRequest>,
) -> Result<Response<pb::ListDecisionsResponse>, Status> {
    Err(status::not_ready())
}

pub(super) async fn list_record_writers(
    _desk: &Desk,
    _request: Request<pb::ListRecordWritersRequest>,
) -> Result<Response<pb::ListRecordWritersResponse>, Status> {
    Err(status::not_ready())
}
