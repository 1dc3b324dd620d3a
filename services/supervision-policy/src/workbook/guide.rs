//! What a department may write: the facts' columns, and the measures of the catalogue in force.

use greenstar_kernel::LocalizedText;
use greenstar_tables::{Column, ColumnKind};

use crate::domain::document::PolicySource;
use crate::domain::matter::{ArgumentDecl, Level};
use crate::domain::policy::Policy;
use crate::domain::{fact_columns, fact_names};

/// For drop-downs and notes.
#[derive(Clone, Debug)]
pub(crate) struct Guide {
    columns: Vec<(Column, LocalizedText)>,
    pub(super) measures: Vec<Offer>,
}

/// A measure of the catalogue.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) code: String,
    pub(super) title: LocalizedText,
    /// What its parameter may be; `None` where it takes none.
    pub(super) range: Option<(i64, i64)>,
}

impl Guide {
    pub(crate) fn of(policy: &Policy) -> Guide {
        let measures = policy.catalogue().measures().iter().map(|entry| Offer {
            code: entry.code.to_string(),
            title: entry.title.clone(),
            range: entry.parameter().map(|parameter| (parameter.min, parameter.max)),
        });
        Guide {
            columns: fact_columns(policy.catalogue()),
            measures: measures.collect(),
        }
    }

    pub(super) fn columns(&self) -> &[(Column, LocalizedText)] {
        &self.columns
    }

    /// A fact or an argument.
    pub(super) fn column(&self, name: &str, arguments: &[ArgumentDecl]) -> Option<(Column, LocalizedText)> {
        let fact = self.columns.iter().find(|(column, _)| column.name == name);
        fact.cloned().or_else(|| {
            let argument = arguments.iter().find(|argument| argument.name.as_str() == name)?;
            Some((argument.column(), argument.title.clone()))
        })
    }

    pub(super) fn measure_codes(&self) -> Vec<String> {
        self.measures.iter().map(|offer| offer.code.clone()).collect()
    }
}

/// Whether a table can test something of this name. An unknown one is refused as a heading already.
pub(super) fn testable(name: &str, arguments: &[ArgumentDecl]) -> bool {
    fact_names().any(|fact| fact == name) || arguments.iter().any(|argument| argument.name.as_str() == name)
}

/// What a row may answer.
pub(super) fn answers(source: &PolicySource) -> Vec<String> {
    if source.is_baseline() {
        return Level::ALL.iter().map(|level| level.as_str().to_owned()).collect();
    }
    source
        .outcomes
        .iter()
        .map(|outcome| outcome.code.to_string())
        .collect()
}

/// How a cell of this column is written, in both languages.
pub(super) fn syntax(column: &Column) -> LocalizedText {
    let (zh, en) = match &column.kind {
        ColumnKind::Boolean => ("true 或 false".to_owned(), "true or false".to_owned()),
        ColumnKind::Integer { min, max } => (
            format!("整数 {min} 至 {max}：5、>={max}、[{min}..{max})"),
            format!("whole numbers {min} to {max}: 5, >={max}, [{min}..{max})"),
        ),
        ColumnKind::Points { min, max } => (
            format!("分值 {min} 至 {max}：>=57.5、[60..80)"),
            format!("points {min} to {max}: >=57.5, [60..80)"),
        ),
        ColumnKind::Date { .. } => (
            "日期：<2026-03-31、[2026-01-01..2026-07-01)".to_owned(),
            "days: <2026-03-31, [2026-01-01..2026-07-01)".to_owned(),
        ),
        ColumnKind::Choice { values } => {
            let values = quoted(values);
            let values = values.join(", ");
            (
                format!("其中任一：{values}；排除：not(…)"),
                format!("any of {values}; none of these: not(…)"),
            )
        }
        ColumnKind::Set { values } => {
            let values = quoted(values).join(", ");
            (
                format!(
                    "contains(\"…\") 至少含其一，not(contains(\"…\")) 一个不含，empty 没有；可用：{values}"
                ),
                format!(
                    "contains(\"…\") at least one, not(contains(\"…\")) none of them, empty nothing at all; of {values}"
                ),
            )
        }
        ColumnKind::Tree => (
            "代码及其下级：\"C27\"、\"C27\",\"D44\"".to_owned(),
            "a code and all under it: \"C27\", \"C27\",\"D44\"".to_owned(),
        ),
    };
    let (open_zh, open_en) = if column.optional {
        (
            "；none 没有值；- 或空为不限",
            "; none: there is no value; - or empty: whatever",
        )
    } else {
        ("；- 或空为不限", "; - or empty: whatever")
    };
    LocalizedText::new(zh + open_zh, en + open_en)
}

/// What a drop-down offers for a column. Whatever else the syntax allows may be typed.
pub(super) fn offered(column: &Column) -> Vec<String> {
    let mut values = match &column.kind {
        ColumnKind::Boolean => vec!["true".to_owned(), "false".to_owned()],
        // A star, and not a hundred months.
        ColumnKind::Integer { min, max } if max.saturating_sub(*min) < 10 => {
            let exact = (*min..=*max).rev().map(|value| value.to_string());
            let least = (min.saturating_add(1)..=*max)
                .rev()
                .map(|value| format!(">={value}"));
            exact.chain(least).collect()
        }
        ColumnKind::Choice { values } => quoted(values),
        ColumnKind::Set { values } => {
            let one = values.iter().map(|value| format!("contains(\"{value}\")"));
            one.chain(["empty".to_owned()]).collect()
        }
        ColumnKind::Integer { .. }
        | ColumnKind::Points { .. }
        | ColumnKind::Date { .. }
        | ColumnKind::Tree => Vec::new(),
    };
    if column.optional {
        values.push("none".to_owned());
    }
    values.push("-".to_owned());
    values
}

fn quoted(values: &[String]) -> Vec<String> {
    values.iter().map(|value| format!("\"{value}\"")).collect()
}
