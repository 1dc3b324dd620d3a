//! What the sanctions log told, and up to where it was taken.

use std::collections::BTreeMap;

use greenstar_kernel::{Epoch, Log, Position, Revision, Uscc};
use greenstar_store::{StoreError, Tx, Value};

use super::rows::json;
use crate::domain::command::{Cursor, World};
use crate::domain::flagged::{Documents, Flagged};

/// Up to where it was taken; `None`: it never was.
pub(crate) async fn cursor(tx: &mut Tx) -> Result<Option<Cursor>, StoreError> {
    const CURSOR: &str = "SELECT epoch, revision, settles_at FROM followed WHERE log = $1";
    let row = tx.row(CURSOR, &[Log::Sanctions.as_str().into()]).await?;
    let Some(row) = row else { return Ok(None) };
    let epoch: String = row.get("epoch")?;
    let epoch = Epoch::parse(&epoch).ok_or_else(|| StoreError::corrupt(format!("epoch {epoch}")))?;
    let revision = row.get("revision")?;
    Ok(Some(Cursor {
        at: Position { epoch, revision },
        settles_at: row.get::<Option<Revision>>("settles_at")?,
    }))
}

/// Enterprises of which another epoch than this one told something.
pub(super) async fn of_other_epochs(tx: &mut Tx, epoch: &Epoch) -> Result<Vec<Uscc>, StoreError> {
    const OTHERS: &str = "SELECT DISTINCT uscc FROM flagged WHERE epoch <> $1";
    let rows = tx.rows(OTHERS, &[epoch.as_str().into()]).await?;
    rows.iter().map(|row| row.get("uscc")).collect()
}

/// What is kept of the flags of some enterprises.
pub(super) async fn documents(
    tx: &mut Tx,
    codes: Vec<Value>,
) -> Result<BTreeMap<Uscc, Documents>, StoreError> {
    let rows = tx
        .rows_in(
            "SELECT uscc, body FROM flagged WHERE uscc",
            codes,
            "ORDER BY uscc, flag",
        )
        .await?;
    let mut all: BTreeMap<Uscc, Documents> = BTreeMap::new();
    for row in &rows {
        let flagged: Flagged = row.json("body")?;
        all.entry(row.get("uscc")?).or_default().flags.push(flagged);
    }
    Ok(all)
}

/// Writes what changed. A cursor that moves alone pushes nothing into the log: run again, it is found to have moved.
pub(super) async fn write(tx: &mut Tx, world: &World) -> Result<(), StoreError> {
    // An enterprise's few are written anew, since some may be over.
    let codes = world.changes.documents.iter().map(Value::from).collect();
    tx.rows_in("DELETE FROM flagged WHERE uscc", codes, "RETURNING uscc")
        .await?;
    let mut kept = Vec::new();
    for uscc in &world.changes.documents {
        let documents = world.documents.get(uscc).into_iter();
        for flagged in documents.flat_map(|documents| &documents.flags) {
            kept.push(vec![
                uscc.into(),
                flagged.flag.as_str().into(),
                flagged.epoch.as_str().into(),
                json(flagged)?,
            ]);
        }
    }
    tx.insert("flagged", &["uscc", "flag", "epoch", "body"], kept)
        .await?;
    let mut cursors = Vec::new();
    if let Some(cursor) = world.cursor.as_ref().filter(|_| world.changes.cursor) {
        cursors.push(vec![
            Log::Sanctions.as_str().into(),
            cursor.at.epoch.as_str().into(),
            cursor.at.revision.into(),
            cursor.settles_at.into(),
        ]);
    }
    let columns = ["log", "epoch", "revision", "settles_at"];
    tx.upsert("followed", &columns, &["log"], cursors).await
}
