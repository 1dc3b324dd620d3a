//! Made-up enterprises for what goes through a view, the same in every run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use greenstar_kernel::{
    Code, Department, Document, LocalizedText, Points, RatingState, Standing, Star, Timestamp, Uscc,
};
use greenstar_sanctions::domain::catalogue::SHIPPED;
use greenstar_supervision_policy::domain::catalogue::{Catalogue, LegalBasis, Severity};
use greenstar_supervision_policy::domain::facts::{
    Event, Facts, Flag, PolluterClass, RatingFacts, Transition,
};
use greenstar_supervision_policy::yardstick::Yard;

use crate::flags::firm;

/// The kinds of flag that are raised, most of them of the first.
const KINDS: [(&str, Severity); 4] = [
    ("ordinary-penalty", Severity::Ordinary),
    ("ordinary-penalty", Severity::Ordinary),
    ("serious-penalty", Severity::Serious),
    ("complaint-verified", Severity::Minor),
];
/// Nanoseconds of a day are not needed; seconds are.
const DAY: u64 = 86_400;

/// Who is there.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    /// Enterprises, at most a million.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub(crate) enterprises: u32,
    /// Of a thousand enterprises, so many have a flag in force.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub(crate) flagged_per_mille: u32,
    /// Of a thousand enterprises, so many have an event that counts at the rating.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub(crate) events_per_mille: u32,
}

/// Makes them.
#[derive(Debug)]
pub(crate) struct People {
    pub(crate) options: Options,
    now: Timestamp,
    cause: Arc<LocalizedText>,
    scheme: Arc<str>,
    complaint: Code,
    kinds: BTreeMap<&'static str, (Code, Arc<[LegalBasis]>)>,
    department: Department,
}

impl People {
    pub(crate) fn new(options: Options, now: Timestamp) -> anyhow::Result<People> {
        let catalogue = Catalogue::from_yaml(SHIPPED)?;
        let mut kinds = BTreeMap::new();
        for (code, _) in KINDS {
            let known = catalogue
                .flag_kinds()
                .iter()
                .find(|kind| kind.code.as_str() == code);
            let bases = known
                .context("the shipped catalogue has no such kind")?
                .bases
                .iter();
            let bases: Arc<[LegalBasis]> = bases
                .filter_map(|basis| catalogue.basis(basis))
                .cloned()
                .collect();
            kinds.insert(code, (Code::parse(code)?, bases));
        }
        Ok(People {
            options,
            now,
            cause: Arc::new(LocalizedText::new("星级有效期届满", "the star's validity ends")),
            scheme: "schemes/daxing/versions/1".into(),
            complaint: Code::parse("complaint_verified_minor")?,
            kinds,
            department: Department::parse("enforcement")?,
        })
    }

    /// An empty yard of the same time.
    pub(crate) fn yard(&self) -> anyhow::Result<Yard> {
        Ok(Yard::new(SHIPPED, self.now)?)
    }

    /// Everybody.
    pub(crate) fn all(&self) -> anyhow::Result<Vec<Uscc>> {
        (0..self.options.enterprises).map(firm).collect()
    }

    /// What is known of number so and so.
    pub(crate) fn facts(&self, number: u32) -> Facts {
        // Neighbours are no likes: 7,919 is a prime.
        let draw = number.wrapping_mul(7_919) % 1_000;
        let star = match draw {
            0..50 => Some(5),
            50..350 => Some(4),
            350..600 => Some(3),
            600..700 => Some(2),
            700..730 => Some(1),
            _ => None,
        };
        let star = star.and_then(|rank: i64| Star::try_from(rank).ok());
        let standing = match (star, draw) {
            (Some(star), _) => Standing::Rated(star),
            (None, 730..750) => without_star(RatingState::Vetoed),
            (None, 750..850) => without_star(RatingState::NotListed),
            (None, _) => without_star(RatingState::NotRated),
        };
        let rated = draw < 850;
        let points = |most: i64| rated.then(|| Points::from_milli(most * i64::from(draw) + 17));
        let valid_until = rated.then(|| {
            self.now
                .plus(Duration::from_secs(DAY * u64::from(100 + number % 300)))
        });
        let (total, categories) = (points(100), [40, 30, 15, 10, 5].map(points));
        let rating = RatingFacts {
            standing,
            total,
            categories,
            rated_at: rated.then(|| self.before(30 + number % 400)),
            valid_until,
            next: valid_until.filter(|_| star.is_some()).map(|at| Transition {
                at,
                standing: Standing::Expired,
                total,
                categories,
                cause: self.cause.clone(),
            }),
            scheme: self.scheme.clone(),
            version: number % 9,
        };
        let eventful = number.wrapping_mul(31) % 1_000 < self.options.events_per_mille;
        let events = eventful.then(|| Event {
            kind: self.complaint.clone(),
            severity: Severity::Minor,
            date: self.before(number % 500).date(),
        });
        Facts {
            known: true,
            rating,
            sector: format!("C{}", 1_300 + number % 60 * 10).parse().ok(),
            district: format!("1101{:02}", 1 + number % 17).parse().ok(),
            polluter_class: match number % 100 {
                0..6 => PolluterClass::Key,
                6 => PolluterClass::HazardousWasteOperator,
                _ => PolluterClass::General,
            },
            open_rectification: number % 50 == 3,
            events: events.into_iter().collect(),
            ..Facts::unknown()
        }
    }

    /// The flag of number so and so, if it has one.
    pub(crate) fn flag(&self, number: u32, uscc: &Uscc) -> Option<Flag> {
        if number.wrapping_mul(613) % 1_000 >= self.options.flagged_per_mille {
            return None;
        }
        let (kind, severity) = KINDS.into_iter().cycle().nth((number % 97) as usize)?;
        let (kind, bases) = self.kinds.get(kind)?;
        let date = self.before(10 + number % 200).date();
        let id = format!("0198f7d0-0000-7000-8000-0000{number:08x}");
        Some(Flag {
            name: format!("enterprises/{uscc}/flags/{id}").into(),
            kind: kind.clone(),
            severity,
            department: self.department.clone(),
            scope: None,
            document: Document {
                issuer: format!("北京市第{}生态环境局", number % 17),
                number: format!("京环罚〔2026〕{number}号"),
                date,
            },
            bases: bases.clone(),
            start: date.start(),
            end: Some(date.start().plus(Duration::from_secs(DAY * 365))),
        })
    }

    fn before(&self, days: u32) -> Timestamp {
        let micros = i64::from(days) * 86_400_000_000;
        Timestamp::from_micros(self.now.micros() - micros)
    }
}

fn without_star(state: RatingState) -> Standing {
    Standing::from_parts(state, None).unwrap_or(Standing::NotRated)
}
