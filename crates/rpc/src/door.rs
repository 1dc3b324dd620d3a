//! One port, three protocols: gRPC, gRPC-Web and REST/JSON, all ending in the same gRPC services.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use greenstar_proto::METHODS;
use greenstar_proto::rest::{Grpc, Rest};
use greenstar_telemetry::{CONTENT_TYPE, Telemetry};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use rest_over_grpc::transcoding::TranscodeResponse;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};
use tower_http::cors::CorsLayer;

use crate::guard::Limits;
use crate::json::{self, Accepted};
use crate::limit::DRAIN;
use crate::observe::{Observe, Observed};
use crate::streamed::Form;
use crate::{Origin, bound, cors, misread, openapi, refusals, streamed};

/// What listens on a port: a gRPC service and the protocols it is reached by.
#[derive(Clone)]
pub struct Door {
    inner: Arc<Inner>,
    /// None: no web page may call.
    pages: Option<Arc<CorsLayer>>,
    /// Paths of calls that are answered from memory.
    quick: &'static [&'static str],
}

struct Inner {
    grpc: Observed<Grpc>,
    observe: Observe,
    rest: Rest,
    openapi: Bytes,
    limits: Limits,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door")
            .field("limits", &self.inner.limits)
            .field("pages", &self.pages)
            .finish_non_exhaustive()
    }
}

impl Door {
    /// Opens `grpc` to all protocols. `packages` are described at `/openapi.json`. Of `limits` a REST body is held
    /// to `request_bytes` and `deadline`.
    pub fn new(grpc: Grpc, packages: &[&str], limits: Limits) -> Door {
        Door::observed(grpc, packages, limits, Telemetry::of_process())
    }

    /// As [`Door::new`]; calls are counted and traced by `telemetry`.
    pub(crate) fn observed(grpc: Grpc, packages: &[&str], limits: Limits, telemetry: Telemetry) -> Door {
        let observe = Observe::new(telemetry);
        let grpc = observe.layer(grpc);
        let rest = Rest::new(Grpc::new(grpc.clone()), json::details);
        Door {
            inner: Arc::new(Inner {
                grpc,
                observe,
                rest,
                openapi: openapi::document(packages).into(),
                limits,
            }),
            pages: None,
            quick: &[],
        }
    }

