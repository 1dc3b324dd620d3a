//! What is wrong with a workbook, and where.

use std::fmt;

use greenstar_kernel::{LocalizedText, Said};

use crate::limits::{MAX_BYTES, MAX_CELL, MAX_COLUMNS, MAX_ROWS, MAX_SHEETS};

/// Where in a workbook. Rows and columns are counted from 0, and shown as spreadsheets do: `table!C7`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file as a whole.
    Book,
    Sheet(String),
    Cell {
        sheet: String,
        row: u32,
        column: u32,
    },
}

impl Place {
    pub fn cell(sheet: &str, row: u32, column: u32) -> Place {
        Place::Cell {
            sheet: sheet.to_owned(),
            row,
            column,
        }
    }

    /// The sheet's name; empty of the file as a whole.
    pub fn sheet_name(&self) -> &str {
        match self {
            Place::Book => "",
            Place::Sheet(sheet) | Place::Cell { sheet, .. } => sheet,
        }
    }

    /// `C7`; empty where no cell is meant.
    pub fn cell_name(&self) -> String {
        match self {
            Place::Book | Place::Sheet(_) => String::new(),
            Place::Cell { row, column, .. } => format!("{}{}", letters(*column), u64::from(*row) + 1),
        }
    }
}

/// `A`, `Z`, `AA`.
fn letters(column: u32) -> String {
    let mut name = Vec::new();
    let mut rest = u64::from(column) + 1;
    while rest > 0 {
        rest -= 1;
        // 0..26, so a letter.
        name.push(char::from(b'A' + (rest % 26) as u8));
        rest /= 26;
    }
    name.iter().rev().collect()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Book => Ok(()),
            Place::Sheet(sheet) => f.write_str(sheet),
            Place::Cell { sheet, .. } => write!(f, "{sheet}!{}", self.cell_name()),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub place: Place,
    pub what: Trouble,
}

impl Fault {
    pub(crate) fn book(what: Trouble) -> Fault {
        Fault {
            place: Place::Book,
            what,
        }
    }
}

/// What can be wrong with a file that is to be a workbook of plain cells.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error("this is no .xlsx workbook: it is not a ZIP archive; save it as .xlsx")]
    NotAnArchive,
    #[error("this is a workbook of the old format .xls; save it as .xlsx")]
    OldFormat,
    #[error("this is a file of another program or format and no .xlsx workbook; save it as .xlsx")]
    OtherFormat,
    #[error("the workbook is damaged or was cut off ({0}); open it, save it as .xlsx and send it again")]
    Damaged(String),
    #[error(
        "the workbook has more than {MAX_BYTES} bytes; a policy needs far less, remove pictures and other sheets"
    )]
    TooLarge,
    #[error("the workbook is protected by a password and cannot be read; remove the password")]
    Encrypted,
    #[error("the workbook has more than 500 parts; save only the policy as .xlsx")]
    TooManyParts,
    #[error("the workbook unpacks to far more than a policy can be ({0}); keep only the rows of the policy")]
    Inflated(String),
    #[error("the workbook holds macros, which are never read; save it as .xlsx without macros")]
    Macros,
    #[error("the workbook has links to other files or databases, which are never followed; break the links")]
    Links,
    #[error("the workbook has embedded objects or controls; remove them")]
    Embedded,
    #[error("a part of the workbook declares entities, which no spreadsheet does; save it anew as .xlsx")]
    Declaration,
    #[error("the sheet is hidden; show it or delete it, so that what counts can be seen")]
    HiddenSheet,
    #[error("the sheet is a chart, a dialogue or a macro sheet; delete it")]
    NotCells,
    #[error("the workbook has more than {MAX_SHEETS} sheets")]
    TooManySheets,
    #[error("the sheet has more than {MAX_ROWS} rows; a table has at most 240. Nothing was read on")]
    TooManyRows,
    #[error("the sheet has more than {MAX_COLUMNS} columns. Nothing was read on")]
    TooManyColumns,
    #[error("the cell holds a formula; replace it by its value")]
    Formula,
    #[error("the cells {0} are merged; unmerge them and write each value in its own cell")]
    Merged(String),
    #[error("the cell holds more than {MAX_CELL} characters; shorten it")]
    CellTooLong,
    #[error("the cell shows the error {0}; write a value")]
    ErrorValue(String),
    #[error("the cell is a time, or a day with a time of day; write a day such as 2026-03-31, as text")]
    TimeOfDay,
    #[error("the number is beyond what can be told exactly; write it as text")]
    Number,
    #[error("the cell stands twice in the file; save it anew as .xlsx")]
    CellTwice,
}

