//! `greenstar policy lint`, `test`, `diff`: a department's own repository checks its policies without a suite.

use std::path::{Path, PathBuf};

use comfy_table::Table;
use greenstar_kernel::{Clock as _, SystemClock, Timestamp};
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::policy_content::Form;
use greenstar_sanctions::domain::catalogue::SHIPPED;
use greenstar_supervision_policy::offline::{File, Report, check, compare};
use serde_json::json;

use super::output::{plain, print};
use super::{Answer, Failure};
use crate::args::{Against, Common, Offline};

/// Prints what was found; a fault is a failure, so that a pipeline stops.
pub(super) fn run(common: &Common, asked: Offline) -> Result<Answer, Failure> {
    match asked {
        Offline::Lint { files, against } => {
            let reports = reports(&files, &against)?;
            let faults = reports.iter().filter(|report| !report.is_sound()).count();
            let mut table = plain();
            table.set_header(["file", "where", "finding"]);
            for report in &reports {
                for finding in &report.findings {
                    table.add_row([report.file.clone(), place(finding), told(finding)]);
                }
            }
            finish(common, &reports, table, faults, "with faults")
        }
        Offline::Test { files, against } => {
            let reports = reports(&files, &against)?;
            let mut table = plain();
            table.set_header(["file", "case", "result"]);
            let mut notes = Vec::new();
            for report in &reports {
                for case in &report.cases {
                    let difference = case
                        .difference
                        .as_ref()
                        .map(|text| format!("{}\n{}", text.en, text.zh));
                    let result = difference.unwrap_or_else(|| "passed".to_owned());
                    table.add_row([report.file.clone(), case.name.clone(), result]);
                }
                // Without a sound table there are no cases to run.
                let unread = report
                    .findings
                    .iter()
                    .filter(|finding| finding.fault && report.coverage.is_none());
                for finding in unread {
                    table.add_row([report.file.clone(), place(finding), told(finding)]);
                }
                notes.extend(report.coverage.as_ref().map(|coverage| {
                    format!(
                        "{}: {} of {} rows covered 行已覆盖",
                        report.file, coverage.covered, coverage.rows
                    )
                }));
            }
            let failed = reports.iter().filter(|report| {
                let unread = report.coverage.is_none() && !report.is_sound();
                unread || report.cases.iter().any(|case| !case.passed)
            });
            let failed = failed.count();
            let mut answer = answer(&reports, table)?;
            answer.notes = notes;
            end(common, answer, failed, "whose cases fail")
        }
        Offline::Diff { from, to, against } => {
            let baseline = against.baseline.as_deref().map(read).transpose()?;
            let compared = compare(
                read(&from)?,
                read(&to)?,
                baseline,
                &catalogue(&against)?,
                instant(&against),
            );
            Ok(changes(&compared?)?)
        }
    }
}

fn reports(files: &[PathBuf], against: &Against) -> Result<Vec<Report>, Failure> {
    let mut read_in: Vec<File> = files.iter().map(|file| read(file)).collect::<Result<_, _>>()?;
    let own = read_in.len();
    read_in.extend(against.baseline.as_deref().map(read).transpose()?);
    let reports = check(&read_in, &catalogue(against)?, instant(against));
    let mut reports = reports.map_err(|said| Failure::Local(format!("{}\n{}", said.en, said.zh)))?;
    // The baseline is asked about only if it is one of the files.
    let asked: Vec<String> = read_in.iter().take(own).map(|file| file.name.clone()).collect();
    reports.retain(|report| asked.contains(&report.file) || !report.is_sound());
    Ok(reports)
}

fn read(path: &Path) -> Result<File, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Local(format!("{}: {error}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| failed(&error))?;
    let workbook = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("xlsx"));
    let form = if workbook {
        Form::Workbook(bytes)
    } else {
        Form::Source(String::from_utf8(bytes).map_err(|error| failed(&error))?)
    };
    Ok(File {
        name: path.display().to_string(),
        form,
    })
}

fn catalogue(against: &Against) -> Result<String, Failure> {
    match &against.catalogue {
        None => Ok(SHIPPED.to_owned()),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Failure::Local(format!("{}: {error}", path.display()))),
    }
}

fn instant(against: &Against) -> Timestamp {
    against
        .at
        .map_or_else(|| SystemClock::new().now(), |day| day.start())
}

fn place(finding: &pb::Finding) -> String {
    let kind = finding
        .kind()
        .as_str_name()
        .trim_start_matches("FINDING_KIND_")
        .to_owned();
    format!(
        "{}\n{}{kind}",
        finding.place,
        if finding.fault { "" } else { "remark " }
    )
}

fn told(finding: &pb::Finding) -> String {
    let text = finding.text.as_ref();
    text.map(|text| format!("{}\n{}", text.en, text.zh))
        .unwrap_or_default()
}

fn answer(reports: &[Report], table: Table) -> Result<Answer, Failure> {
    let reports = reports.iter().map(|report| {
        json!({
            "file": report.file,
            "findings": report.findings,
            "cases": report.cases,
            "coverage": report.coverage,
        })
    });
    let reports: Vec<serde_json::Value> = reports.collect();
    Answer::new(&reports, table, Vec::new())
}

fn finish(
    common: &Common,
    reports: &[Report],
    table: Table,
    bad: usize,
    what: &str,
) -> Result<Answer, Failure> {
    let answer = answer(reports, table)?;
    end(common, answer, bad, what)
}

/// The answer is printed before the failure is told.
fn end(common: &Common, answer: Answer, bad: usize, what: &str) -> Result<Answer, Failure> {
    if bad == 0 {
        return Ok(answer);
    }
    print(&answer, common.output);
    Err(Failure::Local(format!("{bad} files {what}")))
}

fn changes(compared: &pb::DiffPoliciesResponse) -> Result<Answer, Failure> {
    let mut table = plain();
    table.set_header(["where", "before", "after"]);
    for change in &compared.changes {
        table.add_row([&change.place, &change.before, &change.after]);
    }
    for change in &compared.behaviour {
        let case: Vec<String> = change
            .example
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let side = |outcome: &str, measures: &[String]| {
            let words = std::iter::once(outcome).chain(measures.iter().map(String::as_str));
            words.collect::<Vec<_>>().join(" ")
        };
        table.add_row([
            format!("{}\n{}", change.matter, case.join("\n")),
            side(&change.outcome_before, &change.measures_before),
            side(&change.outcome_after, &change.measures_after),
        ]);
    }
    Answer::new(compared, table, Vec::new())
}
