//! The health of the whole: asked of those who know.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::Upstream;

/// What an upstream is given to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a watcher's answer is looked up again.
const EVERY: Duration = Duration::from_secs(1);

/// Asks the upstreams for each check: the owner of a service about that service, all of them about the
/// empty name and about names of no service, such as `fresh`. The whole is serving when all that know
/// the name are.
#[derive(Clone, Debug)]
pub(crate) struct MergedHealth {
    upstreams: Vec<Upstream>,
}

impl MergedHealth {
    pub(crate) fn new(upstreams: Vec<Upstream>) -> MergedHealth {
        MergedHealth { upstreams }
    }

    /// None: nobody knows the name.
    async fn status(&self, name: &str) -> Option<ServingStatus> {
        let owner = self
            .upstreams
            .iter()
            .find(|upstream| upstream.services.iter().any(|service| service == name));
        let asked: Vec<&Upstream> =
            owner.map_or_else(|| self.upstreams.iter().collect(), |owner| vec![owner]);
        let answers = futures::future::join_all(asked.into_iter().map(|upstream| ask(upstream, name))).await;
        answers
            .into_iter()
            .flatten()
            .reduce(|whole, part| match (whole, part) {
                (ServingStatus::Serving, ServingStatus::Serving) => ServingStatus::Serving,
                _ => ServingStatus::NotServing,
            })
    }
}

/// None: the upstream does not know the name. One that does not answer is not serving.
async fn ask(upstream: &Upstream, name: &str) -> Option<ServingStatus> {
    let mut request = Request::new(HealthCheckRequest {
        service: name.to_owned(),
    });
    request.set_timeout(PATIENCE);
    let answer =
        tokio::time::timeout(PATIENCE, HealthClient::new(upstream.grpc.clone()).check(request)).await;
    match answer {
        Ok(Ok(answer)) => Some(answer.into_inner().status()),
        Ok(Err(status)) if status.code() == Code::NotFound => None,
        Ok(Err(_)) | Err(_) => Some(ServingStatus::NotServing),
    }
}

#[tonic::async_trait]
impl Health for MergedHealth {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let name = request.into_inner().service;
        match self.status(&name).await {
            Some(status) => Ok(Response::new(HealthCheckResponse {
                status: status.into(),
            })),
            None => Err(greenstar_rpc::health_unknown(&name)),
        }
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let name = request.into_inner().service;
        let this = self.clone();
        let changes =
            futures::stream::unfold((None, tokio::time::interval(EVERY)), move |(last, mut tick)| {
                let (this, name) = (this.clone(), name.clone());
                async move {
                    loop {
                        tick.tick().await;
                        let now = this.status(&name).await.unwrap_or(ServingStatus::ServiceUnknown);
                        if last != Some(now) {
                            return Some((Ok(HealthCheckResponse { status: now.into() }), (Some(now), tick)));
                        }
                    }
                }
            });
        Ok(Response::new(changes.boxed()))
    }
}
