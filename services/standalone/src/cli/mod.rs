//! Commands that ask a running suite through its public door.

mod appeal;
mod check;
mod decision;
mod directory;
mod dossier;
mod flag;
mod improve;
mod offline;
mod output;
mod policy;
mod rating;
mod receipt;
mod repair;
mod replay;
mod simulate;
mod subscribers;
mod workbook;

pub(crate) use receipt::Receipt;

use std::path::Path;
use std::process::ExitCode;

use greenstar_rpc::{Client, channel, with_credential};
use greenstar_standalone::Places;
use tonic::Status;

use crate::args::{
    Appeal, Check, Common, Converge, Decision, Directory, Flag, Improve, Output, Policy, Rating, Repair,
};

/// What the command line asked.
#[derive(Debug)]
pub(crate) enum Ask {
    Check(Check),
    Flag(Flag),
    Repair(Repair),
    Appeal(Appeal),
    Policy(Policy),
    Rating(Rating),
    Directory(Directory),
    Decision(Decision),
    Dossier(Decision),
    Replay(Decision),
    Improve(Improve),
    Receipt(Receipt),
    Subscribers,
    Converge(Converge),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The suite refused, in its own words.
    #[error("{}", output::refusal(.0))]
    Refused(Box<Status>),
    /// The command could not be sent.
    #[error("{0}")]
    Local(String),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Failure {
        Failure::Refused(Box::new(status))
    }
}

pub(crate) async fn run(common: &Common, ask: Ask) -> ExitCode {
    let asked = match ask {
        Ask::Check(check) => check::run(common, check).await,
        Ask::Flag(flag) => flag::run(common, flag).await,
        Ask::Repair(repair) => repair::run(common, repair).await,
        Ask::Appeal(appeal) => appeal::run(common, appeal).await,
        Ask::Policy(policy) => policy::run(common, policy).await,
        Ask::Rating(rating) => rating::run(common, rating).await,
        Ask::Directory(directory) => directory::run(common, directory).await,
        Ask::Decision(decision) => decision::run(common, decision).await,
        Ask::Dossier(asked) => dossier::run(common, asked).await,
        Ask::Replay(asked) => replay::run(common, asked).await,
        Ask::Improve(asked) => improve::run(common, asked).await,
        Ask::Receipt(receipt) => receipt::run(common, receipt).await,
        Ask::Subscribers => subscribers::list(common).await,
        Ask::Converge(asked) => subscribers::converge(common, asked).await,
    };
    match asked {
        Ok(answer) if output::print(&answer, common.output) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(failure) => {
            match common.output {
                Output::Table => eprintln!("greenstar: {failure}"),
                Output::Json => eprintln!("{}", output::failure(&failure)),
            }
            ExitCode::FAILURE
        }
    }
}

/// Connects as `--as`, or else as `default`.
fn connect(common: &Common, default: &str) -> Result<Client, Failure> {
    let places = Places::new(&common.data);
    let url = match &common.server {
        Some(url) => url.clone(),
        None => read_line(&places.address()).map_err(|_| {
            Failure::Local(format!(
                "no suite has run on {}; start one with `greenstar up`, or name it with --server URL",
                common.data.display()
            ))
        })?,
    };
    let caller = common.caller.as_deref().unwrap_or(default);
    let secret = places
        .secret(caller)
        .map_err(|error| Failure::Local(error.to_string()))?;
    let channel = channel(&url).map_err(|error| Failure::Local(format!("{url}: {error}")))?;
    with_credential(channel, &secret).map_err(|error| Failure::Local(error.to_string()))
}

/// `enterprises/{uscc}` of `enterprises/{uscc}/flags/{flag}`; the suite says what is wrong with another form.
fn firm_of(flag: &str) -> String {
    let cut = flag.split_once("/flags/").map(|(firm, _)| firm);
    cut.unwrap_or(flag).to_owned()
}

fn read_line(path: &Path) -> std::io::Result<String> {
    Ok(std::fs::read_to_string(path)?.trim().to_owned())
}

/// Both the answer for programs and the table for people.
#[derive(Debug)]
pub(crate) struct Answer {
    json: serde_json::Value,
    table: comfy_table::Table,
    /// Lines under the table.
    notes: Vec<String>,
}

impl Answer {
    fn new<T: serde::Serialize>(
        answer: &T,
        table: comfy_table::Table,
        notes: Vec<String>,
    ) -> Result<Answer, Failure> {
        let json = serde_json::to_value(answer).map_err(|error| Failure::Local(error.to_string()))?;
        Ok(Answer { json, table, notes })
    }

    fn show(&self, output: Output) -> String {
        match output {
            Output::Json => format!("{:#}", self.json),
            Output::Table => {
                let mut text = self.table.to_string();
                for note in &self.notes {
                    text.push('\n');
                    text.push_str(note);
                }
                text
            }
        }
    }
}
