//! `greenstar-bench`: yardsticks of the suite. Each measures a ceiling that does no work of ours and our own
//! figure interleaved in one run, and prints a table and, as its last line, one JSON object.

mod bare;
mod ceiling;
mod check;
mod child;
mod decide;
mod disk;
mod flags;
mod load;
mod machine;
mod mono;
mod node;
mod people;
mod propagation;
mod report;
mod simulate;
mod stamps;
mod stats;
mod suite;
mod view;
mod wire;
mod writes;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The same allocator as the suite's own binaries, for all sides.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the suite against ceilings that do no work of its own.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    /// CheckPermit, its record sampled and durable, beside a bare tonic server with the same reply.
    Check(check::Options),
    /// A decision of twelve rules in the process, beside cedar-policy and cel on the equal policy.
    Decide(decide::Options),
    /// RaiseFlag by many writers, beside bare one-row commits on one connection, on PostgreSQL and SQLite.
    Writes(writes::Options),
    /// From a flag's commit to its effect everywhere, beside a bare XADD → XREAD → push.
    Propagation(propagation::Options),
    /// SimulatePolicy's work over a million enterprises, both versions.
    Simulate(simulate::Options),
    /// What the view of a million enterprises takes, and how fast one is found, beside a bare map.
    View(view::Options),
    /// The bare server, as `check` starts it.
    #[command(hide = true)]
    Ceiling {
        /// File with an encoded CheckPermitResponse.
        #[arg(long)]
        reply: PathBuf,
    },
    /// The suite, as `check` starts it.
    #[command(hide = true)]
    Suite {
        /// Data folder; is made.
        #[arg(long)]
        data: PathBuf,
        #[arg(long)]
        record: suite::Record,
        /// Where it says when changes passed.
        #[arg(long)]
        stamps: Option<PathBuf>,
    },
    /// A source of the bare push, as `propagation` starts it.
    #[command(hide = true)]
    Source(propagation::source::Options),
    /// Receivers, as `propagation` starts them.
    #[command(hide = true)]
    Receivers(propagation::receivers::Options),
    /// The sanctions service, as `writes` starts it.
    #[command(hide = true)]
    Sanctions {
        /// As its own binary has them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    if let Some(ended) = node::maybe() {
        return ended;
    }
    let command = Command::parse();
    let ended = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(command)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    match command {
        Command::Check(options) => check::run(options).await,
        Command::Decide(options) => decide::run(&options),
        Command::Writes(options) => writes::run(options).await,
        Command::Propagation(options) => propagation::run(options).await,
        Command::Simulate(options) => simulate::run(&options),
        Command::View(options) => view::run(&options),
        Command::Ceiling { reply } => {
            let reply = std::fs::read(reply)?;
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            child::attend(listener.local_addr()?, stop.clone());
            ceiling::serve(listener, &reply, stop).await
        }
        Command::Suite { data, record, stamps } => suite::serve(&data, record, stamps.as_deref(), stop).await,
        Command::Source(options) => propagation::source::serve(options, stop).await,
        Command::Receivers(options) => propagation::receivers::run(options).await,
        Command::Sanctions { arguments } => writes::serve(arguments).await,
    }
}
