//! `greenstar-bench check`: CheckPermit through the suite, its record sampled and durable, beside a bare
//! tonic server that replays the same reply. One run, interleaved, so that all three meet the same machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use prost::Message;

use crate::child::{self, Child};
use crate::load::{Closed, Load, Question};
use crate::report::{Report, Settings};
use crate::stats::{Figures, Summary};
use crate::suite::{self, Asked, Record};

/// Settings of `check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Rounds; in each, all three are measured once, in turning order.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Length of each window; a round has two for each of the three: closed loop and open loop.
    #[arg(long, default_value = "3s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// Connections to the server.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Requests in flight on each connection, closed loop.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    in_flight: u16,
    /// Requests per second, open loop.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Kind of permit that is asked about.
    #[arg(long, default_value = "pollutant-permit")]
    permit_kind: String,
    /// Where the suites keep their data meanwhile, in a folder that is removed at the end; must be on a disk.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    data: PathBuf,
}

/// One of the three: a server, its connections, what was measured.
struct Contender {
    name: &'static str,
    server: Child,
    load: Load,
    rounds: Vec<Figures>,
}

impl Contender {
    async fn new(
        name: &'static str,
        server: Child,
        question: &Question,
        options: &Options,
    ) -> anyhow::Result<Self> {
        let load = Load::connect(server.address, question, options.connections.into()).await?;
        Ok(Contender {
            name,
            server,
            load,
            rounds: Vec::new(),
        })
    }

    async fn measure(&mut self, options: &Options) -> anyhow::Result<()> {
        let running = self.load.closed(options.in_flight.into());
        tokio::time::sleep(options.duration / 4).await;
        let (cpu, load_cpu) = (self.server.cpu().await?, child::own_cpu());
        let (begun, before) = (Instant::now(), running.replies());
        tokio::time::sleep(options.duration).await;
        let (cpu, load_cpu) = (
            self.server.cpu().await?.saturating_sub(cpu),
            child::own_cpu() - load_cpu,
        );
        let (elapsed, after) = (begun.elapsed(), running.replies());
        running.stop().await?;
        ensure!(
            after > before,
            "{} answered nothing within {:?}",
            self.name,
            options.duration
        );
        let closed = Closed {
            replies: after - before,
            elapsed,
            cpu,
            load_cpu,
        };

        let open = self.load.open(options.rate, options.duration).await?;
        let figures = Figures::new(&closed, &open, cores()?);
        eprintln!(
            "  {:<8} {:>8.0} req/s {:>6.1} us CPU, p99 {:>6.0} us",
            self.name, figures.per_second, figures.cpu_us, figures.latency_us.p99
        );
        self.rounds.push(figures);
        Ok(())
    }
}

/// Measures and prints.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new()
        .prefix("greenstar-bench-")
        .tempdir_in(&options.data)?;
    let sampled = start_suite(folder.path(), Record::Sampled).await?;
    let durable = start_suite(folder.path(), Record::Durable).await?;
    let kind = options.permit_kind.as_str();
    let of_sampled = suite::ask(sampled.address, &folder.path().join(Record::Sampled.name()), kind).await?;
    let of_durable = suite::ask(durable.address, &folder.path().join(Record::Durable.name()), kind).await?;
    of_durable
        .is_recorded()
        .await
        .context("the suite in mode durable does not record")?;

    let reply = of_durable.reply.encode_to_vec();
    let replayed = folder.path().join("reply");
    std::fs::write(&replayed, &reply)?;
    let ceiling = Child::start([OsStr::new("ceiling"), OsStr::new("--reply"), replayed.as_os_str()]).await?;

    let Asked { question, .. } = &of_durable;
    let sizes = [question.request.len(), reply.len()];
    let mut contenders = [
        Contender::new("ceiling", ceiling, question, &options).await?,
        Contender::new("sampled", sampled, &of_sampled.question, &options).await?,
        Contender::new("durable", durable, question, &options).await?,
    ];
    for round in 0..usize::from(options.rounds) {
        eprintln!("round {} of {}", round + 1, options.rounds);
        // Nobody always goes first.
        let (after, before) = contenders.split_at_mut(round % 3);
        for contender in before.iter_mut().chain(after) {
            contender.measure(&options).await?;
        }
    }
    // After all that load the suite still decides rightly and still records.
    of_sampled.again().await?;
    of_durable
        .again()
        .await?
        .is_recorded()
        .await
        .context("a decision after the load is not recorded")?;

    let settings = settings(&options, folder.path())?;
    let mut summaries = Vec::with_capacity(contenders.len());
    for contender in contenders {
        summaries.push(Summary::of(contender.rounds));
        contender.server.stop().await?;
    }
    let summaries = <[Summary; 3]>::try_from(summaries)
        .ok()
        .context("three contenders")?;
    let report = Report::new(settings, sizes, summaries);
    println!("{}", report.table());
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

async fn start_suite(folder: &Path, record: Record) -> anyhow::Result<Child> {
    let data = folder.join(record.name());
    Child::start([
        "suite".as_ref(),
        "--data".as_ref(),
        data.as_os_str(),
        "--record".as_ref(),
        record.name().as_ref(),
    ])
    .await
    .with_context(|| format!("the suite with its record {} does not start", record.name()))
}

fn settings(options: &Options, folder: &Path) -> anyhow::Result<Settings> {
    Ok(Settings {
        rounds: options.rounds.into(),
        seconds: options.duration.as_secs_f64(),
        connections: options.connections.into(),
        in_flight: options.in_flight.into(),
        rate: options.rate,
        cores: cores()?,
        optimised: !cfg!(debug_assertions),
        records_in_memory: crate::disk::is_in_memory(folder)?,
    })
}

fn cores() -> std::io::Result<usize> {
    Ok(std::thread::available_parallelism()?.get())
}
