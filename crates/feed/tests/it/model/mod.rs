//! The feed's protocol as a model, checked in every state that small bounds allow (protocol.md §2, §5).
//!
//! Two replicas commit, hand over, poll, publish and hear; each serves one subscriber, which takes a snapshot,
//! follows, claims what it has applied and acknowledges that. Redis loses, trims and refuses; connections are
//! cut; replicas crash; the database is restored. A batch is one revision. What `tail.rs`, `fanout` and
//! `session.rs` do stands here as plain functions under the same names.
//!
//! A restore gives the log a new epoch, as the restore command does, under running replicas; or it keeps the
//! epoch, as a copy put back by hand, and then everybody is started again: a subscriber's cursor could not tell
//! the two lives apart.

mod state;

use stateright::{Checker as _, HasDiscoveries, Model, Property};

use state::{RIGHT, Redis, Replica, Rules, State, Stream, Subscriber};

/// The model, and how far it is explored.
#[derive(Clone, Copy, Debug)]
struct Feed {
    rules: Rules,
    commits: u8,
    faults: u8,
    /// Whether replicas have a Redis, or the table alone.
    redis: bool,
    /// Whether the second replica has a subscriber.
    subscriber: bool,
}

/// How replicas hear of one another; their rings are what any subscriber gets.
const REPLICAS: Feed = Feed {
    rules: RIGHT,
    commits: 2,
    faults: 2,
    redis: true,
    subscriber: false,
};

/// How a subscriber follows a ring, however that was filled.
const WATCH: Feed = Feed {
    rules: RIGHT,
    commits: 3,
    faults: 1,
    redis: false,
    subscriber: true,
};

/// All of it, less far.
const WHOLE: Feed = Feed {
    rules: RIGHT,
    commits: 1,
    faults: 2,
    redis: true,
    subscriber: true,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    Commit(usize),
    /// The tail takes what its writer handed over, or misses it.
    Take(usize),
    Lag(usize),
    Poll(usize),
    Look(usize),
    Check(usize),
    Publish(usize),
    /// The answer is lost: nobody knows whether it was added.
    PublishUnknown(usize),
    Hear(usize),
    Cut(usize),
    Flush,
    Trim,
    Crash(usize),
    Restore {
        new_epoch: bool,
    },
    Open(usize),
    Frame(usize),
    Claim(usize),
    Acknowledge(usize),
}

impl Feed {
    fn apply(&self, state: &mut State, action: Action) {
        match action {
            Action::Commit(at) => {
                let (after, batch, epoch) = (state.table().len(), state.batches, state.epoch());
                state.batches += 1;
                if let Some(table) = state.lives.last_mut() {
                    table.push(batch);
                }
                state.replicas[at].handed.push((epoch, after, batch));
            }
            Action::Take(at) => {
                let (epoch, after, batch) = state.replicas[at].handed.remove(0);
                let replica = &state.replicas[at];
                let fits = epoch == replica.epoch && after == replica.to();
                let known = epoch == replica.epoch;
                if known {
                    state.push(at, after, batch, fits);
                } else {
                    state.read(at);
                }
                state.replicas[at].own = state.replicas[at].to();
            }
            Action::Lag(at) => {
                state.replicas[at].handed.remove(0);
            }
            Action::Poll(at) => state.read(at),
            Action::Look(at) => {
                let epoch = state.replicas[at].epoch;
                let seen = state.stream(epoch).clone();
                state.replicas[at].redis = Redis::Looked(seen);
            }
            Action::Check(at) => self.check(state, at),
            Action::Publish(at) => {
                let added = state.publish(at, self.rules);
                state.replicas[at].in_stream += usize::from(added);
            }
            Action::PublishUnknown(at) => {
                state.publish(at, self.rules);
                state.replicas[at].redis = Redis::Lost;
            }
            Action::Hear(at) => self.hear(state, at),
            Action::Cut(at) => state.replicas[at].redis = Redis::Lost,
            Action::Flush => state.streams.fill(Stream::default()),
            Action::Trim => {
                let epoch = state.epoch();
                state.stream(epoch).entries.remove(0);
            }
            Action::Crash(at) => state.restart(at),
            Action::Restore { new_epoch } => {
                let mut table = state.table().to_vec();
                table.pop();
                state.lives.push(table);
                state.epochs.push(state.epoch() + u8::from(new_epoch));
                if new_epoch {
                    state.streams.push(Stream::default());
                } else {
                    for at in 0..state.replicas.len() {
                        state.replicas[at].subscriber = Subscriber::new();
                        state.restart(at);
                    }
                }
            }
            Action::Open(at) => self.open(state, at),
            Action::Frame(at) => {
                let Subscriber {
                    epoch,
                    cursor,
                    history,
                    ..
                } = state.replicas[at].subscriber;
                let next = cursor.and_then(|cursor| state.next(at, epoch, cursor, self.rules));
                let moved =
                    epoch != state.epoch() && cursor.is_some_and(|cursor| cursor < state.replicas[at].start);
                let replica = &mut state.replicas[at];
                let subscriber = &mut replica.subscriber;
                if history != Some(replica.history) || (moved && self.rules.compares_epoch) {
                    // Foreign: what it held is of another life.
                    *subscriber = Subscriber::new();
                } else if let (Some(cursor), Some(batch)) = (&mut subscriber.cursor, next) {
                    *cursor += 1;
                    if self.rules.rows_first {
                        subscriber.rows.push(batch);
                    } else {
                        subscriber.claimed = *cursor;
                    }
                }
            }
            Action::Claim(at) => {
                let table = state.table().to_vec();
                let subscriber = &mut state.replicas[at].subscriber;
                if !self.rules.rows_first {
                    subscriber.rows = table[..subscriber.cursor.unwrap_or(0).min(table.len())].to_vec();
                }
                subscriber.claimed = subscriber.rows.len();
            }
            Action::Acknowledge(at) => {
                let subscriber = &mut state.replicas[at].subscriber;
                subscriber.acked = if self.rules.acks_applied {
                    subscriber.claimed
                } else {
                    subscriber.cursor.unwrap_or(0)
                };
            }
        }
    }

