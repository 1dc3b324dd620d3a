//! The evaluation scheme: versioned data that has been checked, so that the scorer cannot meet a wrong one.
//!
//! Several schemes, and several versions of one, stand side by side; a rating names the one that made it.

mod check;
mod fault;
mod grades;
mod items;
mod procedure;
mod prove;
mod raw;
mod sums;

use std::collections::BTreeMap;
use std::fmt;

use greenstar_kernel::{Code, Date, LocalizedText, Month, Points, Star, Timestamp};
use serde::{Deserialize, Serialize};

use fault::Faults;
pub use fault::{Obstacle, Offset, SchemeFault, SchemeFaults, SchemeProblem};

pub use procedure::{Joint, LEAST_COMMENT, Procedure, Span};

/// Points come in halves where a scheme does not say otherwise.
const STEP: Points = Points::from_milli(500);
/// The best mark of an indicator that is marked and weighted.
pub const FULL_MARK: Points = Points::whole(100);
/// The months that the penalty gate looks back.
pub const PENALTY_MONTHS: Month = Month(24);

/// Names one version of one scheme, e.g. `daxing-green-credit` `2021.1-proposal`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SchemeKey {
    /// The scheme.
    pub id: Code,
    /// Its version: 1 to 40 letters, digits, dots and hyphens.
    pub version: String,
}

impl SchemeKey {
    /// `None` where the version has a character that a resource name cannot carry.
    pub fn new(id: Code, version: &str) -> Option<SchemeKey> {
        let fits = (1..=40).contains(&version.len())
            && version
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        fits.then(|| SchemeKey {
            id,
            version: version.to_owned(),
        })
    }
}

impl fmt::Display for SchemeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.version)
    }
}

/// How a category or item counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Starts from a base that events take away from.
    Deduction,
    /// Starts from nothing; verified achievements add.
    Bonus,
    /// Of a category alone: starts from a base; events take away and achievements add, and only the sum has limits.
    Mixed,
}

/// Who makes a kind of evidence, from the strongest to the weakest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Issuer {
    /// An authority.
    Authority,
    /// A court.
    Court,
    /// A system that measures or tracks.
    System,
    /// A certifier, auditor or insurer.
    ThirdParty,
    /// The firm itself.
    Enterprise,
}

/// The classes of NDRC order 36 (2025).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// 轻微
    Minor,
    /// 一般
    Ordinary,
    /// 严重
    Serious,
}

/// How long a record of a severity is shown to the public; its use in the score is another matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publicity {
    /// The severity's name.
    pub zh: String,
    /// Whether it is shown at all.
    pub publish: bool,
    /// Shown at least so long, counted from the document's date.
    pub min: Month,
    /// Shown at most so long.
    pub max: Month,
}

/// What a kind of paper is called and who issues it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceKind {
    /// E.g. `PEN`.
    pub code: Code,
    /// Its name.
    pub name: LocalizedText,
    /// Who issues it.
    pub issuer: Issuer,
}

/// One of the categories that make up the total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// E.g. `A`.
    pub code: Code,
    /// Its name.
    pub name: LocalizedText,
    /// How it counts.
    pub mode: Mode,
    /// Where it starts.
    pub base: Points,
    /// It never falls below this.
    pub floor: Points,
    /// It never rises above this.
    pub cap: Points,
}

/// One of the (30) items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// E.g. `A08`.
    pub code: Code,
    /// Index of its category.
    pub category: usize,
    /// Its name.
    pub name: LocalizedText,
    /// The name is known from public sources, not proposed.
    pub seed: bool,
    /// The most it adds or takes away.
    pub max: Points,
    /// Kinds of evidence that prove it.
    pub evidence: Vec<Code>,
    /// How it counts.
    pub scoring: Scoring,
}

impl Item {
    /// The most that it gives; nothing if it takes.
    fn gives(&self) -> Points {
        match &self.scoring {
            Scoring::Deduction { .. } => Points::ZERO,
            Scoring::Steps | Scoring::Marks => self.max,
            Scoring::Tiers(tiers) => tiers.last().map(|tier| tier.points).unwrap_or_default(),
        }
    }
}

