//! Writing: pages with a heading, notes that explain the columns, and drop-downs. Every cell is written as text, so
//! that no spreadsheet turns `>=5`, `1/2` or `2026-03-31` into something else.

use rust_xlsxwriter::{
    Color, DataValidation, DataValidationErrorStyle, DocProperties, ExcelDateTime, Format, FormatAlign,
    FormatBorder, Formula, Note, Workbook, Worksheet, XlsxError,
};

use crate::fault::Place;
use crate::limits::MAX_CELL;

/// A sheet to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub name: String,
    pub headings: Vec<Heading>,
    /// Cells below the headings.
    pub rows: Vec<Vec<Cell>>,
    /// How many empty rows below the last one offer the columns' choices too.
    pub spare_rows: u32,
    /// How many columns stay in sight, as the row of headings does.
    pub fixed_columns: u16,
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heading {
    pub text: String,
    /// Shown when a person points at it; empty: none.
    pub note: String,
    /// In characters.
    pub width: u16,
    pub choices: Option<Choices>,
}

/// A cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Empty: nothing is written.
    pub text: String,
    pub note: String,
    /// Instead of its column's.
    pub choices: Option<Choices>,
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Cell {
        Cell {
            text: text.into(),
            ..Cell::default()
        }
    }
}

/// What a drop-down offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices {
    pub values: Vec<String>,
    /// Whether nothing else may be typed.
    pub only: bool,
}

/// What a workbook cannot hold.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    #[error("{0}: a cell holds at most {MAX_CELL} characters")]
    TooLong(Place),
    /// Spreadsheets do not keep them.
    #[error("{0}: the text holds a control character, is blank, or looks like the format's own marks")]
    Character(Place),
    #[error("the workbook cannot be written")]
    Format(#[source] Box<XlsxError>),
}

impl From<XlsxError> for Unwritable {
    fn from(error: XlsxError) -> Unwritable {
        Unwritable::Format(Box::new(error))
    }
}

/// The sheet that holds what the drop-downs offer, added behind the others.
const LISTS: &str = "lists";

/// Writes a workbook. The same pages give the same bytes.
///
/// # Errors
/// A text that a cell cannot hold.
pub fn write(pages: &[Page]) -> Result<Vec<u8>, Unwritable> {
    let mut book = Workbook::new();
    book.set_properties(&DocProperties::new().set_creation_datetime(&ExcelDateTime::from_ymd(2000, 1, 1)?));
    let mut lists: Vec<Vec<String>> = Vec::new();
    let formats = Formats::new();
    for page in pages {
        let sheet = book.add_worksheet();
        sheet.set_name(&page.name)?;
        fill(sheet, page, &formats, &mut lists)?;
    }
    if !lists.is_empty() {
        let sheet = book.add_worksheet();
        sheet.set_name(LISTS)?;
        list(sheet, &lists, &formats)?;
    }
    Ok(book.save_to_buffer()?)
}

#[derive(Debug)]
struct Formats {
    heading: Format,
    cell: Format,
}

impl Formats {
    fn new() -> Formats {
        let text = Format::new()
            .set_num_format("@")
            .set_text_wrap()
            .set_align(FormatAlign::Top);
        let heading = text
            .clone()
            .set_bold()
            .set_background_color(Color::RGB(0x00E2_EFDA))
            .set_border_bottom(FormatBorder::Thin);
        Formats { heading, cell: text }
    }
}

