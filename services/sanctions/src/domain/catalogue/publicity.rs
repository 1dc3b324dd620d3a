//! How long a fault is published, when it can be repaired, and how one appeals against it.

use std::collections::BTreeMap;

use greenstar_kernel::{Code, Date, LocalizedText, Month, Timestamp};
use serde::{Deserialize, Serialize};

use super::Severity;

/// How long a fault of one severity is published, in months from its document's date (NDRC order 36).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Before these months have passed there is no repair.
    pub min: Month,
    /// After these it is no longer shown.
    pub max: Month,
    /// False: it is not shown at all.
    pub published: bool,
}

impl Window {
    /// What order 36 says: minor 0 to 3 months and not published, ordinary 3 to 12, serious 12 to 36.
    pub fn of_order_36(severity: Severity) -> Window {
        let (min, max, published) = match severity {
            Severity::Minor => (0, 3, false),
            Severity::Ordinary => (3, 12, true),
            Severity::Serious => (12, 36, true),
        };
        Window {
            min: Month(min),
            max: Month(max),
            published,
        }
    }

    /// From this instant on a fault of that date can be repaired. Windows end as all terms do (protocol.md §4), and
    /// one of no month does not begin.
    pub fn repair_from(self, dated: Date) -> Timestamp {
        match self.min {
            Month(0) => dated.start(),
            min => dated.term_end(min),
        }
    }

    /// Until this instant a fault of that date is shown to the public; `None`: it is not.
    pub fn published_until(self, dated: Date) -> Option<Timestamp> {
        self.published.then(|| dated.term_end(self.max))
    }
}

/// For editions that say nothing of publicity.
pub(super) fn order_36() -> BTreeMap<Severity, Window> {
    Severity::ALL
        .map(|severity| (severity, Window::of_order_36(severity)))
        .into()
}

/// A type of penalty, and how grave a fault is that was punished so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PenaltyType {
    pub code: Code,
    pub title: LocalizedText,
    pub severity: Severity,
}

/// How one appeals against flags of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppealRule {
    /// Days after the confirmation within which one can, civil.
    pub days: u16,
    /// True: an appeal suspends the flag's effect until it is decided.
    pub suspends: bool,
    /// Milder severities than it is raised with, to which an appeal can amend it; months for which it binds then.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub amends: BTreeMap<Severity, Month>,
}

impl AppealRule {
    /// From this instant on it is too late; the last day still counts.
    pub fn until(&self, confirmed: Timestamp) -> Timestamp {
        confirmed.date().plus_days(i32::from(self.days) + 1).start()
    }
}

/// The sixty days of the law on administrative reconsideration, which does not suspend.
impl Default for AppealRule {
    fn default() -> AppealRule {
        AppealRule {
            days: 60,
            suspends: false,
            amends: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(raw: &str) -> Date {
        raw.parse().unwrap()
    }

    #[test]
    fn windows_end_at_midnight_in_shanghai_after_their_last_day() {
        let ordinary = Window::of_order_36(Severity::Ordinary);
        let from = ordinary.repair_from(day("2026-11-24"));
        assert_eq!(from, day("2027-02-25").start());
        assert_eq!(from.to_string(), "2027-02-24T16:00:00Z");
        assert_eq!(
            ordinary.published_until(day("2026-11-24")),
            Some(day("2027-11-25").start())
        );
    }

    #[test]
    fn windows_are_clamped_to_the_months_end() {
        let ordinary = Window::of_order_36(Severity::Ordinary);
        let serious = Window::of_order_36(Severity::Serious);
        assert_eq!(ordinary.repair_from(day("2026-11-30")), day("2027-03-01").start());
        assert_eq!(ordinary.repair_from(day("2027-11-30")), day("2028-03-01").start());
        assert_eq!(serious.repair_from(day("2028-02-29")), day("2029-03-01").start());
        assert_eq!(
            serious.published_until(day("2028-02-29")),
            Some(day("2031-03-01").start())
        );
    }

    #[test]
    fn a_minor_fault_is_not_published_and_can_be_repaired_at_once() {
        let minor = Window::of_order_36(Severity::Minor);
        assert_eq!(minor.published_until(day("2026-11-24")), None);
        assert_eq!(minor.repair_from(day("2026-11-24")), day("2026-11-24").start());
    }

    #[test]
    fn the_last_day_of_an_appeal_still_counts() {
        let late = day("2026-05-02")
            .start()
            .plus(std::time::Duration::from_secs(86_399));
        let rule = AppealRule::default();
        assert_eq!(rule.until(late), day("2026-07-02").start());
        assert_eq!(rule.until(day("2026-05-02").start()), day("2026-07-02").start());
    }
}
