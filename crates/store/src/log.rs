//! The change log: what a commit tells the rest of the suite.

use std::sync::Arc;

use greenstar_kernel::{Revision, Timestamp, Uscc};
use serde::de::DeserializeOwned;

use crate::{Row, StoreError, Tx, Value};

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

pub(crate) async fn append(tx: &mut Tx, entries: Vec<Entry>) -> Result<(), StoreError> {
    let rows = entries.into_iter().map(|entry| {
        let Entry {
            revision,
            batch,
            at,
            kind,
            enterprise,
            body,
            cause,
        } = entry;
        vec![
            revision.into(),
            Value::from(&*batch),
            at.into(),
            kind.into(),
            enterprise.into(),
            body.into(),
            cause.into(),
        ]
    });
    tx.insert("change_log", &COLUMNS, rows.collect()).await
}
