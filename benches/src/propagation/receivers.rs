//! Processes of receivers: of the bare push, and of the suite's WatchFlags. Each receiver has a connection of its own.

use std::net::SocketAddr;

use anyhow::Context as _;
use bytes::Bytes;
use greenstar_proto::common::v1::{Acknowledgement, Position, WatchOpen};
use greenstar_proto::sanctions::v1::WatchFlagsRequest;
use greenstar_proto::sanctions::v1::watch_flags_request::Step;
use http::uri::PathAndQuery;
use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, MissedTickBehavior, interval};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};

use super::arrivals::{ASK, Arrivals};
use super::source::FOLLOW;
use crate::child;
use crate::wire::Raw;

const WATCH: &str = "/greenstar.sanctions.v1.FlagService/WatchFlags";
/// A department's own system says so often how far it is.
const ACKNOWLEDGE: Duration = Duration::from_secs(1);

/// Settings of the hidden subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Sources; receivers take turns at them.
    #[arg(long, value_delimiter = ',')]
    at: Vec<SocketAddr>,
    #[arg(long)]
    count: usize,
    /// Of the suite: where its log is. Left out: of the bare push.
    #[arg(long, requires = "secret")]
    cursor: Option<String>,
    #[arg(long)]
    secret: Option<String>,
}

/// Receives until it is told to stop.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let arrivals = Arrivals::default();
    let sources = options.at.iter().cycle().take(options.count);
    for (number, at) in sources.enumerate() {
        let endpoint = Endpoint::from_shared(format!("http://{at}"))?.tcp_nodelay(true);
        let grpc = Grpc::new(endpoint.connect().await?);
        let ready = match (&options.cursor, &options.secret) {
            (Some(cursor), Some(secret)) => {
                let watch = Watch::open(grpc, number, cursor, secret).await?;
                tokio::spawn(watch.receive(arrivals.clone()))
            }
            _ => {
                let stream = follow(grpc).await?;
                tokio::spawn(receive(stream, arrivals.clone()))
            }
        };
        // One that ends is missed by whoever counts.
        drop(ready);
    }
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    println!("ready 127.0.0.1:0");
    child::answer(
        move |line| (line == ASK).then(|| arrivals.tell()),
        move || drop(ended),
    );
    // An error is the end of the parent.
    let _ = end.await;
    std::process::exit(0)
}

async fn follow(mut grpc: Grpc<Channel>) -> anyhow::Result<tonic::Streaming<Bytes>> {
    grpc.ready().await?;
    let request = Request::new(Bytes::new());
    let stream = grpc
        .server_streaming(request, PathAndQuery::from_static(FOLLOW), Raw)
        .await?;
    Ok(stream.into_inner())
}

async fn receive(mut stream: tonic::Streaming<Bytes>, arrivals: Arrivals) -> anyhow::Result<()> {
    while let Some(event) = stream.message().await? {
        let number = event.first_chunk().context("an event without its number")?;
        let number = u64::from_le_bytes(*number);
        arrivals.note(number..=number);
    }
    Ok(())
}

/// A department's own system that follows flags.
struct Watch {
    stream: tonic::Streaming<Bytes>,
    steps: mpsc::Sender<Bytes>,
}

impl Watch {
    async fn open(
        mut grpc: Grpc<Channel>,
        number: usize,
        cursor: &str,
        secret: &str,
    ) -> anyhow::Result<Watch> {
        let (epoch, revision) = cursor.rsplit_once('.').context("a cursor is EPOCH.REVISION")?;
        let (steps, said) = mpsc::channel(16);
        let open = WatchOpen {
            subscriber: format!("enforcement/bench-{number}"),
            cursor: Some(Position {
                epoch: epoch.to_owned(),
                revision: revision.parse()?,
            }),
            ..Default::default()
        };
        steps.try_send(message(Step::Open(open)))?;
        let mut request = Request::new(ReceiverStream::new(said));
        let authorization = format!("Bearer {secret}").parse()?;
        request.metadata_mut().insert("authorization", authorization);
        grpc.ready().await?;
        let stream = grpc
            .streaming(request, PathAndQuery::from_static(WATCH), Raw)
            .await?;
        Ok(Watch {
            stream: stream.into_inner(),
            steps,
        })
    }

    async fn receive(mut self, arrivals: Arrivals) -> anyhow::Result<()> {
        let (reached, applied) = watch::channel(0);
        tokio::spawn(acknowledge(applied, self.steps));
        loop {
            let received = self.stream.message().await;
            let Some(bytes) = received.inspect_err(|error| eprintln!("a watch ended: {error}"))? else {
                return Ok(());
            };
            if let Some(Frame { after, to }) = Event::decode(bytes)?.frame {
                arrivals.note(after + 1..=to);
                reached.send_replace(to);
            }
        }
    }
}

async fn acknowledge(mut applied: watch::Receiver<u64>, steps: mpsc::Sender<Bytes>) -> anyhow::Result<()> {
    let mut due = interval(ACKNOWLEDGE);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        applied.changed().await?;
        due.tick().await;
        let revision = *applied.borrow_and_update();
        let acknowledgement = Acknowledgement {
            revision,
            rejection: None,
        };
        steps
            .send(message(Step::Acknowledgement(acknowledgement)))
            .await?;
    }
}

fn message(step: Step) -> Bytes {
    WatchFlagsRequest { step: Some(step) }.encode_to_vec().into()
}

/// What is read of WatchFlagsResponse.
#[derive(Clone, PartialEq, prost::Message)]
struct Event {
    #[prost(message, optional, tag = "4")]
    frame: Option<Frame>,
}

/// What is read of a frame.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Frame {
    #[prost(uint64, tag = "1")]
    after: u64,
    #[prost(uint64, tag = "2")]
    to: u64,
}

#[cfg(test)]
mod tests {
    use greenstar_proto::sanctions::v1::watch_flags_response::Event as Whole;
    use greenstar_proto::sanctions::v1::{FlagChange, FlagFrame, WatchFlagsResponse};

    use super::*;

    #[test]
    fn of_a_frame_its_bounds_are_read() {
        let frame = FlagFrame {
            after: 7,
            to: 9,
            changes: vec![FlagChange::default()],
            left: Vec::new(),
        };
        let whole = WatchFlagsResponse {
            event: Some(Whole::Frame(frame)),
        };
        let read = Event::decode(whole.encode_to_vec().as_slice()).unwrap();
        assert_eq!(read.frame, Some(Frame { after: 7, to: 9 }));
    }
}
