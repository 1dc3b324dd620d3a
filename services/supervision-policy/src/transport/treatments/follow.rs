//! One stream: looks whenever something moved or time has come, writes down what changed, and tells it.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use greenstar_kernel::{Code, Department, Timestamp, Uscc};
use greenstar_proto::supervision::v1 as pb;
use greenstar_rpc::Call;
use pbjson_types as wkt;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tonic::Status;

use super::portfolio::Portfolio;
use super::replaced;
use super::round::{Changed, Round, Seen};
use crate::follow::wire;
use crate::store::treatment::{self, Stream};
use crate::transport::authority::Authority;
use crate::transport::convert::Arguments;
use crate::transport::desk::Desk;
use crate::transport::status;
use crate::view::Touch;

/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(250);
/// A cursor that moved is told this often at most.
const MOVED: Duration = Duration::from_secs(1);
/// Something is told this often at least.
const ALIVE: Duration = Duration::from_secs(15);
/// Changes of one message.
const CHUNK: usize = 200;

pub(super) type Tell = mpsc::Sender<Result<pb::WatchTreatmentsResponse, Status>>;

/// One of the portfolio.
#[derive(Debug)]
pub(super) struct Member {
    /// The code, or its hash.
    pub(super) key: String,
    /// `None`: a hash that nobody known has.
    pub(super) uscc: Option<Uscc>,
    /// As it was told last.
    pub(super) held: Option<pb::DecideResponse>,
    /// When time changes something about it; `None`: never.
    pub(super) due: Option<Timestamp>,
}

/// The portfolio, with what was told.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) portfolio: Portfolio,
    pub(super) all: Vec<Member>,
}

impl Members {
    pub(super) fn new(
        portfolio: Portfolio,
        keys: Vec<String>,
        mut held: HashMap<String, pb::DecideResponse>,
    ) -> Members {
        let hashed = portfolio.is_hashed();
        let all = keys.into_iter().map(|key| Member {
            uscc: if hashed { None } else { key.parse().ok() },
            held: held.remove(&key),
            due: None,
            key,
        });
        let all = all.collect();
        Members { portfolio, all }
    }

    /// Of a follower by hashes: one that the view knows may be among them.
    pub(super) fn recognise(&mut self, uscc: Uscc) -> Option<usize> {
        let place = self.portfolio.place(&uscc)?;
        self.all.get_mut(place)?.uscc = Some(uscc);
        Some(place)
    }

    fn recognised(&self) -> u32 {
        let known = self.all.iter().filter(|member| member.uscc.is_some()).count();
        u32::try_from(known).unwrap_or(u32::MAX)
    }
}

/// A stream that goes on.
#[derive(Debug)]
pub(super) struct Following {
    pub(super) desk: Desk,
    pub(super) call: Call,
    pub(super) stream: Stream,
    /// This connection.
    pub(super) holder: String,
    pub(super) department: Department,
    pub(super) matter: Code,
    pub(super) arguments: Arguments,
    pub(super) authority: Option<Authority>,
    pub(super) members: Members,
}

/// What was sent last, and when.
struct Sent {
    at: Instant,
    token: String,
    stale: bool,
    caught_up: bool,
}

