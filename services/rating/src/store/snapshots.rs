//! Frozen lists.

use std::collections::BTreeMap;

use greenstar_kernel::{Code, LocalizedText, Points, RatingState, Standing, Star, Uscc};
use greenstar_store::{Row, StoreError, Tx, Value};

use super::rows::json;
use crate::domain::command::World;
use crate::domain::snapshot::{Snapshot, SnapshotEntry};

/// Some by id.
pub(crate) async fn snapshots(tx: &mut Tx, ids: Vec<Value>) -> Result<BTreeMap<Code, Snapshot>, StoreError> {
    let mut found = BTreeMap::new();
    for row in tx.rows_in("SELECT body FROM snapshot WHERE id", ids, "").await? {
        let snapshot: Snapshot = row.json("body")?;
        found.insert(snapshot.id.clone(), snapshot);
    }
    Ok(found)
}

/// The page of snapshots behind one, by id.
pub(crate) async fn snapshot_page(
    tx: &mut Tx,
    after: &str,
    limit: usize,
) -> Result<Vec<Snapshot>, StoreError> {
    const PAGE: &str = "SELECT body FROM snapshot WHERE id > $1 ORDER BY id LIMIT $2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = tx.rows(PAGE, &[after.into(), limit.into()]).await?;
    rows.iter().map(|row| row.json("body")).collect()
}

/// The page of a snapshot's entries behind one, by code.
pub(crate) async fn entries(
    tx: &mut Tx,
    snapshot: &Snapshot,
    after: &str,
    limit: usize,
) -> Result<Vec<SnapshotEntry>, StoreError> {
    const PAGE: &str = "SELECT uscc, name_zh, name_en, state, star, points, version FROM snapshot_entry \
         WHERE snapshot = $1 AND staging = $2 AND uscc > $3 ORDER BY uscc LIMIT $4";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = [
        snapshot.id.as_str().into(),
        snapshot.staging.as_str().into(),
        after.into(),
        limit.into(),
    ];
    tx.rows(PAGE, &values).await?.iter().map(entry).collect()
}

fn entry(row: &Row) -> Result<SnapshotEntry, StoreError> {
    let (state, star): (String, Option<i64>) = (row.get("state")?, row.get("star")?);
    let star = star
        .map(Star::try_from)
        .transpose()
        .map_err(StoreError::corrupt)?;
    let standing = RatingState::parse(&state).and_then(|state| Standing::from_parts(state, star));
    let points: String = row.get("points")?;
    let points = Some(points).filter(|points| !points.is_empty());
    Ok(SnapshotEntry {
        uscc: row.get("uscc")?,
        name: LocalizedText::new(row.get::<String>("name_zh")?, row.get::<String>("name_en")?),
        standing: standing.ok_or_else(|| StoreError::corrupt(format!("{state} with {star:?}")))?,
        points: points
            .map(|points| points.parse::<Points>())
            .transpose()
            .map_err(StoreError::corrupt)?,
        version: row.get("version")?,
    })
}

/// Enterprises behind a code, by code.
pub(crate) async fn codes_after(
    tx: &mut Tx,
    after: &str,
    limit: usize,
) -> Result<Vec<(Uscc, String)>, StoreError> {
    const CODES: &str = "SELECT uscc, district FROM enterprise WHERE uscc > $1 ORDER BY uscc LIMIT $2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = tx.rows(CODES, &[after.into(), limit.into()]).await?;
    rows.iter()
        .map(|row| Ok((row.get("uscc")?, row.get("district")?)))
        .collect()
}

const ENTRY: [&str; 9] = [
    "snapshot", "staging", "uscc", "name_zh", "name_en", "state", "star", "points", "version",
];

pub(super) async fn write(tx: &mut Tx, world: &World) -> Result<(), StoreError> {
    let staged = world.changes.staged.iter().map(|staged| {
        let entry = &staged.entry;
        vec![
            staged.snapshot.as_str().into(),
            staged.staging.as_str().into(),
            entry.uscc.into(),
            (&entry.name.zh).into(),
            (&entry.name.en).into(),
            entry.standing.state().as_str().into(),
            entry.standing.star().map(i64::from).into(),
            entry
                .points
                .map(|points| points.to_string())
                .unwrap_or_default()
                .into(),
            entry.version.into(),
        ]
    });
    tx.upsert(
        "snapshot_entry",
        &ENTRY,
        &["snapshot", "staging", "uscc"],
        staged.collect(),
    )
    .await?;
    let mut rows = Vec::new();
    for snapshot in world
        .changes
        .snapshots
        .iter()
        .filter_map(|id| world.snapshots.get(id))
    {
        rows.push(vec![snapshot.id.as_str().into(), json(snapshot)?]);
        // What others had prepared for the same name.
        let values = [snapshot.id.as_str().into(), snapshot.staging.as_str().into()];
        tx.run(
            "DELETE FROM snapshot_entry WHERE snapshot = $1 AND staging <> $2",
            &values,
        )
        .await?;
    }
    tx.insert("snapshot", &["id", "body"], rows).await
}
