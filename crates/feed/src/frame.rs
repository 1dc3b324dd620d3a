//! Frames: the changes of one joined transaction, with the range of revisions they cover.

use std::sync::Arc;

use greenstar_kernel::{Epoch, Revision, Uscc};
use greenstar_store::{Batch, Database, Entry};

use crate::FeedError;

/// All that a subscriber is to know of the revisions `(after, to]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The subscriber's cursor, or it has missed something.
    pub after: Revision,
    /// Its cursor from now on.
    pub to: Revision,
    /// In revision order. Empty when nothing of the range is for this subscriber, or nothing happened.
    pub entries: Vec<Arc<Entry>>,
    /// Enterprises that this subscriber's filter no longer covers.
    pub left: Vec<Uscc>,
}

/// What an entry is to a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relevance {
    Inside,
    /// Its enterprise leaves what the subscriber follows.
    Left,
    Outside,
}

impl Frame {
    /// Says that nothing happened after `at`.
    pub(crate) fn idle(at: Revision) -> Frame {
        Frame {
            after: at,
            to: at,
            entries: Vec::new(),
            left: Vec::new(),
        }
    }

    pub(crate) fn of_batch(batch: &Batch) -> Frame {
        Frame {
            after: batch.after,
            to: batch.to(),
            entries: batch.entries.clone(),
            left: Vec::new(),
        }
    }

    pub(crate) fn of(after: Revision, batch: Vec<Entry>) -> Frame {
        let to = batch.last().map_or(after, |entry| entry.revision);
        Frame {
            after,
            to,
            entries: batch.into_iter().map(Arc::new).collect(),
            left: Vec::new(),
        }
    }

    /// This frame as one who stands at `cursor` and follows what `relevance` says receives it.
    /// A cursor may lie inside: a caller's token names its own change, not the end of its batch.
    pub(crate) fn cut(
        self: Arc<Frame>,
        cursor: Revision,
        relevance: impl Fn(&Entry) -> Relevance,
    ) -> Arc<Frame> {
        let whole = cursor == self.after
            && self
                .entries
                .iter()
                .all(|entry| relevance(entry) == Relevance::Inside);
        if whole {
            return self;
        }
        let mut cut = Frame {
            after: cursor,
            to: self.to,
            entries: Vec::new(),
            left: Vec::new(),
        };
        for entry in self.entries.iter().filter(|entry| entry.revision > cursor) {
            match relevance(entry) {
                Relevance::Inside => cut.entries.push(entry.clone()),
                Relevance::Left => cut.left.extend(entry.enterprise),
                Relevance::Outside => {}
            }
        }
        Arc::new(cut)
    }
}

/// Entries in one read. A batch that is longer is read whole all the same.
const PAGE: u32 = 2_000;

/// The next whole batches after `after`, a position of `epoch`; empty when the log ends there.
pub(crate) async fn read(
    database: &Database,
    epoch: &Epoch,
    after: Revision,
) -> Result<Vec<Frame>, FeedError> {
    let mut tx = database.read().await?;
    let head = tx.head().await?;
    if head.epoch != *epoch {
        return Err(FeedError::Foreign);
    }
    if head.revision <= after {
        return Ok(Vec::new());
    }
    match tx.oldest_change().await? {
        Some(oldest) if oldest <= after.next() => {}
        Some(_) | None => return Err(FeedError::CursorTooOld),
    }
    let mut entries = tx.changes(after, PAGE).await?;
    let mut full = entries.len() == PAGE as usize;
    while full {
        // The last batch may go on in the next page: it waits, unless it is the only one.
        let last = entries.last().map(|entry| (entry.batch.clone(), entry.revision));
        let Some((batch, revision)) = last else { break };
        if let Some(before) = entries.iter().rposition(|entry| entry.batch != batch) {
            entries.truncate(before + 1);
            break;
        }
        let next = tx.changes(revision, PAGE).await?;
        full = next.len() == PAGE as usize;
        entries.extend(next);
    }
    Ok(frames(after, entries))
}

fn frames(mut after: Revision, entries: Vec<Entry>) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut batch: Vec<Entry> = Vec::new();
    for entry in entries {
        if batch.last().is_some_and(|last| last.batch != entry.batch) {
            let frame = Frame::of(after, std::mem::take(&mut batch));
            after = frame.to;
            frames.push(frame);
        }
        batch.push(entry);
    }
    if !batch.is_empty() {
        frames.push(Frame::of(after, batch));
    }
    frames
}
