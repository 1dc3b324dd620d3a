//! Breaks things, one or two at a time, and mends them again.

use std::collections::BTreeMap;
use std::time::Duration;

use greenstar_testkit::Way;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::{Instant, sleep};

use crate::topology::{Service, Topology};

/// What can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// -9, and started again.
    Kill,
    /// Redis is gone for a while.
    RedisGone,
    /// Redis forgets everything.
    RedisWiped,
    /// PostgreSQL crashes and recovers.
    PostgresCrash,
    /// A link is cut: connections break, new ones are made.
    Cut,
    /// Connections of a link go half open.
    Silence,
    /// A link carries nothing one way, for a while.
    OneWay,
    /// A link is slow.
    Slow,
    /// A clock is off.
    Clock,
}

const FAULTS: [Fault; 9] = [
    Fault::Kill,
    Fault::RedisGone,
    Fault::RedisWiped,
    Fault::PostgresCrash,
    Fault::Cut,
    Fault::Silence,
    Fault::OneWay,
    Fault::Slow,
    Fault::Clock,
];

/// Breaks things until `until`, and leaves all mended. Answers how often what was done.
pub async fn run(
    topology: &mut Topology,
    seed: u64,
    until: Instant,
) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut counts = BTreeMap::new();
    sleep(Duration::from_millis(500)).await;
    while Instant::now() < until {
        let fault = FAULTS[rng.random_range(0..FAULTS.len())];
        let lasting = Duration::from_millis(rng.random_range(100..2_500));
        *counts.entry(format!("{fault:?}")).or_default() += 1;
        tracing::info!(?fault, ?lasting, "breaking");
        one(topology, fault, lasting, &mut rng).await?;
        sleep(Duration::from_millis(rng.random_range(200..1_500))).await;
    }
    mend(topology).await?;
    Ok(counts)
}

async fn one(
    topology: &mut Topology,
    fault: Fault,
    lasting: Duration,
    rng: &mut StdRng,
) -> anyhow::Result<()> {
    let link = rng.random_range(0..topology.links.len().max(1));
    let way = if rng.random_bool(0.5) {
        Way::ToServer
    } else {
        Way::ToClient
    };
    match fault {
        Fault::Kill => {
            let killable: Vec<usize> = (0..topology.nodes.len())
                .filter(|at| topology.nodes[*at].service != Service::Gateway)
                .collect();
            let at = killable[rng.random_range(0..killable.len())];
            topology.nodes[at].kill();
            sleep(lasting).await;
            start_again(topology, at).await?;
        }
        Fault::RedisGone => {
            topology.redis.stop();
            sleep(lasting).await;
            topology.redis.start_again();
        }
        Fault::RedisWiped => topology.redis.crash_and_restart(),
        Fault::PostgresCrash => topology.postgres.crash_and_restart(),
        Fault::Cut => {
            if let Some(link) = topology.links.get(link) {
                link.proxy.cut();
            }
        }
        Fault::Silence => {
            if let Some(link) = topology.links.get(link) {
                link.proxy.silence();
            }
            sleep(lasting).await;
        }
        Fault::OneWay => {
            if let Some(link) = topology.links.get(link) {
                tracing::info!(from = link.from, to = link.to, ?way, "one way");
                link.proxy.mute(Some(way));
                sleep(lasting * 3).await;
                link.proxy.mute(None);
            }
        }
        Fault::Slow => {
            let by = Duration::from_millis(rng.random_range(5..300));
            if let Some(link) = topology.links.get(link) {
                link.proxy.delay(by);
                sleep(lasting).await;
                link.proxy.delay(Duration::ZERO);
            }
        }
        Fault::Clock => {
            let at = rng.random_range(0..topology.nodes.len());
            // A policy replica that was a day ahead answers by manual review for a day: it cannot know better.
            let source = matches!(topology.nodes[at].service, Service::Rating | Service::Sanctions);
            let most: i64 = if source && rng.random_bool(0.3) {
                86_400_000
            } else {
                30_000
            };
            let off = rng.random_range(-most..most);
            topology.nodes[at].move_clock(off)?;
            sleep(lasting).await;
            topology.nodes[at].move_clock(0)?;
        }
    }
    Ok(())
}

/// A replica may find its database away for a moment.
async fn start_again(topology: &mut Topology, at: usize) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        match topology.nodes[at].start() {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() >= until => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "it does not start");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn mend(topology: &mut Topology) -> anyhow::Result<()> {
    for link in &topology.links {
        link.proxy.mute(None);
        link.proxy.delay(Duration::ZERO);
    }
    for at in 0..topology.nodes.len() {
        topology.nodes[at].move_clock(0)?;
        if !topology.nodes[at].is_up() {
            start_again(topology, at).await?;
        }
    }
    topology.all_serve(Duration::from_secs(60)).await
}