    /// `Running::connect`, from the look at the table on.
    fn check(&self, state: &mut State, at: usize) {
        let (table, epoch) = (state.table().to_vec(), state.epoch());
        let replica = &mut state.replicas[at];
        let Redis::Looked(Stream { top, entries }) = &replica.redis else {
            return;
        };
        if epoch != replica.epoch {
            replica.redis = Redis::Lost;
            return;
        }
        let differs = entries
            .last()
            .is_some_and(|(to, _, batch)| table.get(to - 1) != Some(batch));
        let foreign = self.rules.checks_top && (*top > table.len() || differs);
        replica.in_stream = match (top, foreign) {
            (0, _) => replica.in_stream.max(replica.start),
            (_, true) => table.len(),
            (top, false) => replica.in_stream.max(*top),
        };
        replica.redis = Redis::Connected(replica.to());
        if foreign {
            *state.stream(epoch) = Stream::default();
        }
    }

    /// `Running::listen` and `Shared::hear`.
    fn hear(&self, state: &mut State, at: usize) {
        let replica = &state.replicas[at];
        let (Redis::Connected(from), epoch) = (replica.redis.clone(), replica.epoch) else {
            return;
        };
        let heard = state
            .stream(epoch)
            .entries
            .iter()
            .find(|(to, _, _)| *to > from)
            .copied();
        let Some((to, after, batch)) = heard else { return };
        let replica = &mut state.replicas[at];
        replica.redis = Redis::Connected(to);
        replica.in_stream = replica.in_stream.max(to);
        let fits = after == replica.to() || !self.rules.compares_after;
        state.push(at, after, batch, fits);
        if state.replicas[at].to() < to {
            state.replicas[at].redis = Redis::Lost;
        }
    }

    /// `Session::open`: goes on from the cursor, or from a snapshot, which is read from the table.
    fn open(&self, state: &mut State, at: usize) {
        let table = state.table().to_vec();
        let subscriber = &state.replicas[at].subscriber;
        let (epoch, to) = match subscriber.cursor {
            Some(cursor) => (subscriber.epoch, cursor),
            None => (state.epoch(), table.len()),
        };
        // `Session::stand_at`.
        if epoch != state.replicas[at].epoch || to > state.replicas[at].to() {
            state.read(at);
        }
        let life = state.life();
        let replica = &mut state.replicas[at];
        let refused = epoch != replica.epoch || to > replica.to();
        let subscriber = &mut replica.subscriber;
        if subscriber.cursor.is_none() {
            *subscriber = Subscriber {
                life,
                epoch,
                cursor: Some(to),
                rows: table,
                ..Subscriber::new()
            };
        } else if refused {
            // Foreign or ahead: a snapshot is to come.
            *subscriber = Subscriber::new();
            return;
        }
        subscriber.history = Some(replica.history);
    }

