//! One attempt at a batch: everything between BEGIN and COMMIT.

use std::collections::HashMap;
use std::sync::Arc;

use greenstar_kernel::{Position, Revision, Timestamp};
use uuid::Uuid;

use crate::journal::{Committed, Journal, Request, RequestKey, SubmitError, Turn};
use crate::tx::{Slot, position};
use crate::{Batch, Database, Entry, Row, StoreError, Tx, Value, log};

pub(crate) type Outcome<J> = Result<Committed<<J as Journal>::Answer>, SubmitError<<J as Journal>::Refusal>>;

/// What the callers of a batch will hear once it is committed.
pub(crate) struct Decided<J: Journal> {
    /// In the order of the commands.
    pub(crate) outcomes: Vec<Outcome<J>>,
    /// The head after the batch.
    pub(crate) head: Position,
    /// None: it changes nothing.
    pub(crate) batch: Option<Arc<Batch>>,
}

/// A request id that was used before.
struct Known<A> {
    body_hash: String,
    first: First<A>,
}

/// The first answer to it.
enum First<A> {
    Stored(Committed<A>),
    /// Given in this batch, to the command of this number.
    Given(usize),
}

/// Begins a transaction and takes the head of the log: from here to the end of the transaction nobody else writes to it.
/// It is the first statement on both engines, and goes with the BEGIN.
pub(crate) async fn begin(
    database: &Database,
    slot: &Arc<Slot>,
    batch: Uuid,
) -> Result<(Tx, Position), StoreError> {
    let take =
        format!("UPDATE change_head SET locked_by = '{batch}' WHERE one = 1 RETURNING epoch, revision");
    let (tx, rows) = database.begin_write(slot, &take).await?;
    Ok((tx, position(rows.first())?))
}

/// Whether `batch` wrote revision `first`. The head must have been taken.
pub(crate) async fn wrote(tx: &mut Tx, first: Revision, batch: &str) -> Result<bool, StoreError> {
    let row = tx
        .row(
            "SELECT batch FROM change_log WHERE revision = $1",
            &[first.into()],
        )
        .await?;
    let found: Option<String> = row.map(|row| row.get("batch")).transpose()?;
    Ok(found.as_deref() == Some(batch))
}

/// Loads, decides and writes on `head`, which was taken. `now` is read after that, so log times follow revisions as far as
/// the replicas' clocks agree.
pub(crate) async fn decide<J: Journal>(
    journal: &J,
    tx: &mut Tx,
    batch: &Arc<str>,
    head: &Position,
    commands: &[&J::Command],
    now: Timestamp,
) -> Result<Decided<J>, StoreError> {
    let requests: Vec<Option<Request>> = commands.iter().map(|command| journal.request(command)).collect();
    let mut known = known(journal, tx, head, requests.iter().flatten()).await?;
    let is_new = |request: &Option<Request>| {
        request
            .as_ref()
            .is_none_or(|request| !known.contains_key(&request.key))
    };
    let fresh: Vec<&J::Command> = commands
        .iter()
        .zip(&requests)
        .filter(|(_, request)| is_new(request))
        .map(|(command, _)| *command)
        .collect();
    let mut state = if fresh.is_empty() {
        None
    } else {
        Some(journal.load(tx, &fresh).await?)
    };

    let mut turn = Turn::new(now, batch.clone(), head.revision);
    let mut request_rows = Vec::new();
    let mut outcomes = Vec::with_capacity(commands.len());
    let mut accepted = false;
    let at = |revision| Position {
        epoch: head.epoch.clone(),
        revision,
    };
    for (command, request) in commands.iter().zip(requests) {
        let earlier = request
            .as_ref()
            .and_then(|request| known.get(&request.key).map(|known| (request, known)));
        let outcome = match (earlier, state.as_mut()) {
            (Some((request, known)), _) => repeated::<J>(request, known, &outcomes),
            // Only when every command is known is nothing loaded.
            (None, None) => Err(SubmitError::Store(StoreError::backend(
                "a new command was not loaded",
            ))),
            (None, Some(state)) => {
                let mark = turn.mark();
                match journal.decide(state, command, &mut turn) {
                    Ok(answer) => {
                        accepted = true;
                        let revision = turn.reached();
                        if let Some(Request { key, body_hash }) = request {
                            let told = turn.mark() > mark && journal.is_told(&answer);
                            let stored = if told { TOLD.to_owned() } else { json(&answer)? };
                            request_rows.push(request_row(&key, &body_hash, stored, revision, now));
                            let first = First::Given(outcomes.len());
                            known.insert(key, Known { body_hash, first });
                        }
                        Ok(Committed {
                            answer,
                            position: at(revision),
                        })
                    }
                    Err(refusal) => {
                        turn.back_to(mark);
                        Err(SubmitError::Refused(refusal))
                    }
                }
            }
        };
        outcomes.push(outcome);
    }

    let reached = turn.reached();
    let entries = turn.finish()?;
    let entries: Vec<Arc<Entry>> = entries.into_iter().map(Arc::new).collect();
    if let (true, Some(state)) = (accepted, state) {
        tx.gather();
        journal.write(tx, state).await?;
        tx.insert("request", &REQUEST_COLUMNS, request_rows).await?;
        log::append(tx, &entries).await?;
        tx.flush((!entries.is_empty()).then_some(reached)).await?;
    }
    Ok(Decided {
        outcomes,
        head: at(reached),
        batch: (!entries.is_empty()).then(|| {
            Arc::new(Batch {
                epoch: head.epoch.clone(),
                after: head.revision,
                entries,
            })
        }),
    })
}

