//! Reading sheets by their headings, and noting all that is wrong on the way.

use greenstar_workbook::{Book, Place, Sheet, Value};

use super::fault::{Expected, SheetFault, SheetTrouble};
use super::places::Places;

/// A sheet whose headings were read.
#[derive(Clone, Debug)]
pub(super) struct Grid<'b> {
    sheet: &'b Sheet,
    /// Name and position.
    columns: Vec<(String, u32)>,
}

impl Grid<'_> {
    pub(super) fn name(&self) -> &str {
        &self.sheet.name
    }

    pub(super) fn headings(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// Rows below the heading that hold something besides the column `aside`.
    pub(super) fn rows(&self, aside: &str) -> Vec<u32> {
        let filled = |row: &u32| {
            self.columns.iter().any(|(name, column)| {
                name != aside && self.sheet.get(*row, *column).is_some_and(|cell| !blank(cell))
            })
        };
        self.sheet
            .rows()
            .into_iter()
            .filter(|row| *row > 0)
            .filter(filled)
            .collect()
    }

    pub(super) fn place(&self, row: u32, heading: &str) -> Place {
        let column = self.columns.iter().find(|(name, _)| name == heading);
        Place::cell(&self.sheet.name, row, column.map_or(0, |(_, column)| *column))
    }

    /// What the cell holds, unless it is blank.
    pub(super) fn text(&self, row: u32, heading: &str) -> Option<String> {
        let (_, column) = self.columns.iter().find(|(name, _)| name == heading)?;
        let cell = self.sheet.get(row, *column).filter(|cell| !blank(cell))?;
        Some(cell.to_text())
    }
}

fn blank(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.trim().is_empty())
}

#[derive(Debug)]
pub(super) struct Reader<'b> {
    book: &'b Book,
    pub(super) faults: Vec<SheetFault>,
    pub(super) places: Places,
}

impl<'b> Reader<'b> {
    pub(super) fn new(book: &'b Book) -> Reader<'b> {
        Reader {
            book,
            faults: Vec::new(),
            places: Places::default(),
        }
    }

    pub(super) fn report(&mut self, place: Place, what: SheetTrouble) {
        self.faults.push(SheetFault { place, what });
    }

    /// The sheet with its headings; `None` if there is none.
    pub(super) fn grid(
        &mut self,
        sheet: &str,
        needed: &[&'static str],
        known: impl Fn(&str) -> bool,
    ) -> Option<Grid<'b>> {
        let sheet = self.book.sheet(sheet)?;
        let mut grid = Grid {
            sheet,
            columns: Vec::new(),
        };
        for (column, cell) in sheet.row(0) {
            let text = cell.to_text();
            let Some(name) = text.split_whitespace().next() else {
                continue;
            };
            let place = Place::cell(&sheet.name, 0, column);
            if grid.headings().any(|seen| seen == name) {
                self.report(place, SheetTrouble::HeadingTwice(shown(name)));
            } else if known(name) || needed.contains(&name) {
                grid.columns.push((name.to_owned(), column));
            } else {
                self.report(place, SheetTrouble::HeadingUnknown(shown(name)));
                // Its cells are not reported once more.
                grid.columns.push((String::new(), column));
            }
        }
        for needed in needed {
            if !grid.headings().any(|seen| seen == *needed) {
                self.report(
                    Place::Sheet(sheet.name.clone()),
                    SheetTrouble::HeadingMissing(needed),
                );
            }
        }
        let headed: Vec<u32> = sheet
            .row(0)
            .filter(|(_, cell)| !blank(cell))
            .map(|(column, _)| column)
            .collect();
        for row in sheet.rows() {
            for (column, cell) in sheet.row(row) {
                if row > 0 && !headed.contains(&column) && !blank(cell) {
                    self.report(Place::cell(&sheet.name, row, column), SheetTrouble::NoHeading);
                }
            }
        }
        Some(grid)
    }

    /// As [`Reader::grid`] of a sheet that must be there.
    pub(super) fn needed_grid(
        &mut self,
        sheet: &str,
        needed: &[&'static str],
        known: impl Fn(&str) -> bool,
    ) -> Option<Grid<'b>> {
        let grid = self.grid(sheet, needed, known);
        if grid.is_none() {
            self.report(Place::Sheet(sheet.to_owned()), SheetTrouble::SheetMissing);
        }
        grid
    }

    /// A value; `None` of a blank cell, and of a bad one, which is reported.
    pub(super) fn value<T>(
        &mut self,
        grid: &Grid<'_>,
        row: u32,
        heading: &str,
        expected: Expected,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = grid.text(row, heading)?;
        let value = parse(&text);
        if value.is_none() {
            let found = shown(text.trim());
            self.report(grid.place(row, heading), SheetTrouble::Value { found, expected });
        }
        value
    }

    /// As [`Reader::value`], of a cell that must not be blank.
    pub(super) fn needed<T>(
        &mut self,
        grid: &Grid<'_>,
        row: u32,
        heading: &str,
        expected: Expected,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        // A column that is missing was reported once.
        if grid.headings().any(|name| name == heading) && grid.text(row, heading).is_none() {
            self.report(
                grid.place(row, heading),
                SheetTrouble::Missing(heading.to_owned()),
            );
            return None;
        }
        self.value(grid, row, heading, expected, parse)
    }

    /// Remembers where the `number`-th entry of a sheet stands.
    pub(super) fn remember(&mut self, grid: &Grid<'_>, number: u32, row: u32) {
        self.places
            .put(grid.name(), number, "", grid.place(row, "").to_string());
        for (name, _) in &grid.columns {
            if !name.is_empty() {
                self.places
                    .put(grid.name(), number, name, grid.place(row, name).to_string());
            }
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}
