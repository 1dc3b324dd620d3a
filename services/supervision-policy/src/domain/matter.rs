//! A matter: what a department decides on, as data.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use greenstar_kernel::{Code, Date, Department, LocalizedText, Points, Said};
use greenstar_tables::{Column, ColumnKind, Table, Value};
use serde::{Deserialize, Serialize};

/// How severe an outcome is for the jurisdiction, whatever a department calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    Favour,
    Neutral,
    Watch,
    Restrict,
    Bar,
}

impl Level {
    /// Mildest first.
    pub const ALL: [Level; 5] = [
        Level::Favour,
        Level::Neutral,
        Level::Watch,
        Level::Restrict,
        Level::Bar,
    ];

    /// As written in the baseline.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Favour => "FAVOUR",
            Level::Neutral => "NEUTRAL",
            Level::Watch => "WATCH",
            Level::Restrict => "RESTRICT",
            Level::Bar => "BAR",
        }
    }
}

/// One of a matter's answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub code: Code,
    pub title: LocalizedText,
    pub level: Level,
    /// The catalogue's measure that carries it: position there. Set above NEUTRAL, and only there.
    pub(super) carrier: Option<usize>,
    /// What at least goes with it, also where the baseline raised a milder answer to it.
    pub(super) floor: Vec<greenstar_tables::MeasureUse>,
}

/// What a matter does when the view is older than its bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnStale {
    Refuse,
    #[default]
    ManualReview,
    AllowWithCaveat,
}

/// How its decisions are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordMode {
    #[default]
    Durable,
    /// Also in the database before the answer leaves, so that not even the loss of the replica's disk loses it. No
    /// answer while the database does not answer.
    Store,
    /// For what nobody acts on.
    Sampled,
}

/// How an answer is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handling {
    /// The view was fresh enough.
    Fresh,
    /// Nobody decided; an officer has to. The outcome is the one to assume meanwhile.
    ManualReview,
    /// The answer stands, with the remark that its data may be old.
    Caveat,
}

/// The view is older than the matter allows, and the matter refuses to answer then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the data is older than this matter allows; ask again in a moment")]
pub struct Stale {
    /// `None`: nobody can say how old.
    pub age: Option<Duration>,
    pub bound: Duration,
}

impl Said for Stale {
    fn said(&self) -> LocalizedText {
        LocalizedText::new("数据的时效超过本事项允许的范围，请稍后重试", self.to_string())
    }
}

/// The loosest bound of staleness that a matter may have. Replicas promise their sources to answer nothing from an
/// older view as if it were fresh (protocol.md §5), and a policy takes effect no sooner than this after its
/// commit (§3). Who can do with older answers says so by `on_stale: allow_with_caveat`.
pub const MAX_STALENESS: Duration = Duration::from_secs(5);

/// A matter of a department, with its table compiled.
#[derive(Clone, Debug)]
pub struct Matter {
    pub(super) department: Department,
    pub(super) code: Code,
    pub(super) title: LocalizedText,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) neutral: usize,
    /// The same, so that there is always an answer.
    pub(super) neutral_outcome: Outcome,
    pub(super) arguments: Vec<ArgumentDecl>,
    pub(super) on_stale: OnStale,
    pub(super) max_staleness: Duration,
    pub(super) record: RecordMode,
    pub(super) retention_days: Option<u32>,
    pub(super) table: Option<Table>,
    /// What brings an inspector at any time; only of an inspection regime.
    pub(super) triggers: Option<Table>,
    /// One code a row of the triggers.
    pub(super) trigger_codes: Vec<String>,
    /// `{policy}@{version}` of the document that it comes from.
    pub(super) policy: String,
}

impl Matter {
    pub fn department(&self) -> &Department {
        &self.department
    }

    pub fn code(&self) -> &Code {
        &self.code
    }

    /// `departments/{department}/matters/{matter}`
    pub fn name(&self) -> String {
        format!("departments/{}/matters/{}", self.department, self.code)
    }

    pub fn title(&self) -> &LocalizedText {
        &self.title
    }

    /// Mildest to most severe.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// By position; the neutral one beyond the last.
    pub(super) fn outcome(&self, position: usize) -> &Outcome {
        self.outcomes.get(position).unwrap_or(&self.neutral_outcome)
    }