impl Trouble {
    /// Whether it is something that is never read, rather than something that cannot be.
    pub fn is_unsafe(&self) -> bool {
        match self {
            Trouble::TooLarge
            | Trouble::Encrypted
            | Trouble::TooManyParts
            | Trouble::Inflated(_)
            | Trouble::Macros
            | Trouble::Links
            | Trouble::Embedded
            | Trouble::Declaration
            | Trouble::HiddenSheet
            | Trouble::NotCells
            | Trouble::TooManySheets
            | Trouble::TooManyRows
            | Trouble::TooManyColumns
            | Trouble::Formula
            | Trouble::Merged(_)
            | Trouble::CellTooLong => true,
            Trouble::NotAnArchive
            | Trouble::OldFormat
            | Trouble::OtherFormat
            | Trouble::Damaged(_)
            | Trouble::ErrorValue(_)
            | Trouble::TimeOfDay
            | Trouble::Number
            | Trouble::CellTwice => false,
        }
    }
}

impl Said for Trouble {
    fn said(&self) -> LocalizedText {
        let zh = match self {
            Trouble::NotAnArchive => "这不是 .xlsx 工作簿（不是 ZIP 文件）；请另存为 .xlsx".to_owned(),
            Trouble::OldFormat => "这是旧格式 .xls 工作簿；请另存为 .xlsx".to_owned(),
            Trouble::OtherFormat => {
                "这是其他程序或其他格式的文件，不是 .xlsx 工作簿；请另存为 .xlsx".to_owned()
            }
            Trouble::Damaged(what) => format!("工作簿已损坏或不完整（{what}）；请打开后另存为 .xlsx 再提交"),
            Trouble::TooLarge => format!("工作簿超过 {MAX_BYTES} 字节；请删除图片和无关工作表"),
            Trouble::Encrypted => "工作簿有密码保护，无法读取；请取消密码".to_owned(),
            Trouble::TooManyParts => "工作簿内部文件超过 500 个；请只保留政策内容并另存为 .xlsx".to_owned(),
            Trouble::Inflated(what) => {
                format!("工作簿解压后远超政策应有的大小（{what}）；请只保留政策的各行")
            }
            Trouble::Macros => "工作簿含有宏，不予读取；请另存为不含宏的 .xlsx".to_owned(),
            Trouble::Links => "工作簿含有指向其他文件或数据库的链接，不予读取；请断开链接".to_owned(),
            Trouble::Embedded => "工作簿含有嵌入对象或控件；请删除".to_owned(),
            Trouble::Declaration => "工作簿内部声明了实体，正常表格不会如此；请重新另存为 .xlsx".to_owned(),
            Trouble::HiddenSheet => "工作表被隐藏；请取消隐藏或者删除，使生效内容可见".to_owned(),
            Trouble::NotCells => "工作表是图表、对话框或宏表；请删除".to_owned(),
            Trouble::TooManySheets => format!("工作簿超过 {MAX_SHEETS} 个工作表"),
            Trouble::TooManyRows => format!("工作表超过 {MAX_ROWS} 行，决策表至多 240 行；后续内容未读取"),
            Trouble::TooManyColumns => format!("工作表超过 {MAX_COLUMNS} 列；后续内容未读取"),
            Trouble::Formula => "单元格含有公式；请改为数值或文本".to_owned(),
            Trouble::Merged(range) => format!("单元格 {range} 已合并；请取消合并，逐格填写"),
            Trouble::CellTooLong => format!("单元格超过 {MAX_CELL} 个字符；请缩短"),
            Trouble::ErrorValue(error) => format!("单元格显示错误 {error}；请填写有效值"),
            Trouble::TimeOfDay => {
                "单元格是时间或者带有时刻的日期；请以文本填写日期，如 2026-03-31".to_owned()
            }
            Trouble::Number => "数值过大，无法精确表示；请以文本填写".to_owned(),
            Trouble::CellTwice => "该单元格在文件中出现两次；请重新另存为 .xlsx".to_owned(),
        };
        LocalizedText::new(zh, self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_named_as_spreadsheets_do() {
        for (row, column, name) in [
            (0, 0, "table!A1"),
            (6, 2, "table!C7"),
            (99, 25, "table!Z100"),
            (0, 26, "table!AA1"),
            (0, 701, "table!ZZ1"),
            (0, 702, "table!AAA1"),
            (u32::MAX, u32::MAX, "table!MWLQKWV4294967296"),
        ] {
            assert_eq!(Place::cell("table", row, column).to_string(), name);
        }
    }
}
