//! Everything a decision may read about an enterprise. Time is part of it: a star expires, a flag
//! ends and the next transition applies at their instants, without an event (protocol.md §6).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use greenstar_kernel::{Code, Date, Department, Document, LocalizedText, Month, Points, Standing, Timestamp};
use serde::{Deserialize, Serialize};

use super::catalogue::{LegalBasis, Severity};

/// The facts about one enterprise, as a record keeps them. Cheap to clone: nothing is copied but
/// counts of shared parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// False: nobody registered the enterprise; it is treated as any firm was before.
    pub known: bool,
    pub rating: RatingFacts,
    /// GB/T 4754-2017, e.g. `C2710`.
    pub sector: Option<Sector>,
    /// GB/T 2260, e.g. `110115`.
    pub district: Option<District>,
    pub polluter_class: PolluterClass,
    /// Something must still be put right.
    pub open_rectification: bool,
    /// An objection against the rating is open; a marker, never a ground.
    pub objection_open: bool,
    /// Recent events that count, newest first.
    pub events: Arc<[Event]>,
    /// Confirmed flags that were not lifted. Whether one is in force depends on the instant.
    pub flags: Arc<[Flag]>,
}

/// How the enterprise was rated, and what time alone will change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatingFacts {
    pub standing: Standing,
    pub total: Option<Points>,
    /// By category, in the order A to E.
    pub categories: [Option<Points>; 5],
    pub rated_at: Option<Timestamp>,
    /// From this instant on a star is EXPIRED.
    pub valid_until: Option<Timestamp>,
    pub next: Option<Transition>,
    /// `schemes/{scheme}/versions/{version}`; empty if not rated.
    pub scheme: Arc<str>,
    /// Counts up with every change of the rating.
    pub version: u32,
}

/// A change that time brings, e.g. the window of a deduction ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    pub at: Timestamp,
    pub standing: Standing,
    pub total: Option<Points>,
    pub categories: [Option<Points>; 5],
    pub cause: Arc<LocalizedText>,
}

/// A confirmed trust-breaking record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// `enterprises/{uscc}/flags/{flag}`
    pub name: Arc<str>,
    pub kind: Code,
    pub severity: Severity,
    /// Department that raised it.
    pub department: Department,
    /// The only matter it counts in, e.g. a permit kind; `None`: all.
    pub scope: Option<Code>,
    pub document: Document,
    /// On what law it stands.
    pub bases: Arc<[LegalBasis]>,
    /// In force from this instant …
    pub start: Timestamp,
    /// … until before this one; `None`: until it is lifted.
    pub end: Option<Timestamp>,
}

/// An event of the rating that still counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Event or veto code of the scheme.
    pub kind: Code,
    pub severity: Severity,
    /// Of the document.
    pub date: Date,
}

/// How the authorities list an enterprise for its pollution; the heaviest of its lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PolluterClass {
    /// 一般单位; also where nothing is known.
    #[default]
    General,
    /// 重点排污单位
    Key,
    /// 危险废物经营单位: visited every year by rule, whatever its star.
    HazardousWasteOperator,
}

impl PolluterClass {
    pub const ALL: [PolluterClass; 3] = [
        PolluterClass::General,
        PolluterClass::Key,
        PolluterClass::HazardousWasteOperator,
    ];

    /// As written in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            PolluterClass::General => "GENERAL",
            PolluterClass::Key => "KEY",
            PolluterClass::HazardousWasteOperator => "HAZARDOUS_WASTE_OPERATOR",
        }
    }
}

/// The rating as it is at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RatingNow {
    pub standing: Standing,
    pub total: Option<Points>,
    pub categories: [Option<Points>; 5],
}

impl Facts {
    /// What holds for an enterprise that nobody registered.
    pub fn unknown() -> Facts {
        Facts {
            known: false,
            rating: RatingFacts::not_rated(),
            sector: None,
            district: None,
            polluter_class: PolluterClass::General,
            open_rectification: false,
            objection_open: false,
            events: Arc::new([]),
            flags: Arc::new([]),
        }
    }
}

