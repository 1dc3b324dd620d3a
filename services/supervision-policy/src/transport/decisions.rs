//! Any matter of any department, and what was recorded.

use greenstar_kernel::Caller;
use greenstar_proto::common::v1::RatingState;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::decision_service_server::DecisionService;
use greenstar_rpc::{Call, accept, names};
use prost::Message as _;
use serde_json::{Map, Value, json};
use tonic::{Request, Response, Status};

use super::authority::Authority;
use super::desk::{self, Desk, Question};
use super::direct;
use super::pins::Pin;
use super::siblings::Asker;
use super::status;
use crate::record::chain::leaf;
use crate::record::{DecisionId, Found as Here};
use crate::store::decision::{self, Looked};

#[derive(Clone, Debug)]
pub(crate) struct DecisionRpc(pub(crate) Desk);

pub(super) fn question(request: pb::DecideRequest) -> Result<Question, Status> {
    let (department, matter) = names::matter("matter", &request.matter)?;
    Ok(Question {
        uscc: names::enterprise("enterprise", &request.enterprise)?,
        department,
        matter: matter.to_string(),
        unknown: desk::no_matter,
        arguments: request.arguments.into_iter().collect(),
        consistency: request.consistency,
        request_id: request.request_id,
        pin: Pin::read(&request.policy_version)?,
        authority: Authority::read(request.authority)?,
        regime: false,
    })
}

impl DecisionRpc {
    /// As recorded, or what the replica that made it says. The folder first: what it forgets is in the database by
    /// then.
    async fn find(&self, asker: &Asker, id: &DecisionId) -> Result<Seen, Status> {
        match self
            .0
            .records
            .find(id)
            .await
            .map_err(|error| status::record(&error))?
        {
            Here::Record(record) => return recorded(&record.body).map(Seen::Whole),
            Here::Damaged => return Err(status::damaged(&status::Damaged)),
            Here::NotYet => return Err(status::decision_not_yet()),
            Here::NotHere => {}
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
            Looked::Kept(kept) => match &kept.content {
                Some(content) if kept.leaf != leaf(&content.salt, &content.body) => {
                    Err(status::damaged(&status::Damaged))
                }
                Some(content) => recorded(&content.body).map(Seen::Whole),
                None => Ok(Seen::Erased {
                    department: kept.department,
                }),
            },
            // This writer is here and has not given the id.
            Looked::NotYet { .. } if id.writer == self.0.records.writer() => Err(status::decision_unknown()),
            Looked::NotYet { url: None } => Err(status::decision_not_yet()),
            Looked::NotYet { url: Some(url) } => {
                let name = format!("decisions/{id}");
                let told = self.0.siblings.decision(&url, asker, &name).await?;
                told.map(|decision| Seen::Whole(Found::Told(Box::new(decision))))
                    .ok_or_else(status::decision_not_yet)
            }
            Looked::None => Err(status::decision_unknown()),
        }
    }

    /// A decision of the caller's own department, by its name in a request's field.
    pub(super) async fn own(
        &self,
        call: &Call,
        asker: &Asker,
        field: &str,
        name: &str,
    ) -> Result<Found, Status> {
        let raw = names::single(field, name, "decisions")?;
        let id = DecisionId::parse(raw).ok_or_else(status::decision_unknown)?;
        let mut found = match self.find(asker, &id).await? {
            Seen::Whole(found) => found,
            Seen::Erased { department } if sees(&call.caller, &department) => {
                return Err(status::record_erased());
            }
            Seen::Erased { .. } => return Err(status::decision_not_yours()),
        };
        let (Found::Recorded(decision) | Found::Told(decision)) = &mut found;
        if !sees(&call.caller, &decision.department) {
            return Err(status::decision_not_yours());
        }
        decision.name = format!("decisions/{id}");
        Ok(found)
    }
}

/// What there is of a decision.
#[derive(Debug)]
enum Seen {
    Whole(Found),
    /// Its retention has ended.
    Erased {
        department: String,
    },
}

/// A decision that was found.
#[derive(Debug)]
pub(super) enum Found {
    /// Whole.
    Recorded(Box<pb::Decision>),
    /// By another replica, as the caller sees it.
    Told(Box<pb::Decision>),
}

fn recorded(body: &[u8]) -> Result<Found, Status> {
    let decision = pb::Decision::decode(body).map_err(|error| status::damaged(&error))?;
    Ok(Found::Recorded(Box::new(decision)))
}

#[tonic::async_trait]
impl DecisionService for DecisionRpc {
    async fn get_dossier(
        &self,
        request: Request<pb::GetDossierRequest>,
    ) -> Result<Response<pb::GetDossierResponse>, Status> {
        super::retold::get_dossier(&self.0, request).await
    }

    async fn replay_decision(
        &self,
        request: Request<pb::ReplayDecisionRequest>,
    ) -> Result<Response<pb::ReplayDecisionResponse>, Status> {
        super::retold::replay_decision(&self.0, request).await
    }

    async fn list_decisions(
        &self,
        request: Request<pb::ListDecisionsRequest>,
    ) -> Result<Response<pb::ListDecisionsResponse>, Status> {
        super::listed::list_decisions(&self.0, request).await
    }

    async fn list_record_writers(
        &self,
        request: Request<pb::ListRecordWritersRequest>,
    ) -> Result<Response<pb::ListRecordWritersResponse>, Status> {
        super::listed::list_record_writers(&self.0, request).await
    }

