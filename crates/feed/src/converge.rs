//! Who has applied a revision (protocol.md §5). Every replica of the source is asked for those who are connected
//! to it; who is registered and not heard of is named all the same.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt as _};
use greenstar_kernel::{Epoch, Position, Revision, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::follow::{Cause, Rejection};
use crate::registry::{Entry, Subscribers};
use crate::seat::{Ack, Known};
use crate::{FeedError, Filter};

/// Beyond its promise, before a subscriber that is not heard counts as fenced: its row is renewed once a second.
pub(crate) const SLACK: Duration = Duration::from_secs(1);
/// Between two answers to one who waits.
const ANSWERS: Duration = Duration::from_millis(50);
/// Between two looks at who has moved.
const LOOKS: Duration = Duration::from_millis(2);
/// Before a sibling that could not be asked is asked again.
const AGAIN: Duration = Duration::from_millis(500);
/// For all siblings to say who is connected to them, where nobody waits for convergence.
const ASKING: Duration = Duration::from_secs(1);

/// A subscriber's row is renewed once a second while it is heard; then for so long it may be late.
pub(crate) const SILENT: Duration = Duration::from_secs(3);

/// Asks the other replicas of the service.
pub trait Siblings: fmt::Debug + Send + Sync + 'static {
    /// What the replica at `url` reports: see [`Subscribers::reports`]. An error or its end means that it is lost.
    fn reports(&self, url: &str) -> BoxStream<'static, Result<Report, Cause>>;

    /// Hands an acknowledgement on to the replica at `url`, on which the subscriber's watch is open.
    fn acknowledge(&self, url: &str, name: &str, ack: Ack) -> BoxFuture<'static, Result<(), FeedError>>;
}

/// What one replica knows of those who are connected to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The life of the log that the replica serves. What it knows of another says nothing of this one.
    pub epoch: Epoch,
    /// All of them, and not only those who moved.
    pub whole: bool,
    /// By name. [`Known::default`]: it does not speak for that one any more.
    pub known: Vec<(Arc<str>, Known)>,
}

/// Where a subscriber stands to a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has applied the revision.
    Converged,
    /// It is connected and has not applied it yet.
    Laggard,
    /// It has refused it.
    Rejected,
    /// It is not connected, and still answers as fresh or never promised not to.
    Disconnected,
    /// It was not heard for longer than it promised to answer as fresh: it can do no harm, and has not converged.
    Fenced,
}

/// One subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub name: Arc<str>,
    pub state: State,
    /// Everything up to here is applied; 0: not known since the last start of its replica.
    pub acknowledged: Revision,
    /// Revisions behind.
    pub lag: u64,
    /// Until it had applied the revision: from when it was sent, or else from when it was asked for.
    pub took: Option<Duration>,
    pub rejection: Option<Rejection>,
    pub fences_after: Option<Duration>,
    pub registered_at: Timestamp,
    /// To a second.
    pub heard_at: Timestamp,
}

/// How far a revision has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convergence {
    pub position: Position,
    /// Everybody who is not fenced has applied it, and every replica could be asked.
    pub converged: bool,
    /// Nothing follows.
    pub last: bool,
    /// By name.
    pub subscribers: Vec<Standing>,
    /// Of those that have applied it: half took no longer, and 99 in a hundred.
    pub took: Option<(Duration, Duration)>,
    /// Replicas that could not be asked.
    pub unreachable: Vec<String>,
}

/// Everybody who follows the log.
#[derive(Clone, Debug)]
pub struct Listing {
    /// To this head.
    pub head: Position,
    /// By name, with what each wants to hear of.
    pub subscribers: Vec<(Standing, Filter)>,
    pub unreachable: Vec<String>,
}

