//! AssistanceService.

use greenstar_kernel::{Code, Officer, Uscc};
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::assistance_service_server::AssistanceService;
use greenstar_rpc::{Call, accept, names, pages};
use greenstar_store::Tx;
use tonic::{Request, Response, Status};

use super::assistance_convert as convert;
use super::{Desk, parse, repeat, status, unexpected};
use crate::domain::assistance::{Assistance, AssistanceRefusal, CohortList, MAX_MEMBERS, of_cohort};
use crate::domain::command::{Answer, Assist, AtFirm, Command, OfPlan};
use crate::domain::enterprise::PolluterClass;
use crate::domain::error::Refusal;
use crate::domain::filter::Filter;
use crate::domain::firm::Firm;
use crate::domain::scheme::Scoring;
use crate::domain::visibility;
use crate::store::{assistance, cohorts, cohorts_after, enterprises, firm, rules};

/// What several handlers need of a request: take out its id, and keep the rest as the body that the id is bound to.
macro_rules! taken {
    ($method:literal, $request:ident) => {{
        let (call, mut request) = accept($request)?;
        let id = std::mem::take(&mut request.request_id);
        let repeat = repeat($method, id, &request);
        (call, request, repeat)
    }};
}

#[tonic::async_trait]
impl AssistanceService for Desk {
    #[tracing::instrument(skip_all)]
    async fn create_cohort(
        &self,
        request: Request<pb::CreateCohortRequest>,
    ) -> Result<Response<pb::CreateCohortResponse>, Status> {
        let (call, request, repeat) = taken!("CreateCohort", request);
        let list = convert::list(request.list)?;
        let members = if request.enterprises.is_empty() {
            self.drawn(list, &request.filter).await?
        } else if request.filter.trim().is_empty() {
            codes(&request.enterprises)?
        } else {
            let said = ("与 enterprises 二选一", "left out where enterprises are given");
            return Err(status::refused(&Refusal::field("filter", said)));
        };
        let step = Assist::Draw {
            id: parse::code("cohort_id", &request.cohort_id)?,
            title: parse::text("display_name", request.display_name)?,
            list,
            members,
        };
        match self.submit(&call, Command::Assist(step), repeat).await? {
            (Answer::Cohort(cohort), token) => Ok(Response::new(pb::CreateCohortResponse {
                cohort: Some(convert::cohort(*cohort, true)),
                token,
            })),
            (_, _) => Err(unexpected()),
        }
    }