    /// Calls of these gRPC paths, e.g. `/greenstar.supervision.v1.LicensingService/CheckPermit`, are answered from
    /// memory: where a process has several threads, they stay on the thread of their connection. All others are handed
    /// to the runtime that serves. At first there are none, and nothing is handed on.
    #[must_use]
    pub fn quick(mut self, paths: &'static [&'static str]) -> Door {
        self.quick = paths;
        self
    }

    pub(crate) fn is_quick_at_all(&self) -> bool {
        !self.quick.is_empty()
    }

    /// Answers a request of a connection that is served on a place of its own, if `elsewhere` is the runtime of all
    /// that takes longer.
    pub(crate) fn answer_from(
        &self,
        elsewhere: Option<&Handle>,
        request: Request<Body>,
    ) -> BoxFuture<'static, Response<Body>> {
        let Some(elsewhere) = elsewhere.filter(|_| !self.quick.contains(&request.uri().path())) else {
            return self.answer(request);
        };
        let path = request.uri().path().to_owned();
        // Dropped with the call, so that a caller who has gone ends it.
        let answer = AbortOnDropHandle::new(elsewhere.spawn(self.answer(request)));
        Box::pin(async move {
            answer.await.unwrap_or_else(|error| {
                tracing::error!(%error, path, "a call ended without an answer");
                refusals::internal(&error).into_http()
            })
        })
    }

    /// Lets web pages of these origins call, by REST or gRPC-Web. With none, no page may, and OPTIONS is a verb
    /// that no path takes.
    #[must_use]
    pub fn open_to(mut self, origins: &[Origin]) -> Door {
        self.pages = (!origins.is_empty()).then(|| Arc::new(cors::layer(origins)));
        self
    }

    /// Answers one request of any protocol. Boxed, so that it is compiled in this crate only.
    #[inline(never)]
    pub fn answer(&self, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        if self.pages.is_none() && is_grpc(&request) {
            // By far the most calls: not in the large future of all protocols.
            let answering = self.inner.grpc.clone().call(request);
            return Box::pin(async move {
                let Ok(response) = answering.await;
                response
            });
        }
        let door = self.clone();
        Box::pin(async move {
            let Some(pages) = door.pages.clone() else {
                return door.dispatch(request).await;
            };
            let inner = service_fn(move |request| {
                let door = door.clone();
                async move { Ok::<_, Infallible>(door.dispatch(request).await) }
            });
            let Ok(response) = pages.layer(inner).oneshot(request).await;
            response
        })
    }

    async fn dispatch(&self, request: Request<Body>) -> Response<Body> {
        let kind = content_type(&request);
        if kind.starts_with(GRPC_WEB) {
            let mut web = tonic_web::GrpcWebLayer::new().layer(self.inner.grpc.clone());
            let Ok(response) = web.call(request).await.map_err(|never: Infallible| never);
            return response;
        }
        if is_grpc(&request) {
            let Ok(response) = self.inner.grpc.clone().call(request).await;
            return response;
        }
        self.rest(request).await
    }

    /// HEAD is answered as GET, and its body stays here.
    async fn rest(&self, mut request: Request<Body>) -> Response<Body> {
        if request.method() != http::Method::HEAD {
            return self.transcode(request).await;
        }
        *request.method_mut() = http::Method::GET;
        let mut response = self.transcode(request).await;
        let body = std::mem::replace(response.body_mut(), Body::empty());
        if let Some(length) = http_body::Body::size_hint(&body).exact() {
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, length.into());
        }
        response
    }

    async fn transcode(&self, request: Request<Body>) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        let accepted = Accepted::of(&parts.headers);
        let (verb, path) = (parts.method.as_str(), parts.uri.path());
        if path == DOCUMENT && parts.method == http::Method::GET {
            return json::with_json(StatusCode::OK, self.inner.openapi.clone());
        }
        if path == METRICS && parts.method == http::Method::GET {
            return self.metrics();
        }
        let kind = parts
            .headers
            .get(header::CONTENT_TYPE)
            .map_or(&b""[..], |value| value.as_bytes());
        // Connect's streams have no end that could be waited for; its unary calls have paths that are not ours.
        if kind.starts_with(b"application/connect") {
            return json::response(&refusals::path_unknown(verb, path), accepted);
        }
        let read = tokio::time::timeout(self.inner.limits.deadline, self.read(body)).await;
        let body = match read.unwrap_or_else(|_| Err(refusals::deadline_exceeded())) {
            Ok(body) => body,
            Err(refusal) => return json::response(&refusal, accepted),
        };
        let query = parts.uri.query().unwrap_or_default();
        if let Some(refusal) = bound::contradiction(verb, path, query, &body) {
            return json::response(&refusal, accepted);
        }
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let (form, target) = match streamed::is_stream(verb, path) {
            true => streamed::asked(verb, target, &mut parts.headers),
            false => (Form::Array, target.into()),
        };
        match self.inner.rest.answer(verb, &target, parts.headers, &body).await {
            Some(TranscodeResponse::Unary(answer)) => {
                let http = answer.into_http();
                if http.status().is_success() {
                    http.map(|body| Body::new(http_body_util::Full::new(Bytes::from(json::canonical(&body)))))
                } else {
                    let why = || misread::explain(verb, path, query, &body);
                    json::reshaped(http.body(), why, accepted)
                }
            }
            Some(TranscodeResponse::Streaming(answer)) => streamed::response(answer, form, accepted).await,
            None => {
                let allow = verbs(path);
                if allow.is_empty() {
                    json::response(&refusals::path_unknown(verb, path), accepted)
                } else {
                    json::not_allowed(verb, path, &allow.join(", "), accepted)
                }
            }
        }
    }

    fn metrics(&self) -> Response<Body> {
        let page = self.inner.observe.telemetry().metrics().collect().to_prometheus();
        let mut response = Response::new(Body::new(http_body_util::Full::new(Bytes::from(page))));
        let kind = header::HeaderValue::from_static(CONTENT_TYPE);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }

    /// The body, if it is small enough. What is too large is read and thrown away, up to a bound, so that
    /// its sender gets to the answer.
    async fn read(&self, mut body: Body) -> Result<Bytes, Status> {
        let most = self.inner.limits.request_bytes;
        let mut read = BytesMut::new();
        let mut total = 0usize;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| refusals::body_malformed("the body was cut off"))?;
            let Ok(data) = frame.into_data() else { continue };
            total = total.saturating_add(data.len());
            if total <= most {
                read.extend_from_slice(&data);
            } else {
                read = BytesMut::new();
                if total > DRAIN {
                    break;
                }
            }
        }
        if total > most {
            Err(refusals::too_large(most))
        } else {
            Ok(read.freeze())
        }
    }
}

const GRPC_WEB: &[u8] = b"application/grpc-web";

fn content_type(request: &Request<Body>) -> &[u8] {
    let kind = request.headers().get(header::CONTENT_TYPE);
    kind.map_or(&b""[..], |value| value.as_bytes())
}

/// gRPC itself.
fn is_grpc(request: &Request<Body>) -> bool {
    let kind = content_type(request);
    kind.starts_with(b"application/grpc") && !kind.starts_with(GRPC_WEB)
}

const DOCUMENT: &str = "/openapi.json";
/// Counts, ages and revisions for Prometheus: nothing about anybody, so nobody needs to say who they are.
const METRICS: &str = "/metrics";

/// What a path takes; nothing, if there is no such path.
fn verbs(path: &str) -> Vec<&'static str> {
    let mut verbs: Vec<&str> = METHODS
        .iter()
        .filter_map(|method| method.route)
        .filter(|route| route.has_path(path))
        .map(|route| route.verb)
        .collect();
    if path == DOCUMENT || path == METRICS {
        verbs.push("GET");
    }
    if verbs.contains(&"GET") {
        verbs.push("HEAD");
    }
    verbs
}
