//! Rows of flags.

use std::collections::BTreeMap;
use std::sync::Arc;

use greenstar_kernel::{Code, Date, Timestamp};
use greenstar_store::{Database, Row, StoreError, Tx, Value};

use crate::domain::flag::Flag;
use crate::domain::stage::Stage;

const COLUMNS: [&str; 7] = [
    "id",
    "enterprise",
    "department",
    "stage",
    "raised_at",
    "ends_at",
    "fact",
];

pub(super) fn stage(stage: &Stage) -> &'static str {
    match stage {
        Stage::Proposed => "proposed",
        Stage::Withdrawn { .. } => "withdrawn",
        Stage::InForce { .. } => "in_force",
        Stage::Suspended { .. } => "suspended",
        Stage::Lapsed { .. } => "lapsed",
        Stage::Lifted { .. } => "lifted",
        Stage::Repaired { .. } => "repaired",
        Stage::Revoked { .. } => "revoked",
    }
}

/// A row with the column `fact`.
pub(super) fn read(row: &Row) -> Result<Flag, StoreError> {
    row.json("fact")
}

/// The flags with these ids.
pub(super) async fn by_id(tx: &mut Tx, ids: Vec<Value>) -> Result<Vec<Flag>, StoreError> {
    let rows = tx.rows_in("SELECT fact FROM flag WHERE id", ids, "").await?;
    rows.iter().map(read).collect()
}

pub(super) async fn one(tx: &mut Tx, id: &Code) -> Result<Option<Flag>, StoreError> {
    let row = tx
        .row("SELECT fact FROM flag WHERE id = $1", &[id.as_str().into()])
        .await?;
    row.as_ref().map(read).transpose()
}

/// What may stand in the way of another flag on the same document.
pub(super) async fn standing(tx: &mut Tx, enterprises: Vec<Value>) -> Result<Vec<Flag>, StoreError> {
    let before = "SELECT fact FROM flag WHERE stage NOT IN ('withdrawn', 'lifted', 'lapsed') AND enterprise";
    let rows = tx.rows_in(before, enterprises, "").await?;
    rows.iter().map(read).collect()
}

/// Flags whose term has ended, and that nobody has written down; the earliest first.
pub(crate) async fn due(tx: &mut Tx, now: Timestamp, limit: usize) -> Result<Vec<Code>, StoreError> {
    let limit = Value::Int(Some(i64::try_from(limit).unwrap_or(i64::MAX)));
    let sql = "SELECT id FROM flag WHERE stage IN ('in_force', 'suspended') AND ends_at <= $1 \
               ORDER BY ends_at, id LIMIT $2";
    let rows = tx.rows(sql, &[now.into(), limit]).await?;
    rows.iter()
        .map(|row| Code::parse(&row.get::<String>("id")?).map_err(StoreError::corrupt))
        .collect()
}

/// The day by the database's own clock, in UTC.
pub(crate) async fn today(database: &Database) -> Result<Date, StoreError> {
    let sql = "SELECT SUBSTR(CAST(CURRENT_TIMESTAMP AS TEXT), 1, 10) AS today";
    let row = database.read().await?.row(sql, &[]).await?;
    let today: String = row.map_or_else(|| Ok(String::new()), |row| row.get("today"))?;
    today.parse().map_err(StoreError::corrupt)
}

/// When the next term ends that nobody has written down.
pub(crate) async fn next_due(tx: &mut Tx) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT ends_at FROM flag WHERE stage IN ('in_force', 'suspended') ORDER BY ends_at LIMIT 1";
    tx.row(sql, &[]).await?.map(|row| row.get("ends_at")).transpose()
}

/// `told` holds the facts of flags that are encoded already.
pub(super) async fn upsert<'a>(
    tx: &mut Tx,
    flags: impl Iterator<Item = &'a Flag>,
    mut told: BTreeMap<Code, String>,
) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    for flag in flags {
        let fact = match told.remove(&flag.id) {
            Some(fact) => fact,
            None => serde_json::to_string(flag).map_err(|error| StoreError::Backend(Arc::new(error)))?,
        };
        rows.push(vec![
            flag.id.as_str().into(),
            flag.identity.enterprise.into(),
            flag.department.as_str().into(),
            stage(&flag.stage).into(),
            flag.raised_at.into(),
            flag.ends_at.into(),
            fact.into(),
        ]);
    }
    tx.upsert("flag", &COLUMNS, &["id"], rows).await
}
