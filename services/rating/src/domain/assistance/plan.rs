//! One firm, one plan (一企一策): drafted, agreed by the firm, started by another officer, and closed, failed or lapsed.

use greenstar_kernel::{Code, Date, Officer, Timestamp};
use serde::{Deserialize, Serialize};

use super::{AssistanceRefusal, Proofs};

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its id.
    pub id: Code,
    /// What is to be done.
    pub measures: Vec<Measure>,
    /// Its last day.
    pub until: Date,
    /// Who wrote it.
    pub author: Officer,
    /// When.
    pub created_at: Timestamp,
    /// The firm's agreement.
    pub agreed: Option<Step>,
    /// By another officer than the author.
    pub started: Option<Step>,
    /// Closed or failed.
    pub ended: Option<Ending>,
    /// In order of time.
    pub visits: Vec<Visit>,
    /// In order of time.
    pub helps: Vec<ApplicationHelp>,
}

/// Who did something, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The principal.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// How a plan ended before its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Everything was done; else it was given up.
    pub closed: bool,
    /// How, or why.
    pub note: String,
    /// By whom.
    pub by: Officer,
    /// When.
    pub at: Timestamp,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// Its code within the plan.
    pub code: Code,
    /// What is to be done.
    pub text: String,
    /// Who does it.
    pub owner: String,
    /// By when; that day still counts.
    pub due: Date,
    /// Findings that it puts right.
    pub findings: Vec<Code>,
    /// Events that it puts right.
    pub events: Vec<Code>,
    /// In order of time.
    pub proofs: Vec<Proof>,
}

/// A proof that a measure is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What proves it.
    pub proofs: Proofs,
    /// Who handed it in.
    pub submitted: Step,
    /// What another officer made of it.
    pub recheck: Option<Recheck>,
}

/// A second look at a proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recheck {
    /// Done; else open again.
    pub passed: bool,
    /// What was seen.
    pub note: String,
    /// By whom.
    pub by: Officer,
    /// When.
    pub at: Timestamp,
}

/// A visit to the firm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// The day.
    pub date: Date,
    /// What was seen and said.
    pub note: String,
    /// Who visited.
    pub by: Officer,
    /// When it was recorded.
    pub at: Timestamp,
}

/// Help with an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationHelp {
    /// What it was for.
    pub subject: String,
    /// What was done.
    pub note: String,
    /// Who helped.
    pub by: Officer,
    /// When it was recorded.
    pub at: Timestamp,
}

/// How far a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanState {
    /// The firm has not agreed.
    Drafted,
    /// Another officer has not started it.
    Agreed,
    /// It runs.
    Running,
    /// Everything was done.
    Closed,
    /// Given up.
    Failed,
    /// Its last day is over.
    Lapsed,
}

impl PlanState {
    /// As refusals name it.
    pub fn as_str(self) -> &'static str {
        match self {
            PlanState::Drafted => "DRAFTED",
            PlanState::Agreed => "AGREED",
            PlanState::Running => "RUNNING",
            PlanState::Closed => "CLOSED",
            PlanState::Failed => "FAILED",
            PlanState::Lapsed => "LAPSED",
        }
    }

    /// Whether something can still become of it.
    pub fn is_open(self) -> bool {
        match self {
            PlanState::Drafted | PlanState::Agreed | PlanState::Running => true,
            PlanState::Closed | PlanState::Failed | PlanState::Lapsed => false,
        }
    }
}

/// How far a measure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasureState {
    /// To be done.
    Open,
    /// Nobody has looked again.
    Proved,
    /// Re-checked and passed.
    Done,
}

impl MeasureState {
    /// As refusals name it.
    pub fn as_str(self) -> &'static str {
        match self {
            MeasureState::Open => "OPEN",
            MeasureState::Proved => "PROVED",
            MeasureState::Done => "DONE",
        }
    }
}

impl Measure {
    /// How far it is.
    pub fn state(&self) -> MeasureState {
        match self.proofs.last().map(|proof| &proof.recheck) {
            None => MeasureState::Open,
            Some(None) => MeasureState::Proved,
            Some(Some(recheck)) if recheck.passed => MeasureState::Done,
            Some(Some(_)) => MeasureState::Open,
        }
    }

    /// Whether it is past its day and not done.
    pub fn overdue(&self, at: Timestamp) -> bool {
        self.due < at.date() && self.state() != MeasureState::Done
    }

    /// # Errors
    /// [`AssistanceRefusal::MeasureState`]
    pub fn needs(&self, state: MeasureState) -> Result<(), AssistanceRefusal> {
        if self.state() == state {
            return Ok(());
        }
        Err(AssistanceRefusal::MeasureState {
            state: self.state(),
            needed: state,
        })
    }
}

impl Plan {
    /// Points that rest count again from here on.
    pub fn end(&self) -> Timestamp {
        self.until.plus_days(1).start()
    }

    /// How far it is at an instant. A plan that was not closed by its last day has lapsed, whoever forgot it.
    pub fn state(&self, at: Timestamp) -> PlanState {
        match (&self.ended, &self.agreed, &self.started) {
            (Some(ending), _, _) if ending.closed => PlanState::Closed,
            (Some(_), _, _) => PlanState::Failed,
            (None, _, _) if at >= self.end() => PlanState::Lapsed,
            (None, _, Some(_)) => PlanState::Running,
            (None, Some(_), None) => PlanState::Agreed,
            (None, None, None) => PlanState::Drafted,
        }
    }

    /// # Errors
    /// [`AssistanceRefusal::PlanState`]
    pub fn needs(&self, needed: PlanState, at: Timestamp) -> Result<(), AssistanceRefusal> {
        let state = self.state(at);
        if state == needed {
            return Ok(());
        }
        Err(AssistanceRefusal::PlanState {
            state,
            needed: needed.as_str(),
        })
    }

    /// # Errors
    /// [`AssistanceRefusal::MeasureUnknown`]
    pub fn measure_mut(&mut self, code: &Code) -> Result<&mut Measure, AssistanceRefusal> {
        let mut measures = self.measures.iter_mut();
        let found = measures.find(|measure| measure.code == *code);
        found.ok_or(AssistanceRefusal::MeasureUnknown)
    }

    /// Events that any of its measures puts right.
    pub fn events(&self) -> impl Iterator<Item = &Code> {
        self.measures.iter().flat_map(|measure| &measure.events)
    }
}
