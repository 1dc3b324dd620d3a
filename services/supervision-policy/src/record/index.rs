//! Which records this replica's folder holds and where: rebuilt from the files at start, kept while writing,
//! and emptied as the database takes over.

use std::fs::File;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{self, Header};
use super::segment::{self, SUFFIX};
use super::{DecisionId, Record, WriterId};

/// What the folder says about an id.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Record(Record),
    /// It was kept and can no longer be read.
    Damaged,
    /// A sample that is named and not written yet.
    NotYet,
    /// Shipped, lost by a failed write, or never given.
    NotHere,
}

/// Records that the database has not got yet.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) writer: WriterId,
    pub(crate) records: Vec<Record>,
    /// With these, all of the writer's records up to here are shipped.
    pub(crate) through: u64,
    /// Sequences before them that were given to nobody, as their segment says.
    pub(crate) skipped: Option<RangeInclusive<u64>>,
    /// The writer's life is over, and these are its last.
    pub(crate) last: bool,
}

/// A segment that is kept although the database has all of it that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) path: PathBuf,
    pub(crate) writer: WriterId,
    pub(crate) sequences: RangeInclusive<u64>,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    header: Header,
    file: Arc<File>,
    /// Offset of each record from `header.first` on; 0 where it is damaged.
    places: Vec<u32>,
    /// So many of `places` are in the database.
    shipped: usize,
    sealed: bool,
    /// Kept on the disk for people to look at.
    damaged: bool,
}

impl Segment {
    fn covers(&self, id: &DecisionId) -> Option<usize> {
        let at = usize::try_from(id.sequence.checked_sub(self.header.first)?).ok()?;
        (self.header.writer == id.writer && at < self.places.len()).then_some(at)
    }
}

#[derive(Debug, Default)]
pub(super) struct Index {
    /// By writer, then by first sequence; both rise with time.
    segments: Vec<Segment>,
}

