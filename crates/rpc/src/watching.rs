//! What every service that is followed does alike (protocol.md §2, §5): watches, plain streams, acknowledgements,
//! and who has applied what. A service adds its rows and frames, and its own messages around them.

mod recent;
mod siblings;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::ready;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, stream};
use greenstar_feed::{
    FanOut, Feed, FeedError, Frame, Inbound, Open, Outbound, Source, Subscriber, Subscribers,
};
use greenstar_kernel::{Caller, LocalizedText, Log, Position, Role, Token};
use greenstar_proto::Validate;
use greenstar_proto::common::v1 as pb;
use greenstar_proto::common::v1::ErrorReason;
use greenstar_store::StoreError;
use greenstar_telemetry::Samples;
use tokio::time::Instant;
use tonic::{Code, Status, Streaming};

use crate::{Call, checked, field, meters, status, stored};

pub use recent::Recent;
use siblings::Siblings;
pub use siblings::{Reports, Secret};
pub use wire::{position, wire_position};

/// What a method with a stream answers.
pub type Answers<T> = BoxStream<'static, Result<T, Status>>;

/// A subscriber's message.
#[derive(Debug)]
pub enum Step {
    Open(pb::WatchOpen),
    Ping(pb::Ping),
    Acknowledgement(pb::Acknowledgement),
}

/// A source's message; rows and frames are for the service to write.
#[derive(Debug)]
pub enum Event<R> {
    SnapshotBegin(pb::SnapshotBegin),
    Rows(Vec<R>),
    SnapshotEnd(pb::SnapshotEnd),
    Frame(Arc<Frame>),
    Pong(pb::Pong),
}

/// How a plain stream is opened.
#[derive(Debug, Default)]
pub struct Plain {
    /// `{epoch}.{revision}`; empty: a snapshot first.
    pub cursor: String,
    /// Empty: nobody in particular.
    pub subscriber: String,
    pub filter: pb::WatchFilter,
}

/// One replica of a service among the others.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Its name among them, e.g. `sanctions/1`.
    pub name: String,
    /// Where they reach it; none: it is alone.
    pub url: Option<String>,
    /// By which they call one another; none: they do not.
    pub secret: Option<Secret>,
    /// By which they hear of one another's commits at once; none: they look.
    pub fan_out: Option<FanOut>,
}

impl Replica {
    /// The only one of its service.
    pub fn alone(log: Log) -> Replica {
        Replica {
            name: log.as_str().to_owned(),
            url: None,
            secret: None,
            fan_out: None,
        }
    }
}

/// The followers of one service's log.
#[derive(Clone, Debug)]
pub struct Watching {
    log: Log,
    subscribers: Subscribers,
    /// By which the replicas of this service call one another.
    siblings: Option<Secret>,
}

/// A question about convergence, read.
#[derive(Clone, Debug)]
pub struct Question {
    pub token: Token,
    /// Also what follows from it.
    pub all: bool,
    pub deadline: Instant,
}

/// Without one.
const TIMEOUT: Duration = Duration::from_secs(10);
/// At most.
const LONGEST: Duration = Duration::from_secs(300);
/// For the last answer to arrive before the caller hangs up.
const MARGIN: Duration = Duration::from_millis(100);

impl Watching {
    /// Starts to keep the books of `feed`. `contract`: how the replicas of this service ask one another.
    pub async fn start<R: Reports>(
        log: Log,
        feed: &Feed,
        replica: &Replica,
        contract: R,
    ) -> Result<Watching, StoreError> {
        let siblings = replica.secret.clone().map(|secret| {
            let siblings: Arc<dyn greenstar_feed::Siblings> = Siblings::new(contract, secret);
            siblings
        });
        let own = greenstar_feed::Replica {
            id: replica.name.clone(),
            url: replica.url.clone(),
        };
        let subscribers = Subscribers::start(feed, own, siblings).await?;
        Ok(Watching {
            log,
            subscribers,
            siblings: replica.secret.clone(),
        })
    }

