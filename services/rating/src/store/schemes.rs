//! Schemes are few and never change: each is read and checked once per process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use greenstar_kernel::{Code, Officer, Timestamp};
use greenstar_store::{Row, StoreError, Tx, Value};

use crate::domain::activation::Activation;
use crate::domain::command::StoredScheme;
use crate::domain::scheme::{Scheme, SchemeKey};

/// Every scheme that was read so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schemes {
    known: Arc<Mutex<BTreeMap<SchemeKey, Arc<StoredScheme>>>>,
}

impl Schemes {
    /// All committed schemes, oldest first.
    pub(crate) async fn all(&self, tx: &mut Tx) -> Result<Vec<Arc<StoredScheme>>, StoreError> {
        let rows = tx
            .rows(
                "SELECT id, version FROM scheme ORDER BY created_at, id, version",
                &[],
            )
            .await?;
        let mut schemes = Vec::with_capacity(rows.len());
        for row in &rows {
            let key = key(row)?;
            let known = self
                .known
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(&key)
                .cloned();
            schemes.push(match known {
                Some(stored) => stored,
                None => self.read(tx, key).await?,
            });
        }
        Ok(schemes)
    }

    /// One scheme; `None` if it is not stored.
    pub(crate) async fn get(
        &self,
        tx: &mut Tx,
        key: &SchemeKey,
    ) -> Result<Option<Arc<StoredScheme>>, StoreError> {
        if let Some(stored) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Ok(Some(stored.clone()));
        }
        Ok(self
            .all(tx)
            .await?
            .into_iter()
            .find(|stored| stored.scheme.key == *key))
    }

    async fn read(&self, tx: &mut Tx, key: SchemeKey) -> Result<Arc<StoredScheme>, StoreError> {
        let values = [Value::from(key.id.as_str()), Value::from(&key.version)];
        let row = tx
            .row(
                "SELECT source, created_at, author FROM scheme WHERE id = $1 AND version = $2",
                &values,
            )
            .await?
            .ok_or_else(|| StoreError::corrupt(format!("scheme {key} vanished")))?;
        let source: String = row.get("source")?;
        let created_at: Timestamp = row.get("created_at")?;
        let author: Option<String> = row.get("author")?;
        let scheme = Scheme::parse(&source).map_err(StoreError::corrupt)?;
        let stored = Arc::new(StoredScheme {
            scheme,
            source,
            created_at,
            author: author.map(Officer),
        });
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, stored.clone());
        Ok(stored)
    }
}

fn key(row: &Row) -> Result<SchemeKey, StoreError> {
    let id = Code::parse(&row.get::<String>("id")?).map_err(StoreError::corrupt)?;
    let version: String = row.get("version")?;
    SchemeKey::new(id, &version).ok_or_else(|| StoreError::corrupt(format!("scheme version {version}")))
}

/// Which versions are or come into use, in the order of their instants.
pub(crate) async fn activations(tx: &mut Tx) -> Result<Vec<Activation>, StoreError> {
    const ALL: &str = "SELECT id, version, activate_at, officer, decided_at FROM scheme_activation \
         ORDER BY activate_at, id, version";
    let rows = tx.rows(ALL, &[]).await?;
    let each = rows.iter().map(|row| {
        Ok(Activation {
            key: key(row)?,
            at: row.get("activate_at")?,
            by: Officer(row.get("officer")?),
            decided_at: row.get("decided_at")?,
        })
    });
    each.collect()
}
