//! Compares the view with its sources at intervals, row by row: a change that was lost on the way, for whatever reason,
//! is found and put right without anybody's help. While both go on, what changed meanwhile proves nothing and is left
//! to the next time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use greenstar_feed::follow::{Broken, Event, Events};
use greenstar_kernel::{Log, Position, Uscc};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use super::flags::{Flags, Row};
use super::keep;
use super::ratings::Ratings;
use crate::view::{Edition, FlagSource, Followed, Touched, View};

/// A source that sends nothing for so long is asked another time.
const SILENCE: Duration = Duration::from_secs(30);
/// For the view to reach where the source's rows are.
const CATCH_UP: Duration = Duration::from_secs(10);
/// Enterprises that are named when something differs.
const NAMED: usize = 5;

/// What compares.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) view: Arc<View>,
    pub(crate) ratings: Ratings,
    pub(crate) flags: Flags,
    pub(crate) rating: Half,
    pub(crate) sanctions: Half,
    /// Where a copy of the view is kept.
    pub(crate) copy: Option<PathBuf>,
}

/// One of the two logs.
#[derive(Debug)]
pub(crate) struct Half {
    /// Has its follower take everything anew.
    start_over: Arc<Notify>,
    /// It was asked to, when so many snapshots had been taken.
    asked_at: Option<u64>,
}

impl Half {
    pub(crate) fn new(start_over: Arc<Notify>) -> Half {
        Half {
            start_over,
            asked_at: None,
        }
    }

    /// What was asked for is still to come.
    fn waits(&self, view: &View, log: Followed) -> bool {
        self.asked_at == Some(view.replacements(log))
    }

    /// Whether it was found to be wrong; everything is taken anew then.
    fn tell(&mut self, view: &View, log: Followed, compared: Result<Compared, Broken>) -> bool {
        // Nothing is noted while nobody compares.
        drop(view.noted(log));
        let differs = tell(log, compared);
        if differs {
            view.differs(log);
            self.asked_at = Some(view.replacements(log));
            self.start_over.notify_one();
        }
        differs
    }
}

/// What came of it.
#[derive(Debug)]
enum Compared {
    Same {
        rows: u64,
    },
    Differs {
        rows: u64,
        unlike: Vec<Uscc>,
        what: &'static str,
    },
    /// Nothing can be said this time.
    Unclear(&'static str),
}

impl Comparison {
    pub(crate) async fn run(mut self, every: Duration, stop: CancellationToken) {
        let mut look = interval_at(Instant::now() + every, every);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = look.tick() => {}
                () = stop.cancelled() => return,
            }
            if !self.rating.waits(&self.view, Followed::Rating) {
                let compared = tokio::select! {
                    compared = self.ratings() => compared,
                    () = stop.cancelled() => return,
                };
                let differs = self.rating.tell(&self.view, Followed::Rating, compared);
                self.forget_copy_if(differs).await;
            }
            if !self.sanctions.waits(&self.view, Followed::Sanctions) {
                let compared = tokio::select! {
                    compared = self.flags() => compared,
                    () = stop.cancelled() => return,
                };
                let differs = self.sanctions.tell(&self.view, Followed::Sanctions, compared);
                self.forget_copy_if(differs).await;
            }
        }
    }

    async fn forget_copy_if(&self, differs: bool) {
        if let Some(folder) = self.copy.as_ref().filter(|_| differs) {
            keep::forget(&self.view, folder).await;
        }
    }

    async fn ratings(&mut self) -> Result<Compared, Broken> {
        let view = self.view.clone();
        view.note(Followed::Rating);
        let before = view.applied(Log::Rating);
        let mut unlike = Vec::new();
        let events = self.ratings.snapshot().await?;
        let read = read(events, |rows| {
            for row in rows.into_iter().filter(|row| !view.has_rating(row)) {
                unlike.push(row.0);
            }
        });
        let (at, rows) = read.await?;
        if let Some(why) = self.unfit(Log::Rating, before, &at).await {
            return Ok(Compared::Unclear(why));
        }
        // Counted first: what comes behind it is noted.
        let here = self.view.rated() as u64;
        let touched = self.view.noted(Followed::Rating);
        Ok(verdict(
            unlike,
            &touched,
            rows,
            here > rows + touched.enterprises.len() as u64,
        ))
    }

    async fn flags(&mut self) -> Result<Compared, Broken> {
        self.view.note(Followed::Sanctions);
        let before = self.view.applied(Log::Sanctions);
        let (mut source, mut editions) = (FlagSource::default(), Vec::new());
        let events = self.flags.snapshot().await?;
        let read = read(events, |rows| {
            for row in rows {
                match row {
                    Row::Flag(flag) => source.put(&flag),
                    Row::Edition(edition) => editions.push(edition),
                }
            }
        });
        let (at, rows) = read.await?;
        if let Some(why) = self.unfit(Log::Sanctions, before, &at).await {
            return Ok(Compared::Unclear(why));
        }
        let unlike = self.view.flags_unlike(&source);
        let other_law = !same(&self.view.editions(), &editions);
        let touched = self.view.noted(Followed::Sanctions);
        if other_law && !touched.other && !touched.replaced {
            return Ok(Compared::Differs {
                rows,
                unlike: Vec::new(),
                what: "the catalogue is another one",
            });
        }
        Ok(verdict(unlike, &touched, rows, false))
    }

    /// Why a snapshot at `at` cannot be compared; waits until the view has reached it.
    async fn unfit(&self, log: Log, before: Option<Position>, at: &Position) -> Option<&'static str> {
        let Some(before) = before else {
            return Some("nothing is applied yet");
        };
        if before.epoch != at.epoch || before.revision > at.revision {
            return Some("the source is in another life, or behind");
        }
        let reached = async {
            loop {
                let moved = self.view.moved();
                let mut moved = std::pin::pin!(moved);
                moved.as_mut().enable();
                let applied = self.view.applied(log);
                if applied.is_some_and(|applied| applied.revision >= at.revision) {
                    return;
                }
                moved.await;
            }
        };
        let late = timeout(CATCH_UP, reached).await.is_err();
        late.then_some("the view has not caught up")
    }
}