impl RatingFacts {
    pub fn not_rated() -> RatingFacts {
        RatingFacts {
            standing: Standing::NotRated,
            total: None,
            categories: [None; 5],
            rated_at: None,
            valid_until: None,
            next: None,
            scheme: Arc::from(""),
            version: 0,
        }
    }

    /// Applies what time alone has changed. A validity that has ended wins over a star, also over
    /// one that a transition brought.
    pub fn at(&self, as_of: Timestamp) -> RatingNow {
        let mut now = match &self.next {
            Some(next) if next.at <= as_of => RatingNow {
                standing: next.standing,
                total: next.total,
                categories: next.categories,
            },
            Some(_) | None => RatingNow {
                standing: self.standing,
                total: self.total,
                categories: self.categories,
            },
        };
        let ended = self.valid_until.is_some_and(|end| end <= as_of);
        if ended && now.standing.star().is_some() {
            now.standing = Standing::Expired;
        }
        now
    }
}

impl Flag {
    pub fn in_force(&self, as_of: Timestamp) -> bool {
        self.start <= as_of && self.end.is_none_or(|end| as_of < end)
    }

    /// Whether it counts in the matter with this code: a flag with a scope counts there only.
    pub fn counts_in(&self, matter: &Code) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope == matter)
    }
}

impl Event {
    /// Whether `today` lies within a term of `months` from its document; the last day still counts
    /// (protocol.md §4).
    pub fn within(&self, months: Month, today: Date) -> bool {
        today <= self.date.plus_months(months)
    }
}

/// GB/T 4754-2017: a letter and up to four digits.
pub type Sector = ShortCode<5>;
/// GB/T 2260: six digits.
pub type District = ShortCode<6>;

/// Whether a text is shaped as a code of GB/T 4754: a section A to T and up to four digits.
pub(super) fn is_sector(text: &str) -> bool {
    let digits = text.strip_prefix(|first: char| ('A'..='T').contains(&first));
    digits.is_some_and(|digits| digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a text is shaped as a code of GB/T 2260: two digits each for province, city and county.
pub(super) fn is_district(text: &str) -> bool {
    matches!(text.len(), 2 | 4 | 6) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A short ASCII code kept in place, so that facts need no allocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ShortCode<const N: usize>([u8; N]);

/// A text that is no such code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code of 1 to {length} letters or digits is expected: {found:?}")]
pub struct MalformedShortCode {
    found: String,
    length: usize,
}

impl<const N: usize> ShortCode<N> {
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(N);
        // Only ASCII gets in.
        std::str::from_utf8(self.0.get(..length).unwrap_or_default()).unwrap_or_default()
    }
}

impl<const N: usize> FromStr for ShortCode<N> {
    type Err = MalformedShortCode;

    fn from_str(raw: &str) -> Result<Self, MalformedShortCode> {
        let mut code = [0; N];
        match code.get_mut(..raw.len()) {
            Some(slot) if !raw.is_empty() && raw.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                slot.copy_from_slice(raw.as_bytes());
                Ok(ShortCode(code))
            }
            Some(_) | None => Err(MalformedShortCode {
                found: raw.chars().take(16).collect(),
                length: N,
            }),
        }
    }
}

impl<const N: usize> TryFrom<String> for ShortCode<N> {
    type Error = MalformedShortCode;

    fn try_from(raw: String) -> Result<Self, MalformedShortCode> {
        raw.parse()
    }
}

impl<const N: usize> From<ShortCode<N>> for String {
    fn from(code: ShortCode<N>) -> String {
        code.as_str().to_owned()
    }
}

impl<const N: usize> fmt::Debug for ShortCode<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShortCode({})", self.as_str())
    }
}

impl<const N: usize> fmt::Display for ShortCode<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
