//! Segment files: making, appending, reading. One writer appends; any number read.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate};
use uuid::Uuid;

use super::frame::{self, Header};
use super::{Record, WriterId};

/// Ends a segment file's name.
pub(super) const SUFFIX: &str = ".records";

/// The segment that is being written.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) header: Header,
    pub(super) file: Arc<File>,
    pub(super) path: PathBuf,
    /// Where the next frame goes.
    pub(super) length: u64,
}

impl Active {
    /// Makes a segment that will survive: its header and its name are on the disk before this returns, so a
    /// file whose header cannot be read holds nothing that was acknowledged. Room is taken in advance where
    /// there is enough, so that appending changes no length and goes on while others fill the disk.
    pub(super) fn create(folder: &Path, header: Header, room: u32) -> io::Result<Active> {
        let path = folder.join(format!("{}-{:020}{SUFFIX}", header.writer, header.first));
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let made = fill(&file, &header, room).and_then(|()| sync_folder(folder));
        if let Err(error) = made {
            // Best effort: an empty file is told apart at the next start as well.
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        Ok(Active {
            header,
            file: Arc::new(file),
            path,
            length: frame::START as u64,
        })
    }

    /// Appends frames; with `sync`, they are on the disk when this returns.
    pub(super) fn append(&mut self, frames: &[u8], sync: bool) -> io::Result<()> {
        append(&self.file, self.length, frames, sync)?;
        self.length += frames.len() as u64;
        Ok(())
    }

    /// Gives back the room that was not used. Best effort: zeros behind the last frame mean nothing.
    pub(super) fn seal(self) {
        let _ = self.file.set_len(self.length);
    }
}

fn append(file: &File, at: u64, frames: &[u8], sync: bool) -> io::Result<()> {
    file.write_all_at(frames, at)?;
    if sync { file.sync_data() } else { Ok(()) }
}

fn fill(file: &File, header: &Header, room: u32) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, u64::from(room)) {
        // Not every file system can; appending then grows the file.
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
        // What is left may do for a while; appending tells when it does not.
        Err(rustix::io::Errno::NOSPC) => file.set_len(0)?,
        Err(error) => return Err(error.into()),
    }
    file.write_all_at(&header.encode(), 0)?;
    file.sync_all()
}

/// Makes a new name survive.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A header for the next segment.
pub(super) fn header(writer: WriterId, first: u64, skipped: u64) -> Header {
    let (seed, ..) = Uuid::new_v4().as_fields();
    Header {
        writer,
        first,
        skipped,
        seed,
    }
}

/// The record whose frame begins at `at`; `Ok(None)` if what is there is damaged.
pub(super) fn read(file: &File, at: u32, seed: u32) -> io::Result<Option<Record>> {
    let mut prefix = [0; frame::PREFIX_BYTES];
    if let Err(error) = file.read_exact_at(&mut prefix, u64::from(at)) {
        return if error.kind() == io::ErrorKind::UnexpectedEof {
            Ok(None)
        } else {
            Err(error)
        };
    }
    let Some(length) = frame::length(&prefix) else {
        return Ok(None);
    };
    let mut bytes = vec![0; length];
    match file.read_exact_at(&mut bytes, u64::from(at)) {
        Ok(()) => Ok(frame::decode(&bytes, 0, seed).map(|(record, _)| record)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_as_one() {
        // The kernel's device that is always full.
        let full = File::options().write(true).open("/dev/full").unwrap();
        let error = append(&full, 0, b"frame", true).unwrap_err();
        assert!(matches!(
            super::super::RecordError::of(error),
            super::super::RecordError::Full(_)
        ));
    }
}
