//! The sanctions service's log: flags and the catalogue.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use greenstar_feed::follow::{Broken, Event, Events, Refusal, Sink, Source, Step};
use greenstar_kernel::{Clock, Code, Department, Document, Log, Position, Revision, Timestamp, Uscc};
use greenstar_proto::common::v1 as common;
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::sanctions::v1::{flag_row, watch_flags_request, watch_flags_response};
use greenstar_rpc::following;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{catalogue, wire};
use crate::domain::facts::Flag;
use crate::view::{Edition, FlagRow, Unreadable, View};

/// WatchFlags of the sanctions service.
#[derive(Clone, Debug)]
pub(crate) struct Flags(FlagServiceClient<greenstar_rpc::Client>);

impl Flags {
    pub(crate) fn new(client: greenstar_rpc::Client) -> Flags {
        Flags(FlagServiceClient::new(client).max_decoding_message_size(following::MESSAGE_BYTES))
    }
}

impl Flags {
    /// A snapshot, and nothing that would register a subscriber.
    pub(super) async fn snapshot(&mut self) -> Result<Events<Row>, Broken> {
        let request = pb::StreamFlagsRequest::default();
        let answers = self.0.stream_flags(request).await;
        let answers = answers.map_err(|status| following::broken(&status))?.into_inner();
        let said = |answer: Result<pb::StreamFlagsResponse, _>| {
            let message = answer.map_err(|status| following::broken(&status))?.message;
            event(message.ok_or_else(|| Broken::malformed("an empty message"))?)
        };
        Ok(answers.map(said).boxed())
    }
}

/// A row of this log.
#[derive(Debug)]
pub(crate) enum Row {
    Flag(FlagRow),
    Edition(Edition),
}

/// A snapshot that is still coming.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    flags: Vec<FlagRow>,
    editions: Vec<Edition>,
}

impl Taken {
    pub(crate) fn put(&mut self, rows: Vec<Row>) {
        for row in rows {
            match row {
                Row::Flag(flag) => self.flags.push(flag),
                Row::Edition(edition) => self.editions.push(edition),
            }
        }
    }
}

#[async_trait]
impl Source for Flags {
    type Row = Row;

    async fn open(&mut self, steps: mpsc::Receiver<Step>) -> Result<Events<Row>, Broken> {
        let requests = ReceiverStream::new(steps).map(|step| pb::WatchFlagsRequest {
            step: Some(request(step)),
        });
        let answers = self
            .0
            .watch_flags(requests)
            .await
            .map_err(|status| following::broken(&status))?;
        let answers = answers.into_inner();
        Ok(answers
            .map(|answer| event(answer.map_err(|status| following::broken(&status))?))
            .boxed())
    }
}

