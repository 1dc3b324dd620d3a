//! `greenstar-bench writes`: RaiseFlag by many writers through the sanctions service, beside bare one-row commits on
//! one connection of the same driver, on PostgreSQL and on SQLite. One run, interleaved.

mod door;
mod report;
mod verify;
mod writers;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use greenstar_kernel::SystemClock;
use greenstar_sanctions::MIGRATIONS;
use greenstar_store::{Database, Location};
use greenstar_testkit::postgres;

use crate::bare::Bare;
use crate::child::{self, Child};
use crate::machine::Usage;
use crate::stats::tidy;
use crate::{disk, node};
use report::{Engine, Figures, Report, Round, Settings};
use writers::Writers;

/// Settings of `writes`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Rounds; in each, bare commits and flags are measured once on each engine, in turning order.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Length of each of the four windows of a round.
    #[arg(long, default_value = "3s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// Writers; each raises a flag as soon as its last one is acknowledged.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    writers: u16,
    /// Connections that they share.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Where SQLite keeps its databases meanwhile, in a folder that is removed at the end; must be on a disk.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    data: PathBuf,
}

/// One engine: bare commits on it, the service on it.
struct Contender {
    name: &'static str,
    bare: Bare,
    location: Location,
    server: Child,
    writers: Writers,
    rounds: Vec<Round>,
}

impl Contender {
    async fn new(
        name: &'static str,
        urls: [String; 2],
        credentials: &Path,
        options: &Options,
    ) -> anyhow::Result<Contender> {
        let [bare, served] = urls;
        let location: Location = served.parse()?;
        Database::migrate(&location, &MIGRATIONS).await?.close().await;
        let server = Child::start([
            "sanctions".as_ref(),
            "--listen".as_ref(),
            "127.0.0.1:0".as_ref(),
            "--database-url".as_ref(),
            served.as_ref(),
            "--credentials".as_ref(),
            credentials.as_os_str(),
        ])
        .await
        .with_context(|| format!("sanctions on {name} does not start"))?;
        let writers = Writers::connect(server.address, options.connections.into()).await?;
        Ok(Contender {
            name,
            bare: Bare::open(&bare).await?,
            location,
            server,
            writers,
            rounds: Vec::new(),
        })
    }

    async fn measure(&mut self, options: &Options, bare_first: bool) -> anyhow::Result<()> {
        let before = Usage::now()?;
        let (bare, flags) = if bare_first {
            let bare = self.bare.commits(options.duration).await?;
            (bare, self.flags(options).await?)
        } else {
            let flags = self.flags(options).await?;
            (self.bare.commits(options.duration).await?, flags)
        };
        let round = Round {
            bare_per_second: tidy(bare),
            flags,
            others_share: Usage::now()?.others_since(&before),
        };
        eprintln!(
            "  {:<10} {bare:>8.0} commits/s {:>8.0} flags/s {:>6.2}",
            self.name,
            round.flags.per_second,
            round.ratio()
        );
        self.rounds.push(round);
        Ok(())
    }

    async fn flags(&mut self, options: &Options) -> anyhow::Result<Figures> {
        let running = self.writers.start(options.writers.into());
        tokio::time::sleep(options.duration / 4).await;
        let (cpu, load_cpu) = (self.server.cpu().await?, child::own_cpu());
        let (begun, before) = (Instant::now(), running.acknowledged());
        tokio::time::sleep(options.duration).await;
        let (cpu, load_cpu) = (
            self.server.cpu().await?.saturating_sub(cpu),
            child::own_cpu() - load_cpu,
        );
        let (elapsed, after) = (begun.elapsed(), running.acknowledged());
        self.writers.finish(running).await?;
        ensure!(
            after > before,
            "{}: no flag within {:?}",
            self.name,
            options.duration
        );
        Ok(Figures::new(after - before, elapsed, cpu, load_cpu))
    }

    /// Stops the service and looks at what it wrote.
    async fn finish(self) -> anyhow::Result<Engine> {
        self.server.stop().await?;
        let acknowledged = self.writers.into_acknowledged()?;
        let found = verify::verify(&self.location, acknowledged)
            .await
            .with_context(|| format!("the change log on {}", self.name))?;
        Ok(Engine::of(self.rounds, found))
    }
}

/// Measures, verifies and prints.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new()
        .prefix("greenstar-bench-")
        .tempdir_in(&options.data)?;
    let credentials = folder.path().join("credentials.json");
    let secrets = serde_json::json!({ writers::OFFICER: writers::SECRET });
    std::fs::write(&credentials, secrets.to_string())?;
    let server = postgres::Server::start().await;
    let on_postgres = [server.database().await, server.database().await];
    let on_sqlite = ["bare", "sanctions"].map(|name| {
        let path = folder.path().join(name).with_extension("sqlite");
        format!("sqlite:{}", path.display())
    });
    let mut contenders = [
        Contender::new("postgresql", on_postgres, &credentials, &options).await?,
        Contender::new("sqlite", on_sqlite, &credentials, &options).await?,
    ];
    for round in 0..options.rounds {
        eprintln!("round {} of {}", round + 1, options.rounds);
        // Nobody always goes first.
        if round % 2 == 1 {
            contenders.reverse();
        }
        for contender in &mut contenders {
            contender.measure(&options, round % 4 < 2).await?;
        }
        if round % 2 == 1 {
            contenders.reverse();
        }
    }
    let settings = Settings {
        rounds: options.rounds.into(),
        seconds: options.duration.as_secs_f64(),
        writers: options.writers.into(),
        connections: options.connections.into(),
        cores: std::thread::available_parallelism()?.get(),
        optimised: !cfg!(debug_assertions),
        data_in_memory: disk::is_in_memory(folder.path())?,
    };
    let [on_postgres, on_sqlite] = contenders;
    let report = Report::new(settings, on_postgres.finish().await?, on_sqlite.finish().await?);
    println!("{}", report.table());
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

/// The sanctions service in this process, with the settings of its own binary, until its parent has gone.
pub(crate) async fn serve(arguments: Vec<String>) -> anyhow::Result<()> {
    use clap::Parser as _;
    greenstar_telemetry::init(greenstar_telemetry::Format::Text).map_err(anyhow::Error::from_boxed)?;
    let arguments = std::iter::once("sanctions".to_owned()).chain(arguments);
    let config = greenstar_sanctions::config::Config::try_parse_from(arguments)?;
    child::answer(
        |_| None,
        || {
            let end = rustix::process::Signal::TERM;
            // As an operator does.
            if rustix::process::kill_process(rustix::process::getpid(), end).is_err() {
                std::process::exit(70);
            }
        },
    );
    let ended = greenstar_sanctions::program::run(config, Arc::new(SystemClock::new())).await;
    ended.map_err(node::why)
}
