//! Measures that a row asks for and that the law carries nowhere where the row decides (P6).

use std::collections::BTreeMap;

use greenstar_tables::{RowSet, Table};

use super::Example;
use super::finding::{Finding, FindingKind, shown};
use super::study::Study;
use crate::domain::policy::Policy;

/// What rows asked for, and whether they ever got it.
#[derive(Debug, Default)]
pub(super) struct Asked(BTreeMap<(usize, usize, bool), (bool, Example)>);

impl Asked {
    /// Adds what a study has seen: the department's rows, or the baseline's.
    pub(super) fn note(&mut self, study: &Study<'_>, of_baseline: bool) {
        for (answer, bits, spot) in &study.answers {
            let (table, deciding) = if of_baseline {
                (Some(&study.policy.baseline), [answer.base, answer.base])
            } else {
                (study.matter.table.as_ref(), [answer.own, answer.spoken])
            };
            let Some(table) = table else {
                continue;
            };
            for set in deciding {
                for (number, row) in numbered(table, set) {
                    let carrier = study.matter.outcome(row.outcome).carrier.filter(|_| !of_baseline);
                    let own = row.measures.iter().map(|used| (used.measure, false));
                    for (measure, carries) in own.chain(carrier.map(|measure| (measure, true))) {
                        let passes = study.passes(*bits, measure);
                        let slot = self.0.entry((number, measure, carries));
                        let (passed, _) = slot.or_insert_with(|| (false, study.example(*spot)));
                        *passed |= passes;
                    }
                }
            }
        }
    }

    pub(super) fn findings(self, policy: &Policy, findings: &mut Vec<Finding>) {
        for ((row, measure, carries), (passed, example)) in self.0 {
            let Some(entry) = policy.catalogue().measures().get(measure).filter(|_| !passed) else {
                continue;
            };
            let (zh_row, en_row) = match row {
                0 => ("缺省行".to_owned(), "the default row".to_owned()),
                row => (format!("第 {row} 行"), format!("row {row}")),
            };
            let (zh_what, en_what) = if carries {
                ("处置结论所依托的措施", "its outcome is carried by")
            } else {
                ("措施", "it asks for")
            };
            let mut finding = Finding::new(
                FindingKind::BeyondLaw,
                format!(
                    "{zh_row}的{zh_what} {} 在该行适用的任何情形下都没有法律支持，例如 {}；请删除，或者改到措施目录允许的情形",
                    entry.code,
                    shown(&example)
                ),
                format!(
                    "{en_row}: {en_what} {}, which the law carries nowhere where the row decides, e.g. {}; remove it, or ask for it where the catalogue carries it",
                    entry.code,
                    shown(&example)
                ),
            );
            finding.place = match row {
                0 => "table.default.measures".to_owned(),
                row => format!(
                    "table.rows[{row}].{}",
                    if carries { "outcome" } else { "measures" }
                ),
            };
            finding.rows = vec![row];
            finding.counterexample = example;
            finding.subject = entry.code.as_str().to_owned();
            findings.push(finding);
        }
    }
}

/// Rows by number from 1, or the default row as 0.
fn numbered(table: &Table, set: RowSet) -> impl Iterator<Item = (usize, &greenstar_tables::Row)> {
    let default = table.default_row().filter(|_| set.is_empty()).map(|row| (0, row));
    let rows = set
        .iter()
        .filter_map(|row| Some((row + 1, table.rows().get(row)?)));
    rows.chain(default)
}
