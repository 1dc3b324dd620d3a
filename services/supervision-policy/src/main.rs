//! The program: arguments, log, and the library.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use greenstar_kernel::{Said as _, SystemClock};
use greenstar_rpc::{Client, Credentials, channel, with_credential};
use greenstar_store::{Database, OpenError};
use greenstar_supervision_policy::config::{Config, Serve, Task};
use greenstar_supervision_policy::{Deps, MIGRATIONS, StartError, Supervision, serve};
use greenstar_telemetry::Format;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// sysexits.h EX_USAGE.
const BAD_SETTINGS: u8 = 64;

fn main() -> ExitCode {
    let config = match Config::try_parse() {
        Ok(config) => config,
        Err(error) if !error.use_stderr() => {
            print!("{error}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            let text = error.to_string();
            let parts: Vec<&str> = text
                .lines()
                .map(str::trim)
                .take_while(|line| !line.starts_with("Usage"))
                .collect();
            eprintln!("{}", parts.join(" ").trim());
            return ExitCode::from(BAD_SETTINGS);
        }
    };
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(config: Config) -> anyhow::Result<()> {
    greenstar_telemetry::init(Format::Text).map_err(|error| anyhow::anyhow!(error))?;
    let at = &config.database_url;
    match config.task {
        Task::Migrate => {
            let database = Database::migrate(at, &MIGRATIONS).await.map_err(unopened)?;
            database.close().await;
            Ok(())
        }
        Task::Serve(settings) => {
            let database = Database::open(at, &MIGRATIONS).await.map_err(unopened)?;
            up(settings, database).await
        }
    }
}

async fn up(settings: Serve, database: Database) -> anyhow::Result<()> {
    let credentials = Credentials::read(&settings.credentials).context("credentials")?;
    let listener = TcpListener::bind(settings.listen)
        .await
        .context(settings.listen)?;
    let secret = secret(&settings.credentials, &settings.subscriber)?;
    let client = |uri: &str| -> anyhow::Result<Client> { Ok(with_credential(channel(uri)?, &secret)?) };
    let deps = Deps {
        database,
        clock: Arc::new(SystemClock::new()),
        rating: client(&settings.rating)?,
        sanctions: client(&settings.sanctions)?,
        record: settings.record(),
        subscriber: settings.subscriber.clone(),
    };
    let supervision = Supervision::start(deps).await.map_err(unstarted)?;
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        stopping.cancel();
    });
    println!("ready http://{}", listener.local_addr()?);
    Ok(serve(supervision, Arc::new(credentials), listener, stop).await?)
}

/// What this replica shows the services that it follows.
fn secret(file: &Path, name: &str) -> anyhow::Result<String> {
    let mut secrets: BTreeMap<String, String> = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    secrets
        .remove(name)
        .with_context(|| format!("{} has no secret for {name}", file.display()))
}

fn unopened(error: OpenError) -> anyhow::Error {
    let text = error.said().en;
    anyhow::Error::new(error).context(text)
}

fn unstarted(error: StartError) -> anyhow::Error {
    let text = error.said().en;
    anyhow::Error::new(error).context(text)
}
