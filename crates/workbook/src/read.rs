//! Reading: from bytes to cells, or to everything that is wrong with them.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{DataRef, Dimensions, ExcelDateTime, Reader as _, SheetType, SheetVisible, Xlsx, XlsxError};
use greenstar_kernel::Date;

use crate::fault::{Fault, Place, Trouble};
use crate::inspect::inspect;
use crate::limits::{MAX_CELL, MAX_COLUMNS, MAX_FAULTS, MAX_ROWS, MAX_SHEETS};

/// A workbook: its sheets in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    pub sheets: Vec<Sheet>,
}

impl Book {
    pub fn sheet(&self, name: &str) -> Option<&Sheet> {
        self.sheets.iter().find(|sheet| sheet.name == name)
    }
}

/// A sheet: the cells that hold something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    pub name: String,
    /// By row and column, from 0.
    cells: BTreeMap<(u32, u32), Value>,
}

impl Sheet {
    pub fn get(&self, row: u32, column: u32) -> Option<&Value> {
        self.cells.get(&(row, column))
    }

    /// The cells of a row, from the left.
    pub fn row(&self, row: u32) -> impl Iterator<Item = (u32, &Value)> {
        self.cells
            .range((row, 0)..=(row, u32::MAX))
            .map(|((_, column), value)| (*column, value))
    }

    /// The rows that hold something, from the top.
    pub fn rows(&self) -> Vec<u32> {
        let mut rows: Vec<u32> = self.cells.keys().map(|(row, _)| *row).collect();
        rows.dedup();
        rows
    }
}

/// What a cell holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    /// A number that somebody typed, in decimal digits: `5`, `57.5`.
    Number(String),
    Boolean(bool),
    /// A day that somebody typed and the program understood as one.
    Day(Date),
}

impl Value {
    /// As it would be typed as text: `5`, `true`, `2026-03-31`.
    pub fn to_text(&self) -> String {
        match self {
            Value::Text(text) | Value::Number(text) => text.clone(),
            Value::Boolean(value) => value.to_string(),
            Value::Day(day) => day.to_string(),
        }
    }
}

/// Reads a workbook.
///
/// # Errors
/// All that is wrong with it, up to some two hundred cells; what is too large ends the reading at once.
pub fn read(bytes: &[u8]) -> Result<Book, Vec<Fault>> {
    inspect(bytes).map_err(|fault| vec![fault])?;
    // The reader computes with what references in the file say, and panics where a range ends before it begins
    // (`B5:A1`) in a build that checks its arithmetic. A file that somebody made must not end a task of ours.
    catch_unwind(AssertUnwindSafe(|| sheets(bytes)))
        .unwrap_or_else(|_| Err(vec![Fault::book(Trouble::Damaged("references".to_owned()))]))
}

fn sheets(bytes: &[u8]) -> Result<Book, Vec<Fault>> {
    let broken = |error: XlsxError| vec![Fault::book(damaged(&error))];
    let mut source: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    let listed = source.sheets_metadata().to_vec();
    if listed.len() > MAX_SHEETS {
        return Err(vec![Fault::book(Trouble::TooManySheets)]);
    }
    let mut faults = Vec::new();
    let mut book = Book::default();
    for listed in listed {
        let place = Place::Sheet(listed.name.clone());
        let what = match (listed.visible, listed.typ) {
            (SheetVisible::Hidden | SheetVisible::VeryHidden, _) => Some(Trouble::HiddenSheet),
            (SheetVisible::Visible, SheetType::WorkSheet) => None,
            (
                SheetVisible::Visible,
                SheetType::DialogSheet | SheetType::MacroSheet | SheetType::ChartSheet | SheetType::Vba,
            ) => Some(Trouble::NotCells),
        };
        if let Some(what) = what {
            faults.push(Fault { place, what });
            continue;
        }
        let mut reading = Reading {
            sheet: Sheet {
                name: listed.name,
                cells: BTreeMap::new(),
            },
            faults: &mut faults,
        };
        let read = reading.all(&mut source);
        let sheet = reading.sheet;
        match read {
            Ok(Next::On) => book.sheets.push(sheet),
            Ok(Next::Stop) => return Err(faults),
            Err(error) => faults.push(Fault {
                place,
                what: damaged(&error),
            }),
        }
    }
    if faults.is_empty() { Ok(book) } else { Err(faults) }
}

fn damaged(error: &XlsxError) -> Trouble {
    match error {
        XlsxError::Password => Trouble::Encrypted,
        error => Trouble::Damaged(error.to_string().chars().take(120).collect()),
    }
}

