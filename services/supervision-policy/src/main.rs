//! The program: arguments, log, and the library.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use greenstar_kernel::{Said as _, SystemClock};
use greenstar_rpc::{Client, Credentials, channel, stop_on_signal, stored, with_credential};
use greenstar_supervision_policy::config::{self, Config, Task};
use greenstar_supervision_policy::{Deps, MIGRATIONS, StartError, Supervision, serve};
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
    let result = match config.task {
        Some(Task::Migrate) => migrate(&config),
        None => match Callers::read(&config) {
            Ok(callers) => run(&config, callers),
            Err(error) => return bad_settings(&format!("error: {error:#}")),
        },
    };
    match result {
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

/// Who may call, and the secrets of this replica itself.
struct Callers {
    credentials: Credentials,
    secret: String,
}

impl Callers {
    fn read(config: &Config) -> anyhow::Result<Callers> {
        let file = || config.credentials.display().to_string();
        let text = std::fs::read_to_string(&config.credentials).with_context(file)?;
        let credentials = Credentials::parse(&text).with_context(file)?;
        let mut secrets: BTreeMap<String, String> = serde_json::from_str(&text).with_context(file)?;
        let secret = secrets.remove(&config.subscriber);
        let secret = secret.with_context(|| format!("{} has no secret for {}", file(), config.subscriber))?;
        Ok(Callers { credentials, secret })
    }
}

#[tokio::main]
async fn migrate(config: &Config) -> anyhow::Result<()> {
    greenstar_telemetry::init(Format::Text).map_err(|error| anyhow::anyhow!(error))?;
    stored::migrate(&config.database_url, &MIGRATIONS)
        .await?
        .close()
        .await;
    Ok(())
}

#[tokio::main]
async fn run(config: &Config, callers: Callers) -> anyhow::Result<()> {
    greenstar_telemetry::init(Format::Text).map_err(|error| anyhow::anyhow!(error))?;
    let Callers { credentials, secret } = callers;
    let client = |uri: &str| -> anyhow::Result<Client> { Ok(with_credential(channel(uri)?, &secret)?) };
    let (rating, sanctions) = (client(&config.rating)?, client(&config.sanctions)?);
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| config.listen.to_string())?;
    let database = stored::open(&config.database_url, &MIGRATIONS).await?;
    let deps = Deps {
        database,
        clock: Arc::new(SystemClock::new()),
        rating,
        sanctions,
        record: config.record(),
        subscriber: config.subscriber.clone(),
    };
    let supervision = Supervision::start(deps).await.map_err(unstarted)?;
    let stop = stop_on_signal();
    println!("ready http://{}", listener.local_addr()?);
    Ok(serve(supervision, Arc::new(credentials), listener, stop).await?)
}

fn unstarted(error: StartError) -> anyhow::Error {
    let text = error.said().en;
    anyhow::Error::new(error).context(text)
}
