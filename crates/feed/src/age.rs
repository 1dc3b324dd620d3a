//! How old a view may be (protocol.md §4).

use std::collections::VecDeque;
use std::time::Duration;

use greenstar_kernel::{Revision, Timestamp};

/// Half a minute of pings. A view that old is stale by any bound.
const KEPT: usize = 64;
/// Clocks that differ by more than this and the round trip cannot both be trusted.
const OFFSET: Duration = Duration::from_secs(1);

/// A subscriber's knowledge of how fresh it is. All instants are [`greenstar_kernel::Clock::monotonic`] of
/// the subscriber.
///
/// A pong says: at the source's last look, which began `head_age` before it answered, the log ended at
/// `head`. It answered after the ping was sent; so a view that has applied `head` shows everything that
/// was committed at (send time − `head_age`). That instant only moves forward.
#[derive(Clone, Debug, Default)]
pub struct Age {
    applied: Revision,
    next_nonce: u64,
    /// Pings on their way: nonce, send time.
    sent: VecDeque<(u64, Duration)>,
    /// Answers whose head is not applied yet: head, and the instant it speaks of.
    waiting: VecDeque<(Revision, i128)>,
    /// Microseconds on the monotonic clock; may lie before its start.
    known_at: Option<i128>,
    clock_off: bool,
}

impl Age {
    /// Knows nothing yet.
    pub fn new() -> Age {
        Age::default()
    }

    /// A ping goes out; answers its nonce.
    pub fn ping(&mut self, now: Duration) -> u64 {
        self.next_nonce += 1;
        keep(&mut self.sent, (self.next_nonce, now));
        self.next_nonce
    }

    /// A pong came in. `source_wall` is the source's wall clock, `wall` the subscriber's.
    /// One that answers no ping on its way is ignored.
    pub fn pong(
        &mut self,
        nonce: u64,
        head: Revision,
        head_age: Duration,
        source_wall: Timestamp,
        now: Duration,
        wall: Timestamp,
    ) {
        let Some(index) = self.sent.iter().position(|(known, _)| *known == nonce) else {
            return;
        };
        let Some((_, sent)) = self.sent.drain(..=index).next_back() else {
            return;
        };
        let round_trip = now.saturating_sub(sent);
        let offset = source_wall.since(wall).max(wall.since(source_wall));
        self.clock_off = offset > round_trip.saturating_add(OFFSET);
        keep(&mut self.waiting, (head, micros(sent) - micros(head_age)));
        self.settle();
    }

    /// The view has applied everything up to here.
    pub fn applied(&mut self, applied: Revision) {
        self.applied = self.applied.max(applied);
        self.settle();
    }

    /// How old the view may be; none when nothing is known yet, which is older than any bound.
    pub fn age(&self, now: Duration) -> Option<Duration> {
        let age = micros(now) - self.known_at?;
        Some(Duration::from_micros(u64::try_from(age).unwrap_or(0)))
    }

    /// False: the two wall clocks differ by more than the round trip and a second, so terms cannot be
    /// trusted to have ended, or not (P10).
    pub fn clock_known(&self) -> bool {
        !self.clock_off
    }

    fn settle(&mut self) {
        let applied = self.applied;
        let reached = self
            .waiting
            .iter()
            .filter(|(head, _)| *head <= applied)
            .map(|(_, at)| *at)
            .max();
        self.known_at = self.known_at.max(reached);
        self.waiting.retain(|(head, _)| *head > applied);
    }
}

fn keep<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == KEPT {
        queue.pop_front();
    }
    queue.push_back(item);
}

fn micros(span: Duration) -> i128 {
    i128::try_from(span.as_micros()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn wall(millis: u64) -> Timestamp {
        WALL.plus(ms(millis))
    }

    fn pong(age: &mut Age, nonce: u64, head: u64, head_age: u64, now: u64) {
        age.pong(nonce, Revision(head), ms(head_age), wall(now), ms(now), wall(now));
    }

    #[test]
    fn age_counts_from_the_ping_and_the_sources_own_look() {
        let mut age = Age::new();
        assert_eq!(age.age(ms(0)), None);
        let nonce = age.ping(ms(1_000));
        age.applied(Revision(7));
        pong(&mut age, nonce, 7, 200, 1_040);
        assert_eq!(age.age(ms(1_040)), Some(ms(240)));
        assert_eq!(age.age(ms(6_000)), Some(ms(5_200)));
    }

    #[test]
    fn an_answer_counts_only_when_its_head_is_applied() {
        let mut age = Age::new();
        let nonce = age.ping(ms(100));
        age.applied(Revision(6));
        pong(&mut age, nonce, 7, 0, 110);
        assert_eq!(age.age(ms(110)), None);
        age.applied(Revision(7));
        assert_eq!(age.age(ms(150)), Some(ms(50)));
    }

    #[test]
    fn a_source_that_cannot_read_its_log_makes_the_view_older_although_it_answers() {
        let mut age = Age::new();
        age.applied(Revision(1));
        for (sent, head_age) in [(500, 0), (1_000, 500), (1_500, 1_000)] {
            let nonce = age.ping(ms(sent));
            pong(&mut age, nonce, 1, head_age, sent);
            assert_eq!(age.age(ms(sent)), Some(ms(sent - 500)));
        }
    }

    #[test]
    fn a_pong_of_no_ping_or_a_second_one_is_ignored() {
        let mut age = Age::new();
        pong(&mut age, 99, 0, 0, 10);
        assert_eq!(age.age(ms(10)), None);
        let nonce = age.ping(ms(20));
        pong(&mut age, nonce, 0, 0, 30);
        pong(&mut age, nonce, 0, 0, 500);
        assert_eq!(age.age(ms(30)), Some(ms(10)));
    }

    #[test]
    fn a_clock_that_is_off_by_more_than_the_round_trip_and_a_second_is_unknown() {
        let mut age = Age::new();
        for (source, now, known) in [
            (0, 0, true),
            (1_000, 0, true),
            (1_001, 0, false),
            (0, 1_001, true),
            (3_000, 500, false),
        ] {
            let nonce = age.ping(ms(0));
            age.pong(nonce, Revision(0), ms(0), wall(source), ms(now), wall(now));
            assert_eq!(age.clock_known(), known, "{source} {now}");
        }
    }

    #[test]
    fn an_older_answer_never_makes_the_view_older() {
        let mut age = Age::new();
        let (first, second) = (age.ping(ms(100)), age.ping(ms(200)));
        pong(&mut age, first, 9, 0, 210);
        pong(&mut age, second, 3, 0, 220);
        age.applied(Revision(3));
        assert_eq!(age.age(ms(300)), Some(ms(100)));
        age.applied(Revision(9));
        assert_eq!(age.age(ms(300)), Some(ms(100)));
    }
}
