//! How good the data are: up to when each source is complete, and claims that a datum is wrong.

use greenstar_kernel::{Code, Date, Department, Officer, Timestamp, Uscc, WorkingDays};
use serde::{Deserialize, Serialize};

use super::enterprise::uscc_text;
use super::error::Refusal;
use super::firm::Firm;
use super::scheme::Scheme;

/// A claim is answered within these.
pub const ANSWER_DAYS: WorkingDays = WorkingDays(15);
/// How far behind a source may be that promised nothing else.
const PROMISE_DAYS: u16 = 7;

/// Fields of the register that a claim can be against.
pub const REGISTER: [&str; 5] = ["display_name", "district", "sector", "polluter_class", "sites"];

/// Where data come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceId {
    /// The register of enterprises.
    Register,
    /// What enterprises declare and officers verify.
    Declarations,
    /// The log of the sanctions service.
    Sanctions,
    /// Events that a department records.
    Events(Department),
}

impl SourceId {
    /// `register`, `declarations`, `sanctions` or `events-{department}`; `None`: none of them.
    pub fn parse(raw: &str) -> Option<SourceId> {
        match raw {
            "register" => Some(SourceId::Register),
            "declarations" => Some(SourceId::Declarations),
            "sanctions" => Some(SourceId::Sanctions),
            other => {
                let department = other.strip_prefix("events-")?;
                Department::parse(department).ok().map(SourceId::Events)
            }
        }
    }
}

impl std::fmt::Display for SourceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SourceId::Register => f.write_str("register"),
            SourceId::Declarations => f.write_str("declarations"),
            SourceId::Sanctions => f.write_str("sanctions"),
            SourceId::Events(department) => write!(f, "events-{department}"),
        }
    }
}

/// What a source says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCutoff {
    /// Which.
    pub id: SourceId,
    /// Everything of it up to here is in.
    pub cutoff: Timestamp,
    /// It promises to be at most so far behind.
    pub promise_days: u16,
    /// Who said so last.
    pub by: Officer,
    /// When.
    pub at: Timestamp,
}

/// How fresh a source is, at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Which.
    pub id: SourceId,
    /// Everything of it up to here is in.
    pub cutoff: Option<Timestamp>,
    /// When something of it came in last.
    pub received_at: Option<Timestamp>,
    /// It is further behind than it promised, or nobody has said how far it is.
    pub stale: bool,
}

impl Freshness {
    /// Of a source at an instant.
    pub fn of(
        id: SourceId,
        said: Option<&SourceCutoff>,
        received_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Freshness {
        let promise = said.map_or(PROMISE_DAYS, |said| said.promise_days);
        let cutoff = said.map(|said| said.cutoff);
        let stale = cutoff.is_none_or(|cutoff| cutoff.date().plus_days(i32::from(promise)) < now.date());
        Freshness {
            id,
            cutoff,
            received_at,
            stale,
        }
    }
}

/// The promise that holds when a source says none.
pub fn promise(asked: u16, before: Option<&SourceCutoff>) -> u16 {
    match asked {
        0 => before.map_or(PROMISE_DAYS, |before| before.promise_days),
        days => days,
    }
}

/// What a claim is against, of one enterprise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Datum {
    /// A recorded event.
    Event(Code),
    /// An item of its assessment.
    Item(Code),
    /// A field of the register.
    Register(String),
}

impl Datum {
    /// `events/{event}`, `items/{item}` or `register/{field}`; `None`: none of them.
    pub fn parse(raw: &str) -> Option<Datum> {
        let (kind, id) = raw.split_once('/')?;
        match kind {
            "events" => Code::parse(id).ok().map(Datum::Event),
            "items" => Code::parse(id).ok().map(Datum::Item),
            "register" => REGISTER.contains(&id).then(|| Datum::Register(id.to_owned())),
            _ => None,
        }
    }

    /// Where the datum came from. An item that events deduct in is the rating department's reckoning of them; a bonus
    /// was declared.
    ///
    /// # Errors
    /// [`Refusal::DatumUnknown`]
    pub fn source(&self, firm: &Firm, scheme: Option<&Scheme>) -> Result<SourceId, Refusal> {
        let unknown = || Refusal::DatumUnknown(self.to_string());
        match self {
            Datum::Event(id) => {
                let event = firm.event(id).ok_or_else(unknown)?;
                Ok(SourceId::Events(event.department.clone()))
            }
            Datum::Item(code) => {
                let found = scheme.and_then(|scheme| scheme.item(code));
                found.map(|_| SourceId::Declarations).ok_or_else(unknown)
            }
            Datum::Register(_) => Ok(SourceId::Register),
        }
    }
}

impl std::fmt::Display for Datum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Datum::Event(id) => write!(f, "events/{id}"),
            Datum::Item(code) => write!(f, "items/{code}"),
            Datum::Register(field) => write!(f, "register/{field}"),
        }
    }
}

/// Where a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClaimState {
    /// It waits for an answer.
    Open,
    /// The datum was wrong.
    Accepted,
    /// The datum was right.
    Rejected,
}

impl ClaimState {
    /// As stores write it.
    pub fn as_str(self) -> &'static str {
        match self {
            ClaimState::Open => "OPEN",
            ClaimState::Accepted => "ACCEPTED",
            ClaimState::Rejected => "REJECTED",
        }
    }
}

/// A claim that a datum is wrong. It changes nothing by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataError {
    /// Whose datum.
    #[serde(with = "uscc_text")]
    pub uscc: Uscc,
    /// Its id, made at the edge.
    pub id: Code,
    /// What is claimed to be wrong.
    pub datum: Datum,
    /// Where that came from.
    pub source: SourceId,
    /// What is wrong, and what would be right.
    pub claim: String,
    /// What proves it.
    pub evidence: String,
    /// Who claims it: an officer, or `enterprises/{uscc}`.
    pub reporter: String,
    /// When.
    pub reported_at: Timestamp,
    /// Last day for the answer.
    pub due: Date,
    /// Where it stands.
    pub state: ClaimState,
    /// The answer.
    pub answer: String,
    /// Who answered.
    pub decider: Option<Officer>,
    /// When.
    pub decided_at: Option<Timestamp>,
}

impl DataError {
    /// Whether its last day has passed without an answer.
    pub fn overdue(&self, now: Timestamp) -> bool {
        self.state == ClaimState::Open && now.date() > self.due
    }
}

/// The month of an instant, `YYYY-MM`, Asia/Shanghai.
pub fn month(at: Timestamp) -> String {
    at.date().to_string().chars().take(7).collect()
}
