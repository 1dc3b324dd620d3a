//! The typed doors of the first three departments. Each asks one matter of its own and answers like `Decide`.

use greenstar_kernel::Department;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::enforcement_service_server::EnforcementService;
use greenstar_proto::supervision::v1::finance_service_server::FinanceService;
use greenstar_proto::supervision::v1::licensing_service_server::LicensingService;
use greenstar_rpc::{accept, checked, item_error, names};
use tonic::{Request, Response, Status};

use super::authority::Authority;
use super::convert::Arguments;
use super::desk::{self, Answer, Desk, Question};
use super::pins::Pin;
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

/// One of each department's own questions, as the desk takes it.
macro_rules! question {
    ($request:ident, $department:literal, $matter:expr, $unknown:expr) => {
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
        }
    };
}

/// Answers all requests of a batch; each item has its own result. The contract's rules hold for each alone.
macro_rules! answer_batch {
    ($desk:expr, $request:ident, $question:path, $response:ident, $result:ident, $kind:ident, $answer:expr) => {{
        let call = greenstar_rpc::call(&$request);
        let requests = $request.into_inner().requests;
        desk::batch_size(requests.len())?;
        let questions = requests.into_iter().map(|request| {
            checked(&request)?;
            $question(request)
        });
        let answers = $desk.ask_all(&call, questions).await.into_iter();
        let results = answers.map(|answer| {
            let result = match answer {
                Ok(answer) => pb::$kind::Result::Answer($answer(answer)),
                Err(error) => pb::$kind::Result::Error(item_error(&error)),
            };
            pb::$result { result: Some(result) }
        });
        Ok(Response::new(pb::$response {
            results: results.collect(),
        }))
    }};
}

/// What a licensing system asks.
#[derive(Clone, Debug)]
pub(crate) struct LicensingRpc(pub(crate) Desk);

fn permit(request: pb::CheckPermitRequest) -> Result<Question, Status> {
    Ok(question!(
        request,
        "licensing",
        request.permit_kind,
        no_permit_kind
    ))
}

fn permit_answer(answer: Answer) -> pb::CheckPermitResponse {
    answer_as!(CheckPermitResponse, answer.response)
}

#[tonic::async_trait]
impl LicensingService for LicensingRpc {
    async fn check_permit(
        &self,
        request: Request<pb::CheckPermitRequest>,
    ) -> Result<Response<pb::CheckPermitResponse>, Status> {
        let (call, request) = accept(request)?;
        let answer = self.0.ask(&call, permit(request)?).await?;
        Ok(Response::new(permit_answer(answer)))
    }

    async fn batch_check_permits(
        &self,
        request: Request<pb::BatchCheckPermitsRequest>,
    ) -> Result<Response<pb::BatchCheckPermitsResponse>, Status> {
        answer_batch!(
            self.0,
            request,
            permit,
            BatchCheckPermitsResponse,
            BatchCheckPermitsResult,
            batch_check_permits_result,
            permit_answer
        )
    }
}

/// What a bank asks.
#[derive(Clone, Debug)]
pub(crate) struct FinanceRpc(pub(crate) Desk);

fn finance(request: pb::CheckGreenFinanceRequest) -> Result<Question, Status> {
    Ok(question!(
        request,
        "finance",
        "green-loan".to_owned(),
        desk::no_matter
    ))
}

fn finance_answer(answer: Answer) -> pb::CheckGreenFinanceResponse {
    answer_as!(CheckGreenFinanceResponse, answer.response)
}

#[tonic::async_trait]
impl FinanceService for FinanceRpc {
    async fn check_green_finance(
        &self,
        request: Request<pb::CheckGreenFinanceRequest>,
    ) -> Result<Response<pb::CheckGreenFinanceResponse>, Status> {
        let (call, request) = accept(request)?;
        let answer = self.0.ask(&call, finance(request)?).await?;
        Ok(Response::new(finance_answer(answer)))
    }

    async fn batch_check_green_finance(
        &self,
        request: Request<pb::BatchCheckGreenFinanceRequest>,
    ) -> Result<Response<pb::BatchCheckGreenFinanceResponse>, Status> {
        answer_batch!(
            self.0,
            request,
            finance,
            BatchCheckGreenFinanceResponse,
            BatchCheckGreenFinanceResult,
            batch_check_green_finance_result,
            finance_answer
        )
    }
}

/// What an enforcement team asks.
#[derive(Clone, Debug)]
pub(crate) struct EnforcementRpc(pub(crate) Desk);

fn inspection(request: pb::GetInspectionRegimeRequest) -> Result<Question, Status> {
    Ok(question!(
        request,
        "enforcement",
        "inspection-regime".to_owned(),
        desk::no_matter
    ))
}

fn inspection_answer(answer: Answer) -> pb::GetInspectionRegimeResponse {
    let Answer { response, regime } = answer;
    answer_as!(GetInspectionRegimeResponse, response, regime: Some(regime))
}

#[tonic::async_trait]
impl EnforcementService for EnforcementRpc {
    async fn get_inspection_regime(
        &self,
        request: Request<pb::GetInspectionRegimeRequest>,
    ) -> Result<Response<pb::GetInspectionRegimeResponse>, Status> {
        let (call, request) = accept(request)?;
        let answer = self.0.ask(&call, inspection(request)?).await?;
        Ok(Response::new(inspection_answer(answer)))
    }

    async fn batch_get_inspection_regimes(
        &self,
        request: Request<pb::BatchGetInspectionRegimesRequest>,
    ) -> Result<Response<pb::BatchGetInspectionRegimesResponse>, Status> {
        answer_batch!(
            self.0,
            request,
            inspection,
            BatchGetInspectionRegimesResponse,
            BatchGetInspectionRegimesResult,
            batch_get_inspection_regimes_result,
            inspection_answer
        )
    }
}
