//! Whether the wall clock is to be trusted with what cannot be taken back (P10).

use std::time::Duration;

use crate::{Ratchet, Timestamp};

/// Watches a wall clock by a monotonic one, for a task that writes down what time has changed: relief is never assumed.
/// A wall clock that gained on the monotonic one was moved, and may be moved back.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Both clocks at the last look.
    last: (Timestamp, Duration),
    /// By the monotonic clock.
    from: Duration,
}

impl Trust {
    /// For so long a wall clock that was moved ahead is not trusted.
    pub const SETTLE: Duration = Duration::from_secs(60);

    /// At a start, when nothing says yet how the clock came to its time but the database: `newest` is when its newest
    /// change was written, by whomever. A clock that differs by more than [`Trust::SETTLE`] is not trusted for that
    /// long. Without a change there is nothing that time could have changed.
    pub fn starting(newest: Option<Timestamp>, wall: Timestamp, monotonic: Duration) -> Trust {
        let agrees =
            newest.is_none_or(|at| wall.since(at) <= Trust::SETTLE && at.since(wall) <= Trust::SETTLE);
        let from = if agrees {
            monotonic
        } else {
            monotonic + Trust::SETTLE
        };
        Trust {
            last: (wall, monotonic),
            from,
        }
    }

    /// Whether it is to be trusted now. To be asked often: what a clock did between two looks is not seen.
    pub fn look(&mut self, wall: Timestamp, monotonic: Duration) -> bool {
        let (before, then) = self.last;
        let expected = before.plus(monotonic.saturating_sub(then));
        if Ratchet::SLACK < wall.since(expected) {
            self.from = monotonic + Trust::SETTLE;
        } else if Ratchet::SLACK < expected.since(wall) {
            self.from = monotonic;
        }
        self.last = (wall, monotonic);
        self.from <= monotonic
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Date;

    const SECOND: Duration = Duration::from_secs(1);
    const YEAR: Duration = Duration::from_secs(365 * 86_400);

    fn noon() -> Timestamp {
        "2026-05-10".parse::<Date>().unwrap().start()
    }

    #[test]
    fn a_clock_that_jumps_for_a_moment_is_not_trusted() {
        let noon = noon();
        let mut trust = Trust::starting(None, noon, SECOND);
        assert!(trust.look(noon, SECOND));
        assert!(trust.look(noon.plus(SECOND), SECOND * 2));
        assert!(!trust.look(noon.plus(YEAR), SECOND * 3), "it was moved ahead");
        assert!(!trust.look(noon.plus(YEAR + SECOND), SECOND * 4));
        assert!(trust.look(noon.plus(SECOND * 4), SECOND * 5), "and back");
        assert!(!trust.look(noon.plus(YEAR), SECOND * 6), "or it stays");
        assert!(!trust.look(
            noon.plus(YEAR + Trust::SETTLE - SECOND),
            SECOND * 5 + Trust::SETTLE
        ));
        assert!(trust.look(noon.plus(YEAR + Trust::SETTLE), SECOND * 6 + Trust::SETTLE));
    }

    #[test]
    fn a_clock_that_starts_far_from_the_newest_change_waits() {
        let (before, noon) = (noon(), noon().plus(YEAR));
        for newest in [before, before.plus(YEAR - SECOND * 61), noon.plus(YEAR)] {
            let mut trust = Trust::starting(Some(newest), noon, SECOND);
            assert!(!trust.look(noon, SECOND), "{newest}");
            assert!(!trust.look(noon.plus(SECOND * 59), SECOND * 60));
            assert!(trust.look(noon.plus(SECOND * 60), SECOND * 61));
        }
        let minute = before.plus(YEAR - SECOND * 60);
        for newest in [None, Some(noon), Some(minute), Some(noon.plus(SECOND))] {
            assert!(
                Trust::starting(newest, noon, SECOND).look(noon, SECOND),
                "{newest:?}"
            );
        }
    }

    #[test]
    fn a_clock_that_started_ahead_and_is_set_right_is_trusted_at_once() {
        let noon = noon();
        let mut trust = Trust::starting(Some(noon), noon.plus(YEAR), SECOND);
        assert!(!trust.look(noon.plus(YEAR), SECOND));
        assert!(trust.look(noon.plus(SECOND), SECOND * 2));
    }
}