/// The view's flags, and the catalogue beside them.
#[derive(Debug)]
pub(crate) struct IntoView {
    pub(crate) view: Arc<View>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Sink for IntoView {
    type Row = Row;
    type Snapshot = Taken;

    async fn cursor(&mut self) -> Result<Option<Position>, Refusal> {
        Ok(self.view.applied(Log::Sanctions))
    }

    fn begin(&mut self) -> Taken {
        Taken::default()
    }

    async fn put(&mut self, taken: &mut Taken, rows: Vec<Row>) -> Result<(), Refusal> {
        taken.put(rows);
        Ok(())
    }

    async fn replace(&mut self, at: Position, taken: Taken) -> Result<(), Refusal> {
        let Taken { flags, editions } = taken;
        self.view.replace_flags(at, editions, flags, self.clock.now());
        Ok(())
    }

    async fn apply(&mut self, _: Revision, to: Revision, rows: Vec<Row>) -> Result<Revision, Refusal> {
        let mut taken = Taken::default();
        taken.put(rows);
        let now = self.clock.now();
        for edition in taken.editions {
            self.view.put_edition(edition, now);
        }
        self.view.apply_flags(taken.flags, to, now);
        if self.view.is_due_for_folding() {
            let view = self.view.clone();
            tokio::task::spawn_blocking(move || view.fold_if_due());
        }
        Ok(to)
    }

    fn set_age(&self, age: Option<Duration>, now: Duration) {
        self.view.set_age(Log::Sanctions, age, now);
    }

    fn set_clock(&self, now: Duration, wall: Timestamp) {
        self.view.set_clock(now, wall);
    }
}

fn request(step: Step) -> watch_flags_request::Step {
    match step {
        Step::Open(opened) => watch_flags_request::Step::Open(following::open(opened)),
        Step::Ping(nonce) => watch_flags_request::Step::Ping(common::Ping { nonce }),
        Step::Acknowledge { revision, rejection } => {
            watch_flags_request::Step::Acknowledgement(following::acknowledgement(revision, rejection))
        }
    }
}

fn event(answer: pb::WatchFlagsResponse) -> Result<Event<Row>, Broken> {
    use watch_flags_response::Event as E;
    Ok(
        match answer
            .event
            .ok_or_else(|| Broken::malformed("an empty message"))?
        {
            E::SnapshotBegin(begin) => Event::Begin(following::position(begin.position)?),
            E::Rows(rows) => Event::Rows(rows.rows.into_iter().map(row).collect::<Result<_, _>>()?),
            E::SnapshotEnd(end) => Event::End(end.rows),
            E::Frame(frame) => {
                let rows = frame.changes.into_iter().map(|change| {
                    row(change
                        .row
                        .ok_or_else(|| Broken::malformed("a change without its row"))?)
                });
                Event::Frame {
                    after: Revision(frame.after),
                    to: Revision(frame.to),
                    rows: rows.collect::<Result<_, _>>()?,
                }
            }
            E::Pong(answer) => following::pong(answer)?,
        },
    )
}

fn row(row: pb::FlagRow) -> Result<Row, Broken> {
    match row.row.ok_or_else(|| Broken::malformed("an empty row"))? {
        flag_row::Row::Flag(flag) => flag_row(flag).map(Row::Flag),
        flag_row::Row::Catalogue(edition) => Ok(Row::Edition(catalogue::read(edition))),
    }
}

/// A flag that cannot be understood is kept as that; one that does not say whom it is about ends the session.
fn flag_row(flag: pb::Flag) -> Result<FlagRow, Broken> {
    let mut parts = flag.name.split('/');
    let uscc: Option<Uscc> = match (parts.next(), parts.next(), parts.next()) {
        (Some("enterprises"), Some(code), Some("flags")) => code.parse().ok(),
        _ => None,
    };
    let uscc = uscc.ok_or_else(|| Broken::malformed("a flag of no enterprise"))?;
    let name: Arc<str> = flag.name.as_str().into();
    let flag = in_force(flag, &name);
    if flag.is_err() {
        tracing::error!(
            flag = &*name,
            "a flag cannot be read; decisions about its enterprise go to manual review"
        );
    }
    Ok(FlagRow { uscc, name, flag })
}

/// `Ok(None)`: it binds no more, or not yet.
fn in_force(flag: pb::Flag, name: &Arc<str>) -> Result<Option<Flag>, Unreadable> {
    match pb::FlagState::try_from(flag.state) {
        Ok(pb::FlagState::InForce) => {}
        Ok(
            pb::FlagState::Proposed
            | pb::FlagState::Lifted
            | pb::FlagState::Lapsed
            | pb::FlagState::Repaired
            | pb::FlagState::Revoked
            | pb::FlagState::Suspended,
        ) => return Ok(None),
        Ok(pb::FlagState::Unspecified) | Err(_) => return Err(Unreadable),
    }
    let document = flag.document.ok_or(Unreadable)?;
    let scope = (!flag.scope.is_empty())
        .then(|| Code::parse(&flag.scope))
        .transpose();
    let bases = flag.bases.into_iter().map(catalogue::basis);
    Ok(Some(Flag {
        name: name.clone(),
        kind: Code::parse(&flag.kind).map_err(|_| Unreadable)?,
        severity: wire::severity(flag.severity)?,
        department: Department::parse(&flag.department).map_err(|_| Unreadable)?,
        scope: scope.map_err(|_| Unreadable)?,
        document: Document {
            issuer: document.issuer,
            number: document.number,
            date: document.date.parse().map_err(|_| Unreadable)?,
        },
        bases: bases.collect::<Result<_, _>>()?,
        start: wire::instant(&flag.start_time.ok_or(Unreadable)?),
        end: wire::optional_instant(flag.end_time.as_ref()),
    }))
}
