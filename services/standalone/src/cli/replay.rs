//! `greenstar replay`.

use greenstar_proto::supervision::v1::decision_service_client::DecisionServiceClient;
use greenstar_proto::supervision::v1::{ReplayDecisionRequest, ReplayDifference};

use super::output::facts;
use super::{Answer, Failure, connect};
use crate::args::{Common, Decision};

pub(super) async fn run(common: &Common, asked: Decision) -> Result<Answer, Failure> {
    let mut client = DecisionServiceClient::new(connect(common, "licensing")?);
    let request = ReplayDecisionRequest { name: asked.name };
    let answer = client.replay_decision(request).await?.into_inner();
    let Some(replay) = &answer.replay else {
        return Err(Failure::Local("the suite answered without a replay".to_owned()));
    };
    let versions = replay.versions.clone().unwrap_or_default();
    let mut rows = vec![
        ("decision", replay.decision.clone()),
        ("same", yes(replay.same)),
        ("record intact", yes(replay.intact)),
        ("table", versions.table),
        ("baseline", versions.baseline),
        ("catalogue", versions.catalogue),
        ("evaluator", versions.evaluator),
    ];
    rows.extend(replay.differences.iter().map(|difference| {
        let ReplayDifference {
            field,
            recorded,
            replayed,
        } = difference;
        (
            "differs",
            format!("{field}\nrecorded: {recorded}\nreplayed: {replayed}"),
        )
    }));
    Answer::new(&answer, facts(rows), Vec::new())
}

fn yes(holds: bool) -> String {
    if holds { "yes" } else { "NO" }.to_owned()
}
