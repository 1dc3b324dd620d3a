//! Officers who propose flags and confirm them at a fixed rate.

use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::flags::{Officer, Requests, Written};
use crate::{load, mono};

/// Proposals on the way at once.
const PROPOSERS: usize = 16;

/// Two officers at each replica of the sanctions service, so that one can propose and the other confirm.
#[derive(Debug)]
pub(crate) struct Officers {
    proposers: Vec<Officer>,
    confirmers: Vec<Officer>,
    requests: Requests,
    /// Number of the next flag.
    next: u32,
}

/// A flag that was confirmed.
#[derive(Clone, Debug)]
pub(crate) struct Confirmed {
    /// When the call was made.
    pub(crate) called: u64,
    pub(crate) flag: Written,
}

impl Officers {
    /// `secrets`: of the proposer and of the confirmer.
    pub(crate) fn new(replicas: &[Channel], secrets: [&str; 2]) -> anyhow::Result<Officers> {
        let of = |secret: &str| -> anyhow::Result<Vec<Officer>> {
            let officers = replicas.iter().cloned().map(|at| Officer::new(at, secret));
            officers.collect()
        };
        Ok(Officers {
            proposers: of(secrets[0])?,
            confirmers: of(secrets[1])?,
            requests: Requests::new(),
            next: 0,
        })
    }

    /// Proposes so many flags, as fast as it goes, and answers them.
    pub(crate) async fn propose(&mut self, count: usize) -> anyhow::Result<Vec<Written>> {
        let (mut tasks, mut flags) = (JoinSet::new(), Vec::with_capacity(count));
        for officer in (0..count).map(|at| at % self.proposers.len()) {
            let mut officer = self.proposers.get(officer).context("a proposer")?.clone();
            let request = self.requests.raise(self.next)?;
            self.next += 1;
            if tasks.len() >= PROPOSERS
                && let Some(flag) = tasks.join_next().await
            {
                flags.push(flag??);
            }
            tasks.spawn(async move { officer.raise(&request).await });
        }
        for flag in tasks.join_all().await {
            flags.push(flag?);
        }
        Ok(flags)
    }

    /// Confirms `rate` of these a second for `duration`, at the replicas in turn and when they are due, whether or not
    /// earlier ones are answered. Each is told to `told` as soon as it is.
    pub(crate) async fn confirm(
        &self,
        flags: Vec<Written>,
        rate: u32,
        duration: Duration,
        told: UnboundedSender<Confirmed>,
    ) -> anyhow::Result<Vec<Confirmed>> {
        let (pace, mut due) = unbounded_channel();
        let pacing = tokio::task::spawn_blocking(move || load::pace(rate, duration, &[pace]));
        let (mut flags, mut officers) = (flags.into_iter(), self.confirmers.iter().cycle());
        let mut tasks = JoinSet::new();
        while due.recv().await.is_some() {
            let flag = flags.next().context("fewer proposals than instants")?;
            let mut officer = officers.next().context("a confirmer")?.clone();
            let request = self.requests.confirm(&flag.name);
            let told = told.clone();
            tasks.spawn(async move {
                let called = mono::now();
                let flag = officer.confirm(&request).await?;
                let confirmed = Confirmed { called, flag };
                // Nobody need listen.
                let _ = told.send(confirmed.clone());
                anyhow::Ok(confirmed)
            });
        }
        pacing.await?;
        tasks.join_all().await.into_iter().collect()
    }
}

/// How many instants there are in `duration` at `rate`.
pub(crate) fn instants(rate: u32, duration: Duration) -> usize {
    let count = duration.as_nanos() * u128::from(rate);
    usize::try_from(count.div_ceil(1_000_000_000)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_an_instant_at_the_start_and_none_at_the_end() {
        assert_eq!(instants(200, Duration::from_secs(3)), 600);
        assert_eq!(instants(3, Duration::from_millis(400)), 2);
    }
}
