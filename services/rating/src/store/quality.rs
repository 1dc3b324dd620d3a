//! Sources and claims.

use std::collections::BTreeMap;

use greenstar_kernel::{Code, Date, Timestamp, Uscc};
use greenstar_store::{StoreError, Tx, Value};

use super::rows::json;
use crate::domain::command::World;
use crate::domain::quality::{ClaimState, DataError, Freshness, SourceCutoff, SourceId, month};

/// What sources say of themselves.
pub(super) async fn cutoffs(tx: &mut Tx) -> Result<BTreeMap<SourceId, SourceCutoff>, StoreError> {
    let rows = tx.rows("SELECT body FROM source ORDER BY id", &[]).await?;
    let said = rows.iter().map(|row| {
        let said: SourceCutoff = row.json("body")?;
        Ok((said.id.clone(), said))
    });
    said.collect()
}

/// All sources as they are at an instant, by name. The register, declarations and sanctions are always among them.
pub(crate) async fn sources(tx: &mut Tx, now: Timestamp) -> Result<Vec<Freshness>, StoreError> {
    let said = cutoffs(tx).await?;
    let mut received: BTreeMap<SourceId, Option<Timestamp>> = BTreeMap::new();
    for id in [SourceId::Register, SourceId::Declarations, SourceId::Sanctions] {
        received.insert(id, None);
    }
    for id in said.keys() {
        received.insert(id.clone(), None);
    }
    const LAST: &str = "SELECT source, MAX(last_at) AS last_at FROM source_month GROUP BY source";
    for row in tx.rows(LAST, &[]).await? {
        let raw: String = row.get("source")?;
        let id = SourceId::parse(&raw).ok_or_else(|| StoreError::corrupt(format!("source {raw}")))?;
        received.insert(id, row.get("last_at")?);
    }
    let fresh = received
        .into_iter()
        .map(|(id, at)| Freshness::of(id.clone(), said.get(&id), at, now));
    Ok(fresh.collect())
}

/// Claims that are open against some enterprises' data, and some by name.
pub(super) async fn load(
    tx: &mut Tx,
    of: Vec<Value>,
    named: &[(Uscc, Code)],
) -> Result<BTreeMap<(Uscc, Code), DataError>, StoreError> {
    let mut rows = tx
        .rows_in(
            "SELECT body FROM data_error WHERE state = 'OPEN' AND uscc",
            of,
            "",
        )
        .await?;
    const ONE: &str = "SELECT body FROM data_error WHERE uscc = $1 AND id = $2";
    for (uscc, id) in named {
        rows.extend(tx.row(ONE, &[uscc.into(), id.as_str().into()]).await?);
    }
    let errors = rows.iter().map(|row| {
        let error: DataError = row.json("body")?;
        Ok(((error.uscc, error.id.clone()), error))
    });
    errors.collect()
}

pub(super) async fn write(tx: &mut Tx, world: &World) -> Result<(), StoreError> {
    let mut said = Vec::new();
    for source in &world.changes.sources {
        if let Some(cutoff) = world.sources.get(source) {
            said.push(vec![source.to_string().into(), json(cutoff)?]);
        }
    }
    tx.upsert("source", &["id", "body"], &["id"], said).await?;
    let mut errors = Vec::new();
    for key in &world.changes.data_errors {
        if let Some(error) = world.data_errors.get(key) {
            errors.push(vec![
                (&key.0).into(),
                key.1.as_str().into(),
                error.source.to_string().into(),
                month(error.reported_at).into(),
                error.state.as_str().into(),
                (&error.reporter).into(),
                error.due.to_string().into(),
                json(error)?,
            ]);
        }
    }
    let columns = [
        "uscc", "id", "source", "month", "state", "reporter", "due", "body",
    ];
    tx.upsert("data_error", &columns, &["uscc", "id"], errors).await?;
    const RECEIVED: &str = "INSERT INTO source_month (source, month, received, last_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (source, month) DO UPDATE SET received = source_month.received + excluded.received, \
         last_at = excluded.last_at";
    for (source, count) in &world.changes.received {
        let values = [
            source.to_string().into(),
            month(world.at).into(),
            i64::from(*count).into(),
            world.at.into(),
        ];
        tx.run(RECEIVED, &values).await?;
    }
    Ok(())
}

