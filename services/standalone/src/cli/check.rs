//! `greenstar check permit|finance|inspection`.

use greenstar_proto::common::v1::Consistency;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::enforcement_service_client::EnforcementServiceClient;
use greenstar_proto::supervision::v1::finance_service_client::FinanceServiceClient;
use greenstar_proto::supervision::v1::licensing_service_client::LicensingServiceClient;

use super::output::{both, facts, last_day, outcome, star, warnings};
use super::{Answer, Failure, connect};
use crate::args::{Check, Common, Fresh};

pub(super) async fn run(common: &Common, check: Check) -> Result<Answer, Failure> {
    match check {
        Check::Permit { uscc, kind, fresh } => permit(common, uscc, kind, fresh).await,
        Check::Finance { uscc, fresh } => finance(common, uscc, fresh).await,
        Check::Inspection { uscc, fresh } => inspection(common, uscc, fresh).await,
    }
}

/// The three doors answer with the same fields; this is what the table shows of them.
macro_rules! rows {
    ($answer:expr, $outcome:expr) => {{
        let answer = $answer;
        vec![
            ("outcome", reviewed($outcome, answer.manual_review)),
            ("star", star(answer.star, answer.state().as_str_name())),
            ("warning", warnings(answer.known, answer.uscc_verdict())),
            (
                "measures",
                answer.measures.iter().map(measure).collect::<Vec<_>>().join("\n"),
            ),
            (
                "flags",
                answer.flags.iter().map(flag).collect::<Vec<_>>().join("\n"),
            ),
            (
                "why",
                answer
                    .reasons
                    .iter()
                    .map(|reason| both(reason.text.as_ref()))
                    .collect::<Vec<_>>()
                    .join("\n"),
            ),
            ("policy", answer.policy_version.clone()),
            ("decision", answer.decision.clone()),
        ]
    }};
}

async fn permit(common: &Common, uscc: String, permit_kind: String, fresh: Fresh) -> Result<Answer, Failure> {
    let matter = format!("departments/licensing/matters/{permit_kind}");
    let request = pb::CheckPermitRequest {
        enterprise: format!("enterprises/{uscc}"),
        permit_kind,
        consistency: consistency(fresh),
        ..Default::default()
    };
    let connection = connect(common, "licensing")?;
    let mut client = LicensingServiceClient::new(connection.clone());
    let answer = client.check_permit(request).await?.into_inner();
    let outcome = outcome(common, connection, &matter, &answer.outcome).await;
    Answer::new(&answer, facts(rows!(&answer, outcome)), token(&answer.token))
}

async fn finance(common: &Common, uscc: String, fresh: Fresh) -> Result<Answer, Failure> {
    let request = pb::CheckGreenFinanceRequest {
        enterprise: format!("enterprises/{uscc}"),
        consistency: consistency(fresh),
        ..Default::default()
    };
    let connection = connect(common, "finance")?;
    let mut client = FinanceServiceClient::new(connection.clone());
    let answer = client.check_green_finance(request).await?.into_inner();
    let outcome = outcome(
        common,
        connection,
        "departments/finance/matters/green-loan",
        &answer.outcome,
    )
    .await;
    Answer::new(&answer, facts(rows!(&answer, outcome)), token(&answer.token))
}

async fn inspection(common: &Common, uscc: String, fresh: Fresh) -> Result<Answer, Failure> {
    let request = pb::GetInspectionRegimeRequest {
        enterprise: format!("enterprises/{uscc}"),
        consistency: consistency(fresh),
        ..Default::default()
    };
    let connection = connect(common, "enforcement")?;
    let mut client = EnforcementServiceClient::new(connection.clone());
    let answer = client.get_inspection_regime(request).await?.into_inner();
    let matter = "departments/enforcement/matters/inspection-regime";
    let outcome = outcome(common, connection, matter, &answer.outcome).await;
    let mut rows = rows!(&answer, outcome);
    if let Some(regime) = &answer.regime {
        rows.insert(2, ("regime", regime_lines(regime)));
    }
    Answer::new(&answer, facts(rows), token(&answer.token))
}

pub(super) fn consistency(fresh: Fresh) -> Option<Consistency> {
    let asked = fresh.fully_consistent || !fresh.token.is_empty();
    asked.then_some(Consistency {
        at_least_as_fresh: fresh.token,
        fully_consistent: fresh.fully_consistent,
        max_staleness: None,
    })
}

fn token(token: &str) -> Vec<String> {
    vec![format!("token {token}")]
}

fn reviewed(outcome: String, manual_review: bool) -> String {
    if manual_review {
        format!("{outcome}\n由人工审查决定\nmanual review: an officer decides")
    } else {
        outcome
    }
}

fn measure(measure: &pb::Measure) -> String {
    let title = measure
        .title
        .as_ref()
        .map(|title| title.zh.as_str())
        .unwrap_or_default();
    let parameters: Vec<String> = measure
        .parameters
        .iter()
        .map(|(name, value)| format!(" {name}={value}"))
        .collect();
    let bases: Vec<String> = measure.bases.iter().map(basis).collect();
    format!(
        "{} {title}{}  {}",
        measure.code,
        parameters.concat(),
        bases.join("；")
    )
}

fn flag(flag: &pb::DecidedFlag) -> String {
    let title = flag
        .title
        .as_ref()
        .map(|title| title.zh.as_str())
        .unwrap_or_default();
    let number = flag
        .document
        .as_ref()
        .map(|document| document.number.as_str())
        .unwrap_or_default();
    let bases: Vec<String> = flag.bases.iter().map(basis).collect();
    let scope = if flag.scope.is_empty() {
        String::new()
    } else {
        format!(" [{}]", flag.scope)
    };
    format!(
        "{} {title}{scope} {number}，有效期至 {}  {}\n{}",
        flag.kind,
        last_day(flag.end_time.as_ref()),
        bases.join("；"),
        flag.name
    )
}

fn basis(basis: &greenstar_proto::sanctions::v1::LegalBasis) -> String {
    let title = basis
        .title
        .as_ref()
        .map(|title| title.zh.as_str())
        .unwrap_or_default();
    let article = basis
        .article
        .as_ref()
        .map(|article| article.zh.as_str())
        .unwrap_or_default();
    format!("{title}{article}")
}

fn regime_lines(regime: &pb::InspectionRegime) -> String {
    let cap = match regime.on_site_cap_per_year {
        Some(cap) => format!("at most {cap} routine visits a year"),
        None => "no cap on routine visits but the law's".to_owned(),
    };
    let exempt = if regime.routine_on_site_exempt {
        "exempt from planned routine visits on site\n"
    } else {
        ""
    };
    let active: Vec<&str> = regime
        .always_on
        .iter()
        .filter(|trigger| trigger.active)
        .map(|trigger| trigger.code.as_str())
        .collect();
    let all: Vec<&str> = regime
        .always_on
        .iter()
        .map(|trigger| trigger.code.as_str())
        .collect();
    format!(
        "{exempt}{cap}\ndraw takes {} per mille a year\n{} off-site checks a year\nalways on: {}\nactive now: {}",
        regime.sampling_per_mille,
        regime.off_site_per_year,
        all.join(", "),
        if active.is_empty() {
            "none".to_owned()
        } else {
            active.join(", ")
        },
    )
}
