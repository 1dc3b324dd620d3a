//! A process of the topology, as `greenstar_checker::topology` starts it with this program; one that also says when
//! changes passed, beside its clock file.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use greenstar_checker::node::NODE;
use greenstar_kernel::SystemClock;
use greenstar_rpc::program::Ended;

use crate::{child, stamps};

/// Runs this process as a node if its arguments say so: `node SERVICE CLOCK …`.
pub(crate) fn maybe() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [node, service, clock, rest @ ..] = arguments.as_slice() else {
        return None;
    };
    let is_stamped = matches!(service.as_str(), "sanctions" | "supervision-policy");
    if node != NODE || !is_stamped {
        return greenstar_checker::node::maybe();
    }
    match run(service, Path::new(clock), rest) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(error) => {
            eprintln!("error: {error:#}");
            Some(ExitCode::FAILURE)
        }
    }
}

fn run(service: &str, clock: &Path, arguments: &[String]) -> anyhow::Result<()> {
    stamps::write_to(&clock.with_extension("stamps"))?;
    // Its parent has what it wanted to know.
    child::answer(|_| None, || std::process::exit(0));
    let arguments = std::iter::once(service).chain(arguments.iter().map(String::as_str));
    let clock = Arc::new(SystemClock::new());
    let runtime = tokio::runtime::Runtime::new()?;
    let ended = if service == "sanctions" {
        let config = greenstar_sanctions::config::Config::try_parse_from(arguments)?;
        runtime.block_on(greenstar_sanctions::program::run(config, clock))
    } else {
        let config = greenstar_supervision_policy::config::Config::try_parse_from(arguments)?;
        runtime.block_on(greenstar_supervision_policy::program::run(config, clock))
    };
    ended.map_err(why)
}

/// What a program says at its end.
pub(crate) fn why(ended: Ended) -> anyhow::Error {
    match ended {
        Ended::Settings(error) | Ended::Failed(error) => error,
    }
}
