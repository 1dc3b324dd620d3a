//! The command line. Flags win over environment.

mod offline;
mod policy;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use greenstar_kernel::Date;
use greenstar_rpc::Origin;

use crate::cli::Receipt;
pub(crate) use offline::{Against, Offline};
pub(crate) use policy::{Policy, Simulate};

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
const DATA: &str = "greenstar-data";
const LISTEN: &str = "127.0.0.1:8420";

/// A variable that is set to nothing is as good as none.
fn data(raw: &str) -> Result<PathBuf, std::convert::Infallible> {
    Ok(PathBuf::from(if raw.is_empty() { DATA } else { raw }))
}

/// Without a host, or by its name, it is this machine alone.
fn listen(raw: &str) -> Result<SocketAddr, std::net::AddrParseError> {
    let raw = if raw.is_empty() { LISTEN } else { raw };
    let port = raw.strip_prefix("localhost:").or_else(|| raw.strip_prefix(':'));
    port.map_or_else(|| raw.parse(), |port| format!("127.0.0.1:{port}").parse())
}

#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// Folder of databases, decision records and credentials.
    #[arg(
        long,
        global = true,
        env = "GREENSTAR_DATA",
        default_value = DATA,
        value_parser = data,
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
    /// Makes a credentials file for services that run apart: a secret for each officer and service.
    Credentials {
        /// The file; it must not be there yet.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Asks what an enterprise's standing means for a matter.
    #[command(subcommand)]
    Check(Check),
    /// Raises, confirms, lifts and lists flags.
    #[command(subcommand)]
    Flag(Flag),
    /// Shows what a firm can do about its flags; applies for, reviews and lists repairs.
    #[command(subcommand)]
    Repair(Repair),
    /// Files, decides and lists appeals against flags.
    #[command(subcommand)]
    Appeal(Appeal),
    /// Writes, checks, approves, publishes and rolls back policies.
    #[command(subcommand)]
    Policy(Policy),
    /// Shows an enterprise's rating as it is now.
    Rating(Rating),
    /// Shows a published directory.
    Directory(Directory),
    /// Shows a recorded decision, as it was given.
    Decision(Decision),
    /// Shows everything that a recorded decision rests on.
    Dossier(Decision),
    /// Evaluates a recorded decision again and shows what differs.
    Replay(Decision),
    /// Says which smallest change gives a firm a better outcome, and from when time alone does.
    Improve(Improve),
    /// Has decisions signed, screens enterprises, and verifies receipts.
    #[command(subcommand)]
    Receipt(Receipt),
    /// Shows who follows the logs, and how far behind each is.
    Subscribers,
    /// Waits until everybody has applied a write, and shows who has not.
    Converge(Converge),
}

/// Which write, how far, how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Converge {
    /// Token that the write answered with.
    pub(crate) token: String,
    /// Also what rating makes of it.
    #[arg(long)]
    pub(crate) all: bool,
    /// How long to wait, at most 300.
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pub(crate) seconds: u64,
}

/// What the suite is started with, before or after `up`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Starting the suite")]
pub(crate) struct Up {
    /// Address of the one door, e.g. 127.0.0.1:8420 or localhost:8420. Port 0 lets the system choose.
    #[arg(
        long,
        global = true,
        env = "GREENSTAR_LISTEN",
        default_value = LISTEN,
        value_parser = listen,
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
        /// The code's check character fails, and it is so on the licence.
        #[arg(long)]
        accept_failed_check: bool,
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
    /// Revokes a flag that never should have been.
    Revoke {
        /// enterprises/{uscc}/flags/{flag}.
        name: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Revokes a flag on the wrong enterprise and proposes it on the right one.
    Correct {
        /// enterprises/{uscc}/flags/{flag}.
        name: String,
        /// Unified social credit code of the right one.
        #[arg(long, value_name = "USCC")]
        enterprise: String,
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

#[derive(Debug, Subcommand)]
pub(crate) enum Repair {
    /// What can be done about each document that counts against a firm, and from when.
    Options {
        /// Unified social credit code.
        uscc: String,
    },
    /// Applies for the repair of a flag's document, on the firm's behalf.
    Apply {
        /// enterprises/{uscc}/flags/{flag}.
        flag: String,
        /// The firm's public commitment.
        #[arg(long, value_name = "TEXT")]
        commitment: String,
    },
    /// Reviews an application (default: as the department's third officer).
    #[command(group(clap::ArgGroup::new("verdict").required(true)))]
    Review {
        /// enterprises/{uscc}/repairs/{repair}, as `apply` printed it.
        name: String,
        /// Grants it; the three conditions must be confirmed with it.
        #[arg(long, group = "verdict")]
        grant: bool,
        /// Refuses it.
        #[arg(long, group = "verdict")]
        refuse: bool,
        /// Confirms: the fault is corrected and all duties are met.
        #[arg(long)]
        corrected: bool,
        /// Confirms: the commitment was made public.
        #[arg(long)]
        committed: bool,
        /// Confirms: what other laws ask for holds.
        #[arg(long)]
        others_hold: bool,
        /// Shown to the firm.
        #[arg(long, value_name = "TEXT")]
        opinion: String,
    },
    /// Lists repairs, newest first.
    List(Cases),
    /// Checks a certificate.
    Certificate {
        /// Its number.
        number: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Appeal {
    /// Appeals against a flag, on the firm's behalf.
    File {
        /// enterprises/{uscc}/flags/{flag}.
        flag: String,
        /// Why the flag is wrong.
        #[arg(long, value_name = "TEXT")]
        grounds: String,
    },
    /// Decides an appeal (default: as the department's third officer).
    #[command(group(clap::ArgGroup::new("verdict").required(true)))]
    Decide {
        /// enterprises/{uscc}/appeals/{appeal}, as `file` printed it.
        name: String,
        /// The flag stands.
        #[arg(long, group = "verdict")]
        dismiss: bool,
        /// The flag never should have been.
        #[arg(long, group = "verdict")]
        annul: bool,
        /// The flag is less severe.
        #[arg(long, group = "verdict", value_enum, value_name = "SEVERITY")]
        amend: Option<Milder>,
        /// Shown to the firm.
        #[arg(long, value_name = "TEXT")]
        opinion: String,
    },
    /// Lists appeals, newest first.
    List(Cases),
}

/// Severities to which a flag can be amended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Milder {
    Minor,
    Ordinary,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Cases {
    /// Unified social credit code; default: all of the department.
    pub(crate) uscc: Option<String>,
    /// Only those that are late.
    #[arg(long)]
    pub(crate) overdue: bool,
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

#[derive(Debug, clap::Args)]
pub(crate) struct Improve {
    /// departments/{department}/matters/{matter}, or short: {department}/{matter}.
    pub(crate) matter: String,
    /// Unified social credit code.
    pub(crate) uscc: String,
    /// An argument of the matter. May be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = policy::argument)]
    pub(crate) argument: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) fresh: Fresh,
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
