//! Signs statements with this replica's key. The private half stays in the record folder; the public half is in the
//! database, where every replica and every verifier finds it. A rotation retires all keys there, and each replica
//! makes a new one before it signs again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::{Clock, Timestamp};
use greenstar_receipts::{KeyError, Receipt, SignError, SigningKey};
use greenstar_store::{Database, StoreError};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::record::hex;
use crate::store::receipt::{self, Checkpoint};

/// Name of the key's file in the record folder.
const FILE: &str = "signing-key";
/// How often the heads of chains are signed.
const CHECKPOINTS: Duration = Duration::from_secs(60);

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsigned {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Statement(#[from] SignError),
    #[error("the task that makes a key has ended")]
    Ended,
}

/// Signs for this replica. Clones share the key.
#[derive(Clone, Debug)]
pub(crate) struct Signer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    /// `None`: it was not read yet.
    key: Mutex<Option<Arc<SigningKey>>>,
    database: Database,
    clock: Arc<dyn Clock>,
}

impl Signer {
    /// `folder`: this replica's alone, and persistent.
    pub(crate) fn new(folder: &Path, database: Database, clock: Arc<dyn Clock>) -> Signer {
        Signer(Arc::new(Inner {
            file: folder.join(FILE),
            key: Mutex::new(None),
            database,
            clock,
        }))
    }

    /// Signs a statement of this type, as of now.
    pub(crate) async fn sign(
        &self,
        typ: &str,
        mut statement: Map<String, Value>,
    ) -> Result<Receipt, Unsigned> {
        let key = self.key().await?;
        statement.insert("typ".to_owned(), typ.into());
        statement.insert("issued_at".to_owned(), self.0.clock.now().to_string().into());
        Ok(Receipt::sign(&key, &Value::Object(statement))?)
    }

    /// The key to sign with: one that is known and not retired.
    async fn key(&self) -> Result<Arc<SigningKey>, Unsigned> {
        let Inner {
            key, database, clock, ..
        } = &*self.0;
        let mut held = key.lock().await;
        let present = match &*held {
            Some(key) => key.clone(),
            None => self.make(SigningKey::open).await?,
        };
        let mut tx = database.read().await?;
        let known = receipt::key(&mut tx, present.id()).await?;
        drop(tx);
        let present = match known {
            Some(known) if known.retired_at.is_none() => present,
            Some(_) => {
                let new = self.make(SigningKey::make).await?;
                self.tell(&new, clock.now()).await?;
                new
            }
            None => {
                self.tell(&present, clock.now()).await?;
                present
            }
        };
        *held = Some(present.clone());
        Ok(present)
    }

    async fn make(
        &self,
        how: fn(&Path) -> Result<SigningKey, KeyError>,
    ) -> Result<Arc<SigningKey>, Unsigned> {
        let file = self.0.file.clone();
        let made = spawn_blocking(move || how(&file)).await;
        Ok(Arc::new(made.map_err(|_| Unsigned::Ended)??))
    }

    async fn tell(&self, key: &SigningKey, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.0.database.write().await?;
        receipt::add_key(&mut tx, key.id(), &key.public().x, now, "").await?;
        tx.commit().await
    }

    /// Retires all keys and makes a new one here. `asked_by` names the request; the same again changes nothing.
    pub(crate) async fn rotate(&self, asked_by: &str) -> Result<receipt::Key, Unsigned> {
        let Inner {
            key, database, clock, ..
        } = &*self.0;
        let mut held = key.lock().await;
        let mut tx = database.read().await?;
        if !asked_by.is_empty()
            && let Some(first) = receipt::asked(&mut tx, asked_by).await?
        {
            return Ok(first);
        }
        drop(tx);
        let new = self.make(SigningKey::make).await?;
        *held = Some(new.clone());
        let x = new.public().x;
        let mut tx = database.write().await?;
        let now = clock.now();
        receipt::retire_keys(&mut tx, now).await?;
        receipt::add_key(&mut tx, new.id(), &x, now, asked_by).await?;
        tx.commit().await?;
        Ok(receipt::Key {
            kid: new.id().to_owned(),
            x,
            retired_at: None,
        })
    }

    /// Signs heads of chains until `stop`: at the start those that ended lives left, then every minute.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut tick = interval(CHECKPOINTS);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = stop.cancelled() => return,
            }
            if let Err(error) = self.sign_heads().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "heads of decision chains wait for their signature"
                );
            }
        }
    }

    /// Signs the head of every chain that has moved. Replicas may all do so: a head is kept once.
    pub(crate) async fn sign_heads(&self) -> Result<(), Unsigned> {
        let mut tx = self.0.database.read().await?;
        let writers = receipt::unsigned_writers(&mut tx).await?;
        drop(tx);
        for writer in writers {
            let mut tx = self.0.database.read().await?;
            let head = receipt::unsigned_head(&mut tx, &writer).await?;
            drop(tx);
            let Some((sequence, chain)) = head else { continue };
            let statement = json!({
                "writer": format!("recordWriters/{writer}"),
                "sequence": sequence,
                "chain": hex(&chain),
            });
            let Value::Object(statement) = statement else {
                continue;
            };
            let Receipt { jws, payload } = self.sign("greenstar.checkpoint/1", statement).await?;
            let checkpoint = Checkpoint {
                writer,
                sequence,
                chain,
                made_at: self.0.clock.now(),
                jws,
                payload,
            };
            receipt::add_checkpoint(&self.0.database, checkpoint).await?;
        }
        Ok(())
    }
}
