//! Working days. Deadlines of bodies are given in them; terms and windows are not (see [`crate::Month`]).

use serde::{Deserialize, Serialize};

use crate::{Date, Timestamp};

/// A number of working days, as bodies are given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkingDays(pub u16);

/// What the State Council arranges for a year: which days are off besides weekends, and which days of
/// weekends are worked to make up for them.
struct Arrangement {
    year: i16,
    /// First day of each run, and how many days it has.
    off: &'static [(i8, i8, i8)],
    worked: &'static [(i8, i8)],
}

/// RECALL, both years: believed, not read in the official text. To be checked against the notices of the State
/// Council Office (国务院办公厅关于部分节假日安排的通知), of 2024-11-12 for 2025 and of 2025-11-04 for 2026.
/// A new year is appended when its notice is out, usually in November of the year before.
const ARRANGEMENTS: [Arrangement; 2] = [
    Arrangement {
        year: 2025,
        off: &[
            (1, 1, 1),  // New Year
            (1, 28, 8), // Spring Festival
            (4, 4, 3),  // Tomb-sweeping
            (5, 1, 5),  // Labour Day
            (5, 31, 3), // Dragon Boat
            (10, 1, 8), // National Day with Mid-autumn
        ],
        worked: &[(1, 26), (2, 8), (4, 27), (9, 28), (10, 11)],
    },
    Arrangement {
        year: 2026,
        off: &[
            (1, 1, 3),  // New Year
            (2, 15, 9), // Spring Festival
            (4, 4, 3),  // Tomb-sweeping
            (5, 1, 5),  // Labour Day
            (6, 19, 3), // Dragon Boat
            (9, 25, 3), // Mid-autumn
            (10, 1, 7), // National Day
        ],
        worked: &[(1, 4), (2, 14), (2, 28), (5, 9), (9, 20), (10, 10)],
    },
];

/// Days off in every year, by the Measures on holidays (全国年节及纪念日放假办法, State Council order 795 of 2024,
/// RECALL): 1 January, 1 and 2 May, 1 to 3 October. The festivals of the lunar calendar are known from a year's
/// arrangement only.
const FIXED: [(i8, i8); 6] = [(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)];

impl Date {
    /// Whether bodies work on this day. For a year whose arrangement is not in the table: every day but weekends
    /// and the days that are off in every year. A deadline that reaches into such a year may come early by the
    /// festivals that nobody has arranged yet; who keeps it is on time either way.
    pub fn is_working_day(self) -> bool {
        let (year, month, day) = self.parts();
        let Some(arranged) = ARRANGEMENTS.iter().find(|arranged| arranged.year == year) else {
            return !self.is_weekend() && !FIXED.contains(&(month, day));
        };
        let off = arranged.off.iter().any(|(month, day, days)| {
            Date::new(year, *month, *day)
                .is_some_and(|first| (0..i32::from(*days)).contains(&(self.days() - first.days())))
        });
        let worked = arranged.worked.contains(&(month, day));
        worked || (!off && !self.is_weekend())
    }

    /// The day by which something that came in on this day is due: its `days`-th working day after it. The day
    /// itself does not count; with zero days it is this day.
    #[must_use]
    pub fn plus_working_days(self, days: WorkingDays) -> Date {
        let (mut day, mut left) = (self, days.0);
        while left > 0 {
            day = day.plus_days(1);
            if day.is_working_day() {
                left -= 1;
            }
        }
        day
    }

