//! The decision record (protocol.md §8): what was answered, and everything it was computed from, on
//! this replica's own disk before the answer leaves. Shipping it to the database is `ship`'s business.

pub(crate) mod chain;
mod frame;
mod index;
mod log;
pub(crate) mod retention;
mod segment;
pub(crate) mod ship;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use greenstar_kernel::{LocalizedText, Said};
use greenstar_store::StoreError;
use uuid::Uuid;

use crate::domain::matter::RecordMode;

pub(crate) use index::Found;
pub(crate) use log::RecordLog;

/// One life of a replica's record folder. Minted at every start, so that no sequence is ever given twice,
/// not even after a folder was restored from a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WriterId([u8; 16]);

impl WriterId {
    fn mint() -> WriterId {
        WriterId(Uuid::now_v7().into_bytes())
    }

    pub(crate) fn parse(raw: &str) -> Option<WriterId> {
        let canonical = raw.len() == 32 && raw.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let uuid = Uuid::try_parse(raw).ok()?;
        canonical.then(|| WriterId(uuid.into_bytes()))
    }
}

/// 32 lower-case hexadecimal digits.
impl fmt::Display for WriterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).simple().fmt(f)
    }
}

/// Names a record: `{writer}-{sequence}`. A writer's sequences start at 1 and have no gaps but those that
/// a failed write left. Of those only the ids of samples were given to anybody: a sample is named before it is
/// written, and may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DecisionId {
    pub(crate) writer: WriterId,
    pub(crate) sequence: u64,
}

impl DecisionId {
    /// `None`: not a name that any writer gives.
    pub(crate) fn parse(raw: &str) -> Option<DecisionId> {
        let (writer, digits) = raw.split_once('-')?;
        let plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
        let sequence = digits.parse().ok().filter(|_| plain)?;
        Some(DecisionId {
            writer: WriterId::parse(writer)?,
            sequence,
        })
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.writer, self.sequence)
    }
}

/// A whole record as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) sequence: u64,
    /// Keeps the leaf from telling what the body was, once that is erased.
    pub(crate) salt: [u8; 16],
    /// SHA-256 of salt and body: what a chain over the records is made of.
    pub(crate) leaf: [u8; 32],
    /// An encoded `supervision.v1.Decision` without its name, which follows from the place.
    pub(crate) body: Vec<u8>,
}

/// How records are kept.
#[derive(Clone, Debug)]
pub struct RecordSettings {
    /// Of this replica alone, and persistent: what was acknowledged is here until the database has it.
    pub folder: PathBuf,
    /// A segment file is closed when it has grown beyond this.
    pub segment_bytes: u32,
    /// Records that may wait for the disk; more than that are refused.
    pub queue: usize,
    /// Of the matters that are sampled, every n-th decision is kept; 1 keeps all.
    pub sample_every: u32,
    /// How often what has outlived its retention is looked for.
    pub retain_every: Duration,
    /// Takes the place of every matter's own mode, e.g. to measure one.
    pub mode: Option<RecordMode>,
}

impl RecordSettings {
    /// The defaults, in this folder: 16 MiB a segment, 8,192 waiting, one sample in 100, retention every hour.
    pub fn in_folder(folder: impl Into<PathBuf>) -> RecordSettings {
        RecordSettings {
            folder: folder.into(),
            segment_bytes: 16 << 20,
            queue: 8_192,
            sample_every: 100,
            retain_every: Duration::from_secs(3_600),
            mode: None,
        }
    }
}

/// Why a record was not kept or cannot be read. The decision is then not given.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The next write tries again, so that it recovers by itself when there is room.
    #[error("the disk of the decision record is full")]
    Full(#[source] std::io::Error),
    #[error("the decision record cannot be written or read")]
    Io(#[from] std::io::Error),
    #[error("too many decisions wait for the disk")]
    Overloaded,
    /// It stands in the folder and is shipped later; of an answer that nobody was given.
    #[error("the decision record did not reach the database")]
    NotStored(#[source] Option<StoreError>),
    #[error("the decision is too large to be recorded")]
    TooLarge,
    #[error("the decision record is closed")]
    Closed,
    #[error("another process uses the record folder {}", .0.display())]
    InUse(PathBuf),
}

impl RecordError {
    fn of(error: std::io::Error) -> RecordError {
        match error.kind() {
            std::io::ErrorKind::StorageFull
            | std::io::ErrorKind::QuotaExceeded
            | std::io::ErrorKind::FileTooLarge => RecordError::Full(error),
            _ => RecordError::Io(error),
        }
    }
}

impl Said for RecordError {
    fn said(&self) -> LocalizedText {
        match self {
            RecordError::Full(_) => LocalizedText::new(
                "决定记录所在磁盘已满，未作出决定；请运维人员释放空间后重试。",
                "The disk of the decision record is full, so no decision was given; ask the operator to free space, then try again.",
            ),
            RecordError::Io(_) => LocalizedText::new(
                "决定记录无法写入或读取，未作出决定；请稍后重试，并通知运维人员检查磁盘。",
                "The decision record cannot be written or read, so no decision was given; try again shortly and tell the operator to look at the disk.",
            ),
            RecordError::Overloaded => LocalizedText::new(
                "等待记录的决定过多，未作出决定；请稍后重试。",
                "Too many decisions wait to be recorded, so none was given; try again shortly.",
            ),
            RecordError::NotStored(_) => LocalizedText::new(
                "决定记录未能写入数据库，未作出决定；请稍后重试，并通知运维人员检查数据库。",
                "The decision record did not reach the database, so no decision was given; try again shortly and tell the operator to look at the database.",
            ),
            RecordError::TooLarge => LocalizedText::new(
                "决定内容过大，无法记录，未作出决定；请减少参数后重试。",
                "The decision is too large to be recorded, so none was given; ask with shorter arguments.",
            ),
            RecordError::Closed => LocalizedText::new(
                "服务正在停止，未作出决定；请稍后重试。",
                "The service is stopping, so no decision was given; try again shortly.",
            ),
            RecordError::InUse(folder) => LocalizedText::new(
                format!(
                    "决定记录目录 {} 正被另一进程使用；请先停止该进程，或换用另一目录。",
                    folder.display()
                ),
                format!(
                    "Another process uses the record folder {}; stop it first, or choose another folder.",
                    folder.display()
                ),
            ),
        }
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_one_way_only() {
        let id = DecisionId {
            writer: WriterId::mint(),
            sequence: 17,
        };
        assert_eq!(DecisionId::parse(&id.to_string()), Some(id));
        let writer = id.writer.to_string();
        for raw in [
            String::new(),
            writer.clone(),
            format!("{writer}-"),
            format!("{writer}-0"),
            format!("{writer}-017"),
            format!("{writer}-+1"),
            format!("{writer}-1 "),
            format!(
                "{}-1",
                writer.to_uppercase().replace(|c: char| c.is_ascii_digit(), "A")
            ),
        ] {
            assert_eq!(DecisionId::parse(&raw), None, "{raw}");
        }
    }
}
