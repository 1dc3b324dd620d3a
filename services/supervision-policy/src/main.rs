//! `greenstar-supervision-policy`: one replica of the service.

use std::process::ExitCode;
use std::sync::Arc;

use greenstar_kernel::SystemClock;
use greenstar_supervision_policy::program;

fn main() -> ExitCode {
    greenstar_rpc::program::main(|config| program::run(config, Arc::new(SystemClock::new())))
}
