//! What can be wrong with a table, and where: table, row, column, character.

use std::fmt;

use greenstar_kernel::{LocalizedText, Said};

/// Where a defect lies. Rows and characters count from 1, as people count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub table: String,
    /// `None`: the table as a whole. 0: its default row.
    pub row: Option<usize>,
    /// Name of the column or field.
    pub column: Option<String>,
    /// Character inside the cell.
    pub character: Option<usize>,
}

/// A cell that cannot be read, or means nothing in its column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("character {character}: {defect}")]
pub struct CellError {
    /// From 1.
    pub character: usize,
    pub defect: CellDefect,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CellDefect {
    #[error("the cell is empty; write - if every value is meant")]
    Empty,
    #[error("the cell is longer than 1000 characters or lists more than 64 tests; split the row")]
    TooLong,
    #[error("{found:?} is not expected here; write {expected}")]
    Unexpected { found: String, expected: &'static str },
    #[error("the cell ends here; {expected} is missing")]
    Ends { expected: &'static str },
    #[error("the text has no closing quotation mark")]
    UnclosedText,
    #[error("{found:?} is not {expected}")]
    Literal { found: String, expected: &'static str },
    #[error("this column is tested with {expected}")]
    WrongType { expected: &'static str },
    #[error("{found:?} is not a value of this column; it takes {known}")]
    UnknownValue { found: String, known: String },
    #[error("{found} lies outside {low} to {high}, which this column can hold")]
    OutOfRange {
        found: String,
        low: String,
        high: String,
    },
    #[error("no value can satisfy this test")]
    NeverTrue,
    #[error("this column always has a value, so none never holds")]
    NeverAbsent,
}

/// One defect of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableError {
    pub place: Place,
    pub defect: Defect,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    #[error("the text is not a table: {0}")]
    Unreadable(String),
    #[error("a table has 1 to {limit} rows, this one has {found}")]
    RowCount { found: usize, limit: usize },
    #[error("no column is called {0:?}; see the columns that this matter offers")]
    UnknownColumn(String),
    #[error(transparent)]
    Cell(CellDefect),
    #[error("the matter has no outcome {found:?}; it has {known}")]
    UnknownOutcome { found: String, known: String },
    #[error("the catalogue has no measure {0:?}")]
    UnknownMeasure(String),
    #[error("measure {measure} takes a whole number from {low} to {high}")]
    Parameter { measure: String, low: i64, high: i64 },
    #[error("measure {0} takes no parameter")]
    NoParameter(String),
    #[error("the row names a measure but no legal basis; add one under basis")]
    MeasureWithoutBasis,
    #[error("the reason is missing in Chinese or in English")]
    ReasonMissing,
    #[error("a basis is empty in Chinese or in English")]
    BasisEmpty,
    #[error("the default row holds where no other does; leave its when empty")]
    DefaultWithCells,
    #[error("no row covers {example}; add a row or a default")]
    Gap { example: Example },
    #[error("rows {first} and {second} both hold for {example} and disagree")]
    Overlap {
        first: usize,
        second: usize,
        example: Example,
    },
    #[error("row {row} never decides: row {by} takes {example} before it; narrow that one or remove this")]
    Masked { row: usize, by: usize, example: Example },
    #[error("no facts can reach row {row}: its cells exclude one another")]
    Unreachable { row: usize },
    #[error("the table is too intricate to be analysed; split it")]
    TooComplex,
}

/// A case that proves a finding: column and value, as an officer would write them. Columns that
/// are not named do not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example(pub Vec<(String, String)>);

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("every case");
        }
        for (index, (column, value)) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{column} = {value}")?;
        }
        Ok(())
    }
}

/// All defects of a table, in the order of its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableErrors(pub Vec<TableError>);

impl std::error::Error for TableErrors {}

impl fmt::Display for TableErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for TableError {}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.defect)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table {}", self.table)?;
        match self.row {
            Some(0) => f.write_str(", default row")?,
            Some(row) => write!(f, ", row {row}")?,
            None => {}
        }
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        if let Some(character) = self.character {
            write!(f, ", character {character}")?;
        }
        Ok(())
    }
}

