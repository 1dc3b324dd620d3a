//! The cases that a policy carries: facts at a frozen instant, and the answer that must come out.

use std::collections::BTreeSet;

use greenstar_kernel::{LocalizedText, Said};

use super::Examination;
use super::facts::{facts_of, instant};
use super::finding::{Finding, FindingKind};
use crate::domain::columns::Reading;
use crate::domain::compose::rows_of;
use crate::domain::decide::{DecideError, decide};
use crate::domain::document::{BASELINE, CaseSource, PolicySource};
use crate::domain::matter::{Arguments, Level, Matter};
use crate::domain::policy::Policy;
use crate::domain::reason::Reason;

/// How a case came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    pub name: String,
    pub passed: bool,
    pub outcome: String,
    /// Rows that decided, from 1; 0 is the default row.
    pub rows: Vec<usize>,
    /// `on-site-cap=1`
    pub measures: Vec<String>,
    /// What differs; empty if it passed.
    pub difference: LocalizedText,
}

/// Which rows of the table decide a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    pub rows: usize,
    /// From 1.
    pub uncovered: Vec<usize>,
}

/// What a case came to.
struct Outcome {
    outcome: String,
    rows: Vec<usize>,
    measures: Vec<String>,
}

/// Runs a policy's cases and adds what they show.
pub(super) fn run(policy: &Policy, source: &PolicySource, examination: &mut Examination) {
    let mut covered = BTreeSet::new();
    for (index, case) in source.cases.iter().enumerate() {
        let result = result(policy, source, case);
        covered.extend(result.rows.iter().copied());
        if !result.passed {
            let LocalizedText { zh, en } = &result.difference;
            let mut finding = Finding::new(
                FindingKind::CaseFailed,
                format!("用例“{}”未通过：{zh}", case.name),
                format!("case {:?} does not come out: {en}", case.name),
            );
            finding.place = format!("cases[{}]", index + 1);
            finding.rows.clone_from(&result.rows);
            finding.subject.clone_from(&case.name);
            examination.findings.push(finding);
        }
        examination.cases.push(result);
    }
    let rows = source.table.as_ref().map_or(0, |table| table.rows.len());
    let uncovered: Vec<usize> = (1..=rows).filter(|row| !covered.contains(row)).collect();
    for row in &uncovered {
        let mut finding = Finding::new(
            FindingKind::Uncovered,
            format!("第 {row} 行没有任何用例覆盖，建议补充用例"),
            format!("no case is decided by row {row}; add one"),
        );
        finding.place = format!("table.rows[{row}]");
        finding.rows = vec![*row];
        examination.findings.push(finding);
    }
    examination.coverage = Coverage { rows, uncovered };
}

fn result(policy: &Policy, source: &PolicySource, case: &CaseSource) -> CaseResult {
    match outcome(policy, source, case) {
        Ok(Outcome {
            outcome,
            rows,
            measures,
        }) => {
            let difference = difference(case, &outcome, &rows, &measures);
            CaseResult {
                name: case.name.clone(),
                passed: difference.is_none(),
                outcome,
                rows,
                measures,
                difference: difference.unwrap_or_else(|| LocalizedText::new("", "")),
            }
        }
        Err(difference) => CaseResult {
            name: case.name.clone(),
            passed: false,
            outcome: String::new(),
            rows: Vec::new(),
            measures: Vec::new(),
            difference,
        },
    }
}

