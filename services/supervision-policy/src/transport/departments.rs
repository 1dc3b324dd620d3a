//! The typed doors of the first three departments. Each asks one matter of its own and answers like `Decide`.

use greenstar_kernel::Department;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::enforcement_service_server::EnforcementService;
use greenstar_proto::supervision::v1::finance_service_server::FinanceService;
use greenstar_proto::supervision::v1::licensing_service_server::LicensingService;
use greenstar_rpc::{accept, names};
use tonic::{Request, Response, Status};

use super::convert::Arguments;
use super::desk::{self, Answer, Desk, Question};
use super::status;
use crate::domain::matter::Matter;
use crate::domain::policy::Policy;

/// A department's own answer has the fields of `DecideResponse`.
macro_rules! answer_as {
    ($to:ident, $from:expr $(, $more:ident: $value:expr)*) => {{
        let from: pb::DecideResponse = $from;
        pb::$to {
            outcome: from.outcome,
            measures: from.measures,
            reasons: from.reasons,
            star: from.star,
            state: from.state,
            known: from.known,
            flags: from.flags,
            as_of: from.as_of,
            data_age: from.data_age,
            policy_version: from.policy_version,
            token: from.token,
            decision: from.decision,
            manual_review: from.manual_review,
            uscc_verdict: from.uscc_verdict,
            $($more: $value,)*
        }
    }};
}

fn department(code: &str) -> Result<Department, Status> {
    // Written here, so it is one.
    Department::parse(code).map_err(|_| status::not_ready())
}

fn no_permit_kind(policy: &Policy, question: &Question) -> Status {
    let own = |matter: &&Matter| *matter.department() == question.department;
    let known: Vec<_> = policy.matters().iter().filter(own).map(Matter::code).collect();
    status::permit_kind_unknown(&question.matter, &known)
}

/// What a licensing system asks.
#[derive(Clone, Debug)]
pub(crate) struct LicensingRpc(pub(crate) Desk);

#[tonic::async_trait]
impl LicensingService for LicensingRpc {
    async fn check_permit(
        &self,
        request: Request<pb::CheckPermitRequest>,
    ) -> Result<Response<pb::CheckPermitResponse>, Status> {
        let (call, request) = accept(request)?;
        let question = Question {
            uscc: names::enterprise("enterprise", &request.enterprise)?,
            department: department("licensing")?,
            matter: request.permit_kind,
            unknown: no_permit_kind,
            arguments: Arguments::new(),
            consistency: request.consistency,
            request_id: request.request_id,
        };
        let Answer { response, .. } = self.0.ask(&call, question).await?;
        Ok(Response::new(answer_as!(CheckPermitResponse, response)))
    }

    async fn batch_check_permits(
        &self,
        request: Request<pb::BatchCheckPermitsRequest>,
    ) -> Result<Response<pb::BatchCheckPermitsResponse>, Status> {
        let _ = request;
        Err(status::not_ready())
    }
}

/// What a bank asks.
#[derive(Clone, Debug)]
pub(crate) struct FinanceRpc(pub(crate) Desk);

#[tonic::async_trait]
impl FinanceService for FinanceRpc {
    async fn check_green_finance(
        &self,
        request: Request<pb::CheckGreenFinanceRequest>,
    ) -> Result<Response<pb::CheckGreenFinanceResponse>, Status> {
        let (call, request) = accept(request)?;
        let question = Question {
            uscc: names::enterprise("enterprise", &request.enterprise)?,
            department: department("finance")?,
            matter: "green-loan".to_owned(),
            unknown: desk::no_matter,
            arguments: Arguments::new(),
            consistency: request.consistency,
            request_id: request.request_id,
        };
        let Answer { response, .. } = self.0.ask(&call, question).await?;
        Ok(Response::new(answer_as!(CheckGreenFinanceResponse, response)))
    }

    async fn batch_check_green_finance(
        &self,
        request: Request<pb::BatchCheckGreenFinanceRequest>,
    ) -> Result<Response<pb::BatchCheckGreenFinanceResponse>, Status> {
        let _ = request;
        Err(status::not_ready())
    }
}

/// What an enforcement team asks.
#[derive(Clone, Debug)]
pub(crate) struct EnforcementRpc(pub(crate) Desk);

#[tonic::async_trait]
impl EnforcementService for EnforcementRpc {
    async fn get_inspection_regime(
        &self,
        request: Request<pb::GetInspectionRegimeRequest>,
    ) -> Result<Response<pb::GetInspectionRegimeResponse>, Status> {
        let (call, request) = accept(request)?;
        let question = Question {
            uscc: names::enterprise("enterprise", &request.enterprise)?,
            department: department("enforcement")?,
            matter: "inspection-regime".to_owned(),
            unknown: desk::no_matter,
            arguments: Arguments::new(),
            consistency: request.consistency,
            request_id: request.request_id,
        };
        let Answer { response, regime } = self.0.ask(&call, question).await?;
        Ok(Response::new(
            answer_as!(GetInspectionRegimeResponse, response, regime: Some(regime)),
        ))
    }

    async fn batch_get_inspection_regimes(
        &self,
        request: Request<pb::BatchGetInspectionRegimesRequest>,
    ) -> Result<Response<pb::BatchGetInspectionRegimesResponse>, Status> {
        let _ = request;
        Err(status::not_ready())
    }
}
