//! `greenstar-rating`: the rating service with a database of its own.

use std::process::ExitCode;
use std::sync::Arc;

use greenstar_kernel::SystemClock;
use greenstar_rating::program;

fn main() -> ExitCode {
    greenstar_rpc::program::main(|config| program::run(config, Arc::new(SystemClock::new())))
}
