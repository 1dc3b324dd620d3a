//! The rating service's log.

use std::sync::Arc;

use futures::StreamExt as _;
use greenstar_kernel::{Code, Log, Points, Position, Revision, Standing, Star, Uscc};
use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::rating_service_client::RatingServiceClient;
use greenstar_proto::rating::v1::{watch_ratings_request, watch_ratings_response};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Event, Events, MESSAGE_BYTES, Malformed, Source, Step, wire};
use crate::domain::facts::{Event as Happened, Facts, PolluterClass, RatingFacts, Transition};
use crate::view::{RatingRow, Snapshot, Unreadable, View};

#[derive(Debug)]
pub(crate) struct Ratings {
    client: RatingServiceClient<greenstar_rpc::Client>,
    view: Arc<View>,
}

impl Ratings {
    pub(crate) fn new(client: greenstar_rpc::Client, view: Arc<View>) -> Ratings {
        Ratings {
            client: RatingServiceClient::new(client).max_decoding_message_size(MESSAGE_BYTES),
            view,
        }
    }
}

#[async_trait::async_trait]
impl Source for Ratings {
    const LOG: Log = Log::Rating;
    type Row = RatingRow;
    type Snapshot = Snapshot;

    async fn watch(&mut self, steps: ReceiverStream<Step>) -> Result<Events<RatingRow>, Status> {
        let requests = steps.map(|step| pb::WatchRatingsRequest {
            step: Some(request(step)),
        });
        let answers = self.client.watch_ratings(requests).await?.into_inner();
        Ok(answers.map(|answer| Ok(event(answer?)?)).boxed())
    }

    fn begin(&self) -> Snapshot {
        self.view.begin_ratings()
    }

    fn put(&self, snapshot: &mut Snapshot, rows: Vec<RatingRow>) {
        rows.iter().for_each(|row| snapshot.put(row));
    }

    fn replace(&self, at: Position, snapshot: Snapshot) {
        self.view.replace_ratings(at, snapshot);
    }

    fn apply(&self, rows: Vec<RatingRow>, to: Revision) {
        self.view.apply_ratings(&rows, to);
        if self.view.is_due_for_folding() {
            let view = self.view.clone();
            tokio::task::spawn_blocking(move || view.fold_if_due());
        }
    }
}

fn request(step: Step) -> watch_ratings_request::Step {
    match step {
        Step::Open { subscriber, cursor } => watch_ratings_request::Step::Open(common::WatchOpen {
            subscriber: subscriber.to_string(),
            cursor: cursor.as_ref().map(wire::to_position),
            ..Default::default()
        }),
        Step::Ping(nonce) => watch_ratings_request::Step::Ping(common::Ping { nonce }),
        Step::Acknowledge(revision) => {
            watch_ratings_request::Step::Acknowledgement(common::Acknowledgement {
                revision: revision.0,
                rejection: None,
            })
        }
    }
}

fn event(answer: pb::WatchRatingsResponse) -> Result<Event<RatingRow>, Malformed> {
    use watch_ratings_response::Event as E;
    Ok(match answer.event.ok_or(Malformed("an empty message"))? {
        E::SnapshotBegin(begin) => Event::Begin(wire::position(begin.position)?),
        E::Rows(rows) => Event::Rows(rows.rows.into_iter().map(row).collect::<Result<_, _>>()?),
        E::SnapshotEnd(end) => Event::End(end.rows),
        E::Frame(frame) => {
            let facts = frame
                .changes
                .into_iter()
                .map(|change| row(change.fact.ok_or(Malformed("a change without its row"))?));
            Event::Frame {
                after: Revision(frame.after),
                to: Revision(frame.to),
                rows: facts.collect::<Result<_, _>>()?,
            }
        }
        E::Pong(pong) => super::pong(pong)?,
    })
}

/// A row that cannot be understood is kept as that; one that does not say whom it is about ends the session.
fn row(fact: pb::RatingFact) -> Result<RatingRow, Malformed> {
    let uscc: Option<Uscc> = fact
        .enterprise
        .strip_prefix("enterprises/")
        .and_then(|code| code.parse().ok());
    let uscc = uscc.ok_or(Malformed("a rating of no enterprise"))?;
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
