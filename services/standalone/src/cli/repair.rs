//! `greenstar repair options|apply|review|list|certificate`.

use comfy_table::Table;
use greenstar_proto::common::v1::Document;
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::apply_repair_request::Subject;
use greenstar_proto::sanctions::v1::repair_service_client::RepairServiceClient;

use super::output::{both, day, facts, last_day, plain};
use super::{Answer, Failure, connect, firm_of};
use crate::args::{Cases, Common, Repair};

pub(super) async fn run(common: &Common, repair: Repair) -> Result<Answer, Failure> {
    match repair {
        Repair::Options { uscc } => {
            let mut client = RepairServiceClient::new(connect(common, "enforcement")?);
            let request = pb::ListRepairOptionsRequest {
                parent: format!("enterprises/{uscc}"),
            };
            let options = client.list_repair_options(request).await?.into_inner();
            let mut table = plain();
            table.set_header(["document", "repair from", "what to do"]);
            for option in &options.options {
                let from = if option.repairable {
                    day(option.earliest_time.as_ref())
                } else {
                    "-".to_owned()
                };
                let flags: Vec<&str> = option.flags.iter().map(|flag| flag.name.as_str()).collect();
                let document = format!("{}\n{}", number(option.document.as_ref()), flags.join("\n"));
                table.add_row([document, from, both(option.why.as_ref())]);
            }
            Answer::new(&options, table, Vec::new())
        }
        Repair::Apply { flag, commitment } => {
            let mut client = RepairServiceClient::new(connect(common, "enforcement")?);
            let request = pb::ApplyRepairRequest {
                parent: firm_of(&flag),
                commitment,
                subject: Some(Subject::Flag(flag)),
                ..Default::default()
            };
            let applied = client.apply_repair(request).await?.into_inner();
            let next = applied
                .repair
                .as_ref()
                .map(|repair| repair.name.clone())
                .unwrap_or_default();
            let notes = vec![
                format!("token {}", applied.token),
                "the body that recognised the fault reviews it:".to_owned(),
                format!(
                    "greenstar repair review {next} --grant --corrected --committed --others-hold --opinion TEXT"
                ),
            ];
            Answer::new(&applied, one(applied.repair.as_ref()), notes)
        }
        Repair::Review {
            name,
            grant,
            refuse: _,
            corrected,
            committed,
            others_hold,
            opinion,
        } => {
            let mut client = RepairServiceClient::new(connect(common, "enforcement/3")?);
            let verdict = if grant {
                pb::RepairVerdict::Grant
            } else {
                pb::RepairVerdict::Refuse
            };
            let request = pb::ReviewRepairRequest {
                name,
                verdict: verdict.into(),
                corrected,
                committed,
                others_hold,
                opinion,
                ..Default::default()
            };
            let reviewed = client.review_repair(request).await?.into_inner();
            let notes = vec![format!("token {}", reviewed.token)];
            Answer::new(&reviewed, one(reviewed.repair.as_ref()), notes)
        }
        Repair::List(Cases { uscc, overdue }) => {
            let mut client = RepairServiceClient::new(connect(common, "enforcement")?);
            let request = pb::ListRepairsRequest {
                parent: format!("enterprises/{}", uscc.as_deref().unwrap_or("-")),
                overdue,
                ..Default::default()
            };
            let repairs = client.list_repairs(request).await?.into_inner();
            let mut table = plain();
            table.set_header(["repair", "state", "due"]);
            for repair in &repairs.repairs {
                table.add_row([
                    format!("{}\n{}", repair.name, number(repair.document.as_ref())),
                    state(repair),
                    due(repair),
                ]);
            }
            Answer::new(&repairs, table, Vec::new())
        }
        Repair::Certificate { number: certificate } => {
            let mut client = RepairServiceClient::new(connect(common, "enforcement")?);
            let request = pb::GetRepairCertificateRequest {
                name: format!("repairCertificates/{certificate}"),
            };
            let found = client.get_repair_certificate(request).await?.into_inner();
            let table = match &found.certificate {
                None => plain(),
                Some(certificate) => facts(vec![
                    ("certificate", certificate.name.clone()),
                    ("enterprise", certificate.enterprise.clone()),
                    ("document", number(certificate.document.as_ref())),
                    ("flags", certificate.flags.join("\n")),
                    ("repaired", day(certificate.repair_time.as_ref())),
                    ("meaning", both(certificate.text.as_ref())),
                ]),
            };
            Answer::new(&found, table, Vec::new())
        }
    }
}

fn one(repair: Option<&pb::Repair>) -> Table {
    let Some(repair) = repair else { return plain() };
    facts(vec![
        ("repair", repair.name.clone()),
        ("state", state(repair)),
        ("document", number(repair.document.as_ref())),
        ("flags", repair.flags.join("\n")),
        ("department", repair.department.clone()),
        ("due", due(repair)),
        ("opinion", repair.opinion.clone()),
        ("certificate", repair.certificate.clone()),
    ])
}

fn number(document: Option<&Document>) -> String {
    document
        .map(|document| document.number.clone())
        .unwrap_or_default()
}

fn state(repair: &pb::Repair) -> String {
    repair
        .state()
        .as_str_name()
        .trim_start_matches("REPAIR_STATE_")
        .to_owned()
}

fn due(repair: &pb::Repair) -> String {
    let late = if repair.overdue { " 逾期 late" } else { "" };
    format!("{}{late}", last_day(repair.due_time.as_ref()))
}
