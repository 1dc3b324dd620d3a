//! Which cell of a workbook a part of the document was read from.

use std::collections::BTreeMap;

use greenstar_tables::TableError;

use super::layout::{BASIS_ZH, REASON_ZH, TABLE, TRIGGERS};

/// The cells that a document was read from. Of YAML it knows none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// By the sheet (`table`, `triggers`, `cases` …), the row (from 1; 0 is the default row of a table) and the column.
    /// An empty column is the row as a whole.
    cells: BTreeMap<(String, u32, String), String>,
}

impl Places {
    /// The cell `table!C7` of `star` in the third row of the sheet `table`; where the column has none, that of the row.
    pub(crate) fn cell(&self, sheet: &str, row: u32, column: Option<&str>) -> Option<&str> {
        let find = |column: &str| self.cells.get(&(sheet.to_owned(), row, column.to_owned()));
        let found = column.and_then(find).or_else(|| find(""));
        found.map(String::as_str)
    }

    /// The cell that a table's defect speaks of.
    pub(crate) fn of(&self, error: &TableError) -> Option<&str> {
        let sheet = if error.place.table.ends_with("/triggers") {
            TRIGGERS
        } else {
            TABLE
        };
        let row = u32::try_from(error.place.row?).ok()?;
        let column = match error.place.column.as_deref() {
            Some("reason") => Some(REASON_ZH),
            Some("basis") => Some(BASIS_ZH),
            column => column,
        };
        self.cell(sheet, row, column)
    }

    pub(super) fn put(&mut self, sheet: &str, row: u32, column: &str, cell: String) {
        self.cells
            .insert((sheet.to_owned(), row, column.to_owned()), cell);
    }
}
