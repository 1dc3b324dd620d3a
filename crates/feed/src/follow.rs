//! Follows a log that another service publishes (protocol.md §2, §4, §5): snapshot, frames, pings that measure
//! age, acknowledgements. It knows neither how a watch travels ([`Source`]) nor where rows go ([`Sink`]).
//!
//! When a source is away the sink stays as it is and grows old; the watch is opened again for ever.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use greenstar_kernel::{Clock, Log, Position, Revision, Timestamp};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::{Age, Cursor, Gap};

/// Between two pings (protocol.md §4).
const PING: Duration = Duration::from_millis(500);
/// At most one acknowledgement in this time (protocol.md §5: 50 a second).
const ACKNOWLEDGE: Duration = Duration::from_millis(20);
/// A source that answers no ping for so long has lost the connection, whatever TCP says.
const SILENCE: Duration = Duration::from_secs(2);
/// First and longest pause before the next try.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// Before what was refused is tried again.
const REFUSED: Duration = Duration::from_secs(2);

/// After a source has come back, it is followed again within this time, however it was lost. The bound of
/// staleness has to be longer, else answers turn to manual review although the source is there.
pub const RECOVERY: Duration = SILENCE.saturating_add(RETRY.1).saturating_add(PING);

/// How the subscriber opens a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Its name at the source.
    pub subscriber: Arc<str>,
    /// Where it goes on; none: with a snapshot.
    pub cursor: Option<Position>,
    /// It answers nothing as fresh once it has heard nothing for so long; none: it promises nothing.
    pub fences_after: Option<Duration>,
}

/// What is said to a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// First, once.
    Open(Open),
    Ping(u64),
    /// Everything up to `revision` is applied.
    Acknowledge {
        revision: Revision,
        rejection: Option<Rejection>,
    },
}

/// What cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The first that cannot.
    pub revision: Revision,
    /// Why, for the operator.
    pub reason: String,
}

/// What a source says. Its rows are the subscriber's own type; a row that has to know its revision carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<R> {
    /// A snapshot begins, as of this position.
    Begin(Position),
    Rows(Vec<R>),
    /// The snapshot is whole: number of rows sent.
    End(u64),
    Frame {
        after: Revision,
        to: Revision,
        rows: Vec<R>,
    },
    Pong {
        nonce: u64,
        head: Revision,
        head_age: Duration,
        wall: Timestamp,
    },
}

/// Events of one watch.
pub type Events<R> = BoxStream<'static, Result<Event<R>, Broken>>;

/// An error of the outside.
pub type Cause = Box<dyn Error + Send + Sync>;

/// A watch that was refused or broke off.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct Broken {
    /// The cursor is of no more use: too old, of another epoch, or ahead of the log.
    pub wants_snapshot: bool,
    #[source]
    pub source: Cause,
}

impl Broken {
    /// The source sent what the contract does not know.
    pub fn malformed(what: &'static str) -> Broken {
        Broken {
            wants_snapshot: false,
            source: Box::new(Malformed(what)),
        }
    }
}

/// Opens watches.
#[async_trait]
pub trait Source: Send + 'static {
    type Row: Send + 'static;

    /// Opens a watch; `steps` begins with [`Step::Open`].
    async fn open(&mut self, steps: mpsc::Receiver<Step>) -> Result<Events<Self::Row>, Broken>;
}

/// Where the rows go.
#[async_trait]
pub trait Sink: Send + 'static {
    type Row: Send + 'static;
    /// A snapshot that grows beside what serves.
    type Snapshot: Send;

    /// Up to where everything is applied; none: a snapshot is wanted. Asked before every watch.
    async fn cursor(&mut self) -> Result<Option<Position>, Refusal>;

    fn begin(&mut self) -> Self::Snapshot;

    async fn put(&mut self, snapshot: &mut Self::Snapshot, rows: Vec<Self::Row>) -> Result<(), Refusal>;

    /// The whole snapshot takes the place of all that was, and is applied on return.
    async fn replace(&mut self, at: Position, snapshot: Self::Snapshot) -> Result<(), Refusal>;

    /// Applies the frame `(after, to]` and answers up to where everything is applied: `to`, or further if another
    /// replica with the same cursor was quicker. Rows are to be skipped that were applied before.
    async fn apply(
        &mut self,
        after: Revision,
        to: Revision,
        rows: Vec<Self::Row>,
    ) -> Result<Revision, Refusal>;

    /// At `now` (monotonic) what is applied shows the log as it was `age` before; none: nobody can say, because the
    /// clocks disagree or what is applied is not trusted any more.
    fn set_age(&self, age: Option<Duration>, now: Duration) {
        let _ = (age, now);
    }

    /// The source agrees with this wall clock at `now` (monotonic).
    fn set_clock(&self, now: Duration, wall: Timestamp) {
        let _ = (now, wall);
    }
}

/// Why rows were not applied.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// They cannot be, for a reason that the source is told; they are tried again later.
    #[error("revision {} is refused: {}", .rejection.revision, .rejection.reason)]
    Rejected {
        /// Everything up to here is applied.
        applied: Revision,
        rejection: Rejection,
    },
    /// They could not be this time, e.g. because the database is away.
    #[error("what was received could not be applied: {0}")]
    Failed(#[source] Cause),
}

