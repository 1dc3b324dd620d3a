//! The view on this replica's own disk, for quick starts. It is a copy and never a record: whatever is wrong with it,
//! it is left alone and the sources are asked for everything; and what was read from it is as fresh as the next
//! pong says, not before.
//!
//! `view.snapshot` is [`MAGIC`], the format's number, rows, and the SHA-256 of all that. A row is its length (four
//! bytes, little-endian) and, counted in it, one byte of kind.

use std::fs::{File, Permissions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use greenstar_kernel::{LocalizedText, Position, Uscc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::flags::FlagRow;
use super::ratings::Snapshot;
use super::row::{Packed, Side};
use crate::domain::facts::Flag;

const NAME: &str = "view.snapshot";
/// Being written; its name until it is whole.
const UNFINISHED: &str = "view.snapshot.new";
const MAGIC: &[u8; 8] = b"GS-view\n";
/// Changes with whatever a row says or how.
const FORMAT: u16 = 2;
/// Longest row that can be meant.
const LONGEST: usize = 64 << 20;

const HEAD: u8 = b'H';
const TEXT: u8 = b'T';
const CAUSE: u8 = b'C';
const RATING: u8 = b'R';
const FLAGS: u8 = b'F';
const EDITION: u8 = b'E';
const END: u8 = b'.';

/// What the rows that follow are, and whose.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    /// Of the program, by its version and its contract: another one may understand more of what it is sent.
    program: String,
    rating: Position,
    sanctions: Position,
}

/// Two builds of one version may know different contracts.
fn program() -> String {
    program_of(greenstar_proto::FILE_DESCRIPTOR_SET)
}

fn program_of(contract: &[u8]) -> String {
    let digest = Sha256::digest(contract);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} {digest}", env!("CARGO_PKG_VERSION"))
}

/// The flags of one enterprise.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Flagged {
    uscc: Uscc,
    flags: Vec<Flag>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    rows: u64,
}

/// A view as of two positions; its rows are at least that new.
#[derive(Debug)]
pub(super) struct Content<'a> {
    pub(super) rating: Position,
    pub(super) sanctions: Position,
    /// Texts and causes in the order of their numbers.
    pub(super) texts: Vec<&'a Arc<str>>,
    pub(super) causes: Vec<&'a Arc<LocalizedText>>,
    /// As they came.
    pub(super) editions: Vec<Arc<[u8]>>,
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) rating: (Position, Snapshot),
    pub(crate) sanctions: Position,
    pub(crate) flags: Vec<FlagRow>,
    /// As they came.
    pub(crate) editions: Vec<Arc<[u8]>>,
    pub(crate) rows: u64,
}

/// Why what is on the disk is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("there is none")]
    None,
    #[error("the file is none of ours")]
    Foreign,
    #[error("it is of format {0}, which this program does not know")]
    OtherFormat(u16),
    #[error("it was written by program {0}, which may have understood less")]
    OtherProgram(String),
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Writes rows; every byte goes into the digest.
#[derive(Debug)]
pub(super) struct Rows {
    file: BufWriter<File>,
    digest: Sha256,
    rows: u64,
    scratch: Vec<u8>,
}

impl Rows {
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.file.write_all(bytes)
    }

    fn row(&mut self, kind: u8, fill: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<()> {
        let mut row = std::mem::take(&mut self.scratch);
        row.clear();
        row.extend([0, 0, 0, 0, kind]);
        fill(&mut row)?;
        let length = row.len() - 4;
        let head = u32::try_from(length).ok().filter(|_| length <= LONGEST);
        let head = head.ok_or_else(|| io::Error::other("a row is too long to be kept"))?;
        for (to, from) in row.iter_mut().zip(head.to_le_bytes()) {
            *to = from;
        }
        self.rows += 1;
        self.bytes(&row)?;
        self.scratch = row;
        Ok(())
    }

    fn json(&mut self, kind: u8, value: &impl Serialize) -> io::Result<()> {
        self.row(kind, |row| Ok(serde_json::to_writer(row, value)?))
    }

    pub(super) fn rating(&mut self, packed: &Packed, side: Option<&Arc<Side>>) -> io::Result<()> {
        self.row(RATING, |row| {
            packed.write_to(row);
            side.map_or(Ok(()), |side| Ok(serde_json::to_writer(row, side)?))
        })
    }

    pub(super) fn flags(&mut self, uscc: Uscc, flags: &[Flag]) -> io::Result<()> {
        let flags = flags.to_vec();
        self.json(FLAGS, &Flagged { uscc, flags })
    }
}

/// Writes a file that has no name yet; nothing of the one before is lost if it breaks off. See [`publish`].
pub(super) fn write(
    folder: &Path,
    content: &Content<'_>,
    rows: impl FnOnce(&mut Rows) -> io::Result<()>,
) -> io::Result<u64> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let unfinished = folder.join(UNFINISHED);
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    let mut out = Rows {
        file: BufWriter::with_capacity(1 << 16, file),
        digest: Sha256::new(),
        rows: 0,
        scratch: Vec::new(),
    };
    out.bytes(MAGIC)?;
    out.bytes(&FORMAT.to_le_bytes())?;
    let head = Head {
        program: program(),
        rating: content.rating.clone(),
        sanctions: content.sanctions.clone(),
    };
    out.json(HEAD, &head)?;
    for text in &content.texts {
        out.row(TEXT, |row| row.write_all(text.as_bytes()))?;
    }
    for cause in &content.causes {
        out.json(CAUSE, cause)?;
    }
    for edition in &content.editions {
        out.row(EDITION, |row| row.write_all(edition))?;
    }
    rows(&mut out)?;
    let rows = out.rows;
    out.json(END, &End { rows })?;
    let Rows { mut file, digest, .. } = out;
    file.write_all(&digest.finalize())?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(rows)
}

