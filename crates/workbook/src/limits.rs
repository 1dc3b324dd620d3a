//! How large a workbook may be. A policy has at most 240 rows and some sixty columns; what is far beyond that is no
//! policy, and nobody waits for us to find out.

/// Bytes of the file.
pub const MAX_BYTES: usize = 3_000_000;

/// Sheets.
pub const MAX_SHEETS: usize = 20;

/// Rows of a sheet that hold something, counted from the top.
pub const MAX_ROWS: u32 = 600;

/// Columns of a sheet that hold something, counted from the left.
pub const MAX_COLUMNS: u32 = 120;

/// Characters of a cell.
pub const MAX_CELL: usize = 4_000;

/// Faults after which reading stops: nobody mends more at a time.
pub(crate) const MAX_FAULTS: usize = 200;

/// Files in the archive.
pub(crate) const MAX_PARTS: usize = 500;

/// Bytes of all parts, unpacked. Whatever the archive claims, it is counted while it is unpacked.
pub(crate) const MAX_UNPACKED: u64 = 48_000_000;

/// Bytes of the shared texts, unpacked.
pub(crate) const MAX_STRINGS: u64 = 16_000_000;

/// Bytes of any other part but a worksheet, unpacked: the reader makes far more of a style than it has bytes.
pub(crate) const MAX_PART: u64 = 1_000_000;

/// A part this large is looked at for how well it was packed; smaller ones do no harm.
pub(crate) const SUSPICIOUS: u64 = 4_000_000;

/// How many times its packed size a large part may be. Rows of real cells pack ten to thirty times.
pub(crate) const MAX_RATIO: u64 = 200;
