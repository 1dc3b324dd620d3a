//! SchemeService.

use futures::StreamExt as _;
use futures::stream::BoxStream;
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::dry_run_scheme_response::Event as DryRunEvent;
use greenstar_proto::rating::v1::scheme_service_server::SchemeService;
use greenstar_rpc::{accept, pages};
use greenstar_store::StoreError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{Desk, parse, repeat, scheme_convert, status, unexpected};
use crate::domain::command::{Answer, Command};
use crate::domain::dry_run::Comparison;
use crate::domain::error::Refusal;
use crate::domain::filter::Filter;
use crate::domain::scheme::{Scheme, SchemeKey};
use crate::domain::visibility;
use crate::store::{activations, enterprises, firms, registered};

/// Enterprises that are compared between two messages of progress.
const CHUNK: usize = 500;

#[tonic::async_trait]
impl SchemeService for Desk {
    type DryRunSchemeStream = BoxStream<'static, Result<pb::DryRunSchemeResponse, Status>>;

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
        let scheme = Some(self.shown_scheme(&key, true).await?);
        Ok(Response::new(pb::CreateSchemeResponse { scheme, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn validate_scheme(
        &self,
        request: Request<pb::ValidateSchemeRequest>,
    ) -> Result<Response<pb::ValidateSchemeResponse>, Status> {
        let (_, request) = accept(request)?;
        let faults = match Scheme::proved(&request.source) {
            Ok(_) => Vec::new(),
            Err(faults) => scheme_convert::faults(faults),
        };
        let scheme = Scheme::parse(&request.source).ok();
        Ok(Response::new(pb::ValidateSchemeResponse {
            valid: faults.is_empty(),
            faults,
            scheme: scheme.as_ref().map(scheme_convert::read),
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn dry_run_scheme(
        &self,
        request: Request<pb::DryRunSchemeRequest>,
    ) -> Result<Response<Self::DryRunSchemeStream>, Status> {
        let (_, request) = accept(request)?;
        let new = match (request.source.as_str(), request.scheme.as_str()) {
            ("", name) if !name.is_empty() => {
                let key = parse::scheme("scheme", name)?;
                let (mut tx, _) = self.reading().await?;
                let stored = self.stored(&mut tx, &key).await?;
                let stored =
                    stored.ok_or_else(|| status::refused(&Refusal::SchemeUnknown(name.to_owned())))?;
                stored.scheme.clone()
            }
            (source, "") if !source.is_empty() => {
                Scheme::proved(source).map_err(|faults| status::refused(&Refusal::Scheme(faults)))?
            }
            (_, _) => {
                let said = ("source 与 scheme 二选一", "given as one of source and scheme");
                return Err(status::refused(&Refusal::field("source", said)));
            }
        };
        let filter = Filter::parse(&request.filter).map_err(|refusal| status::refused(&refusal))?;
        let sample = match usize::try_from(request.sample_size) {
            Ok(0) | Err(_) => 20,
            Ok(size) => size.min(1000),
        };
        let population = Population {
            everybody: !request.filter.trim().is_empty(),
            filter,
            sample,
        };
        let (events, received) = mpsc::channel(8);
        let desk = self.clone();
        tokio::spawn(async move {
            let told = desk.dry_run(&new, population, &events).await;
            let last = told.map(|result| pb::DryRunSchemeResponse {
                event: Some(DryRunEvent::Result(result)),
            });
            // Whoever hung up needs no answer.
            let _ = events.send(last).await;
        });
        Ok(Response::new(ReceiverStream::new(received).boxed()))
    }

    #[tracing::instrument(skip_all)]
    async fn activate_scheme(
        &self,
        request: Request<pb::ActivateSchemeRequest>,
    ) -> Result<Response<pb::ActivateSchemeResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let id = std::mem::take(&mut request.request_id);
        let repeat = repeat("ActivateScheme", id, &request);
        let command = Command::ActivateScheme {
            key: parse::scheme("name", &request.name)?,
            from: request
                .activate_time
                .map(|time| parse::instant("activate_time", ErrorReason::ActivationTimeInvalid, &time))
                .transpose()?,
        };
        let (answer, token) = self.submit(&call, command, repeat).await?;
        let Answer::Scheme(key) = answer else {
            return Err(unexpected());
        };
        let scheme = Some(self.shown_scheme(&key, true).await?);
        Ok(Response::new(pb::ActivateSchemeResponse { scheme, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn get_scheme(
        &self,
        request: Request<pb::GetSchemeRequest>,
    ) -> Result<Response<pb::GetSchemeResponse>, Status> {
        let (call, request) = accept(request)?;
        let key = parse::scheme("name", &request.name)?;
        let named = visibility::is_rating(&call.caller);
        let scheme = Some(self.shown_scheme(&key, named).await?);
        Ok(Response::new(pb::GetSchemeResponse { scheme }))
    }

    #[tracing::instrument(skip_all)]
    async fn list_schemes(
        &self,
        request: Request<pb::ListSchemesRequest>,
    ) -> Result<Response<pb::ListSchemesResponse>, Status> {
        let (call, request) = accept(request)?;
        let query = ["ListSchemes"];
        let page = pages::page(request.page_size, &request.page_token, &query)?;
        let (mut tx, _) = self.reading().await?;
        let mut all = self
            .schemes
            .all(&mut tx)
            .await
            .map_err(|error| status::store(&error))?;
        let activated = activations(&mut tx)
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
        let named = visibility::is_rating(&call.caller);
        let schemes = behind.iter().take(page.size).map(|stored| {
            let activation = activated.iter().find(|one| one.key == stored.scheme.key);
            scheme_convert::scheme(stored, activation, false, named)
        });
        Ok(Response::new(pb::ListSchemesResponse {
            schemes: schemes.collect(),
            next_page_token,
        }))
    }
}

/// Whom a new version is tried on.
struct Population {
    filter: Filter,
    /// Also those that another scheme rates.
    everybody: bool,
    sample: usize,
}

impl Desk {
    async fn shown_scheme(&self, key: &SchemeKey, named: bool) -> Result<pb::Scheme, Status> {
        let (mut tx, _) = self.reading().await?;
        let stored = self.stored(&mut tx, key).await?;
        let stored = stored.ok_or_else(|| status::refused(&Refusal::SchemeUnknown(key.to_string())))?;
        let activated = activations(&mut tx)
            .await
            .map_err(|error| status::store(&error))?;
        let activation = activated.iter().find(|one| one.key == *key);
        Ok(scheme_convert::scheme(&stored, activation, true, named))
    }

    /// Goes through the register by code. Each chunk is read at once and on its own, so that nobody waits.
    async fn dry_run(
        &self,
        new: &Scheme,
        population: Population,
        events: &mpsc::Sender<Result<pb::DryRunSchemeResponse, Status>>,
    ) -> Result<pb::DryRunResult, Status> {
        let at = self.instant();
        let store = |error: StoreError| status::store(&error);
        let mut found = Comparison::new(new, at, population.sample);
        let (mut after, mut done) = (None, 0);
        loop {
            let mut tx = self.database.read().await.map_err(store)?;
            let total = registered(&mut tx).await.map_err(store)?;
            let page = enterprises(&mut tx, &population.filter, after, CHUNK)
                .await
                .map_err(store)?;
            let codes = page.iter().map(|enterprise| enterprise.uscc.into()).collect();
            for firm in firms(&mut tx, codes).await.map_err(store)?.values() {
                let Some(stored) = self.scheme_of(&mut tx, firm).await? else {
                    continue;
                };
                if population.everybody || stored.scheme.key.id == new.key.id {
                    found
                        .take(firm, &stored.scheme)
                        .map_err(|error| store(StoreError::corrupt(error)))?;
                }
            }
            drop(tx);
            done += i32::try_from(page.len()).unwrap_or(0);
            after = page.last().map(|enterprise| enterprise.uscc);
            let progress = pb::DryRunSchemeResponse {
                event: Some(DryRunEvent::Progress(pb::DryRunProgress { done, total })),
            };
            if page.len() < CHUNK || events.send(Ok(progress)).await.is_err() {
                return Ok(scheme_convert::comparison(found, at));
            }
        }
    }
}
