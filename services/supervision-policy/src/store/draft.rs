//! Rows of policies in the making.

use greenstar_kernel::{Code, Department, Timestamp};
use greenstar_store::{Row, StoreError, Tx, Value};

use crate::domain::draft::Draft;

/// These drafts, without their texts.
pub(super) async fn by_id(tx: &mut Tx, ids: Vec<Value>) -> Result<Vec<Draft>, StoreError> {
    let rows = tx
        .rows_in("SELECT fact FROM policy_draft WHERE id", ids, "")
        .await?;
    rows.iter().map(|row| row.json("fact")).collect()
}

/// A draft with its text.
pub(crate) async fn find(tx: &mut Tx, id: &Code) -> Result<Option<(Draft, String)>, StoreError> {
    let row = tx
        .row(
            "SELECT fact, source FROM policy_draft WHERE id = $1",
            &[id.as_str().into()],
        )
        .await?;
    let both = |row: Row| Ok((row.json("fact")?, row.get("source")?));
    row.map(both).transpose()
}

/// At most `limit` drafts of a department behind `after`, the newest first, without their texts.
pub(crate) async fn list(
    tx: &mut Tx,
    department: &Department,
    after: Option<&(Timestamp, Code)>,
    limit: usize,
) -> Result<Vec<Draft>, StoreError> {
    const PAGE: &str = "SELECT fact FROM policy_draft WHERE department = $1 \
         AND (created_at < $2 OR (created_at = $2 AND id < $3)) \
         ORDER BY created_at DESC, id DESC LIMIT $4";
    let (created_at, id) = match after {
        Some((created_at, id)) => (*created_at, id.as_str()),
        None => (Timestamp::from_micros(i64::MAX), ""),
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = [
        department.as_str().into(),
        created_at.into(),
        id.into(),
        limit.into(),
    ];
    let rows = tx.rows(PAGE, &values).await?;
    rows.iter().map(|row| row.json("fact")).collect()
}

/// Drafts with their texts, where those were written anew.
pub(super) async fn write(tx: &mut Tx, drafts: Vec<(Draft, Option<String>)>) -> Result<(), StoreError> {
    let mut written = Vec::new();
    for (draft, text) in drafts {
        let fact = serde_json::to_string(&draft).map_err(StoreError::corrupt)?;
        match text {
            Some(text) => written.push(vec![
                draft.id.as_str().into(),
                draft.department.as_str().into(),
                draft.created_at.into(),
                fact.into(),
                text.into(),
            ]),
            None => {
                let values = [draft.id.as_str().into(), fact.into()];
                tx.run("UPDATE policy_draft SET fact = $2 WHERE id = $1", &values)
                    .await?;
            }
        }
    }
    let columns = ["id", "department", "created_at", "fact", "source"];
    tx.upsert("policy_draft", &columns, &["id"], written).await
}
