//! One subscriber's watch, as plain values; services convert them to their messages and do nothing else.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt as _, Stream, StreamExt as _};
use greenstar_kernel::{Epoch, Position, Revision, Timestamp};
use greenstar_store::{Entry, StoreError, Tx};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::registry::{Inner, Opening, Subscriber, Ticket};
use crate::ring::Found;
use crate::seat::Ack;
use crate::snapshot::{self, Told};
use crate::tail::Live;
use crate::{Feed, FeedError, Filter, Frame, Relevance, frame};

/// A subscriber that receives nothing for so long is told that nothing happened.
const IDLE: Duration = Duration::from_secs(1);
/// Pings that may wait for the frames before their answer; more are not answered.
const PINGS: usize = 16;

/// Renewals come each second. Whoever talks to a replica that cannot renew is fenced by its siblings, and must not
/// answer as fresh by then: from here on it hears no fresher head than the last renewal.
const OVERDUE: Duration = Duration::from_secs(2);

/// What a subscriber says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// First, and once.
    Open(Open),
    Ping {
        nonce: u64,
    },
    /// What it has applied.
    Ack(Ack),
}

/// How a watch begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Where the subscriber stands. Without a cursor it receives a snapshot first, and also if it stood by another
    /// filter before, or if nobody knows by which one.
    pub from: Option<Position>,
    /// None: nobody in particular, whom no lag or convergence counts.
    pub subscriber: Option<Subscriber>,
    pub filter: Filter,
    /// The cursor says what it has applied. False: only where its stream goes on, and what it has applied it
    /// acknowledges otherwise.
    pub claims: bool,
}

impl Open {
    /// Nobody in particular, who goes on from there and wants everything.
    pub fn at(from: Option<Position>) -> Open {
        Open {
            from,
            ..Open::default()
        }
    }
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outbound<R> {
    SnapshotBegin {
        at: Position,
    },
    SnapshotRows(Vec<R>),
    SnapshotEnd {
        rows: u64,
    },
    Frame(Arc<Frame>),
    /// Behind every frame up to `head`.
    Pong {
        nonce: u64,
        head: Position,
        head_age: Duration,
        wall: Timestamp,
    },
}

/// What a service adds: its rows for the snapshot, and which entries a subscriber follows.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    type Row: Send + Sync + 'static;

    /// The rows after `last` in an order with a unique tie-break; none ends the snapshot. At most 1,000.
    async fn page(&self, tx: &mut Tx, last: Option<&Self::Row>) -> Result<Vec<Self::Row>, StoreError>;

    /// What `entry` is to a subscriber with this filter; an empty one lets all pass that is meant for subscribers.
    fn relevance(&self, entry: &Entry, filter: &Filter) -> Relevance {
        let _ = (entry, filter);
        Relevance::Inside
    }

    /// Whether a row of the snapshot is for a subscriber with this filter.
    fn covers(&self, row: &Self::Row, filter: &Filter) -> bool {
        let _ = (row, filter);
        true
    }

    /// The field of a filter that narrows by what this log does not know.
    async fn unknown(&self, tx: &mut Tx, filter: &Filter) -> Result<Option<&'static str>, StoreError> {
        let _ = (tx, filter);
        Ok(None)
    }
}

impl Feed {
    /// Serves one watch. It ends when the subscriber's side ends, after an error, or when the feed is closed.
    ///
    /// Frames are not read ahead: a subscriber that does not take them costs a cursor. Nobody is registered; see
    /// [`crate::Subscribers::watch`].
    pub fn watch<S: Source, E: Send + 'static>(
        &self,
        source: Arc<S>,
        inbound: impl Stream<Item = Result<Inbound, E>> + Send + 'static,
    ) -> impl Stream<Item = Result<Outbound<S::Row>, FeedError>> + Send + 'static {
        run(self, None, source, inbound)
    }
}

/// `books`: where subscribers are registered.
pub(crate) fn run<S: Source, E: Send + 'static>(
    feed: &Feed,
    books: Option<Arc<Inner>>,
    source: Arc<S>,
    inbound: impl Stream<Item = Result<Inbound, E>> + Send + 'static,
) -> impl Stream<Item = Result<Outbound<S::Row>, FeedError>> + Send + 'static {
    let live = feed.shared.live();
    let Live { history, head, .. } = live.borrow().clone();
    let session = Session {
        feed: feed.clone(),
        books,
        ticket: None,
        source,
        filter: Arc::default(),
        inbound: Box::pin(inbound),
        live,
        history,
        epoch: head.epoch,
        stage: Stage::Opening,
        cursor: Revision::ZERO,
        pongs: VecDeque::new(),
        idle_at: Instant::now() + IDLE,
    };
    let closed = feed.stop.clone().cancelled_owned();
    futures::stream::unfold(session, |mut session| async move {
        let next = session.next().await?;
        if next.is_err() {
            session.stage = Stage::Ended;
            session.ticket = None;
        }
        Some((next, session))
    })
    .take_until(closed)
}