/// What an item counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scoring {
    /// Events deduct.
    Deduction {
        /// Events that count here.
        rules: Vec<Rule>,
        /// Vetoes that belong to the subject.
        vetoes: Vec<Code>,
    },
    /// The verifier awards 0 to max in steps of 0.5.
    Steps,
    /// The verifier ticks conditions; the highest counts.
    Tiers(Vec<Tier>),
    /// The verifier gives a mark of 0 to 100 in whole points; the item's max is its weight.
    Marks,
}

/// What one kind of event deducts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// E.g. `fine_ordinary`.
    pub event: Code,
    /// For people. A file that does not name it gets its item's name with the code.
    pub title: LocalizedText,
    /// Its class, which sets its publicity.
    pub severity: Severity,
    /// What each event takes away.
    pub points: Points,
    /// How long it counts, from the document's date.
    pub window: Window,
    /// An administrative penalty.
    pub penalty: bool,
    /// Counts for the penalty gate.
    pub gated: bool,
    /// Its rectification stays open until it is confirmed, whatever the recorder says.
    pub rectify: bool,
    /// It takes no points while an agreed plan of rectification that names it runs.
    pub suspendable: bool,
    /// A remark of the scheme's author.
    pub note: Option<String>,
}

/// How long an event counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// So many months from the document's date.
    Months(Month),
    /// To the end of the document's calendar year: every firm starts anew on the first of January.
    CalendarYear,
}

impl Window {
    /// When an event of a document of this date stops to count.
    pub fn end(self, date: Date) -> Timestamp {
        match self {
            Window::Months(months) => date.term_end(months),
            Window::CalendarYear => date.next_year().start(),
        }
    }
}

/// A condition of a tiered item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    /// E.g. `grade_B`.
    pub when: Code,
    /// What it is worth.
    pub points: Points,
}

/// The nth event of a kind within some months counts as another kind instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// What the first ones count as.
    pub from: Code,
    /// What the nth counts as.
    pub to: Code,
    /// From which one on.
    pub nth: usize,
    /// All of them within these months.
    pub within: Month,
}

impl Escalation {
    /// Whether events of a kind are among those that it counts, whichever of the two they were recorded as.
    pub fn covers(&self, kind: &Code) -> bool {
        self.from == *kind || self.to == *kind
    }
}

/// A one-vote veto.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Veto {
    /// E.g. `V08`.
    pub code: Code,
    /// Its name.
    pub name: LocalizedText,
    /// What it does while active.
    pub effect: Effect,
    /// Active at least so long, counted from the document's date.
    pub min: Month,
    /// Whether a repair ends it.
    pub repairable: bool,
    /// Where the veto comes from.
    pub basis: String,
    /// Kinds of evidence that prove it, whatever item names it.
    pub evidence: Vec<Code>,
    /// A remark of the scheme's author.
    pub note: Option<String>,
}

/// What an active veto does to the star.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The state becomes VETOED; the score is computed all the same.
    Strip,
    /// The highest star allowed.
    Cap(Star),
    /// So many stars fewer.
    Drop(u8),
}

/// A star and what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grade {
    /// The star.
    pub star: Star,
    /// What it is called: stars, or whatever the jurisdiction calls its ranks.
    pub name: LocalizedText,
    /// Its colour, where ranks have colours, e.g. `green`.
    pub color: Option<Code>,
    /// Total needed.
    pub min_total: Points,
    /// Points needed in single categories, by the category's index.
    pub min_each: Vec<(usize, Points)>,
    /// Penalties of the last 24 months allowed; `None`: they do not matter.
    pub max_penalties: Option<u32>,
    /// Whether a rectification may still be open.
    pub allows_open_rectification: bool,
}

/// A checked scheme.
#[derive(Clone, Debug)]
pub struct Scheme {
    /// Its name and version.
    pub key: SchemeKey,
    /// GB/T 2260 code of the district it is made for.
    pub district: String,
    /// That district's name.
    pub district_name: LocalizedText,
    /// How often firms are rated anew.
    pub cycle: Month,
    /// The best total.
    pub max_total: Points,
    /// What points are multiples of.
    pub step: Points,
    /// Why bonus points may make up for violations, where the scheme means it so.
    pub offsets: Option<LocalizedText>,
    /// In the file's order.
    pub evidence_kinds: Vec<EvidenceKind>,
    /// In the file's order.
    pub categories: Vec<Category>,
    /// In the file's order.
    pub items: Vec<Item>,
    /// In the file's order.
    pub vetoes: Vec<Veto>,
    /// From the highest star down.
    pub grades: Vec<Grade>,
    /// What "below every star" is called.
    pub below: LocalizedText,
    /// Kinds of event that turn into others when they repeat.
    pub escalations: Vec<Escalation>,
    /// How long a rating is valid.
    pub valid: Month,
    /// Days of the procedure as written, by step.
    pub process_days: BTreeMap<String, String>,
    /// What its rounds go through.
    pub procedure: Procedure,
    publicity: [Publicity; 3],
    rules: BTreeMap<Code, (usize, usize)>,
}