/// Whether to read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    On,
    Stop,
}

#[derive(Debug)]
struct Reading<'f> {
    sheet: Sheet,
    faults: &'f mut Vec<Fault>,
}

impl Reading<'_> {
    fn all(&mut self, source: &mut Xlsx<Cursor<&[u8]>>) -> Result<Next, XlsxError> {
        let mut cells = source.worksheet_cells_reader(&self.sheet.name)?;
        while let Some(cell) = cells.next_cell_with_formula_metadata()? {
            let value = if cell.formula.is_some() {
                Err(Trouble::Formula)
            } else {
                value(cell.value)
            };
            if self.cell(cell.pos, value) == Next::Stop {
                return Ok(Next::Stop);
            }
        }
        drop(cells);
        // They stand after the cells, and a merged cell reads as if the others were empty.
        for range in source.merge_cells_by_sheet_name(&self.sheet.name)? {
            let (row, column) = range.start;
            let place = Place::cell(&self.sheet.name, row, column);
            if self.report(place, Trouble::Merged(name(&range))) == Next::Stop {
                return Ok(Next::Stop);
            }
        }
        Ok(Next::On)
    }

    fn cell(&mut self, (row, column): (u32, u32), value: Result<Option<Value>, Trouble>) -> Next {
        let value = match value {
            // Empty, but perhaps coloured.
            Ok(None) => return Next::On,
            Ok(Some(value)) => Ok(value),
            Err(what) => Err(what),
        };
        let place = Place::cell(&self.sheet.name, row, column);
        let beyond = if row >= MAX_ROWS {
            Some(Trouble::TooManyRows)
        } else if column >= MAX_COLUMNS {
            Some(Trouble::TooManyColumns)
        } else {
            None
        };
        if let Some(what) = beyond {
            self.report(place, what);
            return Next::Stop;
        }
        match value {
            Err(what) => self.report(place, what),
            Ok(value) => match self.sheet.cells.insert((row, column), value) {
                None => Next::On,
                Some(_) => self.report(place, Trouble::CellTwice),
            },
        }
    }

    fn report(&mut self, place: Place, what: Trouble) -> Next {
        self.faults.push(Fault { place, what });
        if self.faults.len() < MAX_FAULTS {
            Next::On
        } else {
            Next::Stop
        }
    }
}

/// `A1:B2`
fn name(range: &Dimensions) -> String {
    let corner = |(row, column)| Place::cell("", row, column).cell_name();
    format!("{}:{}", corner(range.start), corner(range.end))
}

fn value(read: DataRef<'_>) -> Result<Option<Value>, Trouble> {
    Ok(Some(match read {
        DataRef::Empty => return Ok(None),
        DataRef::String(text) => return self::text(&text),
        DataRef::SharedString(text) => return self::text(text),
        DataRef::Int(number) => Value::Number(number.to_string()),
        DataRef::Float(number) => Value::Number(decimal(number)?),
        DataRef::Bool(value) => Value::Boolean(value),
        DataRef::DateTime(at) => Value::Day(day(at)?),
        DataRef::DateTimeIso(text) => {
            let date = text.strip_suffix("T00:00:00").unwrap_or(&text);
            Value::Day(date.parse().map_err(|_| Trouble::TimeOfDay)?)
        }
        DataRef::DurationIso(_) => return Err(Trouble::TimeOfDay),
        DataRef::Error(error) => return Err(Trouble::ErrorValue(error.to_string())),
    }))
}

fn text(text: &str) -> Result<Option<Value>, Trouble> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.chars().count() > MAX_CELL {
        return Err(Trouble::CellTooLong);
    }
    Ok(Some(Value::Text(text.replace("\r\n", "\n"))))
}

/// Spreadsheets keep every number as a binary fraction. The shortest decimal that is read back as the same one is what
/// was typed, for up to fifteen digits.
fn decimal(number: f64) -> Result<String, Trouble> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if !number.is_finite() || number.abs() > EXACT {
        return Err(Trouble::Number);
    }
    // No minus before zero.
    Ok((number + 0.0).to_string())
}

fn day(at: ExcelDateTime) -> Result<Date, Trouble> {
    let whole = at.is_datetime() && at.as_f64().fract() == 0.0;
    let (year, month, day, ..) = at.to_ymd_hms_milli();
    let (year, month, day) = (i16::try_from(year), i8::try_from(month), i8::try_from(day));
    match (whole, year, month, day) {
        (true, Ok(year), Ok(month), Ok(day)) => Date::new(year, month, day).ok_or(Trouble::TimeOfDay),
        _ => Err(Trouble::TimeOfDay),
    }
}
