//! Whether a folder is on a disk at all, and how long that takes to be sure.

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// So many syncs are timed.
const SYNCS: usize = 200;
const BLOCK: [u8; 8192] = [7; 8192];

/// A tmpfs says so here, <https://man7.org/linux/man-pages/man2/statfs.2.html>.
const TMPFS_MAGIC: i128 = 0x0102_1994;

/// True: what is written there is not written to a disk.
pub(crate) fn is_in_memory(folder: &Path) -> anyhow::Result<bool> {
    Ok(i128::from(rustix::fs::statfs(folder)?.f_type) == TMPFS_MAGIC)
}

/// The 99th percentile of a bare fdatasync of 8 KiB there. Blocks.
pub(crate) fn sync_p99(folder: &Path) -> anyhow::Result<Duration> {
    let file = tempfile::tempfile_in(folder)?;
    // Appending would change the file's length, which a record's segment does not.
    file.set_len(BLOCK.len() as u64)?;
    file.write_all_at(&BLOCK, 0)?;
    file.sync_all()?;
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all_at(&BLOCK, 0)?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    Ok(took.get(SYNCS * 99 / 100).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_takes_its_time() {
        let folder = tempfile::tempdir().unwrap();
        assert!(sync_p99(folder.path()).unwrap() > Duration::ZERO);
    }
}
