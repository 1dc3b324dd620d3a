//! The typed doors of the first three departments. Each asks one matter of its own and answers like `Decide`.

use greenstar_kernel::Department;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::enforcement_service_server::EnforcementService;
use greenstar_proto::supervision::v1::finance_service_server::FinanceService;
use greenstar_proto::supervision::v1::licensing_service_server::LicensingService;
use greenstar_rpc::names;
use tonic::{Request, Response, Status};

use super::authority::Authority;
use super::convert::Arguments;
use super::desk::{self, Desk, Question};
use super::direct;
use super::pins::Pin;
use super::status;
use crate::domain::matter::Matter;
use crate::domain::policy::Policy;

fn department(code: &str) -> Result<Department, Status> {
    // Written here, so it is one.
    Department::parse(code).map_err(|_| status::not_ready())
}

fn no_permit_kind(policy: &Policy, question: &Question) -> Status {
    let own = |matter: &&Matter| *matter.department() == question.department;
    let known: Vec<_> = policy.matters().iter().filter(own).map(Matter::code).collect();
    status::permit_kind_unknown(&question.matter, &known)
}

/// One of each department's own questions, as the desk takes it.
macro_rules! question {
    ($request:ident, $department:literal, $matter:expr, $unknown:expr, $regime:literal) => {
        Question {
            uscc: names::enterprise("enterprise", &$request.enterprise)?,
            department: department($department)?,
            matter: $matter,
            unknown: $unknown,
            arguments: Arguments::new(),
            consistency: $request.consistency,
            request_id: $request.request_id,
            pin: Pin::read(&$request.policy_version)?,
            authority: Authority::read($request.authority)?,
            regime: $regime,
        }
    };
}

/// What a licensing system asks.
#[derive(Clone, Debug)]
pub(crate) struct LicensingRpc(pub(crate) Desk);

pub(super) fn permit(request: pb::CheckPermitRequest) -> Result<Question, Status> {
    Ok(question!(
        request,
        "licensing",
        request.permit_kind,
        no_permit_kind,
        false
    ))
}

#[tonic::async_trait]
impl LicensingService for LicensingRpc {
    async fn check_permit(
        &self,
        request: Request<pb::CheckPermitRequest>,
    ) -> Result<Response<pb::CheckPermitResponse>, Status> {
        direct::message(&self.0, permit, request).await
    }

    async fn batch_check_permits(
        &self,
        request: Request<pb::BatchCheckPermitsRequest>,
    ) -> Result<Response<pb::BatchCheckPermitsResponse>, Status> {
        direct::messages(&self.0, permit, request).await
    }
}

/// What a bank asks.
#[derive(Clone, Debug)]
pub(crate) struct FinanceRpc(pub(crate) Desk);

pub(super) fn finance(request: pb::CheckGreenFinanceRequest) -> Result<Question, Status> {
    Ok(question!(
        request,
        "finance",
        "green-loan".to_owned(),
        desk::no_matter,
        false
    ))
}

#[tonic::async_trait]
impl FinanceService for FinanceRpc {
    async fn check_green_finance(
        &self,
        request: Request<pb::CheckGreenFinanceRequest>,
    ) -> Result<Response<pb::CheckGreenFinanceResponse>, Status> {
        direct::message(&self.0, finance, request).await
    }

    async fn batch_check_green_finance(
        &self,
        request: Request<pb::BatchCheckGreenFinanceRequest>,
    ) -> Result<Response<pb::BatchCheckGreenFinanceResponse>, Status> {
        direct::messages(&self.0, finance, request).await
    }
}

/// What an enforcement team asks.
#[derive(Clone, Debug)]
pub(crate) struct EnforcementRpc(pub(crate) Desk);

pub(super) fn inspection(request: pb::GetInspectionRegimeRequest) -> Result<Question, Status> {
    Ok(question!(
        request,
        "enforcement",
        "inspection-regime".to_owned(),
        desk::no_matter,
        true
    ))
}

#[tonic::async_trait]
impl EnforcementService for EnforcementRpc {
    async fn get_inspection_regime(
        &self,
        request: Request<pb::GetInspectionRegimeRequest>,
    ) -> Result<Response<pb::GetInspectionRegimeResponse>, Status> {
        direct::message(&self.0, inspection, request).await
    }

    async fn batch_get_inspection_regimes(
        &self,
        request: Request<pb::BatchGetInspectionRegimesRequest>,
    ) -> Result<Response<pb::BatchGetInspectionRegimesResponse>, Status> {
        direct::messages(&self.0, inspection, request).await
    }
}