impl Subscribers {
    /// Says who has applied `position`, again whenever something moves, until all have or until `deadline`.
    ///
    /// Errors: of another life of the database, beyond its head, or the database cannot be read.
    pub fn converge(
        &self,
        position: Position,
        deadline: Instant,
    ) -> impl Stream<Item = Result<Convergence, FeedError>> + Send + 'static {
        let begun = futures::stream::once(Waiting::begin(self.clone(), position, deadline));
        let answers = begun.flat_map(|begun| match begun {
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
            Ok(waiting) => futures::stream::unfold(waiting, |mut waiting| async move {
                let answer = waiting.next().await?;
                Some((Ok(answer), waiting))
            })
            .boxed(),
        });
        answers.take_until(self.feed.stop.clone().cancelled_owned())
    }

    /// Everybody who is registered, and how far each is behind the head.
    pub async fn list(&self) -> Result<Listing, FeedError> {
        self.inner.read().await?;
        let mut filters = self.inner.filters().await?;
        let head = self.feed.head();
        let asked = self.ask(&head.epoch).await;
        let mono = self.inner.clock().monotonic();
        let subscribers = self.inner.entries().into_iter().map(|entry| {
            let standing = standing(&entry, &asked, head.revision, mono);
            let filter = filters.remove(&*entry.name).unwrap_or_default();
            (standing, filter)
        });
        Ok(Listing {
            subscribers: subscribers.collect(),
            unreachable: asked.missing(),
            head,
        })
    }

    /// Whether a subscriber is connected anywhere, or was heard so lately that it may still answer as fresh.
    pub(crate) async fn lives(&self, name: &str) -> Result<bool, FeedError> {
        self.inner.read().await?;
        let asked = self.ask(&self.feed.head().epoch).await;
        let mono = self.inner.clock().monotonic();
        let mut entries = self.inner.entries().into_iter();
        let Some(entry) = entries.find(|entry| &*entry.name == name) else {
            return Ok(false);
        };
        let silent = silent(&entry, mono);
        // A replica that cannot be asked may hold its watch.
        let unasked = silent <= SILENT && asked.missing().contains(&entry.row.replica);
        Ok(unasked || known(&entry, &asked).connected || may_be_fresh(&entry, silent))
    }

    /// Asks all siblings, for a moment.
    async fn ask(&self, epoch: &Epoch) -> Asked {
        let mut asked = Asked::default();
        asked.refresh(self);
        let deadline = Instant::now() + ASKING;
        while !asked.is_settled() {
            match tokio::time::timeout_at(deadline, asked.hear(epoch)).await {
                Ok(()) => {}
                Err(_) => break,
            }
        }
        asked
    }
}

/// One who waits for a revision to be applied everywhere.
struct Waiting {
    subscribers: Subscribers,
    position: Position,
    since: Instant,
    deadline: Instant,
    moved: watch::Receiver<u64>,
    asked: Asked,
    /// Who had not applied it when last looked, and how long the others took.
    took: HashMap<Arc<str>, Option<Duration>>,
    told: Option<Convergence>,
    next_at: Instant,
    over: bool,
}

impl Waiting {
    async fn begin(
        subscribers: Subscribers,
        position: Position,
        deadline: Instant,
    ) -> Result<Waiting, FeedError> {
        let since = Instant::now();
        let head = subscribers.feed.head();
        if head.epoch != position.epoch || head.revision < position.revision {
            subscribers.feed.sync(Some(&position)).await?;
        }
        // Whoever registered at a sibling a moment ago counts.
        subscribers.inner.read().await?;
        Ok(Waiting {
            moved: subscribers.inner.movement(),
            subscribers,
            position,
            since,
            deadline,
            asked: Asked::default(),
            took: HashMap::new(),
            told: None,
            // Until then siblings have answered, as a rule.
            next_at: since + ANSWERS,
            over: false,
        })
    }

    async fn next(&mut self) -> Option<Convergence> {
        while !self.over {
            self.moved.borrow_and_update();
            self.asked.refresh(&self.subscribers);
            let mut seen = self.look();
            let now = Instant::now();
            if seen.converged || now >= self.deadline {
                (seen.last, self.over) = (true, true);
                return Some(seen);
            }
            let news = !self.told.as_ref().is_some_and(|told| says_the_same(told, &seen));
            if news && now >= self.next_at {
                self.next_at = now + ANSWERS;
                self.told = Some(seen.clone());
                return Some(seen);
            }
            let until = if news { self.next_at } else { self.deadline };
            tokio::select! {
                // The books move at least once a second.
                _ = self.moved.changed() => {}
                () = self.asked.hear(&self.position.epoch) => {}
                () = tokio::time::sleep_until(until.min(self.deadline)) => continue,
            }
            tokio::time::sleep(LOOKS).await;
        }
        None
    }

    fn look(&mut self) -> Convergence {
        let (revision, waited) = (self.position.revision, self.since.elapsed());
        let mono = self.subscribers.inner.clock().monotonic();
        let mut subscribers = Vec::new();
        for entry in self.subscribers.inner.entries() {
            let mut standing = standing(&entry, &self.asked, revision, mono);
            if standing.state == State::Converged {
                // One that was late when it was asked for took at least as long as that.
                let late = self.took.get(&entry.name);
                let took = match (standing.took, late) {
                    (Some(took), _) | (None, Some(&Some(took))) => Some(took),
                    (None, Some(&None)) => Some(waited),
                    (None, None) => None,
                };
                if late.is_some() {
                    self.took.insert(entry.name.clone(), took);
                }
                standing.took = took;
            } else {
                self.took.insert(entry.name.clone(), None);
            }
            subscribers.push(standing);
        }
        let settled = |standing: &Standing| matches!(standing.state, State::Converged | State::Fenced);
        Convergence {
            position: self.position.clone(),
            converged: self.asked.is_complete() && subscribers.iter().all(settled),
            last: false,
            took: percentiles(subscribers.iter().filter_map(|standing| standing.took).collect()),
            subscribers,
            unreachable: self.asked.missing(),
        }
    }
}

