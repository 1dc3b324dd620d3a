//! A policy document as a workbook, and back. Both say the same: what a workbook cannot say is refused and not left
//! out, but for the comments of a YAML file, which are no part of the document.
//!
//! | Sheet | Holds |
//! |---|---|
//! | `policy` | a field and its value in each row |
//! | `matters`, `outcomes`, `arguments` | one of them in each row |
//! | `table`, `triggers` | a row of the table in each row, one column for each fact or argument that is tested |
//! | `trees`, `unfair`, `cases` | one of them in each row |
//! | `help`, `lists`, `notes` | nothing of the policy; they are not read |
//!
//! A heading is the name of its column; what follows in further lines is for people.

mod beside;
mod fault;
mod guide;
mod layout;
mod pages;
mod places;
mod read;
mod reader;
mod template;
mod words;

pub(crate) use fault::{SheetFault, SheetTrouble};
pub(crate) use guide::Guide;
pub(crate) use pages::{Unsayable, to_workbook};
pub(crate) use places::Places;
pub(crate) use read::{Unread, from_workbook};
pub(crate) use template::template;

#[cfg(test)]
mod tests;
