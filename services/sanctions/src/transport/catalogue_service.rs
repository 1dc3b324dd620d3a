//! CatalogueService.

use std::sync::Arc;

use greenstar_kernel::{Clock, LocalizedText, Log, Position, Said as _, Token};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::catalogue_service_server::CatalogueService;
use greenstar_rpc::{accept, field, pages};
use greenstar_store::{StoreError, Writer};
use tonic::{Code, Request, Response, Status};

use super::{convert, parse, status};
use crate::domain::catalogue::{Catalogue, Edition, InForce, Law};
use crate::store::{Answer, Command, Reader, SanctionsJournal};

#[derive(Debug)]
pub(crate) struct CatalogueRpc {
    pub(crate) writer: Writer<SanctionsJournal>,
    pub(crate) reader: Reader,
    pub(crate) clock: Arc<dyn Clock>,
}

#[tonic::async_trait]
impl CatalogueService for CatalogueRpc {
    async fn get_catalogue(
        &self,
        request: Request<pb::GetCatalogueRequest>,
    ) -> Result<Response<pb::GetCatalogueResponse>, Status> {
        let (_, request) = accept(request)?;
        let (law, position) = self.law().await?;
        let edition = match request.edition.as_str() {
            // A service starts with one: without it nothing could be said about the law.
            "" => law.at(self.clock.now()).ok_or_else(not_ready)?,
            raw => edition(&law, raw).ok_or_else(|| unknown(raw))?,
        };
        Ok(Response::new(pb::GetCatalogueResponse {
            catalogue: Some(convert::catalogue(edition)),
            token: token(position),
        }))
    }

    async fn list_catalogues(
        &self,
        request: Request<pb::ListCataloguesRequest>,
    ) -> Result<Response<pb::ListCataloguesResponse>, Status> {
        let (_, request) = accept(request)?;
        let query = ["ListCatalogues"];
        let page = pages::page(request.page_size, &request.page_token, &query)?;
        let after: Option<Edition> = match page.after.as_deref().map(str::parse).transpose() {
            Ok(after) => after,
            Err(_) => return Err(parse::page_token_invalid()),
        };
        let (law, position) = self.law().await?;
        let number = |edition: &InForce| *edition.catalogue.edition();
        let mut rest = law
            .editions()
            .iter()
            .rev()
            .filter(|edition| after.is_none_or(|after| number(edition) < after))
            .peekable();
        let shown: Vec<_> = rest.by_ref().take(page.size).collect();
        let next_page_token = match shown.last().filter(|_| rest.peek().is_some()) {
            Some(last) => pages::next_token(&query, &number(last).to_string()),
            None => String::new(),
        };
        Ok(Response::new(pb::ListCataloguesResponse {
            catalogues: shown
                .into_iter()
                .map(|edition| convert::catalogue(edition))
                .collect(),
            next_page_token,
            token: token(position),
        }))
    }

    async fn create_catalogue(
        &self,
        request: Request<pb::CreateCatalogueRequest>,
    ) -> Result<Response<pb::CreateCatalogueResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let request_id = std::mem::take(&mut request.request_id);
        let repeat = parse::request(&call, "CreateCatalogue", request_id.clone(), &request);
        let effective = match request.effective_date.trim() {
            "" => None,
            day => Some(parse::date("effective_date", day)?),
        };
        let catalogue = Catalogue::from_yaml(&request.source).map_err(|errors| {
            let places: Vec<&str> = errors.0.iter().map(|defect| defect.place.as_str()).collect();
            let metadata = [("place", places.join(","))];
            field("source", ErrorReason::CatalogueInvalid, &errors.said(), &metadata)
        })?;
        let number = *catalogue.edition();
        let command = Command::Create {
            catalogue: Box::new(catalogue),
            effective,
            request: repeat,
        };
        let committed = self.writer.submit(command).await;
        let committed = committed.map_err(|error| status::submit(error, &request_id))?;
        let (law, _) = self.law().await?;
        let enacted = match committed.answer {
            Answer::Asked(answered) if answered == number => edition(&law, &number.to_string()),
            Answer::Asked(_)
            | Answer::Flag(_)
            | Answer::Corrected { .. }
            | Answer::Remedy(_)
            | Answer::Lapsed { .. } => None,
        };
        let enacted = enacted.ok_or_else(|| {
            status::store(&StoreError::corrupt(format!(
                "edition {number} was enacted and is not there"
            )))
        })?;
        Ok(Response::new(pb::CreateCatalogueResponse {
            catalogue: Some(convert::catalogue(enacted)),
            token: token(committed.position),
        }))
    }
}

impl CatalogueRpc {
    async fn law(&self) -> Result<(Law, Position), Status> {
        self.reader.law().await.map_err(|error| status::store(&error))
    }
}

/// `raw`: `2026-1`, or its resource name.
fn edition<'a>(law: &'a Law, raw: &str) -> Option<&'a InForce> {
    let wanted: Edition = raw.strip_prefix("catalogues/").unwrap_or(raw).parse().ok()?;
    let editions = law.editions().iter().map(|edition| &**edition);
    editions
        .into_iter()
        .find(|edition| *edition.catalogue.edition() == wanted)
}

fn unknown(raw: &str) -> Status {
    let said = LocalizedText::new(
        "没有这一版目录，请用 ListCatalogues 查看已有的版次",
        "there is no such edition: see ListCatalogues for those there are",
    );
    let metadata = [("edition", raw.to_owned())];
    greenstar_rpc::status(Code::NotFound, ErrorReason::EditionNotAllowed, &said, &metadata)
}

fn not_ready() -> Status {
    let said = LocalizedText::new("目录尚未就绪，请稍后重试", "there is no catalogue yet: try again");
    greenstar_rpc::status(Code::Unavailable, ErrorReason::NotReady, &said, &[])
}

fn token(position: Position) -> String {
    Token::of(Log::Sanctions, position).to_string()
}
