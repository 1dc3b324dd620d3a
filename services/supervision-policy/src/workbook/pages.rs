//! From a document to the sheets that an officer edits.

use greenstar_kernel::{LocalizedText, Said};
use greenstar_tables::{HitPolicy, RowSource, TableSource};
use greenstar_workbook::{Cell, Choices, Heading, Page, Unwritable, write};

use super::guide::{self, Guide};
use super::layout as at;
use super::words;
use crate::domain::document::{CaseSource, PolicySource};
use crate::domain::matter::{ArgumentKind, Level, OnStale, RecordMode};

/// A document that a workbook cannot hold. Nothing of it is left out instead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsayable {
    /// An item with a separator in it, a blank text, or a name with a line break.
    #[error(
        "{0} cannot stand in a workbook: it is blank, or holds a line break or a character that separates items"
    )]
    Text(String),
    #[error(
        "an argument is called {0}, which is the name of a column of the sheet table; give it another name"
    )]
    Reserved(String),
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
}

impl Said for Unsayable {
    fn said(&self) -> LocalizedText {
        let zh = match self {
            Unsayable::Text(what) => format!("{what} 无法写入工作簿：内容为空，或者含有换行、分隔符"),
            Unsayable::Reserved(name) => format!("参数名 {name} 与 table 工作表的固定列重名，请改名"),
            Unsayable::Unwritable(Unwritable::TooLong(place)) => format!("{place}：内容超出单元格长度上限"),
            Unsayable::Unwritable(Unwritable::Character(place)) => {
                format!("{place}：内容为空白，或者含有控制字符、格式标记")
            }
            Unsayable::Unwritable(Unwritable::Format(_)) => "无法生成工作簿".to_owned(),
        };
        LocalizedText::new(zh, self.to_string())
    }
}

/// Empty rows that offer drop-downs.
const SPARE: u32 = 60;

/// Writes a document as a workbook.
///
/// # Errors
/// What the workbook cannot say.
pub(crate) fn to_workbook(source: &PolicySource, guide: &Guide) -> Result<Vec<u8>, Unsayable> {
    let maker = Maker { source, guide };
    let mut pages = vec![
        maker.policy(),
        maker.matters(),
        maker.outcomes()?,
        maker.arguments()?,
    ];
    if let Some(table) = &source.table {
        pages.push(maker.table(at::TABLE, table)?);
    }
    if let Some(triggers) = &source.triggers {
        pages.push(maker.table(at::TRIGGERS, triggers)?);
    }
    pages.extend([maker.cases()?, maker.unfair()?, maker.trees()?, maker.help()]);
    Ok(write(&pages)?)
}

fn heading((name, title, zh, en, width): at::Told) -> Heading {
    titled(name, title, &format!("{zh}\n{en}"), width)
}

fn titled(name: &str, title: &str, note: &str, width: u16) -> Heading {
    Heading {
        text: format!("{name}\n{title}").trim().to_owned(),
        note: note.trim().to_owned(),
        width,
        choices: None,
    }
}

fn offering(mut heading: Heading, values: Vec<String>, only: bool) -> Heading {
    heading.choices = (!values.is_empty()).then_some(Choices { values, only });
    heading
}

fn cells<const N: usize>(texts: [String; N]) -> Vec<Cell> {
    texts.into_iter().map(Cell::text).collect()
}

fn sayable(text: Option<String>, what: impl FnOnce() -> String) -> Result<String, Unsayable> {
    text.ok_or_else(|| Unsayable::Text(what()))
}

/// A name that is a heading, or part of one.
fn name(text: &str) -> Result<&str, Unsayable> {
    let sound = !text.is_empty() && !text.contains(char::is_whitespace);
    sound
        .then_some(text)
        .ok_or_else(|| Unsayable::Text(format!("{text:?}")))
}

fn page(name: &str, headings: Vec<Heading>, rows: Vec<Vec<Cell>>) -> Page {
    Page {
        name: name.to_owned(),
        headings,
        rows,
        spare_rows: SPARE,
        fixed_columns: 1,
    }
}

