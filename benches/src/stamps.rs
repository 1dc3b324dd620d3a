//! When a change passed which place: the suite says so to the target `greenstar::passage`, and this writes it down
//! with the clock that all processes of the machine share, there and then.

use std::fmt::{Debug, Write as _};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::mono;

const PASSAGE: &str = "greenstar::passage";
/// Between two writes to the file, so that what is measured does not wait for it.
const WRITE: Duration = Duration::from_millis(20);

/// A place that a change passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Step {
    /// A writer begins a joined transaction.
    #[default]
    Begun,
    /// Its COMMIT returned.
    Committed,
    /// A view holds the change.
    Applied,
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) step: Step,
    /// Of the log; empty where the step does not say.
    pub(crate) epoch: String,
    pub(crate) after: u64,
    pub(crate) to: u64,
    /// [`mono::now`].
    pub(crate) at: u64,
}

impl Stamp {
    fn read(line: &str) -> Option<Stamp> {
        let mut parts = line.split(' ');
        let step = match parts.next()? {
            "begun" => Step::Begun,
            "committed" => Step::Committed,
            "applied" => Step::Applied,
            _ => return None,
        };
        let epoch = parts.next()?.to_owned();
        let mut number = || parts.next()?.parse().ok();
        Some(Stamp {
            step,
            epoch,
            after: number()?,
            to: number()?,
            at: number()?,
        })
    }
}

/// What was written so far, less a line that is only half there.
pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<Stamp>> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    Ok(whole.lines().filter_map(Stamp::read).collect())
}

/// Writes stamps of this process to a file, and the log as ever.
pub(crate) fn write_to(file: &Path) -> anyhow::Result<()> {
    let lines = Arc::new(Mutex::new(String::new()));
    let mut file = std::fs::File::create(file)?;
    let stamped = Recorder(lines.clone()).with_filter(Targets::new().with_target(PASSAGE, Level::TRACE));
    let log = fmt::layer()
        .with_writer(std::io::stderr)
        .with_filter(LevelFilter::INFO);
    tracing_subscriber::registry()
        .with(stamped)
        .with(log)
        .try_init()?;
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(WRITE);
            let text = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
            // The folder goes with whoever reads it.
            if file.write_all(text.as_bytes()).is_err() {
                return;
            }
        }
    });
    Ok(())
}

struct Recorder(Arc<Mutex<String>>);

impl<S: Subscriber> tracing_subscriber::Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let at = mono::now();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields {
            step,
            epoch,
            after,
            to,
        } = fields;
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A text has room.
        let _ = writeln!(lines, "{step} {epoch} {after} {to} {at}");
    }
}

#[derive(Default)]
struct Fields {
    step: String,
    epoch: String,
    after: u64,
    to: u64,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "after" => self.after = value,
            "to" => self.to = value,
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "step" {
            value.clone_into(&mut self.step);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "epoch" {
            self.epoch = format!("{value:?}");
        }
    }
}

/// When a log's revisions passed, from the lines of one process.
#[derive(Debug, Default)]
pub(crate) struct Passages {
    /// Commits in order: after, to, begun, committed.
    commits: Vec<[u64; 4]>,
    /// Revisions and instants in order.
    applied: Vec<[u64; 2]>,
}

impl Passages {
    /// Of the log of this epoch.
    pub(crate) fn of(stamps: &[Stamp], epoch: &str) -> Passages {
        let (mut passages, mut begun) = (Passages::default(), 0);
        for stamp in stamps {
            match stamp.step {
                Step::Begun if stamp.epoch == epoch => begun = stamp.at,
                Step::Committed if stamp.epoch == epoch => {
                    passages.commits.push([stamp.after, stamp.to, begun, stamp.at]);
                }
                Step::Applied => passages.applied.push([stamp.to, stamp.at]),
                Step::Begun | Step::Committed => {}
            }
        }
        passages
    }

    /// When the transaction of a revision began, and when its commit returned; none: another process wrote it.
    pub(crate) fn commit(&self, revision: u64) -> Option<(u64, u64)> {
        let at = self.commits.partition_point(|[_, to, ..]| *to < revision);
        let [after, _, begun, committed] = *self.commits.get(at)?;
        (after < revision).then_some((begun, committed))
    }

    /// When a view first held a revision.
    pub(crate) fn applied(&self, revision: u64) -> Option<u64> {
        let at = self.applied.partition_point(|[to, _]| *to < revision);
        self.applied.get(at).map(|[_, at]| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_found_in_the_batch_that_wrote_it_and_nowhere_else() {
        let text = "begun e 0 0 10\ncommitted e 3 5 20\nbegun f 0 0 21\ncommitted f 8 9 22\nbegun e 0 0 30\n\
                    committed e 7 8 40\napplied  0 5 50\napplied  0 8 60\n";
        let stamps: Vec<Stamp> = text.lines().filter_map(Stamp::read).collect();
        let passages = Passages::of(&stamps, "e");

        assert_eq!(stamps.len(), 8);
        assert_eq!(passages.commit(4), Some((10, 20)));
        assert_eq!(passages.commit(5), Some((10, 20)));
        assert_eq!(passages.commit(6), None);
        assert_eq!(passages.commit(8), Some((30, 40)));
        assert_eq!(passages.commit(9), None);
        assert_eq!(passages.applied(5), Some(50));
        assert_eq!(passages.applied(6), Some(60));
        assert_eq!(passages.applied(9), None);
    }

    #[test]
    fn half_a_line_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stamps");
        std::fs::write(&file, "applied  0 5 50\nappl").unwrap();
        assert_eq!(read(&file).unwrap().len(), 1);
    }
}