    fn possible(&self, state: &State, action: Action) -> bool {
        let replica = |at: usize| &state.replicas[at];
        match action {
            Action::Commit(_) => state.batches < self.commits,
            Action::Take(at) => !replica(at).handed.is_empty(),
            Action::Poll(_) => self.rules.polls,
            Action::Look(at) => self.redis && replica(at).redis == Redis::Lost,
            Action::Check(at) => matches!(replica(at).redis, Redis::Looked(_)),
            Action::Publish(at) => {
                matches!(replica(at).redis, Redis::Connected(_)) && replica(at).in_stream < replica(at).own
            }
            Action::Hear(at) => matches!(replica(at).redis, Redis::Connected(_)),
            Action::Open(at) => self.subscriber && replica(at).subscriber.history.is_none(),
            Action::Frame(at) => replica(at).subscriber.history.is_some(),
            Action::Claim(at) | Action::Acknowledge(at) => replica(at).subscriber.cursor.is_some(),
            Action::Lag(at) => self.may_fail(state) && !replica(at).handed.is_empty(),
            Action::PublishUnknown(at) => self.may_fail(state) && self.possible(state, Action::Publish(at)),
            Action::Cut(at) => self.may_fail(state) && replica(at).redis != Redis::Lost,
            Action::Flush => self.may_fail(state) && state.streams.iter().any(|stream| stream.top > 0),
            Action::Trim => {
                let stream = &state.streams[usize::from(state.epoch())];
                self.may_fail(state) && !stream.entries.is_empty()
            }
            Action::Crash(_) => self.may_fail(state),
            Action::Restore { .. } => self.may_fail(state) && !state.table().is_empty() && state.life() == 0,
        }
    }

    fn may_fail(&self, state: &State) -> bool {
        state.faults < self.faults
    }

    fn is_fault(action: Action) -> bool {
        match action {
            Action::Lag(_)
            | Action::PublishUnknown(_)
            | Action::Cut(_)
            | Action::Flush
            | Action::Trim
            | Action::Crash(_)
            | Action::Restore { .. } => true,
            Action::Commit(_)
            | Action::Take(_)
            | Action::Poll(_)
            | Action::Look(_)
            | Action::Check(_)
            | Action::Publish(_)
            | Action::Hear(_)
            | Action::Open(_)
            | Action::Frame(_)
            | Action::Claim(_)
            | Action::Acknowledge(_) => false,
        }
    }
}