const HITS: [HitPolicy; 4] = [
    HitPolicy::First,
    HitPolicy::Unique,
    HitPolicy::Strictest,
    HitPolicy::Collect,
];

pub(super) fn hits() -> Vec<String> {
    HITS.iter().map(words::word).collect()
}

pub(super) fn stales() -> Vec<String> {
    [OnStale::ManualReview, OnStale::Refuse, OnStale::AllowWithCaveat]
        .iter()
        .map(words::word)
        .collect()
}

pub(super) fn records() -> Vec<String> {
    [RecordMode::Durable, RecordMode::Store, RecordMode::Sampled]
        .iter()
        .map(words::word)
        .collect()
}

pub(super) fn levels() -> Vec<String> {
    Level::ALL.iter().map(words::word).collect()
}

pub(super) fn booleans() -> Vec<String> {
    vec!["true".to_owned(), "false".to_owned()]
}

pub(super) fn types() -> Vec<String> {
    ["boolean", "integer", "points", "date", "choice"]
        .map(str::to_owned)
        .to_vec()
}

pub(super) fn tree_words() -> Vec<String> {
    ["sector", "district"].map(str::to_owned).to_vec()
}

#[derive(Debug)]
struct Maker<'a> {
    source: &'a PolicySource,
    guide: &'a Guide,
}

