//! How far a cohort is: as a whole, by street, by officer.

use std::collections::BTreeMap;

use greenstar_kernel::{Timestamp, Uscc};

use super::{Assistance, Cohort, MeasureState, PlanState};

/// Figures of a group of enterprises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Enterprises.
    pub enterprises: u32,
    /// Enterprises with a finding.
    pub examined: u32,
    /// Findings.
    pub findings: u32,
    /// Findings that were put right.
    pub findings_resolved: u32,
    /// Requests for help.
    pub requests: u32,
    /// Requests that were answered.
    pub requests_answered: u32,
    /// Enterprises with a service list.
    pub listed: u32,
    /// Enterprises with a plan that was agreed.
    pub planned: u32,
    /// Plans that run.
    pub running: u32,
    /// Plans that were closed.
    pub closed: u32,
    /// Plans that failed or lapsed.
    pub failed: u32,
    /// Measures of plans that were agreed.
    pub measures: u32,
    /// Measures that were done.
    pub measures_done: u32,
    /// Measures of running plans that are overdue.
    pub overdue: u32,
}

impl Progress {
    fn add(&mut self, assistance: Option<&Assistance>, at: Timestamp) {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        self.enterprises += 1;
        let Some(one) = assistance else { return };
        self.examined += u32::from(!one.findings.is_empty());
        self.findings += count(one.findings.len());
        let resolved = one
            .findings
            .iter()
            .filter(|finding| finding.resolved_at.is_some());
        self.findings_resolved += count(resolved.count());
        self.requests += count(one.requests.len());
        let answered = one.requests.iter().filter(|request| request.answer.is_some());
        self.requests_answered += count(answered.count());
        self.listed += u32::from(!one.lists.is_empty());
        let agreed = || one.plans.iter().filter(|plan| plan.agreed.is_some());
        self.planned += u32::from(agreed().next().is_some());
        for plan in agreed() {
            let state = plan.state(at);
            match state {
                PlanState::Running => self.running += 1,
                PlanState::Closed => self.closed += 1,
                PlanState::Failed | PlanState::Lapsed => self.failed += 1,
                PlanState::Drafted | PlanState::Agreed => {}
            }
            self.measures += count(plan.measures.len());
            let done = plan
                .measures
                .iter()
                .filter(|measure| measure.state() == MeasureState::Done);
            self.measures_done += count(done.count());
            if state == PlanState::Running {
                self.overdue += count(plan.measures.iter().filter(|measure| measure.overdue(at)).count());
            }
        }
    }
}

/// The whole cohort, then by street and by officer; those that nobody is assigned stand under the empty name.
pub fn of_cohort(
    cohort: &Cohort,
    all: &BTreeMap<Uscc, Assistance>,
    at: Timestamp,
) -> (Progress, BTreeMap<String, Progress>, BTreeMap<String, Progress>) {
    let (mut total, mut streets, mut officers) = (Progress::default(), BTreeMap::new(), BTreeMap::new());
    for member in &cohort.members {
        let assistance = all.get(&member.uscc);
        let street = member.street.clone().unwrap_or_default();
        let officer = member.officer.as_ref().map(|officer| officer.0.clone());
        total.add(assistance, at);
        let street: &mut Progress = streets.entry(street).or_default();
        street.add(assistance, at);
        let officer: &mut Progress = officers.entry(officer.unwrap_or_default()).or_default();
        officer.add(assistance, at);
    }
    (total, streets, officers)
}