impl Model for Feed {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let replica = Replica {
            life: 0,
            epoch: 0,
            history: 0,
            start: 0,
            ring: Vec::new(),
            handed: Vec::new(),
            own: 0,
            in_stream: 0,
            redis: Redis::Lost,
            subscriber: Subscriber::new(),
        };
        vec![State {
            lives: vec![Vec::new()],
            epochs: vec![0],
            streams: vec![Stream::default()],
            replicas: vec![replica.clone(), replica],
            batches: 0,
            faults: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let each = [
            Action::Commit,
            Action::Take,
            Action::Lag,
            Action::Poll,
            Action::Look,
            Action::Check,
            Action::Publish,
            Action::PublishUnknown,
            Action::Hear,
            Action::Cut,
            Action::Crash,
        ];
        actions.extend(each.iter().flat_map(|action| [action(0), action(1)]));
        // The other replica's subscriber would do the same.
        actions.extend([
            Action::Open(1),
            Action::Frame(1),
            Action::Claim(1),
            Action::Acknowledge(1),
        ]);
        actions.extend([Action::Flush, Action::Trim]);
        actions.extend([true, false].map(|new_epoch| Action::Restore { new_epoch }));
        actions.retain(|action| self.possible(state, *action));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        self.apply(&mut state, action);
        if state == *last {
            return None;
        }
        state.faults += u8::from(Feed::is_fault(action));
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("P1: what is claimed is in the view", |_, state: &State| {
                state.replicas.iter().all(|replica| {
                    let Subscriber {
                        life, rows, claimed, ..
                    } = &replica.subscriber;
                    rows.get(..*claimed)
                        .is_some_and(|rows| state.lives[*life].starts_with(rows))
                })
            }),
            Property::always("P4: no gap, no repeat, never backwards", |_, state: &State| {
                state.replicas.iter().all(|replica| {
                    let log = &state.lives[replica.life];
                    let ring = log.get(replica.start..replica.to()) == Some(&replica.ring);
                    ring && state.lives[replica.subscriber.life].starts_with(&replica.subscriber.rows)
                })
            }),
            Property::always("P5: what is acknowledged is applied", |_, state: &State| {
                state.replicas.iter().all(|replica| {
                    let Subscriber {
                        life, rows, acked, ..
                    } = &replica.subscriber;
                    rows.get(..*acked)
                        .is_some_and(|rows| state.lives[*life].starts_with(rows))
                })
            }),
            Property::always(
                "the table alone heals everything",
                |feed: &Feed, state: &State| {
                    let mut state = state.clone();
                    for _ in 0..=2 * feed.commits + 2 {
                        if feed.possible(&state, Action::Poll(1)) {
                            feed.apply(&mut state, Action::Poll(1));
                        }
                        let next = match state.replicas[1].subscriber.history {
                            None => Action::Open(1),
                            Some(_) => Action::Frame(1),
                        };
                        feed.apply(&mut state, next);
                    }
                    !feed.rules.rows_first || state.replicas[1].subscriber.rows == state.table()
                },
            ),
        ];
        // What a model never reaches it says nothing about.
        if self.redis {
            properties.push(Property::sometimes(
                "a sibling's commit comes by Redis",
                |_, state: &State| {
                    let replica = &state.replicas[1];
                    matches!(replica.redis, Redis::Connected(1)) && replica.to() == 1 && replica.own == 0
                },
            ));
        }
        if self.subscriber {
            properties.push(Property::sometimes(
                "all is acknowledged in a second life",
                |feed: &Feed, state: &State| {
                    let subscriber = &state.replicas[1].subscriber;
                    state.batches == feed.commits
                        && subscriber.life == 1
                        && subscriber.acked == state.table().len()
                },
            ));
        }
        properties
    }
}

/// Every state within the bounds, or up to the first that breaks a promise.
fn explore(feed: Feed) -> impl stateright::Checker<Feed> {
    feed.checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .threads(2)
        .spawn_bfs()
        .join()
}

#[test]
fn p4_holds_between_replicas_whatever_redis_does() {
    explore(REPLICAS).assert_properties();
}

#[test]
fn p1_p4_and_p5_hold_for_a_subscriber_whatever_its_replica_does() {
    explore(WATCH).assert_properties();
}

#[test]
fn p1_p4_and_p5_hold_from_commit_to_acknowledgement() {
    explore(WHOLE).assert_properties();
}

/// A proof that cannot fail proves nothing: each rule that is left out is missed.
#[test]
fn without_any_one_of_its_rules_the_protocol_breaks_a_promise() {
    let p1 = "P1: what is claimed is in the view";
    let p4 = "P4: no gap, no repeat, never backwards";
    let p5 = "P5: what is acknowledged is applied";
    let healed = "the table alone heals everything";
    let twice = Feed {
        commits: 2,
        faults: 2,
        ..WATCH
    };
    type LeaveOut = fn(&mut Rules);
    let broken: [(&str, Feed, LeaveOut); 6] = [
        (p4, REPLICAS, |rules| rules.compares_after = false),
        (p4, REPLICAS, |rules| rules.checks_top = false),
        (p4, twice, |rules| rules.compares_epoch = false),
        (p1, WATCH, |rules| rules.rows_first = false),
        (p5, WATCH, |rules| {
            (rules.acks_applied, rules.rows_first) = (false, false)
        }),
        (healed, WATCH, |rules| rules.polls = false),
    ];
    for (promise, mut feed, leave_out) in broken {
        leave_out(&mut feed.rules);
        let checker = feed
            .checker()
            .finish_when(HasDiscoveries::AllOf([promise].into()))
            .spawn_bfs()
            .join();
        assert!(
            checker.discovery(promise).is_some(),
            "{promise} holds with {:?}",
            feed.rules
        );
    }
}
