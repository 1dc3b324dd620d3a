//! CatalogueService.

use greenstar_kernel::{LocalizedText, Log, Token};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::catalogue_service_server::CatalogueService;
use tonic::{Code, Request, Response, Status};

use super::{convert, status};
use crate::store::Reader;

#[derive(Debug)]
pub(crate) struct CatalogueRpc {
    pub(crate) reader: Reader,
}

#[tonic::async_trait]
impl CatalogueService for CatalogueRpc {
    async fn list_catalogues(
        &self,
        _request: Request<pb::ListCataloguesRequest>,
    ) -> Result<Response<pb::ListCataloguesResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn create_catalogue(
        &self,
        _request: Request<pb::CreateCatalogueRequest>,
    ) -> Result<Response<pb::CreateCatalogueResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn get_catalogue(
        &self,
        request: Request<pb::GetCatalogueRequest>,
    ) -> Result<Response<pb::GetCatalogueResponse>, Status> {
        greenstar_rpc::accept(request)?;
        let (law, position) = self
            .reader
            .catalogue()
            .await
            .map_err(|error| status::store(&error))?;
        // A service starts with one: without it nothing could be said about the law.
        let law = law.ok_or_else(|| {
            let said = LocalizedText::new("目录尚未就绪，请稍后重试", "there is no catalogue yet: try again");
            greenstar_rpc::status(Code::Unavailable, ErrorReason::NotReady, &said, &[])
        })?;
        Ok(Response::new(pb::GetCatalogueResponse {
            catalogue: Some(convert::catalogue(&law)),
            token: Token::of(Log::Sanctions, position).to_string(),
        }))
    }
}
