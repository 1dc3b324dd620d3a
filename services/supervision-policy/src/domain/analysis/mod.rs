//! What a policy does to whom, found exactly and shown by counterexamples before it is published: unfairness in the
//! composed outcome (P8), measures that the law never carries (P6), other departments' answers, and the policy's own
//! cases. Gaps and contradictions inside one table are the tables' own business.

mod axes;
mod cases;
mod composed;
pub mod diff;
mod example;
pub(super) mod facts;
mod finding;
mod flags;
mod law;
mod pairs;
mod space;
mod study;

use greenstar_kernel::{Code, Timestamp};

use super::document::{BASELINE, PolicySource};
use super::matter::Matter;
use super::policy::{Policy, PolicyDefect, PolicyError, PolicyErrors};

pub use cases::{CaseResult, Coverage};
pub use finding::{Example, Finding, FindingKind};

use study::Study;

/// The tables read together have more classes, states or steps than anybody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TooIntricate;

/// All that can be said about one policy of a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examination {
    /// Faults and remarks.
    pub findings: Vec<Finding>,
    /// In the document's order.
    pub cases: Vec<CaseResult>,
    pub coverage: Coverage,
}

impl Examination {
    /// # Errors
    /// The faults, as errors of the policy.
    pub fn sound(&self, policy: &Code) -> Result<(), PolicyErrors> {
        let faults = self.findings.iter().filter(|finding| finding.kind.is_fault());
        let faults = faults.map(|finding| PolicyError {
            policy: policy.as_str().to_owned(),
            defect: PolicyDefect::Found(Box::new(finding.clone())),
        });
        let faults: Vec<PolicyError> = faults.collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(PolicyErrors(faults))
        }
    }
}

/// Examines the policy of this name, from an instant on: later changes of the law that the catalogue knows already are
/// looked at too. Of the baseline every department's answers are. `before`: what is in force without it.
pub fn examine(policy: &Policy, name: &Code, before: Option<&Policy>, from: Timestamp) -> Examination {
    let Some(source) = policy.source_of(name) else {
        return Examination::default();
    };
    let mut examination = Examination::default();
    if let Some(before) = before {
        interference(policy, before, &source, &mut examination.findings);
    }
    unfairness(policy, &source, from, &mut examination.findings);
    cases::run(policy, &source, &mut examination);
    examination
}

/// P8 and P6 only, of every policy of a bundle: for a new edition of the catalogue.
pub fn unfair_under(policy: &Policy, from: Timestamp) -> Vec<(Code, Finding)> {
    let mut all = Vec::new();
    for info in policy.infos() {
        let mut findings = Vec::new();
        if let Some(source) = policy.source_of(&info.name)
            && source.department.as_str() != BASELINE
        {
            unfairness(policy, &source, from, &mut findings);
        }
        let faults = findings.into_iter().filter(|finding| finding.kind.is_fault());
        all.extend(faults.map(|finding| (info.name.clone(), finding)));
    }
    all
}

fn unfairness(policy: &Policy, source: &PolicySource, from: Timestamp, findings: &mut Vec<Finding>) {
    let of_baseline = source.department.as_str() == BASELINE;
    let rows = source.table.as_ref().map_or(0, |table| table.rows.len());
    for (index, unfair) in source.unfair.iter().enumerate() {
        let beyond = unfair
            .rows
            .iter()
            .any(|row| usize::try_from(*row).is_ok_and(|row| row > rows));
        let wordless = unfair.reason.zh.trim().is_empty() || unfair.reason.en.trim().is_empty();
        if beyond || wordless || unfair.rows.is_empty() {
            let mut finding = Finding::new(
                FindingKind::Malformed,
                format!(
                    "unfair 第 {} 项应当写明现有的行号（缺省行为 0）以及中英文理由",
                    index + 1
                ),
                format!(
                    "unfair {} names rows that the table has (0 is the default row) and gives a reason in Chinese and English",
                    index + 1
                ),
            );
            finding.place = format!("unfair[{}]", index + 1);
            findings.push(finding);
        }
    }
    // Matters of one document share their table, so one of them stands for all.
    let mut seen: Vec<&str> = Vec::new();
    let matters = policy.matters().iter().filter(|matter| {
        let first = !seen.contains(&matter.policy());
        seen.push(matter.policy());
        first && (of_baseline || *matter.department() == source.department)
    });
    let matters: Vec<&Matter> = matters.collect();
    let mut law = law::Asked::default();
    for matter in matters {
        if !of_baseline && policy.policy_of(matter) != Some(&source.policy) {
            continue;
        }
        let declared = [
            if of_baseline {
                policy
                    .source_for(matter)
                    .map(|source| source.unfair)
                    .unwrap_or_default()
            } else {
                source.unfair.clone()
            },
            policy
                .baseline_source()
                .map(|source| source.unfair)
                .unwrap_or_default(),
        ];
        let studied = Study::all(policy, matter, from, |study| {
            study.unfair(&declared, of_baseline, findings)?;
            law.note(study, of_baseline);
            Ok(())
        });
        if studied.is_err() {
            findings.push(Finding::new(
                FindingKind::Intricate,
                format!("事项 {} 的决策表与基准政策合在一起过于复杂，无法分析，请拆分", matter.name()),
                format!("the table of {} and the baseline together are too intricate to be analysed; split the table", matter.name()),
            ));
            return;
        }
    }
    law.findings(policy, findings);
}

/// Nobody changes the answers of others, but by the baseline.
fn interference(policy: &Policy, before: &Policy, source: &PolicySource, findings: &mut Vec<Finding>) {
    for matter in before
        .matters()
        .iter()
        .filter(|matter| *matter.department() != source.department)
    {
        let (department, code) = (matter.department().as_str(), matter.code().as_str());
        let kept = policy
            .matter(department, code)
            .filter(|after| after.policy() == matter.policy());
        if kept.is_none() {
            let mut finding = Finding::new(
                FindingKind::Interference,
                format!(
                    "本政策会使其他部门的事项 {} 失去其政策，请另取政策名称",
                    matter.name()
                ),
                format!(
                    "it would take {} its policy, which is another department's; give this one a name of its own",
                    matter.name()
                ),
            );
            finding.place = "policy".to_owned();
            finding.subject = matter.name();
            findings.push(finding);
        }
    }
}
