//! What departments were told of those whom they follow.

use std::time::Duration;

use greenstar_kernel::Timestamp;
use greenstar_store::{Database, Row, StoreError, Tx};

/// Messages of a stream that are kept for those who reopen.
const MESSAGES: i64 = 4_096;
/// A stream that nobody has used for so long is forgotten.
const UNUSED: Duration = Duration::from_secs(30 * 86_400);

/// One opening of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) id: String,
    pub(crate) department: String,
    pub(crate) matter: String,
    /// Digest of all that those who reopen must name again.
    pub(crate) asked: String,
    pub(crate) officer: String,
    /// Encoded; empty: none was named.
    pub(crate) authority: Vec<u8>,
    pub(crate) members: u64,
    /// Of the last message.
    pub(crate) sequence: u64,
}

/// Opens a new one, and forgets those that nobody uses.
pub(crate) async fn open(
    database: &Database,
    stream: &Stream,
    holder: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut tx = database.write().await?;
    let unused = i64::try_from(UNUSED.as_micros()).unwrap_or(i64::MAX);
    let before = now.micros().saturating_sub(unused);
    for table in ["treatment_message", "treatment_held"] {
        tx.run(
            &format!(
                "DELETE FROM {table} WHERE stream IN (SELECT stream FROM treatment_stream WHERE used_at < $1)"
            ),
            &[before.into()],
        )
        .await?;
    }
    tx.run(
        "DELETE FROM treatment_stream WHERE used_at < $1",
        &[before.into()],
    )
    .await?;
    tx.insert(
        "treatment_stream",
        &[
            "stream",
            "department",
            "matter",
            "asked",
            "officer",
            "authority",
            "members",
            "holder",
            "sequence",
            "opened_at",
            "used_at",
        ],
        vec![vec![
            stream.id.as_str().into(),
            stream.department.as_str().into(),
            stream.matter.as_str().into(),
            stream.asked.as_str().into(),
            stream.officer.as_str().into(),
            stream.authority.clone().into(),
            number(stream.members).into(),
            holder.into(),
            number(stream.sequence).into(),
            now.into(),
            now.into(),
        ]],
    )
    .await?;
    tx.commit().await
}

/// What somebody who reopens goes on from.
#[derive(Debug)]
pub(crate) struct Reopened {
    pub(crate) stream: Stream,
    /// Encoded, behind the cursor, in order; `None`: they are not kept any more, or never were.
    pub(crate) missed: Option<Vec<Vec<u8>>>,
    /// What was told last of each, encoded.
    pub(crate) held: Vec<(String, Vec<u8>)>,
}

/// Takes the place of whoever holds the stream. `None`: it is forgotten, or was asked for otherwise.
pub(crate) async fn reopen(
    database: &Database,
    id: &str,
    asked: &str,
    after: u64,
    holder: &str,
    now: Timestamp,
) -> Result<Option<Reopened>, StoreError> {
    let mut tx = database.write().await?;
    let taken = tx
        .run(
            "UPDATE treatment_stream SET holder = $3, used_at = $4 WHERE stream = $1 AND asked = $2",
            &[id.into(), asked.into(), holder.into(), now.into()],
        )
        .await?;
    let Some(stream) = find(&mut tx, id).await?.filter(|_| taken > 0) else {
        return Ok(None);
    };
    let rows = tx
        .rows(
            "SELECT body FROM treatment_message WHERE stream = $1 AND sequence > $2 ORDER BY sequence",
            &[id.into(), number(after).into()],
        )
        .await?;
    let missed: Vec<Vec<u8>> = rows.iter().map(|row| row.get("body")).collect::<Result<_, _>>()?;
    let wanted = stream.sequence.checked_sub(after);
    let whole = wanted == u64::try_from(missed.len()).ok();
    let rows = tx
        .rows(
            "SELECT member, body FROM treatment_held WHERE stream = $1",
            &[id.into()],
        )
        .await?;
    let held = rows.iter().map(|row| Ok((row.get("member")?, row.get("body")?)));
    let held = held.collect::<Result<_, StoreError>>()?;
    tx.commit().await?;
    Ok(Some(Reopened {
        stream,
        missed: whole.then_some(missed),
        held,
    }))
}

pub(crate) async fn find(tx: &mut Tx, id: &str) -> Result<Option<Stream>, StoreError> {
    let row = tx
        .row(
            "SELECT stream, department, matter, asked, officer, authority, members, sequence \
             FROM treatment_stream WHERE stream = $1",
            &[id.into()],
        )
        .await?;
    row.as_ref().map(stream).transpose()
}

/// Writes messages down, the first with the number `first`, and what they tell of each. False: another connection
/// goes on with the stream, and nothing was written.
pub(crate) async fn tell(
    database: &Database,
    id: &str,
    holder: &str,
    first: u64,
    messages: Vec<Vec<u8>>,
    held: Vec<(String, Vec<u8>)>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut tx = database.write().await?;
    let before = number(first) - 1;
    let last = before + i64::try_from(messages.len()).unwrap_or(i64::MAX);
    let moved = tx
        .run(
            "UPDATE treatment_stream SET sequence = $4, used_at = $5 \
             WHERE stream = $1 AND holder = $2 AND sequence = $3",
            &[id.into(), holder.into(), before.into(), last.into(), now.into()],
        )
        .await?;
    if moved == 0 {
        return Ok(false);
    }
    let rows = messages.into_iter().zip(before + 1..);
    let rows = rows.map(|(body, sequence)| vec![id.into(), sequence.into(), body.into()]);
    tx.insert(
        "treatment_message",
        &["stream", "sequence", "body"],
        rows.collect(),
    )
    .await?;
    let rows = held.into_iter();
    let rows = rows.map(|(member, body)| vec![id.into(), member.into(), body.into()]);
    tx.upsert(
        "treatment_held",
        &["stream", "member", "body"],
        &["stream", "member"],
        rows.collect(),
    )
    .await?;
    tx.run(
        "DELETE FROM treatment_message WHERE stream = $1 AND sequence <= $2",
        &[id.into(), (last - MESSAGES).into()],
    )
    .await?;
    tx.commit().await?;
    Ok(true)
}

fn stream(row: &Row) -> Result<Stream, StoreError> {
    Ok(Stream {
        id: row.get("stream")?,
        department: row.get("department")?,
        matter: row.get("matter")?,
        asked: row.get("asked")?,
        officer: row.get("officer")?,
        authority: row.get("authority")?,
        members: count(row, "members")?,
        sequence: count(row, "sequence")?,
    })
}

fn count(row: &Row, column: &str) -> Result<u64, StoreError> {
    let count: i64 = row.get(column)?;
    u64::try_from(count).map_err(StoreError::corrupt)
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
