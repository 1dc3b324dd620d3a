//! `greenstar-bench propagation`: how soon a confirmed flag is applied everywhere, counted from its commit's return,
//! beside a bare commit → XADD → XREAD → tonic push over as many processes. One run, interleaved.

mod arrivals;
mod bare;
mod embedded;
mod officers;
pub(crate) mod receivers;
mod report;
pub(crate) mod source;
mod suite;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use crate::disk;
use crate::machine::Usage;
use arrivals::Receivers;
use bare::Push;
use embedded::Embedded;
use report::{Report, Round, Settings, Spread};
use suite::Suite;

/// How often, and how many times, it is looked whether the last change has arrived.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: u32 = 400;

/// Settings of `propagation`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Rounds; in each, all six are measured once, the yardstick first in every other one.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Length of each of the six windows of a round.
    #[arg(long, default_value = "5s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// Flags per second.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Subscribers beside the policy replicas, in two of the windows.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    subscribers: u16,
    /// Flags per second in those two windows.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    subscribers_rate: u32,
    /// Where SQLite keeps its databases meanwhile, in a folder that is removed at the end; must be on a disk.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    data: PathBuf,
}

/// All that is running.
struct Stage {
    suite: Suite,
    push: Push,
    embedded: Embedded,
}

impl Stage {
    async fn round(&mut self, options: &Options, bare_first: bool) -> anyhow::Result<Round> {
        let before = Usage::now()?;
        let mut round = Round::default();
        for is_bare in [bare_first, !bare_first] {
            if is_bare {
                self.bare(options, &mut round).await?;
            } else {
                self.ours(options, &mut round).await?;
            }
        }
        round.others_share = Usage::now()?.others_since(&before);
        Ok(round)
    }

    async fn bare(&mut self, options: &Options, round: &mut Round) -> anyhow::Result<()> {
        let Options { rate, duration, .. } = *options;
        round.replicas.bare = Spread::of(self.push.measure(rate, duration, None).await?)?;
        let count = usize::from(options.subscribers);
        let process = self.push.subscribers(count).await?;
        let mut subscribers = Receivers::new(vec![process], count as u64);
        let delays = self
            .push
            .measure(options.subscribers_rate, duration, Some(&mut subscribers));
        round.subscribers.bare = Spread::of(delays.await?)?;
        subscribers.stop().await?;
        round.embedded.bare = Spread::of(self.embedded.measure_bare(rate, duration).await?)?;
        Ok(())
    }

    async fn ours(&mut self, options: &Options, round: &mut Round) -> anyhow::Result<()> {
        let Options { rate, duration, .. } = *options;
        let window = self.suite.measure(rate, duration).await?;
        round.replicas.suite = Spread::of(window.applied)?;
        round.first_restricted = Spread::of(window.restricted)?;
        let count = usize::from(options.subscribers);
        let process = self.suite.subscribers(count).await?;
        let mut subscribers = Receivers::new(vec![process], count as u64);
        let committed = self
            .suite
            .measure(options.subscribers_rate, duration)
            .await?
            .committed;
        let revisions: Vec<u64> = committed.keys().copied().collect();
        let last = subscribers.all_had(&revisions).await?;
        let delays = committed
            .iter()
            .map(|(revision, at)| Some(last.get(revision)?.saturating_sub(*at)));
        let delays = delays
            .collect::<Option<_>>()
            .context("a change that never arrived")?;
        round.subscribers.suite = Spread::of(delays)?;
        subscribers.stop().await?;
        let window = self.embedded.measure(rate, duration).await?;
        round.embedded.suite = Spread::of(window.applied)?;
        round.embedded_from_commit = Spread::of(window.from_commit)?;
        round.embedded_from_call = Spread::of(window.from_call)?;
        Ok(())
    }
}

/// Measures and prints.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new()
        .prefix("greenstar-bench-")
        .tempdir_in(&options.data)?;
    let suite = Suite::start().await?;
    let mut stage = Stage {
        push: Push::start(&suite).await?,
        embedded: Embedded::start(folder.path()).await?,
        suite,
    };
    let mut rounds = Vec::with_capacity(options.rounds.into());
    for number in 0..options.rounds {
        let round = stage.round(&options, number % 2 == 0).await?;
        eprintln!("round {} of {}: {round}", number + 1, options.rounds);
        rounds.push(round);
    }
    let settings = Settings {
        rounds: options.rounds.into(),
        seconds: options.duration.as_secs_f64(),
        rate: options.rate,
        subscribers: options.subscribers.into(),
        subscribers_rate: options.subscribers_rate,
        policy_replicas: suite::POLICIES,
        sanctions_replicas: suite::SOURCES,
        cores: std::thread::available_parallelism()?.get(),
        optimised: !cfg!(debug_assertions),
        data_in_memory: disk::is_in_memory(folder.path())?,
    };
    stage.embedded.stop().await?;
    stage.push.stop().await?;
    let report = Report::new(settings, rounds);
    println!("{}", report.table());
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
