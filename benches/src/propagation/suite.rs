//! The suite as in production: two sanctions replicas and three of supervision-policy on PostgreSQL and Redis, all
//! processes of their own that say when changes passed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use greenstar_checker::topology::{Service, Shape, Topology};
use greenstar_kernel::Position;
use greenstar_proto::common::v1::Consistency;
use greenstar_proto::supervision::v1::CheckPermitRequest;
use greenstar_proto::supervision::v1::licensing_service_client::LicensingServiceClient;
use greenstar_rpc::Client;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};

use super::officers::{Confirmed, Officers, instants};
use super::{LOOK, LOOKS};
use crate::child::Child;
use crate::mono;
use crate::stamps::{self, Passages};

/// Of so many confirmations one is followed by a question about the firm.
const ASK_EVERY: usize = 10;

pub(crate) const POLICIES: usize = 3;
pub(crate) const SOURCES: usize = 2;

/// The running suite.
#[derive(Debug)]
pub(crate) struct Suite {
    topology: Topology,
    officers: Officers,
    /// One at each policy replica.
    licensing: Vec<LicensingServiceClient<Client>>,
    /// Where the log stood last.
    head: Position,
}

/// One window.
#[derive(Debug)]
pub(crate) struct Window {
    /// From the commit's return to the last policy replica, ns.
    pub(crate) applied: Vec<u64>,
    /// From the commit's return to the first restricted answer, ns.
    pub(crate) restricted: Vec<u64>,
    /// When the commit of a revision returned.
    pub(crate) committed: BTreeMap<u64, u64>,
}

impl Suite {
    pub(crate) async fn start() -> anyhow::Result<Suite> {
        let topology = Topology::start(Shape {
            rating: 1,
            sanctions: SOURCES,
            policy: POLICIES,
            faults: false,
            sample: true,
        })
        .await?;
        let mut channels = Vec::new();
        for node in topology.of(Service::Sanctions) {
            channels.push(connect(&node.url()).await?);
        }
        let secrets = [topology.secret("enforcement")?, topology.secret("enforcement/2")?];
        let [proposer, confirmer] = &secrets;
        let mut officers = Officers::new(&channels, [proposer, confirmer])?;
        let licensing = topology
            .of(Service::Policy)
            .map(|node| Ok(LicensingServiceClient::new(topology.client(node, "licensing")?)))
            .collect::<anyhow::Result<_>>()?;
        let first = officers.propose(1).await?;
        let head = first.first().context("a proposal")?.at.clone();
        Ok(Suite {
            topology,
            officers,
            licensing,
            head,
        })
    }

    /// URL of a fresh database on the suite's PostgreSQL.
    pub(crate) async fn spare_database(&self) -> String {
        self.topology.postgres.database().await
    }

    /// URL of the suite's Redis.
    pub(crate) fn redis(&self) -> String {
        self.topology.redis.url()
    }

    /// Subscribers beside the policy replicas, in one process, from here on.
    pub(crate) async fn subscribers(&self, count: usize) -> anyhow::Result<Child> {
        let at: Vec<String> = self
            .topology
            .of(Service::Sanctions)
            .map(|node| node.address.to_string())
            .collect();
        let Position { epoch, revision } = &self.head;
        Child::start([
            "receivers".to_owned(),
            format!("--at={}", at.join(",")),
            format!("--count={count}"),
            format!("--cursor={epoch}.{revision}"),
            format!("--secret={}", self.topology.secret("enforcement/subscriber")?),
        ])
        .await
    }

