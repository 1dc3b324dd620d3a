//! `greenstar receipt`: signed statements, and their verification without the suite.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::receipt_service_client::ReceiptServiceClient;
use greenstar_receipts::{JwkSet, Verified, verify};
use serde::Deserialize;
use serde_json::Value;

use super::output::facts;
use super::{Answer, Failure, connect};
use crate::args::Common;

#[derive(Debug, Subcommand)]
pub(crate) enum Receipt {
    /// Has a recorded decision signed.
    Decision {
        /// decisions/{decision}, as the answer named it.
        name: String,
    },
    /// Looks for flags in force, and has signed what was found, also that nothing was.
    Screen {
        /// Unified social credit code.
        uscc: String,
    },
    /// Prints the public keys, as `verify` takes them.
    Keys,
    /// Verifies a receipt without asking anybody; exits with 1 if it does not hold.
    Verify {
        /// What `receipt decision`, `receipt screen` or a checkpoint said with `--output json`: an object with `jws`
        /// and `payload`, or with a `receipt` that has them.
        file: PathBuf,
        /// What `receipt keys` said, got from where you trust it.
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
    },
}

pub(super) async fn run(common: &Common, asked: Receipt) -> Result<Answer, Failure> {
    match asked {
        Receipt::Decision { name } => {
            let mut client = ReceiptServiceClient::new(connect(common, "licensing")?);
            let request = pb::IssueDecisionReceiptRequest { decision: name };
            let answer = client.issue_decision_receipt(request).await?.into_inner();
            signed(&answer, answer.receipt.as_ref())
        }
        Receipt::Screen { uscc } => {
            let mut client = ReceiptServiceClient::new(connect(common, "finance")?);
            let request = pb::ScreenEnterpriseRequest {
                enterprise: format!("enterprises/{uscc}"),
                ..Default::default()
            };
            let answer = client.screen_enterprise(request).await?.into_inner();
            signed(&answer, answer.receipt.as_ref())
        }
        Receipt::Keys => {
            let mut client = ReceiptServiceClient::new(connect(common, "licensing")?);
            let answer = client.list_keys(pb::ListKeysRequest {}).await?.into_inner();
            let rows = answer.keys.iter().map(|key| {
                let state = match key.retired_at.as_str() {
                    "" => "signs".to_owned(),
                    at => format!("retired {at}"),
                };
                (key.kid.as_str(), state)
            });
            Answer::new(&answer, facts(rows.collect()), Vec::new())
        }
        Receipt::Verify { file, keys } => {
            let receipt: File = read(&file)?;
            let keys: JwkSet = read(&keys)?;
            let Verified { statement, key } = verify(&receipt.into(), &keys)
                .map_err(|error| Failure::Local(format!("{}: {error}", file.display())))?;
            let mut notes = Vec::new();
            let issued = statement
                .get("issued_at")
                .and_then(Value::as_str)
                .unwrap_or_default();
            // Both are RFC 3339 in UTC; without the Z a fraction comes after none.
            if !key.retired_at.is_empty()
                && issued.trim_end_matches('Z') > key.retired_at.trim_end_matches('Z')
            {
                return Err(Failure::Local(format!(
                    "{}: it is dated {issued}, and its key was retired at {}",
                    file.display(),
                    key.retired_at
                )));
            }
            notes.push(format!("holds; signed by {}", key.kid));
            Answer::new(&statement, facts(lines(&statement)), notes)
        }
    }
}

/// A receipt as an answer carries it.
#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    Bare(greenstar_receipts::Receipt),
    Within { receipt: greenstar_receipts::Receipt },
}

impl From<File> for greenstar_receipts::Receipt {
    fn from(file: File) -> Self {
        match file {
            File::Bare(receipt) | File::Within { receipt } => receipt,
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(file: &Path) -> Result<T, Failure> {
    let text = std::fs::read(file);
    let text = text.map_err(|error| Failure::Local(format!("{}: {error}", file.display())))?;
    serde_json::from_slice(&text).map_err(|error| Failure::Local(format!("{}: {error}", file.display())))
}

fn signed<T: serde::Serialize>(answer: &T, receipt: Option<&pb::Receipt>) -> Result<Answer, Failure> {
    let Some(receipt) = receipt else {
        return Err(Failure::Local("the suite answered without a receipt".to_owned()));
    };
    let statement: Value = serde_json::from_str(&receipt.payload)
        .map_err(|error| Failure::Local(format!("the receipt cannot be read: {error}")))?;
    let note = "keep it with `--output json`; verify it with `greenstar receipt verify FILE --keys KEYS`";
    Answer::new(answer, facts(lines(&statement)), vec![note.to_owned()])
}

/// A statement's members, a line each.
fn lines(statement: &Value) -> Vec<(&str, String)> {
    let members = statement.as_object().into_iter().flatten();
    members
        .map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    value.to_string()
                }
            };
            (name.as_str(), text)
        })
        .collect()
}
