//! FlagService.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use greenstar_feed::Feed;
use greenstar_kernel::{Caller, Clock, Code, LocalizedText, Log, Position, Token};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::flag_service_server::FlagService;
use greenstar_rpc::watching::{self, Answers, Question, Recent, Watching};
use greenstar_rpc::{Call, accept, names, pages};
use greenstar_store::{StoreError, Writer};
use greenstar_telemetry::attributes;
use tonic::{Request, Response, Status, Streaming};
use tracing::Span;

use super::{Rating, converge, convert, parse, status, watch};
use crate::domain::flag::{Flag, FlagName};
use crate::domain::ledger::{Correction, Step};
use crate::domain::refusal::Refusal;
use crate::domain::viewer::Sight;
use crate::store::{Answer, Command, FeedSource, Query, Reader, SanctionsJournal};

/// As long as ConfirmFlag waits for convergence.
const MOST_WAITED: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct FlagRpc {
    pub(crate) writer: Writer<SanctionsJournal>,
    pub(crate) reader: Reader,
    pub(crate) feed: Feed,
    pub(crate) watching: Watching,
    pub(crate) rating: Rating,
    pub(crate) source: Arc<FeedSource>,
    pub(crate) recent: Recent<pb::FlagChange>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[tonic::async_trait]
impl FlagService for FlagRpc {
    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn revoke_flag(
        &self,
        request: Request<pb::RevokeFlagRequest>,
    ) -> Result<Response<pb::RevokeFlagResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let request_id = std::mem::take(&mut request.request_id);
        let repeat = parse::request(&call, "RevokeFlag", request_id.clone(), &request);
        let name = named(&request.name)?;
        let step = Step::Revoke {
            name,
            reason: parse::filled("reason", &request.reason)?,
        };
        let (flag, token) = self.take(&call, step, repeat, &request_id).await?;
        Ok(Response::new(pb::RevokeFlagResponse {
            flag: Some(flag),
            token,
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn correct_flag(
        &self,
        request: Request<pb::CorrectFlagRequest>,
    ) -> Result<Response<pb::CorrectFlagResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let request_id = std::mem::take(&mut request.request_id);
        let repeat = parse::request(&call, "CorrectFlag", request_id.clone(), &request);
        let correction = Correction {
            name: named(&request.name)?,
            id: self.fresh_id()?,
            enterprise: parse::flaggable("enterprise", &request.enterprise, request.accept_failed_check)?,
            reason: parse::filled("reason", &request.reason)?,
        };
        let command = Command::Correct {
            correction: Box::new(correction),
            actor: parse::actor(&call)?,
            request: repeat,
        };
        let committed = self.writer.submit(command).await;
        let committed = committed.map_err(|error| status::submit(error, &request_id))?;
        let shown = |flag: &Flag| Some(convert::flag(flag, flag.moved_at(), Sight::Body));
        match committed.answer {
            Answer::Corrected { revoked, proposed } => Ok(Response::new(pb::CorrectFlagResponse {
                revoked: shown(&revoked),
                flag: shown(&proposed),
                token: token(committed.position),
            })),
            Answer::Flag(_) | Answer::Lapsed { .. } | Answer::Remedy(_) | Answer::Asked(_) => {
                Err(status::store(&StoreError::corrupt(
                    "a correction was answered with something else",
                )))
            }
        }
    }

    type StreamFlagsStream = Answers<pb::StreamFlagsResponse>;

    async fn stream_flags(
        &self,
        request: Request<pb::StreamFlagsRequest>,
    ) -> Result<Response<Self::StreamFlagsStream>, Status> {
        let (call, request) = accept(request)?;
        let answers = watch::stream(
            &self.watching,
            &call,
            self.source.clone(),
            self.recent.clone(),
            request,
        )?;
        Ok(Response::new(answers))
    }

    async fn acknowledge_flags(
        &self,
        request: Request<pb::AcknowledgeFlagsRequest>,
    ) -> Result<Response<pb::AcknowledgeFlagsResponse>, Status> {
        let (call, request) = accept(request)?;
        let ack = request.acknowledgement.unwrap_or_default();
        self.watching.acknowledge(&call, &request.subscriber, ack).await?;
        Ok(Response::new(pb::AcknowledgeFlagsResponse {}))
    }

    type WaitConvergedStream = Answers<pb::WaitConvergedResponse>;

    async fn wait_converged(
        &self,
        request: Request<pb::WaitConvergedRequest>,
    ) -> Result<Response<Self::WaitConvergedStream>, Status> {
        let (call, request) = accept(request)?;
        let question = Question::read(&call, request.question)?;
        let answers = converge::wait(&self.watching, &self.feed, &self.rating, question)?;
        Ok(Response::new(answers))
    }

    async fn list_subscribers(
        &self,
        request: Request<pb::ListSubscribersRequest>,
    ) -> Result<Response<pb::ListSubscribersResponse>, Status> {
        let (call, _) = accept(request)?;
        let (subscribers, head, unreachable) = self.watching.list(&call).await?;
        Ok(Response::new(pb::ListSubscribersResponse {
            subscribers,
            head: Some(head),
            unreachable,
        }))
    }

    async fn remove_subscriber(
        &self,
        request: Request<pb::RemoveSubscriberRequest>,
    ) -> Result<Response<pb::RemoveSubscriberResponse>, Status> {
        let (_, request) = accept(request)?;
        self.watching.remove(&request.subscriber).await?;
        Ok(Response::new(pb::RemoveSubscriberResponse {}))
    }

    type ReportAcknowledgementsStream = Answers<pb::ReportAcknowledgementsResponse>;

    async fn report_acknowledgements(
        &self,
        request: Request<pb::ReportAcknowledgementsRequest>,
    ) -> Result<Response<Self::ReportAcknowledgementsStream>, Status> {
        accept(request)?;
        let reports = self.watching.reports().map(|report| {
            let acknowledgements = Some(report?);
            Ok(pb::ReportAcknowledgementsResponse { acknowledgements })
        });
        Ok(Response::new(reports.boxed()))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn raise_flag(
        &self,
        request: Request<pb::RaiseFlagRequest>,
    ) -> Result<Response<pb::RaiseFlagResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let request_id = std::mem::take(&mut request.request_id);
        let repeat = parse::request(&call, "RaiseFlag", request_id.clone(), &request);
        let proposal = parse::proposal(self.fresh_id()?, request)?;
        Span::current().record(attributes::ENTERPRISE, proposal.identity.enterprise.as_str());
        let (flag, token) = self
            .take(&call, Step::Raise(Box::new(proposal)), repeat, &request_id)
            .await?;
        Ok(Response::new(pb::RaiseFlagResponse {
            flag: Some(flag),
            token,
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn confirm_flag(
        &self,
        request: Request<pb::ConfirmFlagRequest>,
    ) -> Result<Response<pb::ConfirmFlagResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let request_id = std::mem::take(&mut request.request_id);
        // How long somebody waits is no part of what is done.
        let wait = request.wait_converged.take();
        let wait = watching::span("wait_converged", wait, MOST_WAITED)?;
        let repeat = parse::request(&call, "ConfirmFlag", request_id.clone(), &request);
        let name = named(&request.name)?;
        let (flag, position) = self.step(&call, Step::Confirm(name), repeat, &request_id).await?;
        // It binds from here on, whatever becomes of the wait.
        let convergence = match wait {
            None => None,
            Some(wait) => {
                let deadline = watching::deadline(&call, wait);
                Some(converge::after(&self.watching, &self.feed, position.clone(), deadline).await)
            }
        };
        Ok(Response::new(pb::ConfirmFlagResponse {
            flag: Some(flag),
            token: token(position),
            convergence,
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn lift_flag(
        &self,
        request: Request<pb::LiftFlagRequest>,
    ) -> Result<Response<pb::LiftFlagResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let request_id = std::mem::take(&mut request.request_id);
        let repeat = parse::request(&call, "LiftFlag", request_id.clone(), &request);
        let name = named(&request.name)?;
        let step = Step::Lift {
            name,
            reason: parse::filled("reason", &request.reason)?,
        };
        let (flag, token) = self.take(&call, step, repeat, &request_id).await?;
        Ok(Response::new(pb::LiftFlagResponse {
            flag: Some(flag),
            token,
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn get_flag(
        &self,
        request: Request<pb::GetFlagRequest>,
    ) -> Result<Response<pb::GetFlagResponse>, Status> {
        let (call, request) = accept(request)?;
        let name = named(&request.name)?;
        call.own(&name.enterprise)?;
        let viewer = parse::viewer(&call)?;
        let (flag, position) = self
            .reader
            .flag(&name)
            .await
            .map_err(|error| status::store(&error))?;
        let flag = flag.ok_or_else(|| status::refused(&Refusal::FlagUnknown { flag: name.clone() }))?;
        if !viewer.sees(&flag) {
            return Err(status::refused(&Refusal::FlagHidden { flag: name }));
        }
        let shown = convert::flag(&flag, self.clock.now(), viewer.sight(&flag));
        Ok(Response::new(pb::GetFlagResponse {
            flag: Some(shown),
            token: token(position),
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn list_flags(
        &self,
        request: Request<pb::ListFlagsRequest>,
    ) -> Result<Response<pb::ListFlagsResponse>, Status> {
        let (call, request) = accept(request)?;
        let viewer = parse::viewer(&call)?;
        let enterprise = match request.parent.as_str() {
            parse::ALL => None,
            parent => Some(names::enterprise("parent", parent)?),
        };
        whose(&call, enterprise.as_ref())?;
        // What is seen depends on who looks, so a page token is of no use to others.
        let looks = call
            .caller
            .department()
            .map_or_else(|| call.caller.principal(), ToString::to_string);
        let query = [
            "ListFlags",
            &request.parent,
            request.state().as_str_name(),
            &looks,
        ];
        let page = pages::page(request.page_size, &request.page_token, &query)?;
        let after = match page.after.as_deref() {
            None => None,
            Some(key) => Some(parse::page_key(key)?),
        };
        let now = self.clock.now();
        let state = parse::state(request.state());
        // One more than the page tells whether there is a next one.
        let wanted = Query {
            enterprise,
            state,
            viewer: viewer.clone(),
            now,
            after,
            limit: page.size + 1,
        };
        let found = self.reader.list(&wanted).await;
        let (mut flags, position) = found.map_err(|error| status::store(&error))?;
        let more = flags.len() > page.size;
        flags.truncate(page.size);
        let next_page_token = match flags.last().filter(|_| more) {
            Some(last) => pages::next_token(&query, &format!("{}:{}", last.raised_at.micros(), last.id)),
            None => String::new(),
        };
        let shown = |flag: &Flag| convert::flag(flag, now, viewer.sight(flag));
        let flags = flags.iter().map(shown).collect();
        Ok(Response::new(pb::ListFlagsResponse {
            flags,
            next_page_token,
            token: token(position),
        }))
    }

    type WatchFlagsStream = Answers<pb::WatchFlagsResponse>;

    async fn watch_flags(
        &self,
        request: Request<Streaming<pb::WatchFlagsRequest>>,
    ) -> Result<Response<Self::WatchFlagsStream>, Status> {
        let call = greenstar_rpc::call(&request);
        let answers = watch::open(
            &self.watching,
            &call,
            self.source.clone(),
            self.recent.clone(),
            request.into_inner(),
        );
        Ok(Response::new(answers))
    }

    async fn sync_flags(
        &self,
        request: Request<pb::SyncFlagsRequest>,
    ) -> Result<Response<pb::SyncFlagsResponse>, Status> {
        let (_, request) = accept(request)?;
        let at_least = request.position.as_ref().map(watching::position).transpose();
        let at_least = at_least.map_err(|error| status::feed(&error))?;
        let head = self
            .feed
            .sync(at_least.as_ref())
            .await
            .map_err(|error| status::feed(&error))?;
        Ok(Response::new(pb::SyncFlagsResponse {
            head: Some(watching::wire_position(&head)),
        }))
    }
}

impl FlagRpc {
    /// As [`FlagRpc::step`], with the token.
    async fn take(
        &self,
        call: &Call,
        step: Step,
        request: Option<greenstar_store::Request>,
        request_id: &str,
    ) -> Result<(pb::Flag, String), Status> {
        let (flag, position) = self.step(call, step, request, request_id).await?;
        Ok((flag, token(position)))
    }

    /// Takes one step; answers the flag as the step left it, whatever time has done since to a repeat.
    async fn step(
        &self,
        call: &Call,
        step: Step,
        request: Option<greenstar_store::Request>,
        request_id: &str,
    ) -> Result<(pb::Flag, Position), Status> {
        let actor = parse::actor(call)?;
        let committed = self.writer.submit(Command::Step { step, actor, request }).await;
        let committed = committed.map_err(|error| status::submit(error, request_id))?;
        match committed.answer {
            Answer::Flag(flag) => {
                let shown = convert::flag(&flag, flag.moved_at(), Sight::Body);
                Ok((shown, committed.position))
            }
            Answer::Corrected { .. } | Answer::Lapsed { .. } | Answer::Remedy(_) | Answer::Asked(_) => {
                Err(status::store(&StoreError::corrupt(
                    "a step was answered with something else than a flag",
                )))
            }
        }
    }

    /// Ids grow with time, so that pages of the store stay together.
    fn fresh_id(&self) -> Result<Code, Status> {
        parse::fresh_id(&*self.clock)
    }
}

fn named(raw: &str) -> Result<FlagName, Status> {
    let name = parse::flag_name(raw)?;
    Span::current().record(attributes::ENTERPRISE, name.enterprise.as_str());
    Ok(name)
}

/// A firm lists its own flags, and nobody's else.
pub(super) fn whose(call: &Call, enterprise: Option<&greenstar_kernel::Uscc>) -> Result<(), Status> {
    match (enterprise, &call.caller) {
        (Some(uscc), _) => call.own(uscc),
        (None, Caller::Department { .. }) => Ok(()),
        (None, Caller::Enterprise(_) | Caller::Public) => {
            let said = LocalizedText::new(
                "企业只能查询自身信息",
                "an enterprise sees only itself: ask with your own code",
            );
            let code = tonic::Code::PermissionDenied;
            Err(greenstar_rpc::status(
                code,
                ErrorReason::NotYourEnterprise,
                &said,
                &[],
            ))
        }
    }
}

pub(super) fn token(position: Position) -> String {
    Token::of(Log::Sanctions, position).to_string()
}
