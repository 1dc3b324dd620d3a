//! Small services of the real contracts, served for real: what they answer shows what reached them.

#![allow(dead_code, reason = "shared with the gateway's tests")]

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use greenstar_kernel::LocalizedText;
use greenstar_proto::common::v1::{ErrorReason, Pong, SnapshotBegin};
use greenstar_proto::sanctions::v1 as sanctions;
use greenstar_proto::sanctions::v1::catalogue_service_server::{CatalogueService, CatalogueServiceServer};
use greenstar_proto::sanctions::v1::flag_service_server::{FlagService, FlagServiceServer};
use greenstar_proto::supervision::v1 as supervision;
use greenstar_proto::supervision::v1::licensing_service_server::{LicensingService, LicensingServiceServer};
use greenstar_rpc::{Credentials, Limits, Stack, accept, checked, fault, names};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, Streaming};

pub(crate) const USCC: &str = "91440300192317458F";
pub(crate) const OTHER: &str = "914403001922038216";
pub(crate) const LICENSING: &str = "secret-of-licensing";
pub(crate) const ENFORCEMENT: &str = "secret-of-enforcement";
pub(crate) const FIRM: &str = "secret-of-the-firm-itself";
pub(crate) const SUBSCRIBER: &str = "secret-of-supervision";

pub(crate) fn credentials() -> Arc<Credentials> {
    let file = format!(
        r#"{{"licensing": "{LICENSING}", "enforcement": "{ENFORCEMENT}", "enterprises/{USCC}": "{FIRM}",
            "supervision-policy": "{SUBSCRIBER}"}}"#
    );
    Arc::new(Credentials::parse(&file).unwrap())
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Every token answers with the principal that reached the handler.
#[derive(Debug)]
pub(crate) struct Flags;

#[tonic::async_trait]
impl FlagService for Flags {
    type WatchFlagsStream = Answers<sanctions::WatchFlagsResponse>;
    type StreamFlagsStream = Answers<sanctions::StreamFlagsResponse>;
    type WaitConvergedStream = Answers<sanctions::WaitConvergedResponse>;
    type ReportAcknowledgementsStream = Answers<sanctions::ReportAcknowledgementsResponse>;

    async fn raise_flag(
        &self,
        request: Request<sanctions::RaiseFlagRequest>,
    ) -> Result<Response<sanctions::RaiseFlagResponse>, Status> {
        let (call, request) = accept(request)?;
        names::enterprise("parent", &request.parent)?;
        Ok(Response::new(sanctions::RaiseFlagResponse {
            flag: None,
            token: call.caller.principal(),
        }))
    }

    async fn confirm_flag(
        &self,
        _: Request<sanctions::ConfirmFlagRequest>,
    ) -> Result<Response<sanctions::ConfirmFlagResponse>, Status> {
        panic!("host db-1 has password hunter2")
    }

    async fn lift_flag(
        &self,
        _: Request<sanctions::LiftFlagRequest>,
    ) -> Result<Response<sanctions::LiftFlagResponse>, Status> {
        let said = LocalizedText::new(
            "数据库暂不可用，请稍后重试",
            "the database cannot be reached; try again",
        );
        let source = std::io::Error::other("host db-1 has password hunter2");
        Err(fault(
            Code::Unavailable,
            ErrorReason::StoreUnavailable,
            &said,
            &source,
        ))
    }

    async fn get_flag(
        &self,
        request: Request<sanctions::GetFlagRequest>,
    ) -> Result<Response<sanctions::GetFlagResponse>, Status> {
        let (call, request) = accept(request)?;
        let (uscc, _) = names::of_enterprise("name", &request.name, "flags")?;
        call.own(&uscc)?;
        Ok(Response::new(sanctions::GetFlagResponse {
            flag: None,
            token: call.caller.principal(),
        }))
    }

    async fn list_flags(
        &self,
        _: Request<sanctions::ListFlagsRequest>,
    ) -> Result<Response<sanctions::ListFlagsResponse>, Status> {
        std::future::pending().await
    }

