//! Editions of the catalogue.

use std::sync::{Arc, Mutex, PoisonError};

use greenstar_kernel::Revision;
use greenstar_store::{StoreError, Tx};

use crate::domain::catalogue::{Edition, InForce};

/// The edition in force. It is large and hardly ever changes, so it is parsed once and kept; which one
/// is in force is asked in every transaction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf(Arc<Mutex<Option<Arc<InForce>>>>);

impl Shelf {
    /// `None` before the first edition.
    pub(crate) async fn in_force(&self, tx: &mut Tx) -> Result<Option<Arc<InForce>>, StoreError> {
        let latest = tx
            .row(
                "SELECT edition FROM catalogue ORDER BY revision DESC LIMIT 1",
                &[],
            )
            .await?;
        let Some(latest) = latest else { return Ok(None) };
        let edition: Edition = latest.parse("edition")?;
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(kept) = kept.filter(|kept| *kept.catalogue.edition() == edition) {
            return Ok(Some(kept));
        }
        let name = edition.to_string();
        let row = tx
            .row("SELECT fact FROM catalogue WHERE edition = $1", &[name.into()])
            .await?;
        let row = row.ok_or_else(|| StoreError::corrupt(format!("edition {edition} is gone")))?;
        let read: Arc<InForce> = Arc::new(row.json("fact")?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(read.clone());
        Ok(Some(read))
    }
}

pub(super) async fn insert(tx: &mut Tx, editions: Vec<(Arc<InForce>, Revision)>) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    for (edition, revision) in editions {
        let fact = serde_json::to_string(&*edition).map_err(|error| StoreError::Backend(Arc::new(error)))?;
        rows.push(vec![
            edition.catalogue.edition().to_string().into(),
            revision.into(),
            fact.into(),
        ]);
    }
    tx.insert("catalogue", &["edition", "revision", "fact"], rows)
        .await
}
