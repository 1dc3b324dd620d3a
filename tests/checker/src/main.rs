//! `greenstar-checker`: the suite under faults, and what that did to its promises. The last line that it prints is
//! one JSON object; it ends with 1 if a promise was broken.

use std::process::ExitCode;

use clap::Parser;
use greenstar_checker::topology::{Shape, Topology};
use greenstar_checker::{node, provoke, run};

/// Starts two replicas of rating and sanctions, three of supervision-policy and a gateway on a private PostgreSQL and
/// Redis, lets clients work while things are broken, and checks what they saw against the promises.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
    /// How long to break things.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Gives the faults and the clients' choices; the same again gives the same ones. Left out: chosen, and printed.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Only starts the topology, with the sample round, and says where everything is, until it is interrupted.
    Topology,
    /// Provokes a permit on a stale standing without a token, then shows that none is granted with one.
    Provoke {
        /// How many answers to get with the token.
        #[arg(long, default_value_t = 10_000)]
        tries: u64,
    },
}

fn main() -> ExitCode {
    if let Some(ended) = node::maybe() {
        return ended;
    }
    let arguments = Arguments::parse();
    let ended = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(act(arguments)));
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// False: a promise was broken.
async fn act(arguments: Arguments) -> anyhow::Result<bool> {
    match arguments.task {
        Some(Task::Topology) => topology().await.map(|()| true),
        Some(Task::Provoke { tries }) => {
            let report = provoke::run(tries).await?;
            println!("{}", serde_json::to_string(&report)?);
            Ok(report.holds())
        }
        None => {
            let seed = arguments.seed.unwrap_or_else(rand::random);
            println!("seed {seed}");
            let (report, found) = run::run(arguments.seconds, seed).await?;
            for (promise, violations) in &found.violations {
                for violation in violations {
                    println!("{promise}: {violation}");
                }
            }
            println!("{}", serde_json::to_string(&report)?);
            Ok(found.total() == 0)
        }
    }
}

async fn topology() -> anyhow::Result<()> {
    let shape = Shape {
        policy: 2,
        faults: false,
        ..Shape::CHECKED
    };
    let topology = Topology::start(shape).await?;
    for node in &topology.nodes {
        println!("{:<22} {}", node.name, node.url());
    }
    println!("credentials            {}", topology.credentials().display());
    println!("ready {}", topology.door());
    greenstar_rpc::stop_on_signal().cancelled().await;
    Ok(())
}
