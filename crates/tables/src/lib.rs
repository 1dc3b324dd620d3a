//! Decision tables: what an officer writes, checked, analysed and compiled (design.md §6).
//!
//! A host describes what it offers as a [`Schema`]; [`Table::from_yaml`] checks a text against it
//! and names every defect with its place; [`Table::analyse`] refuses gaps, contradictions and rows
//! that never decide, each with a counterexample; [`Table::evaluate`] answers with a few ANDs.
//!
//! ```yaml
//! hit: first
//! rows:
//!   - when: { star: ">=4", flags: 'not(contains("serious-penalty"))' }
//!     outcome: FAST_TRACK
//!     measures: { fast-track: }
//!     reason: { zh: 四星及以上, en: Four stars or more }
//!     basis: [{ zh: 国发〔2016〕33号, en: "Guofa [2016] No. 33" }]
//! default: { outcome: STANDARD, reason: { zh: 其他情形, en: All other cases } }
//! ```

mod analyse;
mod cell;
mod check;
mod error;
mod lexer;
mod rows;
mod schema;
mod source;
mod table;
mod tree;

pub use cell::{Cell, Test, parse as parse_cell};
pub use error::{CellDefect, CellError, Defect, Example, Place, TableError, TableErrors};
pub use rows::{MAX_ROWS, RowSet};
pub use schema::{BadExclusion, Column, ColumnKind, MeasureDecl, Schema, Value};
pub use source::{CellText, HitPolicy, Pairs, RowSource, TableSource};
pub use table::{Answer, MeasureUse, Row, Table, WrongValue};
pub use tree::{BadTree, Tree};
