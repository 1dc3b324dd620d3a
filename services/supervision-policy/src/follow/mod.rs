//! Follows the logs of the other services into the view (protocol.md §2, §4): snapshot, frames, pings that
//! measure age, acknowledgements. When a source is away the view stays as it is and grows old.

mod catalogue;
pub(crate) mod flags;
pub(crate) mod policies;
pub(crate) mod ratings;
pub(crate) mod wire;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use greenstar_feed::{Age, Cursor, Gap};
use greenstar_kernel::{Clock, Log, Position, Revision, Timestamp};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::view::View;

/// Far more than the 1,000 rows or 2,000 changes of one message take.
const MESSAGE_BYTES: usize = 64 << 20;
/// Between two pings (protocol.md §4).
const PING: Duration = Duration::from_millis(500);
/// At most one acknowledgement in this time (protocol.md §5: 50 a second).
const ACKNOWLEDGE: Duration = Duration::from_millis(20);
/// A source that answers no ping for so long has lost the connection, whatever TCP says.
const SILENCE: Duration = Duration::from_secs(2);
/// First and longest pause before the next try. Far below the 5 s of staleness that matters allow, so that a
/// source that comes back is followed again before answers turn to manual review.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What is sent to a source.
#[derive(Debug)]
pub(crate) enum Step {
    Open {
        subscriber: Arc<str>,
        cursor: Option<Position>,
    },
    Ping(u64),
    Acknowledge(Revision),
}

/// What a source sends.
#[derive(Debug)]
pub(crate) enum Event<R> {
    Begin(Position),
    Rows(Vec<R>),
    /// Number of rows sent.
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

/// A message that breaks the contract; the session ends and is opened again.
#[derive(Debug, thiserror::Error)]
#[error("the source sent what the contract does not know: {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

pub(crate) type Events<R> = BoxStream<'static, Result<Event<R>, SessionError>>;

/// One log that is followed: how to open its watch, and where its rows go.
#[async_trait::async_trait]
pub(crate) trait Source: Send + 'static {
    const LOG: Log;
    type Row: Send;
    type Snapshot: Send;

    async fn watch(&mut self, steps: ReceiverStream<Step>) -> Result<Events<Self::Row>, Status>;
    fn begin(&self) -> Self::Snapshot;
    fn put(&self, snapshot: &mut Self::Snapshot, rows: Vec<Self::Row>);
    /// The snapshot takes the place of all that was.
    fn replace(&self, at: Position, snapshot: Self::Snapshot);
    /// Rows first, then the revision.
    fn apply(&self, rows: Vec<Self::Row>, to: Revision);
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("the source ended the watch")]
    Status(#[from] Status),
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
}

impl SessionError {
    /// Whether the cursor is of no more use.
    fn wants_snapshot(&self) -> bool {
        let SessionError::Status(status) = self else {
            return false;
        };
        let reason = greenstar_rpc::reason_of(status);
        matches!(
            reason.as_deref(),
            Some("CURSOR_TOO_OLD" | "TOKEN_FOREIGN" | "TOKEN_AHEAD")
        )
    }
}

/// Follows one log for ever.
#[derive(Debug)]
pub(crate) struct Follower<S> {
    source: S,
    view: Arc<View>,
    clock: Arc<dyn Clock>,
    subscriber: Arc<str>,
    cursor: Option<Cursor>,
}

impl<S: Source> Follower<S> {
    pub(crate) fn new(
        source: S,
        view: Arc<View>,
        clock: Arc<dyn Clock>,
        subscriber: Arc<str>,
    ) -> Follower<S> {
        Follower {
            source,
            view,
            clock,
            subscriber,
            cursor: None,
        }
    }

