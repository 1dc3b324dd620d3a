//! `greenstar decision`.

use greenstar_proto::supervision::v1::GetDecisionRequest;
use greenstar_proto::supervision::v1::decision_service_client::DecisionServiceClient;

use super::output::{both, facts, outcome, star, time};
use super::{Answer, Failure, connect};
use crate::args::{Common, Decision};

pub(super) async fn run(common: &Common, asked: Decision) -> Result<Answer, Failure> {
    let connection = connect(common, "licensing")?;
    let mut client = DecisionServiceClient::new(connection.clone());
    let answer = client
        .get_decision(GetDecisionRequest { name: asked.name })
        .await?
        .into_inner();
    let Some(decision) = &answer.decision else {
        return Err(Failure::Local("the suite answered without a decision".to_owned()));
    };
    let versions = decision.versions.clone().unwrap_or_default();
    let reasons: Vec<String> = decision
        .reasons
        .iter()
        .map(|reason| both(reason.text.as_ref()))
        .collect();
    let outcome = outcome(common, connection, &decision.matter, &decision.outcome).await;
    let table = facts(vec![
        ("decision", decision.name.clone()),
        ("enterprise", decision.enterprise.clone()),
        ("matter", decision.matter.clone()),
        ("asked by", decision.officer.clone()),
        ("as of", time(decision.as_of_time.as_ref())),
        ("outcome", outcome),
        ("star", star(decision.star, decision.state().as_str_name())),
        ("why", reasons.join("\n")),
        ("table", versions.table),
        ("baseline", versions.baseline),
        ("catalogue", versions.catalogue),
    ]);
    Answer::new(&answer, table, Vec::new())
}
