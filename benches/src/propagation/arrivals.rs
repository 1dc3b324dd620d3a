//! What arrived at receivers: how often each event, and when the last time.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, ensure};

use crate::child::Child;
use crate::mono;

/// The line that asks a process of receivers for what arrived since it was last asked.
pub(crate) const ASK: &str = "arrived";

/// Shared by the receivers of a process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrivals(Arc<Mutex<BTreeMap<u64, (u64, u64)>>>);

impl Arrivals {
    /// These events arrived at one receiver, now.
    pub(crate) fn note(&self, events: RangeInclusive<u64>) {
        let at = mono::now();
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            add(&mut noted, event, 1, at);
        }
    }

    /// The answer to [`ASK`].
    pub(crate) fn tell(&self) -> String {
        let noted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let parts: Vec<String> = noted
            .into_iter()
            .map(|(event, (times, last))| format!("{event} {times} {last}"))
            .collect();
        parts.join(",")
    }
}

fn add(noted: &mut BTreeMap<u64, (u64, u64)>, event: u64, times: u64, at: u64) {
    let (known, last) = noted.entry(event).or_default();
    *known += times;
    *last = at.max(*last);
}

/// Processes of receivers, from the side that asks them.
#[derive(Debug)]
pub(crate) struct Receivers {
    processes: Vec<Child>,
    /// How many there are in all of them.
    count: u64,
}

impl Receivers {
    pub(crate) fn new(processes: Vec<Child>, count: u64) -> Receivers {
        Receivers { processes, count }
    }

    /// When the last receiver had each of these events, once all had all.
    pub(crate) async fn all_had(&mut self, events: &[u64]) -> anyhow::Result<BTreeMap<u64, u64>> {
        let mut noted = BTreeMap::new();
        let arrived = |noted: &BTreeMap<u64, (u64, u64)>| {
            let times = |event| noted.get(event).map_or(0, |(times, _)| *times);
            events.iter().all(|event| times(event) >= self.count)
        };
        for _ in 0..super::LOOKS {
            for process in &mut self.processes {
                let told = process.ask(ASK).await?;
                for part in told.split(',').filter(|part| !part.is_empty()) {
                    let numbers: Vec<u64> = part.split(' ').map_while(|n| n.parse().ok()).collect();
                    let [event, times, last] = <[u64; 3]>::try_from(numbers)
                        .ok()
                        .context("a process of receivers says what cannot be read")?;
                    add(&mut noted, event, times, last);
                }
            }
            if arrived(&noted) {
                let twice = noted.values().find(|(times, _)| *times > self.count);
                ensure!(twice.is_none(), "an event arrived twice at a receiver");
                return Ok(noted
                    .into_iter()
                    .map(|(event, (_, last))| (event, last))
                    .collect());
            }
            tokio::time::sleep(super::LOOK).await;
        }
        anyhow::bail!("an event never arrived at one of {} receivers", self.count)
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        for process in self.processes {
            process.stop().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_are_counted_and_the_last_one_stays() {
        let arrivals = Arrivals::default();
        arrivals.note(3..=4);
        let between = mono::now();
        arrivals.note(4..=4);

        let told = arrivals.tell();
        let parts: Vec<&str> = told.split(',').collect();
        assert!(parts[0].starts_with("3 1 "), "{told}");
        assert!(parts[1].starts_with("4 2 "), "{told}");
        let last: u64 = parts[1].rsplit_once(' ').unwrap().1.parse().unwrap();
        assert!(last >= between);
        assert_eq!(arrivals.tell(), "");
    }
}
