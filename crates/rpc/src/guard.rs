//! What stands in front of every handler, written once: who calls, may they, is there room, how large,
//! how long, and what an error looks like when it leaves. gRPC-Web and REST calls come through here too.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use greenstar_kernel::{Caller, Role};
use greenstar_proto::rest::Grpc;
use greenstar_proto::{Method, method};
use greenstar_telemetry::{attributes, code_name};
use http::{HeaderMap, Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::Service;

use crate::audit::{self, ASKED, Asked};
use crate::call::Call;
use crate::credentials::Credentials;
use crate::limit::limited;
use crate::room::{Place, Room};
use crate::status::error_of;
use crate::watching::Secret;
use crate::{access, refusals, status};

/// What one server takes on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one request message. A REST body is held to the same.
    pub request_bytes: usize,
    /// Unary calls at once.
    pub calls: usize,
    /// Open streams of subscribers at once.
    pub streams: usize,
    /// Open streams of all others at once: officers who wait must not take the places of replicas that follow.
    pub other_streams: usize,
    /// For a unary call that brings no deadline of its own.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            request_bytes: 4 << 20,
            calls: 1024,
            streams: 1024,
            other_streams: 256,
            deadline: Duration::from_secs(10),
        }
    }
}

/// The gRPC services behind all that every call passes.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    shared: Arc<Shared>,
}

/// What is behind it.
#[derive(Debug)]
pub(crate) struct Services {
    /// Those of the contracts by their names. A call finds its method anyway, so no router looks for it once more.
    pub(crate) named: Vec<(&'static str, Grpc)>,
    /// All others.
    pub(crate) others: Routes,
}

impl Services {
    fn call(&self, method: Option<&Method>, request: Request<Body>) -> Answering {
        let named = method.and_then(|method| self.named.iter().find(|(name, _)| *name == method.service));
        match named {
            Some((_, service)) => service.clone().call(request),
            None => Box::pin(self.others.clone().call(request)),
        }
    }
}

type Answering = BoxFuture<'static, Result<Response<Body>, Infallible>>;

#[derive(Debug)]
struct Shared {
    services: Services,
    credentials: Arc<Credentials>,
    limits: Limits,
    calls: Arc<Semaphore>,
    streams: Room,
    other_streams: Room,
}

impl Guard {
    pub(crate) fn new(services: Services, credentials: Arc<Credentials>, limits: Limits) -> Guard {
        let shared = Shared {
            services,
            credentials,
            limits,
            calls: Arc::new(Semaphore::new(limits.calls)),
            streams: Room::new(limits.streams),
            other_streams: Room::new(limits.other_streams),
        };
        Guard {
            shared: Arc::new(shared),
        }
    }
}

impl Service<Request<Body>> for Guard {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Generated services and an axum router are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { Ok(shared.answer(request).await) })
    }
}

