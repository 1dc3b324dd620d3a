//! FlagService.

use std::sync::Arc;

use greenstar_feed::Feed;
use greenstar_kernel::{Caller, Clock, Code, LocalizedText, Log, Position, Token};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::flag_service_server::FlagService;
use greenstar_rpc::{Call, accept, names, pages};
use greenstar_store::{StoreError, Writer};
use greenstar_telemetry::attributes;
use tonic::{Request, Response, Status, Streaming};
use tracing::Span;
use uuid::Uuid;

use super::{convert, parse, status, watch};
use crate::domain::flag::{Flag, FlagName};
use crate::domain::ledger::Step;
use crate::domain::refusal::Refusal;
use crate::store::{Answer, Command, FeedSource, Query, Reader, SanctionsJournal};

#[derive(Debug)]
pub(crate) struct FlagRpc {
    pub(crate) writer: Writer<SanctionsJournal>,
    pub(crate) reader: Reader,
    pub(crate) feed: Feed,
    pub(crate) source: Arc<FeedSource>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[tonic::async_trait]
impl FlagService for FlagRpc {
    async fn revoke_flag(
        &self,
        _request: Request<pb::RevokeFlagRequest>,
    ) -> Result<Response<pb::RevokeFlagResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn correct_flag(
        &self,
        _request: Request<pb::CorrectFlagRequest>,
    ) -> Result<Response<pb::CorrectFlagResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    type StreamFlagsStream =
        std::pin::Pin<Box<dyn futures::Stream<Item = Result<pb::StreamFlagsResponse, Status>> + Send>>;

    async fn stream_flags(
        &self,
        _request: Request<pb::StreamFlagsRequest>,
    ) -> Result<Response<Self::StreamFlagsStream>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn acknowledge_flags(
        &self,
        _request: Request<pb::AcknowledgeFlagsRequest>,
    ) -> Result<Response<pb::AcknowledgeFlagsResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    type WaitConvergedStream =
        std::pin::Pin<Box<dyn futures::Stream<Item = Result<pb::WaitConvergedResponse, Status>> + Send>>;

    async fn wait_converged(
        &self,
        _request: Request<pb::WaitConvergedRequest>,
    ) -> Result<Response<Self::WaitConvergedStream>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn list_subscribers(
        &self,
        _request: Request<pb::ListSubscribersRequest>,
    ) -> Result<Response<pb::ListSubscribersResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn remove_subscriber(
        &self,
        _request: Request<pb::RemoveSubscriberRequest>,
    ) -> Result<Response<pb::RemoveSubscriberResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    type ReportAcknowledgementsStream = std::pin::Pin<
        Box<dyn futures::Stream<Item = Result<pb::ReportAcknowledgementsResponse, Status>> + Send>,
    >;

    async fn report_acknowledgements(
        &self,
        _request: Request<pb::ReportAcknowledgementsRequest>,
    ) -> Result<Response<Self::ReportAcknowledgementsStream>, Status> {
        Err(Status::unimplemented("not built yet"))
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
        let repeat = parse::request(&call, "ConfirmFlag", request_id.clone(), &request);
        let name = named(&request.name)?;
        let (flag, token) = self.take(&call, Step::Confirm(name), repeat, &request_id).await?;
        Ok(Response::new(pb::ConfirmFlagResponse {
            flag: Some(flag),
            token,
            convergence: None,
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
        let shown = convert::flag(&flag, flag.state(self.clock.now()), viewer.sees_officers(&flag));
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
        let shown = |flag: &Flag| convert::flag(flag, flag.state(now), viewer.sees_officers(flag));
        let flags = flags.iter().map(shown).collect();
        Ok(Response::new(pb::ListFlagsResponse {
            flags,
            next_page_token,
            token: token(position),
        }))
    }

    type WatchFlagsStream = watch::Responses;

    async fn watch_flags(
        &self,
        request: Request<Streaming<pb::WatchFlagsRequest>>,
    ) -> Result<Response<Self::WatchFlagsStream>, Status> {
        Ok(Response::new(watch::open(
            &self.feed,
            self.source.clone(),
            request.into_inner(),
        )))
    }

    async fn sync_flags(
        &self,
        request: Request<pb::SyncFlagsRequest>,
    ) -> Result<Response<pb::SyncFlagsResponse>, Status> {
        let (_, request) = accept(request)?;
        let at_least = request.position.as_ref().map(watch::position).transpose();
        let at_least = at_least.map_err(|error| status::feed(&error))?;
        let head = self
            .feed
            .sync(at_least.as_ref())
            .await
            .map_err(|error| status::feed(&error))?;
        Ok(Response::new(pb::SyncFlagsResponse {
            head: Some(watch::wire_position(&head)),
        }))
    }
}

impl FlagRpc {
    /// Takes one step; answers the flag as the step left it, whatever time has done since to a repeat.
    async fn take(
        &self,
        call: &Call,
        step: Step,
        request: Option<greenstar_store::Request>,
        request_id: &str,
    ) -> Result<(pb::Flag, String), Status> {
        let actor = parse::actor(call)?;
        let committed = self.writer.submit(Command::Step { step, actor, request }).await;
        let committed = committed.map_err(|error| status::submit(error, request_id))?;
        match committed.answer {
            Answer::Flag(flag) => {
                let shown = convert::flag(&flag, flag.state(flag.moved_at()), true);
                Ok((shown, token(committed.position)))
            }
            Answer::Asked(_) => Err(status::store(&StoreError::corrupt(
                "a step was answered with an edition",
            ))),
        }
    }

    /// Ids grow with time, so that pages of the store stay together.
    fn fresh_id(&self) -> Result<Code, Status> {
        let micros = u64::try_from(self.clock.now().micros()).unwrap_or(0);
        let nanos = u32::try_from(micros % 1_000_000 * 1000).unwrap_or(0);
        let time = uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos);
        let id = Uuid::new_v7(time).to_string();
        Code::parse(&id).map_err(|error| status::store(&StoreError::corrupt(error)))
    }
}

fn named(raw: &str) -> Result<FlagName, Status> {
    let name = parse::flag_name(raw)?;
    Span::current().record(attributes::ENTERPRISE, name.enterprise.as_str());
    Ok(name)
}

/// A firm lists its own flags, and nobody's else.
fn whose(call: &Call, enterprise: Option<&greenstar_kernel::Uscc>) -> Result<(), Status> {
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

fn token(position: Position) -> String {
    Token::of(Log::Sanctions, position).to_string()
}