fn says_the_same(one: &Convergence, other: &Convergence) -> bool {
    let moves = |convergence: &Convergence| -> Vec<_> {
        let of = |standing: &Standing| {
            let Standing {
                name,
                state,
                acknowledged,
                rejection,
                ..
            } = standing.clone();
            (name, state, acknowledged, rejection)
        };
        convergence.subscribers.iter().map(of).collect()
    };
    one.unreachable == other.unreachable && moves(one) == moves(other)
}

/// What this replica and its siblings know of a subscriber.
fn known(entry: &Entry, asked: &Asked) -> Known {
    let here = entry.seat.as_ref().map(|seat| seat.known());
    merged(here, asked.known(&entry.name).cloned()).unwrap_or_default()
}

/// For how long nobody has heard of a subscriber.
fn silent(entry: &Entry, mono: Duration) -> Duration {
    let here = entry.seat.as_ref();
    let heard_here = here.map(|seat| mono.saturating_sub(seat.heard_at()));
    heard_here.map_or(entry.row.silent(), |here| here.min(entry.row.silent()))
}

/// It promised to answer nothing as fresh, and not yet.
fn may_be_fresh(entry: &Entry, silent: Duration) -> bool {
    let promised = entry.row.fences_after;
    promised.is_some_and(|promised| silent <= promised.saturating_add(SLACK))
}

/// Where a subscriber stands to `revision`.
fn standing(entry: &Entry, asked: &Asked, revision: Revision, mono: Duration) -> Standing {
    let known = known(entry, asked);
    let fences_after = entry.row.fences_after;
    let state = if known.acknowledged >= revision {
        State::Converged
    } else if fences_after.is_some() && !may_be_fresh(entry, silent(entry, mono)) {
        State::Fenced
    } else if known.rejection.is_some() {
        State::Rejected
    } else if known.connected {
        State::Laggard
    } else {
        State::Disconnected
    };
    Standing {
        name: entry.name.clone(),
        state,
        acknowledged: known.acknowledged,
        lag: revision.0.saturating_sub(known.acknowledged.0),
        took: entry.seat.as_ref().and_then(|seat| seat.took(revision)),
        rejection: known.rejection,
        fences_after,
        registered_at: entry.row.registered_at,
        heard_at: entry.row.renewed_at,
    }
}

/// Of two that speak of one subscriber the connected one knows; of two equals, who knows less is believed.
fn merged(one: Option<Known>, other: Option<Known>) -> Option<Known> {
    match (one, other) {
        (Some(one), Some(other)) => {
            let first = match (one.connected, other.connected) {
                (true, false) => true,
                (false, true) => false,
                _ => one.acknowledged <= other.acknowledged,
            };
            Some(if first { one } else { other })
        }
        (one, other) => one.or(other),
    }
}

/// Median and 99th percentile; none of nothing.
fn percentiles(mut spans: Vec<Duration>) -> Option<(Duration, Duration)> {
    spans.sort_unstable();
    let at = |percent: usize| {
        let rank = (spans.len() * percent).div_ceil(100);
        spans.get(rank.saturating_sub(1)).copied()
    };
    at(50).zip(at(99))
}

/// Siblings that are asked, and what they said.
#[derive(Default)]
struct Asked {
    replicas: BTreeMap<String, Sibling>,
    events: SelectAll<BoxStream<'static, (String, u64, Option<Report>)>>,
    /// Names each time that a sibling is asked.
    turns: u64,
}

struct Sibling {
    turn: u64,
    whole: bool,
    lost: bool,
    again_at: Instant,
    known: HashMap<Arc<str>, Known>,
}

impl Asked {
    /// Asks those that live, and again those that were lost; forgets those whose lease ended.
    fn refresh(&mut self, subscribers: &Subscribers) {
        let live = subscribers.inner.others();
        self.replicas
            .retain(|id, _| live.iter().any(|(other, _)| other == id));
        let now = Instant::now();
        for (id, url) in live {
            if self
                .replicas
                .get(&id)
                .is_some_and(|sibling| !sibling.lost || now < sibling.again_at)
            {
                continue;
            }
            self.turns += 1;
            let turn = self.turns;
            let reach = subscribers.inner.siblings.as_ref().filter(|_| !url.is_empty());
            if let Some(siblings) = reach {
                let (name, last) = (id.clone(), id.clone());
                let reports = siblings
                    .reports(&url)
                    .map(move |report| (name.clone(), turn, report.ok()));
                let lost = futures::stream::once(async move { (last, turn, None) });
                self.events.push(reports.chain(lost).boxed());
            }
            let sibling = Sibling {
                turn,
                whole: false,
                lost: reach.is_none(),
                again_at: now + AGAIN,
                known: HashMap::new(),
            };
            self.replicas.insert(id, sibling);
        }
    }