    pub fn on_stale(&self) -> OnStale {
        self.on_stale
    }

    pub fn max_staleness(&self) -> Duration {
        self.max_staleness
    }

    pub fn record(&self) -> RecordMode {
        self.record
    }

    /// For how many days a decision is kept after its own; `None`: for ever.
    pub fn retention_days(&self) -> Option<u32> {
        self.retention_days
    }

    /// Whether the department has published a table for it; without one the answer is neutral,
    /// raised by the baseline.
    pub fn has_table(&self) -> bool {
        self.table.is_some()
    }

    /// `{policy}@{version}` of the document that declares it.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// How old a view may be. A caller's own limit can only narrow the matter's.
    pub fn bound(&self, limit: Option<Duration>) -> Duration {
        limit.map_or(self.max_staleness, |limit| limit.min(self.max_staleness))
    }

    /// How to answer from a view of this age (`None`: nobody can say how old it is).
    pub fn handling(&self, age: Option<Duration>, limit: Option<Duration>) -> Result<Handling, Stale> {
        let bound = self.bound(limit);
        if age.is_some_and(|age| age <= bound) {
            return Ok(Handling::Fresh);
        }
        match self.on_stale {
            OnStale::Refuse => Err(Stale { age, bound }),
            OnStale::ManualReview => Ok(Handling::ManualReview),
            // Unknown is never clear (P10): a caveat needs an age to name.
            OnStale::AllowWithCaveat if age.is_none() => Ok(Handling::ManualReview),
            OnStale::AllowWithCaveat => Ok(Handling::Caveat),
        }
    }

    /// Reads the caller's arguments by their declarations.
    pub fn parse_arguments<'r>(
        &self,
        given: impl Iterator<Item = (&'r str, &'r str)>,
    ) -> Result<Arguments, ArgumentError> {
        self.read_arguments(given, false)
    }

    /// Reads arguments as [`Matter::mask`] left them.
    ///
    /// # Errors
    /// They were recorded by other declarations.
    pub fn recorded_arguments<'r>(
        &self,
        given: impl Iterator<Item = (&'r str, &'r str)>,
    ) -> Result<Arguments, ArgumentError> {
        self.read_arguments(given, true)
    }

    /// The caller's arguments as they may be recorded: what is masked says only that it was given.
    pub fn mask<'a>(&self, given: &'a BTreeMap<String, String>) -> Cow<'a, BTreeMap<String, String>> {
        let mut given = Cow::Borrowed(given);
        for declared in self.arguments.iter().filter(|declared| declared.masked) {
            let name = declared.name.as_str();
            if given.contains_key(name) {
                given.to_mut().insert(name.to_owned(), MASK.to_owned());
            }
        }
        given
    }

    fn read_arguments<'r>(
        &self,
        given: impl Iterator<Item = (&'r str, &'r str)>,
        recorded: bool,
    ) -> Result<Arguments, ArgumentError> {
        let mut values = vec![None; self.arguments.len()];
        for (name, raw) in given {
            let found = self
                .arguments
                .iter()
                .zip(&mut values)
                .find(|(declared, _)| declared.name.as_str() == name);
            let Some((declared, slot)) = found else {
                return Err(ArgumentError::Unknown(name.chars().take(64).collect()));
            };
            if !(recorded && declared.masked) {
                *slot = Some(declared.read(raw)?);
            }
        }
        for (declared, value) in self.arguments.iter().zip(&values) {
            if declared.required && value.is_none() && !(recorded && declared.masked) {
                return Err(ArgumentError::Missing(declared.name.clone()));
            }
        }
        // Tables see the others only, so that nothing depends on what is not recorded.
        if self.arguments.iter().any(|declared| declared.masked) {
            let all = self.arguments.iter().zip(values);
            values = all
                .filter(|(declared, _)| !declared.masked)
                .map(|(_, value)| value)
                .collect();
        }
        Ok(Arguments(values))
    }
}

/// Stands in a record where an argument was given that is not to be kept.
const MASK: &str = "***";

/// An argument that a matter takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArgumentDecl {
    pub name: Code,
    pub title: LocalizedText,
    pub kind: ArgumentKind,
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// True: its value is not recorded, e.g. a name or a telephone number. No table may test it (protocol.md §8).
    #[serde(default, skip_serializing_if = "is_false")]
    pub masked: bool,
}

