//! `greenstar appeal file|decide|list`.

use comfy_table::Table;
use greenstar_proto::common::v1::Severity;
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::appeal_service_client::AppealServiceClient;

use super::output::{facts, last_day, plain};
use super::{Answer, Failure, connect, firm_of};
use crate::args::{Appeal, Cases, Common, Milder};

pub(super) async fn run(common: &Common, appeal: Appeal) -> Result<Answer, Failure> {
    match appeal {
        Appeal::File { flag, grounds } => {
            let mut client = AppealServiceClient::new(connect(common, "enforcement")?);
            let request = pb::FileAppealRequest {
                parent: firm_of(&flag),
                flag,
                grounds,
                ..Default::default()
            };
            let filed = client.file_appeal(request).await?.into_inner();
            let suspends = filed.appeal.as_ref().is_some_and(|appeal| appeal.suspends);
            let effect = if suspends {
                "the flag binds nobody until it is decided"
            } else {
                "the flag binds until it is decided"
            };
            let notes = vec![format!("token {}", filed.token), effect.to_owned()];
            Answer::new(&filed, one(filed.appeal.as_ref()), notes)
        }
        Appeal::Decide {
            name,
            dismiss: _,
            annul,
            amend,
            opinion,
        } => {
            let mut client = AppealServiceClient::new(connect(common, "enforcement/3")?);
            let (verdict, severity) = match amend {
                Some(Milder::Minor) => (pb::AppealVerdict::Amend, Severity::Minor),
                Some(Milder::Ordinary) => (pb::AppealVerdict::Amend, Severity::Ordinary),
                None if annul => (pb::AppealVerdict::Annul, Severity::Unspecified),
                None => (pb::AppealVerdict::Dismiss, Severity::Unspecified),
            };
            let request = pb::DecideAppealRequest {
                name,
                verdict: verdict.into(),
                severity: severity.into(),
                opinion,
                ..Default::default()
            };
            let decided = client.decide_appeal(request).await?.into_inner();
            let notes = vec![format!("token {}", decided.token)];
            Answer::new(&decided, one(decided.appeal.as_ref()), notes)
        }
        Appeal::List(Cases { uscc, overdue }) => {
            let mut client = AppealServiceClient::new(connect(common, "enforcement")?);
            let request = pb::ListAppealsRequest {
                parent: format!("enterprises/{}", uscc.as_deref().unwrap_or("-")),
                overdue,
                ..Default::default()
            };
            let appeals = client.list_appeals(request).await?.into_inner();
            let mut table = plain();
            table.set_header(["appeal", "state", "due"]);
            for appeal in &appeals.appeals {
                table.add_row([
                    format!("{}\n{}", appeal.name, appeal.flag),
                    state(appeal),
                    due(appeal),
                ]);
            }
            Answer::new(&appeals, table, Vec::new())
        }
    }
}

fn one(appeal: Option<&pb::Appeal>) -> Table {
    let Some(appeal) = appeal else { return plain() };
    facts(vec![
        ("appeal", appeal.name.clone()),
        ("state", state(appeal)),
        ("flag", appeal.flag.clone()),
        ("department", appeal.department.clone()),
        ("due", due(appeal)),
        ("opinion", appeal.opinion.clone()),
    ])
}

fn state(appeal: &pb::Appeal) -> String {
    appeal
        .state()
        .as_str_name()
        .trim_start_matches("APPEAL_STATE_")
        .to_owned()
}

fn due(appeal: &pb::Appeal) -> String {
    let late = if appeal.overdue { " 逾期 late" } else { "" };
    format!("{}{late}", last_day(appeal.due_time.as_ref()))
}
