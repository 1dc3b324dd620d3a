//! The log itself: a queue, one thread that writes groups, and look-ups.

use std::fs::File;
use std::io;
use std::mem;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use greenstar_store::StoreError;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use super::frame;
use super::index::{Due, Found, Index};
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
    /// Wakes who ships.
    written: Notify,
    samples: AtomicU64,
    /// Records that were to be kept and were not: refused, failed or dropped, all together.
    dropped: AtomicU64,
    /// Keeps other processes out while this one lives.
    _lock: File,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Waiting>,
    next: u64,
    closed: bool,
    /// The thread has written all and ended.
    ended: Option<oneshot::Receiver<()>>,
}

#[derive(Debug)]
struct Waiting {
    record: Record,
    /// None: sampled; nobody waits.
    answer: Option<oneshot::Sender<Result<(), RecordError>>>,
}

impl RecordLog {
    /// Takes the folder, reads what an earlier life left in it, and starts the writing thread.
    ///
    /// # Errors
    /// `InUse` when another process has it, `Io` and `Full` from the disk.
    pub(crate) fn open(settings: RecordSettings) -> Result<RecordLog, RecordError> {
        std::fs::create_dir_all(&settings.folder).map_err(RecordError::of)?;
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
            written: Notify::new(),
            samples: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
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
            .enqueue(body, Some(answer))
            .inspect_err(|_| self.shared.count_drop(1))?;
        written.await.unwrap_or(Err(RecordError::Closed))?;
        Ok(id)
    }

    /// Whether the next decision of a sampled matter is one to keep: every n-th is.
    pub(crate) fn samples_next(&self) -> bool {
        let every = u64::from(self.shared.settings.sample_every.max(1));
        self.shared
            .samples
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(every)
    }

    /// Keeps a body without waiting for the disk. `None`: it could not be taken, which is counted.
    pub(crate) fn sampled(&self, body: Vec<u8>) -> Option<DecisionId> {
        self.shared
            .enqueue(body, None)
            .inspect_err(|_| self.shared.count_drop(1))
            .ok()
    }

    /// Looks for a record that the database may not have yet.
    pub(crate) fn find(&self, id: &DecisionId) -> Result<Found, RecordError> {
        let place = self.shared.index().find(id);
        match place {
            None => Ok(Found::NotHere),
            Some((_, 0, _)) => Ok(Found::Damaged),
            Some((file, at, seed)) => {
                let record = segment::read(&file, at, seed)?;
                Ok(record.map_or(Found::Damaged, Found::Record))
            }
        }
    }

    /// At most `most` records that are to be shipped next, oldest first. Damaged ones are left out and told.
    pub(crate) fn due(&self, most: usize) -> Result<Option<Due>, StoreError> {
        let Some(batch) = self.shared.index().due(most) else {
            return Ok(None);
        };
        let (due, damaged) = batch.read(self.shared.writer).map_err(StoreError::corrupt)?;
        for sequence in damaged {
            self.shared.index().damaged(&DecisionId {
                writer: due.writer,
                sequence,
            });
        }
        Ok(Some(due))
    }

    /// The database has the writer's records up to here.
    pub(crate) fn shipped(&self, writer: WriterId, through: u64) {
        self.shared.index().shipped(writer, through);
    }

    /// Records that only this folder has.
    pub(crate) fn backlog(&self) -> usize {
        self.shared.index().backlog()
    }

    /// All records that were to be kept and were not.
    #[cfg(test)]
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
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

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_drop(&self, records: u64) {
        self.dropped.fetch_add(records, Ordering::Relaxed);
    }

    fn enqueue(
        &self,
        body: Vec<u8>,
        answer: Option<oneshot::Sender<Result<(), RecordError>>>,
    ) -> Result<DecisionId, RecordError> {
        if body.len() > frame::MAX_BODY {
            return Err(RecordError::TooLarge);
        }
        let salt = Uuid::new_v4().into_bytes();
        let leaf = Sha256::new()
            .chain_update(salt)
            .chain_update(&body)
            .finalize()
            .into();
        let mut queue = self.queue();
        if queue.closed {
            return Err(RecordError::Closed);
        }
        if queue.waiting.len() >= self.settings.queue {
            return Err(RecordError::Overloaded);
        }
        let sequence = queue.next;
        queue.next += 1;
        queue.waiting.push(Waiting {
            record: Record {
                sequence,
                salt,
                leaf,
                body,
            },
            answer,
        });
        if queue.waiting.len() == 1 {
            self.waiting.notify_one();
        }
        Ok(DecisionId {
            writer: self.writer,
            sequence,
        })
    }

