//! One run: start, work under faults, mend, read the truth, check.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use greenstar_proto::common::v1::{ConvergenceQuestion, ConvergenceScope};
use greenstar_proto::rating::v1::ListEnterprisesRequest;
use greenstar_proto::rating::v1::enterprise_service_client::EnterpriseServiceClient;
use greenstar_proto::sanctions::v1::WaitConvergedRequest;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::supervision::v1::GetDecisionRequest;
use greenstar_proto::supervision::v1::decision_service_client::DecisionServiceClient;
use greenstar_proto::supervision::v1::licensing_service_client::LicensingServiceClient;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::check::{self, Findings};
use crate::clients::{Officers, Work};
use crate::history::{History, Seen};
use crate::nemesis;
use crate::topology::{Service, Shape, Topology};
use crate::truth::Truth;

/// Writers and deciders.
const WRITERS: u64 = 4;
/// For each replica.
const DECIDERS: u64 = 2;
/// Enterprises that the clients quarrel about.
const ENTERPRISES: usize = 12;
/// What all have to apply the last write once all is mended.
const HEALED: Duration = Duration::from_secs(30);
/// Recorded decisions that are looked up at the end.
const LOOKED_UP: usize = 200;

/// What a run found, as it is printed.
#[derive(Debug, Serialize)]
pub struct Report {
    pub seed: u64,
    pub seconds: u64,
    pub operations: BTreeMap<&'static str, u64>,
    pub faults: BTreeMap<String, u64>,
    pub unanswered: BTreeMap<String, u64>,
    /// Who had not applied a write when a client's wait of two seconds for it was over.
    pub outstanding: BTreeMap<String, u64>,
    pub violations: BTreeMap<&'static str, u64>,
    pub lost: u64,
    pub stale: u64,
    /// Where the logs of the processes are, if something was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

/// Runs for so many seconds under the faults that the seed gives.
pub async fn run(seconds: u64, seed: u64) -> anyhow::Result<(Report, Findings)> {
    let mut topology = Topology::start(Shape::CHECKED).await?;
    let ran = run_on(&mut topology, seconds, seed).await;
    if ran.is_err() {
        eprintln!("what the processes said is in {}", topology.keep().display());
    }
    ran
}

async fn run_on(topology: &mut Topology, seconds: u64, seed: u64) -> anyhow::Result<(Report, Findings)> {
    let history = Arc::new(History::default());
    let until = Instant::now() + Duration::from_secs(seconds);
    let work = Arc::new(Work::new(history.clone(), enterprises(topology).await?, until));
    let tasks = clients(topology, &work, seed)?;
    let faults = nemesis::run(topology, seed, until).await?;
    for task in tasks {
        task.await?;
    }
    healed(topology, &work).await?;
    let sanctions = topology.database(Service::Sanctions).await?;
    let rating = topology.database(Service::Rating).await?;
    let truth = Truth::read(&sanctions, &rating).await?;
    let seen = history.taken();
    let mut found = check::check(&seen, &truth);
    decisions_kept(topology, &seen, &mut found).await?;
    let folder = (found.total() > 0).then(|| topology.keep().display().to_string());
    let report = Report {
        seed,
        seconds,
        operations: operations(&seen, &truth),
        faults,
        unanswered: seen.unanswered.clone(),
        outstanding: seen.outstanding.clone(),
        violations: found.counts.clone(),
        lost: found.lost,
        stale: found.stale,
        folder,
    };
    Ok((report, found))
}

fn operations(seen: &Seen, truth: &Truth) -> BTreeMap<&'static str, u64> {
    let acknowledged = seen.writes.iter().filter(|write| write.done.is_some()).count();
    let caused = truth
        .standings
        .values()
        .flatten()
        .filter(|standing| standing.cause.is_some());
    BTreeMap::from([
        ("writes", seen.writes.len() as u64),
        ("writes_acknowledged", acknowledged as u64),
        ("decisions", seen.decisions.len() as u64),
        (
            "decisions_with_token",
            seen.decisions
                .iter()
                .filter(|decided| decided.asked.is_some())
                .count() as u64,
        ),
        (
            "manual_reviews",
            seen.decisions
                .iter()
                .filter(|decided| decided.manual_review)
                .count() as u64,
        ),
        ("frames", seen.frames.len() as u64),
        ("converged", seen.converged.len() as u64),
        ("revisions", truth.head),
        ("caused_ratings", caused.count() as u64),
    ])
}

async fn enterprises(topology: &Topology) -> anyhow::Result<Vec<String>> {
    let mut client = EnterpriseServiceClient::new(topology.clients(Service::Rating, "rating")?);
    let request = ListEnterprisesRequest {
        page_size: ENTERPRISES as i32,
        ..Default::default()
    };
    let listed = client.list_enterprises(request).await?.into_inner();
    Ok(listed
        .enterprises
        .into_iter()
        .map(|enterprise| enterprise.name)
        .collect())
}

