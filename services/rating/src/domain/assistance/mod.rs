//! Help before judgement, in three steps (三步走): findings and requests for help; the services that a firm is offered; one
//! firm, one plan.

mod plan;
mod progress;
mod refusal;
mod rules;

use greenstar_kernel::{Code, LocalizedText, Officer, Timestamp, Uscc};
use serde::{Deserialize, Serialize};

pub use plan::{
    ApplicationHelp, Ending, Measure, MeasureState, Plan, PlanState, Proof, Recheck, Step, Visit,
};
pub use progress::{Progress, of_cohort};
pub use refusal::AssistanceRefusal;
pub use rules::{Facts, Service, ServiceRules, Urgency};

use super::enterprise::{PolluterClass, uscc_text};
use super::event::Evidence;

/// Enterprises of one cohort.
pub const MAX_MEMBERS: usize = 2_000;

/// A list that a cohort is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CohortList {
    /// 重点排污单位名录
    KeyPolluters,
    /// 日常监管
    DailySupervision,
}

impl CohortList {
    /// Whether an enterprise is on it.
    pub fn holds(self, class: PolluterClass) -> bool {
        match (self, class) {
            (CohortList::DailySupervision, _)
            | (CohortList::KeyPolluters, PolluterClass::Key | PolluterClass::HazardousWasteOperator) => true,
            (CohortList::KeyPolluters, PolluterClass::General) => false,
        }
    }
}

/// Enterprises that are helped together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cohort {
    /// Its id.
    pub id: Code,
    /// Its title.
    pub title: LocalizedText,
    /// Where it was drawn from.
    pub list: CohortList,
    /// When it was drawn.
    pub created_at: Timestamp,
    /// Who drew it.
    pub creator: Officer,
    /// By code.
    pub members: Vec<Member>,
}

/// An enterprise of a cohort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The enterprise.
    #[serde(with = "uscc_text")]
    pub uscc: Uscc,
    /// The street or town that accompanies it.
    pub street: Option<String>,
    /// The officer who accompanies it.
    pub officer: Option<Officer>,
}

/// Everything of the three steps at one enterprise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assistance {
    /// The enterprise.
    #[serde(with = "uscc_text")]
    pub uscc: Uscc,
    /// In order of time.
    pub findings: Vec<Finding>,
    /// In order of time.
    pub requests: Vec<HelpRequest>,
    /// In order of time.
    pub lists: Vec<ServiceList>,
    /// In order of time; at most one is not over.
    pub plans: Vec<Plan>,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// 环保手续
    Procedures,
    /// 治污设施
    Facilities,
    /// 排放情况
    Emissions,
    /// 环境隐患
    HiddenRisks,
}

impl Area {
    /// All of them, as rules name them in order.
    pub const ALL: [Area; 4] = [
        Area::Procedures,
        Area::Facilities,
        Area::Emissions,
        Area::HiddenRisks,
    ];

    /// As rules name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Area::Procedures => "PROCEDURES",
            Area::Facilities => "FACILITIES",
            Area::Emissions => "EMISSIONS",
            Area::HiddenRisks => "HIDDEN_RISKS",
        }
    }
}

/// A photo; its hash says which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Photo {
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// What it shows.
    pub caption: String,
}

/// What proves something: at least one piece or one photo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proofs {
    /// Papers and records.
    pub evidence: Vec<Evidence>,
    /// Photos.
    pub photos: Vec<Photo>,
}

/// What a visit found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its id.
    pub id: Code,
    /// What it is about.
    pub area: Area,
    /// What was found.
    pub text: String,
    /// Code of the site, absent for the whole enterprise.
    pub site: Option<String>,
    /// What proves it.
    pub proofs: Proofs,
    /// Who found it.
    pub by: Officer,
    /// When.
    pub at: Timestamp,
    /// When a plan that names it was closed.
    pub resolved_at: Option<Timestamp>,
}

/// What a firm asks for (帮扶诉求).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelpRequest {
    /// Its id.
    pub id: Code,
    /// What it needs.
    pub text: String,
    /// Who asked, as a principal.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The answer.
    pub answer: Option<Answered>,
}

/// The answer to a request for help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The text.
    pub text: String,
    /// Who answered.
    pub by: Officer,
    /// When.
    pub at: Timestamp,
}

/// The services that a firm is offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceList {
    /// Its id.
    pub id: Code,
    /// Version of the rules.
    pub rules: u32,
    /// What the firm does.
    pub facts: Facts,
    /// The most urgent first.
    pub services: Vec<Service>,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Officer,
}

impl Assistance {
    /// Nothing yet.
    pub fn new(uscc: Uscc) -> Assistance {
        Assistance {
            uscc,
            findings: Vec::new(),
            requests: Vec::new(),
            lists: Vec::new(),
            plans: Vec::new(),
        }
    }

    /// # Errors
    /// [`AssistanceRefusal::PlanUnknown`]
    pub fn plan(&self, id: &Code) -> Result<&Plan, AssistanceRefusal> {
        let mut plans = self.plans.iter();
        plans
            .find(|plan| plan.id == *id)
            .ok_or(AssistanceRefusal::PlanUnknown)
    }

    /// # Errors
    /// As [`Assistance::plan`].
    pub fn plan_mut(&mut self, id: &Code) -> Result<&mut Plan, AssistanceRefusal> {
        let mut plans = self.plans.iter_mut();
        plans
            .find(|plan| plan.id == *id)
            .ok_or(AssistanceRefusal::PlanUnknown)
    }
}
