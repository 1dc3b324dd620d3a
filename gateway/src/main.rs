//! `greenstar-gateway`: the suite's door, in front of services that run by themselves.

use std::process::ExitCode;

use greenstar_gateway::program;

fn main() -> ExitCode {
    greenstar_rpc::program::main(program::run)
}