fn outcome(policy: &Policy, source: &PolicySource, case: &CaseSource) -> Result<Outcome, LocalizedText> {
    let at = instant(&case.at)?;
    let of_baseline = source.department.as_str() == BASELINE;
    let matter = matter(policy, source, case)?;
    let given = case
        .arguments
        .0
        .iter()
        .map(|(name, value)| (name.as_str(), value.0.as_str()));
    let alone = of_baseline && case.matter.is_none();
    let arguments = if alone {
        Arguments::NONE
    } else {
        matter.parse_arguments(given).map_err(|error| error.said())?
    };
    let facts = facts_of(&case.facts, policy.catalogue(), matter, at)?;
    let fault = |error: DecideError| error.said();
    let reading = Reading::of(&facts, &arguments, matter, policy.catalogue(), at).map_err(fault)?;
    let base = policy.baseline.evaluate(|column| reading.value(column));
    let base = base.map_err(|error| fault(error.into()))?;
    let numbers = |deciding: greenstar_tables::RowSet| {
        let rows: Vec<usize> = deciding.iter().map(|row| row + 1).collect();
        if rows.is_empty() { vec![0] } else { rows }
    };
    if alone {
        let level = policy
            .baseline
            .outcome(&base)
            .and_then(|level| Level::ALL.get(level));
        let rows = rows_of(&policy.baseline, base.deciding);
        let used = rows.flat_map(|row| row.measures.iter());
        let measures = used.filter_map(|used| {
            let entry = policy.catalogue().measures().get(used.measure)?;
            Some(measure_text(entry.code.as_str(), used.value))
        });
        return Ok(Outcome {
            outcome: level.map_or("FAVOUR", |level| level.as_str()).to_owned(),
            rows: numbers(base.deciding),
            measures: measures.collect(),
        });
    }
    let decision = decide(policy, matter, &facts, &arguments, at).map_err(fault)?;
    let own = decision.reasons.iter().filter_map(|reason| match reason {
        Reason::Row(row) => Some(row.number),
        _ => None,
    });
    let rows = if of_baseline {
        numbers(base.deciding)
    } else {
        own.collect()
    };
    let measures = decision.measures.iter();
    Ok(Outcome {
        outcome: decision.outcome.code.as_str().to_owned(),
        rows,
        measures: measures
            .map(|measure| measure_text(measure.entry.code.as_str(), measure.value))
            .collect(),
    })
}

fn matter<'a>(
    policy: &'a Policy,
    source: &PolicySource,
    case: &CaseSource,
) -> Result<&'a Matter, LocalizedText> {
    let of_baseline = source.department.as_str() == BASELINE;
    let (department, code) = match &case.matter {
        Some(name) if of_baseline => {
            let parts = name
                .strip_prefix("departments/")
                .and_then(|rest| rest.split_once("/matters/"));
            parts.unwrap_or(("", name))
        }
        Some(code) => (source.department.as_str(), code.as_str()),
        None if of_baseline => match policy.matters().first() {
            Some(first) => return Ok(first),
            None => ("", ""),
        },
        None => match source.matters.first() {
            Some(first) => (source.department.as_str(), first.code.as_str()),
            None => ("", ""),
        },
    };
    policy.matter(department, code).ok_or_else(|| {
        LocalizedText::new(
            format!("没有事项 {code}；基准政策请写 departments/部门/matters/事项"),
            format!("there is no matter {code:?}; in the baseline write departments/{{department}}/matters/{{matter}}"),
        )
    })
}

fn measure_text(code: &str, value: Option<i64>) -> String {
    value.map_or_else(|| code.to_owned(), |value| format!("{code}={value}"))
}

fn difference(
    case: &CaseSource,
    outcome: &str,
    rows: &[usize],
    measures: &[String],
) -> Option<LocalizedText> {
    let mut zh: Vec<String> = Vec::new();
    let mut en: Vec<String> = Vec::new();
    let mut differs = |what_zh: &str, what: &str, wanted: String, found: String| {
        zh.push(format!("{what_zh}应为 {wanted}，实为 {found}"));
        en.push(format!("{what} {wanted} expected, {found} found"));
    };
    let expect = &case.expect;
    if let Some(wanted) = &expect.outcome
        && wanted.as_str() != outcome
    {
        differs(
            "处置结论",
            "outcome",
            wanted.as_str().to_owned(),
            outcome.to_owned(),
        );
    }
    if let Some(wanted) = &expect.measures {
        // A measure without its figure stands for any figure.
        let plain = |text: &str| text.split_once('=').map_or(text, |(code, _)| code).to_owned();
        let fits =
            |wanted: &str, found: &str| wanted == found || (!wanted.contains('=') && plain(found) == wanted);
        let all = |left: &[String], right: &[String], fits: &dyn Fn(&str, &str) -> bool| {
            left.iter().all(|one| right.iter().any(|other| fits(one, other)))
        };
        let turned = |found: &str, wanted: &str| fits(wanted, found);
        if !all(wanted, measures, &fits) || !all(measures, wanted, &turned) {
            differs("措施", "measures", list(wanted), list(measures));
        }
    }
    if let Some(wanted) = &expect.rows {
        let wanted: BTreeSet<usize> = wanted
            .iter()
            .filter_map(|row| usize::try_from(*row).ok())
            .collect();
        let found: BTreeSet<usize> = rows.iter().copied().collect();
        if wanted != found {
            let text = |rows: &BTreeSet<usize>| {
                let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
                list(&rows)
            };
            differs("决定行", "rows", text(&wanted), text(&found));
        }
    }
    if zh.is_empty() {
        return None;
    }
    Some(LocalizedText::new(zh.join("；"), en.join("; ")))
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
}
