//! Keeps a copy of the view on this replica's disk, so that the next start need not ask for everything.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use greenstar_kernel::{Clock, Log};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::catalogue;
use crate::view::{Followed, Saved, Unusable, View};

/// Between two copies. A start from an older one has more to catch up with, and nothing else.
const EVERY: Duration = Duration::from_secs(300);

/// Takes what an earlier life left, if it is of use. The view is then where that life was, and its age is unknown
/// until the sources have been heard.
pub(crate) async fn load(view: &Arc<View>, clock: &Arc<dyn Clock>, folder: &Path) {
    let began = Instant::now();
    let (reader, from) = (view.clone(), folder.to_owned());
    let read = tokio::task::spawn_blocking(move || reader.saved(&from)).await;
    let Saved {
        rating: (rating, ratings),
        sanctions,
        flags,
        editions,
        rows,
    } = match read {
        Ok(Ok(saved)) => saved,
        Ok(Err(Unusable::None)) => return,
        Ok(Err(unusable)) => {
            tracing::warn!(folder = %folder.display(), %unusable, "the view's snapshot on disk is of no use; the sources are asked for everything");
            return;
        }
        Err(error) => {
            tracing::error!(%error, "reading the view's snapshot failed");
            return;
        }
    };
    let Some(editions) = editions.iter().map(|edition| catalogue::again(edition)).collect() else {
        tracing::warn!(folder = %folder.display(), "the view's snapshot has an edition that is none; the sources are asked for everything");
        return;
    };
    let revisions = (rating.revision.0, sanctions.revision.0);
    view.replace_ratings(rating, ratings);
    view.replace_flags(sanctions, editions, flags, clock.now());
    tracing::info!(
        rows,
        rating = revisions.0,
        sanctions = revisions.1,
        took = ?began.elapsed(),
        "the view starts from its snapshot on disk"
    );
}

/// Writes copies at intervals, and a last one when `stop` says so.
pub(crate) async fn run(view: Arc<View>, folder: PathBuf, stop: CancellationToken) {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every.tick().await;
    let mut kept = None;
    loop {
        let stopped = tokio::select! {
            _ = every.tick() => false,
            () = stop.cancelled() => true,
        };
        // A snapshot may bring other rows at the position that was reached before.
        let halves = [
            (Log::Rating, Followed::Rating),
            (Log::Sanctions, Followed::Sanctions),
        ];
        let now = halves.map(|(log, followed)| (view.applied(log), view.replacements(followed)));
        if kept.as_ref() != Some(&now) && save(&view, &folder).await {
            kept = Some(now);
        }
        if stopped {
            return;
        }
    }
}

/// Takes away the copy in `folder`, which was found to be wrong: a start from it would answer with what is known not
/// to be so.
pub(super) async fn forget(view: &Arc<View>, folder: &Path) {
    let (view, from) = (view.clone(), folder.to_owned());
    match tokio::task::spawn_blocking(move || view.forget_saved(&from)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(folder = %folder.display(), %error, "the view's snapshot on disk is wrong and cannot be removed; remove it by hand before the next start");
        }
        Err(error) => tracing::error!(%error, "removing the view's snapshot failed"),
    }
}

/// False: nothing was written.
async fn save(view: &Arc<View>, folder: &Path) -> bool {
    let began = Instant::now();
    let (writer, to) = (view.clone(), folder.to_owned());
    match tokio::task::spawn_blocking(move || writer.save(&to)).await {
        Ok(Ok(Some(rows))) => {
            tracing::debug!(rows, took = ?began.elapsed(), "a snapshot of the view was written");
            true
        }
        Ok(Ok(None)) => false,
        Ok(Err(error)) => {
            tracing::warn!(folder = %folder.display(), %error, "the view's snapshot cannot be written; the next start takes longer");
            false
        }
        Err(error) => {
            tracing::error!(%error, "writing the view's snapshot failed");
            false
        }
    }
}
