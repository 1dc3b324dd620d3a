//! EventService: many events at once.

use futures::StreamExt as _;
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::event_service_server::EventService;
use greenstar_proto::rating::v1::event_verdict::Verdict;
use greenstar_rpc::watching::Answers;
use greenstar_rpc::{Call, accept, checked, item_error, names};
use tonic::{Request, Response, Status, Streaming};

use super::{Desk, parse, status, unexpected};
use crate::domain::command::{Answer, Command, NewEvent, Recorded};
use crate::domain::error::Refusal;

/// Most that a batch takes.
const BATCH: usize = 500;
/// Events of a stream that are written together.
const CHUNK: usize = 200;

#[tonic::async_trait]
impl EventService for Desk {
    #[tracing::instrument(skip_all)]
    async fn batch_record_events(
        &self,
        request: Request<pb::BatchRecordEventsRequest>,
    ) -> Result<Response<pb::BatchRecordEventsResponse>, Status> {
        let (call, request) = accept(request)?;
        if !(1..=BATCH).contains(&request.events.len()) {
            let said = ("1 至 500 个事件", "1 to 500 events");
            return Err(status::refused(&Refusal::field("events", said)));
        }
        let (verdicts, token) = self.record_all(&call, request.events).await?;
        let count = |of: fn(&Verdict) -> bool| {
            let matching = verdicts
                .iter()
                .filter(|verdict| verdict.verdict.as_ref().is_some_and(of));
            i32::try_from(matching.count()).unwrap_or(i32::MAX)
        };
        Ok(Response::new(pb::BatchRecordEventsResponse {
            recorded: count(|verdict| matches!(verdict, Verdict::Recorded(_))),
            repeated_count: count(|verdict| matches!(verdict, Verdict::RepeatOf(_))),
            refused: count(|verdict| matches!(verdict, Verdict::Error(_))),
            verdicts,
            token,
        }))
    }

    type ImportEventsStream = Answers<pb::ImportEventsResponse>;

    #[tracing::instrument(skip_all)]
    async fn import_events(
        &self,
        request: Request<Streaming<pb::ImportEventsRequest>>,
    ) -> Result<Response<Self::ImportEventsStream>, Status> {
        let call = greenstar_rpc::call(&request);
        // What has arrived is written together; nobody waits for more to arrive.
        let chunks = request.into_inner().ready_chunks(CHUNK);
        let desk = self.clone();
        let start = (chunks, desk, call, 0_u64);
        let answers = futures::stream::unfold(Some(start), |state| async move {
            let (mut chunks, desk, call, number) = state?;
            let chunk = chunks.next().await?;
            let mut events = Vec::with_capacity(chunk.len());
            let mut broken = None;
            for message in chunk {
                match message {
                    Ok(message) => events.push(message.event.unwrap_or_default()),
                    Err(error) => broken = Some(error),
                }
            }
            let mut answers = Vec::with_capacity(events.len() + 1);
            let mut last = number;
            let mut ended = broken.is_some();
            if !events.is_empty() {
                match desk.record_all(&call, events).await {
                    Ok((verdicts, token)) => answers.extend(verdicts.into_iter().map(|verdict| {
                        last += 1;
                        Ok(pb::ImportEventsResponse {
                            number: last,
                            verdict: Some(verdict),
                            token: token.clone(),
                        })
                    })),
                    // None of these has a verdict, and whoever streams begins again from the first that has none.
                    Err(error) => {
                        ended = true;
                        answers.push(Err(error));
                        broken = None;
                    }
                }
            }
            answers.extend(broken.map(Err));
            let state = (!ended).then_some((chunks, desk, call, last));
            Some((futures::stream::iter(answers), state))
        });
        Ok(Response::new(answers.flatten().boxed()))
    }
}

impl Desk {
    /// Records those that can be read, in one transaction; answers a verdict for each.
    async fn record_all(
        &self,
        call: &Call,
        events: Vec<pb::RecordEventRequest>,
    ) -> Result<(Vec<pb::EventVerdict>, String), Status> {
        let mut verdicts: Vec<Option<Verdict>> = Vec::with_capacity(events.len());
        let mut new = Vec::with_capacity(events.len());
        for event in events {
            match checked(&event).and_then(|()| self.new_event(event)) {
                Ok(event) => {
                    verdicts.push(None);
                    new.push(event);
                }
                Err(error) => verdicts.push(Some(Verdict::Error(item_error(&error)))),
            }
        }
        let asked: Vec<_> = new.iter().map(|event: &NewEvent| event.uscc).collect();
        let (answer, token) = self.submit(call, Command::RecordEvents(new), None).await?;
        let Answer::Events(recorded) = answer else {
            return Err(unexpected());
        };
        let mut shown = Vec::with_capacity(recorded.len());
        let context = self.context().await?;
        for (uscc, recorded) in asked.iter().zip(recorded) {
            shown.push(match recorded {
                Recorded::Event(changed) => {
                    let (event, view) = *changed;
                    let (event, rating) = self.shown(&context, call, uscc, event, view)?;
                    Verdict::Recorded(pb::RecordedEvent {
                        event: Some(event),
                        rating: Some(rating),
                    })
                }
                Recorded::Refused(Refusal::EventExists { event }) => {
                    Verdict::RepeatOf(format!("enterprises/{uscc}/events/{event}"))
                }
                Recorded::Refused(refusal) => Verdict::Error(item_error(&status::refused(&refusal))),
            });
        }
        let mut shown = shown.into_iter();
        let verdicts = verdicts.into_iter().map(|verdict| pb::EventVerdict {
            verdict: verdict.or_else(|| shown.next()),
        });
        Ok((verdicts.collect(), token))
    }

    /// An event to record, as it was asked for.
    pub(super) fn new_event(&self, request: pb::RecordEventRequest) -> Result<NewEvent, Status> {
        Ok(NewEvent {
            uscc: names::enterprise("parent", &request.parent)?,
            id: self.fresh_id()?,
            kind: parse::code("kind", &request.kind)?,
            document: parse::document(request.document)?,
            evidence: parse::evidence("evidence.kind", request.evidence.unwrap_or_default())?,
            site: (!request.site.is_empty()).then_some(request.site),
            rectification_required: request.rectification_required,
        })
    }
}