    pub(crate) fn log(&self) -> Log {
        self.log
    }

    /// Tells how many they are and how far behind.
    pub(crate) fn tell(&self, samples: &mut Samples) {
        meters::followers(samples, self.log, self.subscribers.census());
    }

    /// A watch whose messages the service takes apart with `step` and writes with `say`.
    pub fn watch<S, Q, A>(
        &self,
        call: &Call,
        source: Arc<S>,
        messages: Streaming<Q>,
        step: fn(Q) -> Option<Step>,
        say: impl Fn(Event<S::Row>) -> Result<A, StoreError> + Send + 'static,
    ) -> Answers<A>
    where
        S: Source,
        Q: Validate + Send + 'static,
        A: Send + 'static,
    {
        // A message that breaks the contract ends the watch; this says why, after what was sent before it.
        let refusal: Arc<Mutex<Option<Status>>> = Arc::default();
        let (last_words, caller, log) = (refusal.clone(), call.caller.clone(), self.log);
        let inbound = messages.map(move |message| {
            let read = message.and_then(|message| {
                checked(&message)?;
                inbound(log, &caller, step(message))
            });
            read.map_err(|status| *refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(status))
        });
        let events = self
            .events(source, inbound, say)
            .map(|event| event.map(|(_, event)| event));
        let end =
            stream::once(async move { last_words.lock().unwrap_or_else(PoisonError::into_inner).take() });
        events
            .chain(end.filter_map(|refusal| ready(refusal.map(Err))))
            .boxed()
    }

    /// The same for those who cannot talk back: each message with the cursor after it.
    pub fn stream<S, A>(
        &self,
        call: &Call,
        source: Arc<S>,
        plain: Plain,
        say: impl Fn(Event<S::Row>) -> Result<A, StoreError> + Send + 'static,
    ) -> Result<Answers<(String, A)>, Status>
    where
        S: Source,
        A: Send + 'static,
    {
        let from = match plain.cursor.as_str() {
            "" => None,
            cursor => Some(wire::cursor(cursor)?),
        };
        let filter = wire::filter(self.log, &plain.filter)?;
        let subscriber = match plain.subscriber {
            name if name.is_empty() => None,
            name => {
                own(&call.caller, &name)?;
                Some(Subscriber {
                    name: name.into(),
                    fences_after: None,
                })
            }
        };
        let mut at = from.clone();
        let open = Inbound::Open(Open {
            from,
            subscriber,
            filter,
            claims: false,
        });
        let inbound = stream::once(ready(Ok::<_, ()>(open))).chain(stream::pending());
        let events = self.events(source, inbound, say).map(move |event| {
            let (moved, event) = event?;
            let cursor = match moved {
                Moved::Into(position) => {
                    at = Some(position);
                    String::new()
                }
                Moved::Within => String::new(),
                Moved::To(revision) => {
                    // Rows came before, so that there is one.
                    let position = at.as_mut().map(|at| {
                        at.revision = revision.unwrap_or(at.revision);
                        wire::written(at)
                    });
                    position.unwrap_or_default()
                }
            };
            Ok((cursor, event))
        });
        Ok(events.boxed())
    }

    fn events<S, A, E>(
        &self,
        source: Arc<S>,
        inbound: impl Stream<Item = Result<Inbound, E>> + Send + 'static,
        say: impl Fn(Event<S::Row>) -> Result<A, StoreError> + Send + 'static,
    ) -> impl Stream<Item = Result<(Moved, A), Status>> + Send + 'static
    where
        S: Source,
        A: Send + 'static,
        E: Send + 'static,
    {
        let log = self.log;
        self.subscribers.watch(source, inbound).map(move |event| {
            let event = event.map_err(|error| stored::feed(log, &error))?;
            let (moved, event) = outbound(event);
            let said = say(event).map_err(|error| stored::store(&error))?;
            Ok((moved, said))
        })
    }

