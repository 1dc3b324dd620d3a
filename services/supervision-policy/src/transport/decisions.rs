//! Any matter of any department, and what was recorded.

use futures::future::join_all;
use greenstar_kernel::Caller;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::batch_decide_result;
use greenstar_proto::supervision::v1::decision_service_server::DecisionService;
use greenstar_rpc::{Call, accept, item_error, names};
use prost::Message as _;
use tonic::{Request, Response, Status};

use super::desk::{self, Desk, Question};
use super::status;
use crate::record::{DecisionId, Found};
use crate::store::decision::{self, Looked};

#[derive(Clone, Debug)]
pub(crate) struct DecisionRpc(pub(crate) Desk);

impl DecisionRpc {
    async fn answer(&self, call: &Call, request: pb::DecideRequest) -> Result<pb::DecideResponse, Status> {
        let (department, matter) = names::matter("matter", &request.matter)?;
        let question = Question {
            uscc: names::enterprise("enterprise", &request.enterprise)?,
            department,
            matter: matter.to_string(),
            unknown: desk::no_matter,
            arguments: request.arguments.into_iter().collect(),
            consistency: request.consistency,
            request_id: request.request_id,
        };
        Ok(self.0.ask(call, question).await?.response)
    }

    /// The folder first: what it forgets is in the database by then.
    async fn body(&self, id: &DecisionId) -> Result<Vec<u8>, Status> {
        match self
            .0
            .records
            .find(id)
            .await
            .map_err(|error| status::record(&error))?
        {
            Found::Record(record) => return Ok(record.body),
            Found::Damaged => return Err(status::damaged(&status::Damaged)),
            Found::NotYet => return Err(status::decision_not_yet()),
            Found::NotHere => {}
        }
        let mut tx = self
            .0
            .database
            .read()
            .await
            .map_err(|error| status::store(&error))?;
        match decision::find(&mut tx, id)
            .await
            .map_err(|error| status::store(&error))?
        {
            Looked::Body(body) => Ok(body),
            // This writer is here and has not given the id.
            Looked::NotYet if id.writer == self.0.records.writer() => Err(status::decision_unknown()),
            Looked::NotYet => Err(status::decision_not_yet()),
            Looked::Erased | Looked::None => Err(status::decision_unknown()),
        }
    }
}

#[tonic::async_trait]
impl DecisionService for DecisionRpc {
    async fn decide(
        &self,
        request: Request<pb::DecideRequest>,
    ) -> Result<Response<pb::DecideResponse>, Status> {
        let (call, request) = accept(request)?;
        Ok(Response::new(self.answer(&call, request).await?))
    }

    async fn batch_decide(
        &self,
        request: Request<pb::BatchDecideRequest>,
    ) -> Result<Response<pb::BatchDecideResponse>, Status> {
        let (call, request) = accept(request)?;
        // All at once, so that their records share the disk's syncs.
        let answers = join_all(
            request
                .requests
                .into_iter()
                .map(|request| self.answer(&call, request)),
        )
        .await;
        let results = answers.into_iter().map(|answer| {
            let result = match answer {
                Ok(answer) => batch_decide_result::Result::Answer(answer),
                Err(error) => batch_decide_result::Result::Error(item_error(&error)),
            };
            pb::BatchDecideResult { result: Some(result) }
        });
        Ok(Response::new(pb::BatchDecideResponse {
            results: results.collect(),
        }))
    }

    async fn get_decision(
        &self,
        request: Request<pb::GetDecisionRequest>,
    ) -> Result<Response<pb::GetDecisionResponse>, Status> {
        let (call, request) = accept(request)?;
        let raw = names::single("name", &request.name, "decisions")?;
        let id = DecisionId::parse(raw).ok_or_else(status::decision_unknown)?;
        let body = self.body(&id).await?;
        let mut decision = pb::Decision::decode(&*body).map_err(|error| status::damaged(&error))?;
        if !sees(&call.caller, &decision) {
            // Whether it exists is nobody else's business.
            return Err(status::decision_unknown());
        }
        decision.name = format!("decisions/{id}");
        Ok(Response::new(pb::GetDecisionResponse {
            decision: Some(decision),
        }))
    }
}

/// A department sees its own.
fn sees(caller: &Caller, decision: &pb::Decision) -> bool {
    match caller {
        Caller::Department { department, .. } => department.as_str() == decision.department,
        Caller::Enterprise(_) | Caller::Public => false,
    }
}
