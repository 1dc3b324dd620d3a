//! Which cell of a workbook a part of the document was read from.

use std::collections::BTreeMap;

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
}
