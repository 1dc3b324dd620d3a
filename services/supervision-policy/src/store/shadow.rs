//! Drafts beside live traffic, and what they would have answered differently.

use greenstar_kernel::Timestamp;
use greenstar_store::{Database, Row, StoreError, Tx, Value};

use super::feedback::{self, Kept, Repeatable};

/// A draft that is, or was, evaluated beside live traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shadow {
    pub(crate) draft: String,
    /// YAML.
    pub(crate) source: String,
    pub(crate) started_at: Timestamp,
    pub(crate) ends_at: Timestamp,
    pub(crate) counts: Counts,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) evaluated: u64,
    pub(crate) different: u64,
    /// Differences that were not kept, and decisions that were not looked at.
    pub(crate) dropped: u64,
}

/// A decision that a draft would have made differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Rising with time.
    pub(crate) id: String,
    /// `decisions/{decision}`; empty: it was not kept.
    pub(crate) decision: String,
    pub(crate) enterprise: String,
    pub(crate) matter: String,
    pub(crate) outcome: String,
    pub(crate) shadow_outcome: String,
    pub(crate) measures_dropped: Vec<String>,
    pub(crate) measures_added: Vec<String>,
    pub(crate) as_of: Timestamp,
}

const SHADOW: &str = "SELECT draft, source, started_at, ends_at, evaluated, different, dropped FROM shadow";

/// Those that are evaluated at this instant.
pub(crate) async fn running(database: &Database, now: Timestamp) -> Result<Vec<Shadow>, StoreError> {
    let mut tx = database.read().await?;
    let rows = tx
        .rows(
            &format!("{SHADOW} WHERE ends_at > $1 ORDER BY draft"),
            &[now.into()],
        )
        .await?;
    rows.iter().map(shadow).collect()
}

pub(crate) async fn find(tx: &mut Tx, draft: &str) -> Result<Option<Shadow>, StoreError> {
    let row = tx
        .row(&format!("{SHADOW} WHERE draft = $1"), &[draft.into()])
        .await?;
    row.as_ref().map(shadow).transpose()
}

/// What is asked of one.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// Begins, or goes on until another instant. Another text begins anew: what the earlier one found goes.
    Start { source: &'a str, ends_at: Timestamp },
    /// Ends it, if it has not ended.
    Stop,
}

/// Takes a step. `answer` makes the encoded answer from what the step left; `None`: it never began.
pub(crate) async fn step(
    database: &Database,
    request: &Repeatable<'_>,
    draft: &str,
    step: Step<'_>,
    now: Timestamp,
    answer: impl FnOnce(Option<Shadow>) -> Vec<u8>,
) -> Result<Kept, StoreError> {
    let mut tx = database.write().await?;
    if let Some(known) = feedback::earlier(&mut tx, request).await? {
        return Ok(known);
    }
    match step {
        Step::Start { source, ends_at } => start(&mut tx, draft, source, now, ends_at).await?,
        Step::Stop => {
            tx.run(
                "UPDATE shadow SET ends_at = $2 WHERE draft = $1 AND ends_at > $2",
                &[draft.into(), now.into()],
            )
            .await?;
        }
    }
    let left = find(&mut tx, draft).await?;
    feedback::finish(database, tx, request, answer(left), now).await
}

async fn start(
    tx: &mut Tx,
    draft: &str,
    source: &str,
    now: Timestamp,
    ends_at: Timestamp,
) -> Result<(), StoreError> {
    const START: &str = "INSERT INTO shadow (draft, source, started_at, ends_at, evaluated, different, dropped) \
         VALUES ($1, $2, $3, $4, 0, 0, 0)";
    match find(tx, draft).await? {
        Some(known) if known.source == source => {
            let started_at = if known.ends_at > now {
                known.started_at
            } else {
                now
            };
            let values = [draft.into(), started_at.into(), ends_at.into()];
            tx.run(
                "UPDATE shadow SET started_at = $2, ends_at = $3 WHERE draft = $1",
                &values,
            )
            .await?;
            return Ok(());
        }
        Some(_) => {
            for table in ["shadow_difference", "shadow"] {
                tx.run(&format!("DELETE FROM {table} WHERE draft = $1"), &[draft.into()])
                    .await?;
            }
        }
        None => {}
    }
    let values = [draft.into(), source.into(), now.into(), ends_at.into()];
    tx.run(START, &values).await?;
    Ok(())
}