impl Index {
    /// Reads every segment of a folder. What is torn at an end was never acknowledged and is left out; what is
    /// damaged is told and kept.
    pub(super) fn read(folder: &Path) -> io::Result<Index> {
        let mut index = Index::default();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            // The folder's own name may be anything.
            if name.as_encoded_bytes().ends_with(SUFFIX.as_bytes()) {
                index.read_segment(path)?;
            }
        }
        index
            .segments
            .sort_by_key(|segment| (segment.header.writer, segment.header.first));
        index.tell_missing();
        Ok(index)
    }

    fn read_segment(&mut self, path: PathBuf) -> io::Result<()> {
        let bytes = std::fs::read(&path)?;
        let Some(header) = Header::decode(&bytes) else {
            if bytes.iter().all(|byte| *byte == 0) {
                // The process ended before the header stood, so before any record.
                std::fs::remove_file(&path)?;
            } else {
                tracing::error!(path = %path.display(), "a segment of the decision record cannot be read; it is left as it is");
            }
            return Ok(());
        };
        let mut places = Vec::new();
        let mut damaged = false;
        for (sequence, at) in frame::scan(&bytes, &header) {
            let before = usize::try_from(sequence - header.first).unwrap_or(usize::MAX);
            if before > places.len() {
                damaged = true;
                // A sequence that was read wrong cannot ask for more than the file has room for.
                places.resize(before.min(bytes.len()), 0);
            }
            places.push(at);
        }
        let file = Arc::new(File::open(&path)?);
        self.segments.push(Segment {
            path,
            header,
            file,
            places,
            shipped: 0,
            sealed: true,
            damaged,
        });
        Ok(())
    }

    /// Sequences between two segments of one writer that no failed write explains.
    fn tell_missing(&mut self) {
        for at in 1..self.segments.len() {
            let (before, from) = self.segments.split_at_mut(at);
            let (Some(before), Some(next)) = (before.last_mut(), from.first()) else {
                continue;
            };
            let end = before.header.first + before.places.len() as u64;
            let explained = next.header.first.saturating_sub(next.header.skipped);
            if before.header.writer == next.header.writer && end < explained {
                before.damaged = true;
                before.places.resize(
                    before.places.len() + usize::try_from(explained - end).unwrap_or(0),
                    0,
                );
            }
        }
        for segment in self.segments.iter().filter(|segment| segment.damaged) {
            tracing::error!(
                path = %segment.path.display(),
                records = segment.places.iter().filter(|place| **place == 0).count(),
                "decision records are damaged; the segment is kept"
            );
        }
    }

    pub(super) fn began(&mut self, path: PathBuf, header: Header, file: Arc<File>) {
        self.segments.push(Segment {
            path,
            header,
            file,
            places: Vec::new(),
            shipped: 0,
            sealed: false,
            damaged: false,
        });
    }

    /// Frames of the segment begun last are written.
    pub(super) fn wrote(&mut self, offsets: impl IntoIterator<Item = u32>) {
        if let Some(segment) = self.segments.last_mut() {
            segment.places.extend(offsets);
        }
    }

    /// Gives the files that are done with: to be removed outside the lock.
    pub(super) fn sealed(&mut self, path: &Path) -> Vec<PathBuf> {
        if let Some(segment) = self.segments.iter_mut().find(|segment| segment.path == path) {
            segment.sealed = true;
        }
        self.forget_shipped()
    }

    /// Where to read a record: outside the lock.
    pub(super) fn find(&self, id: &DecisionId) -> Option<(Arc<File>, u32, u32)> {
        let (segment, at) = self
            .segments
            .iter()
            .find_map(|segment| Some((segment, segment.covers(id)?)))?;
        Some((
            segment.file.clone(),
            *segment.places.get(at)?,
            segment.header.seed,
        ))
    }

    /// What is to be shipped next: where to read it, and what it is.
    pub(super) fn due(&self, most: usize) -> Option<Batch> {
        let at = self
            .segments
            .iter()
            .position(|segment| segment.shipped < segment.places.len())?;
        let segment = self.segments.get(at)?;
        let end = segment.places.len().min(segment.shipped + most);
        let later = self.segments.get(at + 1..).unwrap_or_default();
        let ends_segment = end == segment.places.len();
        Some(Batch {
            writer: segment.header.writer,
            seed: segment.header.seed,
            file: segment.file.clone(),
            places: segment.places.get(segment.shipped..end)?.to_vec(),
            through: segment.header.first + end as u64 - 1,
            skipped: segment.header.skipped_sequences(),
            ends_writer: ends_segment
                && later
                    .iter()
                    .all(|other| other.header.writer != segment.header.writer),
        })
    }

    /// Whether the database has a record that was written: its segment has gone, or was shipped so far.
    pub(super) fn is_shipped(&self, id: &DecisionId) -> bool {
        let mut segments = self.segments.iter();
        let covering = segments.find_map(|segment| Some((segment.covers(id)?, segment.shipped)));
        covering.is_none_or(|(at, shipped)| at < shipped)
    }

    /// The database has them. Gives the files of sealed segments whose every record is there: to be removed
    /// outside the lock.
    pub(super) fn shipped(&mut self, writer: WriterId, through: u64) -> Vec<PathBuf> {
        for segment in self
            .segments
            .iter_mut()
            .filter(|segment| segment.header.writer == writer)
        {
            if let Some(count) = (through + 1).checked_sub(segment.header.first) {
                let count = usize::try_from(count)
                    .unwrap_or(usize::MAX)
                    .min(segment.places.len());
                segment.shipped = segment.shipped.max(count);
            }
        }
        self.forget_shipped()
    }

    /// Was whole when it was found and cannot be read any more: its segment is kept.
    pub(super) fn damaged(&mut self, id: &DecisionId) {
        for segment in &mut self.segments {
            if let Some(place) = segment.covers(id).and_then(|at| segment.places.get_mut(at)) {
                tracing::error!(decision = %id, path = %segment.path.display(), "a decision record is damaged; its segment is kept");
                *place = 0;
                segment.damaged = true;
            }
        }
    }

    fn forget_shipped(&mut self) -> Vec<PathBuf> {
        let done = self.segments.extract_if(.., |segment| {
            segment.sealed && segment.shipped == segment.places.len() && !segment.damaged
        });
        done.map(|segment| segment.path).collect()
    }

    /// Damaged segments of which nothing is left to ship.
    pub(super) fn left(&self) -> Vec<Left> {
        let done =
            |segment: &&Segment| segment.sealed && segment.damaged && segment.shipped == segment.places.len();
        let left = self.segments.iter().filter(done).map(|segment| Left {
            path: segment.path.clone(),
            writer: segment.header.writer,
            sequences: segment.header.first
                ..=(segment.header.first + segment.places.len() as u64).saturating_sub(1),
        });
        left.collect()
    }

    /// Nobody is to look at it any more: its file is to be removed outside the lock.
    pub(super) fn let_go(&mut self, path: &Path) {
        self.segments.retain(|segment| segment.path != path);
    }

    /// Records that the database has not got.
    pub(super) fn backlog(&self) -> usize {
        self.segments
            .iter()
            .map(|segment| segment.places.len() - segment.shipped)
            .sum()
    }
}

/// Removes segments that the index has forgotten. One that stays is read and shipped again at the next start,
/// which changes nothing.
pub(super) fn remove(paths: Vec<PathBuf>) {
    for path in paths {
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "a shipped segment could not be removed");
        }
    }
}

/// What [`Index::due`] found, to be read outside the lock.
#[derive(Debug)]
pub(super) struct Batch {
    writer: WriterId,
    seed: u32,
    file: Arc<File>,
    places: Vec<u32>,
    through: u64,
    skipped: Option<RangeInclusive<u64>>,
    ends_writer: bool,
}

impl Batch {
    /// Reads the records, and names the sequences that are damaged.
    pub(super) fn read(self, current: WriterId) -> io::Result<(Due, Vec<u64>)> {
        let mut records = Vec::with_capacity(self.places.len());
        let mut damaged = Vec::new();
        let first = self.through + 1 - self.places.len() as u64;
        for (sequence, place) in (first..).zip(&self.places).filter(|(_, place)| **place != 0) {
            match segment::read(&self.file, *place, self.seed)? {
                Some(record) => records.push(record),
                None => damaged.push(sequence),
            }
        }
        let last = self.ends_writer && self.writer != current;
        Ok((
            Due {
                writer: self.writer,
                records,
                through: self.through,
                skipped: self.skipped,
                last,
            },
            damaged,
        ))
    }
}
