//! One attempt at a batch: everything between BEGIN and COMMIT.

use std::collections::HashMap;
use std::sync::Arc;

use greenstar_kernel::{Position, Revision, Timestamp};

use crate::journal::{Committed, Journal, Request, RequestKey, SubmitError, Turn};
use crate::tx::position;
use crate::{Batch, Entry, Row, StoreError, Tx, Value, log};

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

/// The first answer to a request id.
struct Known {
    body_hash: String,
    answer: String,
    revision: Revision,
}

/// Takes the head of the log: from here to the end of the transaction nobody else writes to it.
/// It is the first statement on both engines.
pub(crate) async fn take_head(tx: &mut Tx, batch: &str) -> Result<Position, StoreError> {
    const TAKE: &str = "UPDATE change_head SET locked_by = $1 WHERE one = 1 RETURNING epoch, revision";
    let row = tx.row(TAKE, &[batch.into()]).await?;
    position(row.as_ref())
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

/// Loads, decides and writes. `now` is read after the head was taken, so log times follow revisions
/// as far as the replicas' clocks agree.
pub(crate) async fn decide<J: Journal>(
    journal: &J,
    tx: &mut Tx,
    batch: &Arc<str>,
    commands: &[&J::Command],
    now: impl FnOnce() -> Timestamp + Send,
) -> Result<Decided<J>, StoreError> {
    let head = take_head(tx, batch).await?;
    let now = now();
    let requests: Vec<Option<Request>> = commands.iter().map(|command| journal.request(command)).collect();
    let mut known = known(tx, requests.iter().flatten()).await?;
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
            (Some((request, known)), _) => repeated::<J>(request, known, at),
            // Only when every command is known is nothing loaded.
            (None, None) => Err(SubmitError::Store(StoreError::backend(
                "a new command was not loaded",
            ))),
            (None, Some(state)) => {
                let mark = turn.mark();
                match journal.decide(state, command, &mut turn) {
                    Ok(answer) => {
                        accepted = true;
                        if let Some(request) = request {
                            let first = remember(&request, &answer, turn.reached())?;
                            request_rows.push(request_row(&request.key, &first, now));
                            known.insert(request.key, first);
                        }
                        Ok(Committed {
                            answer,
                            position: at(turn.reached()),
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
    if let (true, Some(state)) = (accepted, state) {
        journal.write(tx, state).await?;
        tx.insert("request", &REQUEST_COLUMNS, request_rows).await?;
    }
    let entries: Vec<Arc<Entry>> = entries.into_iter().map(Arc::new).collect();
    if !entries.is_empty() {
        log::append(tx, &entries).await?;
        tx.run(
            "UPDATE change_head SET revision = $1 WHERE one = 1",
            &[reached.into()],
        )
        .await?;
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

fn remember<A: serde::Serialize>(
    request: &Request,
    answer: &A,
    revision: Revision,
) -> Result<Known, StoreError> {
    let answer = serde_json::to_string(answer).map_err(StoreError::backend)?;
    Ok(Known {
        body_hash: request.body_hash.clone(),
        answer,
        revision,
    })
}

fn request_row(key: &RequestKey, known: &Known, now: Timestamp) -> Vec<Value> {
    vec![
        (&key.principal).into(),
        (&key.method).into(),
        (&key.request_id).into(),
        (&known.body_hash).into(),
        (&known.answer).into(),
        known.revision.into(),
        now.into(),
    ]
}

fn repeated<J: Journal>(request: &Request, known: &Known, at: impl Fn(Revision) -> Position) -> Outcome<J> {
    if request.body_hash != known.body_hash {
        return Err(SubmitError::RequestIdReused);
    }
    let answer = serde_json::from_str(&known.answer)
        .map_err(|error| SubmitError::Store(StoreError::corrupt(error)))?;
    Ok(Committed {
        answer,
        position: at(known.revision),
    })
}

/// One read for all request ids of the batch.
async fn known(
    tx: &mut Tx,
    requests: impl Iterator<Item = &Request>,
) -> Result<HashMap<RequestKey, Known>, StoreError> {
    const BEFORE: &str = "SELECT principal, method, request_id, body_hash, answer, revision FROM request \
         WHERE (principal, method, request_id)";
    let keys: Vec<Value> = requests
        .flat_map(|Request { key, .. }| [&key.principal, &key.method, &key.request_id])
        .map(Value::from)
        .collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let found = tx.rows_in_tuples(BEFORE, &keys, 3).await?;
    found.iter().map(read_known).collect()
}

fn read_known(row: &Row) -> Result<(RequestKey, Known), StoreError> {
    let key = RequestKey {
        principal: row.get("principal")?,
        method: row.get("method")?,
        request_id: row.get("request_id")?,
    };
    let known = Known {
        body_hash: row.get("body_hash")?,
        answer: row.get("answer")?,
        revision: row.get("revision")?,
    };
    Ok((key, known))
}
