//! Rows of published policies.

use std::collections::BTreeMap;

use greenstar_kernel::{Code, Department, Officer, Position, Revision};
use greenstar_store::{Row, StoreError, Tx, Value};

use crate::domain::policy::Document;
use crate::domain::version::{Issued, Line, Published};
use crate::view::Version;

/// Every version of every policy, and the position that this shows.
#[derive(Debug)]
pub(crate) struct Policies {
    pub(crate) at: Position,
    /// By name and version.
    pub(crate) versions: Vec<Version>,
}

/// All that decisions need of every version.
pub(crate) async fn load(tx: &mut Tx) -> Result<Policies, StoreError> {
    let at = tx.head().await?;
    let rows = tx
        .rows(
            "SELECT name, version, source, evaluator, effective_at FROM policy ORDER BY name, version",
            &[],
        )
        .await?;
    let version = |row: &Row| {
        Ok(Version {
            document: Document {
                name: row.get("name")?,
                text: row.get("source")?,
            },
            number: row.get("version")?,
            evaluator: row.get("evaluator")?,
            effective_at: row.get("effective_at")?,
        })
    };
    Ok(Policies {
        at,
        versions: rows.iter().map(version).collect::<Result<_, StoreError>>()?,
    })
}

/// The revision that published last; zero before any did.
pub(crate) async fn newest(tx: &mut Tx) -> Result<Revision, StoreError> {
    let row = tx.row("SELECT MAX(revision) AS newest FROM policy", &[]).await?;
    let newest: Option<Revision> = row.map_or(Ok(None), |row| row.get("newest"))?;
    Ok(newest.unwrap_or(Revision::ZERO))
}

/// The lines of these policies; one that was never published has none.
pub(crate) async fn lines(
    tx: &mut Tx,
    policies: impl IntoIterator<Item = &Code>,
) -> Result<BTreeMap<Code, Line>, StoreError> {
    const ISSUED: &str = "SELECT name, version, department, effective_at FROM policy WHERE name";
    let names = policies.into_iter().map(|name| name.as_str().into()).collect();
    let rows = tx.rows_in(ISSUED, names, "ORDER BY name, version").await?;
    let mut issued: BTreeMap<Code, Vec<Issued>> = BTreeMap::new();
    for row in &rows {
        issued.entry(code(row, "name")?).or_default().push(Issued {
            version: row.get("version")?,
            department: department(row)?,
            effective_at: row.get("effective_at")?,
        });
    }
    let lines = issued.into_iter().map(|(name, issued)| (name, Line::new(issued)));
    Ok(lines.collect())
}

/// One version with its text.
pub(crate) async fn version(tx: &mut Tx, name: &Code, version: u32) -> Result<Option<Published>, StoreError> {
    const ONE: &str = "SELECT name, version, department, source, effective_at, published_at, author, approver, \
         publisher, note, rollback_of, evaluator FROM policy WHERE name = $1 AND version = $2";
    let row = tx.row(ONE, &[name.as_str().into(), version.into()]).await?;
    row.as_ref().map(published).transpose()
}

/// At most `limit` versions of a policy before the version `before`, the newest first, with their texts.
pub(crate) async fn versions(
    tx: &mut Tx,
    name: &Code,
    before: u32,
    limit: usize,
) -> Result<Vec<Published>, StoreError> {
    const PAGE: &str = "SELECT name, version, department, source, effective_at, published_at, author, approver, \
         publisher, note, rollback_of, evaluator FROM policy WHERE name = $1 AND version < $2 \
         ORDER BY version DESC LIMIT $3";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = tx
        .rows(PAGE, &[name.as_str().into(), before.into(), limit.into()])
        .await?;
    rows.iter().map(published).collect()
}

pub(super) async fn insert(tx: &mut Tx, published: Vec<(Revision, Published)>) -> Result<(), StoreError> {
    const COLUMNS: [&str; 13] = [
        "name",
        "version",
        "department",
        "source",
        "effective_at",
        "published_at",
        "author",
        "approver",
        "publisher",
        "note",
        "rollback_of",
        "evaluator",
        "revision",
    ];
    let officer = |officer: Option<Officer>| Value::from(officer.map(|Officer(name)| name));
    let rows = published.into_iter().map(|(revision, published)| {
        vec![
            published.name.as_str().into(),
            published.version.into(),
            published.department.as_str().into(),
            published.source.into(),
            published.effective_at.into(),
            published.published_at.into(),
            officer(published.author),
            officer(published.approver),
            officer(published.publisher),
            published.note.into(),
            published.rollback_of.into(),
            published.evaluator.into(),
            revision.into(),
        ]
    });
    tx.insert("policy", &COLUMNS, rows.collect()).await
}

fn published(row: &Row) -> Result<Published, StoreError> {
    let officer = |column| Ok::<_, StoreError>(row.get::<Option<String>>(column)?.map(Officer));
    Ok(Published {
        name: code(row, "name")?,
        version: row.get("version")?,
        department: department(row)?,
        source: row.get("source")?,
        effective_at: row.get("effective_at")?,
        published_at: row.get("published_at")?,
        author: officer("author")?,
        approver: officer("approver")?,
        publisher: officer("publisher")?,
        note: row.get("note")?,
        rollback_of: row.get("rollback_of")?,
        evaluator: row.get("evaluator")?,
    })
}

fn code(row: &Row, column: &str) -> Result<Code, StoreError> {
    Code::parse(&row.get::<String>(column)?).map_err(StoreError::corrupt)
}

fn department(row: &Row) -> Result<Department, StoreError> {
    Department::parse(&row.get::<String>("department")?).map_err(StoreError::corrupt)
}
