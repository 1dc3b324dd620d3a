//! `greenstar-bench`: yardsticks of the suite. Each measures a ceiling that does no work of ours and our own
//! figure interleaved in one run, and prints a table and, as its last line, one JSON object.

mod ceiling;
mod check;
mod child;
mod load;
mod report;
mod stats;
mod suite;
mod wire;

use std::path::PathBuf;

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
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    match Command::parse() {
        Command::Check(options) => check::run(options).await,
        Command::Ceiling { reply } => {
            let reply = std::fs::read(reply)?;
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            child::attend(listener.local_addr()?, stop.clone());
            ceiling::serve(listener, &reply, stop).await
        }
        Command::Suite { data, record } => suite::serve(&data, record, stop).await,
    }
}
