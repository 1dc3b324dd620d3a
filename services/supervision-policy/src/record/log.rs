//! The log itself: a queue, one thread that writes groups, and look-ups.

use std::fs::File;
use std::io;
use std::mem;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use greenstar_store::StoreError;
use rustix::fs::{FlockOperation, flock};
use tokio::sync::{Notify, oneshot};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::chain::leaf;
use super::frame;
use super::index::{self, Due, Found, Index, Left};
use super::segment::{self, Active};
use super::{DecisionId, Record, RecordError, RecordSettings, WriterId};
use crate::domain::matter::RecordMode;

/// Most bytes that one write takes.
const GROUP_BYTES: usize = 1 << 20;

/// This replica's decision record. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct RecordLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    writer: WriterId,
    settings: RecordSettings,
    queue: Mutex<Queue>,
    /// Wakes the writing thread.
    waiting: Condvar,
    index: Mutex<Index>,
    /// Every sequence up to here was written or has failed.
    settled: AtomicU64,
    /// Wakes who ships.
    written: Notify,
    shipping: tokio::sync::Mutex<()>,
    samples: AtomicU64,
    /// Records that were to be kept and were not: refused, failed or dropped, all together.
    dropped: AtomicU64,
    /// Decisions of sampled matters that left no record, because they were not among those to keep.
    unsampled: AtomicU64,
    /// Samples that could not be taken; they are among the dropped.
    refused_samples: AtomicU64,
    /// Keeps other processes out while this one lives.
    _lock: File,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// How many records they are.
    records: usize,
    next: u64,
    /// Who wants the segment in use to be closed.
    closing: Vec<oneshot::Sender<()>>,
    closed: bool,
    /// The thread has written all and ended.
    ended: Option<oneshot::Receiver<()>>,
}

#[derive(Debug)]
struct Waiting {
    record: Record,
    /// The rest of its batch, which is written with it or not at all.
    rest: Vec<Record>,
    /// None: sampled; nobody waits.
    answer: Option<oneshot::Sender<Result<(), RecordError>>>,
}

impl Waiting {
    fn records(&self) -> impl Iterator<Item = &Record> {
        std::iter::once(&self.record).chain(&self.rest)
    }
}