/// What of claims is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    /// Only against this enterprise's data.
    pub(crate) of: Option<Uscc>,
    /// Only what begins so in the name of whoever claimed: a department and its officers, or a firm.
    pub(crate) by: Option<String>,
    /// Only those that wait for an answer.
    pub(crate) open: bool,
    /// Only those that were due before this day.
    pub(crate) due_before: Option<Date>,
}

impl Claims {
    /// The page behind one, the soonest due first.
    pub(crate) async fn page(
        &self,
        tx: &mut Tx,
        after: Option<(String, Uscc, String)>,
        limit: usize,
    ) -> Result<Vec<DataError>, StoreError> {
        let mut sql = String::from("SELECT body FROM data_error WHERE 1 = 1");
        let mut values: Vec<Value> = Vec::new();
        let mut and = |condition: &str, value: Value| {
            values.push(value);
            sql.push_str(&condition.replace('$', &format!("${}", values.len())));
        };
        if let Some(of) = &self.of {
            and(" AND uscc = $", of.into());
        }
        if let Some(by) = &self.by {
            and(" AND (reporter = $", by.into());
            and(" OR substr(reporter, 1, length($)) = $)", format!("{by}/").into());
        }
        if self.open || self.due_before.is_some() {
            and(" AND state = $", ClaimState::Open.as_str().into());
        }
        if let Some(day) = self.due_before {
            and(" AND due < $", day.to_string().into());
        }
        if let Some((due, uscc, id)) = after {
            and(" AND (due > $", due.into());
            let due = values.len();
            values.push(uscc.into());
            let uscc = values.len();
            values.push(id.into());
            let id = values.len();
            sql.push_str(&format!(
                " OR (due = ${due} AND (uscc > ${uscc} OR (uscc = ${uscc} AND id > ${id}))))"
            ));
        }
        values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        sql.push_str(&format!(" ORDER BY due, uscc, id LIMIT ${}", values.len()));
        let rows = tx.rows(&sql, &values).await?;
        rows.iter().map(|row| row.json("body")).collect()
    }
}

/// The figures of one source in one month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Month {
    pub(crate) received: i64,
    pub(crate) reported: i64,
    pub(crate) upheld: i64,
    pub(crate) open: i64,
}

/// All figures, newest month first, then by source.
pub(crate) async fn accuracy(tx: &mut Tx) -> Result<Vec<(String, String, Month)>, StoreError> {
    let mut months: BTreeMap<(std::cmp::Reverse<String>, String), Month> = BTreeMap::new();
    for row in tx
        .rows("SELECT source, month, received FROM source_month", &[])
        .await?
    {
        let key = (std::cmp::Reverse(row.get("month")?), row.get("source")?);
        months.entry(key).or_default().received = row.get("received")?;
    }
    const CLAIMS: &str = "SELECT source, month, state, CAST(COUNT(*) AS bigint) AS claims FROM data_error \
         GROUP BY source, month, state";
    for row in tx.rows(CLAIMS, &[]).await? {
        let key = (std::cmp::Reverse(row.get("month")?), row.get("source")?);
        let (state, claims): (String, i64) = (row.get("state")?, row.get("claims")?);
        let month = months.entry(key).or_default();
        month.reported += claims;
        if state == ClaimState::Accepted.as_str() {
            month.upheld += claims;
        } else if state == ClaimState::Open.as_str() {
            month.open += claims;
        }
    }
    let figures = months.into_iter();
    Ok(figures
        .map(|((std::cmp::Reverse(month), source), figures)| (source, month, figures))
        .collect())
}
