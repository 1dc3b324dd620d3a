//! Throughput of what is lost or out of order is none: the change log is read to its end.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use greenstar_kernel::Revision;
use greenstar_sanctions::MIGRATIONS;
use greenstar_store::{Database, Entry, Location};
use serde::Deserialize;

use crate::flags::Written;

const PAGE: u32 = 2_000;
/// The kind of entry that RaiseFlag writes.
const PROPOSED: &str = "flag.proposed";

/// What the log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) acknowledged: u64,
    pub(crate) flags: u64,
    pub(crate) commits: u64,
    pub(crate) head: u64,
}

#[derive(Deserialize)]
struct Fact {
    id: String,
}

/// Fails unless revisions are gapless up to the head, every acknowledged flag stands at its revision and in the table
/// of flags, and the log holds no flag more.
pub(crate) async fn verify(at: &Location, acknowledged: Vec<Written>) -> anyhow::Result<Found> {
    let database = Database::open(at, &MIGRATIONS).await?;
    let head = database.head().await?.revision;
    let count = acknowledged.len() as u64;
    let mut told: BTreeMap<u64, String> = BTreeMap::new();
    for Written { name, at, .. } in acknowledged {
        let revision = at.revision.0;
        let (_, id) = name.rsplit_once('/').context("a flag without an id")?;
        let other = told.insert(revision, id.to_owned());
        ensure!(
            other.is_none(),
            "two flags were acknowledged at revision {revision}"
        );
    }
    let (mut at, mut flags, mut batches) = (Revision::ZERO, 0, BTreeSet::new());
    while at < head {
        let page = database.changes(at, PAGE).await?;
        ensure!(!page.is_empty(), "the log ends at {at}, before its head {head}");
        for entry in page {
            ensure!(entry.revision == at.next(), "after {at} comes {}", entry.revision);
            at = entry.revision;
            if entry.kind == PROPOSED {
                flags += 1;
                stands(&entry, &mut told)?;
                batches.insert(entry.batch.clone());
            }
        }
    }
    let lost = told.first_key_value();
    ensure!(lost.is_none(), "acknowledged, and not in the log: {lost:?}");
    let row = database
        .read()
        .await?
        .row("SELECT COUNT(*) AS flags FROM flag", &[])
        .await?;
    let rows: i64 = row.context("a count")?.get("flags")?;
    database.close().await;
    ensure!(
        u64::try_from(rows)? == count,
        "{rows} flags in the table, {count} acknowledged"
    );
    Ok(Found {
        acknowledged: count,
        flags,
        commits: batches.len() as u64,
        head: head.0,
    })
}

/// Takes the acknowledgement of an entry out of what was told.
fn stands(entry: &Entry, told: &mut BTreeMap<u64, String>) -> anyhow::Result<()> {
    let revision = entry.revision.0;
    let id = told.remove(&revision);
    let id = id.with_context(|| format!("nobody was told of the flag at revision {revision}"))?;
    let fact: Fact = entry.json()?;
    ensure!(fact.id == id, "revision {revision} is {}, not {id}", fact.id);
    Ok(())
}