impl RecordLog {
    /// Takes the folder, reads what an earlier life left in it, and starts the writing thread.
    ///
    /// # Errors
    /// `InUse` when another process has it, `Io` and `Full` from the disk.
    pub(crate) fn open(settings: RecordSettings) -> Result<RecordLog, RecordError> {
        // What departments were told is nobody else's business.
        let mut private = std::fs::DirBuilder::new();
        private
            .recursive(true)
            .mode(0o700)
            .create(&settings.folder)
            .map_err(RecordError::of)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(settings.folder.join("LOCK"))
            .map_err(RecordError::of)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(RecordError::InUse(settings.folder)),
            Err(error) => return Err(RecordError::of(error.into())),
        }
        let index = Index::read(&settings.folder).map_err(RecordError::of)?;
        let (ending, ended) = oneshot::channel();
        let shared = Arc::new(Shared {
            writer: WriterId::mint(),
            queue: Mutex::new(Queue {
                next: 1,
                ended: Some(ended),
                ..Queue::default()
            }),
            waiting: Condvar::new(),
            index: Mutex::new(index),
            settled: AtomicU64::new(0),
            written: Notify::new(),
            samples: AtomicU64::new(0),
            shipping: tokio::sync::Mutex::default(),
            dropped: AtomicU64::new(0),
            unsampled: AtomicU64::new(0),
            refused_samples: AtomicU64::new(0),
            _lock: lock,
            settings,
        });
        let writing = shared.clone();
        thread::Builder::new()
            .name("decision-record".to_owned())
            .spawn(move || {
                write_groups(&writing);
                let _ = ending.send(());
            })
            .map_err(RecordError::of)?;
        Ok(RecordLog { shared })
    }

    /// How a matter with this mode is recorded here.
    pub(crate) fn mode(&self, declared: RecordMode) -> RecordMode {
        self.shared.settings.mode.unwrap_or(declared)
    }

    /// How often retention is looked at.
    pub(crate) fn retain_every(&self) -> Duration {
        self.shared.settings.retain_every
    }

    pub(crate) fn writer(&self) -> WriterId {
        self.shared.writer
    }

    /// Keeps a body; it is on the disk when this returns `Ok`.
    ///
    /// # Errors
    /// Then nothing may be answered: the record does not stand, or nobody knows.
    pub(crate) async fn durable(&self, body: Vec<u8>) -> Result<DecisionId, RecordError> {
        let (answer, written) = oneshot::channel();
        let id = self
            .shared
            .enqueue(body, Vec::new(), Some(answer))
            .inspect_err(|_| self.shared.count_drop(1))?;
        written.await.unwrap_or(Err(RecordError::Closed))?;
        Ok(id)
    }

    /// Keeps several bodies by one write and one sync. All of them are on the disk when this returns `Ok`; their ids
    /// stand in their order.
    ///
    /// # Errors
    /// As [`RecordLog::durable`], and then none of them may be answered.
    pub(crate) async fn durable_group(&self, bodies: Vec<Vec<u8>>) -> Result<Vec<DecisionId>, RecordError> {
        let records = bodies.len() as u64;
        let mut bodies = bodies.into_iter();
        let Some(first) = bodies.next() else {
            return Ok(Vec::new());
        };
        let (answer, written) = oneshot::channel();
        let first = self
            .shared
            .enqueue(first, bodies.collect(), Some(answer))
            .inspect_err(|_| self.shared.count_drop(records))?;
        written.await.unwrap_or(Err(RecordError::Closed))?;
        let ids = (first.sequence..)
            .zip(0..records)
            .map(|(sequence, _)| DecisionId {
                writer: first.writer,
                sequence,
            });
        Ok(ids.collect())
    }

    /// Whether the next decision of a sampled matter is one to keep: every n-th is.
    pub(crate) fn samples_next(&self) -> bool {
        let every = u64::from(self.shared.settings.sample_every.max(1));
        let keeps = self
            .shared
            .samples
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(every);
        if !keeps {
            self.shared.unsampled.fetch_add(1, Ordering::Relaxed);
        }
        keeps
    }

    /// Keeps a body without waiting for the disk: if that fails, the id names nothing. `None`: it could not be
    /// taken, which is counted.
    pub(crate) fn sampled(&self, body: Vec<u8>) -> Option<DecisionId> {
        self.shared
            .enqueue(body, Vec::new(), None)
            .inspect_err(|_| {
                self.shared.count_drop(1);
                self.shared.refused_samples.fetch_add(1, Ordering::Relaxed);
            })
            .ok()
    }

    /// Looks for a record that the database may not have yet.
    pub(crate) async fn find(&self, id: &DecisionId) -> Result<Found, RecordError> {
        // Before the index, so that what is settled and not there will never be.
        let waits = self.shared.waits(id);
        let place = self.shared.index().find(id);
        match place {
            None if waits => Ok(Found::NotYet),
            None => Ok(Found::NotHere),
            Some((_, 0, _)) => Ok(Found::Damaged),
            Some((file, at, seed)) => {
                let read = spawn_blocking(move || segment::read(&file, at, seed)).await;
                let record = read.map_err(|_| RecordError::Closed)??;
                Ok(record.map_or(Found::Damaged, Found::Record))
            }
        }
    }

    /// At most `most` records that are to be shipped next, oldest first. Damaged ones are left out and told.
    pub(crate) async fn due(&self, most: usize) -> Result<Option<Due>, StoreError> {
        let Some(batch) = self.shared.index().due(most) else {
            return Ok(None);
        };
        let writer = self.shared.writer;
        let read = spawn_blocking(move || batch.read(writer)).await;
        let (due, damaged) = read.map_err(StoreError::corrupt)?.map_err(StoreError::corrupt)?;
        for sequence in damaged {
            self.shared.index().damaged(&DecisionId {
                writer: due.writer,
                sequence,
            });
        }
        Ok(Some(due))
    }

    /// The database has the writer's records up to here.
    pub(crate) async fn shipped(&self, writer: WriterId, through: u64) {
        let done = self.shared.index().shipped(writer, through);
        if !done.is_empty() {
            // Fails only when the runtime ends: then the next start ships them again.
            let _ = spawn_blocking(move || index::remove(done)).await;
        }
    }

    /// Whether the database has this record, which was written in this life.
    pub(crate) fn is_shipped(&self, id: &DecisionId) -> bool {
        self.shared.index().is_shipped(id)
    }

    /// Whoever ships holds this.
    pub(crate) async fn shipping(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.shared.shipping.lock().await
    }

    /// Records that only this folder has.
    pub(crate) fn backlog(&self) -> usize {
        self.shared.index().backlog()
    }

    /// All records that were to be kept and were not.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Decisions of sampled matters that were not among those to keep.
    pub(crate) fn unsampled(&self) -> u64 {
        self.shared.unsampled.load(Ordering::Relaxed)
    }

    /// Decisions of sampled matters that this life has given without a record.
    pub(crate) fn not_kept(&self) -> u64 {
        self.unsampled() + self.shared.refused_samples.load(Ordering::Relaxed)
    }

    /// Closes the segment in use, so that it goes as soon as the database has it. Returns when that is done.
    pub(crate) async fn roll(&self) {
        let (rolled, done) = oneshot::channel();
        {
            let mut queue = self.shared.queue();
            if queue.closed {
                // Then the thread closes it by itself.
                return;
            }
            queue.closing.push(rolled);
            self.shared.waiting.notify_one();
        }
        let _ = done.await;
    }

    /// Damaged segments of which nothing is left to ship.
    pub(crate) fn left(&self) -> Vec<Left> {
        self.shared.index().left()
    }

    /// Removes a damaged segment.
    pub(crate) async fn let_go(&self, left: Left) {
        self.shared.index().let_go(&left.path);
        let _ = spawn_blocking(move || index::remove(vec![left.path])).await;
    }

    /// Returns when something new may be due.
    pub(crate) async fn something_written(&self) {
        self.shared.written.notified().await;
    }

    /// Takes no more, and returns when all that was taken is written.
    pub(crate) async fn close(&self) {
        let ended = {
            let mut queue = self.shared.queue();
            queue.closed = true;
            self.shared.waiting.notify_one();
            queue.ended.take()
        };
        if let Some(ended) = ended {
            let _ = ended.await;
        }
    }
}

