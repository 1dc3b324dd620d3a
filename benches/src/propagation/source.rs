//! The yardstick's source: one of two processes that commit bare rows, tell each other by a Redis Stream, and push
//! what they read from it to whoever follows. It does nothing else.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, ServerStreamingService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::bare::Bare;
use crate::wire::Raw;
use crate::{child, mono};

pub(crate) const COMMIT: &str = "/greenstar.bench.v1.Push/Commit";
pub(crate) const FOLLOW: &str = "/greenstar.bench.v1.Push/Follow";
/// About what a flag takes in a frame of WatchFlags.
const EVENT_BYTES: usize = 700;
const STREAM: &str = "bare";
/// How long a read of the stream waits.
const BLOCK: Duration = Duration::from_secs(1);

/// Settings of the hidden subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    redis: String,
    #[arg(long)]
    database: String,
    /// Of this many sources, which one: they share a table.
    #[arg(long)]
    number: i64,
}

/// Serves until it is told to stop.
pub(crate) async fn serve(options: Options, stop: CancellationToken) -> anyhow::Result<()> {
    let client = redis::Client::open(options.redis)?;
    let followers = Followers::default();
    // Longer than a read waits.
    let patient = AsyncConnectionConfig::new().set_response_timeout(Some(2 * BLOCK));
    let listening = client
        .get_multiplexed_async_connection_with_config(&patient)
        .await?;
    let push = Push {
        bare: Arc::new(tokio::sync::Mutex::new(
            Bare::open_from(&options.database, options.number << 40).await?,
        )),
        redis: client.get_multiplexed_async_connection().await?,
        followers: followers.clone(),
    };
    tokio::spawn(relay(listening, followers));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    child::attend(listener.local_addr()?, stop.clone());
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tonic::transport::Server::builder()
        .add_service(push)
        // A stream has no end of its own.
        .serve_with_incoming_shutdown(incoming, async move {
            stop.cancelled().await;
            std::process::exit(0)
        })
        .await?;
    Ok(())
}

type Fields = HashMap<String, Vec<u8>>;
type Entries = Vec<HashMap<String, Fields>>;

/// Reads the stream and pushes, for ever.
async fn relay(mut listening: MultiplexedConnection, followers: Followers) {
    let mut last = "$".to_owned();
    loop {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT")
            .arg(64)
            .arg("BLOCK")
            .arg(BLOCK.as_millis() as u64);
        read.arg("STREAMS").arg(STREAM).arg(&last);
        let found: redis::RedisResult<Option<Vec<HashMap<String, Entries>>>> =
            read.query_async(&mut listening).await;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                eprintln!("the bare stream cannot be read: {error}");
                std::process::exit(1)
            }
        };
        let entries = found.into_iter().flatten().flat_map(HashMap::into_values);
        for (id, mut fields) in entries.flatten().flatten() {
            last = id;
            if let Some(event) = fields.remove("event") {
                followers.push(&Bytes::from(event));
            }
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Followers(Arc<Mutex<Vec<UnboundedSender<Bytes>>>>);

impl Followers {
    fn push(&self, event: &Bytes) {
        let mut followers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        followers.retain(|follower| follower.send(event.clone()).is_ok());
    }

    fn add(&self) -> UnboundedReceiver<Bytes> {
        let (follower, events) = unbounded_channel();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(follower);
        events
    }
}

#[derive(Clone, Debug)]
struct Push {
    bare: Arc<tokio::sync::Mutex<Bare>>,
    redis: MultiplexedConnection,
    followers: Followers,
}

impl Push {
    /// Commits and tells; answers when the commit returned.
    async fn commit(mut self, number: Bytes) -> anyhow::Result<Bytes> {
        self.bare.lock().await.commit().await?;
        let at = mono::now();
        let mut event = number.to_vec();
        event.resize(EVENT_BYTES, 0);
        let mut add = redis::cmd("XADD");
        add.arg(STREAM).arg("MAXLEN").arg("~").arg(100_000);
        add.arg("*").arg("event").arg(event);
        add.exec_async(&mut self.redis).await?;
        Ok(Bytes::copy_from_slice(&at.to_le_bytes()))
    }
}

impl NamedService for Push {
    const NAME: &'static str = "greenstar.bench.v1.Push";
}

impl tower::Service<http::Request<Body>> for Push {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            Ok(if request.uri().path() == FOLLOW {
                Grpc::new(Raw).server_streaming(Follow(this), request).await
            } else {
                Grpc::new(Raw).unary(Commit(this), request).await
            })
        })
    }
}

struct Commit(Push);

impl UnaryService<Bytes> for Commit {
    type Response = Bytes;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let commit = self.0.clone().commit(request.into_inner());
        Box::pin(async move {
            let at = commit.await;
            at.map(Response::new)
                .map_err(|error| Status::internal(format!("{error:#}")))
        })
    }
}

struct Follow(Push);

impl ServerStreamingService<Bytes> for Follow {
    type Response = Bytes;
    type ResponseStream = Pin<Box<dyn tokio_stream::Stream<Item = Result<Bytes, Status>> + Send>>;
    type Future = std::future::Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        let events = UnboundedReceiverStream::new(self.0.followers.add());
        std::future::ready(Ok(Response::new(Box::pin(events.map(Ok)))))
    }
}
