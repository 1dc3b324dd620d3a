//! The yardstick: two sources and as many receivers as the suite has, each a process of its own, with no work of ours.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;
use tonic::Request;
use tonic::client::Grpc;
use tonic::transport::Channel;

use super::arrivals::Receivers;
use super::source::COMMIT;
use super::suite::{POLICIES, SOURCES, Suite, connect};
use crate::child::Child;
use crate::load;
use crate::wire::Raw;

/// The running yardstick.
#[derive(Debug)]
pub(crate) struct Push {
    sources: Vec<Child>,
    channels: Vec<Channel>,
    /// In the place of the policy replicas.
    receivers: Receivers,
    /// Number of the next event.
    next: u64,
}

impl Push {
    /// On the PostgreSQL and Redis of the suite.
    pub(crate) async fn start(beside: &Suite) -> anyhow::Result<Push> {
        let database = beside.spare_database().await;
        let (mut sources, mut channels) = (Vec::new(), Vec::new());
        for number in 0..SOURCES {
            let source = Child::start([
                "source".to_owned(),
                format!("--redis={}", beside.redis()),
                format!("--database={database}"),
                format!("--number={number}"),
            ])
            .await?;
            channels.push(connect(&format!("http://{}", source.address)).await?);
            sources.push(source);
        }
        let mut receivers = Vec::new();
        for turn in 0..POLICIES {
            let source = sources.get(turn % SOURCES).context("a source")?;
            receivers.push(start_receivers(&source.address.to_string(), 1).await?);
        }
        Ok(Push {
            sources,
            channels,
            receivers: Receivers::new(receivers, POLICIES as u64),
            next: 0,
        })
    }

    /// Subscribers beside them, in one process.
    pub(crate) async fn subscribers(&self, count: usize) -> anyhow::Result<Child> {
        let at: Vec<String> = self
            .sources
            .iter()
            .map(|source| source.address.to_string())
            .collect();
        start_receivers(&at.join(","), count).await
    }

    /// From the commits' return to the last of the receivers: those in the place of the policy replicas, or
    /// `subscribers` where there are some. In ns.
    pub(crate) async fn measure(
        &mut self,
        rate: u32,
        duration: Duration,
        subscribers: Option<&mut Receivers>,
    ) -> anyhow::Result<Vec<u64>> {
        let (pace, mut due) = unbounded_channel();
        let pacing = tokio::task::spawn_blocking(move || load::pace(rate, duration, &[pace]));
        let (mut channels, mut tasks) = (self.channels.iter().cycle(), JoinSet::new());
        while due.recv().await.is_some() {
            let channel = channels.next().context("a source")?.clone();
            let number = self.next;
            self.next += 1;
            tasks.spawn(async move { anyhow::Ok((number, commit(channel, number).await?)) });
        }
        pacing.await?;
        let commits: Vec<(u64, u64)> = tasks
            .join_all()
            .await
            .into_iter()
            .collect::<anyhow::Result<_>>()?;
        let events: Vec<u64> = commits.iter().map(|(event, _)| *event).collect();
        let last = match subscribers {
            Some(subscribers) => {
                self.receivers.all_had(&events).await?;
                subscribers.all_had(&events).await?
            }
            None => self.receivers.all_had(&events).await?,
        };
        let delays = commits
            .iter()
            .filter_map(|(event, at)| Some(last.get(event)?.saturating_sub(*at)));
        Ok(delays.collect())
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.receivers.stop().await?;
        for source in self.sources {
            source.stop().await?;
        }
        Ok(())
    }
}

async fn start_receivers(at: &str, count: usize) -> anyhow::Result<Child> {
    Child::start([
        "receivers".to_owned(),
        format!("--at={at}"),
        format!("--count={count}"),
    ])
    .await
}

/// When the commit returned.
async fn commit(channel: Channel, number: u64) -> anyhow::Result<u64> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await?;
    let request = Request::new(Bytes::copy_from_slice(&number.to_le_bytes()));
    let reply = grpc
        .unary(request, PathAndQuery::from_static(COMMIT), Raw)
        .await?;
    let at = reply.into_inner();
    Ok(u64::from_le_bytes(
        *at.first_chunk().context("a commit without its instant")?,
    ))
}
