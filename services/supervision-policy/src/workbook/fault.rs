//! What is wrong with a workbook that is to be a policy.

use greenstar_kernel::{LocalizedText, Said};
use greenstar_workbook::{Fault, Place, Trouble};

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SheetFault {
    pub(crate) place: Place,
    pub(crate) what: SheetTrouble,
}

impl From<Fault> for SheetFault {
    fn from(Fault { place, what }: Fault) -> SheetFault {
        SheetFault {
            place,
            what: SheetTrouble::File(what),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SheetTrouble {
    #[error(transparent)]
    File(Trouble),
    #[error("the sheet is missing; begin from the template of the matter, which has it")]
    SheetMissing,
    #[error("no sheet of a policy is called so; delete it, or call it notes, which is not read")]
    SheetUnknown,
    #[error("the column {0} is missing")]
    HeadingMissing(&'static str),
    #[error("no column is called {0}; see the sheet help, or delete the column")]
    HeadingUnknown(String),
    #[error("the column {0} stands twice; put its cells into one")]
    HeadingTwice(String),
    #[error("the cell stands in a column without a heading")]
    NoHeading,
    #[error("no field is called {0}; the template has all fields")]
    FieldUnknown(String),
    #[error("{0} stands twice; keep one")]
    Twice(String),
    #[error("{0} is missing")]
    Missing(String),
    #[error("{found:?} is not {expected}")]
    Value { found: String, expected: Expected },
    #[error("basis_zh and basis_en have different numbers of lines; give each basis in both languages")]
    Unpaired,
}

/// What a cell takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Code,
    Whole,
    Points,
    Day,
    Boolean,
    Word(Vec<String>),
    Measures,
    Rows,
    RowLabel,
    Papers,
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Expected::Code => f.write_str("a code of letters, digits, - and _"),
            Expected::Whole => f.write_str("a whole number that fits here"),
            Expected::Points => f.write_str("a number with at most three decimals"),
            Expected::Day => f.write_str("a day such as 2026-03-31"),
            Expected::Boolean => f.write_str("true or false"),
            Expected::Word(words) => write!(f, "one of {}", words.join(", ")),
            Expected::Measures => f.write_str(
                "a list of measures, each once and in its own line, with its figure where it takes one: on-site-cap=1",
            ),
            Expected::Rows => f.write_str("a list of row numbers such as 1, 3; the default row is 0"),
            Expected::RowLabel => f.write_str("the number of the row, or default"),
            Expected::Papers => f.write_str(
                "a list of kinds, each in its own line: ordinary-penalty severity=ordinary date=2026-01-31",
            ),
        }
    }
}

impl Expected {
    fn zh(&self) -> String {
        match self {
            Expected::Code => "由字母、数字、- 和 _ 组成的代码".to_owned(),
            Expected::Whole => "范围内的整数".to_owned(),
            Expected::Points => "至多三位小数的数值".to_owned(),
            Expected::Day => "形如 2026-03-31 的日期".to_owned(),
            Expected::Boolean => "true 或者 false".to_owned(),
            Expected::Word(words) => format!("以下之一：{}", words.join("、")),
            Expected::Measures => "措施清单（每行一项，不得重复，有参数的写为 on-site-cap=1）".to_owned(),
            Expected::Rows => "行号清单，如 1, 3（默认行为 0）".to_owned(),
            Expected::RowLabel => "行号或者 default".to_owned(),
            Expected::Papers => {
                "种类清单（每行一项，如 ordinary-penalty severity=ordinary date=2026-01-31）".to_owned()
            }
        }
    }
}

impl SheetTrouble {
    /// Whether it is something that is never read, rather than something that cannot be.
    pub(crate) fn is_unsafe(&self) -> bool {
        matches!(self, SheetTrouble::File(trouble) if trouble.is_unsafe())
    }
}

impl Said for SheetTrouble {
    fn said(&self) -> LocalizedText {
        let zh = match self {
            SheetTrouble::File(trouble) => trouble.said().zh,
            SheetTrouble::SheetMissing => "缺少该工作表；请从事项模板开始填写".to_owned(),
            SheetTrouble::SheetUnknown => {
                "政策工作簿没有这个工作表；请删除，或者改名为 notes（不读取）".to_owned()
            }
            SheetTrouble::HeadingMissing(name) => format!("缺少列 {name}"),
            SheetTrouble::HeadingUnknown(name) => {
                format!("没有名为 {name} 的列；请参看 help 工作表，或者删除该列")
            }
            SheetTrouble::HeadingTwice(name) => format!("列 {name} 重复；请合并为一列"),
            SheetTrouble::NoHeading => "该单元格所在的列没有表头".to_owned(),
            SheetTrouble::FieldUnknown(name) => format!("没有名为 {name} 的字段；模板列有全部字段"),
            SheetTrouble::Twice(what) => format!("{what} 重复；请只保留一个"),
            SheetTrouble::Missing(what) => format!("缺少 {what}"),
            SheetTrouble::Value { found, expected } => format!("“{found}”不是{}", expected.zh()),
            SheetTrouble::Unpaired => "basis_zh 与 basis_en 的行数不同；每条依据须有中英文".to_owned(),
        };
        LocalizedText::new(zh, self.to_string())
    }
}

impl Said for SheetFault {
    /// With its place, as a person looks for it.
    fn said(&self) -> LocalizedText {
        let said = self.what.said();
        match &self.place {
            Place::Book => said,
            place @ (Place::Sheet(_) | Place::Cell { .. }) => {
                LocalizedText::new(format!("{place}：{}", said.zh), format!("{place}: {}", said.en))
            }
        }
    }
}
