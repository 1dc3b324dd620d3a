//! DataQualityService.

use greenstar_kernel::{Caller, Code, Date, LocalizedText, Points, Uscc};
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::data_quality_service_server::DataQualityService;
use greenstar_rpc::{accept, names, pages};
use tonic::{Request, Response, Status};

use super::convert::{text, time};
use super::{Desk, parse, repeat, status, unexpected};
use crate::domain::command::{Answer, Claimed, Command};
use crate::domain::error::Refusal;
use crate::domain::quality::{ClaimState, DataError, Datum, Freshness, SourceId};
use crate::domain::visibility;
use crate::store::{Claims, Month, accuracy, sources};

#[tonic::async_trait]
impl DataQualityService for Desk {
    #[tracing::instrument(skip_all)]
    async fn set_source_cutoff(
        &self,
        request: Request<pb::SetSourceCutoffRequest>,
    ) -> Result<Response<pb::SetSourceCutoffResponse>, Status> {
        let (call, request) = accept(request)?;
        let source = SourceId::parse(names::single("name", &request.name, "sources")?)
            .ok_or_else(|| status::refused(&Refusal::SourceUnknown(request.name.clone())))?;
        let command = Command::SetCutoff {
            source: source.clone(),
            cutoff: parse::past("cutoff", &request.cutoff, self.instant())?,
            promise_days: u16::try_from(request.promise_days).unwrap_or(0),
        };
        let (answer, token) = self.submit(&call, command, None).await?;
        let Answer::Cutoff(said) = answer else {
            return Err(unexpected());
        };
        let fresh = Freshness::of(source, Some(&said), None, self.instant());
        Ok(Response::new(pb::SetSourceCutoffResponse {
            source: Some(freshness(fresh)),
            token,
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn list_sources(
        &self,
        request: Request<pb::ListSourcesRequest>,
    ) -> Result<Response<pb::ListSourcesResponse>, Status> {
        accept(request)?;
        let (mut tx, _) = self.reading().await?;
        let sources = self.freshness(&mut tx).await?;
        Ok(Response::new(pb::ListSourcesResponse { sources }))
    }

    #[tracing::instrument(skip_all)]
    async fn report_data_error(
        &self,
        request: Request<pb::ReportDataErrorRequest>,
    ) -> Result<Response<pb::ReportDataErrorResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let id = std::mem::take(&mut request.request_id);
        let repeat = repeat("ReportDataError", id, &request);
        let datum = Datum::parse(&request.datum)
            .ok_or_else(|| status::refused(&Refusal::DatumUnknown(request.datum.clone())))?;
        let claimed = Claimed {
            uscc: names::enterprise("parent", &request.parent)?,
            id: self.fresh_id()?,
            datum,
            claim: request.claim,
            evidence: request.evidence,
        };
        let command = Command::ReportDataError(claimed);
        let (answer, token) = self.submit(&call, command, repeat).await?;
        let data_error = Some(self.claim(answer)?);
        Ok(Response::new(pb::ReportDataErrorResponse { data_error, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn decide_data_error(
        &self,
        request: Request<pb::DecideDataErrorRequest>,
    ) -> Result<Response<pb::DecideDataErrorResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let id = std::mem::take(&mut request.request_id);
        let repeat = repeat("DecideDataError", id, &request);
        let (uscc, id) = names::of_enterprise("name", &request.name, "dataErrors")?;
        let id = Code::parse(id).map_err(|_| status::refused(&Refusal::DataErrorUnknown))?;
        let command = Command::DecideDataError {
            uscc,
            id,
            accepted: request.accepted,
            answer: request.answer,
        };
        let (answer, token) = self.submit(&call, command, repeat).await?;
        let data_error = Some(self.claim(answer)?);
        Ok(Response::new(pb::DecideDataErrorResponse { data_error, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn list_data_errors(
        &self,
        request: Request<pb::ListDataErrorsRequest>,
    ) -> Result<Response<pb::ListDataErrorsResponse>, Status> {
        let (call, request) = accept(request)?;
        let of = names::enterprise_or_all("parent", &request.parent)?;
        let by = match &call.caller {
            Caller::Public => return Err(status::refused(&Refusal::NotYours)),
            // Claims against its own data, whoever made them.
            Caller::Enterprise(own) if of.as_ref() == Some(own) => None,
            Caller::Enterprise(own) if of.is_none() => Some(format!("enterprises/{own}")),
            Caller::Enterprise(_) => return Err(status::refused(&Refusal::NotYours)),
            Caller::Department { .. } if visibility::is_rating(&call.caller) => None,
            Caller::Department { department, .. } => Some(department.to_string()),
        };
        let flags = format!("{}{}", request.open_only, request.overdue_only);
        let query = ["ListDataErrors", &request.parent, &flags];
        let page = pages::page(request.page_size, &request.page_token, &query)?;
        let after = page.after.as_deref().map(place).transpose()?;
        let now = self.instant();
        let claims = Claims {
            of,
            by,
            open: request.open_only,
            due_before: request.overdue_only.then(|| now.date()),
        };
        let (mut tx, _) = self.reading().await?;
        let found = claims.page(&mut tx, after, page.size + 1).await;
        let mut found = found.map_err(|error| status::store(&error))?;
        let more = found.len() > page.size;
        found.truncate(page.size);
        let last = found.last().filter(|_| more);
        let next = last.map(|last| {
            let key = format!("{}:{}:{}", last.due, last.uscc, last.id);
            pages::next_token(&query, &key)
        });
        Ok(Response::new(pb::ListDataErrorsResponse {
            data_errors: found.into_iter().map(|error| data_error(error, now)).collect(),
            next_page_token: next.unwrap_or_default(),
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn get_accuracy(
        &self,
        request: Request<pb::GetAccuracyRequest>,
    ) -> Result<Response<pb::GetAccuracyResponse>, Status> {
        accept(request)?;
        let (mut tx, _) = self.reading().await?;
        let figures = accuracy(&mut tx).await.map_err(|error| status::store(&error))?;
        let months = figures
            .into_iter()
            .map(|(source, month, figures)| self::figures(source, month, &figures));
        Ok(Response::new(pb::GetAccuracyResponse {
            months: months.collect(),
        }))
    }
}

impl Desk {
    fn claim(&self, answer: Answer) -> Result<pb::DataError, Status> {
        let Answer::DataError(error) = answer else {
            return Err(unexpected());
        };
        Ok(data_error(*error, self.instant()))
    }

    /// All sources, for every answer about a rating.
    pub(super) async fn freshness(
        &self,
        tx: &mut greenstar_store::Tx,
    ) -> Result<Vec<pb::SourceFreshness>, Status> {
        let found = sources(tx, self.instant()).await;
        let found = found.map_err(|error| status::store(&error))?;
        Ok(found.into_iter().map(freshness).collect())
    }
}

fn freshness(fresh: Freshness) -> pb::SourceFreshness {
    pb::SourceFreshness {
        source: fresh.id.to_string(),
        cutoff_time: fresh.cutoff.map(time),
        receive_time: fresh.received_at.map(time),
        stale: fresh.stale,
    }
}

/// Where a page ended.
fn place(raw: &str) -> Result<(String, Uscc, String), Status> {
    let mut parts = raw.splitn(3, ':');
    let (due, uscc, id) = (parts.next(), parts.next(), parts.next());
    let read = || {
        let due = due?.parse::<Date>().ok()?.to_string();
        Some((due, uscc?.parse::<Uscc>().ok()?, id?.to_owned()))
    };
    read().ok_or_else(parse::stale_page)
}

fn data_error(error: DataError, now: greenstar_kernel::Timestamp) -> pb::DataError {
    let state = match error.state {
        ClaimState::Open => pb::DataErrorState::Open,
        ClaimState::Accepted => pb::DataErrorState::Accepted,
        ClaimState::Rejected => pb::DataErrorState::Rejected,
    };
    pb::DataError {
        overdue: error.overdue(now),
        name: format!("enterprises/{}/dataErrors/{}", error.uscc, error.id),
        datum: error.datum.to_string(),
        source: error.source.to_string(),
        claim: error.claim,
        evidence: error.evidence,
        reporter: error.reporter,
        report_time: Some(time(error.reported_at)),
        due_date: error.due.to_string(),
        state: state.into(),
        answer: error.answer,
        decider: error.decider.map(|officer| officer.0).unwrap_or_default(),
        decide_time: error.decided_at.map(time),
    }
}

fn figures(source: String, month: String, figures: &Month) -> pb::Accuracy {
    // In a thousand, to a tenth, rounded to the nearest.
    let share = (figures.received > 0).then(|| {
        let tenths = (figures.upheld * 10_000 + figures.received / 2) / figures.received;
        Points::from_milli(tenths * 100).to_string()
    });
    let said = LocalizedText::new(
        format!(
            "{month}：来源 {source} 收到数据 {} 条，被指有误 {} 条，其中核实有误 {} 条，待答复 {} 条。",
            figures.received, figures.reported, figures.upheld, figures.open
        ),
        format!(
            "{month}: of {} data from {source}, {} were reported wrong; {} of these were, {} wait for an answer.",
            figures.received, figures.reported, figures.upheld, figures.open
        ),
    );
    pb::Accuracy {
        source,
        month,
        received: figures.received,
        reported: figures.reported,
        upheld: figures.upheld,
        open: figures.open,
        upheld_per_thousand: share.unwrap_or_default(),
        text: Some(text(said)),
    }
}