    /// An acknowledgement by a call of its own.
    pub async fn acknowledge(
        &self,
        call: &Call,
        subscriber: &str,
        ack: pb::Acknowledgement,
    ) -> Result<(), Status> {
        // A sibling hands on what it was told, and nobody hands it on again. It is known by the replicas' own secret:
        // the department's own system is a follower as any other.
        let handed_on =
            matches!((&self.siblings, &call.secret), (Some(own), Some(presented)) if own.is(presented));
        if !handed_on {
            own(&call.caller, subscriber)?;
        }
        let taken = self
            .subscribers
            .acknowledge(subscriber, wire::ack(ack), !handed_on)
            .await;
        taken.map_err(|error| self.named(subscriber, &error))
    }

    /// Forgets a subscriber.
    pub async fn remove(&self, subscriber: &str) -> Result<(), Status> {
        let removed = self.subscribers.remove(subscriber).await;
        removed.map_err(|error| self.named(subscriber, &error))
    }

    fn named(&self, subscriber: &str, error: &FeedError) -> Status {
        match error {
            FeedError::SubscriberUnknown => {
                let metadata = [("subscriber", subscriber.to_owned())];
                let said = greenstar_kernel::Said::said(error);
                status(Code::NotFound, ErrorReason::SubscriberUnknown, &said, &metadata)
            }
            FeedError::SubscriberConnected => {
                let metadata = [("subscriber", subscriber.to_owned())];
                let said = greenstar_kernel::Said::said(error);
                status(
                    Code::FailedPrecondition,
                    ErrorReason::SubscriberConnected,
                    &said,
                    &metadata,
                )
            }
            error => stored::feed(self.log, error),
        }
    }

    /// Who has applied `position`, until all have or until `deadline`; beside each answer, whether it is the last.
    pub fn converge(&self, position: Position, deadline: Instant) -> Answers<(pb::Convergence, bool)> {
        let log = self.log;
        let answers = self.subscribers.converge(position, deadline);
        let answers = answers.map(move |answer| match answer {
            Ok(answer) => Ok((wire::convergence(log, &answer), answer.last)),
            Err(error) => Err(stored::feed(log, &error)),
        });
        answers.boxed()
    }

    /// Who follows the log, its head, and the replicas that could not be asked. Whom a department follows is for
    /// itself and for operators: it says which firms it has in hand.
    pub async fn list(
        &self,
        call: &Call,
    ) -> Result<(Vec<pb::Subscriber>, pb::Position, Vec<String>), Status> {
        let listing = self.subscribers.list().await;
        let listing = listing.map_err(|error| stored::feed(self.log, &error))?;
        let subscribers = listing
            .subscribers
            .iter()
            .map(|(standing, filter)| pb::Subscriber {
                filter: (!filter.is_empty() && sees_filter(&call.caller, &standing.name))
                    .then(|| wire::wire_filter(filter)),
                ..wire::subscriber(self.log, standing)
            });
        Ok((
            subscribers.collect(),
            wire_position(&listing.head),
            listing.unreachable,
        ))
    }

    /// For siblings: who is connected here.
    pub fn reports(&self) -> Answers<pb::Acknowledgements> {
        let reports = self.subscribers.reports();
        reports.map(|report| Ok(wire::report(report))).boxed()
    }
}

impl Question {
    /// Reads a question and when its answer is of use no more.
    ///
    /// Errors: INVALID_ARGUMENT TOKEN_MALFORMED, FIELD_INVALID.
    pub fn read(call: &Call, question: Option<pb::ConvergenceQuestion>) -> Result<Question, Status> {
        let question = question.unwrap_or_default();
        let token = question.token.parse::<Token>().map_err(|_| token_malformed())?;
        let all = match question.scope() {
            pb::ConvergenceScope::Unspecified | pb::ConvergenceScope::Direct => false,
            pb::ConvergenceScope::All => true,
        };
        let span = wire::span("question.timeout", question.timeout, LONGEST)?;
        Ok(Question {
            token,
            all,
            deadline: deadline(call, span.unwrap_or(TIMEOUT)),
        })
    }
}