/// What changed meanwhile proves nothing.
fn verdict(mut unlike: Vec<Uscc>, touched: &Touched, rows: u64, too_many: bool) -> Compared {
    if touched.replaced {
        return Compared::Unclear("a snapshot came in between");
    }
    unlike.retain(|uscc| !touched.enterprises.contains(uscc));
    if !unlike.is_empty() {
        Compared::Differs {
            rows,
            unlike,
            what: "rows are others",
        }
    } else if too_many {
        Compared::Differs {
            rows,
            unlike,
            what: "the view has enterprises that the source does not have",
        }
    } else {
        Compared::Same { rows }
    }
}

fn same(here: &[Edition], there: &[Edition]) -> bool {
    let sorted = |editions: &[Edition]| {
        let mut of: Vec<_> = editions
            .iter()
            .map(|one| (one.name.clone(), one.source.clone()))
            .collect();
        of.sort();
        of
    };
    sorted(here) == sorted(there)
}

/// Reads a snapshot: its position and the number of its rows.
async fn read<R>(mut events: Events<R>, mut take: impl FnMut(Vec<R>)) -> Result<(Position, u64), Broken> {
    let (mut at, mut taken) = (None, 0);
    loop {
        let next = timeout(SILENCE, events.next()).await;
        match next.map_err(|_| Broken::malformed("nothing"))? {
            Some(event) => match event? {
                Event::Begin(position) => at = Some(position),
                Event::Rows(rows) => {
                    taken += rows.len() as u64;
                    take(rows);
                }
                Event::End(sent) => {
                    let at = at.ok_or_else(|| Broken::malformed("the end of no snapshot"))?;
                    return if sent == taken {
                        Ok((at, taken))
                    } else {
                        Err(Broken::malformed("a snapshot with rows missing"))
                    };
                }
                Event::Frame { .. } | Event::Pong { .. } => {
                    return Err(Broken::malformed("no snapshot"));
                }
            },
            None => return Err(Broken::malformed("half a snapshot")),
        }
    }
}

/// Whether the view has to be taken anew.
fn tell(log: Followed, compared: Result<Compared, Broken>) -> bool {
    let log = match log {
        Followed::Rating => Log::Rating.as_str(),
        Followed::Sanctions => Log::Sanctions.as_str(),
    };
    match compared {
        Ok(Compared::Same { rows }) => {
            tracing::info!(log, rows, "the view is what its source says");
            false
        }
        Ok(Compared::Differs { rows, unlike, what }) => {
            let named: Vec<&str> = unlike.iter().take(NAMED).map(Uscc::as_str).collect();
            tracing::error!(
                log,
                rows,
                unlike = unlike.len(),
                enterprises = named.join(", "),
                what,
                "ALARM: the view differs from its source; it is taken anew"
            );
            true
        }
        Ok(Compared::Unclear(why)) => {
            tracing::info!(log, why, "the view was not compared with its source this time");
            false
        }
        Err(error) => {
            tracing::warn!(log, %error, "the view could not be compared with its source");
            false
        }
    }
}
