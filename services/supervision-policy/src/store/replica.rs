//! What each replica says that it decides by.

use greenstar_kernel::{Epoch, Position, Timestamp};
use greenstar_store::{Database, Row, StoreError, Tx};

/// A replica's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) name: String,
    /// How far it has applied the policy log.
    pub(crate) applied: Position,
    /// Whether its policies fit its catalogue.
    pub(crate) fit: bool,
    /// Versions in force there, in one text.
    pub(crate) policy_version: String,
    pub(crate) reported_at: Timestamp,
}

/// Renews a replica's row.
pub(crate) async fn renew(database: &Database, report: &Report) -> Result<(), StoreError> {
    let columns = ["name", "epoch", "applied", "fit", "policy_version", "reported_at"];
    let row = vec![
        (&report.name).into(),
        report.applied.epoch.as_str().into(),
        report.applied.revision.into(),
        i64::from(report.fit).into(),
        (&report.policy_version).into(),
        report.reported_at.into(),
    ];
    let mut tx = database.write().await?;
    tx.upsert("policy_replica", &columns, &["name"], vec![row])
        .await?;
    tx.commit().await
}

/// The replica stops, and is missed by nobody.
pub(crate) async fn leave(database: &Database, name: &str) -> Result<(), StoreError> {
    let mut tx = database.write().await?;
    tx.run("DELETE FROM policy_replica WHERE name = $1", &[name.into()])
        .await?;
    tx.commit().await
}

/// All replicas by name. One that ended without a word stays, with the time at which it was last heard.
pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<Report>, StoreError> {
    const ALL: &str =
        "SELECT name, epoch, applied, fit, policy_version, reported_at FROM policy_replica ORDER BY name";
    let report = |row: &Row| {
        let epoch: String = row.get("epoch")?;
        Ok(Report {
            name: row.get("name")?,
            applied: Position {
                epoch: Epoch::parse(&epoch)
                    .ok_or_else(|| StoreError::corrupt("a replica without an epoch"))?,
                revision: row.get("applied")?,
            },
            fit: row.get::<i64>("fit")? != 0,
            policy_version: row.get("policy_version")?,
            reported_at: row.get("reported_at")?,
        })
    };
    tx.rows(ALL, &[]).await?.iter().map(report).collect()
}
