//! What a service tells the writer: how to load, decide and write (protocol.md §1).

use std::sync::Arc;

use async_trait::async_trait;
use greenstar_kernel::{Position, Revision, Timestamp, Uscc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::{Entry, StoreError, Tx};

/// A service's commands, as the writer carries them out. A batch of commands shares one transaction:
/// `load` once, `decide` each in order, `write` once.
///
/// All of it may be run again, after a failure or a lost answer, so it keeps nothing outside the
/// transaction and the state.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    type Command: Send + Sync + 'static;
    /// Stored with the request id, and given again to whoever repeats it.
    type Answer: Clone + Serialize + DeserializeOwned + Send + Sync + 'static;
    type Refusal: Send + 'static;
    /// What the commands of a batch look at and change.
    type State: Send;

    /// None: the caller gave no request id.
    fn request(&self, command: &Self::Command) -> Option<Request>;

    /// Everything that these commands may look at or change; one IN-list read per aggregate.
    async fn load(&self, tx: &mut Tx, commands: &[&Self::Command]) -> Result<Self::State, StoreError>;

    /// Decides one command on the state that the ones before it left.
    ///
    /// It validates first and changes `state` only when nothing can refuse any more: a refused command
    /// leaves `state` as it was. What it pushed to `turn` before refusing is dropped by the writer.
    /// A command that changes rows pushes at least one entry, or it could be run twice unseen.
    fn decide(
        &self,
        state: &mut Self::State,
        command: &Self::Command,
        turn: &mut Turn,
    ) -> Result<Self::Answer, Self::Refusal>;

    /// Whether the last entry that its command pushed tells this answer, so that it need not be stored a second time:
    /// [`Journal::retell`] makes the same answer of the entry's body.
    fn is_told(&self, _answer: &Self::Answer) -> bool {
        false
    }

    /// The answer of which [`Journal::is_told`] was true, for a repeated request.
    fn retell(&self, _body: &str) -> Result<Self::Answer, StoreError> {
        Err(StoreError::corrupt("an answer was not stored"))
    }

    /// All that the batch changed: one insert or upsert per table. Not called when nothing was accepted.
    async fn write(&self, tx: &mut Tx, state: Self::State) -> Result<(), StoreError>;
}

/// A caller's request id. One id means one body, for each principal and method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub(crate) key: RequestKey,
    pub(crate) body_hash: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RequestKey {
    pub(crate) principal: String,
    pub(crate) method: String,
    pub(crate) request_id: String,
}

impl Request {
    /// `body` is the encoded request without its request id.
    pub fn new(
        principal: impl Into<String>,
        method: impl Into<String>,
        request_id: impl Into<String>,
        body: &[u8],
    ) -> Request {
        let body_hash = hex(&Sha256::digest(body));
        let key = RequestKey {
            principal: principal.into(),
            method: method.into(),
            request_id: request_id.into(),
        };
        Request { key, body_hash }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or_default();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)])
        .collect()
}

/// One command's turn: the instant, and the changes it makes known.
#[derive(Debug)]
pub struct Turn {
    now: Timestamp,
    batch: Arc<str>,
    head: Revision,
    entries: Vec<Entry>,
    /// A body that could not be encoded; the batch fails by it.
    failed: Option<serde_json::Error>,
}

impl Turn {
    pub(crate) fn new(now: Timestamp, batch: Arc<str>, head: Revision) -> Turn {
        Turn {
            now,
            batch,
            head,
            entries: Vec::new(),
            failed: None,
        }
    }

    /// The instant of the batch, read after the head was taken.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The revision that the next change will have.
    pub fn next(&self) -> Revision {
        self.reached().next()
    }

    /// Makes a change known: `body` is the full fact after it, `cause` what brought it about. Answers its revision.
    pub fn push<B: Serialize + ?Sized>(
        &mut self,
        kind: &str,
        enterprise: Option<Uscc>,
        body: &B,
        cause: Option<String>,
    ) -> Revision {
        let revision = self.next();
        let body = serde_json::to_string(body).unwrap_or_else(|error| {
            self.failed.get_or_insert(error);
            String::new()
        });
        let (batch, at) = (self.batch.clone(), self.now);
        self.entries.push(Entry {
            revision,
            batch,
            at,
            kind: kind.to_owned(),
            enterprise,
            body,
            cause,
        });
        revision
    }

    /// What the last change was encoded as.
    pub fn last_body(&self) -> Option<&str> {
        self.entries.last().map(|entry| entry.body.as_str())
    }

    /// The last revision taken so far.
    pub(crate) fn reached(&self) -> Revision {
        Revision(self.head.0 + self.entries.len() as u64)
    }

    pub(crate) fn mark(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn back_to(&mut self, mark: usize) {
        self.entries.truncate(mark);
    }

    pub(crate) fn finish(self) -> Result<Vec<Entry>, StoreError> {
        match self.failed {
            Some(error) => Err(StoreError::backend(error)),
            None => Ok(self.entries),
        }
    }
}

/// An answer whose changes stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed<A> {
    pub answer: A,
    /// A read at this position sees the command's changes.
    pub position: Position,
}

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError<R> {
    /// The domain refused it, on a state that is committed.
    #[error("refused")]
    Refused(R),
    /// The request id was used before, with another body.
    #[error("this request_id was used before with another body")]
    RequestIdReused,
    /// The writer was closed.
    #[error("the service is shutting down")]
    Closed,
    #[error(transparent)]
    Store(StoreError),
}