impl Maker<'_> {
    fn policy(&self) -> Page {
        let source = self.source;
        let hit = |table: &Option<TableSource>| table.as_ref().map(|table| words::word(&table.hit));
        let rows = at::FIELDS.iter().map(|(field, zh, en)| {
            let (value, choices) = match *field {
                "policy" => (source.policy.to_string(), Vec::new()),
                "version" => (source.version.to_string(), Vec::new()),
                "department" => (source.department.to_string(), Vec::new()),
                "on_stale" => (words::word(&source.on_stale), stales()),
                "max_staleness_ms" => (source.max_staleness_ms.to_string(), Vec::new()),
                "record" => (words::word(&source.record), records()),
                "retention_days" => {
                    let days = source.retention_days.map(|days| days.to_string());
                    (days.unwrap_or_default(), Vec::new())
                }
                "advice_only" => (source.advice_only.to_string(), booleans()),
                "table_hit" => (hit(&source.table).unwrap_or_default(), hits()),
                _ => (hit(&source.triggers).unwrap_or_default(), hits()),
            };
            let value = Cell {
                choices: (!choices.is_empty()).then_some(Choices {
                    values: choices,
                    only: true,
                }),
                ..Cell::text(value)
            };
            vec![Cell::text(*field), value, Cell::text(format!("{zh}\n{en}"))]
        });
        let headings = at::OF_POLICY.map(heading).to_vec();
        Page {
            spare_rows: 0,
            ..page(at::POLICY, headings, rows.collect())
        }
    }

    fn matters(&self) -> Page {
        let rows = self.source.matters.iter().map(|matter| {
            let title = matter.title.clone();
            cells([matter.code.to_string(), title.zh, title.en])
        });
        page(at::MATTERS, at::OF_MATTERS.map(heading).to_vec(), rows.collect())
    }

    fn outcomes(&self) -> Result<Page, Unsayable> {
        let mut rows = Vec::new();
        for outcome in &self.source.outcomes {
            let floor = sayable(words::measures(&outcome.floor), || {
                format!("floor {}", outcome.code)
            })?;
            let carrier = outcome.carried_by.as_ref().map(ToString::to_string);
            let title = outcome.title.clone();
            rows.push(cells([
                outcome.code.to_string(),
                words::word(&outcome.level),
                carrier.unwrap_or_default(),
                floor,
                title.zh,
                title.en,
            ]));
        }
        let codes = self.guide.measure_codes();
        let headings = at::OF_OUTCOMES.map(|told| match told.0 {
            at::LEVEL => offering(heading(told), levels(), true),
            at::CARRIED_BY => offering(heading(told), codes.clone(), true),
            at::FLOOR => offering(heading(told), codes.clone(), false),
            _ => heading(told),
        });
        Ok(page(at::OUTCOMES, headings.to_vec(), rows))
    }

    fn arguments(&self) -> Result<Page, Unsayable> {
        let mut rows = Vec::new();
        for argument in &self.source.arguments {
            let (kind, min, max, values) = match &argument.kind {
                ArgumentKind::Boolean => ("boolean", String::new(), String::new(), String::new()),
                ArgumentKind::Integer { min, max } => {
                    ("integer", min.to_string(), max.to_string(), String::new())
                }
                ArgumentKind::Date { min, max } => ("date", min.to_string(), max.to_string(), String::new()),
                ArgumentKind::Points { min, max } => {
                    ("points", min.to_string(), max.to_string(), String::new())
                }
                ArgumentKind::Choice { values } => {
                    let values = sayable(words::list(values), || format!("values {}", argument.name))?;
                    ("choice", String::new(), String::new(), values)
                }
            };
            let title = argument.title.clone();
            rows.push(cells([
                argument.name.to_string(),
                kind.to_owned(),
                min,
                max,
                values,
                argument.required.to_string(),
                argument.masked.to_string(),
                title.zh,
                title.en,
            ]));
        }
        let headings = at::OF_ARGUMENTS_SHEET.map(|told| match told.0 {
            at::TYPE => offering(heading(told), types(), true),
            at::REQUIRED | at::MASKED => offering(heading(told), booleans(), true),
            _ => heading(told),
        });
        Ok(page(at::ARGUMENTS, headings.to_vec(), rows))
    }

    fn table(&self, sheet: &str, table: &TableSource) -> Result<Page, Unsayable> {
        // In the order of their first use; what nobody uses yet stands behind.
        let mut tests: Vec<&str> = Vec::new();
        let used = table
            .rows
            .iter()
            .chain(&table.default)
            .flat_map(|row| &row.when.0);
        let arguments = self
            .source
            .arguments
            .iter()
            .map(|argument| argument.name.as_str());
        for test in used
            .map(|(test, _)| test.as_str())
            .chain(arguments)
            .chain(at::COMMON)
        {
            if at::OUTPUTS.contains(&test) || test == at::ROW {
                return Err(Unsayable::Reserved(test.to_owned()));
            }
            if !tests.contains(&name(test)?) {
                tests.push(test);
            }
        }
        let mut headings = vec![offering(heading(at::OF_ROW), vec![at::DEFAULT.to_owned()], false)];
        headings.extend(tests.iter().map(|test| self.test(test)));
        let answers = if sheet == at::TABLE {
            guide::answers(self.source)
        } else {
            // A trigger names itself.
            Vec::new()
        };
        headings.extend(at::OF_OUTPUTS.map(|told| match told.0 {
            at::OUTCOME => offering(heading(told), answers.clone(), true),
            at::MEASURES => offering(heading(told), self.guide.measure_codes(), false),
            _ => heading(told),
        }));
        let labels = (1..).map(|number: u32| number.to_string());
        let mut rows = Vec::new();
        for (label, row) in labels.zip(&table.rows) {
            rows.push(self.row(sheet, label, row, &tests)?);
        }
        if let Some(row) = &table.default {
            rows.push(self.row(sheet, at::DEFAULT.to_owned(), row, &tests)?);
        }
        Ok(page(sheet, headings, rows))
    }

    /// The heading of a fact or an argument.
    fn test(&self, test: &str) -> Heading {
        match self.guide.column(test, &self.source.arguments) {
            None => titled(test, "", "", 18),
            Some((column, title)) => {
                let syntax = guide::syntax(&column);
                let note = format!("{}\n{}\n{}\n{}", title.zh, syntax.zh, title.en, syntax.en);
                let offered = guide::offered(&column);
                let wide = offered.iter().map(String::len).max().unwrap_or(0);
                let width = u16::try_from(wide + 4).unwrap_or(32).clamp(14, 32);
                offering(titled(test, &title.zh, &note, width), offered, false)
            }
        }
    }

    fn row(
        &self,
        sheet: &str,
        label: String,
        row: &RowSource,
        tests: &[&str],
    ) -> Result<Vec<Cell>, Unsayable> {
        let what = |part: &str| format!("{sheet} {label} {part}");
        let mut texts = vec![label.clone()];
        for test in tests {
            let cell = row.when.0.iter().find(|(column, _)| column == test);
            let text = cell.map(|(_, text)| text.0.clone());
            if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
                return Err(Unsayable::Text(what(test)));
            }
            texts.push(text.unwrap_or_default());
        }
        let outcome = row.outcome.trim();
        if outcome.is_empty() || outcome != row.outcome {
            return Err(Unsayable::Text(what(at::OUTCOME)));
        }
        texts.push(row.outcome.clone());
        texts.push(sayable(words::measures(&row.measures), || what(at::MEASURES))?);
        texts.extend([row.reason.zh.clone(), row.reason.en.clone()]);
        let zh = words::lines(row.basis.iter().map(|basis| basis.zh.as_str()));
        let en = words::lines(row.basis.iter().map(|basis| basis.en.as_str()));
        texts.push(sayable(zh, || what(at::BASIS_ZH))?);
        texts.push(sayable(en, || what(at::BASIS_EN))?);
        Ok(texts.into_iter().map(Cell::text).collect())
    }

    fn trees(&self) -> Result<Page, Unsayable> {
        let of = |tree: &'static str| move |pair| (tree, pair);
        let trees = &self.source.trees;
        let sector = trees.sector.0.iter().map(of("sector"));
        let mut rows = Vec::new();
        for (tree, (child, parent)) in sector.chain(trees.district.0.iter().map(of("district"))) {
            rows.push(cells([
                tree.to_owned(),
                name(child)?.to_owned(),
                name(&parent.0)?.to_owned(),
            ]));
        }
        let headings = at::OF_TREES.map(|told| match told.0 {
            at::TREE => offering(heading(told), tree_words(), true),
            _ => heading(told),
        });
        Ok(page(at::TREES, headings.to_vec(), rows))
    }

    fn unfair(&self) -> Result<Page, Unsayable> {
        let mut rows = Vec::new();
        for (number, declared) in self.source.unfair.iter().enumerate() {
            let listed = words::rows(&declared.rows);
            let listed = words::optional_list(Some(&listed));
            rows.push(cells([
                sayable(listed, || format!("unfair {}", number + 1))?,
                declared.reason.zh.clone(),
                declared.reason.en.clone(),
            ]));
        }
        Ok(page(at::UNFAIR, at::OF_UNFAIR.map(heading).to_vec(), rows))
    }

    fn cases(&self) -> Result<Page, Unsayable> {
        let mut facts: Vec<&str> = Vec::new();
        let mut arguments: Vec<&str> = Vec::new();
        let cases = &self.source.cases;
        let used = cases
            .iter()
            .flat_map(|case| &case.facts.0)
            .map(|(fact, _)| fact.as_str());
        for fact in used.chain(["star", "state", "flags"]) {
            if !facts.contains(&name(fact)?) {
                facts.push(fact);
            }
        }
        let used = cases
            .iter()
            .flat_map(|case| &case.arguments.0)
            .map(|(argument, _)| argument.as_str());
        let declared = self
            .source
            .arguments
            .iter()
            .map(|argument| argument.name.as_str());
        for argument in used.chain(declared) {
            if !arguments.contains(&name(argument)?) {
                arguments.push(argument);
            }
        }
        let mut headings = at::OF_CASES.map(heading).to_vec();
        for fact in &facts {
            let title = self
                .guide
                .column(fact, &[])
                .map(|(_, title)| title.zh)
                .unwrap_or_default();
            let note = if words::takes_papers(fact) {
                "每行一项：ordinary-penalty severity=ordinary date=2026-01-31\none in a line: ordinary-penalty severity=ordinary date=2026-01-31"
            } else {
                "空为未评价、无标记企业的取值\nempty: as of a firm that nobody rated or flagged"
            };
            headings.push(titled(&format!("{}{fact}", at::FACTS), &title, note, 22));
        }
        for argument in &arguments {
            headings.push(titled(&format!("{}{argument}", at::OF_ARGUMENTS), "", "", 22));
        }
        headings.extend(at::OF_EXPECTED.map(|told| match told.0 {
            at::EXPECT_OUTCOME => offering(heading(told), guide::answers(self.source), true),
            _ => heading(told),
        }));
        let mut rows = Vec::new();
        for case in cases {
            rows.push(case_row(case, &facts, &arguments)?);
        }
        Ok(page(at::CASES, headings, rows))
    }

    /// What cells may hold, for those who do not want to point at each heading.
    fn help(&self) -> Page {
        let mut rows = vec![
            cells(["表头".into(), "每列第一行文字为列名，请勿修改；之后的文字仅供查看".into(), "The first line of a heading is the name of its column; do not change it. Further lines are for reading.".into()]),
            cells(["单元格".into(), "所有单元格按文本填写；空或 - 为不限；不要使用公式、合并单元格和隐藏工作表".into(), "Cells are texts. Empty or - means whatever. No formulas, no merged cells, no hidden sheets.".into()]),
            cells(["新增条件".into(), "在 table 工作表插入一列，表头写下方任一列名或者自定义参数名".into(), "For a further test insert a column into the sheet table, headed by a name below or an argument's.".into()]),
            cells(["notes".into(), "可另建 notes 工作表记录备注，不会读取".into(), "A sheet called notes is yours; it is not read.".into()]),
        ];
        for (column, title) in self.guide.columns() {
            let syntax = guide::syntax(column);
            rows.push(cells([
                column.name.clone(),
                format!("{}：{}", title.zh, syntax.zh),
                format!("{}: {}", title.en, syntax.en),
            ]));
        }
        for offer in &self.guide.measures {
            let (zh, en) = match offer.range {
                Some((min, max)) => (
                    format!("，参数 {min} 至 {max}"),
                    format!(", figure {min} to {max}"),
                ),
                None => (String::new(), String::new()),
            };
            rows.push(cells([
                offer.code.clone(),
                format!("措施：{}{zh}", offer.title.zh),
                format!("measure: {}{en}", offer.title.en),
            ]));
        }
        let headings = vec![
            titled("name", "名称", "", 28),
            titled("zh", "说明", "", 80),
            titled("en", "", "", 80),
        ];
        Page {
            spare_rows: 0,
            ..page(at::HELP, headings, rows)
        }
    }
}