    /// Takes the next report; never done when nobody is asked.
    async fn hear(&mut self, epoch: &Epoch) {
        if self.events.is_empty() {
            return std::future::pending().await;
        }
        let Some((id, turn, report)) = self.events.next().await else {
            return;
        };
        let Some(sibling) = self.replicas.get_mut(&id).filter(|sibling| sibling.turn == turn) else {
            return;
        };
        match report {
            Some(report) if report.epoch == *epoch => {
                sibling.whole |= report.whole;
                for (name, known) in report.known {
                    if known == Known::default() {
                        sibling.known.remove(&name);
                    } else {
                        sibling.known.insert(name, known);
                    }
                }
            }
            // It says all of this life once it serves it.
            Some(_) => {
                sibling.whole = false;
                sibling.known.clear();
            }
            None => {
                sibling.lost = true;
                sibling.whole = false;
                sibling.again_at = Instant::now() + AGAIN;
            }
        }
    }

    fn known(&self, name: &str) -> Option<&Known> {
        let all = self
            .replicas
            .values()
            .filter_map(|sibling| sibling.known.get(name));
        all.min_by_key(|known| (!known.connected, known.acknowledged))
    }

    /// All have said who is connected to them.
    fn is_complete(&self) -> bool {
        self.replicas.values().all(|sibling| sibling.whole)
    }

    /// All have, or cannot.
    fn is_settled(&self) -> bool {
        self.replicas
            .values()
            .all(|sibling| sibling.whole || sibling.lost)
    }

    fn missing(&self) -> Vec<String> {
        let missing = self.replicas.iter().filter(|(_, sibling)| !sibling.whole);
        missing.map(|(id, _)| id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(acknowledged: u64, connected: bool) -> Known {
        Known {
            acknowledged: Revision(acknowledged),
            connected,
            rejection: None,
        }
    }

    #[test]
    fn of_two_replicas_the_connected_one_is_believed_and_then_the_one_that_claims_less() {
        let cases = [
            (known(9, false), known(5, true), known(5, true)),
            (known(9, true), known(5, true), known(5, true)),
            (known(9, false), known(5, false), known(5, false)),
        ];
        for (one, other, believed) in cases {
            assert_eq!(
                merged(Some(one.clone()), Some(other.clone())),
                Some(believed.clone())
            );
            assert_eq!(merged(Some(other), Some(one)), Some(believed));
        }
        assert_eq!(merged(None, None), None);
    }

    #[tokio::test]
    async fn a_sibling_is_believed_of_this_life_of_the_log_and_only_of_those_it_still_speaks_for() {
        let (ours, theirs) = (Epoch::parse("ours").unwrap(), Epoch::parse("theirs").unwrap());
        let report = |epoch: &Epoch, whole, known| Report {
            epoch: epoch.clone(),
            whole,
            known: vec![(Arc::from("policy/1"), known)],
        };
        let mut asked = Asked::default();
        let sibling = Sibling {
            turn: 1,
            whole: false,
            lost: false,
            again_at: Instant::now(),
            known: HashMap::new(),
        };
        asked.replicas.insert("two".to_owned(), sibling);
        for (report, whole, believed) in [
            (report(&theirs, true, known(9, true)), false, None),
            (report(&ours, true, known(5, true)), true, Some(known(5, true))),
            (report(&ours, false, Known::default()), true, None),
            (report(&ours, false, known(6, true)), true, Some(known(6, true))),
            (report(&theirs, true, known(7, true)), false, None),
        ] {
            let told = futures::stream::once(async move { ("two".to_owned(), 1, Some(report)) });
            asked.events.push(told.boxed());
            asked.hear(&ours).await;
            let seen = (asked.is_complete(), asked.known("policy/1").cloned());
            assert_eq!(seen, (whole, believed));
        }
    }

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let ms = |millis: u64| Duration::from_millis(millis);
        assert_eq!(percentiles(vec![]), None);
        assert_eq!(percentiles(vec![ms(7)]), Some((ms(7), ms(7))));
        let hundred = (1..=100).rev().map(ms).collect();
        assert_eq!(percentiles(hundred), Some((ms(50), ms(99))));
    }
}
