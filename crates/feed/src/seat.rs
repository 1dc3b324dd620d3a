//! One watch of a subscriber: what was sent to it and what it has applied. In memory: a replica that is lost
//! takes this knowledge along, and the subscriber says it again when it opens its next watch.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use greenstar_kernel::Revision;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::FeedError;
use crate::follow::Rejection;

/// Frames of one subscriber whose times are remembered. One that never answers costs so much and no more.
const REMEMBERED: usize = 256;

/// What a subscriber says about what it was sent. Cumulative, so that a later one stands for all before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Everything up to here is applied.
    pub revision: Revision,
    /// What follows cannot be applied.
    pub rejection: Option<Rejection>,
}

impl Ack {
    /// Everything up to `revision` is applied.
    pub fn up_to(revision: Revision) -> Ack {
        Ack {
            revision,
            rejection: None,
        }
    }
}

/// What a replica knows of a subscriber.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Everything up to here is applied; 0: it has not said anything yet.
    pub acknowledged: Revision,
    /// False: its watch was here, and has ended.
    pub connected: bool,
    /// Why it does not go on.
    pub rejection: Option<Rejection>,
}

#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) session: String,
    pub(crate) opened: Instant,
    /// Of which life of the log it speaks, as this replica counts them.
    pub(crate) history: u64,
    /// Its opening said what it has applied, and not only where its stream goes on.
    claims: bool,
    /// Another watch took the name, or an operator removed it.
    pub(crate) ended: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    known: Known,
    /// The end of what it was sent.
    sent: Revision,
    /// [`greenstar_kernel::Clock::monotonic`] when it last said anything.
    heard: Duration,
    /// It was heard, and its row does not say so yet.
    unrenewed: bool,
    /// Frames that it has not acknowledged: their range, and when they were sent.
    underway: VecDeque<Timed>,
    /// Frames that it has: their range, and how long that took.
    took: VecDeque<Timed>,
}

#[derive(Clone, Copy, Debug)]
struct Timed {
    after: Revision,
    to: Revision,
    time: Duration,
}