/// Puts what was written in the place of the one before.
pub(super) fn publish(folder: &Path) -> io::Result<()> {
    std::fs::rename(folder.join(UNFINISHED), folder.join(NAME))?;
    File::open(folder)?.sync_all()
}

/// Takes it away, durably.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match std::fs::remove_file(folder.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => {
            removed?;
            File::open(folder)?.sync_all()
        }
    }
}

/// Reads rows back and digests what it reads.
struct Reader {
    file: BufReader<File>,
    digest: Sha256,
}

impl Reader {
    fn exactly(&mut self, bytes: &mut [u8]) -> Result<(), Unusable> {
        match self.file.read_exact(bytes) {
            Ok(()) => {
                self.digest.update(&*bytes);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(Unusable::Damaged("it ends early"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The next row's kind; its content goes to `row`.
    fn row(&mut self, row: &mut Vec<u8>) -> Result<u8, Unusable> {
        let mut length = [0; 4];
        self.exactly(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if !(1..=LONGEST).contains(&length) {
            return Err(Unusable::Damaged("a row of no length that can be meant"));
        }
        let mut kind = [0];
        self.exactly(&mut kind)?;
        row.clear();
        row.resize(length - 1, 0);
        self.exactly(row)?;
        let [kind] = kind;
        Ok(kind)
    }

    /// The digest that closes the file is the one of all before it.
    fn close(mut self) -> Result<(), Unusable> {
        let mut told = Vec::new();
        self.file.read_to_end(&mut told)?;
        if self.digest.finalize().as_slice() == told.as_slice() {
            Ok(())
        } else {
            Err(Unusable::Damaged("its digest is another one"))
        }
    }
}

fn json<T: DeserializeOwned>(row: &[u8]) -> Result<T, Unusable> {
    serde_json::from_slice(row).map_err(|_| Unusable::Damaged("a row cannot be read"))
}

/// Reads all of it into `snapshot`, whose names have to be untouched.
pub(super) fn read(folder: &Path, mut snapshot: Snapshot) -> Result<Saved, Unusable> {
    let file = File::open(folder.join(NAME)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Unusable::None,
        _ => Unusable::Io(error),
    })?;
    let mut reader = Reader {
        file: BufReader::with_capacity(1 << 16, file),
        digest: Sha256::new(),
    };
    let (mut magic, mut format) = ([0; MAGIC.len()], [0; 2]);
    reader.exactly(&mut magic)?;
    if magic != *MAGIC {
        return Err(Unusable::Foreign);
    }
    reader.exactly(&mut format)?;
    match u16::from_le_bytes(format) {
        FORMAT => {}
        other => return Err(Unusable::OtherFormat(other)),
    }
    let mut row = Vec::new();
    if reader.row(&mut row)? != HEAD {
        return Err(Unusable::Damaged("it has no head"));
    }
    let head: Head = json(&row)?;
    if head.program != program() {
        return Err(Unusable::OtherProgram(head.program));
    }
    let (mut flags, mut editions, mut rows) = (Vec::new(), Vec::new(), 1);
    loop {
        let kind = reader.row(&mut row)?;
        match kind {
            TEXT => {
                let text = std::str::from_utf8(&row).map_err(|_| Unusable::Damaged("a text is none"))?;
                snapshot.name(text).ok_or(Unusable::Damaged("a text twice"))?;
            }
            CAUSE => snapshot
                .cause(json(&row)?)
                .ok_or(Unusable::Damaged("a cause twice"))?,
            RATING => {
                let (packed, side) =
                    Packed::read_from(&row).ok_or(Unusable::Damaged("a rating is too short"))?;
                let side = (!side.is_empty()).then(|| json::<Side>(side)).transpose()?;
                snapshot.put_packed(packed, side.map(Arc::new));
            }
            FLAGS => {
                let Flagged { uscc, flags: of_one } = json(&row)?;
                flags.extend(of_one.into_iter().map(|flag| FlagRow {
                    uscc,
                    name: flag.name.clone(),
                    flag: Ok(Some(flag)),
                }));
            }
            EDITION => editions.push(row.as_slice().into()),
            END => {
                let end: End = json(&row)?;
                if end.rows != rows {
                    return Err(Unusable::Damaged("rows are missing"));
                }
                break;
            }
            _ => return Err(Unusable::Damaged("a row of no kind that is known")),
        }
        rows += 1;
    }
    reader.close()?;
    Ok(Saved {
        rating: (head.rating, snapshot),
        sanctions: head.sanctions,
        flags,
        editions,
        rows,
    })
}

#[cfg(test)]
mod tests;