fn fill(
    sheet: &mut Worksheet,
    page: &Page,
    formats: &Formats,
    lists: &mut Vec<Vec<String>>,
) -> Result<(), Unwritable> {
    sheet.set_freeze_panes(1, page.fixed_columns)?;
    let rows = u32::try_from(page.rows.len()).unwrap_or(u32::MAX);
    let last = rows.saturating_add(page.spare_rows);
    for (column, heading) in (0u16..).zip(&page.headings) {
        sheet.set_column_width(column, heading.width)?;
        sheet.set_column_format(column, &formats.cell)?;
        put(sheet, page, (0, column), &heading.text, &formats.heading)?;
        note(sheet, (0, column), &heading.note)?;
        if let Some(choices) = &heading.choices
            && last > 0
        {
            let offered = offer(choices, lists);
            sheet.add_data_validation(1, column, last, column, &offered)?;
        }
    }
    for (row, cells) in (1u32..).zip(&page.rows) {
        for (column, cell) in (0u16..).zip(cells) {
            put(sheet, page, (row, column), &cell.text, &formats.cell)?;
            note(sheet, (row, column), &cell.note)?;
            if let Some(choices) = &cell.choices {
                let offered = offer(choices, lists);
                sheet.add_data_validation(row, column, row, column, &offered)?;
            }
        }
    }
    Ok(())
}

fn put(
    sheet: &mut Worksheet,
    page: &Page,
    (row, column): (u32, u16),
    text: &str,
    format: &Format,
) -> Result<(), Unwritable> {
    if text.is_empty() {
        return Ok(());
    }
    let place = || Place::cell(&page.name, row, u32::from(column));
    if text.chars().count() > MAX_CELL {
        return Err(Unwritable::TooLong(place()));
    }
    let lost = |c: char| c != '\n' && c != '\t' && (c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}'));
    // The writer takes a text between these marks for formatted text, and writes it unescaped.
    let marked = text.starts_with("<r>") && text.ends_with("</r>");
    if text.trim().is_empty() || marked || text.chars().any(lost) {
        return Err(Unwritable::Character(place()));
    }
    sheet.write_string_with_format(row, column, text, format)?;
    Ok(())
}

fn note(sheet: &mut Worksheet, (row, column): (u32, u16), text: &str) -> Result<(), Unwritable> {
    if text.is_empty() {
        return Ok(());
    }
    // Wide enough for a sentence, and high enough for all of them.
    let lines: usize = text.lines().map(|line| 1 + width(line) / 56).sum();
    let height = u32::try_from(lines).unwrap_or(40).min(40) * 18 + 12;
    let note = Note::new(text)
        .add_author_prefix(false)
        .set_width(400)
        .set_height(height);
    sheet.insert_note(row, column, &note)?;
    Ok(())
}

/// Latin letters; a Chinese character takes two.
fn width(line: &str) -> usize {
    line.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

/// Offers a list by where it stands: in the rule itself it could have neither commas nor more than 255 characters.
fn offer(choices: &Choices, lists: &mut Vec<Vec<String>>) -> DataValidation {
    let position = lists.iter().position(|list| *list == choices.values);
    let position = position.unwrap_or_else(|| {
        lists.push(choices.values.clone());
        lists.len() - 1
    });
    let column = Place::cell("", 0, u32::try_from(position).unwrap_or(u32::MAX)).cell_name();
    let column = column.trim_end_matches(|c: char| c.is_ascii_digit());
    let last = choices.values.len().max(1);
    let offered = DataValidation::new()
        .allow_list_formula(Formula::new(format!("={LISTS}!${column}$1:${column}${last}")));
    if choices.only {
        offered
    } else {
        offered
            .set_error_style(DataValidationErrorStyle::Information)
            .show_error_message(false)
    }
}

fn list(sheet: &mut Worksheet, lists: &[Vec<String>], formats: &Formats) -> Result<(), Unwritable> {
    for (column, values) in (0u16..).zip(lists) {
        let longest = values.iter().map(|value| width(value)).max().unwrap_or(0);
        sheet.set_column_width(column, u16::try_from(longest + 2).unwrap_or(60).min(60))?;
        sheet.set_column_format(column, &formats.cell)?;
        for (row, value) in (0u32..).zip(values) {
            sheet.write_string_with_format(row, column, value, &formats.cell)?;
        }
    }
    Ok(())
}