    /// Everything that waits; `None` when closed and empty.
    fn take(&self) -> Option<Vec<Waiting>> {
        let mut queue = self.queue();
        loop {
            if !queue.waiting.is_empty() {
                return Some(mem::take(&mut queue.waiting));
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
    while let Some(mut taken) = shared.take() {
        while !taken.is_empty() {
            let group = first_group(&mut taken);
            let written = write_group(shared, &mut active, skipped, &group);
            match written {
                Ok(()) => skipped = 0,
                Err(_) => {
                    skipped += group.len() as u64;
                    shared.count_drop(group.len() as u64);
                    // What the failed write left is unknown, so nothing may follow it in this file.
                    close_segment(shared, active.take());
                }
            }
            answer(group, written);
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
            bytes += frame::OVERHEAD + waiting.record.body.len();
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
    for waiting in group {
        let at = segment.length + frames.len() as u64;
        offsets.push(u32::try_from(at).map_err(|_| io::ErrorKind::FileTooLarge)?);
        frame::encode(&waiting.record, segment.header.seed, &mut frames);
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
        shared.index().sealed(&path);
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings(folder: &Path) -> RecordSettings {
        RecordSettings {
            segment_bytes: 4096,
            ..RecordSettings::in_folder(folder)
        }
    }

    fn body(of: u64) -> Vec<u8> {
        format!("decision {of} {}", "x".repeat(usize::try_from(of % 50).unwrap())).into_bytes()
    }

    async fn write(log: &RecordLog, count: u64) -> Vec<(DecisionId, Vec<u8>)> {
        let all = (1..=count).map(|of| async move { (log.durable(body(of)).await.unwrap(), body(of)) });
        futures::future::join_all(all).await
    }

    fn holds(log: &RecordLog, id: &DecisionId, body: &[u8]) -> bool {
        matches!(log.find(id).unwrap(), Found::Record(record) if record.body == body && record.sequence == id.sequence)
    }

    /// What kill -9 leaves: the files as they are, copied while the process still holds them.
    fn killed(folder: &Path) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(folder).unwrap() {
            let from = entry.unwrap().path();
            std::fs::copy(&from, copy.path().join(from.file_name().unwrap())).unwrap();
        }
        copy
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_a_kill() {
        let folder = tempfile::tempdir().unwrap();
        let log = RecordLog::open(settings(folder.path())).unwrap();
        let acknowledged = write(&log, 300).await;
        let after = killed(folder.path());
        let again = RecordLog::open(settings(after.path())).unwrap();
        for (id, body) in &acknowledged {
            assert!(holds(&log, id, body) && holds(&again, id, body), "{id}");
        }
        assert_eq!(again.backlog(), 300);
        assert_ne!(log.writer(), again.writer());
    }

    #[tokio::test]
    async fn a_leaf_is_the_hash_of_salt_and_body() {
        let folder = tempfile::tempdir().unwrap();
        let log = RecordLog::open(settings(folder.path())).unwrap();
        let id = log.durable(b"body".to_vec()).await.unwrap();
        let Found::Record(record) = log.find(&id).unwrap() else {
            panic!("not found")
        };
        let salted: Vec<u8> = record.salt.iter().chain(b"body").copied().collect();
        assert_eq!(record.leaf, <[u8; 32]>::from(Sha256::digest(salted)));
    }

    #[tokio::test]
    async fn a_second_process_is_kept_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let _log = RecordLog::open(settings(folder.path())).unwrap();
        assert!(matches!(
            RecordLog::open(settings(folder.path())),
            Err(RecordError::InUse(_))
        ));
    }

    #[tokio::test]
    async fn shipped_segments_go_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let log = RecordLog::open(settings(folder.path())).unwrap();
        let written = write(&log, 200).await;
        let mut shipped = Vec::new();
        while let Some(due) = log.due(30).unwrap() {
            assert!(!due.last, "the writer still lives");
            shipped.extend(due.records.into_iter().map(|record| record.sequence));
            log.shipped(due.writer, due.through);
        }
        assert!(shipped.iter().copied().eq(1..=200), "each once and in order");
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert!(files <= 2, "the lock and the segment in use, not {files}");
        let more = log.durable(b"more".to_vec()).await.unwrap();
        assert!(holds(&log, &more, b"more"));
        assert_eq!(more.sequence, written.len() as u64 + 1);
    }

    #[tokio::test]
    async fn a_record_that_rots_is_told_as_damaged_and_its_segment_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let log = RecordLog::open(settings(folder.path())).unwrap();
        let written = write(&log, 3).await;
        log.close().await;
        let after = killed(folder.path());
        let again = RecordLog::open(settings(after.path())).unwrap();
        let name = std::fs::read_dir(after.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_str().unwrap().ends_with(segment::SUFFIX))
            .unwrap();
        // Behind the back of the log, in the body of the first record.
        let mut bytes = std::fs::read(&name).unwrap();
        bytes[frame::START + frame::OVERHEAD] ^= 1;
        std::fs::write(&name, bytes).unwrap();
        let due = again.due(10).unwrap().unwrap();
        assert_eq!(due.records.len(), 2);
        again.shipped(due.writer, due.through);
        assert_eq!(again.find(&written[0].0).unwrap(), Found::Damaged);
        assert!(name.exists());
    }

    #[tokio::test]
    async fn an_ended_life_is_shipped_to_its_last_record() {
        let folder = tempfile::tempdir().unwrap();
        let log = RecordLog::open(settings(folder.path())).unwrap();
        write(&log, 60).await;
        let after = killed(folder.path());
        let again = RecordLog::open(settings(after.path())).unwrap();
        let mut last = false;
        while let Some(due) = again.due(25).unwrap() {
            assert!(!last);
            assert_eq!(due.writer, log.writer());
            last = due.last;
            again.shipped(due.writer, due.through);
        }
        assert!(last);
        assert_eq!(
            std::fs::read_dir(after.path()).unwrap().count(),
            1,
            "only the lock is left"
        );
    }

    #[tokio::test]
    async fn when_the_disk_fails_nothing_is_answered_and_it_recovers_by_itself() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("records");
        let log = RecordLog::open(settings(&folder)).unwrap();
        let moved = outer.path().join("moved");
        std::fs::rename(&folder, &moved).unwrap();
        assert!(matches!(
            log.durable(b"lost".to_vec()).await,
            Err(RecordError::Io(_))
        ));
        assert_eq!(log.dropped(), 1);
        std::fs::rename(&moved, &folder).unwrap();
        let id = log.durable(b"kept".to_vec()).await.unwrap();
        assert_eq!(id.sequence, 2, "a sequence is never given twice");
        let again = RecordLog::open(settings(killed(&folder).path())).unwrap();
        assert!(holds(&again, &id, b"kept"));
        let failed = DecisionId {
            writer: id.writer,
            sequence: 1,
        };
        assert_eq!(
            again.find(&failed).unwrap(),
            Found::NotHere,
            "an explained gap is no damage"
        );
    }

    #[tokio::test]
    async fn one_sample_in_n_is_kept_and_a_closed_log_takes_none() {
        let folder = tempfile::tempdir().unwrap();
        let log = RecordLog::open(RecordSettings {
            sample_every: 4,
            ..settings(folder.path())
        })
        .unwrap();
        assert_eq!((0..100).filter(|_| log.samples_next()).count(), 25);
        let id = log.sampled(b"tile".to_vec()).unwrap();
        log.close().await;
        assert!(holds(&log, &id, b"tile"), "closing writes what was taken");
        assert!(log.sampled(b"late".to_vec()).is_none());
        assert!(matches!(
            log.durable(b"late".to_vec()).await,
            Err(RecordError::Closed)
        ));
        assert_eq!(log.dropped(), 2);
    }

    #[tokio::test]
    async fn a_body_without_measure_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let log = RecordLog::open(settings(folder.path())).unwrap();
        let huge = vec![0; frame::MAX_BODY + 1];
        assert!(matches!(log.durable(huge).await, Err(RecordError::TooLarge)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]

        /// The last segment of a killed process, cut and flipped at every byte: every record that the damage
        /// does not touch is there, and a touched one in the middle is told as damaged, not as unknown.
        #[test]
        fn damage_costs_only_what_it_touches(count in 2u64..6, step in 1usize..23, bit in 0u8..8) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let folder = tempfile::tempdir().unwrap();
            let log = RecordLog::open(settings(folder.path())).unwrap();
            let written = runtime.block_on(write(&log, count));
            runtime.block_on(log.close());
            let name = std::fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .find(|path| path.to_str().unwrap().ends_with(segment::SUFFIX))
                .unwrap();
            let whole = std::fs::read(&name).unwrap();
            for at in (frame::START..whole.len()).step_by(step) {
                let after = tempfile::tempdir().unwrap();
                let path = after.path().join(name.file_name().unwrap());
                std::fs::write(&path, &whole[..at]).unwrap();
                let index = Index::read(after.path()).unwrap();
                let kept = written.iter().filter(|(id, _)| index.find(id).is_some()).count();
                let mut end = frame::START;
                let fitting = written.iter().filter(|(_, body)| {
                    end += frame::OVERHEAD + body.len();
                    end <= at
                });
                prop_assert_eq!(kept, fitting.count(), "cut at {}", at);

                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                std::fs::write(&path, &flipped).unwrap();
                let index = Index::read(after.path()).unwrap();
                let mut begin = frame::START;
                for (nth, (id, body)) in written.iter().enumerate() {
                    let touched = (begin..begin + frame::OVERHEAD + body.len()).contains(&at);
                    begin += frame::OVERHEAD + body.len();
                    let found = index.find(id).map(|(_, offset, _)| offset != 0);
                    let last = nth + 1 == written.len();
                    let expected = match (touched, last) {
                        (false, _) => Some(true),
                        (true, false) => Some(false),
                        (true, true) => None,
                    };
                    prop_assert_eq!(found, expected, "{} flipped at {}", id, at);
                }
            }
        }
    }
}