fn case_row(case: &CaseSource, facts: &[&str], arguments: &[&str]) -> Result<Vec<Cell>, Unsayable> {
    let what = |part: &str| format!("cases {} {part}", case.name);
    if case.name.trim().is_empty() || case.at.trim().is_empty() {
        return Err(Unsayable::Text(what(at::NAME)));
    }
    let mut texts = vec![case.name.clone(), case.at.clone()];
    match &case.matter {
        Some(matter) => texts.push(name(matter)?.to_owned()),
        None => texts.push(String::new()),
    }
    for fact in facts {
        let given = case.facts.0.iter().find(|(column, _)| column == fact);
        texts.push(match given {
            Some((_, given)) => sayable(words::fact(fact, given), || what(fact))?,
            None => String::new(),
        });
    }
    for argument in arguments {
        let given = case.arguments.0.iter().find(|(column, _)| column == argument);
        match given {
            Some((_, text)) if text.0.trim().is_empty() => return Err(Unsayable::Text(what(argument))),
            Some((_, text)) => texts.push(text.0.clone()),
            None => texts.push(String::new()),
        }
    }
    let expect = &case.expect;
    texts.push(
        expect
            .outcome
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    );
    let measures = words::optional_list(expect.measures.as_ref());
    texts.push(sayable(measures, || what(at::EXPECT_MEASURES))?);
    let rows = expect.rows.as_ref().map(|rows| words::rows(rows));
    texts.push(sayable(words::optional_list(rows.as_ref()), || {
        what(at::EXPECT_ROWS)
    })?);
    Ok(texts.into_iter().map(Cell::text).collect())
}
