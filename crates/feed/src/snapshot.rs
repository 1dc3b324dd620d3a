//! Snapshots: read at the database's pace, sent at the subscriber's.
//!
//! The rows are read into memory in one read transaction, which ends before the first of them is sent. A
//! transaction that lived as long as a subscriber takes to read would hold one of a handful of
//! connections that the tail and every other read need, and PostgreSQL ends one that idles for five
//! seconds. So a snapshot costs memory instead. Few exist at once, and each only for a while: a
//! subscriber that does not take its rows in time is cut off. The others wait their turn and hold nothing.
//! Whoever waits, for its turn or for the reading, is sent no rows each second: a subscriber takes a source that
//! is silent for longer to be lost, and would begin again for ever.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::{Epoch, Position, Revision};
use greenstar_store::StoreError;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at};

use crate::tail::Shared;
use crate::{Feed, FeedError, Filter, Outbound, Source};

/// Snapshots in memory at once. Fewer than the four readers that a SQLite database has.
pub(crate) const AT_ONCE: usize = 2;
/// For the reading of all rows.
const READING: Duration = Duration::from_secs(60);
/// For the subscriber to take all of them.
const TAKING: Duration = Duration::from_secs(120);
/// Between two signs of life. Less than half of what a follower waits for.
const ALIVE: Duration = Duration::from_millis(800);

/// What a subscriber is told until its snapshot ends.
pub(crate) type Told<S> = Result<Outbound<<S as Source>::Row>, FeedError>;

#[derive(Debug, thiserror::Error)]
#[error("the snapshot could not be read in time")]
struct Slow;

/// Starts a snapshot. It goes on without being asked, so that a subscriber which asks for nothing more
/// does not keep it.
pub(crate) fn start<S: Source>(feed: &Feed, source: Arc<S>, filter: Arc<Filter>) -> mpsc::Receiver<Told<S>> {
    // A sign of life and the beginning.
    let (tell, told) = mpsc::channel(2);
    let (shared, stop) = (feed.shared.clone(), feed.stop.clone());
    feed.task.spawn(stop.run_until_cancelled_owned(async move {
        let gone = tell.clone();
        tokio::select! {
            () = gone.closed() => {}
            () = take(&shared, &*source, &filter, &tell) => {}
        }
    }));
    told
}

async fn take<S: Source>(shared: &Shared, source: &S, filter: &Filter, tell: &mpsc::Sender<Told<S>>) {
    let Ok(turn) = alive(tell, shared.snapshots.acquire()).await else {
        return;
    };
    let read = alive(
        tell,
        tokio::time::timeout(READING, read(shared, source, filter, tell)),
    );
    let taken = match read
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable(Arc::new(Slow))))
    {
        Ok((epoch, pages)) => send(epoch, pages, tell, TAKING).await,
        Err(error) => Err(error.into()),
    };
    // Whoever does not listen may take its time to hear why.
    drop(turn);
    if let Err(error) = taken {
        drop(tell.send(Err(error)).await);
    }
}

/// Does `work`, and sends signs of life meanwhile: pages without rows. Whoever has not taken one gets no other.
async fn alive<R, T>(
    tell: &mpsc::Sender<Result<Outbound<R>, FeedError>>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    let mut tick = interval_at(Instant::now() + ALIVE, ALIVE);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = tick.tick() => {
                if tell.capacity() == tell.max_capacity() {
                    // It has room; or nobody listens any more.
                    let _ = tell.try_send(Ok(Outbound::SnapshotRows(Vec::new())));
                }
            }
        }
    }
}

/// Tells of which position the snapshot is, and reads all rows that the filter covers.
async fn read<S: Source>(
    shared: &Shared,
    source: &S,
    filter: &Filter,
    tell: &mpsc::Sender<Told<S>>,
) -> Result<(Epoch, Vec<Vec<S::Row>>), StoreError> {
    let mut tx = shared.database.read().await?;
    let at = tx.head().await?;
    let epoch = at.epoch.clone();
    // There is room beside a sign of life; the transaction waits for nobody.
    let _ = tell.try_send(Ok(Outbound::SnapshotBegin { at }));
    let mut pages: Vec<Vec<S::Row>> = Vec::new();
    // As it was read: behind its last row the next page begins, whether that row is covered or not.
    let mut page: Vec<S::Row> = Vec::new();
    loop {
        let next = source.page(&mut tx, page.last()).await?;
        let last = next.is_empty();
        let covered = std::mem::replace(&mut page, next)
            .into_iter()
            .filter(|row| source.covers(row, filter));
        let covered: Vec<S::Row> = covered.collect();
        if !covered.is_empty() {
            pages.push(covered);
        }
        if last {
            return Ok((epoch, pages));
        }
    }
}

async fn send<R>(
    epoch: Epoch,
    pages: Vec<Vec<R>>,
    tell: &mpsc::Sender<Result<Outbound<R>, FeedError>>,
    limit: Duration,
) -> Result<(), FeedError> {
    let rows = pages.iter().map(|page| page.len() as u64).sum();
    let parts = pages
        .into_iter()
        .map(Outbound::SnapshotRows)
        .chain([Outbound::SnapshotEnd { rows }]);
    let sent = tokio::time::timeout(limit, async {
        for part in parts {
            if tell.send(Ok(part)).await.is_err() {
                return;
            }
        }
    });
    sent.await.map_err(|_| FeedError::CutOff {
        // Half a snapshot is nothing to go on from.
        cursor: Position {
            epoch,
            revision: Revision::ZERO,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_subscriber_that_stops_taking_rows_is_cut_off() {
        let epoch = Epoch::parse("one").unwrap();
        let (tell, mut told) = mpsc::channel(1);
        // The time is over although nobody asks for anything.
        let sent = send(epoch.clone(), vec![vec![1], vec![2]], &tell, Duration::ZERO).await;
        let Err(FeedError::CutOff { cursor }) = sent else {
            panic!("not cut off")
        };
        assert_eq!((cursor.epoch, cursor.revision), (epoch, Revision::ZERO));
        assert_eq!(
            told.recv().await.unwrap().unwrap(),
            Outbound::SnapshotRows(vec![1])
        );
        assert!(told.try_recv().is_err(), "no other row was kept for it");
    }
}
