//! RatingService.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use greenstar_kernel::{Code, Date, Uscc};
use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::rating_service_server::RatingService;
use greenstar_rpc::watching::{self, Answers, Plain, Question};
use greenstar_rpc::{accept, item_error, names, pages};
use greenstar_telemetry::attributes;
use tonic::{Request, Response, Status, Streaming};
use tracing::Span;

use super::{Desk, converge, convert, objection_service, parse, repeat, status, watch};
use crate::domain::command::Command;
use crate::domain::enterprise::District;
use crate::domain::error::Refusal;
use crate::domain::event::Event;
use crate::domain::repeat::Repeats;
use crate::domain::visibility;
use crate::store::{Directory, firm};

#[tonic::async_trait]
impl RatingService for Desk {
    type StreamRatingsStream = Answers<pb::StreamRatingsResponse>;

    async fn stream_ratings(
        &self,
        request: Request<pb::StreamRatingsRequest>,
    ) -> Result<Response<Self::StreamRatingsStream>, Status> {
        let (call, request) = accept(request)?;
        let plain = Plain {
            cursor: request.cursor,
            subscriber: request.subscriber,
            filter: common::WatchFilter {
                kinds: Vec::new(),
                districts: request.districts,
                enterprises: request.enterprises,
            },
        };
        let (caller, recent) = (call.caller.clone(), self.recent.clone());
        let say = move |event| watch::said(&caller, &recent, event);
        let answers = self.watching.stream(&call, self.lists(), plain, say)?;
        let answers = answers.map(|answer| {
            let (cursor, message) = answer?;
            let message = Some(message);
            Ok(pb::StreamRatingsResponse { cursor, message })
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn acknowledge_ratings(
        &self,
        request: Request<pb::AcknowledgeRatingsRequest>,
    ) -> Result<Response<pb::AcknowledgeRatingsResponse>, Status> {
        let (call, request) = accept(request)?;
        let ack = request.acknowledgement.unwrap_or_default();
        self.watching.acknowledge(&call, &request.subscriber, ack).await?;
        Ok(Response::new(pb::AcknowledgeRatingsResponse {}))
    }

    type WaitConvergedStream = Answers<pb::WaitConvergedResponse>;

    async fn wait_converged(
        &self,
        request: Request<pb::WaitConvergedRequest>,
    ) -> Result<Response<Self::WaitConvergedStream>, Status> {
        let (call, request) = accept(request)?;
        let question = Question::read(&call, request.question)?;
        let answers = converge::wait(&self.watching, &self.followed, question)?;
        Ok(Response::new(answers))
    }

    async fn list_subscribers(
        &self,
        request: Request<pb::ListSubscribersRequest>,
    ) -> Result<Response<pb::ListSubscribersResponse>, Status> {
        let (call, _) = accept(request)?;
        let (subscribers, head, unreachable) = self.watching.list(&call).await?;
        Ok(Response::new(pb::ListSubscribersResponse {
            subscribers,
            head: Some(head),
            unreachable,
        }))
    }

    async fn remove_subscriber(
        &self,
        request: Request<pb::RemoveSubscriberRequest>,
    ) -> Result<Response<pb::RemoveSubscriberResponse>, Status> {
        let (_, request) = accept(request)?;
        self.watching.remove(&request.subscriber).await?;
        Ok(Response::new(pb::RemoveSubscriberResponse {}))
    }

    type ReportAcknowledgementsStream = Answers<pb::ReportAcknowledgementsResponse>;

    async fn report_acknowledgements(
        &self,
        request: Request<pb::ReportAcknowledgementsRequest>,
    ) -> Result<Response<Self::ReportAcknowledgementsStream>, Status> {
        accept(request)?;
        let reports = self.watching.reports().map(|report| {
            let acknowledgements = Some(report?);
            Ok(pb::ReportAcknowledgementsResponse { acknowledgements })
        });
        Ok(Response::new(reports.boxed()))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn get_rating(
        &self,
        request: Request<pb::GetRatingRequest>,
    ) -> Result<Response<pb::GetRatingResponse>, Status> {
        let (call, request) = accept(request)?;
        let uscc = names::enterprise_part("name", &request.name, "rating")?;
        Span::current().record(attributes::ENTERPRISE, uscc.as_str());
        parse::allowed(visibility::rating(&call.caller, &uscc))?;
        let seen = parse::seen(request.consistency.as_ref())?;
        let (mut tx, token) = self.reading().await?;
        if let Some(seen) = seen {
            // Every read here is one of the primary that began after the request: it is as fresh as can be.
            let head = tx.head().await.map_err(|error| status::store(&error))?;
            if seen.epoch != head.epoch {
                return Err(status::feed(&greenstar_feed::FeedError::Foreign));
            }
            if seen.revision > head.revision {
                return Err(status::feed(&greenstar_feed::FeedError::Ahead));
            }
        }
        let view = match self.asked(&request.as_of, &request.as_of_known)? {
            Some(times) => Some(self.view_at(&mut tx, &uscc, times).await?),
            None => self.views(&mut tx, &BTreeSet::from([uscc])).await?.remove(&uscc),
        };
        let explained = visibility::assessment(&call.caller, &uscc).is_ok();
        if !explained {
            // It may say that the firm was not listed; who asked this of whom must be found later.
            tracing::info!(
                { attributes::PRINCIPAL } = call.caller.principal(),
                { attributes::ENTERPRISE } = uscc.as_str(),
                "a rating was told to another department"
            );
        }
        let mut rating = view.map(|view| convert::rating(view, explained));
        if let Some(rating) = &mut rating {
            rating.sources = self.freshness(&mut tx).await?;
        }
        Ok(Response::new(pb::GetRatingResponse { rating, token }))
    }

    #[tracing::instrument(skip_all)]
    async fn batch_get_ratings(
        &self,
        request: Request<pb::BatchGetRatingsRequest>,
    ) -> Result<Response<pb::BatchGetRatingsResponse>, Status> {
        let (call, request) = accept(request)?;
        let asked: Vec<(String, Result<Uscc, Status>)> = request
            .names
            .into_iter()
            .map(|name| {
                let uscc = names::enterprise_part("names", &name, "rating");
                let seen = uscc
                    .and_then(|uscc| parse::allowed(visibility::rating(&call.caller, &uscc)).map(|()| uscc));
                (name, seen)
            })
            .collect();
        let codes = asked
            .iter()
            .filter_map(|(_, uscc)| uscc.as_ref().ok().copied())
            .collect();
        let (mut tx, token) = self.reading().await?;
        let views = self.views(&mut tx, &codes).await?;
        let sources = self.freshness(&mut tx).await?;
        let results = asked.into_iter().map(|(name, uscc)| {
            let result = match uscc {
                Ok(uscc) => views.get(&uscc).map(|view| {
                    let explained = visibility::assessment(&call.caller, &uscc).is_ok();
                    let view = visibility::among_many(&call.caller, view.clone());
                    let mut rating = convert::rating(view, explained);
                    rating.sources.clone_from(&sources);
                    pb::batch_get_ratings_result::Result::Rating(rating)
                }),
                Err(error) => Some(pb::batch_get_ratings_result::Result::Error(item_error(&error))),
            };
            pb::BatchGetRatingsResult { name, result }
        });
        Ok(Response::new(pb::BatchGetRatingsResponse {
            results: results.collect(),
            token,
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn list_directory(
        &self,
        request: Request<pb::ListDirectoryRequest>,
    ) -> Result<Response<pb::ListDirectoryResponse>, Status> {
        let (_, request) = accept(request)?;
        let star = request.star.map(parse::star).transpose()?;
        let rank = star.map(|star| star.to_string()).unwrap_or_default();
        let name = request.name_contains.trim();
        let query = [
            "ListDirectory",
            &request.round,
            &rank,
            &request.district,
            name,
            &request.as_of,
        ];
        let page = pages::page(request.page_size, &request.page_token, &query)?;
        let after = page.after.as_deref().map(|raw| {
            let (star, uscc) = raw.split_once(':')?;
            Some((parse::star(star.parse().ok()?).ok()?, uscc.parse::<Uscc>().ok()?))
        });
        let after = after.map(|key| key.ok_or_else(parse::stale_page)).transpose()?;
        let district = match request.district.as_str() {
            "" => None,
            raw => Some(District::parse(raw).map_err(|refusal| status::refused(&refusal))?),
        };
        let (mut tx, token) = self.reading().await?;
        let rounds = self.directories(&mut tx, &request.round, &request.as_of).await?;
        let name = (!name.is_empty()).then(|| name.to_owned());
        let directory = Directory {
            rounds,
            star,
            district,
            name,
        };
        let counts = directory
            .counts(&mut tx)
            .await
            .map_err(|error| status::store(&error))?;
        let lines = directory.page(&mut tx, after, page.size + 1).await;
        let mut lines = lines.map_err(|error| status::store(&error))?;
        let more = lines.len() > page.size;
        lines.truncate(page.size);
        let next_page_token = match lines.last().filter(|_| more) {
            Some(last) => pages::next_token(&query, &format!("{}:{}", last.star, last.uscc)),
            None => String::new(),
        };
        let total: u32 = counts.iter().map(|(_, count)| count).sum();
        Ok(Response::new(pb::ListDirectoryResponse {
            entries: lines.into_iter().map(convert::directory_entry).collect(),
            next_page_token,
            total_size: i32::try_from(total).unwrap_or(i32::MAX),
            counts: counts.into_iter().map(convert::star_count).collect(),
            token,
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn get_assessment(
        &self,
        request: Request<pb::GetAssessmentRequest>,
    ) -> Result<Response<pb::GetAssessmentResponse>, Status> {
        self.assessed(request).await
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn list_rating_history(
        &self,
        request: Request<pb::ListRatingHistoryRequest>,
    ) -> Result<Response<pb::ListRatingHistoryResponse>, Status> {
        self.history(request).await
    }

    #[tracing::instrument(skip_all)]
    async fn create_snapshot(
        &self,
        request: Request<pb::CreateSnapshotRequest>,
    ) -> Result<Response<pb::CreateSnapshotResponse>, Status> {
        self.freeze(request).await
    }

    #[tracing::instrument(skip_all)]
    async fn get_snapshot(
        &self,
        request: Request<pb::GetSnapshotRequest>,
    ) -> Result<Response<pb::GetSnapshotResponse>, Status> {
        self.snapshot(request).await
    }

    #[tracing::instrument(skip_all)]
    async fn list_snapshots(
        &self,
        request: Request<pb::ListSnapshotsRequest>,
    ) -> Result<Response<pb::ListSnapshotsResponse>, Status> {
        self.all_snapshots(request).await
    }

    #[tracing::instrument(skip_all)]
    async fn list_snapshot_entries(
        &self,
        request: Request<pb::ListSnapshotEntriesRequest>,
    ) -> Result<Response<pb::ListSnapshotEntriesResponse>, Status> {
        self.snapshot_entries(request).await
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn suspend_rating(
        &self,
        request: Request<pb::SuspendRatingRequest>,
    ) -> Result<Response<pb::SuspendRatingResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let id = std::mem::take(&mut request.request_id);
        let repeat = repeat("SuspendRating", id, &request);
        let uscc = names::enterprise_part("name", &request.name, "rating")?;
        let reason = request.reason;
        let command = Command::SuspendRating { uscc, reason };
        let (rating, token) = self.held(&call, &uscc, command, repeat).await?;
        let rating = Some(rating);
        Ok(Response::new(pb::SuspendRatingResponse { rating, token }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn resume_rating(
        &self,
        request: Request<pb::ResumeRatingRequest>,
    ) -> Result<Response<pb::ResumeRatingResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let id = std::mem::take(&mut request.request_id);
        let repeat = repeat("ResumeRating", id, &request);
        let uscc = names::enterprise_part("name", &request.name, "rating")?;
        let reason = request.reason;
        let command = Command::ResumeRating { uscc, reason };
        let (rating, token) = self.held(&call, &uscc, command, repeat).await?;
        let rating = Some(rating);
        Ok(Response::new(pb::ResumeRatingResponse { rating, token }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn record_event(
        &self,
        request: Request<pb::RecordEventRequest>,
    ) -> Result<Response<pb::RecordEventResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let id = std::mem::take(&mut request.request_id);
        let repeat = repeat("RecordEvent", id, &request);
        let event = self.new_event(request)?;
        let uscc = event.uscc;
        let command = Command::RecordEvent(event);
        let (event, rating, token) = self.scored(&call, &uscc, command, repeat).await?;
        Ok(Response::new(pb::RecordEventResponse {
            event: Some(event),
            rating: Some(rating),
            token,
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn confirm_rectification(
        &self,
        request: Request<pb::ConfirmRectificationRequest>,
    ) -> Result<Response<pb::ConfirmRectificationResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let id = std::mem::take(&mut request.request_id);
        let repeat = repeat("ConfirmRectification", id, &request);
        let (uscc, event) = event_name(&request.name)?;
        let command = Command::ConfirmRectification { uscc, event };
        let (event, rating, token) = self.scored(&call, &uscc, command, repeat).await?;
        let (event, rating) = (Some(event), Some(rating));
        Ok(Response::new(pb::ConfirmRectificationResponse {
            event,
            rating,
            token,
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn repair_event(
        &self,
        request: Request<pb::RepairEventRequest>,
    ) -> Result<Response<pb::RepairEventResponse>, Status> {
        let (call, mut request) = accept(request)?;
        let id = std::mem::take(&mut request.request_id);
        let repeat = repeat("RepairEvent", id, &request);
        let (uscc, event) = event_name(&request.name)?;
        let command = Command::RepairEvent {
            uscc,
            event,
            reason: request.reason,
        };
        let (event, rating, token) = self.scored(&call, &uscc, command, repeat).await?;
        Ok(Response::new(pb::RepairEventResponse {
            event: Some(event),
            rating: Some(rating),
            token,
        }))
    }

    #[tracing::instrument(skip_all, fields(greenstar.enterprise))]
    async fn list_events(
        &self,
        request: Request<pb::ListEventsRequest>,
    ) -> Result<Response<pb::ListEventsResponse>, Status> {
        let (call, request) = accept(request)?;
        let uscc = names::enterprise("parent", &request.parent)?;
        Span::current().record(attributes::ENTERPRISE, uscc.as_str());
        parse::allowed(visibility::events(&call.caller, &uscc))?;
        let query = ["ListEvents", &request.parent];
        let page = pages::page(request.page_size, &request.page_token, &query)?;
        let after = page.after.as_deref().map(|raw| {
            let (date, id) = raw.split_once(':')?;
            Some((date.parse::<Date>().ok()?, Code::parse(id).ok()?))
        });
        let after = after.map(|key| key.ok_or_else(parse::stale_page)).transpose()?;
        let (mut tx, token) = self.reading().await?;
        let found = firm(&mut tx, &uscc)
            .await
            .map_err(|error| status::store(&error))?;
        let firm = found.ok_or_else(|| status::refused(&Refusal::EnterpriseUnknown(uscc)))?;
        let schemes = self
            .schemes
            .all(&mut tx)
            .await
            .map_err(|error| status::store(&error))?;
        let key = |event: &Event| (event.document.date, event.id.clone());
        let now = self.instant();
        let mut events = firm.events.clone();
        events.sort_by_key(|event| std::cmp::Reverse(key(event)));
        let mut shown = Vec::new();
        let mut next_page_token = String::new();
        let mut last = None;
        for event in events {
            if after.as_ref().is_some_and(|after| key(&event) >= *after) {
                continue;
            }
            // The rating's scheme, or of a firm without a rating the newest that knows the kind.
            let rated = firm.rated.as_ref().map(|rated| &rated.scheme);
            let at = key(&event);
            let known = schemes
                .iter()
                .rev()
                .filter(|stored| rated.is_none_or(|key| stored.scheme.key == *key))
                .find_map(|stored| {
                    let shown = Repeats::of(&stored.scheme, &firm.events).shown(&event);
                    convert::event(&uscc, shown, &stored.scheme, now)
                });
            let Some(event) = known else { continue };
            if shown.len() == page.size {
                if let Some((date, id)) = last {
                    next_page_token = pages::next_token(&query, &format!("{date}:{id}"));
                }
                break;
            }
            shown.push(event);
            last = Some(at);
        }
        Ok(Response::new(pb::ListEventsResponse {
            events: shown,
            next_page_token,
            token,
        }))
    }

    type WatchRatingsStream = Answers<pb::WatchRatingsResponse>;

    async fn watch_ratings(
        &self,
        request: Request<Streaming<pb::WatchRatingsRequest>>,
    ) -> Result<Response<Self::WatchRatingsStream>, Status> {
        let call = greenstar_rpc::call(&request);
        let messages = request.into_inner();
        let (caller, recent) = (call.caller.clone(), self.recent.clone());
        let say = move |event| watch::said(&caller, &recent, event);
        let answers = self
            .watching
            .watch(&call, self.lists(), messages, watch::step, say);
        Ok(Response::new(answers))
    }

    #[tracing::instrument(skip_all)]
    async fn sync_ratings(
        &self,
        request: Request<pb::SyncRatingsRequest>,
    ) -> Result<Response<pb::SyncRatingsResponse>, Status> {
        let (_, request) = accept(request)?;
        let at_least = request.position.as_ref().map(watching::position).transpose();
        let at_least = at_least.map_err(|error| status::feed(&error))?;
        let head = self
            .feed
            .sync(at_least.as_ref())
            .await
            .map_err(|error| status::feed(&error))?;
        Ok(Response::new(pb::SyncRatingsResponse {
            head: Some(convert::position(&head)),
        }))
    }

    #[tracing::instrument(skip_all)]
    async fn file_objection(
        &self,
        request: Request<pb::FileObjectionRequest>,
    ) -> Result<Response<pb::FileObjectionResponse>, Status> {
        objection_service::file(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn decide_objection(
        &self,
        request: Request<pb::DecideObjectionRequest>,
    ) -> Result<Response<pb::DecideObjectionResponse>, Status> {
        objection_service::decide(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn get_objection(
        &self,
        request: Request<pb::GetObjectionRequest>,
    ) -> Result<Response<pb::GetObjectionResponse>, Status> {
        objection_service::get(self, request).await
    }

    #[tracing::instrument(skip_all)]
    async fn list_objections(
        &self,
        request: Request<pb::ListObjectionsRequest>,
    ) -> Result<Response<pb::ListObjectionsResponse>, Status> {
        objection_service::list(self, request).await
    }
}

/// `enterprises/{uscc}/events/{event}`. An id of another shape is as unknown as any.
fn event_name(raw: &str) -> Result<(Uscc, Code), Status> {
    let (uscc, id) = names::of_enterprise("name", raw, "events")?;
    let id = Code::parse(id).map_err(|_| status::refused(&Refusal::EventUnknown))?;
    Ok((uscc, id))
}