    async fn watch_flags(
        &self,
        request: Request<Streaming<sanctions::WatchFlagsRequest>>,
    ) -> Result<Response<Self::WatchFlagsStream>, Status> {
        let answers = request.into_inner().map(|step| {
            let step = step?;
            checked(&step)?;
            let event = match step.step {
                Some(sanctions::watch_flags_request::Step::Ping(ping)) => {
                    sanctions::watch_flags_response::Event::Pong(Pong {
                        nonce: ping.nonce,
                        ..Pong::default()
                    })
                }
                Some(_) | None => {
                    sanctions::watch_flags_response::Event::SnapshotBegin(SnapshotBegin::default())
                }
            };
            Ok(sanctions::WatchFlagsResponse { event: Some(event) })
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn sync_flags(
        &self,
        _: Request<sanctions::SyncFlagsRequest>,
    ) -> Result<Response<sanctions::SyncFlagsResponse>, Status> {
        Ok(Response::new(sanctions::SyncFlagsResponse::default()))
    }

    async fn revoke_flag(
        &self,
        _: Request<sanctions::RevokeFlagRequest>,
    ) -> Result<Response<sanctions::RevokeFlagResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn correct_flag(
        &self,
        _: Request<sanctions::CorrectFlagRequest>,
    ) -> Result<Response<sanctions::CorrectFlagResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn acknowledge_flags(
        &self,
        _: Request<sanctions::AcknowledgeFlagsRequest>,
    ) -> Result<Response<sanctions::AcknowledgeFlagsResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn list_subscribers(
        &self,
        _: Request<sanctions::ListSubscribersRequest>,
    ) -> Result<Response<sanctions::ListSubscribersResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn remove_subscriber(
        &self,
        _: Request<sanctions::RemoveSubscriberRequest>,
    ) -> Result<Response<sanctions::RemoveSubscriberResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn stream_flags(
        &self,
        _: Request<sanctions::StreamFlagsRequest>,
    ) -> Result<Response<Self::StreamFlagsStream>, Status> {
        let two = ["", "e.7"].map(|cursor| sanctions::StreamFlagsResponse {
            cursor: cursor.to_owned(),
            message: None,
        });
        Ok(Response::new(futures::stream::iter(two.map(Ok)).boxed()))
    }

    async fn wait_converged(
        &self,
        _: Request<sanctions::WaitConvergedRequest>,
    ) -> Result<Response<Self::WaitConvergedStream>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn report_acknowledgements(
        &self,
        _: Request<sanctions::ReportAcknowledgementsRequest>,
    ) -> Result<Response<Self::ReportAcknowledgementsStream>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }
}

#[tonic::async_trait]
impl CatalogueService for Flags {
    async fn get_catalogue(
        &self,
        request: Request<sanctions::GetCatalogueRequest>,
    ) -> Result<Response<sanctions::GetCatalogueResponse>, Status> {
        let (call, _) = accept(request)?;
        Ok(Response::new(sanctions::GetCatalogueResponse {
            catalogue: None,
            token: call.caller.principal(),
        }))
    }

    async fn list_catalogues(
        &self,
        _: Request<sanctions::ListCataloguesRequest>,
    ) -> Result<Response<sanctions::ListCataloguesResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn create_catalogue(
        &self,
        _: Request<sanctions::CreateCatalogueRequest>,
    ) -> Result<Response<sanctions::CreateCatalogueResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }
}

#[derive(Debug)]
pub(crate) struct Licensing;

#[tonic::async_trait]
impl LicensingService for Licensing {
    async fn check_permit(
        &self,
        request: Request<supervision::CheckPermitRequest>,
    ) -> Result<Response<supervision::CheckPermitResponse>, Status> {
        let (call, request) = accept(request)?;
        names::enterprise("enterprise", &request.enterprise)?;
        Ok(Response::new(supervision::CheckPermitResponse {
            outcome: "FAST_TRACK".to_owned(),
            token: call.caller.principal(),
            ..supervision::CheckPermitResponse::default()
        }))
    }

    async fn batch_check_permits(
        &self,
        _: Request<supervision::BatchCheckPermitsRequest>,
    ) -> Result<Response<supervision::BatchCheckPermitsResponse>, Status> {
        Ok(Response::new(supervision::BatchCheckPermitsResponse::default()))
    }
}

/// A stack with both.
pub(crate) fn stack(limits: Limits) -> Stack {
    Stack::builder(credentials())
        .limits(limits)
        .with(FlagServiceServer::new(Flags))
        .with(CatalogueServiceServer::new(Flags))
        .with(LicensingServiceServer::new(Licensing))
        .build()
}

/// A stack on a port of its own.
pub(crate) struct Server {
    pub(crate) stack: Stack,
    pub(crate) address: String,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(crate) async fn start(stack: Stack) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let served = stack.clone();
        let token = stop.clone();
        let task = tokio::spawn(async move { served.serve(listener, token).await });
        Server {
            stack,
            address,
            stop,
            task,
        }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}
