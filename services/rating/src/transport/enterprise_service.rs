//! EnterpriseService.

use greenstar_kernel::Uscc;
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::enterprise_service_server::EnterpriseService;
use greenstar_rpc::{accept, names, pages};
use greenstar_telemetry::attributes;
use tonic::{Request, Response, Status};
use tracing::Span;

use super::{Desk, convert, parse, repeat, status, unexpected};
use crate::domain::command::{Answer, Command};
use crate::domain::error::Refusal;
use crate::domain::filter::Filter;
use crate::domain::visibility;
use crate::store::{enterprises, firm};

#[tonic::async_trait]
impl EnterpriseService for Desk {
    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn create_enterprise(
        &self,
        request: Request<pb::CreateEnterpriseRequest>,
    ) -> Result<Response<pb::CreateEnterpriseResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let id = std::mem::take(&mut request.request_id);
        let repeat = repeat("CreateEnterprise", id, &request);
        let (uscc, profile) = parse::enterprise(request.enterprise)?;
        Span::current().record(attributes::ENTERPRISE, uscc.as_str());
        let command = Command::CreateEnterprise { uscc, profile };
        let (answer, token) = self.submit(&call, command, repeat).await?;
        let Answer::Enterprise(enterprise) = answer else {
            return Err(unexpected());
        };
        let enterprise = Some(convert::enterprise(enterprise));
        Ok(Response::new(pb::CreateEnterpriseResponse { enterprise, token }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn get_enterprise(
        &self,
        request: Request<pb::GetEnterpriseRequest>,
    ) -> Result<Response<pb::GetEnterpriseResponse>, Status> {
        let (call, request) = accept(request)?;
        let uscc = names::enterprise("name", &request.name)?;
        Span::current().record(attributes::ENTERPRISE, uscc.as_str());
        parse::allowed(visibility::rating(&call.caller, &uscc))?;
        let (mut tx, token) = self.reading().await?;
        let found = firm(&mut tx, &uscc)
            .await
            .map_err(|error| status::store(&error))?;
        let firm = found.ok_or_else(|| status::refused(&Refusal::EnterpriseUnknown(uscc)))?;
        let enterprise = Some(convert::enterprise(firm.enterprise));
        Ok(Response::new(pb::GetEnterpriseResponse { enterprise, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn list_enterprises(
        &self,
        request: Request<pb::ListEnterprisesRequest>,
    ) -> Result<Response<pb::ListEnterprisesResponse>, Status> {
        let (_, request) = accept(request)?;
        let filter = Filter::parse(&request.filter).map_err(|refusal| status::refused(&refusal))?;
        let query = ["ListEnterprises", &request.filter];
        let page = pages::page(request.page_size, &request.page_token, &query)?;
        let after = page.after.as_deref().map(str::parse::<Uscc>).transpose();
        let after = after.map_err(|_| parse::stale_page())?;
        let (mut tx, token) = self.reading().await?;
        // One more than the page tells whether there is a next one.
        let found = enterprises(&mut tx, &filter, after, page.size + 1).await;
        let mut found = found.map_err(|error| status::store(&error))?;
        let more = found.len() > page.size;
        found.truncate(page.size);
        let next_page_token = match found.last().filter(|_| more) {
            Some(last) => pages::next_token(&query, last.uscc.as_str()),
            None => String::new(),
        };
        let enterprises = found.into_iter().map(convert::enterprise).collect();
        Ok(Response::new(pb::ListEnterprisesResponse {
            enterprises,
            next_page_token,
            token,
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn update_enterprise(
        &self,
        request: Request<pb::UpdateEnterpriseRequest>,
    ) -> Result<Response<pb::UpdateEnterpriseResponse>, Status> {
        // The contract's rules speak of a whole enterprise; with a mask only what it names must be there, and
        // that is parsed below.
        let call = greenstar_rpc::call(&request);
        let mut request = request.into_inner();
        let id = std::mem::take(&mut request.request_id);
        if id.len() > 100 {
            let refusal = Refusal::field("request_id", ("至多 100 个字符", "at most 100 characters"));
            return Err(status::refused(&refusal));
        }
        let repeat = repeat("UpdateEnterprise", id, &request);
        let raw = request.enterprise.unwrap_or_default();
        let uscc = names::enterprise("enterprise.name", &raw.name)?;
        Span::current().record(attributes::ENTERPRISE, uscc.as_str());
        let etag = raw.etag.clone();
        let changes = parse::changes(&uscc, raw, &request.update_mask)?;
        let command = Command::UpdateEnterprise { uscc, etag, changes };
        let (answer, token) = self.submit(&call, command, repeat).await?;
        let Answer::Enterprise(enterprise) = answer else {
            return Err(unexpected());
        };
        let enterprise = Some(convert::enterprise(enterprise));
        Ok(Response::new(pb::UpdateEnterpriseResponse { enterprise, token }))
    }
}
