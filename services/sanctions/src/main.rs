//! The program: arguments, log, and the library.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use greenstar_kernel::SystemClock;
use greenstar_rpc::{Credentials, stop_on_signal, stored};
use greenstar_sanctions::config::{self, Config, Task};
use greenstar_sanctions::{MIGRATIONS, Sanctions, serve};
use greenstar_telemetry::Format;
use tokio::net::TcpListener;

/// sysexits.h EX_USAGE.
const BAD_SETTINGS: u8 = 64;

fn main() -> ExitCode {
    let config = match Config::try_parse() {
        Ok(config) => config,
        Err(help) if !help.use_stderr() => {
            print!("{help}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return bad_settings(&config::one_line(&error)),
    };
    let credentials = match config.credentials.as_deref().map(Credentials::read).transpose() {
        Ok(credentials) => credentials.unwrap_or_default(),
        Err(error) => return bad_settings(&format!("error: {:#}", anyhow::Error::new(error))),
    };
    match run(config, credentials) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bad_settings(line: &str) -> ExitCode {
    eprintln!("{line}");
    ExitCode::from(BAD_SETTINGS)
}

#[tokio::main]
async fn run(config: Config, credentials: Credentials) -> anyhow::Result<()> {
    greenstar_telemetry::init(Format::Text).map_err(|error| anyhow::anyhow!(error))?;
    if let Some(Task::Migrate) = config.task {
        stored::migrate(&config.database_url, &MIGRATIONS)
            .await?
            .close()
            .await;
        return Ok(());
    }
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| config.listen.to_string())?;
    let database = stored::open(&config.database_url, &MIGRATIONS).await?;
    let sanctions = Sanctions::start(database, Arc::new(SystemClock::new())).await?;
    let stop = stop_on_signal();
    println!("ready http://{}", listener.local_addr()?);
    Ok(serve(sanctions, Arc::new(credentials), listener, stop).await?)
}
