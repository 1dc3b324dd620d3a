//! `greenstar-bench check`: CheckPermit through the suite, its record sampled and durable, beside a bare
//! tonic server that replays the same reply. One run, interleaved, so that all meet the same machine. Then the suite
//! beside a stock server by number of connections, and in batches.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use prost::Message;

use crate::child::Child;
use crate::disk;
use crate::load::{Load, Question};
use crate::report::{Beside, Report, Settings, Sweep};
use crate::stats::{Figures, Summary, micros};
use crate::suite::{self, Asked, Record};

/// Settings of `check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Rounds; in each, all three are measured once, in turning order.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Length of each window; a round has two for each of the three, closed loop and open loop, one of batches, and one
    /// of half the length for the suite and the stock server at each number of connections.
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
    question: Question,
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
            question: question.clone(),
            rounds: Vec::new(),
        })
    }

    async fn measure(&mut self, options: &Options) -> anyhow::Result<()> {
        let in_flight = options.in_flight.into();
        let closed = self
            .load
            .window(in_flight, options.duration, &mut self.server)
            .await;
        let closed = closed.with_context(|| self.name)?;
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

/// Numbers of connections at which the suite meets the stock server.
const CONNECTIONS: [usize; 5] = [1, 2, 4, 8, 16];
/// Items of a batch, as many as the contract takes.
const ITEMS: u16 = 1_000;
/// Batches on the way at once: on two connections, two each.
const BATCH_CONNECTIONS: usize = 2;
const BATCHES_IN_FLIGHT: usize = 2;

/// The stock server beside the suite with its record sampled, by number of connections.
struct Stock {
    server: Child,
    question: Question,
    sweeps: Vec<Sweep>,
}

impl Stock {
    /// The program that lies beside this one; where it was not built, the ceiling, which has the suite's allocator and
    /// is the faster of the two.
    async fn start(reply: &Path, question: &Question) -> anyhow::Result<(Stock, &'static str)> {
        let arguments = [OsStr::new("ceiling"), OsStr::new("--reply"), reply.as_os_str()];
        let program = std::env::current_exe()?.with_file_name("greenstar-bench-stock");
        let (server, allocator) = if program.exists() {
            (Child::start_program(&program, arguments).await?, "system")
        } else {
            (Child::start(arguments).await?, "mimalloc")
        };
        let sweep = |connections| Sweep {
            connections,
            stock: Vec::new(),
            suite: Vec::new(),
        };
        let stock = Stock {
            server,
            question: question.clone(),
            sweeps: CONNECTIONS.map(sweep).into(),
        };
        Ok((stock, allocator))
    }

    async fn measure(
        &mut self,
        options: &Options,
        round: usize,
        suite: &mut Contender,
    ) -> anyhow::Result<()> {
        let (in_flight, length) = (options.in_flight.into(), options.duration / 2);
        for sweep in &mut self.sweeps {
            let connections = sweep.connections;
            // Nobody always goes first.
            for suite_now in [round.is_multiple_of(2), !round.is_multiple_of(2)] {
                let (server, question, into) = if suite_now {
                    (&mut suite.server, &suite.question, &mut sweep.suite)
                } else {
                    (&mut self.server, &self.question, &mut sweep.stock)
                };
                let load = Load::connect(server.address, question, connections).await?;
                into.push(load.window(in_flight, length, server).await?.per_second());
            }
            if let (Some(stock), Some(suite)) = (sweep.stock.last(), sweep.suite.last()) {
                eprintln!("  {connections:>2} connections: stock {stock:>8.0} req/s, suite {suite:>8.0}");
            }
        }
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
    let (mut stock, stock_allocator) = Stock::start(&replayed, question).await?;
    let sizes = [question.request.len(), reply.len()];
    let mut contenders = [
        Contender::new("ceiling", ceiling, question, &options).await?,
        Contender::new("sampled", sampled, &of_sampled.question, &options).await?,
        Contender::new("durable", durable, question, &options).await?,
    ];
    let batch = of_sampled.batch(ITEMS.into());
    let (mut batch_cpu_us, mut sync_p99_us) = (Vec::new(), Vec::new());
    for round in 0..usize::from(options.rounds) {
        eprintln!("round {} of {}", round + 1, options.rounds);
        // Nobody always goes first.
        let (after, before) = contenders.split_at_mut(round % 3);
        for contender in before.iter_mut().chain(after) {
            contender.measure(&options).await?;
        }
        let data = folder.path().to_owned();
        sync_p99_us.push(micros(
            tokio::task::spawn_blocking(move || disk::sync_p99(&data)).await??,
        ));
        let [_, sampled, _] = &mut contenders;
        let load = Load::connect(sampled.server.address, &batch, BATCH_CONNECTIONS).await?;
        let batches = load
            .window(BATCHES_IN_FLIGHT, options.duration, &mut sampled.server)
            .await?;
        let item = batches.cpu_us() / f64::from(ITEMS);
        batch_cpu_us.push(item);
        eprintln!("  batches  {item:>8.3} us CPU an item");
        stock.measure(&options, round, sampled).await?;
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
    let Stock { server, sweeps, .. } = stock;
    server.stop().await?;
    let beside = Beside {
        stock_allocator,
        sweeps,
        batch_cpu_us,
        sync_p99_us,
    };
    let report = Report::new(settings, sizes, summaries, beside);
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
