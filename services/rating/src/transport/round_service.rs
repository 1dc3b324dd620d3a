//! RoundService.

use greenstar_kernel::{Code, Timestamp};
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::round_service_server::RoundService;
use greenstar_rpc::{Call, accept, names, pages};
use tonic::{Request, Response, Status};

use super::{Desk, convert, parse, procedure, repeat, status, unexpected};
use crate::domain::command::{Answer, Command, NewRound};
use crate::domain::error::Refusal;
use crate::domain::visibility;
use crate::store::{RequestId, round, rounds};

#[tonic::async_trait]
impl RoundService for Desk {
    #[tracing::instrument(skip_all)]
    async fn create_round(
        &self,
        request: Request<pb::CreateRoundRequest>,
    ) -> Result<Response<pb::CreateRoundResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let id = std::mem::take(&mut request.request_id);
        let repeat = repeat("CreateRound", id, &request);
        let command = Command::CreateRound(NewRound {
            id: parse::round_id(&request.round_id)?,
            title: parse::text("display_name", request.display_name)?,
            scheme: parse::scheme("scheme", &request.scheme)?,
            review_of: match request.review_of.as_str() {
                "" => None,
                name => Some(parse::round("review_of", name)?),
            },
            declare_by: match request.declare_by_date.as_str() {
                "" => None,
                raw => Some(parse::date("declare_by_date", raw)?),
            },
        });
        let (round, token) = self.moved(&call, command, repeat).await?;
        Ok(Response::new(pb::CreateRoundResponse {
            round: Some(round),
            token,
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn get_round(
        &self,
        request: Request<pb::GetRoundRequest>,
    ) -> Result<Response<pb::GetRoundResponse>, Status> {
        let (call, request) = accept(request)?;
        let id = parse::round("name", &request.name)?;
        let (mut tx, token) = self.reading().await?;
        let found = round(&mut tx, &id).await.map_err(|error| status::store(&error))?;
        let round = found
            .filter(|round| visibility::round(&call.caller, round))
            .ok_or_else(|| status::refused(&Refusal::RoundUnknown(request.name)))?;
        let round = Some(convert::round(round, visibility::is_rating(&call.caller)));
        Ok(Response::new(pb::GetRoundResponse { round, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn list_rounds(
        &self,
        request: Request<pb::ListRoundsRequest>,
    ) -> Result<Response<pb::ListRoundsResponse>, Status> {
        let (call, request) = accept(request)?;
        let whole = visibility::is_rating(&call.caller);
        // What is listed depends on who looks.
        let query = ["ListRounds", if whole { "all" } else { "published" }];
        let page = pages::page(request.page_size, &request.page_token, &query)?;
        let after = page.after.as_deref().map(|raw| {
            let (at, id) = raw.split_once(':')?;
            Some((Timestamp::from_micros(at.parse().ok()?), Code::parse(id).ok()?))
        });
        let after = after.map(|key| key.ok_or_else(parse::stale_page)).transpose()?;
        let (mut tx, token) = self.reading().await?;
        let found = rounds(&mut tx, !whole, after, page.size + 1).await;
        let mut found = found.map_err(|error| status::store(&error))?;
        let more = found.len() > page.size;
        found.truncate(page.size);
        let next_page_token = match found.last().filter(|_| more) {
            Some(last) => pages::next_token(&query, &format!("{}:{}", last.created_at.micros(), last.id)),
            None => String::new(),
        };
        let rounds = found
            .into_iter()
            .map(|round| convert::round(round, whole))
            .collect();
        Ok(Response::new(pb::ListRoundsResponse {
            rounds,
            next_page_token,
            token,
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn enrol_enterprises(
        &self,
        request: Request<pb::EnrolEnterprisesRequest>,
    ) -> Result<Response<pb::EnrolEnterprisesResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let id = std::mem::take(&mut request.request_id);
        let repeat = repeat("EnrolEnterprises", id, &request);
        let each = request
            .enterprises
            .iter()
            .map(|name| names::enterprise("enterprises", name));
        let enterprises = each.collect::<Result<_, _>>()?;
        let command = Command::Enrol {
            round: parse::round("round", &request.round)?,
            enterprises,
        };
        let (round, token) = self.moved(&call, command, repeat).await?;
        Ok(Response::new(pb::EnrolEnterprisesResponse {
            round: Some(round),
            token,
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn submit_declaration(
        &self,
        request: Request<pb::SubmitDeclarationRequest>,
    ) -> Result<Response<pb::SubmitDeclarationResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let id = std::mem::take(&mut request.request_id);
        let repeat = repeat("SubmitDeclaration", id, &request);
        let uscc = names::enterprise("enterprise", &request.enterprise)?;
        call.own(&uscc)?;
        let command = Command::Declare {
            round: parse::round("round", &request.round)?,
            uscc,
            claims: request
                .claims
                .into_iter()
                .map(parse::claim)
                .collect::<Result<_, _>>()?,
        };
        let (items, token) = self.counted(&call, command, repeat).await?;
        Ok(Response::new(pb::SubmitDeclarationResponse { items, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn verify_item(
        &self,
        request: Request<pb::VerifyItemRequest>,
    ) -> Result<Response<pb::VerifyItemResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let id = std::mem::take(&mut request.request_id);
        let repeat = repeat("VerifyItem", id, &request);
        let each = request.verdicts.into_iter().map(|verdict| {
            let item = parse::code("verdicts.item", &verdict.item)?;
            Ok((item, parse::grant(&verdict.points, &verdict.tiers)?, verdict.note))
        });
        let verdicts = each.collect::<Result<_, Status>>()?;
        let command = Command::Verify {
            round: parse::round("round", &request.round)?,
            uscc: names::enterprise("enterprise", &request.enterprise)?,
            verdicts,
        };
        let (items, token) = self.counted(&call, command, repeat).await?;
        Ok(Response::new(pb::VerifyItemResponse { items, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn publish_round(
        &self,
        request: Request<pb::PublishRoundRequest>,
    ) -> Result<Response<pb::PublishRoundResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let id = std::mem::take(&mut request.request_id);
        let repeat = repeat("PublishRound", id, &request);
        let command = Command::Publish {
            round: parse::round("name", &request.name)?,
            approval: request.approval,
        };
        let (round, token) = self.moved(&call, command, repeat).await?;
        Ok(Response::new(pb::PublishRoundResponse {
            round: Some(round),
            token,
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn get_declaration(
        &self,
        request: Request<pb::GetDeclarationRequest>,
    ) -> Result<Response<pb::GetDeclarationResponse>, Status> {
        procedure::get_declaration(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn return_declaration(
        &self,
        request: Request<pb::ReturnDeclarationRequest>,
    ) -> Result<Response<pb::ReturnDeclarationResponse>, Status> {
        procedure::return_declaration(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn confirm_verification(
        &self,
        request: Request<pb::ConfirmVerificationRequest>,
    ) -> Result<Response<pb::ConfirmVerificationResponse>, Status> {
        procedure::confirm_verification(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn issue_notices(
        &self,
        request: Request<pb::IssueNoticesRequest>,
    ) -> Result<Response<pb::IssueNoticesResponse>, Status> {
        procedure::issue_notices(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn answer_notice(
        &self,
        request: Request<pb::AnswerNoticeRequest>,
    ) -> Result<Response<pb::AnswerNoticeResponse>, Status> {
        procedure::answer_notice(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn open_public_comment(
        &self,
        request: Request<pb::OpenPublicCommentRequest>,
    ) -> Result<Response<pb::OpenPublicCommentResponse>, Status> {
        procedure::open_public_comment(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn list_proposals(
        &self,
        request: Request<pb::ListProposalsRequest>,
    ) -> Result<Response<pb::ListProposalsResponse>, Status> {
        procedure::list_proposals(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn add_comment(
        &self,
        request: Request<pb::AddCommentRequest>,
    ) -> Result<Response<pb::AddCommentResponse>, Status> {
        procedure::add_comment(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn list_comments(
        &self,
        request: Request<pb::ListCommentsRequest>,
    ) -> Result<Response<pb::ListCommentsResponse>, Status> {
        procedure::list_comments(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn answer_comment(
        &self,
        request: Request<pb::AnswerCommentRequest>,
    ) -> Result<Response<pb::AnswerCommentResponse>, Status> {
        procedure::answer_comment(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn open_deliberation(
        &self,
        request: Request<pb::OpenDeliberationRequest>,
    ) -> Result<Response<pb::OpenDeliberationResponse>, Status> {
        procedure::open_deliberation(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn recuse(
        &self,
        request: Request<pb::RecuseRequest>,
    ) -> Result<Response<pb::RecuseResponse>, Status> {
        procedure::recuse(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn cast_vote(
        &self,
        request: Request<pb::CastVoteRequest>,
    ) -> Result<Response<pb::CastVoteResponse>, Status> {
        procedure::cast_vote(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn close_deliberation(
        &self,
        request: Request<pb::CloseDeliberationRequest>,
    ) -> Result<Response<pb::CloseDeliberationResponse>, Status> {
        procedure::close_deliberation(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn approve_round(
        &self,
        request: Request<pb::ApproveRoundRequest>,
    ) -> Result<Response<pb::ApproveRoundResponse>, Status> {
        procedure::approve_round(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn withdraw_round(
        &self,
        request: Request<pb::WithdrawRoundRequest>,
    ) -> Result<Response<pb::WithdrawRoundResponse>, Status> {
        procedure::withdraw_round(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn dry_run_round(
        &self,
        request: Request<pb::DryRunRoundRequest>,
    ) -> Result<Response<pb::DryRunRoundResponse>, Status> {
        procedure::dry_run_round(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn list_round_steps(
        &self,
        request: Request<pb::ListRoundStepsRequest>,
    ) -> Result<Response<pb::ListRoundStepsResponse>, Status> {
        procedure::list_round_steps(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn list_overdue_steps(
        &self,
        request: Request<pb::ListOverdueStepsRequest>,
    ) -> Result<Response<pb::ListOverdueStepsResponse>, Status> {
        procedure::list_overdue_steps(self, request).await
    }
}

impl Desk {
    /// A step of a round, by the rating department.
    async fn moved(
        &self,
        call: &Call,
        command: Command,
        repeat: Option<RequestId>,
    ) -> Result<(pb::Round, String), Status> {
        match self.submit(call, command, repeat).await? {
            (Answer::Round(round), token) => Ok((convert::round(round, true), token)),
            (_, _) => Err(unexpected()),
        }
    }

    pub(super) async fn counted(
        &self,
        call: &Call,
        command: Command,
        repeat: Option<RequestId>,
    ) -> Result<(i32, String), Status> {
        match self.submit(call, command, repeat).await? {
            (Answer::Items(items), token) => Ok((i32::try_from(items).unwrap_or(i32::MAX), token)),
            (_, _) => Err(unexpected()),
        }
    }
}
