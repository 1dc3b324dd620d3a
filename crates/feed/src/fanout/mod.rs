//! Fan-out: siblings tell one another of their commits by a Redis Stream (protocol.md §2).
//!
//! Redis is a messenger, never a record. Nothing waits for it: frames to be published stay where they are, in
//! the ring and in the table, and what Redis loses is found by the poll. What it says is believed only as far
//! as it follows the ring's end; at every new connection the stream's top is compared with the table.

mod stream;
mod wire;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use greenstar_kernel::{Epoch, Position, Revision};
use redis::RedisError;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::figures::count;
use crate::ring::Found;
use crate::tail::Shared;
use crate::{FeedError, Frame, frame};
use stream::{Address, Stream, Top};

/// Entries of the stream that may wait for the tail.
pub(crate) const HEARD: usize = 64;
/// Frames in one pipeline.
const AT_ONCE: usize = 64;
/// Revisions that are added behind; a sibling that misses more reads the table anyway.
const BEHIND: u64 = 2_000;
/// Between two attempts at Redis. The poll goes on meanwhile, so nobody is blind for as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How a feed tells its siblings, and hears of them.
#[derive(Clone, Debug)]
pub struct FanOut {
    address: Address,
    service: String,
}

/// The URL names no Redis that can be used.
#[derive(Debug, thiserror::Error)]
#[error("this is no URL of a Redis: redis://[user:password@]host[:port][/database]")]
pub struct MalformedRedisUrl(#[source] RedisError);

/// An entry of the stream.
#[derive(Debug)]
pub(crate) struct Heard {
    /// For which it was read.
    pub(crate) history: u64,
    pub(crate) after: Revision,
    pub(crate) to: Revision,
    /// None: it came without its changes, or is not to be made sense of.
    pub(crate) frame: Option<Frame>,
}

/// Why a connection is given up.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("Redis cannot be used")]
    Redis(#[from] RedisError),
    #[error("the log cannot be read")]
    Log(#[from] FeedError),
    /// What is listened to is no longer the log's.
    #[error("the log or its stream was replaced")]
    Replaced,
    #[error("the feed has ended")]
    Closed,
}

impl FanOut {
    /// `service` names the log: the replicas of one service share the stream `feed:{service}:{epoch}`.
    /// Nothing is connected yet.
    pub fn new(redis_url: &str, service: &str) -> Result<FanOut, MalformedRedisUrl> {
        Ok(FanOut {
            address: Address::parse(redis_url).map_err(MalformedRedisUrl)?,
            service: service.to_owned(),
        })
    }

    /// Publishes up to `committed` and tells what siblings published, until the feed ends.
    pub(crate) fn run(
        self,
        shared: Arc<Shared>,
        tell: mpsc::Sender<Heard>,
        committed: watch::Receiver<Revision>,
        doubted: watch::Receiver<()>,
    ) -> impl Future<Output = ()> {
        let floor = *committed.borrow();
        let fan_out = Running {
            fan_out: self,
            shared,
            tell,
            committed,
            doubted,
            in_stream: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            floor,
            history: 0,
        };
        fan_out.keep_up()
    }
}

#[derive(Debug)]
struct Running {
    fan_out: FanOut,
    shared: Arc<Shared>,
    tell: mpsc::Sender<Heard>,
    committed: watch::Receiver<Revision>,
    doubted: watch::Receiver<()>,
    /// The last revision that the stream was seen to have, or to have had; zero before that was looked up.
    in_stream: AtomicU64,
    /// As the entries say that are heard over this connection, which may be a lie.
    heard: AtomicU64,
    /// Nobody misses what comes before it in an empty stream.
    floor: Revision,
    /// Of these two.
    history: u64,
}

impl Running {
    async fn keep_up(mut self) {
        let mut pause = FIRST_PAUSE;
        let mut failing = false;
        loop {
            let began = Instant::now();
            let ended = self.session().await;
            self.shared.counters.connected.store(false, Ordering::Relaxed);
            // One that takes connections and nothing else is no better than none.
            if began.elapsed() > LONGEST_PAUSE {
                (pause, failing) = (FIRST_PAUSE, false);
            }
            match &ended {
                Ended::Closed => return,
                // Redis is well.
                Ended::Replaced => pause = FIRST_PAUSE,
                Ended::Redis(_) | Ended::Log(_) => {
                    count(&self.shared.counters.failures, 1);
                    if !failing {
                        tracing::warn!(
                            error = &ended as &dyn std::error::Error,
                            cause = std::error::Error::source(&ended),
                            "siblings are heard by polling only"
                        );
                    }
                    failing = true;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.tell.closed() => return,
            }
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// One connection, for as long as it and the log last.
    async fn session(&mut self) -> Ended {
        let mut live = self.shared.live();
        let (history, head) = {
            let live = live.borrow_and_update();
            (live.history, live.head.clone())
        };
        let life = (history, head.epoch.clone());
        self.doubted.mark_unchanged();
        self.heard.store(0, Ordering::Relaxed);
        if history != self.history {
            (self.history, self.floor) = (history, head.revision);
            self.in_stream.store(0, Ordering::Relaxed);
        }
        let stream = match self.connect(&head).await {
            Ok(stream) => stream,
            Err(ended) => return ended,
        };
        self.shared.counters.connected.store(true, Ordering::Relaxed);
        tracing::info!(key = stream.key(), "siblings are heard by Redis");
        let replaced = async {
            loop {
                if live.borrow_and_update().history != history || live.changed().await.is_err() {
                    return Ended::Replaced;
                }
            }
        };
        let (mut committed, mut doubted) = (self.committed.clone(), self.doubted.clone());
        tokio::select! {
            ended = self.publish(&stream, &life, &mut committed) => ended,
            ended = self.listen(&stream, history) => ended,
            ended = replaced => ended,
            _ = doubted.changed() => Ended::Replaced,
            () = self.tell.closed() => Ended::Closed,
        }
    }

    /// Connects, and makes sure that the stream is of this log: everything in it was committed before it was
    /// published, so the table has the stream's top, and the same batch there.
    async fn connect(&self, head: &Position) -> Result<Stream, Ended> {
        let stream = self
            .fan_out
            .address
            .connect(&head.epoch, &self.fan_out.service)
            .await?;
        let Some(Top { last, newest }) = stream.top().await? else {
            self.in_stream.fetch_max(self.floor.0, Ordering::Relaxed);
            return Ok(stream);
        };
        let place = newest.as_ref().map_or(last, |newest| newest.revision);
        let seen = self.shared.database.head_and_batch(place).await;
        let (seen, batch) = seen.map_err(FeedError::from)?;
        if seen.epoch != head.epoch {
            // The tail will see it as well.
            return Err(Ended::Replaced);
        }
        let differs = match (&newest, &batch) {
            (Some(newest), Some(ours)) => newest.batch.as_ref() != Some(ours),
            // Trimmed away, there or here.
            (None, _) | (_, None) => false,
        };
        let foreign = last > seen.revision || differs;
        if foreign {
            tracing::error!(
                key = stream.key(),
                stream = %last,
                table = %seen.revision,
                "the stream holds what the log does not, as after a restore; it begins anew"
            );
            count(&self.shared.counters.rotations, 1);
            stream.drop_all().await?;
            self.in_stream.store(seen.revision.0, Ordering::Relaxed);
        } else {
            self.in_stream.fetch_max(last.0, Ordering::Relaxed);
        }
        Ok(stream)
    }

    /// Adds to the stream what this replica committed, behind whatever of its siblings is missing there.
    async fn publish(
        &self,
        stream: &Stream,
        life: &(u64, Epoch),
        committed: &mut watch::Receiver<Revision>,
    ) -> Ended {
        loop {
            let to = *committed.borrow_and_update();
            let in_stream = self.in_stream.load(Ordering::Relaxed);
            let known = in_stream.max(self.heard.load(Ordering::Relaxed));
            if known >= to.0 {
                if committed.changed().await.is_err() {
                    return Ended::Closed;
                }
                continue;
            }
            let from = Revision(known.max(to.0.saturating_sub(BEHIND)));
            let frames = match self.frames(from, life).await {
                Ok(frames) => frames,
                Err(ended) => return ended,
            };
            let Some(reached) = frames.last().map(|last| last.to) else {
                // What was committed was of another history, which the tail has left.
                if committed.changed().await.is_err() {
                    return Ended::Closed;
                }
                continue;
            };
            if let Err(error) = stream.add(&frames).await {
                return error.into();
            }
            count(&self.shared.counters.published, frames.len());
            self.in_stream.fetch_max(reached.0, Ordering::Relaxed);
        }
    }

    /// Some frames after `from`: of the ring, or, where it does not reach back so far, of the table.
    async fn frames(&self, from: Revision, life: &(u64, Epoch)) -> Result<Vec<Arc<Frame>>, Ended> {
        let (history, epoch) = life;
        let mut frames: Vec<Arc<Frame>> = Vec::new();
        while frames.len() < AT_ONCE {
            let from = frames.last().map_or(from, |frame| frame.to);
            match self.shared.after(from, *history) {
                Found::Frame(frame) => frames.push(frame),
                Found::End => break,
                Found::Foreign => return Err(Ended::Replaced),
                Found::Behind => {
                    let read = frame::read(&self.shared.database, epoch, from).await?;
                    return Ok(read.into_iter().map(Arc::new).collect());
                }
            }
        }
        Ok(frames)
    }

    /// Tells the tail what comes after the end of its ring.
    async fn listen(&self, stream: &Stream, history: u64) -> Ended {
        let mut at = format!("{}-0", self.shared.to());
        loop {
            let entries = match stream.read(&at).await {
                Ok(entries) => entries,
                Err(error) => return error.into(),
            };
            for (id, fields) in entries {
                let to = wire::revision(&id);
                self.heard.fetch_max(to.0, Ordering::Relaxed);
                let known = to <= self.shared.to();
                let heard = (!known).then(|| wire::decode(&id, &fields, history));
                at = id;
                if let Some(heard) = heard
                    && self.tell.send(heard).await.is_err()
                {
                    return Ended::Closed;
                }
            }
        }
    }
}
