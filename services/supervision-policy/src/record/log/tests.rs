//! What is acknowledged stands, whatever happens to process, disk and files.

use super::*;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

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

async fn holds(log: &RecordLog, id: &DecisionId, body: &[u8]) -> bool {
    matches!(log.find(id).await.unwrap(), Found::Record(record) if record.body == body && record.sequence == id.sequence)
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
        assert!(
            holds(&log, id, body).await && holds(&again, id, body).await,
            "{id}"
        );
    }
    assert_eq!(again.backlog(), 300);
    assert_ne!(log.writer(), again.writer());
}

#[tokio::test]
async fn the_record_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("records");
    let log = RecordLog::open(settings(&folder)).unwrap();
    write(&log, 1).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(mode(&folder), 0);
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(mode(&path) == 0 || path.ends_with("LOCK"), "{}", path.display());
    }
}

#[tokio::test]
async fn a_leaf_is_the_hash_of_salt_and_body() {
    let folder = tempfile::tempdir().unwrap();
    let log = RecordLog::open(settings(folder.path())).unwrap();
    let id = log.durable(b"body".to_vec()).await.unwrap();
    let Found::Record(record) = log.find(&id).await.unwrap() else {
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
    while let Some(due) = log.due(30).await.unwrap() {
        assert!(!due.last, "the writer still lives");
        shipped.extend(due.records.into_iter().map(|record| record.sequence));
        log.shipped(due.writer, due.through).await;
    }
    assert!(shipped.iter().copied().eq(1..=200), "each once and in order");
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert!(files <= 2, "the lock and the segment in use, not {files}");
    let more = log.durable(b"more".to_vec()).await.unwrap();
    assert!(holds(&log, &more, b"more").await);
    assert_eq!(more.sequence, written.len() as u64 + 1);
}

#[tokio::test]
async fn a_segment_that_is_closed_goes_as_soon_as_it_is_shipped() {
    let folder = tempfile::tempdir().unwrap();
    let log = RecordLog::open(settings(folder.path())).unwrap();
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    write(&log, 1).await;
    let due = log.due(10).await.unwrap().unwrap();
    log.shipped(due.writer, due.through).await;
    assert_eq!(
        files(),
        2,
        "the lock, and the segment in use with a record that was shipped"
    );
    log.roll().await;
    assert_eq!(files(), 1, "nothing of it is left");
    let next = log.durable(b"next".to_vec()).await.unwrap();
    log.roll().await;
    assert!(holds(&log, &next, b"next").await, "what was not shipped stays");
    log.close().await;
    log.roll().await;
}

#[tokio::test]
async fn a_segment_behind_a_failed_write_says_which_sequences_nobody_was_given() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("records");
    let log = RecordLog::open(settings(&folder)).unwrap();
    let moved = outer.path().join("moved");
    log.durable(b"first".to_vec()).await.unwrap();
    log.roll().await;
    std::fs::rename(&folder, &moved).unwrap();
    for _ in 0..2 {
        log.durable(b"lost".to_vec()).await.unwrap_err();
    }
    std::fs::rename(&moved, &folder).unwrap();
    log.durable(b"kept".to_vec()).await.unwrap();
    let first = log.due(10).await.unwrap().unwrap();
    assert_eq!((first.through, first.skipped), (1, None));
    log.shipped(first.writer, first.through).await;
    let second = log.due(10).await.unwrap().unwrap();
    assert_eq!((second.through, second.skipped), (4, Some(2..=3)));
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
    let due = again.due(10).await.unwrap().unwrap();
    assert_eq!(due.records.len(), 2);
    again.shipped(due.writer, due.through).await;
    assert_eq!(again.find(&written[0].0).await.unwrap(), Found::Damaged);
    assert!(name.exists());
    let left = again.left();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].sequences, 1..=3);
    again.let_go(left[0].clone()).await;
    assert!(!name.exists() && again.left().is_empty());
}

#[tokio::test]
async fn an_ended_life_is_shipped_to_its_last_record() {
    let folder = tempfile::tempdir().unwrap();
    let log = RecordLog::open(settings(folder.path())).unwrap();
    write(&log, 60).await;
    let after = killed(folder.path());
    let again = RecordLog::open(settings(after.path())).unwrap();
    let mut last = false;
    while let Some(due) = again.due(25).await.unwrap() {
        assert!(!last);
        assert_eq!(due.writer, log.writer());
        last = due.last;
        again.shipped(due.writer, due.through).await;
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
    assert!(holds(&again, &id, b"kept").await);
    let failed = DecisionId {
        writer: id.writer,
        sequence: 1,
    };
    assert_eq!(
        again.find(&failed).await.unwrap(),
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
    assert_eq!((log.unsampled(), log.not_kept()), (75, 75));
    let id = log.sampled(b"tile".to_vec()).unwrap();
    log.close().await;
    assert!(holds(&log, &id, b"tile").await, "closing writes what was taken");
    assert!(log.sampled(b"late".to_vec()).is_none());
    assert!(matches!(
        log.durable(b"late".to_vec()).await,
        Err(RecordError::Closed)
    ));
    assert_eq!((log.dropped(), log.not_kept()), (2, 76));
}

#[tokio::test]
async fn a_sample_that_was_named_is_there_or_still_to_come() {
    let folder = tempfile::tempdir().unwrap();
    let log = RecordLog::open(settings(folder.path())).unwrap();
    let next = |id: DecisionId| DecisionId {
        sequence: id.sequence + 1,
        ..id
    };
    for of in 0..200 {
        let id = log.sampled(body(of)).unwrap();
        assert!(holds(&log, &id, &body(of)).await || log.find(&id).await.unwrap() != Found::NotHere);
        assert_eq!(log.find(&next(id)).await.unwrap(), Found::NotHere, "never given");
    }
}

#[tokio::test]
async fn a_folder_may_have_any_name() {
    use std::os::unix::ffi::OsStrExt as _;

    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join(std::ffi::OsStr::from_bytes(b"records \xff"));
    let log = RecordLog::open(settings(&folder)).unwrap();
    let id = log.durable(b"kept".to_vec()).await.unwrap();
    log.close().await;
    let index = Index::read(&folder).unwrap();
    assert!(index.find(&id).is_some());
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
