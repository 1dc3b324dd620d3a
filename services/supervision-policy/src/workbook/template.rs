//! An empty workbook for a matter: everything that is needed, with an example to be written over.

use greenstar_kernel::{Code, Department, LocalizedText};
use greenstar_tables::{CellText, HitPolicy, Pairs, RowSource, TableSource};

use super::guide::Guide;
use super::pages::{Unsayable, to_workbook};
use crate::domain::document::{
    CaseSource, ExpectSource, FactSource, MatterSource, OutcomeSource, PolicySource,
};
use crate::domain::matter::Level;

/// The workbook of a matter: by the document that declares it, which then is the next version of that, or by a new one.
/// What is in it is sound, so that it can be checked at any time while it is being filled in.
///
/// # Errors
/// A document in force that a workbook cannot say.
pub(crate) fn template(
    department: &Department,
    matter: &Code,
    in_force: Option<PolicySource>,
    guide: &Guide,
) -> Result<Vec<u8>, Unsayable> {
    let known = in_force.is_some();
    let mut source = in_force.unwrap_or_else(|| new(department, matter));
    if known {
        source.version = source.version.saturating_add(1);
    }
    let favour = source.outcomes.first().map(|outcome| outcome.code.clone());
    let neutral = source
        .outcomes
        .iter()
        .find(|outcome| outcome.level == Level::Neutral);
    let neutral = neutral.map(|outcome| outcome.code.clone());
    source.cases.clear();
    source.unfair.clear();
    if let (Some(favour), Some(neutral)) = (favour, neutral) {
        source.table = Some(example(&favour, &neutral));
        source.cases = vec![case(matter, &favour)];
        // Whatever the arguments that have to be given are is the officer's to say.
        if source.arguments.iter().any(|argument| argument.required) {
            source.cases.clear();
        }
    }
    to_workbook(&source, guide)
}

fn new(department: &Department, matter: &Code) -> PolicySource {
    // Too long together: the matter's name alone is one.
    let name = Code::parse(&format!("{department}-{matter}")).unwrap_or_else(|_| matter.clone());
    let code = |text: &str| Code::parse(text).unwrap_or_else(|_| matter.clone());
    let outcome = |text: &str, level, zh: &str, en: &str| OutcomeSource {
        code: code(text),
        title: LocalizedText::new(zh, en),
        level,
        carried_by: None,
        floor: Pairs::default(),
    };
    PolicySource {
        outcomes: vec![
            outcome("PREFERRED", Level::Favour, "优先", "Preferred"),
            outcome("STANDARD", Level::Neutral, "一般对待", "Standard"),
        ],
        matters: vec![MatterSource {
            code: matter.clone(),
            title: LocalizedText::new("事项名称", "Title of the matter"),
        }],
        ..PolicySource::new(name, 1, department.clone())
    }
}

fn example(favour: &Code, neutral: &Code) -> TableSource {
    let row = |when: &[(&str, &str)], outcome: &Code, zh: &str, en: &str| RowSource {
        when: Pairs(
            when.iter()
                .map(|(test, cell)| ((*test).to_owned(), CellText((*cell).to_owned())))
                .collect(),
        ),
        outcome: outcome.to_string(),
        measures: Pairs::default(),
        reason: LocalizedText::new(zh, en),
        basis: Vec::new(),
    };
    TableSource {
        hit: HitPolicy::First,
        rows: vec![row(
            &[("star", ">=4"), ("flags", "empty")],
            favour,
            "示例：四星及以上且没有失信标记的企业（请改写）",
            "Example: four stars or more and no flag (write your own)",
        )],
        default: Some(row(
            &[],
            neutral,
            "示例：其他企业（请改写）",
            "Example: all others (write your own)",
        )),
    }
}

fn case(matter: &Code, favour: &Code) -> CaseSource {
    let fact = |name: &str, value: &str| (name.to_owned(), FactSource::Value(CellText(value.to_owned())));
    CaseSource {
        name: "示例 example".to_owned(),
        at: "2026-05-10".to_owned(),
        matter: Some(matter.to_string()),
        facts: Pairs(vec![fact("star", "5")]),
        arguments: Pairs::default(),
        expect: ExpectSource {
            outcome: Some(favour.clone()),
            measures: None,
            rows: Some(vec![1]),
        },
    }
}
