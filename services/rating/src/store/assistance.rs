//! Cohorts, what is kept of each enterprise's assistance, and the rules of service lists.

use std::collections::BTreeMap;

use greenstar_kernel::{Code, Officer, Uscc};
use greenstar_store::{StoreError, Tx, Value};

use super::rows::json;
use crate::domain::assistance::{Assistance, Cohort};
use crate::domain::command::{StoredRules, World};

/// Cohorts by id; unknown ones are absent.
pub(crate) async fn cohorts(tx: &mut Tx, ids: Vec<Value>) -> Result<BTreeMap<Code, Cohort>, StoreError> {
    let rows = tx.rows_in("SELECT body FROM cohort WHERE id", ids, "").await?;
    let each = rows.iter().map(|row| {
        let cohort: Cohort = row.json("body")?;
        Ok((cohort.id.clone(), cohort))
    });
    each.collect()
}

/// The page of cohorts behind an id, by id.
pub(crate) async fn cohorts_after(tx: &mut Tx, after: &str, limit: usize) -> Result<Vec<Cohort>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = tx
        .rows(
            "SELECT body FROM cohort WHERE id > $1 ORDER BY id LIMIT $2",
            &[after.into(), limit.into()],
        )
        .await?;
    rows.iter().map(|row| row.json("body")).collect()
}

/// What is kept of some enterprises.
pub(crate) async fn assistance(
    tx: &mut Tx,
    codes: Vec<Value>,
) -> Result<BTreeMap<Uscc, Assistance>, StoreError> {
    let rows = tx
        .rows_in("SELECT body FROM assistance WHERE uscc", codes, "")
        .await?;
    let each = rows.iter().map(|row| {
        let one: Assistance = row.json("body")?;
        Ok((one.uscc, one))
    });
    each.collect()
}

/// A version of the rules, or the newest; the first is the shipped one.
pub(crate) async fn rules(tx: &mut Tx, version: Option<u32>) -> Result<Option<StoredRules>, StoreError> {
    const RULES: &str = "SELECT version, source, author, created_at FROM service_rules WHERE version";
    let row = match version {
        Some(1) => None,
        Some(version) => tx.row(&format!("{RULES} = $1"), &[version.into()]).await?,
        None => {
            tx.row(
                &format!("{RULES} > $1 ORDER BY version DESC LIMIT 1"),
                &[1u32.into()],
            )
            .await?
        }
    };
    match (row, version) {
        (Some(row), _) => Ok(Some(StoredRules {
            version: row.get("version")?,
            source: row.get("source")?,
            author: Some(Officer(row.get("author")?)),
            created_at: Some(row.get("created_at")?),
        })),
        (None, None | Some(1)) => Ok(Some(StoredRules::shipped())),
        (None, Some(_)) => Ok(None),
    }
}

/// Writes what changed.
pub(super) async fn write(tx: &mut Tx, world: &World) -> Result<(), StoreError> {
    let changes = &world.changes;
    let mut cohorts = Vec::new();
    for cohort in changes.cohorts.iter().filter_map(|id| world.cohorts.get(id)) {
        cohorts.push(vec![cohort.id.as_str().into(), json(cohort)?]);
    }
    tx.upsert("cohort", &["id", "body"], &["id"], cohorts).await?;
    let mut all = Vec::new();
    for one in changes
        .assistance
        .iter()
        .filter_map(|uscc| world.assistance.get(uscc))
    {
        all.push(vec![one.uscc.into(), json(one)?]);
    }
    tx.upsert("assistance", &["uscc", "body"], &["uscc"], all).await?;
    let rules = changes.rules.iter().map(|rules| {
        vec![
            rules.version.into(),
            (&rules.source).into(),
            rules.author.as_ref().map(|author| author.0.clone()).into(),
            rules.created_at.into(),
        ]
    });
    let columns = ["version", "source", "author", "created_at"];
    tx.insert("service_rules", &columns, rules.collect()).await
}