    async fn find_improvement(
        &self,
        request: Request<pb::FindImprovementRequest>,
    ) -> Result<Response<pb::FindImprovementResponse>, Status> {
        super::improvement::find_improvement(&self.0, request).await
    }

    async fn report_application(
        &self,
        request: Request<pb::ReportApplicationRequest>,
    ) -> Result<Response<pb::ReportApplicationResponse>, Status> {
        let asker = Asker::of(request.metadata());
        let (call, request) = accept(request)?;
        Ok(Response::new(self.report(&call, &asker, request).await?))
    }

    async fn list_application_gaps(
        &self,
        request: Request<pb::ListApplicationGapsRequest>,
    ) -> Result<Response<pb::ListApplicationGapsResponse>, Status> {
        let (call, request) = accept(request)?;
        Ok(Response::new(self.gaps(&call, &request).await?))
    }

    async fn decide(
        &self,
        request: Request<pb::DecideRequest>,
    ) -> Result<Response<pb::DecideResponse>, Status> {
        direct::message(&self.0, question, request).await
    }

    async fn batch_decide(
        &self,
        request: Request<pb::BatchDecideRequest>,
    ) -> Result<Response<pb::BatchDecideResponse>, Status> {
        direct::messages(&self.0, question, request).await
    }

    async fn get_decision(
        &self,
        request: Request<pb::GetDecisionRequest>,
    ) -> Result<Response<pb::GetDecisionResponse>, Status> {
        let asker = Asker::of(request.metadata());
        let (call, request) = accept(request)?;
        let mut decision = match self.own(&call, &asker, "name", &request.name).await? {
            Found::Recorded(decision) => *decision,
            // It was cut there to what this caller sees.
            Found::Told(decision) => {
                let decision = Some(*decision);
                return Ok(Response::new(pb::GetDecisionResponse { decision }));
            }
        };
        if decision.department != RATING {
            let rated = decision.state() == RatingState::Rated;
            decision.facts = without_why(&decision.facts, rated).map_err(|error| status::damaged(&error))?;
        }
        Ok(Response::new(pb::GetDecisionResponse {
            decision: Some(decision),
        }))
    }
}

/// Why a firm has no star, or will have another, is seen by the rating department and the firm only (docs/adr/0003).
/// The record keeps it all. Departments are shown of a firm with a star when it changes and to what, and not by which
/// event, so that the facts still decide the same; of one without a star neither points, events nor what is to come.
pub(super) fn without_why(facts: &str, rated: bool) -> Result<String, serde_json::Error> {
    let mut facts: Map<String, Value> = serde_json::from_str(facts)?;
    let rating = facts.get_mut("rating").and_then(Value::as_object_mut);
    if rated {
        let next = rating.and_then(|rating| rating.get_mut("next"));
        if let Some(next) = next.and_then(Value::as_object_mut) {
            let cause = json!({ "zh": "评价随时间变化", "en": "the rating changes by time" });
            next.insert("cause".to_owned(), cause);
        }
    } else {
        if let Some(rating) = rating {
            rating.retain(|name, _| !matches!(name.as_str(), "total" | "categories" | "next"));
        }
        facts.retain(|name, _| !matches!(name.as_str(), "events" | "open_rectification"));
    }
    serde_json::to_string(&facts)
}

/// The department that rates; whoever reads a decision is of the department that asked for it.
pub(super) const RATING: &str = "rating";

/// A department sees its own.
fn sees(caller: &Caller, of: &str) -> bool {
    match caller {
        Caller::Department { department, .. } => department.as_str() == of,
        Caller::Enterprise(_) | Caller::Public => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_firm_has_no_star_is_cut_and_nothing_else() {
        let facts = r#"{"known":true,"open_rectification":true,"events":[{"kind":"V13"}],"flags":[],
            "rating":{"standing":"NOT_LISTED","total":"82","categories":["44"],"next":{"at":1},"version":3}}"#;
        let shown: Value = serde_json::from_str(&without_why(facts, false).unwrap()).unwrap();
        let expected =
            json!({"known": true, "flags": [], "rating": {"standing": "NOT_LISTED", "version": 3}});
        assert_eq!(shown, expected);
    }

    #[test]
    fn of_a_firm_with_a_star_the_cause_of_a_change_is_hidden_and_nothing_else() {
        let facts = r#"{"events":[{"kind":"V13"}],"rating":{"standing":{"RATED":4},"total":"82","next":{"at":1,
            "standing":{"RATED":5},"total":"90","categories":["60"],"cause":{"zh":"暗管排放到期","en":"a hidden pipe"}}}}"#;
        let shown: Value = serde_json::from_str(&without_why(facts, true).unwrap()).unwrap();
        let next = json!({"at": 1, "standing": {"RATED": 5}, "total": "90", "categories": ["60"],
            "cause": {"zh": "评价随时间变化", "en": "the rating changes by time"}});
        let expected = json!({"events": [{"kind": "V13"}],
            "rating": {"standing": {"RATED": 4}, "total": "82", "next": next}});
        assert_eq!(shown, expected);
        let constant = r#"{"rating":{"next":null}}"#;
        assert_eq!(without_why(constant, true).unwrap(), constant);
    }
}