/// After `span`, or shortly before the call's own deadline.
pub fn deadline(call: &Call, span: Duration) -> Instant {
    let asked = Instant::now() + span;
    match call.deadline {
        Some(ends) => asked.min(Instant::from_std(ends.checked_sub(MARGIN).unwrap_or(ends))),
        None => asked,
    }
}

/// A span of a request, at most `longest`.
///
/// Errors: INVALID_ARGUMENT FIELD_INVALID.
pub fn span(
    name: &str,
    raw: Option<pbjson_types::Duration>,
    longest: Duration,
) -> Result<Option<Duration>, Status> {
    wire::span(name, raw, longest)
}

/// The token holds no position of this service's log, or cannot be read.
pub fn token_malformed() -> Status {
    let said = LocalizedText::new(
        "令牌无法识别，或不属于这里的变更日志：请使用写操作返回的 token",
        "the token is not one of ours, or says nothing of this log: send the token that a write answered with",
    );
    status(Code::InvalidArgument, ErrorReason::TokenMalformed, &said, &[])
}

/// Where a subscriber stands after a message.
enum Moved {
    /// Into a snapshot of this position, which is nothing to go on from before its end.
    Into(Position),
    Within,
    /// None: to where the snapshot is of.
    To(Option<greenstar_kernel::Revision>),
}

fn outbound<R>(event: Outbound<R>) -> (Moved, Event<R>) {
    match event {
        Outbound::SnapshotBegin { at } => {
            let position = Some(wire_position(&at));
            (
                Moved::Into(at),
                Event::SnapshotBegin(pb::SnapshotBegin { position }),
            )
        }
        Outbound::SnapshotRows(rows) => (Moved::Within, Event::Rows(rows)),
        Outbound::SnapshotEnd { rows } => (Moved::To(None), Event::SnapshotEnd(pb::SnapshotEnd { rows })),
        Outbound::Frame(frame) => (Moved::To(Some(frame.to)), Event::Frame(frame)),
        Outbound::Pong {
            nonce,
            head,
            head_age,
            wall,
        } => {
            let pong = pb::Pong {
                nonce,
                head: Some(wire_position(&head)),
                head_age: Some(head_age.into()),
                wall: Some(wire::time(wall)),
            };
            (Moved::To(None), Event::Pong(pong))
        }
    }
}

fn inbound(log: Log, caller: &Caller, step: Option<Step>) -> Result<Inbound, Status> {
    match step {
        Some(Step::Open(open)) => {
            own(caller, &open.subscriber)?;
            let from = open.cursor.as_ref().map(position).transpose();
            let subscriber = Subscriber {
                fences_after: wire::fences(caller, open.fences_after)?,
                name: open.subscriber.into(),
            };
            Ok(Inbound::Open(Open {
                from: from.map_err(|error| stored::feed(log, &error))?,
                subscriber: Some(subscriber),
                filter: wire::filter(log, &open.filter.unwrap_or_default())?,
                claims: true,
            }))
        }
        Some(Step::Ping(ping)) => Ok(Inbound::Ping { nonce: ping.nonce }),
        Some(Step::Acknowledgement(ack)) => Ok(Inbound::Ack(wire::ack(ack))),
        None => Err(stored::feed(log, &FeedError::Malformed("a message says nothing"))),
    }
}

/// Operators see every filter, a department those of its own systems.
fn sees_filter(caller: &Caller, subscriber: &str) -> bool {
    let operates = match caller {
        Caller::Department { roles, .. } => roles.contains(&Role::Operator),
        Caller::Enterprise(_) | Caller::Public => false,
    };
    operates || is_own(caller, subscriber)
}

