//! `greenstar improve`: which smallest change gives a better outcome.

use greenstar_proto::supervision::v1::decision_service_client::DecisionServiceClient;
use greenstar_proto::supervision::v1::{FindImprovementRequest, FindImprovementResponse};

use super::output::{both, day, plain};
use super::{Answer, Failure, check, connect};
use crate::args::{Common, Improve};

pub(super) async fn run(common: &Common, asked: Improve) -> Result<Answer, Failure> {
    let matter = match asked.matter.split_once('/') {
        Some((department, matter)) if !matter.contains('/') => {
            format!("departments/{department}/matters/{matter}")
        }
        // The suite says what is wrong with another form.
        Some(_) | None => asked.matter,
    };
    let department = matter.split('/').nth(1).unwrap_or("licensing").to_owned();
    let mut client = DecisionServiceClient::new(connect(common, &department)?);
    let request = FindImprovementRequest {
        enterprise: format!("enterprises/{}", asked.uscc),
        matter,
        arguments: asked.argument.into_iter().collect(),
        consistency: check::consistency(asked.fresh),
    };
    let answer = client.find_improvement(request).await?.into_inner();
    let notes = vec![both(answer.text.as_ref())];
    Answer::new(&answer, table(&answer), notes)
}

/// A line a change; those of a set have its number.
fn table(answer: &FindImprovementResponse) -> comfy_table::Table {
    let mut table = plain();
    table.set_header(["set", "outcome", "change", "repair from", "by itself from"]);
    for (number, set) in answer.improvements.iter().enumerate() {
        for step in &set.steps {
            table.add_row([
                (number + 1).to_string(),
                set.outcome.clone(),
                both(step.text.as_ref()),
                step.earliest_repair_date.clone(),
                day(step.by_itself_time.as_ref()),
            ]);
        }
    }
    table
}
