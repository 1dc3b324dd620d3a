//! From a gRPC path to the service that owns it. REST and gRPC-Web have become gRPC before they get here.
//! Bodies are passed on as they come, in both directions; the service bounds each message by its prefix.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;

use futures::future::BoxFuture;
use greenstar_rpc::{Grpc, route_unknown};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TRANSFER_ENCODING, UPGRADE};
use http::{Request, Response};
use tonic::body::Body;
use tonic::service::{Routes, RoutesBuilder};
use tonic_health::pb::health_server::HealthServer;
use tower::util::BoxCloneSyncService;
use tower::{Service as _, service_fn};

use crate::Upstream;
use crate::health::MergedHealth;

/// Headers of the caller's connection, not of the call. A gRPC-Web call comes over HTTP/1.1 and goes on over HTTP/2.
const OF_THE_CONNECTION: [HeaderName; 7] = [
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

#[derive(Debug)]
pub(crate) struct Router {
    upstreams: Vec<Upstream>,
    /// Health and reflection of the whole.
    own: Routes,
}

impl Router {
    pub(crate) fn new(upstreams: Vec<Upstream>) -> Router {
        let mut own = RoutesBuilder::default();
        own.add_service(HealthServer::new(MergedHealth::new(upstreams.clone())));
        let services: Vec<&str> = upstreams
            .iter()
            .flat_map(|upstream| upstream.services.iter().map(String::as_str))
            .collect();
        greenstar_rpc::add_reflection(&mut own, &services);
        Router {
            upstreams,
            own: own.routes().prepare(),
        }
    }

    pub(crate) fn into_grpc(self) -> Grpc {
        let router = Arc::new(self);
        BoxCloneSyncService::new(service_fn(move |request| router.route(request)))
    }

    fn route(&self, mut request: Request<Body>) -> BoxFuture<'static, Result<Response<Body>, Infallible>> {
        let path = request.uri().path();
        if path.starts_with("/grpc.") {
            return Box::pin(self.own.clone().call(request));
        }
        let Some(upstream) = self.owner(path) else {
            return Box::pin(ready(Ok(route_unknown(path).into_http())));
        };
        for name in OF_THE_CONNECTION {
            request.headers_mut().remove(name);
        }
        upstream.grpc.clone().call(request)
    }

    /// `/greenstar.rating.v1.RatingService/GetRating` belongs to the owner of `greenstar.rating.v1`.
    fn owner(&self, path: &str) -> Option<&Upstream> {
        let (service, _) = path.strip_prefix('/')?.split_once('/')?;
        let (package, _) = service.rsplit_once('.')?;
        self.upstreams.iter().find(|upstream| upstream.package == package)
    }
}