/// The department itself, or the department and `/`: a hyphen would make another department's code of it.
fn is_own(caller: &Caller, name: &str) -> bool {
    let department = caller.department();
    let rest = department.and_then(|department| name.strip_prefix(department.as_str()));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A subscriber's name begins with its department, so that none can pose as another's.
fn own(caller: &Caller, name: &str) -> Result<(), Status> {
    if name.trim() != name || name.chars().any(char::is_control) {
        let said = LocalizedText::new(
            "订阅方名称不得含首尾空格或控制字符",
            "a subscriber's name has no blanks around it and no control characters",
        );
        return Err(field("subscriber", ErrorReason::FieldInvalid, &said, &[]));
    }
    if is_own(caller, name) {
        return Ok(());
    }
    let department = caller.department().map_or("", |department| department.as_str());
    tracing::warn!(
        principal = caller.principal(),
        subscriber = name,
        reason = "DEPARTMENT_NOT_ALLOWED",
        "call refused"
    );
    let said = LocalizedText::new(
        format!("订阅方名称须以本部门代码开头，例如 {department}/1"),
        format!("a subscriber's name begins with its department: e.g. {department}/1"),
    );
    Err(status(
        Code::PermissionDenied,
        ErrorReason::DepartmentNotAllowed,
        &said,
        &[("department", department.to_owned())],
    ))
}

#[cfg(test)]
mod tests {
    use greenstar_kernel::{Department, Officer};

    use super::*;

    fn of(department: &str, role: Role) -> Caller {
        Caller::Department {
            department: Department::parse(department).unwrap(),
            officer: Officer(format!("{department}/subscriber")),
            roles: vec![role],
        }
    }

    #[test]
    fn a_department_sees_the_filters_of_its_own_systems_and_operators_see_all() {
        for (caller, subscriber, sees) in [
            (of("finance", Role::Officer), "finance/ledger", true),
            (of("finance", Role::Officer), "licensing/registry", false),
            (of("supervision", Role::Subscriber), "supervision-policy/1", false),
            (of("operator", Role::Operator), "licensing/registry", true),
            (Caller::Public, "licensing/registry", false),
        ] {
            assert_eq!(sees_filter(&caller, subscriber), sees, "{caller:?} {subscriber}");
        }
    }

    #[test]
    fn only_the_policy_service_promises_to_fence_and_no_sooner_than_it_does() {
        let promise = |caller: &Caller, secs| {
            let promised = wire::fences(caller, Some(Duration::from_secs(secs).into()));
            promised.map_err(|status| crate::reason_of(&status).unwrap())
        };
        let policy = of("supervision-policy", Role::Subscriber);
        assert_eq!(promise(&policy, 7), Ok(Some(Duration::from_secs(7))));
        assert_eq!(promise(&policy, 6), Err("FIELD_INVALID".to_owned()));
        assert_eq!(promise(&policy, 3601), Err("FIELD_INVALID".to_owned()));
        for department in ["licensing", "supervision", "sanctions"] {
            let other = of(department, Role::Subscriber);
            assert_eq!(
                promise(&other, 7),
                Err("DEPARTMENT_NOT_ALLOWED".to_owned()),
                "{department}"
            );
            assert_eq!(wire::fences(&other, None).unwrap(), None);
        }
    }

    #[test]
    fn a_name_begins_with_the_callers_department_and_no_longer_word() {
        let caller = of("licensing", Role::Subscriber);
        for (name, allowed) in [
            ("licensing", true),
            ("licensing/1", true),
            ("licensing-registry", false),
            ("licensing-registry/1", false),
            ("licensing.1", false),
            ("licensing 1", false),
            ("licensing2", false),
            ("finance/1", false),
            ("licens", false),
            ("", false),
            (" licensing", false),
            ("licensing/\n", false),
        ] {
            assert_eq!(own(&caller, name).is_ok(), allowed, "{name:?}");
        }
        assert!(own(&of("supervision", Role::Subscriber), "supervision-policy/1").is_err());
        assert!(own(&Caller::Public, "licensing/1").is_err());
        assert!(own(&Caller::Public, "/1").is_err());
    }
}
