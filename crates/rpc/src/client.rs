//! Channels to other services, with what a rolling restart needs (pitfalls.md 34): a connect timeout, and
//! keepalive that finds a dead connection.

use std::convert::Infallible;
use std::time::Duration;

use futures::FutureExt as _;
use greenstar_proto::rest::Grpc;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tower::service_fn;
use tower::util::{BoxCloneSyncService, ServiceExt as _};

use crate::door::Door;
use crate::pool::{self, Pool, PoolError};
use crate::refusals;

/// Bytes that wait in each direction of a connection in memory.
const DUPLEX: usize = 256 << 10;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{uri:?} is not the address of a service, e.g. http://127.0.0.1:7001")]
    Address {
        uri: String,
        source: tonic::transport::Error,
    },
    #[error("the secret has characters that a header cannot carry")]
    Secret,
}

/// A channel to `uri`. It connects when first used, and again whenever the connection is lost.
pub fn channel(uri: &str) -> Result<Channel, ClientError> {
    Ok(endpoint(uri)?.connect_lazy())
}

/// A client of the replicas at `uris`, separated by commas.
pub fn pool(uris: &str) -> Result<Pool, ClientError> {
    let endpoints: Result<Vec<Endpoint>, ClientError> =
        uris.split(',').map(str::trim).map(endpoint).collect();
    Ok(Pool::new(endpoints?))
}

/// Returns once the server at `uri` says that it serves.
pub async fn serving(uri: &str) -> Result<(), ClientError> {
    pool::serving(endpoint(uri)?).await;
    Ok(())
}

fn endpoint(uri: &str) -> Result<Endpoint, ClientError> {
    let endpoint = Endpoint::from_shared(uri.to_owned()).map_err(|source| ClientError::Address {
        uri: uri.to_owned(),
        source,
    })?;
    Ok(tuned(endpoint))
}

fn tuned(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(Duration::from_secs(2))
        .tcp_nodelay(true)
        .tcp_keepalive(Some(Duration::from_secs(30)))
        // A half-open connection is found in 3 s, before a view behind it is 5 s old (protocol.md §4).
        .http2_keep_alive_interval(Duration::from_secs(1))
        .keep_alive_timeout(Duration::from_secs(2))
        .keep_alive_while_idle(true)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
}

/// Puts a secret on every call that shows none of its own, and the trace that it is made in.
#[derive(Clone)]
pub struct Credential(MetadataValue<Ascii>);

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(***)")
    }
}

impl Interceptor for Credential {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        if !metadata.contains_key("authorization") {
            metadata.insert("authorization", self.0.clone());
        }
        greenstar_telemetry::propagate(metadata.as_mut());
        Ok(request)
    }
}

/// A client whose calls say who is calling.
pub type Client = InterceptedService<Pool, Credential>;

/// `pool` with `secret` on every call.
pub fn with_credential(pool: impl Into<Pool>, secret: &str) -> Result<Client, ClientError> {
    let mut value: MetadataValue<Ascii> = format!("Bearer {secret}")
        .parse()
        .map_err(|_| ClientError::Secret)?;
    value.set_sensitive(true);
    Ok(InterceptedService::new(pool.into(), Credential(value)))
}

/// A service of the suite behind a pool, as a gRPC service: for a gateway. A service that is down answers
/// UNAVAILABLE SERVICE_UNAVAILABLE, naming it by `service`.
pub fn remote(service: &'static str, pool: Pool) -> Grpc {
    BoxCloneSyncService::new(service_fn(move |request: http::Request<Body>| {
        let pool = pool.clone();
        async move {
            Ok::<_, Infallible>(
                pool.oneshot(request)
                    .await
                    .unwrap_or_else(|error| lost(service, error)),
            )
        }
    }))
}

/// The answer of a service that gave none.
fn lost(service: &'static str, error: PoolError) -> http::Response<Body> {
    let status = Status::from_error(error.into());
    if matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded) {
        return refusals::deadline_exceeded().into_http();
    }
    tracing::warn!(service, error = %status, "a service cannot be reached");
    refusals::service_unavailable(service).into_http()
}

/// Serves `door` in memory until `stop`; the channel connects to it without a port.
pub(crate) fn in_process(door: Door, stop: CancellationToken) -> Channel {
    let (sender, receiver) = mpsc::channel::<DuplexStream>(16);
    let connections = ReceiverStream::new(receiver).map(|connection| (connection, None));
    tokio::spawn(door.accept(connections, stop));
    let connector = service_fn(move |_| {
        let sender = sender.clone();
        async move {
            let (ours, theirs) = tokio::io::duplex(DUPLEX);
            sender
                .send(theirs)
                .await
                .map_err(|_| std::io::Error::from(std::io::ErrorKind::ConnectionRefused))?;
            Ok::<_, std::io::Error>(TokioIo::new(ours))
        }
        .boxed()
    });
    tuned(Endpoint::from_static("http://in-process")).connect_with_connector_lazy(connector)
}
