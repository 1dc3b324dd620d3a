//! What really happened: the logs, read from the databases when all is over.

use std::collections::BTreeMap;

use anyhow::Context as _;
use greenstar_kernel::{Revision, Timestamp};
use greenstar_sanctions::domain::flag::Flag;
use greenstar_sanctions::domain::stage::FlagState;
use greenstar_store::Database;

/// One flag's way through the log.
#[derive(Debug, Default)]
pub struct FlagLife {
    pub enterprise: String,
    /// Revision and whether it binds from there on.
    pub moves: Vec<(u64, bool)>,
    /// Where it ends by time.
    pub ends_at: Option<Timestamp>,
}

impl FlagLife {
    /// Whether it bound at a revision; time not counted.
    pub fn binds(&self, revision: u64) -> bool {
        let last = self.moves.iter().rev().find(|(moved, _)| *moved <= revision);
        last.is_some_and(|(_, binds)| *binds)
    }

    /// The first revision after this one at which it stopped binding.
    pub fn ended_after(&self, revision: u64) -> Option<u64> {
        self.moves
            .iter()
            .find(|(moved, binds)| *moved > revision && !binds)
            .map(|(moved, _)| *moved)
    }

    /// Whether it had bound and then stopped, by this revision.
    pub fn ended_by(&self, revision: u64) -> bool {
        let bound = self.moves.iter().find(|(_, binds)| *binds);
        bound.is_some_and(|(bound, _)| {
            let ended = self.ended_after(*bound);
            ended.is_some_and(|ended| ended <= revision)
        })
    }

    /// Whether it began to bind after this revision.
    pub fn began_after(&self, revision: u64) -> bool {
        self.moves
            .iter()
            .any(|(moved, binds)| *moved > revision && *binds)
    }
}

/// Star and state of an enterprise from a revision on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub revision: u64,
    pub star: Option<i32>,
    pub state: String,
    /// Revision of the sanctions log that it followed from.
    pub cause: Option<u64>,
}

/// Both logs.
#[derive(Debug, Default)]
pub struct Truth {
    pub epoch: String,
    pub head: u64,
    pub rating_head: u64,
    /// By name.
    pub flags: BTreeMap<String, FlagLife>,
    /// By enterprise.
    pub standings: BTreeMap<String, Vec<Standing>>,
    /// Holes and disorder that were found while reading.
    pub disorder: Vec<String>,
}

/// Pages of the log.
const PAGE: u32 = 2_000;

impl Truth {
    pub async fn read(sanctions: &Database, rating: &Database) -> anyhow::Result<Truth> {
        let mut truth = Truth {
            epoch: sanctions.epoch().to_string(),
            head: sanctions.head().await?.revision.0,
            rating_head: rating.head().await?.revision.0,
            ..Truth::default()
        };
        truth.read_sanctions(sanctions).await?;
        truth.read_rating(rating).await?;
        Ok(truth)
    }

    async fn read_sanctions(&mut self, database: &Database) -> anyhow::Result<()> {
        let mut at = Revision::ZERO;
        loop {
            let page = database.changes(at, PAGE).await?;
            let Some(last) = page.last() else { break };
            let last = last.revision;
            for entry in page {
                if entry.revision != at.next() {
                    self.disorder
                        .push(format!("sanctions: {} follows {at}", entry.revision));
                }
                at = entry.revision;
                if !entry.kind.starts_with("flag.") {
                    continue;
                }
                let flag: Flag = entry.json().with_context(|| format!("entry {at}"))?;
                let life = self.flags.entry(flag.name().to_string()).or_default();
                life.enterprise = format!("enterprises/{}", flag.identity.enterprise);
                life.ends_at = Some(flag.ends_at);
                let binds = flag.state(flag.moved_at()) == FlagState::InForce;
                if life.moves.last().is_some_and(|(_, was)| *was == binds) && life.moves.len() > 1 {
                    continue;
                }
                life.moves.push((at.0, binds));
            }
            at = last;
        }
        if at.0 != self.head {
            self.disorder.push(format!(
                "sanctions: the log ends at {at}, its head is {}",
                self.head
            ));
        }
        Ok(())
    }

    async fn read_rating(&mut self, database: &Database) -> anyhow::Result<()> {
        let mut at = Revision::ZERO;
        loop {
            let page = database.changes(at, PAGE).await?;
            if page.is_empty() {
                break;
            }
            for entry in page {
                if entry.revision != at.next() {
                    self.disorder
                        .push(format!("rating: {} follows {at}", entry.revision));
                }
                at = entry.revision;
                let Some(uscc) = entry.enterprise else { continue };
                let fact: serde_json::Value = serde_json::from_str(&entry.body)?;
                let Some(standing) = fact.get("standing") else {
                    continue;
                };
                let (star, state) = standing_of(standing);
                let cause = entry
                    .cause
                    .as_deref()
                    .and_then(|cause| cause.strip_prefix("sanctions:"));
                let standings = self.standings.entry(format!("enterprises/{uscc}")).or_default();
                standings.push(Standing {
                    revision: at.0,
                    star,
                    state,
                    cause: cause.and_then(|revision| revision.parse().ok()),
                });
            }
        }
        if at.0 != self.rating_head {
            self.disorder.push(format!(
                "rating: the log ends at {at}, its head is {}",
                self.rating_head
            ));
        }
        Ok(())
    }
}

/// As the kernel writes a standing: a star, or the name of a state.
fn standing_of(standing: &serde_json::Value) -> (Option<i32>, String) {
    match serde_json::from_value::<greenstar_kernel::Standing>(standing.clone()) {
        Ok(greenstar_kernel::Standing::Rated(star)) => (Some(i32::from(star.get())), "Rated".to_owned()),
        Ok(other) => (None, format!("{other:?}")),
        Err(_) => (None, standing.to_string()),
    }
}