const REQUEST_COLUMNS: [&str; 7] = [
    "principal",
    "method",
    "request_id",
    "body_hash",
    "answer",
    "revision",
    "at",
];

/// Stands for an answer that is the entry at its revision.
const TOLD: &str = "";

fn json<A: serde::Serialize>(answer: &A) -> Result<String, StoreError> {
    serde_json::to_string(answer).map_err(StoreError::backend)
}

const REQUEST_KEY: [&str; 3] = ["principal", "method", "request_id"];

const KNOWN: &str = "principal, method, request_id, body_hash, answer, revision, CASE WHEN answer = '' \
     THEN (SELECT body FROM change_log WHERE change_log.revision = request.revision) END AS told";

fn request_row(
    key: &RequestKey,
    body_hash: &str,
    answer: String,
    revision: Revision,
    now: Timestamp,
) -> Vec<Value> {
    vec![
        (&key.principal).into(),
        (&key.method).into(),
        (&key.request_id).into(),
        body_hash.into(),
        answer.into(),
        revision.into(),
        now.into(),
    ]
}

fn repeated<J: Journal>(request: &Request, known: &Known<J::Answer>, outcomes: &[Outcome<J>]) -> Outcome<J> {
    if request.body_hash != known.body_hash {
        return Err(SubmitError::RequestIdReused);
    }
    let first = match &known.first {
        First::Stored(first) => Some(first),
        // Only what was accepted is known.
        First::Given(number) => outcomes.get(*number).and_then(|outcome| outcome.as_ref().ok()),
    };
    first
        .cloned()
        .ok_or_else(|| SubmitError::Store(StoreError::backend("a first answer was lost")))
}

/// One read for all request ids of the batch.
async fn known<J: Journal>(
    journal: &J,
    tx: &mut Tx,
    head: &Position,
    requests: impl Iterator<Item = &Request>,
) -> Result<HashMap<RequestKey, Known<J::Answer>>, StoreError> {
    let wanted: Vec<Vec<Value>> = requests
        .map(|Request { key, .. }| {
            [&key.principal, &key.method, &key.request_id]
                .map(Value::from)
                .into()
        })
        .collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let found = tx.rows_by("request", KNOWN, &REQUEST_KEY, wanted).await?;
    found.iter().map(|row| read_known(journal, head, row)).collect()
}

fn read_known<J: Journal>(
    journal: &J,
    head: &Position,
    row: &Row,
) -> Result<(RequestKey, Known<J::Answer>), StoreError> {
    let key = RequestKey {
        principal: row.get("principal")?,
        method: row.get("method")?,
        request_id: row.get("request_id")?,
    };
    let stored: String = row.get("answer")?;
    let answer = if stored == TOLD {
        journal.retell(&row.get::<String>("told")?)?
    } else {
        serde_json::from_str(&stored).map_err(StoreError::corrupt)?
    };
    let position = Position {
        epoch: head.epoch.clone(),
        revision: row.get("revision")?,
    };
    let known = Known {
        body_hash: row.get("body_hash")?,
        first: First::Stored(Committed { answer, position }),
    };
    Ok((key, known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Location, Migrations, sql};

    #[tokio::test]
    async fn request_ids_are_looked_for_by_their_key_and_not_by_reading_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("requests.sqlite");
        let none = Migrations { files: &[] };
        let database = Database::migrate(&Location::Sqlite(path), &none).await.unwrap();
        let sql = sql::by_values("request", KNOWN, &REQUEST_KEY, 4);
        let mut tx = database.read().await.unwrap();
        let plan = tx.rows(&format!("EXPLAIN QUERY PLAN {sql}"), &[]).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get("detail").unwrap()).collect();
        let of_request = plan
            .iter()
            .filter(|step| step.contains("request"))
            .collect::<Vec<_>>();
        let [step] = of_request.as_slice() else {
            panic!("{plan:?}");
        };
        let key = "(principal=? AND method=? AND request_id=?)";
        assert!(step.starts_with("SEARCH") && step.ends_with(key), "{plan:?}");
    }
}
