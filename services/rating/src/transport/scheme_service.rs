//! SchemeService.

use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::scheme_service_server::SchemeService;
use greenstar_rpc::{accept, pages};
use greenstar_store::StoreError;
use tonic::{Request, Response, Status};

use super::scheme_convert::scheme;
use super::{Desk, parse, repeat, status, unexpected};
use crate::domain::command::{Answer, Command};
use crate::domain::error::Refusal;

#[tonic::async_trait]
impl SchemeService for Desk {
    #[tracing::instrument(skip_all)]
    async fn create_scheme(
        &self,
        request: Request<pb::CreateSchemeRequest>,
    ) -> Result<Response<pb::CreateSchemeResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let id = std::mem::take(&mut request.request_id);
        let repeat = repeat("CreateScheme", id, &request);
        let command = Command::CreateScheme {
            source: request.source,
        };
        let (answer, token) = self.submit(&call, command, repeat).await?;
        let Answer::Scheme(key) = answer else {
            return Err(unexpected());
        };
        let (mut tx, _) = self.reading().await?;
        let stored = self.stored(&mut tx, &key).await?;
        let stored = stored.ok_or_else(|| status::store(&StoreError::corrupt("a new scheme vanished")))?;
        Ok(Response::new(pb::CreateSchemeResponse {
            scheme: Some(scheme(&stored, true)),
            token,
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn get_scheme(
        &self,
        request: Request<pb::GetSchemeRequest>,
    ) -> Result<Response<pb::GetSchemeResponse>, Status> {
        let (_, request) = accept(request)?;
        let key = parse::scheme("name", &request.name)?;
        let (mut tx, _) = self.reading().await?;
        let stored = self.stored(&mut tx, &key).await?;
        let stored = stored.ok_or_else(|| status::refused(&Refusal::SchemeUnknown(request.name)))?;
        Ok(Response::new(pb::GetSchemeResponse {
            scheme: Some(scheme(&stored, true)),
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn list_schemes(
        &self,
        request: Request<pb::ListSchemesRequest>,
    ) -> Result<Response<pb::ListSchemesResponse>, Status> {
        let (_, request) = accept(request)?;
        let query = ["ListSchemes"];
        let page = pages::page(request.page_size, &request.page_token, &query)?;
        let (mut tx, _) = self.reading().await?;
        let mut all = self
            .schemes
            .all(&mut tx)
            .await
            .map_err(|error| status::store(&error))?;
        all.sort_by_key(|stored| stored.scheme.key.to_string());
        let behind: Vec<_> = all
            .iter()
            .filter(|stored| {
                page.after
                    .as_ref()
                    .is_none_or(|after| stored.scheme.key.to_string() > *after)
            })
            .collect();
        let next_page_token = match behind.get(..page.size).and_then(<[_]>::last) {
            Some(last) if behind.len() > page.size => pages::next_token(&query, &last.scheme.key.to_string()),
            Some(_) | None => String::new(),
        };
        let schemes = behind
            .iter()
            .take(page.size)
            .map(|stored| scheme(stored, false))
            .collect();
        Ok(Response::new(pb::ListSchemesResponse {
            schemes,
            next_page_token,
        }))
    }
}
