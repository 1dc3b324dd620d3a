//! WatchFlags of the sanctions service, and its flags as this service needs them.

use async_trait::async_trait;
use futures::StreamExt as _;
use greenstar_feed::follow::{Broken, Event, Events, Source, Step};
use greenstar_kernel::{Code, Document, Revision, Uscc};
use greenstar_proto::common::v1 as common;
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::sanctions::v1::{flag_row, watch_flags_request, watch_flags_response};
use greenstar_rpc::following;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::domain::flagged::{FlagState, Told};

pub(super) type Client = FlagServiceClient<greenstar_rpc::Client>;

pub(super) fn client(sanctions: greenstar_rpc::Client) -> Client {
    FlagServiceClient::new(sanctions).max_decoding_message_size(following::MESSAGE_BYTES)
}

#[derive(Debug)]
pub(super) struct Flags(pub(super) Client);

/// A change of a flag. What it cannot mean is not skipped: the source is told that it is refused, and why.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) revision: Revision,
    pub(super) told: Result<Told, &'static str>,
}

#[async_trait]
impl Source for Flags {
    type Row = Row;

    async fn open(&mut self, steps: mpsc::Receiver<Step>) -> Result<Events<Row>, Broken> {
        let requests = ReceiverStream::new(steps).map(|step| pb::WatchFlagsRequest {
            step: Some(match step {
                Step::Open(open) => watch_flags_request::Step::Open(following::open(open)),
                Step::Ping(nonce) => watch_flags_request::Step::Ping(common::Ping { nonce }),
                Step::Acknowledge { revision, rejection } => watch_flags_request::Step::Acknowledgement(
                    following::acknowledgement(revision, rejection),
                ),
            }),
        });
        let answers = self.0.watch_flags(requests).await.map_err(broken)?;
        let answers = answers.into_inner();
        Ok(answers.map(|answer| event(answer.map_err(broken)?)).boxed())
    }
}

/// A cursor that is of no more use is not given up for a snapshot: the sink says where the log is taken up.
fn broken(status: Status) -> Broken {
    Broken {
        wants_snapshot: false,
        ..following::broken(&status)
    }
}

fn event(answer: pb::WatchFlagsResponse) -> Result<Event<Row>, Broken> {
    use watch_flags_response::Event as E;
    Ok(match answer.event.ok_or(Broken::malformed("an empty message"))? {
        E::Frame(frame) => Event::Frame {
            after: Revision(frame.after),
            to: Revision(frame.to),
            rows: frame.changes.into_iter().filter_map(row).collect(),
        },
        E::Pong(pong) => following::pong(pong)?,
        E::SnapshotBegin(_) | E::Rows(_) | E::SnapshotEnd(_) => {
            return Err(Broken::malformed("a snapshot that nobody asked for"));
        }
    })
}

/// `None`: not of a flag.
fn row(change: pb::FlagChange) -> Option<Row> {
    let revision = Revision(change.revision);
    let told = match change.row.and_then(|row| row.row) {
        Some(flag_row::Row::Flag(flag)) => told(revision, flag),
        Some(flag_row::Row::Catalogue(_)) => return None,
        None => Err("a change without its row"),
    };
    Some(Row { revision, told })
}

fn told(revision: Revision, flag: pb::Flag) -> Result<Told, &'static str> {
    let mut parts = flag.name.split('/');
    let (uscc, id) = match (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) {
        (Some("enterprises"), Some(uscc), Some("flags"), Some(id), None) => (uscc, id),
        _ => return Err("a flag of no enterprise"),
    };
    let document = flag.document.ok_or("a flag without its document")?;
    let state = match pb::FlagState::try_from(flag.state) {
        Ok(pb::FlagState::InForce) => FlagState::InForce,
        Ok(pb::FlagState::Suspended) => FlagState::Suspended,
        Ok(pb::FlagState::Repaired) => FlagState::Repaired,
        Ok(pb::FlagState::Revoked) => FlagState::Revoked,
        // A proposal says nothing yet, and a withdrawn one no more.
        Ok(pb::FlagState::Proposed | pb::FlagState::Lifted | pb::FlagState::Lapsed) => FlagState::Over,
        Ok(pb::FlagState::Unspecified) | Err(_) => return Err("a flag in a state that is not known here"),
    };
    Ok(Told {
        revision,
        uscc: uscc.parse::<Uscc>().map_err(|_| "a flag of no enterprise")?,
        flag: Code::parse(id).map_err(|_| "a flag whose id is none")?,
        // As written there: it is the same type that wrote it.
        document: Document {
            issuer: document.issuer,
            number: document.number,
            date: document.date.parse().map_err(|_| "a document without its date")?,
        },
        site: (!flag.site.is_empty()).then_some(flag.site),
        state,
        ends_at: flag.end_time.as_ref().map(following::instant),
    })
}