impl Place {
    pub fn table(name: &str) -> Place {
        Place {
            table: name.to_owned(),
            row: None,
            column: None,
            character: None,
        }
    }

    fn zh(&self) -> String {
        let mut text = format!("决策表 {}", self.table);
        match self.row {
            Some(0) => text.push_str("，缺省行"),
            Some(row) => text.push_str(&format!("，第 {row} 行")),
            None => {}
        }
        if let Some(column) = &self.column {
            text.push_str(&format!("，列 {column}"));
        }
        if let Some(character) = self.character {
            text.push_str(&format!("，第 {character} 个字符"));
        }
        text
    }
}

impl Said for TableError {
    fn said(&self) -> LocalizedText {
        LocalizedText::new(
            format!("{}：{}", self.place.zh(), self.defect.zh()),
            self.to_string(),
        )
    }
}

impl Said for TableErrors {
    fn said(&self) -> LocalizedText {
        let zh: Vec<String> = self.0.iter().map(|error| error.said().zh).collect();
        LocalizedText::new(zh.join("；"), self.to_string())
    }
}

impl Defect {
    fn zh(&self) -> String {
        match self {
            Defect::Unreadable(why) => format!("文本不是有效的决策表：{why}"),
            Defect::RowCount { found, limit } => format!("决策表应有 1 至 {limit} 行，现有 {found} 行"),
            Defect::UnknownColumn(name) => format!("没有名为“{name}”的列，请查看本事项可用的列"),
            Defect::Cell(defect) => defect.zh(),
            Defect::UnknownOutcome { found, known } => {
                format!("本事项没有处置结论“{found}”，可用的有：{known}")
            }
            Defect::UnknownMeasure(code) => format!("措施目录中没有“{code}”"),
            Defect::Parameter { measure, low, high } => {
                format!("措施 {measure} 的参数应为 {low} 至 {high} 的整数")
            }
            Defect::NoParameter(measure) => format!("措施 {measure} 不带参数"),
            Defect::MeasureWithoutBasis => "该行列出了措施但没有法律依据，请在 basis 中补充".to_owned(),
            Defect::ReasonMissing => "理由缺少中文或英文文本".to_owned(),
            Defect::BasisEmpty => "法律依据缺少中文或英文文本".to_owned(),
            Defect::DefaultWithCells => "缺省行适用于其他各行之外的情形，请不要填写 when".to_owned(),
            Defect::Gap { example } => format!("没有任何一行覆盖 {example}，请增加一行或设缺省行"),
            Defect::Overlap {
                first,
                second,
                example,
            } => {
                format!("第 {first} 行与第 {second} 行同时适用于 {example} 且结论不一致")
            }
            Defect::Masked { row, by, example } => {
                format!("第 {row} 行永远不起作用：{example} 已由第 {by} 行处理，请收窄该行的条件或者删除本行")
            }
            Defect::Unreachable { row } => format!("第 {row} 行的条件相互矛盾，任何情形都无法满足"),
            Defect::TooComplex => "决策表过于复杂，无法分析，请拆分".to_owned(),
        }
    }
}

impl CellDefect {
    fn zh(&self) -> String {
        match self {
            CellDefect::Empty => "单元格为空；如不限取值，请填写 -".to_owned(),
            CellDefect::TooLong => "单元格超过 1000 个字符或 64 项，请拆分为多行".to_owned(),
            CellDefect::Unexpected { found, expected } => format!("此处不应出现“{found}”，应为 {expected}"),
            CellDefect::Ends { expected } => format!("单元格在此结束，缺少 {expected}"),
            CellDefect::UnclosedText => "文本缺少右引号".to_owned(),
            CellDefect::Literal { found, expected } => format!("“{found}”不符合格式 {expected}"),
            CellDefect::WrongType { expected } => format!("本列的写法是 {expected}"),
            CellDefect::UnknownValue { found, known } => {
                format!("“{found}”不是本列的取值，可用的有：{known}")
            }
            CellDefect::OutOfRange { found, low, high } => format!("{found} 超出本列的范围 {low} 至 {high}"),
            CellDefect::NeverTrue => "没有任何取值能满足该条件".to_owned(),
            CellDefect::NeverAbsent => "本列总有取值，none 永远不成立".to_owned(),
        }
    }
}