fn clients(
    topology: &Topology,
    work: &Arc<Work>,
    seed: u64,
) -> anyhow::Result<Vec<tokio::task::JoinHandle<()>>> {
    let mut tasks = Vec::new();
    for writer in 0..WRITERS {
        let officers = Officers {
            proposer: topology.clients(Service::Sanctions, "enforcement")?,
            confirmer: topology.clients(Service::Sanctions, "enforcement/2")?,
            reviewer: topology.clients(Service::Sanctions, "enforcement/3")?,
            recorder: topology.clients(Service::Rating, "enforcement")?,
        };
        tasks.push(tokio::spawn(
            work.clone().write(officers, seed ^ (1_000 + writer)),
        ));
    }
    for node in topology.of(Service::Policy).chain(topology.of(Service::Gateway)) {
        for decider in 0..DECIDERS {
            let client = topology.client(node, "licensing")?;
            let seed = seed ^ (2_000 + tasks.len() as u64 * 10 + decider);
            tasks.push(tokio::spawn(work.clone().decide(node.name.clone(), client, seed)));
        }
    }
    for (watcher, node) in topology.of(Service::Sanctions).enumerate() {
        let client = topology.client(node, "enforcement/subscriber")?;
        tasks.push(tokio::spawn(work.clone().watch(watcher, client)));
    }
    Ok(tasks)
}

/// P5 and P2 once all is mended: everybody applies the last write, and answers as fresh again.
async fn healed(topology: &Topology, work: &Work) -> anyhow::Result<()> {
    let until = Instant::now() + HEALED;
    for node in topology.of(Service::Policy) {
        let client = LicensingServiceClient::new(topology.client(node, "licensing")?);
        loop {
            let enterprise = work.enterprises.first().cloned().context("an enterprise")?;
            let decided = work.ask(&node.name, client.clone(), enterprise, None).await;
            if decided.is_some_and(|decided| !decided.manual_review) {
                break;
            }
            if Instant::now() >= until {
                let said = format!("{} does not answer as fresh 30 s after all is mended", node.name);
                work.history.note(|seen| seen.violations.push(("P2", said)));
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
    let newest = work.history.note(|seen| {
        let done = seen.writes.iter().filter_map(|write| write.done.as_ref());
        done.max_by_key(|done| done.at).map(|done| done.token.to_string())
    });
    let Some(token) = newest else { return Ok(()) };
    // Watchers of departments have gone by now: a laggard by name until an operator removes them.
    let client = topology.clients(Service::Sanctions, "operator")?;
    let mut client = FlagServiceClient::new(client);
    for watcher in 0..topology.of(Service::Sanctions).count() {
        let request = greenstar_proto::sanctions::v1::RemoveSubscriberRequest {
            subscriber: format!("enforcement/watcher-{watcher}"),
        };
        client.remove_subscriber(request).await?;
    }
    let question = ConvergenceQuestion {
        token,
        scope: ConvergenceScope::All.into(),
        timeout: Some(HEALED.into()),
    };
    let request = WaitConvergedRequest {
        question: Some(question),
    };
    let mut answers = client.wait_converged(request).await?.into_inner();
    let mut last = None;
    while let Some(answer) = answers.message().await? {
        last = Some(answer);
    }
    if !last.as_ref().is_some_and(|last| last.converged) {
        let said = format!("30 s after all is mended not all have applied the last write: {last:?}");
        work.history.note(|seen| seen.violations.push(("P5", said)));
    }
    Ok(())
}

/// P3: decisions that were given are on record, whichever replica is asked.
async fn decisions_kept(topology: &Topology, seen: &Seen, found: &mut Findings) -> anyhow::Result<()> {
    let recorded: Vec<_> = seen
        .decisions
        .iter()
        .filter(|decided| !decided.name.is_empty())
        .collect();
    let step = (recorded.len() / LOOKED_UP).max(1);
    let client = DecisionServiceClient::new(topology.clients(Service::Policy, "licensing")?);
    for decided in recorded.into_iter().step_by(step) {
        let request = GetDecisionRequest {
            name: decided.name.clone(),
        };
        let until = Instant::now() + HEALED;
        let kept = loop {
            match client.clone().get_decision(request.clone()).await {
                Ok(answer) => break answer.into_inner().decision.map(|decision| decision.outcome),
                Err(status) if status.code() == tonic::Code::Unavailable && Instant::now() < until => {
                    sleep(Duration::from_millis(100)).await;
                }
                Err(_) => break None,
            }
        };
        if kept.as_ref() != Some(&decided.outcome) {
            found.lost += 1;
            found.add(
                "P3",
                format!(
                    "{} was {} and is on record as {kept:?}",
                    decided.name, decided.outcome
                ),
            );
        }
    }
    Ok(())
}
