//! `greenstar policy lint`, `test` and `diff`: files, without a suite.

use std::path::PathBuf;

use clap::Subcommand;
use greenstar_kernel::Date;

#[derive(Debug, Subcommand)]
pub(crate) enum Offline {
    /// Checks policy files, YAML or .xlsx, as the service would: gaps, contradictions, unfairness, the law, their cases.
    /// Exit code 1 if one has a fault.
    Lint {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        against: Against,
    },
    /// Runs the cases of policy files, and says which rows they cover. Exit code 1 if one fails.
    Test {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        against: Against,
    },
    /// Says what differs between two files of a policy, in their texts and in what they answer.
    Diff {
        from: PathBuf,
        to: PathBuf,
        #[command(flatten)]
        against: Against,
    },
}

/// What the files are checked against.
#[derive(Debug, clap::Args)]
pub(crate) struct Against {
    /// Catalogue of measures in the form of the sanctions service; default: the shipped one.
    #[arg(long, value_name = "FILE")]
    pub(crate) catalogue: Option<PathBuf>,
    /// The jurisdiction's baseline; default: the shipped one.
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Day as of which they are checked; default: today.
    #[arg(long, value_name = "DATE")]
    pub(crate) at: Option<Date>,
}
