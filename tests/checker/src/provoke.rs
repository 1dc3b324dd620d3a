//! Provoke, then prevent: without a token a replica that hears late grants a permit on a standing that is over; with
//! the token of the confirmation none does, however bad its links are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use greenstar_proto::common::v1::{Consistency, Document};
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::sanctions::v1::{ConfirmFlagRequest, LiftFlagRequest, RaiseFlagRequest};
use greenstar_proto::supervision::v1::CheckPermitRequest;
use greenstar_proto::supervision::v1::licensing_service_client::LicensingServiceClient;
use greenstar_rpc::Client;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::topology::{Service, Shape, Topology};

/// A five-star firm of the sample.
const FIRM: &str = "enterprises/91110115MAX000015J";
/// Without a token the anomaly has to show within so many tries.
const PROVOKED_WITHIN: u64 = 500;

/// What was seen.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Tries without a token, until the first anomaly.
    pub unfenced_tries: u64,
    /// Permits on a standing that was over, without a token.
    pub unfenced_anomalies: u64,
    /// Tries with the token.
    pub fenced_tries: u64,
    /// Of those, answers.
    pub fenced_answers: u64,
    /// Permits on a standing that was over, with the token. The promise is none.
    pub fenced_anomalies: u64,
}

impl Report {
    /// Whether the anomaly was there, and is prevented.
    pub fn holds(&self) -> bool {
        self.unfenced_anomalies > 0 && self.fenced_anomalies == 0 && self.fenced_answers > 0
    }
}

/// Starts the topology, makes its links bad, and tries.
pub async fn run(tries: u64) -> anyhow::Result<Report> {
    let topology = Topology::start(Shape::CHECKED).await?;
    let stage = Stage::new(&topology)?;
    let over = Arc::new(AtomicBool::new(false));
    let trouble = trouble(&topology, over.clone());
    let tried = async {
        let report = stage.play(tries).await;
        over.store(true, Ordering::Relaxed);
        report
    };
    let (report, ()) = tokio::join!(tried, trouble);
    report
}

/// Links towards the policy replicas: slow, each by another delay so that news overtake one another, and cut.
async fn trouble(topology: &Topology, over: Arc<AtomicBool>) {
    let mut rng = StdRng::seed_from_u64(1);
    let links: Vec<_> = topology
        .links
        .iter()
        .filter(|link| link.from.starts_with("supervision-policy/") && link.to.contains('/'))
        .collect();
    while !over.load(Ordering::Relaxed) {
        for link in &links {
            link.proxy.delay(Duration::from_millis(rng.random_range(0..30)));
        }
        if let Some(link) = links.get(rng.random_range(0..links.len().max(1)))
            && rng.random_bool(0.2)
        {
            link.proxy.cut();
        }
        sleep(Duration::from_millis(100)).await;
    }
    for link in &links {
        link.proxy.delay(Duration::ZERO);
    }
}

struct Stage {
    proposer: FlagServiceClient<Client>,
    confirmer: FlagServiceClient<Client>,
    replicas: Vec<LicensingServiceClient<Client>>,
    date: String,
}

impl Stage {
    fn new(topology: &Topology) -> anyhow::Result<Stage> {
        let replicas: anyhow::Result<Vec<_>> = topology
            .of(Service::Policy)
            .map(|node| Ok(LicensingServiceClient::new(topology.client(node, "licensing")?)))
            .collect();
        let today = greenstar_kernel::Clock::now(&greenstar_kernel::SystemClock::new()).date();
        Ok(Stage {
            proposer: FlagServiceClient::new(topology.clients(Service::Sanctions, "enforcement")?),
            confirmer: FlagServiceClient::new(topology.clients(Service::Sanctions, "enforcement/2")?),
            replicas: replicas?,
            date: today.plus_days(-30).to_string(),
        })
    }

    async fn play(&self, tries: u64) -> anyhow::Result<Report> {
        let mut report = Report {
            unfenced_tries: 0,
            unfenced_anomalies: 0,
            fenced_tries: 0,
            fenced_answers: 0,
            fenced_anomalies: 0,
        };
        let mut number = 0;
        while report.unfenced_anomalies == 0 && report.unfenced_tries < PROVOKED_WITHIN {
            number += 1;
            let (flag, _token) = self.flag(number).await?;
            for outcome in self.ask_all(None).await {
                report.unfenced_tries += 1;
                report.unfenced_anomalies += u64::from(outcome.as_deref() == Some("FAST_TRACK"));
            }
            self.lift(&flag).await?;
        }
        while report.fenced_answers < tries {
            number += 1;
            let (flag, token) = self.flag(number).await?;
            for _ in 0..8 {
                for outcome in self.ask_all(Some(&token)).await {
                    report.fenced_tries += 1;
                    report.fenced_answers += u64::from(outcome.is_some());
                    report.fenced_anomalies += u64::from(outcome.as_deref() == Some("FAST_TRACK"));
                }
            }
            self.lift(&flag).await?;
        }
        Ok(report)
    }

    /// Raised and confirmed.
    async fn flag(&self, number: u64) -> anyhow::Result<(String, String)> {
        let request = RaiseFlagRequest {
            parent: FIRM.to_owned(),
            kind: "serious-penalty".to_owned(),
            document: Some(Document {
                issuer: "大兴区生态环境局".to_owned(),
                number: format!("检验〔2026〕{number}号"),
                date: self.date.clone(),
            }),
            ..Default::default()
        };
        let raised = self.proposer.clone().raise_flag(request).await?.into_inner();
        let name = raised.flag.map(|flag| flag.name).unwrap_or_default();
        let request = ConfirmFlagRequest {
            name: name.clone(),
            ..Default::default()
        };
        let confirmed = self.confirmer.clone().confirm_flag(request).await?.into_inner();
        Ok((name, confirmed.token))
    }

    /// Once the firm is clear again everywhere, the next try begins.
    async fn lift(&self, flag: &str) -> anyhow::Result<()> {
        let request = LiftFlagRequest {
            name: flag.to_owned(),
            reason: "the next try".to_owned(),
            ..Default::default()
        };
        let token = self.proposer.clone().lift_flag(request).await?.into_inner().token;
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            let outcomes = self.ask_all(Some(&token)).await;
            if outcomes
                .iter()
                .all(|outcome| outcome.as_deref() == Some("FAST_TRACK"))
            {
                return Ok(());
            }
        }
        anyhow::bail!("the firm does not become clear again after {flag}")
    }

    /// The outcome at each replica; none where it gave no answer.
    async fn ask_all(&self, token: Option<&str>) -> Vec<Option<String>> {
        let asking = self.replicas.iter().map(|replica| {
            let request = CheckPermitRequest {
                enterprise: FIRM.to_owned(),
                permit_kind: "pollutant-permit".to_owned(),
                consistency: token.map(|token| Consistency {
                    at_least_as_fresh: vec![token.to_owned()],
                    ..Default::default()
                }),
                ..Default::default()
            };
            let mut replica = replica.clone();
            async move {
                let answer = replica.check_permit(request).await.ok()?.into_inner();
                Some(answer.outcome)
            }
        });
        futures::future::join_all(asking).await
    }
}
