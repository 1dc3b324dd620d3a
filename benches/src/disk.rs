//! Whether a folder is on a disk at all.

use std::path::Path;

/// A tmpfs says so here, <https://man7.org/linux/man-pages/man2/statfs.2.html>.
const TMPFS_MAGIC: i128 = 0x0102_1994;

/// True: what is written there is not written to a disk.
pub(crate) fn is_in_memory(folder: &Path) -> anyhow::Result<bool> {
    Ok(i128::from(rustix::fs::statfs(folder)?.f_type) == TMPFS_MAGIC)
}
