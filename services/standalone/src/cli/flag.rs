//! `greenstar flag raise|confirm|lift|revoke|correct|list`.

use greenstar_proto::common::v1::Document;
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;

use super::output::{both, facts, last_day, plain};
use super::{Answer, Failure, connect};
use crate::args::{Common, Flag};

pub(super) async fn run(common: &Common, flag: Flag) -> Result<Answer, Failure> {
    match flag {
        Flag::Raise {
            uscc,
            kind,
            document,
            issuer,
            date,
            scope,
            reason,
            accept_failed_check,
        } => {
            let mut client = FlagServiceClient::new(connect(common, "enforcement")?);
            let request = pb::RaiseFlagRequest {
                parent: format!("enterprises/{uscc}"),
                kind,
                document: Some(Document {
                    issuer,
                    number: document,
                    date: date.to_string(),
                }),
                scope: scope.unwrap_or_default(),
                reason: reason.unwrap_or_default(),
                accept_failed_check,
                ..Default::default()
            };
            let raised = client.raise_flag(request).await?.into_inner();
            let notes = proposed(&raised.token, raised.flag.as_ref());
            Answer::new(&raised, one(raised.flag.as_ref()), notes)
        }
        Flag::Confirm { name } => {
            let mut client = FlagServiceClient::new(connect(common, "enforcement/2")?);
            let request = pb::ConfirmFlagRequest {
                name,
                ..Default::default()
            };
            let confirmed = client.confirm_flag(request).await?.into_inner();
            Answer::new(
                &confirmed,
                one(confirmed.flag.as_ref()),
                vec![format!("token {}", confirmed.token)],
            )
        }
        Flag::Lift { name, reason } => {
            let mut client = FlagServiceClient::new(connect(common, "enforcement")?);
            let request = pb::LiftFlagRequest {
                name,
                reason,
                ..Default::default()
            };
            let lifted = client.lift_flag(request).await?.into_inner();
            Answer::new(
                &lifted,
                one(lifted.flag.as_ref()),
                vec![format!("token {}", lifted.token)],
            )
        }
        Flag::Revoke { name, reason } => {
            let mut client = FlagServiceClient::new(connect(common, "enforcement")?);
            let request = pb::RevokeFlagRequest {
                name,
                reason,
                ..Default::default()
            };
            let revoked = client.revoke_flag(request).await?.into_inner();
            let notes = vec![format!("token {}", revoked.token)];
            Answer::new(&revoked, one(revoked.flag.as_ref()), notes)
        }
        Flag::Correct {
            name,
            enterprise,
            reason,
        } => {
            let mut client = FlagServiceClient::new(connect(common, "enforcement")?);
            let request = pb::CorrectFlagRequest {
                name,
                enterprise: format!("enterprises/{enterprise}"),
                reason,
                ..Default::default()
            };
            let corrected = client.correct_flag(request).await?.into_inner();
            let notes = proposed(&corrected.token, corrected.flag.as_ref());
            Answer::new(&corrected, one(corrected.flag.as_ref()), notes)
        }
        Flag::List { uscc } => {
            let mut client = FlagServiceClient::new(connect(common, "enforcement")?);
            let request = pb::ListFlagsRequest {
                parent: format!("enterprises/{uscc}"),
                ..Default::default()
            };
            let flags = client.list_flags(request).await?.into_inner();
            let mut table = plain();
            // The name is long and is copied whole, so all else stands under it.
            table.set_header(["flag", "state, last day"]);
            for flag in &flags.flags {
                let number = flag
                    .document
                    .as_ref()
                    .map(|document| document.number.clone())
                    .unwrap_or_default();
                let title = flag
                    .title
                    .as_ref()
                    .map(|title| title.zh.as_str())
                    .unwrap_or_default();
                table.add_row([
                    format!("{}\n{} {title} {number}", flag.name, flag.kind),
                    format!("{}\n{}", state(flag), last_day(flag.end_time.as_ref())),
                ]);
            }
            Answer::new(&flags, table, Vec::new())
        }
    }
}

/// What there is to say under a proposal.
fn proposed(token: &str, flag: Option<&pb::Flag>) -> Vec<String> {
    let next = flag.map(|flag| flag.name.as_str()).unwrap_or_default();
    vec![
        format!("token {token}"),
        "a proposal restricts nothing; another officer makes it bind:".to_owned(),
        format!("greenstar flag confirm {next}"),
    ]
}

fn one(flag: Option<&pb::Flag>) -> comfy_table::Table {
    let Some(flag) = flag else { return plain() };
    let number = flag
        .document
        .as_ref()
        .map(|document| document.number.clone())
        .unwrap_or_default();
    facts(vec![
        ("flag", flag.name.clone()),
        ("kind", format!("{}\n{}", flag.kind, both(flag.title.as_ref()))),
        ("state", state(flag)),
        ("document", number),
        ("scope", flag.scope.clone()),
        ("last day", last_day(flag.end_time.as_ref())),
    ])
}

fn state(flag: &pb::Flag) -> String {
    flag.state()
        .as_str_name()
        .trim_start_matches("FLAG_STATE_")
        .to_owned()
}