/// Adds what a replica counted and found since it last did. `text`: of which it was found; where another text has begun
/// since, it is nobody's.
pub(crate) async fn keep(
    tx: &mut Tx,
    draft: &str,
    text: &str,
    counts: Counts,
    found: Vec<Difference>,
) -> Result<(), StoreError> {
    const ADD: &str = "UPDATE shadow SET evaluated = evaluated + $3, different = different + $4, \
         dropped = dropped + $5 WHERE draft = $1 AND source = $2";
    let values = [
        draft.into(),
        text.into(),
        number(counts.evaluated)?.into(),
        number(counts.different)?.into(),
        number(counts.dropped)?.into(),
    ];
    if tx.run(ADD, &values).await? == 0 {
        return Ok(());
    }
    let columns = [
        "draft",
        "id",
        "decision",
        "enterprise",
        "matter",
        "outcome",
        "shadow_outcome",
        "measures_dropped",
        "measures_added",
        "as_of",
    ];
    let mut rows = Vec::with_capacity(found.len());
    for found in found {
        let measures = |measures: &[String]| serde_json::to_string(measures).map_err(StoreError::corrupt);
        rows.push(vec![
            Value::from(draft),
            found.id.into(),
            found.decision.into(),
            found.enterprise.into(),
            found.matter.into(),
            found.outcome.into(),
            found.shadow_outcome.into(),
            measures(&found.measures_dropped)?.into(),
            measures(&found.measures_added)?.into(),
            found.as_of.into(),
        ]);
    }
    // A repeat after a lost answer changes nothing.
    tx.upsert("shadow_difference", &columns, &["draft", "id"], rows)
        .await
}

/// At most `limit` of them before `before`, the newest first.
pub(crate) async fn differences(
    tx: &mut Tx,
    draft: &str,
    before: Option<&str>,
    limit: usize,
) -> Result<Vec<Difference>, StoreError> {
    const PAGE: &str = "SELECT id, decision, enterprise, matter, outcome, shadow_outcome, measures_dropped, \
         measures_added, as_of FROM shadow_difference WHERE draft = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    // Behind every id.
    const LAST: &str = "~";
    let limit = i64::try_from(limit).map_err(StoreError::corrupt)?;
    let values = [draft.into(), before.unwrap_or(LAST).into(), limit.into()];
    let rows = tx.rows(PAGE, &values).await?;
    let difference = |row: &Row| {
        Ok(Difference {
            id: row.get("id")?,
            decision: row.get("decision")?,
            enterprise: row.get("enterprise")?,
            matter: row.get("matter")?,
            outcome: row.get("outcome")?,
            shadow_outcome: row.get("shadow_outcome")?,
            measures_dropped: row.json("measures_dropped")?,
            measures_added: row.json("measures_added")?,
            as_of: row.get("as_of")?,
        })
    };
    rows.iter().map(difference).collect()
}

fn shadow(row: &Row) -> Result<Shadow, StoreError> {
    let count = |column| u64::try_from(row.get::<i64>(column)?).map_err(StoreError::corrupt);
    Ok(Shadow {
        draft: row.get("draft")?,
        source: row.get("source")?,
        started_at: row.get("started_at")?,
        ends_at: row.get("ends_at")?,
        counts: Counts {
            evaluated: count("evaluated")?,
            different: count("different")?,
            dropped: count("dropped")?,
        },
    })
}

fn number(count: u64) -> Result<i64, StoreError> {
    i64::try_from(count).map_err(StoreError::corrupt)
}
