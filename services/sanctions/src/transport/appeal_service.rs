//! AppealService.

use greenstar_kernel::{LocalizedText, Timestamp};
use greenstar_proto::common::v1::{self as common, ErrorReason};
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::appeal_service_server::AppealService;
use greenstar_rpc::{Call, accept, field, names};
use greenstar_telemetry::attributes;
use tonic::{Request, Response, Status};
use tracing::Span;

use super::desk::{self, Asked, Desk};
use super::flag_service::token;
use super::{convert, parse, status};
use crate::domain::appeal::{Appeal, AppealName, AppealStage, AppealState, Filing, Judgement, Verdict};
use crate::domain::remedies::{Case, Remedy, RemedyRefusal};
use crate::domain::viewer::Viewer;
use crate::store::appeal_stage;

#[derive(Debug)]
pub(crate) struct AppealRpc {
    pub(crate) desk: Desk,
}

#[tonic::async_trait]
impl AppealService for AppealRpc {
    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn file_appeal(
        &self,
        request: Request<pb::FileAppealRequest>,
    ) -> Result<Response<pb::FileAppealResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let request_id = std::mem::take(&mut request.request_id);
        let repeat = parse::request(&call, "FileAppeal", request_id.clone(), &request);
        let enterprise = names::enterprise("parent", &request.parent)?;
        Span::current().record(attributes::ENTERPRISE, enterprise.as_str());
        let party = desk::party(&call, &enterprise)?;
        let filing = Filing {
            id: self.desk.fresh_id()?,
            enterprise,
            flag: desk::own_flag(&request.flag, &enterprise)?,
            grounds: parse::filled("grounds", &request.grounds)?,
            evidence: parse::evidence(request.evidence)?,
        };
        let remedy = Remedy::File(Box::new(filing), party);
        let (appeal, token) = self.take(&call, remedy, repeat, &request_id).await?;
        Ok(Response::new(pb::FileAppealResponse {
            appeal: Some(appeal),
            token,
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn decide_appeal(
        &self,
        request: Request<pb::DecideAppealRequest>,
    ) -> Result<Response<pb::DecideAppealResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let request_id = std::mem::take(&mut request.request_id);
        let repeat = parse::request(&call, "DecideAppeal", request_id.clone(), &request);
        let judgement = Judgement {
            name: named(&request.name)?,
            verdict: verdict(request.verdict(), request.severity())?,
            opinion: parse::filled("opinion", &request.opinion)?,
        };
        let remedy = Remedy::Judge(Box::new(judgement), parse::actor(&call)?);
        let (appeal, token) = self.take(&call, remedy, repeat, &request_id).await?;
        Ok(Response::new(pb::DecideAppealResponse {
            appeal: Some(appeal),
            token,
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn withdraw_appeal(
        &self,
        request: Request<pb::WithdrawAppealRequest>,
    ) -> Result<Response<pb::WithdrawAppealResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let request_id = std::mem::take(&mut request.request_id);
        let repeat = parse::request(&call, "WithdrawAppeal", request_id.clone(), &request);
        let name = named(&request.name)?;
        let party = desk::party(&call, &name.enterprise)?;
        let remedy = Remedy::WithdrawAppeal(name, party);
        let (appeal, token) = self.take(&call, remedy, repeat, &request_id).await?;
        Ok(Response::new(pb::WithdrawAppealResponse {
            appeal: Some(appeal),
            token,
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn get_appeal(
        &self,
        request: Request<pb::GetAppealRequest>,
    ) -> Result<Response<pb::GetAppealResponse>, Status> {
        let (call, request) = accept(request)?;
        let name = named(&request.name)?;
        call.own(&name.enterprise)?;
        let viewer = parse::viewer(&call)?;
        let found = self.desk.cases.appeal(&name).await;
        let (appeal, position) = found.map_err(|error| status::store(&error))?;
        let hidden = appeal.is_some();
        let appeal = appeal.filter(|appeal| viewer.sees_case(&appeal.enterprise, &appeal.department));
        let appeal = appeal.ok_or_else(|| {
            let refusal = RemedyRefusal::AppealUnknown { appeal: name, hidden };
            status::refused(&refusal.into())
        })?;
        Ok(Response::new(pb::GetAppealResponse {
            appeal: Some(convert_appeal(&appeal, &viewer, self.desk.now())),
            token: token(position),
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn list_appeals(
        &self,
        request: Request<pb::ListAppealsRequest>,
    ) -> Result<Response<pb::ListAppealsResponse>, Status> {
        let (call, request) = accept(request)?;
        let asked = Asked {
            parent: &request.parent,
            stage: state(request.state()).map(appeal_stage),
            overdue: request.overdue,
            page_size: request.page_size,
            page_token: &request.page_token,
        };
        let (appeals, next_page_token, position) = self.desk.list::<Appeal>(&call, asked).await?;
        let (viewer, now) = (parse::viewer(&call)?, self.desk.now());
        Ok(Response::new(pb::ListAppealsResponse {
            appeals: appeals
                .iter()
                .map(|appeal| convert_appeal(appeal, &viewer, now))
                .collect(),
            next_page_token,
            token: token(position),
        }))
    }
}

impl AppealRpc {
    /// Takes one step; answers the appeal as the step left it.
    async fn take(
        &self,
        call: &Call,
        remedy: Remedy,
        request: Option<greenstar_store::Request>,
        request_id: &str,
    ) -> Result<(pb::Appeal, String), Status> {
        let viewer = parse::viewer(call)?;
        let (case, position) = self.desk.take(remedy, request, request_id).await?;
        match case {
            Case::Appeal(appeal) => Ok((convert_appeal(&appeal, &viewer, self.desk.now()), token(position))),
            Case::Repair(_) => Err(desk::mixed_up()),
        }
    }
}

fn named(raw: &str) -> Result<AppealName, Status> {
    let (enterprise, id) = desk::child("name", raw, "appeals")?;
    Span::current().record(attributes::ENTERPRISE, enterprise.as_str());
    Ok(AppealName { enterprise, id })
}

/// A severity goes with an amendment and with nothing else.
fn verdict(verdict: pb::AppealVerdict, severity: common::Severity) -> Result<Verdict, Status> {
    let severity = parse::severity(severity);
    match (verdict, severity) {
        (pb::AppealVerdict::Dismiss, None) => Ok(Verdict::Dismiss),
        (pb::AppealVerdict::Annul, None) => Ok(Verdict::Annul),
        (pb::AppealVerdict::Amend, Some(severity)) => Ok(Verdict::Amend(severity)),
        (pb::AppealVerdict::Amend, None) => {
            let said = LocalizedText::new(
                "变更决定须注明变更后的（较轻的）严重程度",
                "to amend takes the lower severity: name it",
            );
            Err(field("severity", ErrorReason::SeverityNotAllowed, &said, &[]))
        }
        (pb::AppealVerdict::Dismiss | pb::AppealVerdict::Annul, Some(_)) => {
            let said = LocalizedText::new(
                "只有变更决定才注明严重程度，请去掉",
                "a severity goes with an amendment only: leave it out",
            );
            Err(field("severity", ErrorReason::FieldInvalid, &said, &[]))
        }
        (pb::AppealVerdict::Unspecified, _) => {
            let said = LocalizedText::new("请注明决定", "say what is decided");
            Err(field("verdict", ErrorReason::FieldInvalid, &said, &[]))
        }
    }
}

fn state(raw: pb::AppealState) -> Option<AppealState> {
    match raw {
        pb::AppealState::Unspecified => None,
        pb::AppealState::Filed => Some(AppealState::Filed),
        pb::AppealState::Dismissed => Some(AppealState::Dismissed),
        pb::AppealState::Annulled => Some(AppealState::Annulled),
        pb::AppealState::Amended => Some(AppealState::Amended),
        pb::AppealState::Withdrawn => Some(AppealState::Withdrawn),
    }
}

fn wire_state(state: AppealState) -> pb::AppealState {
    match state {
        AppealState::Filed => pb::AppealState::Filed,
        AppealState::Dismissed => pb::AppealState::Dismissed,
        AppealState::Annulled => pb::AppealState::Annulled,
        AppealState::Amended => pb::AppealState::Amended,
        AppealState::Withdrawn => pb::AppealState::Withdrawn,
    }
}

fn convert_appeal(appeal: &Appeal, viewer: &Viewer, now: Timestamp) -> pb::Appeal {
    let decision = appeal.decision();
    let decider = decision.filter(|_| match viewer {
        Viewer::Department(department) => *department == appeal.department,
        Viewer::Enterprise(_) => false,
    });
    let severity = match &appeal.stage {
        AppealStage::Amended { severity, .. } => convert::severity(*severity),
        AppealStage::Filed
        | AppealStage::Dismissed { .. }
        | AppealStage::Annulled { .. }
        | AppealStage::Withdrawn { .. } => common::Severity::Unspecified,
    };
    pb::Appeal {
        name: appeal.name().to_string(),
        state: wire_state(appeal.state()).into(),
        flag: appeal.flag_name().to_string(),
        department: appeal.department.to_string(),
        grounds: appeal.grounds.clone(),
        evidence: appeal.evidence.iter().map(convert::evidence).collect(),
        suspends: appeal.suspends,
        file_time: Some(convert::timestamp(appeal.filed_at)),
        due_time: Some(convert::timestamp(appeal.due_at)),
        decide_time: decision.map(|decision| convert::timestamp(decision.at)),
        decider: decider
            .map(|decision| decision.officer.0.clone())
            .unwrap_or_default(),
        opinion: decision
            .map(|decision| decision.opinion.clone())
            .unwrap_or_default(),
        severity: severity.into(),
        overdue: appeal.overdue(now),
    }
}
