//! What changed for the enterprises that a department follows.

use futures::stream::BoxStream;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::subscription_service_server::SubscriptionService;
use tonic::{Request, Response, Status};

use super::desk::Desk;
use super::status;

#[derive(Clone, Debug)]
pub(crate) struct SubscriptionRpc(pub(crate) Desk);

#[tonic::async_trait]
impl SubscriptionService for SubscriptionRpc {
    type WatchTreatmentsStream = WatchTreatmentsStream;

    async fn watch_treatments(
        &self,
        request: Request<pb::WatchTreatmentsRequest>,
    ) -> Result<Response<Self::WatchTreatmentsStream>, Status> {
        watch_treatments(&self.0, request).await
    }
}

pub(super) type WatchTreatmentsStream = BoxStream<'static, Result<pb::WatchTreatmentsResponse, Status>>;

pub(super) async fn watch_treatments(
    _desk: &Desk,
    _request: Request<pb::WatchTreatmentsRequest>,
) -> Result<Response<WatchTreatmentsStream>, Status> {
    Err(status::not_ready())
}
