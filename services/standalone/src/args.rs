//! The command line. Flags win over environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use greenstar_kernel::Date;
use greenstar_rpc::Origin;

/// GreenStar 绿色信用星级: stars, flags, and what they mean for the matter before you.
///
/// Without a command it starts the whole suite.
#[derive(Debug, Parser)]
#[command(name = "greenstar", version)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) up: Up,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// Folder of databases, decision records and credentials.
    #[arg(
        long,
        global = true,
        env = "GREENSTAR_DATA",
        default_value = "greenstar-data",
        value_name = "DIR"
    )]
    pub(crate) data: PathBuf,
    /// A running suite, e.g. http://127.0.0.1:8420; default: the one that runs on the data folder.
    #[arg(long, global = true, env = "GREENSTAR_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Whose credential to use, e.g. enforcement/2; default: the first officer of the department
    /// that the command is for.
    #[arg(long = "as", global = true, env = "GREENSTAR_AS", value_name = "NAME")]
    pub(crate) caller: Option<String>,
    /// Tables for people, JSON for programs.
    #[arg(long, global = true, value_enum, default_value = "table")]
    pub(crate) output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Starts the whole suite in one process (the default).
    Up,
    /// Asks what an enterprise's standing means for a matter.
    #[command(subcommand)]
    Check(Check),
    /// Raises, confirms, lifts and lists flags.
    #[command(subcommand)]
    Flag(Flag),
    /// Shows an enterprise's rating as it is now.
    Rating(Rating),
    /// Shows a published directory.
    Directory(Directory),
    /// Shows a recorded decision, as it was given.
    Decision(Decision),
}

/// What the suite is started with, before or after `up`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Starting the suite")]
pub(crate) struct Up {
    /// Address of the one door. Port 0 lets the system choose.
    #[arg(
        long,
        global = true,
        env = "GREENSTAR_LISTEN",
        default_value = "127.0.0.1:8420",
        value_name = "ADDR"
    )]
    pub(crate) listen: SocketAddr,
    /// Pins the day on which the sample round counts as loaded; default: today.
    #[arg(long, global = true, env = "GREENSTAR_SAMPLE_DATE", value_name = "YYYY-MM-DD")]
    pub(crate) sample_date: Option<Date>,
    /// Starts empty, without the sample round.
    #[arg(long, global = true, env = "GREENSTAR_NO_SAMPLE")]
    pub(crate) no_sample: bool,
    /// Origin of web pages that may call, e.g. https://console.example.cn; several are separated by
    /// commas. Default: none.
    #[arg(
        long,
        global = true,
        env = "GREENSTAR_ALLOW_ORIGIN",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    pub(crate) allow_origin: Vec<Origin>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Check {
    /// Before a permit is granted.
    Permit {
        /// Unified social credit code.
        uscc: String,
        /// Kind of permit, e.g. pollutant-permit, hazardous-waste-permit, eia-approval.
        #[arg(long, default_value = "pollutant-permit", value_name = "KIND")]
        kind: String,
        #[command(flatten)]
        fresh: Fresh,
    },
    /// Before a green loan.
    Finance {
        /// Unified social credit code.
        uscc: String,
        #[command(flatten)]
        fresh: Fresh,
    },
    /// Before inspections are planned.
    Inspection {
        /// Unified social credit code.
        uscc: String,
        #[command(flatten)]
        fresh: Fresh,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Fresh {
    /// Token of an earlier answer; this one has applied all that it saw. May be repeated.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Vec<String>,
    /// Apply everything that is committed anywhere.
    #[arg(long)]
    pub(crate) fully_consistent: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Flag {
    /// Proposes a flag; it restricts nothing until another officer confirms it.
    Raise {
        /// Unified social credit code.
        uscc: String,
        /// Kind by the catalogue, e.g. serious-penalty, permit-by-deceit.
        #[arg(long)]
        kind: String,
        /// Number of the document behind it, e.g. 京兴环罚〔2026〕12号.
        #[arg(long, value_name = "NUMBER")]
        document: String,
        /// Body that issued the document.
        #[arg(long, default_value = "北京市大兴区生态环境局")]
        issuer: String,
        /// Date of the document; the term runs from it.
        #[arg(long, value_name = "YYYY-MM-DD")]
        date: Date,
        /// What it is narrowed to, e.g. the permit kind of permit-by-deceit.
        #[arg(long)]
        scope: Option<String>,
        /// Why, for people.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Confirms a proposal: now it binds. Another officer (default: the department's second).
    Confirm {
        /// enterprises/{uscc}/flags/{flag}, as `raise` printed it.
        name: String,
    },
    /// Lifts a flag, or withdraws a proposal.
    Lift {
        /// enterprises/{uscc}/flags/{flag}.
        name: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Lists an enterprise's flags.
    List {
        /// Unified social credit code.
        uscc: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Rating {
    /// Unified social credit code.
    pub(crate) uscc: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Directory {
    /// Round; default: the newest published one.
    pub(crate) round: Option<String>,
    /// Only this star, 1 to 5.
    #[arg(long)]
    pub(crate) star: Option<i32>,
    /// Only this district, GB/T 2260.
    #[arg(long)]
    pub(crate) district: Option<String>,
    /// Only names that contain this.
    #[arg(long)]
    pub(crate) name: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Decision {
    /// decisions/{decision}, as the answer named it.
    pub(crate) name: String,
}

/// Bad settings are one line on standard error and exit 64; help is no error.
pub(crate) fn refuse(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        let text = error.to_string();
        // Up to the first blank line: what is wrong, and the arguments it is about.
        let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
        let said = lines.collect::<Vec<_>>().join(" ");
        eprintln!("greenstar: {}", said.trim_start_matches("error: "));
        return ExitCode::from(64);
    }
    let _ = error.print();
    ExitCode::SUCCESS
}
