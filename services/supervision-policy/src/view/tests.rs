use greenstar_kernel::Epoch;

use super::*;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn the_instant_of_a_decision_never_runs_backwards() {
    let view = View::new();
    let noon = Timestamp::from_micros(1_800_000_000_000_000);
    assert_eq!(view.as_of(noon, true), noon);
    assert_eq!(view.as_of(Timestamp::from_micros(noon.micros() - 1), true), noon);
    assert_eq!(view.as_of(noon.plus(ms(1)), true), noon.plus(ms(1)));
}

/// With every log looked at just now, by a clock that a source agrees with.
fn measured(wall: Timestamp) -> View {
    let view = View::new();
    for log in Log::ALL {
        view.set_age(log, Some(ms(0)), ms(0));
    }
    view.set_clock(ms(0), wall);
    view
}

#[test]
fn p10_a_wall_clock_that_jumps_a_day_and_back_ends_no_term_early() {
    let noon = Timestamp::from_micros(1_800_000_000_000_000);
    let tomorrow = noon.plus(ms(86_400_000));
    let view = measured(noon);
    assert_eq!(view.as_of(noon, view.age(ms(0), noon).is_some()), noon);
    assert_eq!(view.age(ms(100), tomorrow), None, "it jumped, and nobody agreed");
    assert_eq!(view.as_of(tomorrow, false), noon);
    let back = noon.plus(ms(200));
    assert_eq!(view.age(ms(200), back), Some(ms(200)));
    assert_eq!(view.as_of(back, true), back);
}

#[test]
fn p10_a_clock_behind_what_was_decided_for_is_unknown_until_it_has_caught_up() {
    let noon = Timestamp::from_micros(1_800_000_000_000_000);
    let tomorrow = noon.plus(ms(86_400_000));
    let view = measured(tomorrow);
    // The source jumps along with us, so that nobody could tell.
    assert_eq!(
        view.as_of(tomorrow, view.age(ms(0), tomorrow).is_some()),
        tomorrow
    );
    view.set_clock(ms(0), noon);
    assert_eq!(view.age(ms(0), noon), None, "decided for a day ahead");
    assert_eq!(view.as_of(noon, false), tomorrow);
    assert_eq!(view.age(ms(86_400_000), tomorrow), Some(ms(86_400_000)));
}

/// Something happens between the rows of a look and its instant.
struct Meanwhile<F>(std::sync::Mutex<Option<F>>, Timestamp);

impl<F> std::fmt::Debug for Meanwhile<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meanwhile")
    }
}

impl<F: FnOnce() + Send + 'static> Clock for Meanwhile<F> {
    fn now(&self) -> Timestamp {
        self.1
    }

    fn monotonic(&self) -> Duration {
        let happens = self.0.lock().unwrap().take();
        if let Some(happens) = happens {
            happens();
        }
        ms(3_600_000)
    }
}

#[test]
fn p2_rows_are_never_as_fresh_as_what_came_after_them() {
    use super::policies::tests::{NOW, edition, shipped_at};

    let at = |revision| Position {
        epoch: Epoch::parse("e").unwrap(),
        revision: Revision(revision),
    };
    // An hour ago; since then nobody was heard.
    let view = Arc::new(measured(NOW));
    view.put_policies(at(1), shipped_at(NOW).into(), NOW);
    view.replace_ratings(at(1), view.begin_ratings());
    view.replace_flags(at(1), vec![edition("1", NOW)], Vec::new(), NOW);
    let now = NOW.plus(ms(3_600_000));
    let follower = Arc::clone(&view);
    let caught_up = move || {
        follower.replace_flags(at(2), vec![edition("2", NOW)], Vec::new(), now);
        for log in Log::ALL {
            follower.set_age(log, Some(ms(0)), ms(3_600_000));
        }
    };
    let clock = Meanwhile(std::sync::Mutex::new(Some(caught_up)), now);
    let seen = |look: &Look| (look.reading.applied.sanctions.0, look.age);
    let look = view.look(&clock).unwrap();
    assert_eq!(seen(&look), (1, Some(ms(3_600_000))));
    assert_eq!(seen(&view.look(&clock).unwrap()), (2, Some(ms(0))));
}

#[test]
fn p1_whoever_sees_a_revision_of_the_sanctions_log_has_its_edition_of_the_catalogue() {
    use super::policies::tests::{NOW, edition, shipped_at};

    const EDITIONS: u64 = 60;
    let numbered = |number: u64| edition(&number.to_string(), NOW.plus(ms(number)));
    let at = |revision| Position {
        epoch: Epoch::parse("e").unwrap(),
        revision: Revision(revision),
    };
    let (view, now) = (View::new(), NOW.plus(ms(1_000)));
    view.put_policies(at(1), shipped_at(NOW).into(), now);
    view.replace_ratings(at(1), view.begin_ratings());
    view.replace_flags(at(1), vec![numbered(1)], Vec::new(), now);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut seen = 0;
                while seen < EDITIONS {
                    let reading = view.read().unwrap();
                    seen = reading.applied.sanctions.0;
                    let policy = reading.ruling(now).unwrap().policy.as_ref().unwrap();
                    let edition: u64 = policy.catalogue().edition().parse().unwrap();
                    assert!(edition >= seen, "edition {edition} at revision {seen}");
                }
            });
        }
        for number in 2..=EDITIONS {
            view.put_edition(numbered(number), now);
            view.apply_flags(Vec::new(), Revision(number), now);
        }
    });
}

#[test]
fn a_flag_confirmed_by_a_clock_slightly_ahead_is_in_force_at_once() {
    let (view, now) = (View::new(), Timestamp::from_micros(1_800_000_000_000_000));
    let row = |ahead| FlagRow {
        uscc: "91110115MAX000015J".parse().unwrap(),
        name: "enterprises/91110115MAX000015J/flags/1".into(),
        flag: Ok(Some(flags::tests::flag(
            "enterprises/91110115MAX000015J/flags/1",
            now.plus(ahead).micros(),
        ))),
    };
    let at = |revision| Position {
        epoch: Epoch::parse("e").unwrap(),
        revision: Revision(revision),
    };
    view.replace_flags(at(1), Vec::new(), vec![row(ms(400))], now);
    assert_eq!(view.as_of(now, true), now.plus(ms(400)));
    // That far ahead is no clock of ours: the flag is in force all the same.
    view.apply_flags(vec![row(ms(3_600_000))], Revision(2), now);
    assert_eq!(view.as_of(now, true), now.plus(ms(400)));
    let flags = view.flags.read().as_ref().unwrap().get(&row(ms(0)).uscc).unwrap();
    assert!(flags.iter().all(|flag| flag.in_force(now)), "{flags:?}");
}

#[test]
fn the_most_behind_log_is_the_age_of_the_view_and_none_is_none() {
    let (view, start) = (View::new(), Timestamp::from_micros(1_800_000_000_000_000));
    view.set_clock(ms(0), start);
    let age = |now: u64| view.age(ms(now), start.plus(ms(now)));
    view.set_age(Log::Rating, Some(ms(300)), ms(100));
    view.set_age(Log::Sanctions, Some(ms(20)), ms(100));
    assert_eq!(age(100), None, "the policy log was not looked at");
    view.set_age(Log::Policy, Some(ms(0)), ms(100));
    // 300 ms before 100 ms lies before the clock's start.
    assert_eq!(age(100), Some(ms(300)));
    assert_eq!(age(1_100), Some(ms(1_300)));
    view.set_age(Log::Sanctions, None, ms(1_100));
    assert_eq!(age(1_100), None, "an unknown clock is no age");
}
