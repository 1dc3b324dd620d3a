//! Recorded decisions in lists, what they were made by, and what retention leaves of them.

use std::ops::RangeInclusive;

use greenstar_kernel::Timestamp;
use greenstar_store::{Database, Row, StoreError, Tx, Value};

use super::decision::{number, sequence};
use crate::domain::policy::Document;
use crate::record::{DecisionId, WriterId};

/// Which decisions a list is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Who asked.
    pub(crate) department: Option<String>,
    /// `enterprises/{uscc}`
    pub(crate) enterprise: Option<String>,
    /// Code of the matter.
    pub(crate) matter: Option<String>,
    pub(crate) from: Option<Timestamp>,
    /// The first instant that is out.
    pub(crate) until: Option<Timestamp>,
}

/// Where an entry stands: the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) as_of: i64,
    pub(crate) writer: String,
    pub(crate) sequence: i64,
}

/// A decision in a list.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) key: Key,
    pub(crate) enterprise: String,
    pub(crate) matter: String,
    /// The encoded decision; `None`: its retention has ended.
    pub(crate) body: Option<Vec<u8>>,
}

impl Listed {
    fn of(row: &Row) -> Result<Listed, StoreError> {
        Ok(Listed {
            key: Key {
                as_of: row.get("as_of")?,
                writer: row.get("writer")?,
                sequence: row.get("sequence")?,
            },
            enterprise: row.get("enterprise")?,
            matter: row.get("matter")?,
            body: row.get("body")?,
        })
    }
}

/// A page behind a key, of at most `limit` entries.
pub(crate) async fn list(
    tx: &mut Tx,
    filter: &Filter,
    after: Option<&Key>,
    limit: usize,
) -> Result<Vec<Listed>, StoreError> {
    let (mut wheres, mut values) = (Vec::new(), Vec::new());
    let mut put = |value: Value| {
        values.push(value);
        format!("${}", values.len())
    };
    if let Some(department) = &filter.department {
        wheres.push(format!("department = {}", put(department.into())));
    }
    if let Some(enterprise) = &filter.enterprise {
        wheres.push(format!("enterprise = {}", put(enterprise.into())));
    }
    if let Some(matter) = &filter.matter {
        let end = put(format!("/matters/{matter}").into());
        wheres.push(format!(
            "substr(matter, length(matter) - length({end}) + 1) = {end}"
        ));
    }
    if let Some(from) = filter.from {
        wheres.push(format!("as_of >= {}", put(from.into())));
    }
    if let Some(until) = filter.until {
        wheres.push(format!("as_of < {}", put(until.into())));
    }
    if let Some(Key {
        as_of,
        writer,
        sequence,
    }) = after
    {
        let (at, writer, sequence) = (put((*as_of).into()), put(writer.into()), put((*sequence).into()));
        wheres.push(format!(
            "as_of <= {at} AND (as_of < {at} OR (writer, sequence) > ({writer}, {sequence}))"
        ));
    }
    let limit = put(i64::try_from(limit).unwrap_or(i64::MAX).into());
    let wheres = if wheres.is_empty() {
        "1 = 1".to_owned()
    } else {
        wheres.join(" AND ")
    };
    let sql = format!(
        "SELECT writer, sequence, enterprise, matter, as_of, body FROM decision WHERE {wheres} \
         ORDER BY as_of DESC, writer, sequence LIMIT {limit}"
    );
    tx.rows(&sql, &values).await?.iter().map(Listed::of).collect()
}

/// A writer with what it recorded and what not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WriterRow {
    pub(crate) writer: String,
    pub(crate) through: u64,
    pub(crate) ended: bool,
    /// Given to nobody.
    pub(crate) skipped: u64,
    /// Decisions of sampled matters that left no record.
    pub(crate) not_kept: u64,
    /// Neither there nor explained.
    pub(crate) missing: u64,
    pub(crate) erased: u64,
}

