//! The load: connections of tonic's client, driven in a closed loop (as fast as the server answers) for
//! throughput and in an open loop (at a fixed rate, whatever the server does) for latencies.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http::uri::PathAndQuery;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::child::{self, Child};
use crate::wire::{Raw, batch_check_permits, check_permit, has_outcome, has_outcomes};

/// Replies that are still out this long after the last request are counted as failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Room for replies on the way.
const LARGE: u32 = 16 << 20;
/// Longest latency that is told apart, ns.
const LONGEST: u64 = 60_000_000_000;

/// The one question, the same bytes to every server.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// An encoded CheckPermitRequest.
    pub(crate) request: Bytes,
    /// `Bearer …`; the ceiling gets it as well, so that all requests have one size.
    pub(crate) authorization: MetadataValue<Ascii>,
    /// The outcome that every reply must have. A wrong or refused reply ends the run.
    pub(crate) outcome: Arc<str>,
    /// How many items it asks, if it is a batch.
    pub(crate) items: Option<usize>,
}

impl Question {
    fn method(&self) -> PathAndQuery {
        match self.items {
            None => check_permit(),
            Some(_) => batch_check_permits(),
        }
    }

    fn is_right(&self, reply: &[u8]) -> bool {
        match self.items {
            None => has_outcome(reply, &self.outcome),
            Some(items) => has_outcomes(reply, &self.outcome, items),
        }
    }
}

/// A closed loop's window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed {
    pub(crate) replies: u64,
    pub(crate) elapsed: Duration,
    /// Processor time that the server's process took in it.
    pub(crate) cpu: Duration,
    /// Processor time that the load itself took in it.
    pub(crate) load_cpu: Duration,
}

impl Closed {
    #[expect(clippy::cast_precision_loss, reason = "counts of a run of minutes")]
    pub(crate) fn per_second(&self) -> f64 {
        self.replies as f64 / self.elapsed.as_secs_f64()
    }

    /// The server's processor time for a reply, µs.
    #[expect(clippy::cast_precision_loss, reason = "counts of a run of minutes")]
    pub(crate) fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.replies as f64
    }
}

/// Connections to one server.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    connections: Vec<Connection>,
}

#[derive(Clone, Debug)]
struct Connection {
    grpc: Grpc<Channel>,
    question: Question,
}

impl Connection {
    async fn ask(&mut self) -> Result<Bytes, Status> {
        self.grpc
            .ready()
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let mut request = Request::new(self.question.request.clone());
        request
            .metadata_mut()
            .insert("authorization", self.question.authorization.clone());
        let reply = self
            .grpc
            .unary(request, self.question.method(), Raw)
            .await?
            .into_inner();
        if self.question.is_right(&reply) {
            Ok(reply)
        } else {
            Err(Status::data_loss(format!(
                "a reply is not {}",
                self.question.outcome
            )))
        }
    }
}

impl Load {
    /// Opens the connections; each is one HTTP/2 connection of its own.
    pub(crate) async fn connect(
        at: SocketAddr,
        question: &Question,
        connections: usize,
    ) -> anyhow::Result<Load> {
        let mut endpoint = Endpoint::from_shared(format!("http://{at}"))?.tcp_nodelay(true);
        if question.items.is_some() {
            // A batch's reply has megabytes.
            endpoint = endpoint
                .initial_stream_window_size(LARGE)
                .initial_connection_window_size(LARGE);
        }
        let mut load = Load {
            connections: Vec::with_capacity(connections),
        };
        for _ in 0..connections {
            let channel = endpoint
                .connect()
                .await
                .with_context(|| format!("cannot connect to {at}"))?;
            load.connections.push(Connection {
                grpc: Grpc::new(channel).max_decoding_message_size(64 << 20),
                question: question.clone(),
            });
        }
        Ok(load)
    }

    /// Starts `in_flight` requests on each connection, each followed by the next as soon as it is answered.
    pub(crate) fn closed(&self, in_flight: usize) -> ClosedLoop {
        let stop = Arc::new(AtomicBool::new(false));
        let mut replies = Vec::with_capacity(self.connections.len());
        let mut tasks = JoinSet::new();
        for connection in &self.connections {
            let counter = Arc::new(AtomicU64::new(0));
            replies.push(Arc::clone(&counter));
            for _ in 0..in_flight {
                let (mut connection, stop, counter) =
                    (connection.clone(), Arc::clone(&stop), Arc::clone(&counter));
                tasks.spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        connection.ask().await?;
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                });
            }
        }
        ClosedLoop { replies, stop, tasks }
    }

    /// A window of `length` in a closed loop, after a quarter of it has gone by. Its processor time is `server`'s.
    pub(crate) async fn window(
        &self,
        in_flight: usize,
        length: Duration,
        server: &mut Child,
    ) -> anyhow::Result<Closed> {
        let running = self.closed(in_flight);
        tokio::time::sleep(length / 4).await;
        let (cpu, load_cpu) = (server.cpu().await?, child::own_cpu());
        let (begun, before) = (Instant::now(), running.replies());
        tokio::time::sleep(length).await;
        // A batch may take longer than a short window.
        while running.replies() == before && begun.elapsed() < PATIENCE {
            tokio::time::sleep(length).await;
        }
        let (cpu, load_cpu) = (
            server.cpu().await?.saturating_sub(cpu),
            child::own_cpu() - load_cpu,
        );
        let (elapsed, after) = (begun.elapsed(), running.replies());
        running.stop().await?;
        ensure!(after > before, "nothing was answered within {elapsed:?}");
        Ok(Closed {
            replies: after - before,
            elapsed,
            cpu,
            load_cpu,
        })
    }

    /// Sends `rate` requests a second for `duration`, spread evenly over the connections and sent when they are
    /// due, whether or not earlier ones are answered. A latency counts from the instant at which the request
    /// was due, so a server that stalls is charged for all whom it kept waiting. In ns.
    pub(crate) async fn open(&self, rate: u32, duration: Duration) -> anyhow::Result<Histogram<u64>> {
        let mut senders = Vec::with_capacity(self.connections.len());
        let mut tasks = JoinSet::new();
        for connection in &self.connections {
            let (sender, receiver) = unbounded_channel();
            senders.push(sender);
            tasks.spawn(answer_all(connection.clone(), receiver));
        }
        let pacer = tokio::task::spawn_blocking(move || pace(rate, duration, &senders));
        pacer.await?;
        let answered = tokio::time::timeout(PATIENCE, tasks.join_all()).await;
        let mut all = latencies()?;
        for one in answered.context("replies are still out: the rate is beyond the server")? {
            all.add(one?)?;
        }
        if all.is_empty() {
            bail!("nothing was sent: rate and duration give no request");
        }
        Ok(all)
    }
}

