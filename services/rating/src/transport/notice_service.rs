//! NoticeService.

use greenstar_kernel::{Timestamp, Uscc};
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::notice_service_server::NoticeService;
use greenstar_rpc::{accept, names, pages};
use greenstar_telemetry::attributes;
use tonic::{Request, Response, Status};
use tracing::Span;

use super::{Desk, convert, parse, past_convert, status, unexpected};
use crate::domain::command::{Answer, Command};
use crate::domain::error::Refusal;
use crate::domain::notice::RatingNotice;
use crate::domain::visibility;
use crate::store::{firm, notices};

#[tonic::async_trait]
impl NoticeService for Desk {
    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn list_notices(
        &self,
        request: Request<pb::ListNoticesRequest>,
    ) -> Result<Response<pb::ListNoticesResponse>, Status> {
        let (call, request) = accept(request)?;
        let uscc = names::enterprise("parent", &request.parent)?;
        Span::current().record(attributes::ENTERPRISE, uscc.as_str());
        parse::allowed(visibility::assessment(&call.caller, &uscc))?;
        let unread = request.unacknowledged_only;
        let query = ["ListNotices", &request.parent, if unread { "unread" } else { "" }];
        let page = pages::page(request.page_size, &request.page_token, &query)?;
        let after = page.after.as_deref().map(place).transpose()?;
        let (mut tx, token) = self.reading().await?;
        let failed = |error| status::store(&error);
        if firm(&mut tx, &uscc).await.map_err(failed)?.is_none() {
            return Err(status::refused(&Refusal::EnterpriseUnknown(uscc)));
        }
        let mut found = notices(&mut tx, &uscc, unread, after, page.size + 1)
            .await
            .map_err(failed)?;
        let more = found.len() > page.size;
        found.truncate(page.size);
        let next_page_token = match found.last().filter(|_| more) {
            Some(last) => {
                let key = format!("{}:{}:{}", last.made_at.micros(), last.version, last.id);
                pages::next_token(&query, &key)
            }
            None => String::new(),
        };
        Ok(Response::new(pb::ListNoticesResponse {
            notices: found.into_iter().map(notice).collect(),
            next_page_token,
            token,
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn acknowledge_notice(
        &self,
        request: Request<pb::AcknowledgeNoticeRequest>,
    ) -> Result<Response<pb::AcknowledgeNoticeResponse>, Status> {
        let (call, request) = accept(request)?;
        let (uscc, id) = names::of_enterprise("name", &request.name, "notices")?;
        Span::current().record(attributes::ENTERPRISE, uscc.as_str());
        let command = Command::AcknowledgeNotice {
            uscc,
            notice: id.to_owned(),
        };
        let (answer, token) = self.submit(&call, command, None).await?;
        let Answer::Notice(read) = answer else {
            return Err(unexpected());
        };
        Ok(Response::new(pb::AcknowledgeNoticeResponse {
            notice: Some(notice(*read)),
            token,
        }))
    }
}

/// Where a page ended.
fn place(raw: &str) -> Result<(Timestamp, u32, String), Status> {
    let mut parts = raw.splitn(3, ':');
    let (made_at, version, id) = (parts.next(), parts.next(), parts.next());
    let read = || {
        Some((
            Timestamp::from_micros(made_at?.parse().ok()?),
            version?.parse().ok()?,
            id?.to_owned(),
        ))
    };
    read().ok_or_else(parse::stale_page)
}

fn notice(notice: RatingNotice) -> pb::RatingNotice {
    let uscc: Uscc = notice.uscc;
    let (star_before, state_before) = convert::standing(notice.before.0);
    let (star_after, state_after) = convert::standing(notice.after.0);
    let ways = notice.ways_back.into_iter().map(|way| pb::WayBack {
        code: way.way.as_str().to_owned(),
        text: Some(convert::text(way.text)),
        event: way
            .event
            .map(|id| convert::event_name(&uscc, &id))
            .unwrap_or_default(),
        earliest_date: way.earliest.map(|date| date.to_string()).unwrap_or_default(),
    });
    pb::RatingNotice {
        name: format!("enterprises/{uscc}/notices/{}", notice.id),
        summary: Some(convert::text(notice.summary)),
        cause: notice.cause,
        version: notice.version,
        star_before,
        state_before,
        star_after,
        state_after,
        points_before: notice.before.1.to_string(),
        points_after: notice.after.1.to_string(),
        changes: past_convert::changes(&uscc, notice.changes),
        documents: notice.documents.into_iter().map(convert::document).collect(),
        ways_back: ways.collect(),
        create_time: Some(convert::time(notice.made_at)),
        acknowledge_time: notice.acknowledged_at.map(convert::time),
    }
}
