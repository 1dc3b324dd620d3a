//! RepairService.

use greenstar_kernel::{Code, LocalizedText, Log, Position, Timestamp, Token};
use greenstar_proto::common::v1::{self as common, ErrorReason};
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::repair_service_server::RepairService;
use greenstar_rpc::{Call, accept, field, names};
use greenstar_telemetry::attributes;
use tonic::{Request, Response, Status};
use tracing::Span;
use uuid::Uuid;

use super::desk::{self, Asked, Desk};
use super::flag_service::token;
use super::{convert, parse, status};
use crate::domain::remedies::{Case, Remedy, RemedyRefusal};
use crate::domain::repair::{
    Application, Condition, ConditionKind, Examination, Findings, Repair, RepairName, RepairOption,
    RepairState, Subject, Verdict, options,
};
use crate::domain::viewer::Viewer;
use crate::store::repair_stage;

#[derive(Debug)]
pub(crate) struct RepairRpc {
    pub(crate) desk: Desk,
}

#[tonic::async_trait]
impl RepairService for RepairRpc {
    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn list_repair_options(
        &self,
        request: Request<pb::ListRepairOptionsRequest>,
    ) -> Result<Response<pb::ListRepairOptionsResponse>, Status> {
        let (call, request) = accept(request)?;
        let enterprise = names::enterprise("parent", &request.parent)?;
        Span::current().record(attributes::ENTERPRISE, enterprise.as_str());
        call.own(&enterprise)?;
        let viewer = parse::viewer(&call)?;
        let found = self.desk.cases.against(enterprise, &viewer).await;
        let (ledger, remedies, position) = found.map_err(|error| status::store(&error))?;
        let now = self.desk.now();
        let options = options(&ledger, &remedies, enterprise, now);
        Ok(Response::new(pb::ListRepairOptionsResponse {
            options: options
                .iter()
                .map(|option| convert_option(option, &viewer, now))
                .collect(),
            token: token(position),
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn apply_repair(
        &self,
        request: Request<pb::ApplyRepairRequest>,
    ) -> Result<Response<pb::ApplyRepairResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let request_id = std::mem::take(&mut request.request_id);
        let repeat = parse::request(&call, "ApplyRepair", request_id.clone(), &request);
        let enterprise = names::enterprise("parent", &request.parent)?;
        Span::current().record(attributes::ENTERPRISE, enterprise.as_str());
        let party = desk::party(&call, &enterprise)?;
        let subject = match request.subject {
            Some(pb::apply_repair_request::Subject::Flag(flag)) => {
                Subject::Flag(desk::own_flag(&flag, &enterprise)?)
            }
            Some(pb::apply_repair_request::Subject::Document(document)) => {
                Subject::Document(parse::document(document)?)
            }
            None => {
                let said = LocalizedText::new(
                    "请用 flag 或 document 指明要修复的文书",
                    "name the document by `flag` or by `document`",
                );
                return Err(field("subject", ErrorReason::FieldInvalid, &said, &[]));
            }
        };
        let application = Application {
            id: self.desk.fresh_id()?,
            enterprise,
            subject,
            commitment: parse::filled("commitment", &request.commitment)?,
            evidence: parse::evidence(request.evidence)?,
        };
        let remedy = Remedy::Apply(Box::new(application), party);
        let (repair, token) = self.take(&call, remedy, repeat, &request_id).await?;
        Ok(Response::new(pb::ApplyRepairResponse {
            repair: Some(repair),
            token,
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn review_repair(
        &self,
        request: Request<pb::ReviewRepairRequest>,
    ) -> Result<Response<pb::ReviewRepairResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let request_id = std::mem::take(&mut request.request_id);
        let repeat = parse::request(&call, "ReviewRepair", request_id.clone(), &request);
        let verdict = match request.verdict() {
            pb::RepairVerdict::Grant => Verdict::Grant {
                certificate: certificate_number()?,
            },
            pb::RepairVerdict::Refuse => Verdict::Refuse,
            pb::RepairVerdict::Unspecified => {
                let said =
                    LocalizedText::new("请注明准予或者不予修复", "say whether it is granted or refused");
                return Err(field("verdict", ErrorReason::FieldInvalid, &said, &[]));
            }
        };
        let examination = Examination {
            name: named(&request.name)?,
            verdict,
            findings: Findings {
                corrected: request.corrected,
                committed: request.committed,
                others_hold: request.others_hold,
            },
            opinion: parse::filled("opinion", &request.opinion)?,
        };
        let remedy = Remedy::Review(Box::new(examination), parse::actor(&call)?);
        let (repair, token) = self.take(&call, remedy, repeat, &request_id).await?;
        Ok(Response::new(pb::ReviewRepairResponse {
            repair: Some(repair),
            token,
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn withdraw_repair(
        &self,
        request: Request<pb::WithdrawRepairRequest>,
    ) -> Result<Response<pb::WithdrawRepairResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let request_id = std::mem::take(&mut request.request_id);
        let repeat = parse::request(&call, "WithdrawRepair", request_id.clone(), &request);
        let name = named(&request.name)?;
        let party = desk::party(&call, &name.enterprise)?;
        let remedy = Remedy::WithdrawRepair(name, party);
        let (repair, token) = self.take(&call, remedy, repeat, &request_id).await?;
        Ok(Response::new(pb::WithdrawRepairResponse {
            repair: Some(repair),
            token,
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn get_repair(
        &self,
        request: Request<pb::GetRepairRequest>,
    ) -> Result<Response<pb::GetRepairResponse>, Status> {
        let (call, request) = accept(request)?;
        let name = named(&request.name)?;
        call.own(&name.enterprise)?;
        let viewer = parse::viewer(&call)?;
        let found = self.desk.cases.repair(&name).await;
        let (repair, position) = found.map_err(|error| status::store(&error))?;
        let hidden = repair.is_some();
        let repair = repair.filter(|repair| viewer.sees_case(&repair.enterprise, &repair.department));
        let repair = repair.ok_or_else(|| unknown(name, hidden))?;
        Ok(Response::new(pb::GetRepairResponse {
            repair: Some(convert_repair(&repair, &viewer, self.desk.now())),
            token: token(position),
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn list_repairs(
        &self,
        request: Request<pb::ListRepairsRequest>,
    ) -> Result<Response<pb::ListRepairsResponse>, Status> {
        let (call, request) = accept(request)?;
        let asked = Asked {
            parent: &request.parent,
            stage: state(request.state()).map(repair_stage),
            overdue: request.overdue,
            page_size: request.page_size,
            page_token: &request.page_token,
        };
        let (repairs, next_page_token, position) = self.desk.list::<Repair>(&call, asked).await?;
        let (viewer, now) = (parse::viewer(&call)?, self.desk.now());
        Ok(Response::new(pb::ListRepairsResponse {
            repairs: repairs
                .iter()
                .map(|repair| convert_repair(repair, &viewer, now))
                .collect(),
            next_page_token,
            token: token(position),
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn get_repair_certificate(
        &self,
        request: Request<pb::GetRepairCertificateRequest>,
    ) -> Result<Response<pb::GetRepairCertificateResponse>, Status> {
        let (_, request) = accept(request)?;
        let number = names::single("name", &request.name, "repairCertificates")?;
        let certificate = match Code::parse(number) {
            Ok(number) => {
                let found = self.desk.cases.certified(&number).await;
                let (repair, position) = found.map_err(|error| status::store(&error))?;
                repair.and_then(|repair| certificate(&repair, position))
            }
            Err(_) => None,
        };
        let certificate = certificate.ok_or_else(|| {
            let said = LocalizedText::new(
                "没有这个编号的修复证明，请核对编号",
                "no certificate has this number: check it",
            );
            greenstar_rpc::status(tonic::Code::NotFound, ErrorReason::RepairUnknown, &said, &[])
        })?;
        Ok(Response::new(pb::GetRepairCertificateResponse {
            certificate: Some(certificate),
        }))
    }
}

impl RepairRpc {
    /// Takes one step; answers the repair as the step left it.
    async fn take(
        &self,
        call: &Call,
        remedy: Remedy,
        request: Option<greenstar_store::Request>,
        request_id: &str,
    ) -> Result<(pb::Repair, String), Status> {
        let viewer = parse::viewer(call)?;
        let (case, position) = self.desk.take(remedy, request, request_id).await?;
        match case {
            Case::Repair(repair) => Ok((convert_repair(&repair, &viewer, self.desk.now()), token(position))),
            Case::Appeal(_) => Err(desk::mixed_up()),
        }
    }
}

/// Random, so that nobody finds one who was not shown it.
fn certificate_number() -> Result<Code, Status> {
    let number = Uuid::new_v4().simple().to_string();
    Code::parse(&number).map_err(|error| status::store(&greenstar_store::StoreError::corrupt(error)))
}

fn named(raw: &str) -> Result<RepairName, Status> {
    let (enterprise, id) = desk::child("name", raw, "repairs")?;
    Span::current().record(attributes::ENTERPRISE, enterprise.as_str());
    Ok(RepairName { enterprise, id })
}

fn unknown(repair: RepairName, hidden: bool) -> Status {
    status::refused(&RemedyRefusal::RepairUnknown { repair, hidden }.into())
}

fn state(raw: pb::RepairState) -> Option<RepairState> {
    match raw {
        pb::RepairState::Unspecified => None,
        pb::RepairState::Applied => Some(RepairState::Applied),
        pb::RepairState::Granted => Some(RepairState::Granted),
        pb::RepairState::Refused => Some(RepairState::Refused),
        pb::RepairState::Withdrawn => Some(RepairState::Withdrawn),
    }
}

fn wire_state(state: RepairState) -> pb::RepairState {
    match state {
        RepairState::Applied => pb::RepairState::Applied,
        RepairState::Granted => pb::RepairState::Granted,
        RepairState::Refused => pb::RepairState::Refused,
        RepairState::Withdrawn => pb::RepairState::Withdrawn,
    }
}

fn convert_repair(repair: &Repair, viewer: &Viewer, now: Timestamp) -> pb::Repair {
    let review = repair.review();
    let reviewer = review.filter(|_| match viewer {
        Viewer::Department(department) => *department == repair.department,
        Viewer::Enterprise(_) => false,
    });
    let certificate = repair.certificate();
    pb::Repair {
        name: repair.name().to_string(),
        state: wire_state(repair.state()).into(),
        document: Some(convert::document(&repair.document)),
        site: repair
            .reach
            .site()
            .map(|site| site.as_str().to_owned())
            .unwrap_or_default(),
        flags: repair.flag_names().map(|name| name.to_string()).collect(),
        department: repair.department.to_string(),
        commitment: repair.commitment.clone(),
        evidence: repair.evidence.iter().map(convert::evidence).collect(),
        apply_time: Some(convert::timestamp(repair.applied_at)),
        due_time: Some(convert::timestamp(repair.due_at)),
        review_time: review.map(|review| convert::timestamp(review.at)),
        reviewer: reviewer
            .map(|review| review.officer.0.clone())
            .unwrap_or_default(),
        conditions: repair.conditions(now).iter().map(condition).collect(),
        opinion: review.map(|review| review.opinion.clone()).unwrap_or_default(),
        certificate: certificate
            .map(|(number, _)| number.to_string())
            .unwrap_or_default(),
        overdue: repair.overdue(now),
    }
}

fn convert_option(option: &RepairOption, viewer: &Viewer, now: Timestamp) -> pb::RepairOption {
    pb::RepairOption {
        document: Some(convert::document(&option.document)),
        site: option
            .site
            .as_ref()
            .map(|site| site.as_str().to_owned())
            .unwrap_or_default(),
        flags: option
            .flags
            .iter()
            .map(|flag| convert::flag(flag, now, viewer.sight(flag)))
            .collect(),
        department: option.department.to_string(),
        severity: convert::severity(option.severity).into(),
        repairable: option.earliest_at.is_some(),
        earliest_time: option.earliest_at.map(convert::timestamp),
        end_time: Some(convert::timestamp(option.ends_at)),
        conditions: option.conditions.iter().map(condition).collect(),
        why: Some(convert::text(&option.why)),
        repair: option.open.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

fn condition(condition: &Condition) -> pb::RepairCondition {
    let kind = match condition.kind {
        ConditionKind::Window => pb::RepairConditionKind::Window,
        ConditionKind::Corrected => pb::RepairConditionKind::Corrected,
        ConditionKind::Commitment => pb::RepairConditionKind::Commitment,
        ConditionKind::Other => pb::RepairConditionKind::Other,
    };
    pb::RepairCondition {
        kind: kind.into(),
        holds: condition.holds,
        text: Some(convert::text(&condition.text)),
    }
}

/// `None`: it was not granted. `head`: of the database that has it.
fn certificate(repair: &Repair, head: Position) -> Option<pb::RepairCertificate> {
    let (number, revision) = repair.certificate()?;
    let since = repair.review()?.at;
    let document = &repair.document;
    let text = common::LocalizedText {
        zh: format!(
            "{}（{}，{}）所涉失信行为已于 {} 完成信用修复：应当停止公示、停止共享、停止使用，并解除相关措施。",
            document.number,
            document.issuer,
            document.date,
            since.date()
        ),
        en: format!(
            "The fault of {} ({}, {}) is repaired since {}: publication, sharing and use have to stop, and measures \
             that rest on it are lifted.",
            document.number,
            document.issuer,
            document.date,
            since.date()
        ),
    };
    let position = Position {
        epoch: head.epoch,
        revision,
    };
    Some(pb::RepairCertificate {
        name: format!("repairCertificates/{number}"),
        enterprise: format!("enterprises/{}", repair.enterprise),
        document: Some(convert::document(document)),
        flags: repair.flag_names().map(|name| name.to_string()).collect(),
        department: repair.department.to_string(),
        repair_time: Some(convert::timestamp(since)),
        token: Token::of(Log::Sanctions, position).to_string(),
        text: Some(text),
    })
}
