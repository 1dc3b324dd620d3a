//! `greenstar policy`.

use std::path::PathBuf;

use clap::Subcommand;

use super::Offline;

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    #[command(flatten)]
    Offline(Offline),
    /// Keeps a policy as a draft of its department, or writes a draft anew.
    Draft {
        /// The policy, YAML or .xlsx.
        file: PathBuf,
        /// drafts/{draft} that is written anew; default: a new one.
        #[arg(long, value_name = "DRAFT")]
        update: Option<String>,
        /// Why, for the approver and for later.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Lists the department's drafts, newest first.
    Drafts,
    /// Checks a draft; if all is well it may be approved.
    Validate {
        /// drafts/{draft}, as `draft` printed it.
        draft: String,
    },
    /// Approves a validated draft: another officer than its author.
    Approve {
        /// drafts/{draft}.
        draft: String,
    },
    /// Gives a draft up.
    Withdraw {
        /// drafts/{draft}.
        draft: String,
    },
    /// Publishes an approved draft.
    Publish {
        /// drafts/{draft}.
        draft: String,
        /// From when on, e.g. 2026-07-01T00:00:00+08:00; default: as soon as every replica can have it.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// Checks everything and publishes nothing.
        #[arg(long)]
        validate_only: bool,
    },
    /// Brings an earlier version's text back, within seconds.
    Rollback {
        /// Name of the policy, e.g. finance-default.
        policy: String,
        /// Version to bring back.
        #[arg(long, value_name = "VERSION")]
        to: u32,
        /// Version that is believed to be in force; if another is, nothing is done.
        #[arg(long, value_name = "VERSION")]
        from: Option<u32>,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Lists a policy's versions, newest first.
    Versions {
        /// Name of the policy, e.g. finance-default.
        policy: String,
    },
    /// Shows by which versions each replica decides.
    Replicas,
    /// Writes a policy's other form: of YAML the workbook, of a workbook the YAML.
    Convert {
        /// The policy.
        from: PathBuf,
        /// Where to.
        to: PathBuf,
    },
    /// Writes a workbook to fill in.
    Template {
        /// departments/{department}/matters/{matter}, also one that is still to be.
        matter: String,
        /// Where to.
        to: PathBuf,
    },
    /// Tries a policy against what is in force, over everybody, and shows whom it would hit. Changes nothing.
    Simulate(Simulate),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Simulate {
    /// drafts/{draft}, policies/{policy}/versions/{version}, or a file: YAML, or a workbook by its ending .xlsx.
    pub(crate) candidate: String,
    /// Only this matter, by its code; default: all that the policy answers.
    #[arg(long, value_name = "CODE")]
    pub(crate) matter: Option<String>,
    /// An argument of the matter.
    #[arg(long, value_name = "NAME=VALUE", value_parser = argument)]
    pub(crate) argument: Vec<(String, String)>,
    /// Instead of everybody as they stand now: the decisions recorded in so many last days.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=366))]
    pub(crate) recorded_days: Option<u32>,
    /// So many changed ones are named for each pair of outcomes; default: 10.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) sample: Option<u32>,
}

pub(super) fn argument(raw: &str) -> Result<(String, String), String> {
    let (name, value) = raw.split_once('=').ok_or("write it as name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}
