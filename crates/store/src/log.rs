//! The change log: what a commit tells the rest of the suite.

use std::sync::Arc;

use greenstar_kernel::{Epoch, Revision, Timestamp, Uscc};
use serde::de::DeserializeOwned;

use crate::{Row, StoreError, Tx, Value};

/// `mark` is the parameter with the revision.
pub(crate) fn set_head(mark: &str) -> String {
    format!("UPDATE change_head SET revision = {mark} WHERE one = 1")
}

/// One change, as written. `body` is the full fact after the change, so that a view needs no read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub revision: Revision,
    /// The joined transaction that wrote it; its entries are neighbours.
    pub batch: Arc<str>,
    pub at: Timestamp,
    /// The service's own word for what changed.
    pub kind: String,
    /// Whom it concerns; none: nobody in particular.
    pub enterprise: Option<Uscc>,
    /// JSON.
    pub body: String,
    /// What brought it about, e.g. `sanctions:17`.
    pub cause: Option<String>,
}

impl Entry {
    /// The body as the service's own fact.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_str(&self.body).map_err(StoreError::corrupt)
    }
}

/// The changes of one joined transaction that is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The life of the database in which it was committed.
    pub epoch: Epoch,
    /// The head before it.
    pub after: Revision,
    /// At least one; their revisions follow `after` without a gap.
    pub entries: Vec<Arc<Entry>>,
}

impl Batch {
    /// The head after it.
    pub fn to(&self) -> Revision {
        self.entries.last().map_or(self.after, |entry| entry.revision)
    }
}

const COLUMNS: [&str; 7] = ["revision", "batch", "at", "kind", "enterprise", "body", "cause"];

const READ: &str = "SELECT revision, batch, at, kind, enterprise, body, cause FROM change_log \
     WHERE revision > $1 ORDER BY revision LIMIT $2";

/// Checks what it reads: a hole would be a change that nobody ever hears of.
pub(crate) async fn read(tx: &mut Tx, after: Revision, limit: u32) -> Result<Vec<Entry>, StoreError> {
    let found = tx.rows(READ, &[after.into(), limit.into()]).await?;
    let mut expected = after;
    let mut entries: Vec<Entry> = Vec::with_capacity(found.len());
    for row in &found {
        expected = expected.next();
        let entry = entry(row, entries.last())?;
        if entry.revision != expected {
            return Err(StoreError::corrupt(format!(
                "the change log has no revision {expected}"
            )));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn entry(row: &Row, before: Option<&Entry>) -> Result<Entry, StoreError> {
    let batch: String = row.get("batch")?;
    let batch = match before {
        Some(before) if *before.batch == *batch => before.batch.clone(),
        Some(_) | None => batch.into(),
    };
    Ok(Entry {
        revision: row.get("revision")?,
        batch,
        at: row.get("at")?,
        kind: row.get("kind")?,
        enterprise: row.get("enterprise")?,
        body: row.get("body")?,
        cause: row.get("cause")?,
    })
}

pub(crate) async fn append(tx: &mut Tx, entries: &[Arc<Entry>]) -> Result<(), StoreError> {
    let rows = entries.iter().map(|entry| {
        vec![
            entry.revision.into(),
            Value::from(&*entry.batch),
            entry.at.into(),
            Value::from(&*entry.kind),
            entry.enterprise.into(),
            Value::from(&*entry.body),
            entry.cause.clone().into(),
        ]
    });
    tx.insert("change_log", &COLUMNS, rows.collect()).await
}
