//! The evaluation scheme: versioned data that has been checked, so that the scorer cannot meet a wrong one.
//!
//! Several schemes, and several versions of one, stand side by side; a rating names the one that made it.

mod check;
mod items;
mod raw;

use std::collections::BTreeMap;
use std::fmt;

use greenstar_kernel::{Code, LocalizedText, Month, Points, Said, Star};
use serde::{Deserialize, Serialize};

/// Points come in halves.
pub const STEP: Points = Points::from_milli(500);
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
}

/// Who makes a kind of evidence, from the strongest to the weakest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
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
    pub window: Month,
    /// An administrative penalty.
    pub penalty: bool,
    /// Counts for the penalty gate.
    pub gated: bool,
    /// Its rectification stays open until it is confirmed, whatever the recorder says.
    pub rectify: bool,
    /// A remark of the scheme's author.
    pub note: Option<String>,
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
    /// What it is called.
    pub name: LocalizedText,
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
    publicity: [Publicity; 3],
    rules: BTreeMap<Code, (usize, usize)>,
}

impl Scheme {
    /// Reads and checks a scheme file.
    ///
    /// # Errors
    /// [`SchemeError`] names the first wrong place.
    pub fn parse(yaml: &str) -> Result<Scheme, SchemeError> {
        let file: raw::File = serde_yaml_ng::from_str(yaml).map_err(|error| SchemeError {
            place: match error.location() {
                Some(location) => format!("line {}, column {}", location.line(), location.column()),
                None => "file".to_owned(),
            },
            problem: SchemeProblem::Unreadable(error.to_string()),
        })?;
        check::checked(file)
    }

    /// The rule of an event, with its item.
    pub fn rule(&self, event: &Code) -> Option<(&Item, &Rule)> {
        let (item, rule) = self.rules.get(event)?;
        let item = self.items.get(*item)?;
        match &item.scoring {
            Scoring::Deduction { rules, .. } => Some((item, rules.get(*rule)?)),
            Scoring::Steps | Scoring::Tiers(_) => None,
        }
    }

    /// A veto by code.
    pub fn veto(&self, code: &Code) -> Option<&Veto> {
        self.vetoes.iter().find(|veto| veto.code == *code)
    }

    /// An item by code.
    pub fn item(&self, code: &Code) -> Option<&Item> {
        self.items.iter().find(|item| item.code == *code)
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

/// A scheme that cannot be used, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct SchemeError {
    /// E.g. `items[7].rules[2]`, or line and column.
    pub place: String,
    /// What is wrong there.
    pub problem: SchemeProblem,
}

/// What can be wrong with a scheme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemeProblem {
    /// Not YAML, a missing key, an unknown key, or a value of another kind.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// The version would not fit a resource name.
    #[error("a version is 1 to 40 letters, digits, dots and hyphens")]
    Version,
    /// A code stands twice.
    #[error("code {0} is used twice")]
    Duplicate(Code),
    /// A code names nothing in the file.
    #[error("{kind} {code} is not defined in this scheme")]
    Undefined {
        /// What was looked for.
        kind: &'static str,
        /// The code.
        code: Code,
    },
    /// A list that needs an entry has none.
    #[error("must not be empty")]
    Empty,
    /// Not a multiple of a half, or negative.
    #[error("points are multiples of 0.5 and not negative, got {0}")]
    Step(Points),
    /// Outside what its frame allows.
    #[error("{got} is not between {least} and {most}")]
    Range {
        /// What the file says.
        got: String,
        /// The smallest value.
        least: String,
        /// The largest value.
        most: String,
    },
    /// The caps do not add up to the best total.
    #[error("the caps of the categories add up to {0}, not to max_total")]
    Caps(Points),
    /// The item's mode is not its category's, or it has rules where it needs tiers.
    #[error("the mode does not fit the category, or the item has what its mode does not use")]
    Mode,
    /// Stars or tiers not in order.
    #[error("must be listed from {0}")]
    Order(&'static str),
    /// A higher star asks for less than a lower one.
    #[error("a higher star must not be easier to reach than a lower one")]
    Easier,
    /// `stars` and `max_star` do not fit the effect.
    #[error("a cap names max_star, a drop names stars, a strip names neither")]
    Effect,
    /// Something this program does not do.
    #[error("only {0} is supported")]
    Unsupported(&'static str),
}

impl Said for SchemeError {
    fn said(&self) -> LocalizedText {
        let zh = match &self.problem {
            SchemeProblem::Unreadable(detail) => format!("无法读取：{detail}"),
            SchemeProblem::Version => "版本号应为 1 至 40 位字母、数字、点或连字符".to_owned(),
            SchemeProblem::Duplicate(code) => format!("代码 {code} 重复"),
            SchemeProblem::Undefined { code, .. } => format!("代码 {code} 在本办法中没有定义"),
            SchemeProblem::Empty => "不能为空".to_owned(),
            SchemeProblem::Step(points) => format!("分值应为 0.5 的非负整数倍，现为 {points}"),
            SchemeProblem::Range { got, least, most } => format!("{got} 不在 {least} 与 {most} 之间"),
            SchemeProblem::Caps(sum) => format!("各类上限之和为 {sum}，与 max_total 不符"),
            SchemeProblem::Mode => "计分方式与所属类别不符，或含有该方式不用的内容".to_owned(),
            SchemeProblem::Order(order) => format!("排列顺序应为 {order}"),
            SchemeProblem::Easier => "高星级的条件不得低于低星级".to_owned(),
            SchemeProblem::Effect => "cap 须写 max_star，drop 须写 stars，strip 两者均不写".to_owned(),
            SchemeProblem::Unsupported(what) => format!("目前只支持 {what}"),
        };
        LocalizedText::new(
            format!("评价办法有误，位置 {}：{zh}。请更正后重新提交。", self.place),
            format!(
                "The scheme is wrong at {}: {}. Correct it and submit it again.",
                self.place, self.problem
            ),
        )
    }
}
