//! Decisions of the last days, for those who decide them again.

use greenstar_kernel::Timestamp;
use greenstar_store::{Row, StoreError, Tx};

/// Rows read at a time.
const PAGE: i64 = 1_000;

/// A recorded decision.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// `{writer}-{sequence}`
    pub(crate) id: String,
    /// Who asked.
    pub(crate) department: String,
    pub(crate) matter: String,
    /// An encoded `supervision.v1.Decision`; `None`: it was erased.
    pub(crate) body: Option<Vec<u8>>,
}

/// Where a page begins: behind this one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behind {
    writer: String,
    sequence: i64,
}

/// How many there are since an instant.
pub(crate) async fn count(tx: &mut Tx, since: Timestamp) -> Result<usize, StoreError> {
    let row = tx
        .row(
            "SELECT COUNT(*) AS n FROM decision WHERE as_of >= $1",
            &[since.into()],
        )
        .await?;
    let count = row.map(|row| row.get::<i64>("n")).transpose()?.unwrap_or(0);
    usize::try_from(count).map_err(StoreError::corrupt)
}

/// A page of them, by writer and sequence; empty: there are no more.
pub(crate) async fn page(
    tx: &mut Tx,
    since: Timestamp,
    behind: &mut Behind,
) -> Result<Vec<Recorded>, StoreError> {
    const DECISIONS: &str = "SELECT writer, sequence, department, matter, body FROM decision \
         WHERE (writer, sequence) > ($1, $2) AND as_of >= $3 ORDER BY writer, sequence LIMIT $4";
    let values = [
        (&behind.writer).into(),
        behind.sequence.into(),
        since.into(),
        PAGE.into(),
    ];
    let rows = tx.rows(DECISIONS, &values).await?;
    let recorded = |row: &Row| {
        let (writer, sequence) = (row.get::<String>("writer")?, row.get::<i64>("sequence")?);
        let id = format!("{writer}-{sequence}");
        *behind = Behind { writer, sequence };
        Ok(Recorded {
            id,
            department: row.get("department")?,
            matter: row.get("matter")?,
            body: row.get("body")?,
        })
    };
    rows.iter().map(recorded).collect()
}
