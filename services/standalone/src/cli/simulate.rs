//! `greenstar policy simulate`: whom a policy would hit.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use comfy_table::Table;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::policy_content::Form;
use greenstar_proto::supervision::v1::policy_service_client::PolicyServiceClient;
use greenstar_proto::supervision::v1::simulate_policy_request::Candidate;
use greenstar_proto::supervision::v1::simulate_policy_response::Event;

use super::output::{plain, time};
use super::{Answer, Failure, connect};
use crate::args::{Common, Simulate};

pub(super) async fn run(common: &Common, asked: Simulate) -> Result<Answer, Failure> {
    let request = pb::SimulatePolicyRequest {
        candidate: Some(candidate(asked.candidate)?),
        matter: asked.matter.unwrap_or_default(),
        arguments: asked.argument.into_iter().collect(),
        recorded_days: asked.recorded_days.unwrap_or_default(),
        sample_size: asked.sample.unwrap_or_default(),
        receipt: false,
    };
    let connection = connect(common, "licensing")?;
    let mut client = PolicyServiceClient::new(connection).max_encoding_message_size(8 << 20);
    let mut said = client.simulate_policy(request).await?.into_inner();
    let mut bar = Bar::default();
    while let Some(answer) = said.message().await? {
        match answer.event {
            Some(Event::Progress(at)) => bar.show(at.done, at.total),
            Some(Event::Result(result)) => {
                bar.end();
                return Answer::new(&result, table(&result), notes(&result));
            }
            None => {}
        }
    }
    Err(Failure::Local("the suite ended without a result".to_owned()))
}

/// The name of a draft or of a version, or a file.
fn candidate(raw: String) -> Result<Candidate, Failure> {
    let is_file = Path::new(&raw).is_file();
    if !is_file && raw.starts_with("drafts/") {
        return Ok(Candidate::Draft(raw));
    }
    if !is_file && raw.starts_with("policies/") {
        return Ok(Candidate::Version(raw));
    }
    let bytes = std::fs::read(&raw).map_err(|error| Failure::Local(format!("{raw}: {error}")))?;
    let form = if raw.to_lowercase().ends_with(".xlsx") {
        Form::Workbook(bytes)
    } else {
        let text = String::from_utf8(bytes).map_err(|_| Failure::Local(format!("{raw}: this is no text")))?;
        Form::Source(text)
    };
    Ok(Candidate::Content(pb::PolicyContent { form: Some(form) }))
}

/// How far it is, on the error output, so that an answer for programs stays clean.
#[derive(Debug, Default)]
struct Bar {
    /// In twentieths.
    shown: Option<u64>,
}

impl Bar {
    const PARTS: u64 = 20;

    fn show(&mut self, done: u64, total: u64) {
        let part = (done * Self::PARTS)
            .checked_div(total)
            .unwrap_or(0)
            .min(Self::PARTS);
        let mut out = std::io::stderr();
        if out.is_terminal() {
            let filled = usize::try_from(part).unwrap_or(0);
            let bar = format!("{:<20}", "#".repeat(filled));
            // Nobody watches who cannot be written to.
            let _ = write!(out, "\r[{bar}] {done} / {total}");
            let _ = out.flush();
        } else if self.shown != Some(part) {
            let _ = writeln!(out, "{done} / {total}");
        }
        self.shown = Some(part);
    }

    fn end(&self) {
        if std::io::stderr().is_terminal() {
            eprintln!();
        }
    }
}

/// Who changes and how; those who stay are counted under it.
fn table(result: &pb::SimulationResult) -> Table {
    let mut table = plain();
    table.set_header(["matter", "from", "to", "how many", "for example"]);
    for moved in &result.moves {
        table.add_row([
            moved.matter.clone(),
            moved.from.clone(),
            moved.to.clone(),
            moved.count.to_string(),
            moved.sample.join("\n"),
        ]);
    }
    table
}

fn notes(result: &pb::SimulationResult) -> Vec<String> {
    let mut notes = vec![format!(
        "evaluated {} 已评估, other outcome {} 结论改变, other measures only {} 仅措施改变, skipped {} 跳过",
        result.evaluated, result.outcome_changed, result.measures_changed, result.skipped
    )];
    for group in &result.groups {
        let by = match group.grouping() {
            pb::Grouping::Department => "department",
            pb::Grouping::District => "district",
            pb::Grouping::Sector => "sector",
            pb::Grouping::Star => "star",
            pb::Grouping::Unspecified => "group",
        };
        let name = if group.group.is_empty() {
            "unknown"
        } else {
            &group.group
        };
        notes.push(format!(
            "{by} {name}: milder {}, more severe {}",
            group.milder, group.severer
        ));
    }
    for conflict in &result.conflicts {
        notes.push(format!(
            "{} and {} newly meet on {} although they exclude one another",
            conflict.measure, conflict.other, conflict.count
        ));
    }
    let (before, after) = (result.visits_per_mille_before, result.visits_per_mille_after);
    if (before, after) != (0, 0) {
        let difference = after - before;
        notes.push(format!(
            "routine visits a year 每年日常检查: {} -> {} ({}{})",
            thousandths(before),
            thousandths(after),
            if difference < 0 { "-" } else { "+" },
            thousandths(difference.abs())
        ));
    }
    notes.push(format!("as of {}", time(result.as_of_time.as_ref())));
    notes
}

/// `1234` is `1.234`.
fn thousandths(value: i64) -> String {
    format!("{}.{:03}", value / 1_000, value % 1_000)
}
