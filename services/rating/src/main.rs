//! `greenstar-rating`: the rating service with a database of its own.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use greenstar_kernel::SystemClock;
use greenstar_rating::{Action, Config, MIGRATIONS, Rating, serve};
use greenstar_rpc::{Credentials, stop_on_signal, stored};
use greenstar_telemetry::Format;
use tokio::net::TcpListener;

/// Bad settings (sysexits.h: EX_USAGE).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let config = match Config::try_parse() {
        Ok(config) => config,
        Err(error) if !error.use_stderr() => {
            print!("{error}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            let text = error.to_string();
            eprintln!("{}", text.lines().next().unwrap_or("bad settings"));
            return ExitCode::from(USAGE);
        }
    };
    let credentials = match config.credentials.as_deref().map(Credentials::read) {
        Some(Ok(credentials)) => credentials,
        None => Credentials::empty(),
        Some(Err(error)) => {
            eprintln!("credentials: {error}");
            return ExitCode::from(USAGE);
        }
    };
    match run(config, Arc::new(credentials)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(config: Config, credentials: Arc<Credentials>) -> anyhow::Result<()> {
    greenstar_telemetry::init(Format::Text).map_err(|error| anyhow::anyhow!("GREENSTAR_LOG: {error}"))?;
    let database = match (&config.action, &config.database) {
        (Some(Action::Migrate), at) => {
            stored::migrate(at, &MIGRATIONS).await?.close().await;
            return Ok(());
        }
        (None, at) => stored::open(at, &MIGRATIONS).await?,
    };
    let rating = Rating::start(database, Arc::new(SystemClock::new())).await?;
    if config.sample {
        rating.load_sample(config.sample_date).await?;
    }
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let stop = stop_on_signal();
    // Last of all: who reads this line may call, and may end the process.
    println!("ready http://{}", listener.local_addr()?);
    serve(rating, credentials, listener, stop)
        .await
        .context("serving")
}