/// All writers, by name.
pub(crate) async fn writers(tx: &mut Tx) -> Result<Vec<WriterRow>, StoreError> {
    let rows = tx
        .rows(
            "SELECT w.writer, w.through, w.ended, w.not_kept, COALESCE(s.skipped, 0) AS skipped, \
             COALESCE(d.erased, 0) AS erased, \
             w.through - COALESCE(s.skipped, 0) - COALESCE(d.records, 0) AS missing \
             FROM decision_writer w \
             LEFT JOIN (SELECT writer, COUNT(*) AS records, COUNT(*) - COUNT(body) AS erased \
             FROM decision GROUP BY writer) d ON d.writer = w.writer \
             LEFT JOIN (SELECT writer, CAST(SUM(last_sequence - first_sequence + 1) AS bigint) AS skipped \
             FROM decision_skip GROUP BY writer) s ON s.writer = w.writer \
             ORDER BY w.writer",
            &[],
        )
        .await?;
    let writer = |row: &Row| {
        Ok(WriterRow {
            writer: row.get("writer")?,
            through: sequence(row.get("through")?)?,
            ended: row.get::<i64>("ended")? == 1,
            skipped: sequence(row.get("skipped")?)?,
            not_kept: sequence(row.get("not_kept")?)?,
            missing: sequence(row.get::<i64>("missing")?.max(0))?,
            erased: sequence(row.get("erased")?)?,
        })
    };
    rows.iter().map(writer).collect()
}

/// Notes how many decisions of sampled matters a writer has given without a record.
pub(crate) async fn note_not_kept(
    database: &Database,
    writer: WriterId,
    count: u64,
) -> Result<(), StoreError> {
    let mut tx = database.write().await?;
    tx.run(
        "UPDATE decision_writer SET not_kept = $2 WHERE writer = $1",
        &[writer.to_string().into(), number(count)?.into()],
    )
    .await?;
    tx.commit().await
}

/// Deletes salt and body of at most `limit` decisions of a matter made before an instant; how many.
pub(crate) async fn erase(
    database: &Database,
    matter: &str,
    before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let mut tx = database.write().await?;
    let erased = tx
        .run(
            "UPDATE decision SET salt = NULL, body = NULL WHERE (writer, sequence) IN \
             (SELECT writer, sequence FROM decision WHERE matter = $1 AND as_of < $2 AND body IS NOT NULL \
             ORDER BY as_of LIMIT $3)",
            &[matter.into(), before.into(), limit.into()],
        )
        .await?;
    tx.commit().await?;
    Ok(erased)
}

/// Whether any of these was erased.
pub(crate) async fn any_erased(
    tx: &mut Tx,
    writer: WriterId,
    sequences: &RangeInclusive<u64>,
) -> Result<bool, StoreError> {
    let found = tx
        .row(
            "SELECT sequence FROM decision WHERE writer = $1 AND sequence BETWEEN $2 AND $3 AND body IS NULL LIMIT 1",
            &[
                writer.to_string().into(),
                number(*sequences.start())?.into(),
                number(*sequences.end())?.into(),
            ],
        )
        .await?;
    Ok(found.is_some())
}

/// A version of a policy, as it was published.
pub(crate) async fn policy(tx: &mut Tx, name: &str, version: u32) -> Result<Option<Numbered>, StoreError> {
    let found = tx
        .row(
            "SELECT name, version, source FROM policy WHERE name = $1 AND version = $2",
            &[name.into(), version.into()],
        )
        .await?;
    found.as_ref().map(numbered).transpose()
}

/// The policies in force at an instant.
pub(crate) async fn policies_at(tx: &mut Tx, at: Timestamp) -> Result<Vec<Numbered>, StoreError> {
    let rows = tx
        .rows(
            "SELECT name, version, source FROM policy p WHERE version = (SELECT MAX(version) FROM policy o \
             WHERE o.name = p.name AND o.effective_at <= $1) ORDER BY name",
            &[at.into()],
        )
        .await?;
    rows.iter().map(numbered).collect()
}

/// A text with its number in the log.
pub(crate) type Numbered = (Document, u32);

fn numbered(row: &Row) -> Result<Numbered, StoreError> {
    let document = Document {
        name: row.get("name")?,
        text: row.get("source")?,
    };
    Ok((document, row.get("version")?))
}

/// An edition of the catalogue that a decision was made by, as it came.
pub(crate) async fn edition(tx: &mut Tx, edition: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT source FROM catalogue_edition WHERE edition = $1";
    let found = tx.row(sql, &[edition.into()]).await?;
    found.map(|row| row.get("source")).transpose()
}

impl Key {
    /// Its decision; `None`: a row that no writer made.
    pub(crate) fn id(&self) -> Option<DecisionId> {
        Some(DecisionId {
            writer: WriterId::parse(&self.writer)?,
            sequence: u64::try_from(self.sequence).ok()?,
        })
    }
}
