//! The rating service's log.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use greenstar_feed::follow::{Broken, Event, Events, Refusal, Sink, Source, Step};
use greenstar_kernel::{Code, Log, Points, Position, Revision, Standing, Star, Timestamp, Uscc};
use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::rating_service_client::RatingServiceClient;
use greenstar_proto::rating::v1::{watch_ratings_request, watch_ratings_response};
use greenstar_rpc::following;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::wire;
use crate::domain::facts::{Event as Happened, Facts, PolluterClass, RatingFacts, Transition};
use crate::view::{RatingRow, Snapshot, Unreadable, View};

/// WatchRatings of the rating service.
#[derive(Clone, Debug)]
pub(crate) struct Ratings(RatingServiceClient<greenstar_rpc::Client>);

impl Ratings {
    pub(crate) fn new(client: greenstar_rpc::Client) -> Ratings {
        Ratings(RatingServiceClient::new(client).max_decoding_message_size(following::MESSAGE_BYTES))
    }
}

impl Ratings {
    /// A snapshot, and nothing that would register a subscriber.
    pub(super) async fn snapshot(&mut self) -> Result<Events<RatingRow>, Broken> {
        let request = pb::StreamRatingsRequest::default();
        let answers = self.0.stream_ratings(request).await;
        let answers = answers.map_err(|status| following::broken(&status))?.into_inner();
        let said = |answer: Result<pb::StreamRatingsResponse, _>| {
            let message = answer.map_err(|status| following::broken(&status))?.message;
            event(message.ok_or_else(|| Broken::malformed("an empty message"))?)
        };
        Ok(answers.map(said).boxed())
    }
}

#[async_trait]
impl Source for Ratings {
    type Row = RatingRow;

    async fn open(&mut self, steps: mpsc::Receiver<Step>) -> Result<Events<RatingRow>, Broken> {
        let requests = ReceiverStream::new(steps).map(|step| pb::WatchRatingsRequest {
            step: Some(request(step)),
        });
        let answers = self
            .0
            .watch_ratings(requests)
            .await
            .map_err(|status| following::broken(&status))?;
        let answers = answers.into_inner();
        Ok(answers
            .map(|answer| event(answer.map_err(|status| following::broken(&status))?))
            .boxed())
    }
}

/// The view's ratings.
#[derive(Debug)]
pub(crate) struct IntoView(pub(crate) Arc<View>);

#[async_trait]
impl Sink for IntoView {
    type Row = RatingRow;
    type Snapshot = Snapshot;

    async fn cursor(&mut self) -> Result<Option<Position>, Refusal> {
        Ok(self.0.applied(Log::Rating))
    }

    fn begin(&mut self) -> Snapshot {
        self.0.begin_ratings()
    }

    async fn put(&mut self, snapshot: &mut Snapshot, rows: Vec<RatingRow>) -> Result<(), Refusal> {
        rows.iter().for_each(|row| snapshot.put(row));
        Ok(())
    }

    async fn replace(&mut self, at: Position, snapshot: Snapshot) -> Result<(), Refusal> {
        self.0.replace_ratings(at, snapshot);
        Ok(())
    }

    async fn apply(&mut self, _: Revision, to: Revision, rows: Vec<RatingRow>) -> Result<Revision, Refusal> {
        self.0.apply_ratings(&rows, to);
        if self.0.is_due_for_folding() {
            let view = self.0.clone();
            tokio::task::spawn_blocking(move || view.fold_if_due());
        }
        Ok(to)
    }

    fn set_age(&self, age: Option<Duration>, now: Duration) {
        self.0.set_age(Log::Rating, age, now);
    }

    fn set_clock(&self, now: Duration, wall: Timestamp) {
        self.0.set_clock(now, wall);
    }
}

fn request(step: Step) -> watch_ratings_request::Step {
    match step {
        Step::Open(opened) => watch_ratings_request::Step::Open(following::open(opened)),
        Step::Ping(nonce) => watch_ratings_request::Step::Ping(common::Ping { nonce }),
        Step::Acknowledge { revision, rejection } => {
            watch_ratings_request::Step::Acknowledgement(following::acknowledgement(revision, rejection))
        }
    }
}

