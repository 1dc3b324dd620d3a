//! `greenstar`: the whole suite in one process, and the operator's command line.

mod args;
mod cli;
mod up;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return args::refuse(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("greenstar: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let Args { common, up, command } = args;
    match command.unwrap_or(Command::Up) {
        Command::Up => runtime.block_on(up::run(&common, &up)),
        Command::Credentials { file } => match greenstar_standalone::callers::create(&file) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let reason = std::error::Error::source(&error).map(|source| format!(": {source}"));
                eprintln!(
                    "greenstar: {}: {error}{}",
                    file.display(),
                    reason.unwrap_or_default()
                );
                ExitCode::FAILURE
            }
        },
        Command::Check(check) => runtime.block_on(cli::run(&common, cli::Ask::Check(check))),
        Command::Flag(flag) => runtime.block_on(cli::run(&common, cli::Ask::Flag(flag))),
        Command::Repair(repair) => runtime.block_on(cli::run(&common, cli::Ask::Repair(repair))),
        Command::Policy(policy) => runtime.block_on(cli::run(&common, cli::Ask::Policy(policy))),
        Command::Appeal(appeal) => runtime.block_on(cli::run(&common, cli::Ask::Appeal(appeal))),
        Command::Rating(rating) => runtime.block_on(cli::run(&common, cli::Ask::Rating(rating))),
        Command::Subscribers => runtime.block_on(cli::run(&common, cli::Ask::Subscribers)),
        Command::Converge(asked) => runtime.block_on(cli::run(&common, cli::Ask::Converge(asked))),
        Command::Decision(decision) => runtime.block_on(cli::run(&common, cli::Ask::Decision(decision))),
        Command::Dossier(decision) => runtime.block_on(cli::run(&common, cli::Ask::Dossier(decision))),
        Command::Improve(asked) => runtime.block_on(cli::run(&common, cli::Ask::Improve(asked))),
        Command::Replay(decision) => runtime.block_on(cli::run(&common, cli::Ask::Replay(decision))),
        Command::Receipt(receipt) => runtime.block_on(cli::run(&common, cli::Ask::Receipt(receipt))),
        Command::Directory(directory) => runtime.block_on(cli::run(&common, cli::Ask::Directory(directory))),
    }
}