/// Requests that are running in a closed loop.
#[derive(Debug)]
pub(crate) struct ClosedLoop {
    replies: Vec<Arc<AtomicU64>>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Result<(), Status>>,
}

impl ClosedLoop {
    /// Right replies so far.
    pub(crate) fn replies(&self) -> u64 {
        self.replies
            .iter()
            .map(|counter| counter.load(Ordering::Relaxed))
            .sum()
    }

    /// Lets the requests on the way come home. Any failed or wrong reply is an error.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        for result in self.tasks.join_all().await {
            result.context("a request of the closed loop failed")?;
        }
        Ok(())
    }
}

/// Sends instants when they are due, `rate` a second for `duration`, to the receivers in turn. For a thread of its own:
/// the runtime's timer counts whole milliseconds.
pub(crate) fn pace(rate: u32, duration: Duration, connections: &[UnboundedSender<Instant>]) {
    let start = Instant::now();
    for (number, connection) in (0..).zip(connections.iter().cycle()) {
        let due = Duration::from_secs(1) * number / rate;
        if due >= duration {
            return;
        }
        let due = start + due;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if connection.send(due).is_err() {
            return;
        }
    }
}

async fn answer_all(
    connection: Connection,
    mut due: UnboundedReceiver<Instant>,
) -> anyhow::Result<Histogram<u64>> {
    let taken = Arc::new(Mutex::new(latencies()?));
    let mut calls = JoinSet::new();
    while let Some(due) = due.recv().await {
        let (mut connection, taken) = (connection.clone(), Arc::clone(&taken));
        calls.spawn(async move {
            connection.ask().await?;
            let nanos = u64::try_from(due.elapsed().as_nanos()).unwrap_or(LONGEST);
            taken
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .saturating_record(nanos);
            Ok::<(), Status>(())
        });
        // Finished calls are not kept.
        while let Some(result) = calls.try_join_next() {
            result?.context("a request of the open loop failed")?;
        }
    }
    while let Some(result) = calls.join_next().await {
        result?.context("a request of the open loop failed")?;
    }
    let taken = taken.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(taken)
}

fn latencies() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1_000, LONGEST, 3)?)
}

#[cfg(test)]
mod tests {
    use greenstar_proto::supervision::v1::{CheckPermitRequest, CheckPermitResponse};
    use prost::Message;
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    use super::*;

    async fn ceiling(outcome: &str) -> SocketAddr {
        let reply = CheckPermitResponse {
            outcome: outcome.into(),
            ..Default::default()
        }
        .encode_to_vec();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move { crate::ceiling::serve(listener, &reply, CancellationToken::new()).await });
        at
    }

    fn question(outcome: &str) -> Question {
        let request = CheckPermitRequest {
            permit_kind: "pollutant-permit".into(),
            ..Default::default()
        };
        Question {
            request: request.encode_to_vec().into(),
            authorization: "Bearer none".parse().unwrap(),
            outcome: outcome.into(),
            items: None,
        }
    }

    #[tokio::test]
    async fn the_ceiling_answers_both_loops() {
        let at = ceiling("FAST_TRACK").await;
        let load = Load::connect(at, &question("FAST_TRACK"), 2).await.unwrap();

        let running = load.closed(4);
        let open = load.open(500, Duration::from_millis(100)).await.unwrap();

        assert_eq!(open.len(), 50);
        assert!(running.replies() > 0);
        running.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_wrong_outcome_fails_the_run_in_both_loops() {
        let at = ceiling("STANDARD").await;
        let load = Load::connect(at, &question("FAST_TRACK"), 1).await.unwrap();

        assert!(load.closed(1).stop_after_one().await.is_err());
        assert!(load.open(100, Duration::from_millis(20)).await.is_err());
    }

    #[tokio::test]
    async fn an_open_loop_that_sends_nothing_is_an_error() {
        let at = ceiling("FAST_TRACK").await;
        let load = Load::connect(at, &question("FAST_TRACK"), 1).await.unwrap();

        assert!(load.open(100, Duration::ZERO).await.is_err());
    }

    impl ClosedLoop {
        /// Waits for a task to end by itself, which only a failure makes it do.
        async fn stop_after_one(mut self) -> Result<(), Status> {
            self.tasks.join_next().await.unwrap().unwrap()
        }
    }
}