pub(super) fn is_false(value: &bool) -> bool {
    !value
}

/// What an argument may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ArgumentKind {
    Boolean,
    Integer { min: i64, max: i64 },
    Points { min: Points, max: Points },
    Date { min: Date, max: Date },
    Choice { values: Vec<String> },
}

/// Arguments that fit the matter they were read for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments(Vec<Option<ArgumentValue>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ArgumentValue {
    Boolean(bool),
    Ordered(i64),
    Choice(u16),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    #[error("the matter takes no argument {0:?}; leave it out")]
    Unknown(String),
    #[error("the matter needs the argument {0}")]
    Missing(Code),
    #[error("argument {name} must be {expected}")]
    Malformed { name: Code, expected: String },
}

impl Said for ArgumentError {
    fn said(&self) -> LocalizedText {
        let zh = match self {
            ArgumentError::Unknown(name) => format!("本事项没有参数“{name}”，请去掉"),
            ArgumentError::Missing(name) => format!("本事项缺少必填参数 {name}"),
            ArgumentError::Malformed { name, expected } => format!("参数 {name} 的取值应为 {expected}"),
        };
        LocalizedText::new(zh, self.to_string())
    }
}

/// The arguments that tables may test, as columns in their order: nothing may depend on what is not recorded.
pub(super) fn argument_columns(arguments: &[ArgumentDecl]) -> impl Iterator<Item = Column> {
    let readable = arguments.iter().filter(|argument| !argument.masked);
    readable.map(ArgumentDecl::column)
}

impl ArgumentDecl {
    /// As a column of a table.
    pub(crate) fn column(&self) -> Column {
        let kind = match &self.kind {
            ArgumentKind::Boolean => ColumnKind::Boolean,
            ArgumentKind::Integer { min, max } => ColumnKind::Integer { min: *min, max: *max },
            ArgumentKind::Points { min, max } => ColumnKind::Points { min: *min, max: *max },
            ArgumentKind::Date { min, max } => ColumnKind::Date { min: *min, max: *max },
            ArgumentKind::Choice { values } => ColumnKind::Choice {
                values: values.clone(),
            },
        };
        Column {
            name: self.name.as_str().to_owned(),
            kind,
            optional: !self.required,
        }
    }

    fn read(&self, raw: &str) -> Result<ArgumentValue, ArgumentError> {
        let (value, expected) = match &self.kind {
            ArgumentKind::Boolean => (
                raw.parse().ok().map(ArgumentValue::Boolean),
                "true / false".to_owned(),
            ),
            ArgumentKind::Integer { min, max } => {
                let value = raw.parse().ok().filter(|value| (min..=max).contains(&value));
                (value.map(ArgumentValue::Ordered), format!("{min} .. {max}"))
            }
            ArgumentKind::Points { min, max } => {
                let value = raw
                    .parse::<Points>()
                    .ok()
                    .filter(|value| (min..=max).contains(&value));
                (
                    value.map(|value| ArgumentValue::Ordered(value.milli())),
                    format!("{min} .. {max}"),
                )
            }
            ArgumentKind::Date { min, max } => {
                let value = raw
                    .parse::<Date>()
                    .ok()
                    .filter(|value| (min..=max).contains(&value));
                (
                    value.map(|value| ArgumentValue::Ordered(i64::from(value.days()))),
                    format!("{min} .. {max}"),
                )
            }
            ArgumentKind::Choice { values } => {
                let position = values.iter().position(|value| value == raw);
                let position = position.and_then(|position| u16::try_from(position).ok());
                (position.map(ArgumentValue::Choice), values.join(" / "))
            }
        };
        value.ok_or_else(|| ArgumentError::Malformed {
            name: self.name.clone(),
            expected,
        })
    }
}

impl Arguments {
    /// Of a matter that takes none.
    pub const NONE: Arguments = Arguments(Vec::new());

    pub(super) fn value(&self, position: usize) -> Value<'static> {
        match self.0.get(position).copied().flatten() {
            Some(ArgumentValue::Boolean(value)) => Value::Boolean(value),
            Some(ArgumentValue::Ordered(value)) => Value::Ordered(value),
            Some(ArgumentValue::Choice(value)) => Value::Choice(value),
            None => Value::Absent,
        }
    }
}