/// Who follows, and what it promises the source.
#[derive(Clone, Debug)]
pub struct Subscriber {
    pub name: Arc<str>,
    /// See [`Open::fences_after`].
    pub fences_after: Option<Duration>,
}

#[derive(Debug, thiserror::Error)]
#[error("the source sent what the contract does not know: {0}")]
struct Malformed(&'static str);

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the source ended the watch: {0}")]
    Broken(#[from] Broken),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Gap(#[from] Gap),
    #[error("the snapshot is not whole: {sent} rows were sent, {taken} came")]
    Incomplete { sent: u64, taken: u64 },
    #[error("the snapshot is older than what is applied")]
    Backwards,
    #[error("the source is silent")]
    Silent,
    #[error("the source closed the watch")]
    Closed,
    #[error("a snapshot was asked for")]
    Asked,
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Ended {
    fn wants_snapshot(&self) -> bool {
        match self {
            Ended::Broken(broken) => broken.wants_snapshot,
            Ended::Asked => true,
            Ended::Malformed(_)
            | Ended::Gap(_)
            | Ended::Incomplete { .. }
            | Ended::Backwards
            | Ended::Silent
            | Ended::Closed
            | Ended::Refused(_) => false,
        }
    }
}

/// Follows one log for ever.
#[derive(Debug)]
pub struct Follower<S, K> {
    log: Log,
    source: S,
    sink: K,
    clock: Arc<dyn Clock>,
    subscriber: Subscriber,
    /// The next watch begins with a snapshot whatever the sink's cursor is.
    fresh: bool,
    asked: Arc<Notify>,
}

impl<S: Source, K: Sink<Row = S::Row>> Follower<S, K> {
    pub fn new(
        log: Log,
        source: S,
        sink: K,
        clock: Arc<dyn Clock>,
        subscriber: Subscriber,
    ) -> Follower<S, K> {
        Follower {
            log,
            source,
            sink,
            clock,
            subscriber,
            fresh: false,
            asked: Arc::default(),
        }
    }

    /// `notify_one` on it has everything replaced by a fresh snapshot; what is there serves until then, and nobody can
    /// say how old it is.
    pub fn starts_over(&self) -> Arc<Notify> {
        self.asked.clone()
    }

    /// Returns when `stop` says so. A frame that is being applied meanwhile is given up.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut pause = RETRY.0;
        loop {
            let began = Instant::now();
            let ended = tokio::select! {
                ended = self.session() => ended,
                () = stop.cancelled() => return,
            };
            let error = match ended {
                Ok(never) => match never {},
                Err(error) => error,
            };
            if matches!(error, Ended::Asked) {
                self.sink.set_age(None, self.clock.monotonic());
            }
            if error.wants_snapshot() {
                self.fresh = true;
                tracing::warn!(log = self.log.as_str(), %error, "the watch starts over with a snapshot; what is there serves on");
            } else if matches!(error, Ended::Closed) {
                // A source that stops says so.
                tracing::info!(log = self.log.as_str(), %error, "the watch is opened again");
            } else {
                tracing::warn!(log = self.log.as_str(), %error, "the watch is opened again");
            }
            // A session that held is no reason to wait longer, nor is one that somebody ended.
            pause = if began.elapsed() > RETRY.1 || matches!(error, Ended::Asked) {
                RETRY.0
            } else {
                (pause * 2).min(RETRY.1)
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn session(&mut self) -> Result<Infallible, Ended> {
        let applied = self.sink.cursor().await?;
        let cursor = applied.clone().filter(|_| !self.fresh);
        let (steps, said) = mpsc::channel(64);
        // The channel is new and has room.
        let _ = steps.try_send(Step::Open(Open {
            subscriber: self.subscriber.name.clone(),
            cursor: cursor.clone(),
            fences_after: self.subscriber.fences_after,
        }));
        let opened = timeout(SILENCE, self.source.open(said)).await;
        let mut events = opened.map_err(|_| Ended::Silent)??;
        let mut session = Session {
            age: Age::new(),
            before: applied,
            applied: cursor.as_ref().map_or(Revision::ZERO, |cursor| cursor.revision),
            cursor: cursor.map(Cursor::at),
            snapshot: None,
        };
        session.age.applied(session.applied);
        let mut acknowledged = Revision::ZERO;
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut acknowledge_at = Instant::now();
        let mut heard = Instant::now();
        let mut refused: Option<(Instant, Refusal)> = None;
        let asked = self.asked.clone();
        loop {
            // Never more than the source has sent in this watch.
            let due = session.due();
            let again_at = refused.as_ref().map_or(heard, |(at, _)| *at);
            tokio::select! {
                event = events.next() => {
                    let event = event.ok_or(Ended::Closed)??;
                    if let (Event::Frame { .. }, true) = (&event, refused.is_some()) {
                        // It comes again with the next watch, behind what is refused.
                        heard = Instant::now();
                        continue;
                    }
                    match self.take(&mut session, event).await {
                        Ok(()) => {}
                        Err(Ended::Refused(Refusal::Rejected { applied, rejection })) => {
                            tracing::error!(log = self.log.as_str(), revision = rejection.revision.0, reason = rejection.reason, "a change is refused");
                            send(&steps, Step::Acknowledge { revision: applied, rejection: Some(rejection.clone()) })?;
                            acknowledged = acknowledged.max(applied);
                            refused = Some((Instant::now() + REFUSED, Refusal::Rejected { applied, rejection }));
                        }
                        Err(error) => return Err(error),
                    }
                    self.tell_age(&session);
                    // Only now: while a large frame is applied the source cannot be heard.
                    heard = Instant::now();
                }
                _ = ping.tick() => {
                    let nonce = session.age.ping(self.clock.monotonic());
                    send(&steps, Step::Ping(nonce))?;
                }
                () = sleep_until(acknowledge_at), if due > acknowledged => {
                    send(&steps, Step::Acknowledge { revision: due, rejection: None })?;
                    acknowledged = due;
                    acknowledge_at = Instant::now() + ACKNOWLEDGE;
                }
                () = sleep_until(heard + SILENCE) => return Err(Ended::Silent),
                () = sleep_until(again_at), if refused.is_some() => {
                    return Err(refused.map_or(Ended::Closed, |(_, refusal)| Ended::Refused(refusal)));
                }
                () = asked.notified() => return Err(Ended::Asked),
            }
        }
    }

    async fn take(&mut self, session: &mut Session<K::Snapshot>, event: Event<S::Row>) -> Result<(), Ended> {
        match event {
            Event::Begin(at) => {
                let before = session.before.as_ref();
                if before.is_some_and(|before| before.epoch == at.epoch && before.revision > at.revision) {
                    return Err(Ended::Backwards);
                }
                let snapshot = self.sink.begin();
                session.snapshot = Some(Taking {
                    at,
                    rows: 0,
                    snapshot,
                });
            }
            // A source that is still at its snapshot lives.
            Event::Rows(rows) if rows.is_empty() => {}
            Event::Rows(rows) => {
                let taking = session.snapshot.as_mut();
                let taking = taking.ok_or(Malformed("rows outside a snapshot"))?;
                taking.rows += rows.len() as u64;
                self.sink.put(&mut taking.snapshot, rows).await?;
            }
            Event::End(sent) => {
                let taken = session.snapshot.take();
                let Taking { at, rows, snapshot } = taken.ok_or(Malformed("the end of no snapshot"))?;
                if sent != rows {
                    return Err(Ended::Incomplete { sent, taken: rows });
                }
                self.sink.replace(at.clone(), snapshot).await?;
                self.fresh = false;
                session.reached(at.revision);
                session.cursor = Some(Cursor::at(at));
            }
            Event::Frame { after, to, rows } => {
                let cursor = session.cursor.as_mut();
                let cursor = cursor.ok_or(Malformed("a frame before the snapshot"))?;
                cursor.check(after, to)?;
                let applied = self.sink.apply(after, to, rows).await?;
                cursor.advance(after, to)?;
                session.reached(applied);
            }
            Event::Pong {
                nonce,
                head,
                head_age,
                wall,
            } => {
                let (now, here) = (self.clock.monotonic(), self.clock.now());
                session.age.pong(nonce, head, head_age, wall, now, here);
                if session.age.clock_known() {
                    self.sink.set_clock(now, here);
                }
            }
        }
        Ok(())
    }

    fn tell_age<N>(&self, session: &Session<N>) {
        let now = self.clock.monotonic();
        match session.age.age(now) {
            _ if !session.age.clock_known() => self.sink.set_age(None, now),
            Some(age) => self.sink.set_age(Some(age), now),
            // Nothing measured in this session yet: what the last one measured goes on growing old.
            None => {}
        }
    }
}

#[derive(Debug)]
struct Session<N> {
    age: Age,
    /// What was applied before the session.
    before: Option<Position>,
    applied: Revision,
    /// Up to where frames came.
    cursor: Option<Cursor>,
    snapshot: Option<Taking<N>>,
}

impl<N> Session<N> {
    fn reached(&mut self, applied: Revision) {
        self.applied = self.applied.max(applied);
        self.age.applied(self.applied);
    }

    /// What can be acknowledged: never more than was sent in this watch.
    fn due(&self) -> Revision {
        let sent = self.cursor.as_ref().map_or(Revision::ZERO, Cursor::revision);
        self.applied.min(sent)
    }
}

#[derive(Debug)]
struct Taking<N> {
    at: Position,
    rows: u64,
    snapshot: N,
}

fn send(steps: &mpsc::Sender<Step>, step: Step) -> Result<(), Ended> {
    match steps.try_send(step) {
        // Full: the connection is stuck, and silence will tell.
        Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => Ok(()),
        Err(mpsc::error::TrySendError::Closed(_)) => Err(Ended::Closed),
    }
}

#[cfg(test)]
mod tests;
