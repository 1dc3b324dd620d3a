//! The ceiling: a bare tonic server that replays one reply. No work of ours: no auth, no view, no record.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::Context as _;
use greenstar_proto::supervision::v1::{CheckPermitRequest, CheckPermitResponse};
use prost::Message;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::wire::Replay;

/// Serves `reply` (an encoded CheckPermitResponse) to every call until it is told to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    reply: &[u8],
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let reply = Arc::new(CheckPermitResponse::decode(reply).context("the reply to replay cannot be read")?);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tonic::transport::Server::builder()
        .add_service(Ceiling { reply })
        .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
        .await?;
    Ok(())
}

/// What tonic generates for a service of one method, less its trait: the reply is shared, not built.
#[derive(Clone, Debug)]
struct Ceiling {
    reply: Arc<CheckPermitResponse>,
}

impl NamedService for Ceiling {
    const NAME: &'static str = "greenstar.supervision.v1.LicensingService";
}

impl tower::Service<http::Request<Body>> for Ceiling {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let handler = Handler {
            reply: Arc::clone(&self.reply),
        };
        Box::pin(async move { Ok(Grpc::new(Replay).unary(handler, request).await) })
    }
}

struct Handler {
    reply: Arc<CheckPermitResponse>,
}

impl UnaryService<CheckPermitRequest> for Handler {
    type Response = Arc<CheckPermitResponse>;
    type Future = Ready<Result<Response<Self::Response>, Status>>;

    fn call(&mut self, _: Request<CheckPermitRequest>) -> Self::Future {
        ready(Ok(Response::new(Arc::clone(&self.reply))))
    }
}
