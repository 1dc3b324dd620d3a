//! Instants, civil dates and terms. Terms are counted in Asia/Shanghai.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::civil;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Microseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_micros(micros: i64) -> Timestamp {
        Timestamp(micros)
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The civil day in Asia/Shanghai.
    pub fn date(self) -> Date {
        let instant = jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Date(instant.to_zoned_datetime(shanghai()).date())
    }

    #[must_use]
    pub fn plus(self, span: Duration) -> Timestamp {
        Timestamp(
            self.0
                .saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// Time since `earlier`; zero if that lies ahead.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// RFC 3339 in UTC.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => instant.fmt(f),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

/// China has had one zone and no daylight saving since 1992, so no zone table is needed.
pub fn shanghai() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(8))
}

/// A number of months, as terms and windows are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Month(pub u16);

/// A civil day in Asia/Shanghai, as documents are dated: `2026-03-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date(civil::Date);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a date is written YYYY-MM-DD, between 1970 and 2200: {0:?}")]
pub struct MalformedDate(pub String);

impl Date {
    pub fn new(year: i16, month: i8, day: i8) -> Option<Date> {
        let date = civil::Date::new(year, month, day).ok()?;
        (1970..=2200).contains(&date.year()).then_some(Date(date))
    }

    /// 00:00 Asia/Shanghai of this day.
    pub fn start(self) -> Timestamp {
        match self.0.to_zoned_datetime(shanghai()) {
            Ok(zoned) => Timestamp(zoned.timestamp().as_microsecond()),
            Err(_) => Timestamp(i64::MAX),
        }
    }

    #[must_use]
    pub fn plus_days(self, days: i32) -> Date {
        Date(self.0.saturating_add(jiff::Span::new().days(days)))
    }

    /// The same day `months` later, clamped to the month's end.
    #[must_use]
    pub fn plus_months(self, months: Month) -> Date {
        Date(
            self.0
                .saturating_add(jiff::Span::new().months(i32::from(months.0))),
        )
    }

    #[must_use]
    pub fn minus_months(self, months: Month) -> Date {
        Date(
            self.0
                .saturating_sub(jiff::Span::new().months(i32::from(months.0))),
        )
    }

    /// The first of January after this day.
    #[must_use]
    pub fn next_year(self) -> Date {
        let next = civil::Date::new(self.0.year().saturating_add(1), 1, 1);
        next.map_or(self, Date)
    }

    /// When a term of `months`, counted from a document of this date, ends: 00:00 of the
    /// day after date + months (protocol.md §4). The last day still counts.
    pub fn term_end(self, months: Month) -> Timestamp {
        self.plus_months(months).plus_days(1).start()
    }

    /// Year, month and day.
    pub(crate) fn parts(self) -> (i16, i8, i8) {
        (self.0.year(), self.0.month(), self.0.day())
    }

    /// Saturday or Sunday.
    pub(crate) fn is_weekend(self) -> bool {
        matches!(
            self.0.weekday(),
            civil::Weekday::Saturday | civil::Weekday::Sunday
        )
    }