impl Scheme {
    /// Reads and checks a scheme file.
    ///
    /// # Errors
    /// [`SchemeFaults`] names every wrong place.
    pub fn parse(yaml: &str) -> Result<Scheme, SchemeFaults> {
        let file: raw::File = serde_yaml_ng::from_str(yaml).map_err(|error| {
            SchemeFaults(vec![SchemeFault {
                place: match error.location() {
                    Some(location) => format!("line {}, column {}", location.line(), location.column()),
                    None => "file".to_owned(),
                },
                problem: SchemeProblem::Unreadable(error.to_string()),
            }])
        })?;
        check::checked(file)
    }

    /// As [`Scheme::parse`], and proves what no look at a single place shows: every star can be reached, and no bonus
    /// buys back a violation. For a scheme that somebody hands in; a stored one was proved then.
    ///
    /// # Errors
    /// [`SchemeFaults`]
    pub fn proved(yaml: &str) -> Result<Scheme, SchemeFaults> {
        let scheme = Scheme::parse(yaml)?;
        let mut faults = Faults::default();
        prove::prove(&scheme, &mut faults);
        faults.into_result(scheme)
    }

    /// The rule of an event, with its item.
    pub fn rule(&self, event: &Code) -> Option<(&Item, &Rule)> {
        let (item, rule) = self.rules.get(event)?;
        let item = self.items.get(*item)?;
        match &item.scoring {
            Scoring::Deduction { rules, .. } => Some((item, rules.get(*rule)?)),
            Scoring::Steps | Scoring::Tiers(_) | Scoring::Marks => None,
        }
    }

    /// How closely it is made for a district: digits of its own code that the district's begins with. `None`: it is
    /// another district's. A province's scheme covers its districts, the nation's all.
    pub fn covers(&self, district: &str) -> Option<usize> {
        let mut own = self.district.as_str();
        while let Some(wider) = own.strip_suffix("00") {
            own = wider;
        }
        district.starts_with(own).then_some(own.len())
    }

    /// The rank that a star is.
    pub fn grade(&self, star: Star) -> Option<&Grade> {
        self.grades.iter().find(|grade| grade.star == star)
    }

    /// A veto by code.
    pub fn veto(&self, code: &Code) -> Option<&Veto> {
        self.vetoes.iter().find(|veto| veto.code == *code)
    }

    /// Everything that can be recorded: events by item, then vetoes.
    pub fn kinds(&self) -> Vec<Code> {
        let events = self.items.iter().flat_map(|item| match &item.scoring {
            Scoring::Deduction { rules, .. } => rules.as_slice(),
            Scoring::Steps | Scoring::Tiers(_) | Scoring::Marks => &[],
        });
        let events = events.map(|rule| rule.event.clone());
        events
            .chain(self.vetoes.iter().map(|veto| veto.code.clone()))
            .collect()
    }

    /// An item by code.
    pub fn item(&self, code: &Code) -> Option<&Item> {
        self.items.iter().find(|item| item.code == *code)
    }

    /// Who issues a kind of evidence; a kind that the scheme does not know is nobody's.
    pub fn issuer(&self, evidence: &Code) -> Option<Issuer> {
        let mut kinds = self.evidence_kinds.iter();
        kinds.find(|kind| kind.code == *evidence).map(|kind| kind.issuer)
    }

    /// How long records of a severity are shown.
    pub fn publicity(&self, severity: Severity) -> &Publicity {
        let [minor, ordinary, serious] = &self.publicity;
        match severity {
            Severity::Minor => minor,
            Severity::Ordinary => ordinary,
            Severity::Serious => serious,
        }
    }
}
