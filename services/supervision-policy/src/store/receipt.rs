//! Public keys, and the signed heads of the writers' chains.

use greenstar_kernel::Timestamp;
use greenstar_store::{Database, Row, StoreError, Tx, Value};

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) kid: String,
    pub(crate) x: String,
    /// `None`: it signs.
    pub(crate) retired_at: Option<Timestamp>,
}

/// A signed head of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) writer: String,
    pub(crate) sequence: u64,
    pub(crate) chain: Vec<u8>,
    pub(crate) made_at: Timestamp,
    pub(crate) jws: String,
    pub(crate) payload: String,
}

const KEY: &str = "SELECT kid, x, retired_at FROM signing_key";

fn read_key(row: &Row) -> Result<Key, StoreError> {
    Ok(Key {
        kid: row.get("kid")?,
        x: row.get("x")?,
        retired_at: row.get("retired_at")?,
    })
}

/// The key with this id.
pub(crate) async fn key(tx: &mut Tx, kid: &str) -> Result<Option<Key>, StoreError> {
    let row = tx.row(&format!("{KEY} WHERE kid = $1"), &[kid.into()]).await?;
    row.as_ref().map(read_key).transpose()
}

/// The key that this rotation made.
pub(crate) async fn asked(tx: &mut Tx, by: &str) -> Result<Option<Key>, StoreError> {
    let row = tx
        .row(&format!("{KEY} WHERE asked_by = $1"), &[by.into()])
        .await?;
    row.as_ref().map(read_key).transpose()
}

/// All keys, those that sign first, then the newest.
pub(crate) async fn keys(tx: &mut Tx) -> Result<Vec<Key>, StoreError> {
    let order = "ORDER BY CASE WHEN retired_at IS NULL THEN 0 ELSE 1 END, made_at DESC, kid";
    let rows = tx.rows(&format!("{KEY} {order}"), &[]).await?;
    rows.iter().map(read_key).collect()
}

/// Makes a key known. A repeat changes nothing.
pub(crate) async fn add_key(
    tx: &mut Tx,
    kid: &str,
    x: &str,
    now: Timestamp,
    asked_by: &str,
) -> Result<(), StoreError> {
    tx.run(
        "INSERT INTO signing_key (kid, x, made_at, asked_by) VALUES ($1, $2, $3, $4) ON CONFLICT (kid) DO NOTHING",
        &[kid.into(), x.into(), now.into(), asked_by.into()],
    )
    .await
    .map(drop)
}

/// Retires every key that signs.
pub(crate) async fn retire_keys(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    tx.run(
        "UPDATE signing_key SET retired_at = $1 WHERE retired_at IS NULL",
        &[now.into()],
    )
    .await
    .map(drop)
}

/// The head of a writer's chain that no checkpoint has: (sequence, chain).
pub(crate) async fn unsigned_head(tx: &mut Tx, writer: &str) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
    let row = tx
        .row(
            "SELECT chained, chain FROM decision_writer WHERE writer = $1 AND chain IS NOT NULL AND chained > \
             (SELECT COALESCE(MAX(sequence), 0) FROM checkpoint WHERE writer = $1)",
            &[writer.into()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let through = u64::try_from(row.get::<i64>("chained")?).map_err(StoreError::corrupt)?;
    Ok(Some((through, row.get("chain")?)))
}

/// Writers with a head that no checkpoint has.
pub(crate) async fn unsigned_writers(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    let rows = tx
        .rows(
            "SELECT writer FROM decision_writer WHERE chain IS NOT NULL AND chained > \
             (SELECT COALESCE(MAX(sequence), 0) FROM checkpoint WHERE checkpoint.writer = decision_writer.writer)",
            &[],
        )
        .await?;
    rows.iter().map(|row| row.get("writer")).collect()
}

/// Keeps a checkpoint. A repeat changes nothing.
pub(crate) async fn add_checkpoint(database: &Database, checkpoint: Checkpoint) -> Result<(), StoreError> {
    let Checkpoint {
        writer,
        sequence,
        chain,
        made_at,
        jws,
        payload,
    } = checkpoint;
    let sequence = i64::try_from(sequence).map_err(StoreError::corrupt)?;
    let mut tx = database.write().await?;
    tx.run(
        "INSERT INTO checkpoint (writer, sequence, chain, made_at, jws, payload) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (writer, sequence) DO NOTHING",
        &[
            writer.into(),
            sequence.into(),
            chain.into(),
            made_at.into(),
            jws.into(),
            payload.into(),
        ],
    )
    .await?;
    tx.commit().await
}

/// A writer's checkpoints, the newest first, before this sequence; `None`: there is no such writer.
pub(crate) async fn checkpoints(
    tx: &mut Tx,
    writer: &str,
    before: i64,
    most: usize,
) -> Result<Option<Vec<Checkpoint>>, StoreError> {
    let known = "SELECT writer FROM decision_writer WHERE writer = $1";
    if tx.row(known, &[writer.into()]).await?.is_none() {
        return Ok(None);
    }
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = tx
        .rows(
            "SELECT sequence, chain, made_at, jws, payload FROM checkpoint WHERE writer = $1 AND sequence < $2 \
             ORDER BY sequence DESC LIMIT $3",
            &[writer.into(), Value::from(before), most.into()],
        )
        .await?;
    let read = |row: &Row| {
        Ok(Checkpoint {
            writer: writer.to_owned(),
            sequence: u64::try_from(row.get::<i64>("sequence")?).map_err(StoreError::corrupt)?,
            chain: row.get("chain")?,
            made_at: row.get("made_at")?,
            jws: row.get("jws")?,
            payload: row.get("payload")?,
        })
    };
    rows.iter().map(read).collect::<Result<_, StoreError>>().map(Some)
}