    /// Days since 1970-01-01.
    pub fn days(self) -> i32 {
        (self.0 - civil::date(1970, 1, 1)).get_days()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Date {
    type Err = MalformedDate;

    fn from_str(raw: &str) -> Result<Self, MalformedDate> {
        let malformed = || MalformedDate(raw.chars().take(32).collect());
        if raw.len() != 10 {
            return Err(malformed());
        }
        let date: civil::Date = raw.parse().map_err(|_| malformed())?;
        if (1970..=2200).contains(&date.year()) {
            Ok(Date(date))
        } else {
            Err(malformed())
        }
    }
}

impl TryFrom<String> for Date {
    type Error = MalformedDate;

    fn try_from(raw: String) -> Result<Self, MalformedDate> {
        raw.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> String {
        date.to_string()
    }
}

/// The only source of time: domains are handed an instant, edges hold one of these.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    fn now(&self) -> Timestamp;

    /// Never goes backwards, has no meaning but in differences.
    fn monotonic(&self) -> Duration;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    pub fn new() -> SystemClock {
        SystemClock {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_microsecond())
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that stands until it is moved, for tests and replays.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
    started: i64,
}

impl ManualClock {
    pub fn at(now: Timestamp) -> ManualClock {
        ManualClock {
            now: AtomicI64::new(now.0),
            started: now.0,
        }
    }

    pub fn set(&self, now: Timestamp) {
        self.now.store(now.0, Ordering::SeqCst);
    }

    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(
            i64::try_from(by.as_micros()).unwrap_or(i64::MAX),
            Ordering::SeqCst,
        );
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        self.now().since(Timestamp(self.started))
    }
}

/// Hands out instants that never run backwards, from a clock that may (protocol.md §4). Shared without a lock.
#[derive(Debug)]
pub struct Ratchet(AtomicI64);

impl Ratchet {
    /// So far it may be ahead of a clock that counts as known. Beyond, nobody knows the time, and unknown is
    /// never clear (P10): what rests on an instant is not to be trusted until the clock has caught up.
    pub const SLACK: Duration = Duration::from_secs(1);

    /// One that has handed out nothing.
    pub const fn new() -> Ratchet {
        Ratchet(AtomicI64::new(i64::MIN))
    }

    /// The later of `now` and every instant that was handed out before. Not for a clock that is unknown: one
    /// look at a clock a day ahead would hold all later instants there.
    pub fn advance(&self, now: Timestamp) -> Timestamp {
        let before = self.0.fetch_max(now.0, Ordering::SeqCst);
        Timestamp(before.max(now.0))
    }

    /// The last instant that was handed out, or `now` if none was. Moves nothing: for while the clock is unknown.
    pub fn held(&self, now: Timestamp) -> Timestamp {
        match self.0.load(Ordering::SeqCst) {
            i64::MIN => now,
            last => Timestamp(last),
        }
    }

    /// How far what was handed out lies ahead of `now`; zero if it does not.
    pub fn ahead_of(&self, now: Timestamp) -> Duration {
        self.held(now).since(now)
    }
}

impl Default for Ratchet {
    fn default() -> Ratchet {
        Ratchet::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratchet_never_runs_backwards_and_says_how_far_it_is_ahead() {
        let (ratchet, noon) = (Ratchet::new(), date("2026-11-24").start());
        let day = Duration::from_secs(86_400);
        assert_eq!(ratchet.held(noon), noon);
        assert_eq!(ratchet.ahead_of(noon), Duration::ZERO);
        assert_eq!(ratchet.advance(noon.plus(day)), noon.plus(day));
        assert_eq!(ratchet.advance(noon), noon.plus(day));
        assert_eq!(ratchet.ahead_of(noon), day);
        assert_eq!(ratchet.ahead_of(noon.plus(day * 2)), Duration::ZERO);
    }

    #[test]
    fn a_look_through_an_unknown_clock_moves_no_ratchet() {
        let (ratchet, noon) = (Ratchet::new(), date("2026-11-24").start());
        ratchet.advance(noon);
        assert_eq!(ratchet.held(noon.plus(Duration::from_secs(86_400))), noon);
        assert_eq!(ratchet.ahead_of(noon), Duration::ZERO);
    }

    fn date(raw: &str) -> Date {
        raw.parse().unwrap()
    }

    #[test]
    fn a_term_ends_at_midnight_after_its_last_day_in_shanghai() {
        // 00:00 +08:00 on 2026-04-16 is 16:00 UTC the day before.
        assert_eq!(
            date("2026-01-15").term_end(Month(3)).to_string(),
            "2026-04-15T16:00:00Z"
        );
    }

    #[test]
    fn a_term_is_clamped_to_the_months_end() {
        assert_eq!(date("2026-11-30").plus_months(Month(3)), date("2027-02-28"));
        assert_eq!(date("2027-11-30").plus_months(Month(3)), date("2028-02-29"));
        assert_eq!(date("2026-08-31").term_end(Month(1)), date("2026-10-01").start());
    }

    #[test]
    fn a_day_in_shanghai_starts_eight_hours_early() {
        assert_eq!(Timestamp::from_micros(0).date(), date("1970-01-01"));
        let late = date("2026-05-02").start();
        assert_eq!(late.date(), date("2026-05-02"));
        assert_eq!(
            Timestamp::from_micros(late.micros() - 1).date(),
            date("2026-05-01")
        );
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for raw in [
            "",
            "2026-02-30",
            "26-01-01",
            "2026-1-1",
            "2026-01-01T00",
            "1969-12-31",
            "２０２６-01-0",
        ] {
            assert!(raw.parse::<Date>().is_err(), "{raw}");
        }
    }
}
