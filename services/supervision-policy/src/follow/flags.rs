//! The sanctions service's log: flags and the catalogue.

use std::sync::Arc;

use futures::StreamExt as _;
use greenstar_kernel::{Clock, Code, Department, Document, Log, Position, Revision, Uscc};
use greenstar_proto::common::v1 as common;
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::sanctions::v1::{flag_row, watch_flags_request, watch_flags_response};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Event, Events, MESSAGE_BYTES, Malformed, Source, Step, catalogue, wire};
use crate::domain::catalogue::Catalogue;
use crate::domain::facts::Flag;
use crate::view::{FlagRow, Unreadable, View};

#[derive(Debug)]
pub(crate) struct Flags {
    client: FlagServiceClient<greenstar_rpc::Client>,
    view: Arc<View>,
    clock: Arc<dyn Clock>,
}

impl Flags {
    pub(crate) fn new(client: greenstar_rpc::Client, view: Arc<View>, clock: Arc<dyn Clock>) -> Flags {
        Flags {
            client: FlagServiceClient::new(client).max_decoding_message_size(MESSAGE_BYTES),
            view,
            clock,
        }
    }
}

/// A row of this log.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all rows are flags, and they live for a moment"
)]
pub(crate) enum Row {
    Flag(FlagRow),
    /// `None`: an edition that cannot be read.
    Catalogue(Option<Arc<Catalogue>>),
}

/// A snapshot that is still coming.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    flags: Vec<FlagRow>,
    catalogue: Option<Arc<Catalogue>>,
}

#[async_trait::async_trait]
impl Source for Flags {
    const LOG: Log = Log::Sanctions;
    type Row = Row;
    type Snapshot = Taken;

    async fn watch(&mut self, steps: ReceiverStream<Step>) -> Result<Events<Row>, Status> {
        let requests = steps.map(|step| pb::WatchFlagsRequest {
            step: Some(request(step)),
        });
        let answers = self.client.watch_flags(requests).await?.into_inner();
        Ok(answers.map(|answer| Ok(event(answer?)?)).boxed())
    }

    fn begin(&self) -> Taken {
        Taken::default()
    }

    fn put(&self, taken: &mut Taken, rows: Vec<Row>) {
        for row in rows {
            match row {
                Row::Flag(flag) => taken.flags.push(flag),
                Row::Catalogue(catalogue) => taken.catalogue = catalogue,
            }
        }
    }

    fn replace(&self, at: Position, taken: Taken) {
        self.view
            .replace_flags(at, taken.catalogue, taken.flags, self.clock.now());
    }

    fn apply(&self, rows: Vec<Row>, to: Revision) {
        let mut flags = Vec::with_capacity(rows.len());
        for row in rows {
            match row {
                Row::Flag(flag) => flags.push(flag),
                Row::Catalogue(catalogue) => self.view.put_catalogue(catalogue),
            }
        }
        self.view.apply_flags(flags, to, self.clock.now());
    }
}

fn request(step: Step) -> watch_flags_request::Step {
    match step {
        Step::Open { subscriber, cursor } => watch_flags_request::Step::Open(common::WatchOpen {
            subscriber: subscriber.to_string(),
            cursor: cursor.as_ref().map(wire::to_position),
            ..Default::default()
        }),
        Step::Ping(nonce) => watch_flags_request::Step::Ping(common::Ping { nonce }),
        Step::Acknowledge(revision) => watch_flags_request::Step::Acknowledgement(common::Acknowledgement {
            revision: revision.0,
            rejection: None,
        }),
    }
}

fn event(answer: pb::WatchFlagsResponse) -> Result<Event<Row>, Malformed> {
    use watch_flags_response::Event as E;
    Ok(match answer.event.ok_or(Malformed("an empty message"))? {
        E::SnapshotBegin(begin) => Event::Begin(wire::position(begin.position)?),
        E::Rows(rows) => Event::Rows(rows.rows.into_iter().map(row).collect::<Result<_, _>>()?),
        E::SnapshotEnd(end) => Event::End(end.rows),
        E::Frame(frame) => {
            let rows = frame
                .changes
                .into_iter()
                .map(|change| row(change.row.ok_or(Malformed("a change without its row"))?));
            Event::Frame {
                after: Revision(frame.after),
                to: Revision(frame.to),
                rows: rows.collect::<Result<_, _>>()?,
            }
        }
        E::Pong(pong) => super::pong(pong)?,
    })
}

fn row(row: pb::FlagRow) -> Result<Row, Malformed> {
    match row.row.ok_or(Malformed("an empty row"))? {
        flag_row::Row::Flag(flag) => flag_row(flag).map(Row::Flag),
        flag_row::Row::Catalogue(edition) => Ok(Row::Catalogue(catalogue::read(edition))),
    }
}

/// A flag that cannot be understood is kept as that; one that does not say whom it is about ends the session.
fn flag_row(flag: pb::Flag) -> Result<FlagRow, Malformed> {
    let mut parts = flag.name.split('/');
    let uscc: Option<Uscc> = match (parts.next(), parts.next(), parts.next()) {
        (Some("enterprises"), Some(code), Some("flags")) => code.parse().ok(),
        _ => None,
    };
    let uscc = uscc.ok_or(Malformed("a flag of no enterprise"))?;
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