    /// Proposes outside the window, confirms in it, and follows each confirmation.
    pub(crate) async fn measure(&mut self, rate: u32, duration: Duration) -> anyhow::Result<Window> {
        let proposals = self.officers.propose(instants(rate, duration)).await?;
        self.all_applied(proposals.iter().map(|flag| flag.at.revision.0))
            .await?;
        let (told, confirmations) = unbounded_channel();
        let asking = tokio::spawn(ask(confirmations, self.licensing.clone()));
        let confirmed = self.officers.confirm(proposals, rate, duration, told).await?;
        let asked = asking.await??;
        let last = confirmed
            .iter()
            .max_by_key(|confirmed| confirmed.flag.at.revision);
        self.head = last.context("nothing was confirmed")?.flag.at.clone();
        let revisions: Vec<u64> = confirmed
            .iter()
            .map(|confirmed| confirmed.flag.at.revision.0)
            .collect();
        let policies = self.all_applied(revisions.iter().copied()).await?;
        let sources = self.passages(Service::Sanctions)?;
        let mut window = Window {
            applied: Vec::with_capacity(revisions.len()),
            restricted: Vec::with_capacity(asked.len()),
            committed: BTreeMap::new(),
        };
        for revision in revisions {
            let commit = sources.iter().find_map(|source| source.commit(revision));
            let (_, committed) = commit.with_context(|| format!("nobody committed revision {revision}"))?;
            let applied = policies
                .iter()
                .filter_map(|policy| policy.applied(revision))
                .max();
            let applied = applied.context("a view that is behind")?;
            window.applied.push(applied.saturating_sub(committed));
            if let Some(at) = asked.get(&revision) {
                window.restricted.push(at.saturating_sub(committed));
            }
            window.committed.insert(revision, committed);
        }
        Ok(window)
    }

    /// When changes passed the policy replicas, once all of them hold these revisions.
    async fn all_applied(&self, revisions: impl Iterator<Item = u64>) -> anyhow::Result<Vec<Passages>> {
        let last = revisions.max().context("nothing to be applied")?;
        for _ in 0..LOOKS {
            let policies = self.passages(Service::Policy)?;
            if policies.iter().all(|policy| policy.applied(last).is_some()) {
                return Ok(policies);
            }
            tokio::time::sleep(LOOK).await;
        }
        anyhow::bail!("a policy replica does not apply revision {last}")
    }

    fn passages(&self, of: Service) -> anyhow::Result<Vec<Passages>> {
        let epoch = self.head.epoch.to_string();
        let files = self.topology.of(of).map(|node| self.stamps(&node.name));
        files
            .map(|file| Ok(Passages::of(&stamps::read(&file)?, &epoch)))
            .collect()
    }

    /// Beside the clock file of the node.
    fn stamps(&self, node: &str) -> PathBuf {
        let file = format!("{}.stamps", node.replace('/', "-"));
        self.topology.folder().join(file)
    }
}

pub(crate) async fn connect(url: &str) -> anyhow::Result<Channel> {
    let endpoint = Endpoint::from_shared(url.to_owned())?.tcp_nodelay(true);
    endpoint.connect().await.with_context(|| url.to_owned())
}

/// Asks for a permit with the token of a confirmation as soon as that is handed over, at the replicas in turn, and
/// answers when the answers came. One without the flag ends the run.
async fn ask(
    mut confirmations: UnboundedReceiver<Confirmed>,
    licensing: Vec<LicensingServiceClient<Client>>,
) -> anyhow::Result<BTreeMap<u64, u64>> {
    let (mut tasks, mut replicas) = (JoinSet::new(), licensing.iter().cycle());
    let mut count = 0;
    while let Some(Confirmed { flag, .. }) = confirmations.recv().await {
        count += 1;
        if count % ASK_EVERY != 1 {
            continue;
        }
        let mut client = replicas.next().context("a policy replica")?.clone();
        tasks.spawn(async move {
            let firm = flag.name.split("/flags/").next().unwrap_or_default();
            let request = CheckPermitRequest {
                enterprise: firm.to_owned(),
                permit_kind: "pollutant-permit".to_owned(),
                consistency: Some(Consistency {
                    at_least_as_fresh: vec![flag.token],
                    ..Default::default()
                }),
                ..Default::default()
            };
            let answer = client.check_permit(request).await?.into_inner();
            let at = mono::now();
            let is_restricted = answer.flags.iter().any(|shown| shown.name == flag.name);
            ensure!(
                is_restricted,
                "an answer without the flag whose token it was asked with"
            );
            anyhow::Ok((flag.at.revision.0, at))
        });
    }
    tasks.join_all().await.into_iter().collect()
}