    #[tracing::instrument(skip_all)]
    async fn get_cohort(
        &self,
        request: Request<pb::GetCohortRequest>,
    ) -> Result<Response<pb::GetCohortResponse>, Status> {
        let (_, request) = accept(request)?;
        let (mut tx, token) = self.reading().await?;
        let cohort = found_cohort(&mut tx, "name", &request.name).await?;
        let cohort = Some(convert::cohort(cohort, true));
        Ok(Response::new(pb::GetCohortResponse { cohort, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn list_cohorts(
        &self,
        request: Request<pb::ListCohortsRequest>,
    ) -> Result<Response<pb::ListCohortsResponse>, Status> {
        let (_, request) = accept(request)?;
        let query = ["ListCohorts"];
        let page = pages::page(request.page_size, &request.page_token, &query)?;
        let (mut tx, token) = self.reading().await?;
        let after = page.after.as_deref().unwrap_or_default();
        let found = cohorts_after(&mut tx, after, page.size + 1).await;
        let mut found = found.map_err(|error| status::store(&error))?;
        let more = found.len() > page.size;
        found.truncate(page.size);
        let next_page_token = match found.last().filter(|_| more) {
            Some(last) => pages::next_token(&query, last.id.as_str()),
            None => String::new(),
        };
        Ok(Response::new(pb::ListCohortsResponse {
            cohorts: found.into_iter().map(|one| convert::cohort(one, false)).collect(),
            next_page_token,
            token,
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn assign_members(
        &self,
        request: Request<pb::AssignMembersRequest>,
    ) -> Result<Response<pb::AssignMembersResponse>, Status> {
        let (call, request, repeat) = taken!("AssignMembers", request);
        let given = |raw: String| (!raw.trim().is_empty()).then(|| raw.trim().to_owned());
        let step = Assist::Assign {
            cohort: cohort_id("cohort", &request.cohort)?,
            enterprises: codes(&request.enterprises)?,
            street: given(request.street),
            officer: given(request.officer).map(Officer),
        };
        match self.submit(&call, Command::Assist(step), repeat).await? {
            (Answer::Cohort(cohort), token) => Ok(Response::new(pb::AssignMembersResponse {
                cohort: Some(convert::cohort(*cohort, true)),
                token,
            })),
            (_, _) => Err(unexpected()),
        }
    }

    #[tracing::instrument(skip_all)]
    async fn get_progress(
        &self,
        request: Request<pb::GetProgressRequest>,
    ) -> Result<Response<pb::GetProgressResponse>, Status> {
        let (_, request) = accept(request)?;
        let (mut tx, token) = self.reading().await?;
        let cohort = found_cohort(&mut tx, "cohort", &request.cohort).await?;
        let members = cohort.members.iter().map(|member| member.uscc.into()).collect();
        let all = assistance(&mut tx, members)
            .await
            .map_err(|error| status::store(&error))?;
        let (total, streets, officers) = of_cohort(&cohort, &all, self.instant());
        Ok(Response::new(pb::GetProgressResponse {
            total: Some(convert::progress(String::new(), total)),
            streets: convert::groups(streets),
            officers: convert::groups(officers),
            token,
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn get_assistance(
        &self,
        request: Request<pb::GetAssistanceRequest>,
    ) -> Result<Response<pb::GetAssistanceResponse>, Status> {
        let (call, request) = accept(request)?;
        let uscc = names::enterprise_part("name", &request.name, "assistance")?;
        parse::allowed(visibility::assessment(&call.caller, &uscc))?;
        let (mut tx, token) = self.reading().await?;
        let found = assistance(&mut tx, vec![uscc.into()]).await;
        let mut found = found.map_err(|error| status::store(&error))?;
        let one = found.remove(&uscc).unwrap_or_else(|| Assistance::new(uscc));
        let (firm, kinds) = self.resting(&mut tx, &uscc).await?;
        let assistance = convert::assistance(one, &firm, &kinds, self.instant());
        Ok(Response::new(pb::GetAssistanceResponse {
            assistance: Some(assistance),
            token,
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn record_finding(
        &self,
        request: Request<pb::RecordFindingRequest>,
    ) -> Result<Response<pb::RecordFindingResponse>, Status> {
        let (call, request, repeat) = taken!("RecordFinding", request);
        let uscc = names::enterprise("parent", &request.parent)?;
        let raw = request.finding.unwrap_or_default();
        let step = AtFirm::Find {
            id: self.fresh_id()?,
            area: convert::area(raw.area)?,
            text: raw.text,
            site: Some(raw.site).filter(|site| !site.is_empty()),
            proofs: convert::proofs("finding.evidence", raw.evidence, raw.photos)?,
        };
        let (one, token) = self.assisted(&call, uscc, step, repeat).await?;
        let finding = one.findings.into_iter().next_back();
        let finding = finding.map(|finding| convert::finding(&uscc, finding));
        Ok(Response::new(pb::RecordFindingResponse { finding, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn ask_for_help(
        &self,
        request: Request<pb::AskForHelpRequest>,
    ) -> Result<Response<pb::AskForHelpResponse>, Status> {
        let (call, request, repeat) = taken!("AskForHelp", request);
        let uscc = names::enterprise("parent", &request.parent)?;
        call.own(&uscc)?;
        let step = AtFirm::Ask {
            id: self.fresh_id()?,
            text: request.text,
        };
        let (one, token) = self.assisted(&call, uscc, step, repeat).await?;
        let asked = one.requests.into_iter().next_back();
        let help_request = asked.map(|asked| convert::help_request(&uscc, asked));
        Ok(Response::new(pb::AskForHelpResponse { help_request, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn answer_help(
        &self,
        request: Request<pb::AnswerHelpRequest>,
    ) -> Result<Response<pb::AnswerHelpResponse>, Status> {
        let (call, request, repeat) = taken!("AnswerHelp", request);
        let (uscc, id) = names::of_enterprise("name", &request.name, "helpRequests")?;
        let id = parse::code("name", id)?;
        let step = AtFirm::Reply {
            request: id.clone(),
            text: request.answer,
        };
        let (one, token) = self.assisted(&call, uscc, step, repeat).await?;
        let answered = one.requests.into_iter().find(|known| known.id == id);
        let help_request = answered.map(|answered| convert::help_request(&uscc, answered));
        Ok(Response::new(pb::AnswerHelpResponse { help_request, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn generate_service_list(
        &self,
        request: Request<pb::GenerateServiceListRequest>,
    ) -> Result<Response<pb::GenerateServiceListResponse>, Status> {
        let (call, request, repeat) = taken!("GenerateServiceList", request);
        let uscc = names::enterprise("parent", &request.parent)?;
        let step = AtFirm::List {
            id: self.fresh_id()?,
            facts: convert::facts(request.facts.unwrap_or_default())?,
        };
        let (one, token) = self.assisted(&call, uscc, step, repeat).await?;
        let list = one.lists.into_iter().next_back();
        let service_list = list.map(|list| convert::service_list(&uscc, list));
        Ok(Response::new(pb::GenerateServiceListResponse {
            service_list,
            token,
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn create_service_rules(
        &self,
        request: Request<pb::CreateServiceRulesRequest>,
    ) -> Result<Response<pb::CreateServiceRulesResponse>, Status> {
        let (call, request, repeat) = taken!("CreateServiceRules", request);
        let step = Assist::Rules {
            source: request.source,
        };
        let (answer, token) = self.submit(&call, Command::Assist(step), repeat).await?;
        let Answer::Rules(version) = answer else {
            return Err(unexpected());
        };
        let (mut tx, _) = self.reading().await?;
        let stored = rules(&mut tx, Some(version))
            .await
            .map_err(|error| status::store(&error))?;
        let rules = stored.map(convert::rules);
        Ok(Response::new(pb::CreateServiceRulesResponse { rules, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn get_service_rules(
        &self,
        request: Request<pb::GetServiceRulesRequest>,
    ) -> Result<Response<pb::GetServiceRulesResponse>, Status> {
        let (_, request) = accept(request)?;
        let unknown = || status::refused(&AssistanceRefusal::RulesUnknown(request.name.clone()).into());
        let version = match names::single("name", &request.name, "serviceRules")? {
            "latest" => None,
            version => Some(version.parse().map_err(|_| unknown())?),
        };
        let (mut tx, _) = self.reading().await?;
        let stored = rules(&mut tx, version)
            .await
            .map_err(|error| status::store(&error))?;
        let rules = Some(convert::rules(stored.ok_or_else(unknown)?));
        Ok(Response::new(pb::GetServiceRulesResponse { rules }))
    }

    #[tracing::instrument(skip_all)]
    async fn draft_plan(
        &self,
        request: Request<pb::DraftPlanRequest>,
    ) -> Result<Response<pb::DraftPlanResponse>, Status> {
        let (call, request, repeat) = taken!("DraftPlan", request);
        let uscc = names::enterprise("parent", &request.parent)?;
        let raw = request.plan.unwrap_or_default();
        let id = self.fresh_id()?;
        let measures = raw.measures.into_iter().map(|one| convert::measure(&uscc, one));
        let step = AtFirm::Draft {
            id: id.clone(),
            measures: measures.collect::<Result<_, _>>()?,
            until: convert::date("plan.end_date", &raw.end_date)?,
        };
        let (one, token) = self.assisted(&call, uscc, step, repeat).await?;
        // Of a repeated request the plan has the first one's id: it is the last.
        let id = one.plans.last().map_or(id, |plan| plan.id.clone());
        let plan = Some(self.shown_plan(one, &id).await?);
        Ok(Response::new(pb::DraftPlanResponse { plan, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn agree_plan(
        &self,
        request: Request<pb::AgreePlanRequest>,
    ) -> Result<Response<pb::AgreePlanResponse>, Status> {
        let (call, request, repeat) = taken!("AgreePlan", request);
        let (plan, token) = self.planned(&call, &request.name, OfPlan::Agree, repeat).await?;
        Ok(Response::new(pb::AgreePlanResponse { plan, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn start_plan(
        &self,
        request: Request<pb::StartPlanRequest>,
    ) -> Result<Response<pb::StartPlanResponse>, Status> {
        let (call, request, repeat) = taken!("StartPlan", request);
        let (plan, token) = self.planned(&call, &request.name, OfPlan::Start, repeat).await?;
        Ok(Response::new(pb::StartPlanResponse { plan, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn record_visit(
        &self,
        request: Request<pb::RecordVisitRequest>,
    ) -> Result<Response<pb::RecordVisitResponse>, Status> {
        let (call, request, repeat) = taken!("RecordVisit", request);
        let step = OfPlan::Visit(convert::date("date", &request.date)?, request.note);
        let (plan, token) = self.planned(&call, &request.name, step, repeat).await?;
        Ok(Response::new(pb::RecordVisitResponse { plan, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn help_application(
        &self,
        request: Request<pb::HelpApplicationRequest>,
    ) -> Result<Response<pb::HelpApplicationResponse>, Status> {
        let (call, request, repeat) = taken!("HelpApplication", request);
        let step = OfPlan::Help(request.subject, request.note);
        let (plan, token) = self.planned(&call, &request.name, step, repeat).await?;
        Ok(Response::new(pb::HelpApplicationResponse { plan, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn prove_measure(
        &self,
        request: Request<pb::ProveMeasureRequest>,
    ) -> Result<Response<pb::ProveMeasureResponse>, Status> {
        let (call, request, repeat) = taken!("ProveMeasure", request);
        let measure = parse::code("measure", &request.measure)?;
        let proofs = convert::proofs("evidence", request.evidence, request.photos)?;
        let step = OfPlan::Prove(measure, proofs);
        let (plan, token) = self.planned(&call, &request.name, step, repeat).await?;
        Ok(Response::new(pb::ProveMeasureResponse { plan, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn recheck_measure(
        &self,
        request: Request<pb::RecheckMeasureRequest>,
    ) -> Result<Response<pb::RecheckMeasureResponse>, Status> {
        let (call, request, repeat) = taken!("RecheckMeasure", request);
        let measure = parse::code("measure", &request.measure)?;
        let step = OfPlan::Recheck(measure, request.passed, request.note);
        let (plan, token) = self.planned(&call, &request.name, step, repeat).await?;
        Ok(Response::new(pb::RecheckMeasureResponse { plan, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn close_plan(
        &self,
        request: Request<pb::ClosePlanRequest>,
    ) -> Result<Response<pb::ClosePlanResponse>, Status> {
        let (call, request, repeat) = taken!("ClosePlan", request);
        let (plan, token) = self
            .planned(&call, &request.name, OfPlan::Close(request.note), repeat)
            .await?;
        Ok(Response::new(pb::ClosePlanResponse { plan, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn fail_plan(
        &self,
        request: Request<pb::FailPlanRequest>,
    ) -> Result<Response<pb::FailPlanResponse>, Status> {
        let (call, request, repeat) = taken!("FailPlan", request);
        let (plan, token) = self
            .planned(&call, &request.name, OfPlan::Fail(request.reason), repeat)
            .await?;
        Ok(Response::new(pb::FailPlanResponse { plan, token }))
    }
}

fn codes(names: &[String]) -> Result<Vec<Uscc>, Status> {
    names
        .iter()
        .map(|name| names::enterprise("enterprises", name))
        .collect()
}

/// A name of another shape names no cohort.
fn cohort_id(field: &str, raw: &str) -> Result<Code, Status> {
    let id = names::single(field, raw, "cohorts")?;
    Code::parse(id).map_err(|_| status::refused(&AssistanceRefusal::CohortUnknown(raw.to_owned()).into()))
}

async fn found_cohort(
    tx: &mut Tx,
    field: &str,
    name: &str,
) -> Result<crate::domain::assistance::Cohort, Status> {
    let id = cohort_id(field, name)?;
    let found = cohorts(tx, vec![id.as_str().into()]).await;
    let found = found.map_err(|error| status::store(&error))?.remove(&id);
    found.ok_or_else(|| status::refused(&AssistanceRefusal::CohortUnknown(name.to_owned()).into()))
}

impl Desk {
    /// Enterprises of a list that satisfy a filter; one more than a cohort takes, so that too many are noticed.
    async fn drawn(&self, list: CohortList, filter: &str) -> Result<Vec<Uscc>, Status> {
        let filter = Filter::parse(filter).map_err(|refusal| status::refused(&refusal))?;
        let (mut tx, _) = self.reading().await?;
        let mut drawn = Vec::new();
        let mut after = None;
        loop {
            let page = enterprises(&mut tx, &filter, after, 1000).await;
            let page = page.map_err(|error| status::store(&error))?;
            let of_list = |class: PolluterClass| list.holds(class);
            let fitting = page.iter().filter(|one| of_list(one.profile.polluter_class));
            drawn.extend(fitting.map(|one| one.uscc));
            after = page.last().map(|one| one.uscc);
            if page.len() < 1000 || drawn.len() > MAX_MEMBERS {
                drawn.truncate(MAX_MEMBERS + 1);
                return Ok(drawn);
            }
        }
    }

    async fn assisted(
        &self,
        call: &Call,
        uscc: Uscc,
        step: AtFirm,
        repeat: Option<crate::store::RequestId>,
    ) -> Result<(Assistance, String), Status> {
        let command = Command::Assist(Assist::At(uscc, step));
        match self.submit(call, command, repeat).await? {
            (Answer::Assistance(one), token) => Ok((*one, token)),
            (_, _) => Err(unexpected()),
        }
    }

    /// A step of the plan with this name, and the plan afterwards.
    async fn planned(
        &self,
        call: &Call,
        name: &str,
        step: OfPlan,
        repeat: Option<crate::store::RequestId>,
    ) -> Result<(Option<pb::Plan>, String), Status> {
        let (uscc, id) = names::of_enterprise("name", name, "plans")?;
        call.own(&uscc)?;
        let id = parse::code("name", id)?;
        let (one, token) = self
            .assisted(call, uscc, AtFirm::Plan(id.clone(), step), repeat)
            .await?;
        Ok((Some(self.shown_plan(one, &id).await?), token))
    }

    async fn shown_plan(&self, one: Assistance, id: &Code) -> Result<pb::Plan, Status> {
        let uscc = one.uscc;
        let plan = one.plans.into_iter().find(|plan| plan.id == *id);
        let plan = plan.ok_or_else(|| status::refused(&AssistanceRefusal::PlanUnknown.into()))?;
        let (mut tx, _) = self.reading().await?;
        let (firm, kinds) = self.resting(&mut tx, &uscc).await?;
        Ok(convert::plan(&uscc, plan, &firm, &kinds, self.instant()))
    }

    /// The firm, and the kinds of event whose points may rest by its scheme.
    async fn resting(&self, tx: &mut Tx, uscc: &Uscc) -> Result<(Firm, Vec<Code>), Status> {
        let found = firm(tx, uscc).await.map_err(|error| status::store(&error))?;
        let firm = found.ok_or_else(|| status::refused(&Refusal::EnterpriseUnknown(*uscc)))?;
        let stored = self.scheme_of(tx, &firm).await?;
        let mut kinds = Vec::new();
        for item in stored.iter().flat_map(|stored| &stored.scheme.items) {
            if let Scoring::Deduction { rules, .. } = &item.scoring {
                kinds.extend(
                    rules
                        .iter()
                        .filter(|rule| rule.suspendable)
                        .map(|rule| rule.event.clone()),
                );
            }
        }
        Ok((firm, kinds))
    }
}