fn event(answer: pb::WatchRatingsResponse) -> Result<Event<RatingRow>, Broken> {
    use watch_ratings_response::Event as E;
    Ok(
        match answer
            .event
            .ok_or_else(|| Broken::malformed("an empty message"))?
        {
            E::SnapshotBegin(begin) => Event::Begin(following::position(begin.position)?),
            E::Rows(rows) => Event::Rows(rows.rows.into_iter().map(row).collect::<Result<_, _>>()?),
            E::SnapshotEnd(end) => Event::End(end.rows),
            E::Frame(frame) => {
                let facts = frame.changes.into_iter().map(|change| {
                    row(change
                        .fact
                        .ok_or_else(|| Broken::malformed("a change without its row"))?)
                });
                Event::Frame {
                    after: Revision(frame.after),
                    to: Revision(frame.to),
                    rows: facts.collect::<Result<_, _>>()?,
                }
            }
            E::Pong(answer) => following::pong(answer)?,
        },
    )
}

/// A row that cannot be understood is kept as that; one that does not say whom it is about ends the session.
fn row(fact: pb::RatingFact) -> Result<RatingRow, Broken> {
    let uscc: Option<Uscc> = fact
        .enterprise
        .strip_prefix("enterprises/")
        .and_then(|code| code.parse().ok());
    let uscc = uscc.ok_or_else(|| Broken::malformed("a rating of no enterprise"))?;
    let facts = facts(fact);
    if facts.is_err() {
        tracing::error!(
            enterprise.uscc = uscc.as_str(),
            "a rating cannot be read; decisions about it go to manual review"
        );
    }
    Ok((uscc, facts))
}

fn facts(fact: pb::RatingFact) -> Result<Facts, Unreadable> {
    let rating = RatingFacts {
        standing: standing(fact.state, fact.star)?,
        total: wire::optional(&fact.points)?,
        categories: categories(&fact.categories)?,
        rated_at: wire::optional_instant(fact.rate_time.as_ref()),
        valid_until: wire::optional_instant(fact.valid_until_time.as_ref()),
        next: fact.next_transition.map(transition).transpose()?,
        scheme: fact.scheme.into(),
        version: fact.version,
    };
    let events = fact.recent_events.iter().map(|event| {
        Ok(Happened {
            kind: Code::parse(&event.kind).map_err(|_| Unreadable)?,
            severity: wire::severity(event.severity)?,
            date: event.date.parse().map_err(|_| Unreadable)?,
        })
    });
    Ok(Facts {
        known: true,
        rating,
        sector: wire::optional(&fact.sector)?,
        district: wire::optional(&fact.district)?,
        polluter_class: polluter_class(fact.polluter_class)?,
        open_rectification: fact.open_rectification,
        objection_open: fact.objection_open,
        events: events.collect::<Result<_, Unreadable>>()?,
        flags: Arc::default(),
    })
}

fn transition(next: pb::Transition) -> Result<Transition, Unreadable> {
    Ok(Transition {
        at: wire::instant(&next.time.ok_or(Unreadable)?),
        standing: standing(next.state, next.star)?,
        total: wire::optional(&next.points)?,
        categories: categories(&next.categories)?,
        cause: Arc::new(wire::text(next.cause)?),
    })
}

fn standing(state: i32, star: Option<i32>) -> Result<Standing, Unreadable> {
    let star = star
        .map(|rank| Star::try_from(i64::from(rank)))
        .transpose()
        .map_err(|_| Unreadable)?;
    Standing::from_parts(wire::state(state)?, star).ok_or(Unreadable)
}

/// By code, A to E.
fn categories(given: &[pb::CategoryPoints]) -> Result<[Option<Points>; 5], Unreadable> {
    let mut categories = [None; 5];
    for (code, slot) in ["A", "B", "C", "D", "E"].into_iter().zip(&mut categories) {
        let found = given.iter().find(|points| points.category == code);
        *slot = found
            .map(|points| points.points.parse())
            .transpose()
            .map_err(|_| Unreadable)?;
    }
    if given.len() == categories.iter().flatten().count() {
        Ok(categories)
    } else {
        Err(Unreadable)
    }
}

fn polluter_class(raw: i32) -> Result<PolluterClass, Unreadable> {
    match pb::PolluterClass::try_from(raw) {
        Ok(pb::PolluterClass::Unspecified | pb::PolluterClass::General) => Ok(PolluterClass::General),
        Ok(pb::PolluterClass::Key) => Ok(PolluterClass::Key),
        Ok(pb::PolluterClass::HazardousWasteOperator) => Ok(PolluterClass::HazardousWasteOperator),
        Err(_) => Err(Unreadable),
    }
}