    /// Returns when `stop` says so.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
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
            if error.wants_snapshot() {
                tracing::warn!(log = S::LOG.as_str(), %error, "the watch starts over with a snapshot; the view serves on as it is");
                self.cursor = None;
            } else {
                tracing::warn!(
                    log = S::LOG.as_str(),
                    error = error_text(&error),
                    "the watch is opened again"
                );
            }
            // A session that held is no reason to wait longer.
            pause = if began.elapsed() > RETRY.1 {
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

    async fn session(&mut self) -> Result<std::convert::Infallible, SessionError> {
        let (steps, outbound) = mpsc::channel(64);
        let cursor = self.cursor.as_ref().map(|cursor| cursor.position().clone());
        // The channel is new and has room.
        let _ = steps.try_send(Step::Open {
            subscriber: self.subscriber.clone(),
            cursor,
        });
        let watch = self.source.watch(ReceiverStream::new(outbound));
        let mut events = timeout(SILENCE, watch)
            .await
            .map_err(|_| SessionError::Silent)??;
        let mut session = Session {
            age: Age::new(),
            acknowledged: Revision::ZERO,
            snapshot: None,
        };
        if let Some(cursor) = &self.cursor {
            session.age.applied(cursor.position().revision);
        }
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut acknowledge_at = Instant::now();
        let mut heard = Instant::now();
        loop {
            let applied = self
                .cursor
                .as_ref()
                .map_or(Revision::ZERO, |cursor| cursor.position().revision);
            tokio::select! {
                event = events.next() => {
                    let event = event.ok_or(SessionError::Closed)??;
                    self.take(&mut session, event)?;
                    // Only now: while a large frame is applied the source cannot be heard.
                    heard = Instant::now();
                }
                _ = ping.tick() => {
                    let nonce = session.age.ping(self.clock.monotonic());
                    send(&steps, Step::Ping(nonce))?;
                }
                () = sleep_until(acknowledge_at), if applied > session.acknowledged => {
                    send(&steps, Step::Acknowledge(applied))?;
                    session.acknowledged = applied;
                    acknowledge_at = Instant::now() + ACKNOWLEDGE;
                }
                () = sleep_until(heard + SILENCE) => return Err(SessionError::Silent),
            }
        }
    }

    fn take(&mut self, session: &mut Session<S::Snapshot>, event: Event<S::Row>) -> Result<(), SessionError> {
        match event {
            Event::Begin(at) => {
                let before = self.view.applied(S::LOG);
                if before.is_some_and(|before| before.epoch == at.epoch && before.revision > at.revision) {
                    return Err(SessionError::Backwards);
                }
                session.snapshot = Some(Taking {
                    at,
                    rows: 0,
                    snapshot: self.source.begin(),
                });
            }
            Event::Rows(rows) => {
                let taking = session
                    .snapshot
                    .as_mut()
                    .ok_or(Malformed("rows outside a snapshot"))?;
                taking.rows += rows.len() as u64;
                self.source.put(&mut taking.snapshot, rows);
            }
            Event::End(sent) => {
                let Taking { at, rows, snapshot } = session
                    .snapshot
                    .take()
                    .ok_or(Malformed("the end of no snapshot"))?;
                if sent != rows {
                    return Err(SessionError::Incomplete { sent, taken: rows });
                }
                self.source.replace(at.clone(), snapshot);
                session.age.applied(at.revision);
                self.cursor = Some(Cursor::at(at));
            }
            Event::Frame { after, to, rows } => {
                let cursor = self
                    .cursor
                    .as_mut()
                    .ok_or(Malformed("a frame before the snapshot"))?;
                cursor.check(after, to)?;
                self.source.apply(rows, to);
                cursor.advance(after, to)?;
                session.age.applied(to);
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
                    self.view.set_clock(now, here);
                }
            }
        }
        let now = self.clock.monotonic();
        match session.age.age(now) {
            _ if !session.age.clock_known() => self.view.set_age(S::LOG, None, now),
            Some(age) => self.view.set_age(S::LOG, Some(age), now),
            // Nothing measured in this session yet: what the last one measured goes on growing old.
            None => {}
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Session<S> {
    age: Age,
    acknowledged: Revision,
    snapshot: Option<Taking<S>>,
}

#[derive(Debug)]
struct Taking<S> {
    at: Position,
    rows: u64,
    snapshot: S,
}

fn pong<R>(pong: greenstar_proto::common::v1::Pong) -> Result<Event<R>, Malformed> {
    Ok(Event::Pong {
        nonce: pong.nonce,
        head: wire::position(pong.head)?.revision,
        head_age: wire::span(pong.head_age).ok_or(Malformed("a pong without the age of its head"))?,
        wall: wire::instant(&pong.wall.ok_or(Malformed("a pong without a clock"))?),
    })
}

fn send(steps: &mpsc::Sender<Step>, step: Step) -> Result<(), SessionError> {
    match steps.try_send(step) {
        // Full: the connection is stuck, and silence will tell.
        Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => Ok(()),
        Err(mpsc::error::TrySendError::Closed(_)) => Err(SessionError::Closed),
    }
}

fn error_text(error: &SessionError) -> String {
    match error {
        SessionError::Status(status) => format!("{error}: {:?} {}", status.code(), status.message()),
        other => other.to_string(),
    }
}