impl Record {
    /// With its leaf, and no place yet.
    fn salted(body: Vec<u8>) -> Result<Record, RecordError> {
        if body.len() > frame::MAX_BODY {
            return Err(RecordError::TooLarge);
        }
        let salt = Uuid::new_v4().into_bytes();
        let leaf = leaf(&salt, &body);
        Ok(Record {
            sequence: 0,
            salt,
            leaf,
            body,
        })
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this life has given the id and its write has not ended.
    fn waits(&self, id: &DecisionId) -> bool {
        id.writer == self.writer
            && id.sequence > self.settled.load(Ordering::Acquire)
            && id.sequence < self.queue().next
    }

    fn count_drop(&self, records: u64) {
        self.dropped.fetch_add(records, Ordering::Relaxed);
    }

    /// The id of the first; those of the rest follow it.
    fn enqueue(
        &self,
        body: Vec<u8>,
        rest: Vec<Vec<u8>>,
        answer: Option<oneshot::Sender<Result<(), RecordError>>>,
    ) -> Result<DecisionId, RecordError> {
        let mut record = Record::salted(body)?;
        let rest: Result<Vec<Record>, RecordError> = rest.into_iter().map(Record::salted).collect();
        let mut rest = rest?;
        let mut queue = self.queue();
        if queue.closed {
            return Err(RecordError::Closed);
        }
        // A batch may overshoot: one that could never fit would be refused for ever.
        if queue.records >= self.settings.queue {
            return Err(RecordError::Overloaded);
        }
        let first = queue.next;
        for record in std::iter::once(&mut record).chain(&mut rest) {
            record.sequence = queue.next;
            queue.next += 1;
            queue.records += 1;
        }
        queue.waiting.push(Waiting { record, rest, answer });
        if queue.waiting.len() == 1 {
            self.waiting.notify_one();
        }
        Ok(DecisionId {
            writer: self.writer,
            sequence: first,
        })
    }

    /// Everything that waits, and who wants the segment closed behind it; `None` when closed and empty.
    fn take(&self) -> Option<(Vec<Waiting>, Vec<oneshot::Sender<()>>)> {
        let mut queue = self.queue();
        loop {
            if !queue.waiting.is_empty() || !queue.closing.is_empty() {
                queue.records = 0;
                return Some((mem::take(&mut queue.waiting), mem::take(&mut queue.closing)));
            }
            if queue.closed {
                return None;
            }
            queue = self.waiting.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The writing thread: one write and one sync for all that came while the last one ran.
fn write_groups(shared: &Shared) {
    let mut active: Option<Active> = None;
    let mut skipped = 0;
    while let Some((mut taken, closing)) = shared.take() {
        while !taken.is_empty() {
            let group = first_group(&mut taken);
            let written = write_group(shared, &mut active, skipped, &group);
            match written {
                Ok(()) => skipped = 0,
                Err(_) => {
                    let lost = group.iter().flat_map(Waiting::records).count() as u64;
                    skipped += lost;
                    shared.count_drop(lost);
                    // What the failed write left is unknown, so nothing may follow it in this file.
                    close_segment(shared, active.take());
                }
            }
            if let Some(last) = group.iter().flat_map(Waiting::records).last() {
                shared.settled.store(last.sequence, Ordering::Release);
            }
            answer(group, written);
        }
        if !closing.is_empty() {
            close_segment(shared, active.take());
        }
        for rolled in closing {
            // Who has gone does not mind.
            let _ = rolled.send(());
        }
        shared.written.notify_one();
    }
    close_segment(shared, active.take());
}

fn first_group(taken: &mut Vec<Waiting>) -> Vec<Waiting> {
    let mut bytes = 0;
    let count = taken
        .iter()
        .take_while(|waiting| {
            let fits = bytes < GROUP_BYTES;
            let records = waiting.records();
            bytes += records
                .map(|record| frame::OVERHEAD + record.body.len())
                .sum::<usize>();
            fits
        })
        .count();
    let rest = taken.split_off(count);
    mem::replace(taken, rest)
}

fn write_group(
    shared: &Shared,
    active: &mut Option<Active>,
    skipped: u64,
    group: &[Waiting],
) -> io::Result<()> {
    let Some(first) = group.first() else { return Ok(()) };
    let full = active
        .as_ref()
        .is_some_and(|a| a.length >= u64::from(shared.settings.segment_bytes));
    if full {
        close_segment(shared, active.take());
    }
    let segment = match active {
        Some(segment) => segment,
        None => active.insert(open_segment(
            shared,
            &shared.settings.folder,
            first.record.sequence,
            skipped,
        )?),
    };
    let mut frames = Vec::new();
    let mut offsets = Vec::with_capacity(group.len());
    for record in group.iter().flat_map(Waiting::records) {
        let at = segment.length + frames.len() as u64;
        offsets.push(u32::try_from(at).map_err(|_| io::ErrorKind::FileTooLarge)?);
        frame::encode(record, segment.header.seed, &mut frames);
    }
    segment.append(&frames, group.iter().any(|waiting| waiting.answer.is_some()))?;
    shared.index().wrote(offsets);
    Ok(())
}

fn open_segment(shared: &Shared, folder: &Path, first: u64, skipped: u64) -> io::Result<Active> {
    let header = segment::header(shared.writer, first, skipped);
    let active = Active::create(folder, header, shared.settings.segment_bytes)?;
    shared
        .index()
        .began(active.path.clone(), header, active.file.clone());
    Ok(active)
}

fn close_segment(shared: &Shared, active: Option<Active>) {
    if let Some(active) = active {
        let path = active.path.clone();
        active.seal();
        let done = shared.index().sealed(&path);
        index::remove(done);
    }
}

fn answer(group: Vec<Waiting>, written: io::Result<()>) {
    if let Err(error) = &written {
        tracing::error!(%error, records = group.len(), "decisions could not be recorded and are not given");
    }
    for to in group.into_iter().filter_map(|waiting| waiting.answer) {
        // An io::Error cannot be cloned; its number can.
        let said = written.as_ref().copied().map_err(|error| {
            RecordError::of(
                error
                    .raw_os_error()
                    .map_or_else(|| error.kind().into(), io::Error::from_raw_os_error),
            )
        });
        // A caller that has gone does not undo its record: decided, not delivered.
        let _ = to.send(said);
    }
}

#[cfg(test)]
mod tests;
