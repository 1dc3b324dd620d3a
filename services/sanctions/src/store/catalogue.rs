//! Editions of the catalogue.

use std::sync::{Arc, Mutex, PoisonError};

use greenstar_kernel::Revision;
use greenstar_store::{StoreError, Tx};

use crate::domain::catalogue::{InForce, Law};

/// All editions. They are large, few, and never change, so each is parsed once and kept; whether there is
/// another one is asked in every transaction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf(Arc<Mutex<Law>>);

impl Shelf {
    /// Which one is in force is a matter of time: see [`Law::at`].
    pub(crate) async fn law(&self, tx: &mut Tx) -> Result<Law, StoreError> {
        let newest = tx
            .row(
                "SELECT edition FROM catalogue ORDER BY revision DESC LIMIT 1",
                &[],
            )
            .await?;
        let Some(newest) = newest else {
            return Ok(Law::default());
        };
        let newest = newest.parse("edition")?;
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if kept
            .newest()
            .is_some_and(|kept| *kept.catalogue.edition() == newest)
        {
            return Ok(kept);
        }
        let rows = tx
            .rows("SELECT fact FROM catalogue ORDER BY revision", &[])
            .await?;
        let editions = rows.iter().map(|row| Ok(Arc::new(row.json("fact")?)));
        let law = Law::new(editions.collect::<Result<_, StoreError>>()?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = law.clone();
        Ok(law)
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
