//! `greenstar dossier`.

use greenstar_proto::supervision::v1::decision_service_client::DecisionServiceClient;
use greenstar_proto::supervision::v1::{Dossier, DossierRow, GetDossierRequest, Nearness};

use super::output::{both, facts, star, time};
use super::{Answer, Failure, connect};
use crate::args::{Common, Decision};

pub(super) async fn run(common: &Common, asked: Decision) -> Result<Answer, Failure> {
    let mut client = DecisionServiceClient::new(connect(common, "licensing")?);
    let request = GetDossierRequest { name: asked.name };
    let answer = client.get_dossier(request).await?.into_inner();
    let Some(Dossier {
        decision: Some(decision),
        rows,
        baseline_rows,
        assessment,
        leaf,
        chain,
        writer,
        sequence,
        ..
    }) = &answer.dossier
    else {
        return Err(Failure::Local("the suite answered without a dossier".to_owned()));
    };
    let versions = decision.versions.clone().unwrap_or_default();
    let reasons = decision.reasons.iter().map(|reason| both(reason.text.as_ref()));
    let flags = decision
        .flags
        .iter()
        .map(|flag| format!("{} {}", flag.name, flag.kind));
    let items = assessment.iter().flat_map(|assessment| &assessment.items);
    let table = facts(vec![
        ("decision", decision.name.clone()),
        ("enterprise", decision.enterprise.clone()),
        ("matter", decision.matter.clone()),
        ("asked by", decision.officer.clone()),
        ("as of", time(decision.as_of_time.as_ref())),
        ("outcome", decision.outcome.clone()),
        ("star", star(decision.star, decision.state().as_str_name())),
        ("why", lines(reasons)),
        ("flags", lines(flags)),
        ("rows of the table", lines(rows.iter().map(row))),
        ("rows of the baseline", lines(baseline_rows.iter().map(row))),
        (
            "items",
            lines(items.map(|item| format!("{} {}", item.item, item.points))),
        ),
        ("table", versions.table),
        ("baseline", versions.baseline),
        ("catalogue", versions.catalogue),
        ("evaluator", versions.evaluator),
        ("record", format!("{writer}, {sequence}")),
        ("leaf", leaf.clone()),
        ("chain", chain.clone()),
    ]);
    Answer::new(&answer, table, Vec::new())
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

fn row(row: &DossierRow) -> String {
    let nearness = match row.nearness() {
        Nearness::Unspecified => "",
        Nearness::Decided => "decided",
        Nearness::Preceded => "held, another took precedence",
        Nearness::Nearly => "nearly",
    };
    let unmet = row.unmet.iter();
    let unmet = unmet.map(|unmet| {
        format!(
            "; {}: {} wanted, {} found",
            unmet.column, unmet.wanted, unmet.found
        )
    });
    format!(
        "{} {} {nearness}{}",
        row.row,
        row.outcome,
        unmet.collect::<String>()
    )
}
