//! Workbooks (.xlsx) of plain cells: read from people who may send anything, written for people who fill them in.
//!
//! What is read are the texts, whole and decimal numbers, booleans and days of visible sheets. Whatever could say
//! something else than what is seen (formulas, macros, links to other files, hidden sheets, merged cells) is refused
//! and never guessed at, and whatever is larger than a workbook of ours can be is refused before it is unpacked.

mod fault;
mod inspect;
mod limits;
mod read;
mod write;

pub use fault::{Fault, Place, Trouble};
pub use limits::{MAX_BYTES, MAX_CELL, MAX_COLUMNS, MAX_ROWS, MAX_SHEETS};
pub use read::{Book, Sheet, Value, read};
pub use write::{Cell, Choices, Heading, Page, Unwritable, write};

#[cfg(test)]
mod tests;