impl Shared {
    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let asked = Asked::of(&request, &self.credentials);
        let path = asked.path();
        let caller = asked.caller();
        if greenstar_telemetry::is_traced() {
            greenstar_telemetry::note(attributes::PRINCIPAL, asked.principal());
        }
        let outcome = match caller {
            Ok(caller) => {
                ASKED
                    .scope(asked.clone(), self.pass(request, &asked, caller))
                    .await
            }
            Err(refusal) => Err(refusal),
        };
        let response = match outcome {
            Ok(response) => response,
            Err(status) => status.into_http(),
        };
        // Success has its status behind the body; a status among the headers is an error.
        let Some(refusal) = error_of(response.headers()) else {
            return response;
        };
        let refusal = dressed(refusal, path);
        let reason = status::reason_of(&refusal).unwrap_or_default();
        if audit::is_refusal(refusal.code()) {
            asked.refused(&reason, refusal.code());
        } else {
            let code = code_name(refusal.code());
            let principal = asked.principal();
            tracing::debug!(method = path, principal, reason, code, "call failed");
        }
        refusal.into_http()
    }

    async fn pass(
        &self,
        request: Request<Body>,
        asked: &Asked,
        caller: Caller,
    ) -> Result<Response<Body>, Status> {
        let path = asked.path();
        let known = method(path);
        match known {
            Some(method) => access::check(method, &caller)?,
            None if path.starts_with(OPEN) => {}
            None => return Err(refusals::route_unknown(path)),
        }
        let unary = known.is_some_and(Method::is_unary);
        // Held until the call has ended.
        let (_permit, place) = if unary {
            (Some(self.permit()?), None)
        } else {
            (None, Some(self.place(&caller)?))
        };
        let timeout = timeout(request.headers());
        // A stream has none but its caller's, and it is the handler's to heed.
        let span = timeout.or_else(|| unary.then_some(self.limits.deadline));
        let deadline = span.and_then(|span| Instant::now().checked_add(span));

        let limit = self.limits.request_bytes;
        let mut request = request.map(|body| limited(body, limit));
        request.extensions_mut().insert(Call {
            caller,
            deadline,
            secret: asked.secret().map(|secret| Secret(secret.to_owned())),
        });
        let handled = AssertUnwindSafe(self.services.call(known, request)).catch_unwind();
        let finished = match deadline.filter(|_| unary) {
            Some(deadline) => tokio::time::timeout_at(deadline.into(), handled)
                .await
                .map_err(|_| refusals::deadline_exceeded())?,
            None => handled.await,
        };
        let Ok(response) = finished.map_err(|panic| panicked(&*panic))?;
        Ok(match place {
            None => response,
            Some(place) => response.map(|body| Body::new(Held { body, _place: place })),
        })
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.calls)
            .try_acquire_owned()
            .map_err(|_| refusals::overloaded())
    }

    fn place(&self, caller: &Caller) -> Result<Place, Status> {
        let follows = match caller {
            Caller::Department { roles, .. } => roles.contains(&Role::Subscriber),
            Caller::Enterprise(_) | Caller::Public => false,
        };
        let room = if follows {
            &self.streams
        } else {
            &self.other_streams
        };
        room.enter(caller.principal()).ok_or_else(refusals::overloaded)
    }
}

/// A stream's body, which holds its place until it ends.
struct Held {
    body: Body,
    _place: Place,
}

impl http_body::Body for Held {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Status>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Status {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without text".to_owned());
    refusals::internal(&std::io::Error::other(format!("a handler panicked: {text}")))
}

/// An error without a reason comes from tonic itself (decoding, compression, routing): give it ours. Health
/// and reflection keep the answers that their own contracts describe.
fn dressed(status: Status, path: &str) -> Status {
    if !status.details().is_empty() || path.starts_with(OPEN) {
        return status;
    }
    let message = status.message();
    match status.code() {
        Code::Unimplemented if message.is_empty() => refusals::route_unknown(path),
        Code::Unimplemented => refusals::body_malformed(message),
        Code::OutOfRange | Code::ResourceExhausted
            if message.starts_with("Error, decoded message length") =>
        {
            refusals::too_large(Limits::default().request_bytes)
        }
        Code::ResourceExhausted => refusals::too_large(Limits::default().request_bytes),
        Code::Internal if READING.iter().any(|start| message.starts_with(start)) => {
            refusals::body_malformed(message)
        }
        Code::Cancelled => status,
        _ => refusals::internal(&status),
    }
}

/// Health and reflection: open to all, and no business of a department.
const OPEN: &str = "/grpc.";

/// How tonic's errors about what a caller sent begin.
const READING: [&str; 6] = [
    "failed to decode",
    "protocol error",
    "Unexpected EOF",
    "Missing request message",
    "Error decompressing",
    "tonic-web: malformed base64 request",
];

/// `grpc-timeout`: at most eight digits and a unit. One that cannot be read is as good as none.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}
