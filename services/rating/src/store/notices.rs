//! Notices to firms.

use std::collections::BTreeMap;

use greenstar_kernel::{Timestamp, Uscc};
use greenstar_store::{Row, StoreError, Tx, Value};

use super::rows::json;
use crate::domain::command::World;
use crate::domain::notice::RatingNotice;

fn notice(row: &Row) -> Result<RatingNotice, StoreError> {
    let notice: RatingNotice = row.json("body")?;
    Ok(RatingNotice {
        acknowledged_at: row.get("acknowledged_at")?,
        ..notice
    })
}

/// Some by name.
pub(super) async fn load(
    tx: &mut Tx,
    wanted: &[(Uscc, String)],
) -> Result<BTreeMap<(Uscc, String), RatingNotice>, StoreError> {
    const ONE: &str = "SELECT body, acknowledged_at FROM rating_notice WHERE uscc = $1 AND id = $2";
    let mut found = BTreeMap::new();
    for (uscc, id) in wanted {
        if let Some(row) = tx.row(ONE, &[uscc.into(), id.into()]).await? {
            found.insert((*uscc, id.clone()), notice(&row)?);
        }
    }
    Ok(found)
}

pub(super) async fn write(tx: &mut Tx, world: &World) -> Result<(), StoreError> {
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for key in &world.changes.notices {
        if let Some(notice) = world.notices.get(key) {
            rows.push(vec![
                (&key.0).into(),
                (&notice.id).into(),
                notice.version.into(),
                notice.made_at.into(),
                notice.acknowledged_at.into(),
                json(notice)?,
            ]);
        }
    }
    let columns = ["uscc", "id", "version", "made_at", "acknowledged_at", "body"];
    tx.upsert("rating_notice", &columns, &["uscc", "id"], rows).await
}

/// The page of a firm's notices behind one, newest first.
pub(crate) async fn notices(
    tx: &mut Tx,
    uscc: &Uscc,
    unread: bool,
    after: Option<(Timestamp, u32, String)>,
    limit: usize,
) -> Result<Vec<RatingNotice>, StoreError> {
    let mut sql = String::from("SELECT body, acknowledged_at FROM rating_notice WHERE uscc = $1");
    let mut values: Vec<Value> = vec![uscc.into()];
    if unread {
        sql.push_str(" AND acknowledged_at IS NULL");
    }
    if let Some((made_at, version, id)) = after {
        sql.push_str(
            " AND (made_at < $2 OR (made_at = $2 AND (version < $3 OR (version = $3 AND id < $4))))",
        );
        values.extend([made_at.into(), version.into(), id.into()]);
    }
    values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    sql.push_str(&format!(
        " ORDER BY made_at DESC, version DESC, id DESC LIMIT ${}",
        values.len()
    ));
    tx.rows(&sql, &values).await?.iter().map(notice).collect()
}
