//! The stock server of `greenstar-bench check`: the ceiling as tonic's own examples are started, on two workers and the
//! system's allocator. A program of its own, because an allocator is chosen once for a whole program.

#[path = "../ceiling.rs"]
mod ceiling;
#[path = "../child.rs"]
#[allow(dead_code, reason = "the parent's side")]
mod child;
#[path = "../wire.rs"]
#[allow(dead_code, reason = "the load's side")]
mod wire;

use std::process::ExitCode;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Arguments as of `greenstar-bench ceiling`: `ceiling --reply FILE`.
fn serve() -> anyhow::Result<()> {
    let file = std::env::args_os().next_back().unwrap_or_default();
    let reply = std::fs::read(file)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        child::attend(listener.local_addr()?, stop.clone());
        ceiling::serve(listener, &reply, stop).await
    })
}