enum Stage<S: Source> {
    Opening,
    Snapshot(mpsc::Receiver<Told<S>>),
    /// Behind the ring: reads the table for itself.
    CatchUp {
        read: VecDeque<Arc<Frame>>,
    },
    Live,
    Ended,
}

struct Session<S: Source, I> {
    feed: Feed,
    books: Option<Arc<Inner>>,
    /// Its place in the books.
    ticket: Option<Ticket>,
    source: Arc<S>,
    filter: Arc<Filter>,
    inbound: std::pin::Pin<Box<I>>,
    live: watch::Receiver<Live>,
    history: u64,
    /// Of the cursor.
    epoch: Epoch,
    stage: Stage<S>,
    cursor: Revision,
    pongs: VecDeque<(u64, Live)>,
    idle_at: Instant,
}

impl<S: Source, I> fmt::Debug for Session<S, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}

impl<S: Source, E, I: Stream<Item = Result<Inbound, E>>> Session<S, I> {
    /// None: the watch is over.
    async fn next(&mut self) -> Option<Told<S>> {
        loop {
            let step = match &mut self.stage {
                Stage::Ended => return None,
                Stage::Opening => {
                    let first = self.inbound.next().await?.ok()?;
                    self.open(first).await.map(Some)
                }
                Stage::Snapshot(told) => tokio::select! {
                    told = told.recv() => match told {
                        Some(told) => self.snapshot(told).await.map(Some),
                        None => return None,
                    },
                    () = ended(self.ticket.as_ref()) => Err(FeedError::Replaced),
                },
                Stage::CatchUp { .. } | Stage::Live => self.follow().await,
            };
            match step {
                Ok(Some(Step::Say(outbound))) => return Some(Ok(outbound)),
                Ok(Some(Step::Again)) => {}
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    async fn open(&mut self, first: Inbound) -> Result<Step<S::Row>, FeedError> {
        let Inbound::Open(Open {
            from,
            subscriber,
            filter,
            claims,
        }) = first
        else {
            return Err(FeedError::Malformed("it does not begin with open"));
        };
        if !filter.is_empty() {
            let mut tx = self.feed.shared.database.read().await?;
            if let Some(field) = self.source.unknown(&mut tx, &filter).await? {
                return Err(FeedError::FilterInvalid { field });
            }
        }
        self.filter = Arc::new(filter);
        if let Some(from) = &from {
            self.stand_at(from).await?;
        }
        // Only now: who is refused is not registered, and ends nobody's watch.
        let mut from = from.map(|from| from.revision);
        if let (Some(books), Some(subscriber)) = (&self.books, &subscriber) {
            let opening = Opening {
                subscriber,
                filter: &self.filter,
                at: from,
                claims,
                history: self.history,
            };
            let (ticket, goes_on) = books.register(opening).await?;
            (self.ticket, from) = (Some(ticket), goes_on);
        } else if !self.filter.is_empty() {
            // Nobody knows by which filter one without a name came there.
            from = None;
        }
        self.stage = match from {
            Some(_) => Stage::CatchUp {
                read: VecDeque::new(),
            },
            None => Stage::Snapshot(snapshot::start(
                &self.feed,
                self.source.clone(),
                self.filter.clone(),
            )),
        };
        Ok(Step::Again)
    }

    /// The subscriber's cursor is `at`, of the same life as the ring that it goes on with.
    async fn stand_at(&mut self, at: &Position) -> Result<(), FeedError> {
        let known = |live: &Live| at.epoch == live.head.epoch && at.revision <= live.head.revision;
        if !known(&self.live.borrow()) {
            // The tail has not seen yet what a sibling told of, or what a snapshot was read from.
            self.feed.sync(Some(at)).await?;
        }
        let live = self.live.borrow().clone();
        if !known(&live) {
            return Err(FeedError::Foreign);
        }
        (self.history, self.epoch, self.cursor) = (live.history, live.head.epoch, at.revision);
        Ok(())
    }

    async fn snapshot(&mut self, told: Told<S>) -> Result<Step<S::Row>, FeedError> {
        let told = told?;
        match &told {
            Outbound::SnapshotBegin { at } => {
                self.stand_at(at).await?;
                if let Some(ticket) = &self.ticket {
                    if ticket.history() != self.history {
                        return Err(FeedError::Foreign);
                    }
                    ticket.sent(at.revision, at.revision);
                }
            }
            Outbound::SnapshotEnd { .. } => {
                if let Some(ticket) = &mut self.ticket {
                    ticket.holds(self.cursor).await?;
                }
                self.stage = Stage::CatchUp {
                    read: VecDeque::new(),
                };
            }
            Outbound::SnapshotRows(_) | Outbound::Frame(_) | Outbound::Pong { .. } => {}
        }
        Ok(Step::Say(told))
    }

    /// None: the subscriber has gone.
    async fn follow(&mut self) -> Result<Option<Step<S::Row>>, FeedError> {
        if self.ticket.as_ref().is_some_and(Ticket::has_ended) {
            return Err(FeedError::Replaced);
        }
        // One message at a time, or a subscriber that talks much would never hear anything.
        if let Some(said) = self.inbound.next().now_or_never() {
            let Some(Ok(said)) = said else { return Ok(None) };
            self.hear(said)?;
        }
        self.live.mark_unchanged();
        if let Some((_, at)) = self.pongs.front()
            && self.cursor >= at.head.revision
            && let Some((nonce, at)) = self.pongs.pop_front()
        {
            return Ok(Some(Step::Say(self.pong(nonce, at))));
        }
        if let Some(frame) = self.frame().await? {
            let (source, filter) = (&self.source, &self.filter);
            let frame = frame.cut(self.cursor, |entry| source.relevance(entry, filter));
            return Ok(Some(self.say(frame)));
        }
        tokio::select! {
            said = self.inbound.next() => {
                let Some(Ok(said)) = said else { return Ok(None) };
                self.hear(said)?;
            }
            changed = self.live.changed() => {
                if changed.is_err() {
                    return Ok(None);
                }
            }
            () = ended(self.ticket.as_ref()) => return Err(FeedError::Replaced),
            () = tokio::time::sleep_until(self.idle_at) => {
                let frame = Arc::new(Frame::idle(self.cursor));
                return Ok(Some(self.say(frame)));
            }
        }
        Ok(Some(Step::Again))
    }

    fn say(&mut self, frame: Arc<Frame>) -> Step<S::Row> {
        if let Some(ticket) = &self.ticket {
            ticket.sent(frame.after, frame.to);
        }
        self.cursor = frame.to;
        self.idle_at = Instant::now() + IDLE;
        Step::Say(Outbound::Frame(frame))
    }

    /// The frame that follows the cursor, if there is one.
    async fn frame(&mut self) -> Result<Option<Arc<Frame>>, FeedError> {
        if let Stage::CatchUp { read } = &mut self.stage
            && let Some(frame) = read.pop_front()
        {
            return Ok(Some(frame));
        }
        match (self.feed.shared.after(self.cursor, self.history), &mut self.stage) {
            (Found::Foreign, _) => Err(FeedError::Foreign),
            (Found::Frame(frame), stage) => {
                *stage = Stage::Live;
                Ok(Some(frame))
            }
            (Found::End, stage) => {
                *stage = Stage::Live;
                Ok(None)
            }
            (Found::Behind, Stage::CatchUp { read }) => {
                let frames = frame::read(&self.feed.shared.database, &self.epoch, self.cursor).await?;
                read.extend(frames.into_iter().map(Arc::new));
                Ok(read.pop_front())
            }
            (Found::Behind, _) => Err(FeedError::CutOff {
                cursor: Position {
                    epoch: self.epoch.clone(),
                    revision: self.cursor,
                },
            }),
        }
    }

    fn hear(&mut self, said: Inbound) -> Result<(), FeedError> {
        if let Some(ticket) = &self.ticket {
            ticket.heard();
        }
        match said {
            Inbound::Open(_) => Err(FeedError::Malformed("it is opened twice")),
            Inbound::Ack(ack) => match &self.ticket {
                Some(ticket) => ticket.acknowledge(ack),
                None if ack.revision > self.cursor => {
                    Err(FeedError::AcknowledgementAhead { sent: self.cursor })
                }
                None => Ok(()),
            },
            Inbound::Ping { nonce } => {
                let at = self.live.borrow().clone();
                if at.history != self.history {
                    return Err(FeedError::Foreign);
                }
                if self.pongs.len() < PINGS {
                    self.pongs.push_back((nonce, at));
                }
                Ok(())
            }
        }
    }

    fn pong(&self, nonce: u64, at: Live) -> Outbound<S::Row> {
        let clock = &self.feed.shared.clock;
        let mut head_age = clock.monotonic().saturating_sub(at.read_at);
        let unrenewed = self.ticket.as_ref().map_or(Duration::ZERO, Ticket::unrenewed);
        if unrenewed > OVERDUE {
            head_age = head_age.max(unrenewed);
        }
        Outbound::Pong {
            nonce,
            head: at.head,
            head_age,
            wall: clock.now(),
        }
    }
}

/// Done when another watch took the subscriber's name.
async fn ended(ticket: Option<&Ticket>) {
    match ticket {
        Some(ticket) => ticket.ended().await,
        None => std::future::pending().await,
    }
}

enum Step<R> {
    Say(Outbound<R>),
    Again,
}
