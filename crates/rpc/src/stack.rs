//! A service's server: its gRPC services behind the layers, with health and reflection beside them.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use greenstar_feed::Feed;
use greenstar_kernel::Log;
use greenstar_proto::rest::Grpc;
use greenstar_store::Tally;
use greenstar_telemetry::{Metrics, Telemetry};
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::RoutesBuilder;
use tonic::transport::Channel;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt as _};

use crate::client;
use crate::credentials::Credentials;
use crate::door::Door;
use crate::guard::{Guard, Limits, Services};
use crate::meters;
use crate::reflection::add_reflection;
use crate::watching::Watching;

/// A server that is put together and not yet, or more than once, served.
#[derive(Clone, Debug)]
pub struct Stack {
    grpc: Grpc,
    door: Door,
    health: Health,
}

/// Collects the services of a [`Stack`].
#[derive(Debug)]
pub struct StackBuilder {
    named: Vec<(&'static str, Grpc)>,
    services: Vec<&'static str>,
    credentials: Arc<Credentials>,
    limits: Limits,
    telemetry: Telemetry,
    quick: &'static [&'static str],
}

/// The health names of a stack: the empty name, each of its services, and `fresh`.
#[derive(Clone, Debug)]
pub struct Health {
    reporter: HealthReporter,
    services: Arc<[&'static str]>,
}

impl Health {
    /// Whether calls are taken. A new stack does not until this says so.
    pub async fn serving(&self, yes: bool) {
        for service in std::iter::once(&"").chain(self.services.iter()) {
            self.reporter.set_service_status(*service, status(yes)).await;
        }
    }

    /// The health name `fresh`: whether the view is within its bound of staleness. A stale replica stays
    /// serving (protocol.md §4).
    pub async fn fresh(&self, yes: bool) {
        self.reporter.set_service_status("fresh", status(yes)).await;
    }
}

fn status(yes: bool) -> ServingStatus {
    if yes {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    }
}

impl Stack {
    /// Callers are known by `credentials`.
    pub fn builder(credentials: Arc<Credentials>) -> StackBuilder {
        StackBuilder {
            named: Vec::new(),
            services: Vec::new(),
            credentials,
            limits: Limits::default(),
            telemetry: Telemetry::of_process(),
            quick: &[],
        }
    }

    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The services behind their layers, to be called in the same process.
    pub fn grpc(&self) -> Grpc {
        self.grpc.clone()
    }

    /// Names of the services, e.g. `greenstar.rating.v1.RatingService`.
    pub fn services(&self) -> &[&'static str] {
        &self.health.services
    }

    /// Serves all protocols on one port until `stop`; open calls then have five seconds to end.
    pub async fn serve(&self, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
        self.door.clone().serve(listener, stop).await
    }

    /// Serves in memory until `stop`: a channel without a port.
    pub fn in_process(&self, stop: CancellationToken) -> Channel {
        client::in_process(self.door.clone(), stop)
    }
}

impl StackBuilder {
    /// Adds a gRPC service, e.g. `RatingServiceServer::new(…)`.
    #[must_use]
    pub fn with<S, B>(mut self, service: S) -> StackBuilder
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let service = service.map_response(|response: Response<B>| response.map(Body::new));
        self.services.push(S::NAME);
        self.named.push((S::NAME, BoxCloneSyncService::new(service)));
        self
    }

    /// As [`Door::quick`].
    #[must_use]
    pub fn quick(mut self, paths: &'static [&'static str]) -> StackBuilder {
        self.quick = paths;
        self
    }

    /// Other limits than the default ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> StackBuilder {
        self.limits = limits;
        self
    }

    /// Counts and traces calls by something else than the process's own.
    #[must_use]
    pub fn telemetry(mut self, telemetry: Telemetry) -> StackBuilder {
        self.telemetry = telemetry;
        self
    }

    /// Where the service may register what it has to tell.
    pub fn metrics(&self) -> &Metrics {
        self.telemetry.metrics()
    }

    /// Tells of the service's own log: where its feed stands, and what its writer has done.
    #[must_use]
    pub fn tells_of(self, log: Log, feed: &Feed, tally: Tally) -> StackBuilder {
        let feed = feed.clone();
        let who = format!("log/{}", log.as_str());
        self.metrics()
            .register(who, move |samples| meters::log(samples, log, &feed, &tally));
        self
    }

    /// Tells of those who follow the service's own log.
    #[must_use]
    pub fn tells_of_followers(self, watching: &Watching) -> StackBuilder {
        let watching = watching.clone();
        let who = format!("followers/{}", watching.log().as_str());
        self.metrics()
            .register(who, move |samples| watching.tell(samples));
        self
    }

    /// The finished stack; it says NOT_SERVING until [`Health::serving`].
    pub fn build(self) -> Stack {
        let (reporter, health) = tonic_health::server::health_reporter();
        let mut others = RoutesBuilder::default();
        others.add_service(health);
        add_reflection(&mut others, &self.services);
        let packages: Vec<&str> = self
            .services
            .iter()
            .filter_map(|name| name.rsplit_once('.'))
            .map(|(package, _)| package)
            .collect();
        let behind = Services {
            named: self.named,
            others: others.routes().prepare(),
        };
        let guard = Guard::new(behind, self.credentials, self.limits);
        let grpc: Grpc = BoxCloneSyncService::new(guard);
        let door = Door::observed(grpc.clone(), &packages, self.limits, self.telemetry).quick(self.quick);
        let health = Health {
            reporter,
            services: self.services.into(),
        };
        // Nobody else knows the reporter yet, so this does not wait.
        health.serving(false).now_or_never();
        Stack { grpc, door, health }
    }
}