impl Seat {
    /// Of a subscriber that stands at `at`, and `claims` to have applied everything up to there.
    pub(crate) fn new(session: String, history: u64, at: Revision, claims: bool, now: Duration) -> Seat {
        let known = Known {
            acknowledged: if claims { at } else { Revision::ZERO },
            connected: true,
            rejection: None,
        };
        Seat {
            session,
            opened: Instant::now(),
            history,
            claims,
            ended: CancellationToken::new(),
            state: Mutex::new(State {
                known,
                sent: at,
                heard: now,
                unrenewed: false,
                underway: VecDeque::new(),
                took: VecDeque::new(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn known(&self) -> Known {
        self.state().known.clone()
    }

    pub(crate) fn heard_at(&self) -> Duration {
        self.state().heard
    }

    /// It said something: it lives.
    pub(crate) fn heard(&self, now: Duration) {
        let mut state = self.state();
        state.heard = now;
        state.unrenewed = true;
    }

    pub(crate) fn is_unrenewed(&self) -> bool {
        let state = self.state();
        state.known.connected && state.unrenewed
    }

    pub(crate) fn renewed(&self) {
        self.state().unrenewed = false;
    }

    /// It is sent `(after, to]`.
    pub(crate) fn sent(&self, after: Revision, to: Revision, now: Duration) {
        let mut state = self.state();
        state.sent = state.sent.max(to);
        if to > after {
            keep(&mut state.underway, Timed { after, to, time: now });
        }
    }

    /// Takes note. Refused is only what cannot be; repeated and late ones change nothing.
    pub(crate) fn acknowledge(&self, ack: Ack, now: Duration) -> Result<(), FeedError> {
        let mut state = self.state();
        let sent = state.sent;
        let named = ack.rejection.as_ref().map(|rejection| rejection.revision);
        if ack.revision.max(named.unwrap_or_default()) > sent {
            return Err(FeedError::AcknowledgementAhead { sent });
        }
        if named.is_some_and(|named| named <= ack.revision) {
            return Err(FeedError::Malformed("it rejects what it acknowledges"));
        }
        if ack.revision > state.known.acknowledged {
            state.known.acknowledged = ack.revision;
            state.known.rejection = None;
            while let Some(frame) = state.underway.pop_front_if(|frame| frame.to <= ack.revision) {
                let time = now.saturating_sub(frame.time);
                keep(&mut state.took, Timed { time, ..frame });
            }
        }
        if ack.rejection.is_some() && ack.revision >= state.known.acknowledged {
            state.known.rejection = ack.rejection;
        }
        Ok(())
    }

    /// From sending the frame that holds `revision` until it was acknowledged, if that is remembered.
    pub(crate) fn took(&self, revision: Revision) -> Option<Duration> {
        let state = self.state();
        let first = state.took.partition_point(|frame| frame.to < revision);
        let frame = state.took.get(first).filter(|frame| frame.after < revision)?;
        Some(frame.time)
    }

    /// Its subscriber lost the watch `before`. One that claims nothing has what it acknowledged then; who has applied
    /// nothing since still refuses what it refused.
    pub(crate) fn goes_on_from(&self, before: &Seat) {
        let before = before.known();
        let mut state = self.state();
        if !self.claims {
            state.known.acknowledged = before.acknowledged.min(state.sent);
        }
        if state.known.acknowledged == before.acknowledged {
            state.known.rejection = before.rejection;
        }
    }

    pub(crate) fn disconnect(&self) {
        self.state().known.connected = false;
    }
}

fn keep(queue: &mut VecDeque<Timed>, frame: Timed) {
    if queue.len() == REMEMBERED {
        queue.pop_front();
    }
    queue.push_back(frame);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn rejects(revision: u64, rejected: u64) -> Ack {
        Ack {
            revision: Revision(revision),
            rejection: Some(Rejection {
                revision: Revision(rejected),
                reason: "a kind it does not know".to_owned(),
            }),
        }
    }

    /// At 10, with the frames (10, 12] and (12, 13] sent.
    fn seat() -> Seat {
        let seat = Seat::new("s".to_owned(), 0, Revision(10), true, ms(0));
        seat.sent(Revision(10), Revision(12), ms(100));
        seat.sent(Revision(12), Revision(13), ms(150));
        seat.sent(Revision(13), Revision(13), ms(160));
        seat
    }

    #[test]
    fn acknowledgements_are_cumulative_and_late_ones_change_nothing() {
        let seat = seat();
        assert_eq!(seat.known().acknowledged, Revision(10));
        seat.acknowledge(Ack::up_to(Revision(13)), ms(200)).unwrap();
        seat.acknowledge(Ack::up_to(Revision(11)), ms(300)).unwrap();
        assert_eq!(seat.known().acknowledged, Revision(13));
        assert_eq!(
            [10, 11, 12, 13, 14].map(|revision| seat.took(Revision(revision))),
            [None, Some(ms(100)), Some(ms(100)), Some(ms(50)), None]
        );
    }

    #[test]
    fn what_was_not_sent_can_be_neither_acknowledged_nor_rejected() {
        let seat = seat();
        for ack in [Ack::up_to(Revision(14)), rejects(12, 14)] {
            let refused = seat.acknowledge(ack, ms(200));
            assert!(
                matches!(refused, Err(FeedError::AcknowledgementAhead { sent }) if sent == Revision(13)),
                "{refused:?}"
            );
        }
        assert!(matches!(
            seat.acknowledge(rejects(12, 12), ms(200)),
            Err(FeedError::Malformed(_))
        ));
        assert_eq!(seat.known().acknowledged, Revision(10));
    }

    #[test]
    fn a_rejection_stands_until_more_is_acknowledged() {
        let seat = seat();
        seat.acknowledge(rejects(12, 13), ms(200)).unwrap();
        seat.acknowledge(Ack::up_to(Revision(12)), ms(210)).unwrap();
        let known = seat.known();
        assert_eq!(known.acknowledged, Revision(12));
        assert_eq!(known.rejection.unwrap().revision, Revision(13));
        seat.acknowledge(Ack::up_to(Revision(13)), ms(220)).unwrap();
        assert_eq!(seat.known().rejection, None);
    }

    #[test]
    fn a_subscriber_that_never_answers_costs_a_bounded_memory() {
        let seat = Seat::new("s".to_owned(), 0, Revision(0), true, ms(0));
        for n in 0..100_000 {
            seat.sent(Revision(n), Revision(n + 1), ms(n));
        }
        assert_eq!(seat.state().underway.len(), REMEMBERED);
        seat.acknowledge(Ack::up_to(Revision(100_000)), ms(100_000))
            .unwrap();
        assert_eq!(seat.took(Revision(100_000)), Some(ms(1)));
        assert_eq!(seat.took(Revision(1)), None, "nobody remembers");
    }
}