    /// When a deadline of `days`, counted from something that came in on this day, has passed: 00:00
    /// Asia/Shanghai of the day after its last day. The last day still counts.
    pub fn deadline(self, days: WorkingDays) -> Timestamp {
        self.plus_working_days(days).plus_days(1).start()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date(raw: &str) -> Date {
        raw.parse().unwrap()
    }

    #[test]
    fn a_deadline_steps_over_weekends_and_holidays_and_counts_days_made_up_for() {
        let due = |from: &str, days| date(from).plus_working_days(WorkingDays(days)).to_string();
        // Over a plain weekend.
        assert_eq!(due("2026-11-24", 10), "2026-12-08");
        assert_eq!(due("2026-11-24", 15), "2026-12-15");
        // Over National Day; Saturday the 10th is worked.
        assert_eq!(due("2026-09-30", 1), "2026-10-08");
        assert_eq!(due("2026-09-30", 3), "2026-10-10");
        assert_eq!(due("2026-09-30", 4), "2026-10-12");
        // Over the Spring Festival of 2025.
        assert_eq!(due("2025-01-27", 1), "2025-02-05");
        // What comes in on a day off waits for the next working day.
        assert_eq!(due("2026-05-02", 1), "2026-05-06");
        assert_eq!(due("2026-11-28", 0), "2026-11-28");
    }

    #[test]
    fn a_deadline_has_passed_at_midnight_after_its_last_day() {
        let from = date("2026-11-24");
        assert_eq!(from.deadline(WorkingDays(10)), date("2026-12-09").start());
    }

    #[test]
    fn a_year_without_an_arrangement_knows_weekends_and_the_fixed_days() {
        let works = |raw: &str| date(raw).is_working_day();
        for off in [
            "2031-01-01",
            "2031-05-01",
            "2031-05-02",
            "2031-10-01",
            "2031-10-03",
            "2031-11-22",
            "2031-11-23",
        ] {
            assert!(!works(off), "{off}");
        }
        assert!(works("2031-01-02") && works("2031-10-06"));
        // The year's own arrangement ends with it.
        assert_eq!(
            date("2026-12-31").plus_working_days(WorkingDays(1)),
            date("2027-01-04")
        );
    }

    /// Days off and days worked of 2025 and 2026, one by one; else by the day of the week.
    fn naive(day: Date) -> bool {
        const OFF: &str = "2025-01-01 \
            2025-01-28 2025-01-29 2025-01-30 2025-01-31 2025-02-01 2025-02-02 2025-02-03 2025-02-04 \
            2025-04-04 2025-04-05 2025-04-06 2025-05-01 2025-05-02 2025-05-03 2025-05-04 2025-05-05 \
            2025-05-31 2025-06-01 2025-06-02 \
            2025-10-01 2025-10-02 2025-10-03 2025-10-04 2025-10-05 2025-10-06 2025-10-07 2025-10-08 \
            2026-01-01 2026-01-02 2026-01-03 \
            2026-02-15 2026-02-16 2026-02-17 2026-02-18 2026-02-19 2026-02-20 2026-02-21 2026-02-22 2026-02-23 \
            2026-04-04 2026-04-05 2026-04-06 2026-05-01 2026-05-02 2026-05-03 2026-05-04 2026-05-05 \
            2026-06-19 2026-06-20 2026-06-21 2026-09-25 2026-09-26 2026-09-27 \
            2026-10-01 2026-10-02 2026-10-03 2026-10-04 2026-10-05 2026-10-06 2026-10-07";
        const WORKED: &str = "2025-01-26 2025-02-08 2025-04-27 2025-09-28 2025-10-11 \
            2026-01-04 2026-02-14 2026-02-28 2026-05-09 2026-09-20 2026-10-10";
        let written = day.to_string();
        let listed = |list: &str| list.split_whitespace().any(|one| one == written);
        // 1970-01-01 was a Thursday.
        let weekday = (day.days() + 3).rem_euclid(7);
        listed(WORKED) || (!listed(OFF) && weekday < 5)
    }

    proptest! {
        #[test]
        fn a_deadline_is_what_a_walk_from_day_to_day_finds(from in 20_089..20_700_i32, days in 0_u16..60) {
            let from = date("1970-01-01").plus_days(from);
            let (mut day, mut found) = (from, 0);
            while found < days {
                day = day.plus_days(1);
                found += u16::from(naive(day));
            }
            // 2027 has no arrangement yet; its New Year is off in every year.
            prop_assume!(day < date("2027-01-01"));
            prop_assert_eq!(from.plus_working_days(WorkingDays(days)), day);
            prop_assert_eq!(from.deadline(WorkingDays(days)), day.plus_days(1).start());
        }

        #[test]
        fn more_days_or_a_later_start_are_never_due_earlier(from in 0..60_000_i32, days in 0_u16..40) {
            let from = date("1970-01-01").plus_days(from);
            let due = from.plus_working_days(WorkingDays(days));
            prop_assert!(due < from.plus_working_days(WorkingDays(days + 1)));
            prop_assert!(due <= from.plus_days(1).plus_working_days(WorkingDays(days)));
            prop_assert!(days == 0 || due.is_working_day());
        }
    }
}