impl Following {
    /// Until the caller goes, or something is wrong, which is the last word.
    pub(super) async fn run(mut self, missed: Vec<pb::WatchTreatmentsResponse>, tell: Tell) {
        let view = self.desk.view.clone();
        let heard = view.listen();
        let mut sent = Sent {
            at: Instant::now(),
            token: String::new(),
            stale: false,
            caught_up: false,
        };
        for message in missed {
            sent.token.clone_from(&message.token);
            if tell.send(Ok(message)).await.is_err() {
                return;
            }
        }
        let mut seen = Seen::default();
        // What was heard of and could not be looked at yet.
        let mut waiting = Touch {
            all: true,
            ..Touch::default()
        };
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut moved = pin!(view.moved());
            // Counts from here on, so that nothing that is applied after the look is missed.
            moved.as_mut().enable();
            let more = heard.take();
            waiting.flags.extend(more.flags);
            waiting.ratings.extend(more.ratings);
            waiting.all |= more.all;
            let looked = spawn_blocking(move || {
                let round = self.look(&mut seen, &mut waiting);
                (self, seen, waiting, round)
            });
            let round;
            (self, seen, waiting, round) = match looked.await {
                Ok(looked) => looked,
                Err(error) => return drop(tell.send(Err(status::failed(&error))).await),
            };
            let told = match round {
                Ok(Some(round)) => self.tell(round, &mut sent, &tell).await,
                Ok(None) => Ok(()),
                Err(status) => Err(status),
            };
            if let Err(status) = told {
                return drop(tell.send(Err(status)).await);
            }
            tokio::select! {
                () = moved => {}
                _ = tick.tick() => {}
                () = tell.closed() => return,
            }
        }
    }

    /// Records what is told, writes it down, and sends it.
    async fn tell(&mut self, round: Round, sent: &mut Sent, tell: &Tell) -> Result<(), Status> {
        let Round {
            changed,
            as_of,
            token,
            age,
            stale,
        } = round;
        let changes = self.recorded(changed).await?;
        let first = !stale && !sent.caught_up;
        sent.caught_up |= !stale;
        let message = |sequence: u64, changes: Vec<pb::TreatmentChange>| pb::WatchTreatmentsResponse {
            cursor: format!("{}.{sequence}.{token}", self.stream.id),
            sequence,
            changes,
            caught_up: sent.caught_up,
            as_of_time: Some(wire::to_instant(as_of)),
            token: token.clone(),
            data_age: age.map(wkt::Duration::from),
            recognised: self.members.recognised(),
        };
        if changes.is_empty() {
            let since = sent.at.elapsed();
            let moved = since >= MOVED && token != sent.token;
            if first || stale != sent.stale || moved || since >= ALIVE {
                let empty = message(self.stream.sequence, Vec::new());
                send(tell, empty).await;
                (sent.at, sent.token, sent.stale) = (Instant::now(), token, stale);
            }
            return Ok(());
        }
        let held = changes.iter().filter_map(|(place, change)| {
            let member = self.members.all.get(*place)?;
            Some((member.key.clone(), change.after.as_ref()?.encode_to_vec()))
        });
        let held = held.collect();
        let mut messages = Vec::with_capacity(changes.len().div_ceil(CHUNK));
        let last = changes.len().div_ceil(CHUNK);
        for (at, chunk) in changes.chunks(CHUNK).enumerate() {
            let sequence = self.stream.sequence + 1 + at as u64;
            let told = chunk.iter().map(|(_, change)| change.clone()).collect();
            let mut message = message(sequence, told);
            // The first treatments are told once the last of their messages is.
            message.caught_up = !first || at + 1 == last;
            messages.push(message);
        }
        let bodies = messages.iter().map(prost::Message::encode_to_vec).collect();
        let kept = treatment::tell(
            &self.desk.database,
            &self.stream.id,
            &self.holder,
            self.stream.sequence + 1,
            bodies,
            held,
            self.desk.clock.now(),
        );
        if !kept.await.map_err(|error| status::store(&error))? {
            return Err(replaced());
        }
        self.stream.sequence += messages.len() as u64;
        for (place, change) in changes {
            if let Some(member) = self.members.all.get_mut(place) {
                member.held = change.after;
            }
        }
        for message in messages {
            send(tell, message).await;
        }
        (sent.at, sent.token, sent.stale) = (Instant::now(), token, stale);
        Ok(())
    }

    /// Each answer with its record, by the place of its member.
    async fn recorded(&self, changed: Vec<Changed>) -> Result<Vec<(usize, pb::TreatmentChange)>, Status> {
        let mut changes = Vec::with_capacity(changed.len());
        let mut unrecorded = Vec::with_capacity(changed.len());
        let mut places = Vec::with_capacity(changed.len());
        for Changed {
            place,
            after,
            causes,
            computed,
        } in changed
        {
            let member = self.members.all.get(place);
            let hashed = self.members.portfolio.is_hashed();
            let key = member.map_or_else(String::new, |member| member.key.clone());
            let (enterprise, hashed_code) = match hashed {
                true => (String::new(), key),
                false => (format!("enterprises/{key}"), String::new()),
            };
            let change = pb::TreatmentChange {
                enterprise,
                hashed_code,
                before: member.and_then(|member| member.held.clone()),
                after: Some(after),
                causes: causes.into_iter().map(Into::into).collect(),
            };
            if let Some(computed) = computed {
                places.push(changes.len());
                unrecorded.push(Ok(*computed));
            }
            changes.push((place, change));
        }
        let answers = self.desk.record_all(unrecorded).await;
        for (at, answer) in places.into_iter().zip(answers) {
            let answer = pb::DecideResponse::decode(&*answer?.into_bytes());
            let answer = answer.map_err(|error| status::damaged(&error))?;
            if let Some(after) = changes.get_mut(at).and_then(|(_, change)| change.after.as_mut()) {
                after.decision = answer.decision;
            }
        }
        Ok(changes)
    }
}

/// Who has gone is found to have gone by the loop.
async fn send(tell: &Tell, message: pb::WatchTreatmentsResponse) {
    let _ = tell.send(Ok(message)).await;
}
