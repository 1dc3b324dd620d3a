//! Both forms of a policy say the same.

mod generate;

use std::io::{Cursor, Read as _};
use std::sync::Arc;

use greenstar_kernel::{Code, Department};
use greenstar_tables::CellText;
use greenstar_workbook::Value;
use proptest::prelude::*;
use rust_xlsxwriter::{Workbook, Worksheet, XlsxError};

use super::*;
use crate::domain::catalogue::Catalogue;
use crate::domain::document::{FactSource, PolicySource};
use crate::domain::policy::{Document, Policy};
use crate::domain::shipped;

/// With the sanctions service's own catalogue.
fn policy() -> Policy {
    let catalogue = Catalogue::from_yaml(include_str!("../../../sanctions/data/catalogue.yaml")).unwrap();
    Policy::load(&shipped::documents(), Arc::new(catalogue)).unwrap_or_else(|errors| panic!("{errors}"))
}

fn shipped(name: &str) -> PolicySource {
    let documents = shipped::documents();
    let document = documents.iter().find(|document| document.name == name).unwrap();
    PolicySource::from_yaml(&document.text).unwrap()
}

fn guide() -> Guide {
    Guide::of(&policy())
}

/// Which columns a row names first says nothing: they all have to hold.
fn sorted(mut source: PolicySource) -> PolicySource {
    for table in source.table.iter_mut().chain(&mut source.triggers) {
        for row in table.rows.iter_mut().chain(&mut table.default) {
            row.when.0.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
    }
    for case in &mut source.cases {
        case.facts.0.sort_by(|(a, _), (b, _)| a.cmp(b));
        case.arguments.0.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    source
}

/// By sheet: row, column, value.
type Cells = Vec<(String, Vec<(u32, u32, Value)>)>;

fn cells(bytes: &[u8]) -> Cells {
    let book = greenstar_workbook::read(bytes).unwrap();
    let of = |sheet: &greenstar_workbook::Sheet| {
        let rows = sheet.rows();
        let cells = rows.iter().flat_map(|row| {
            let cells = sheet
                .row(*row)
                .map(|(column, value)| (*row, column, value.clone()));
            cells.collect::<Vec<_>>()
        });
        (sheet.name.clone(), cells.collect())
    };
    book.sheets.iter().map(of).collect()
}

fn there_and_back(source: &PolicySource) {
    let guide = guide();
    let bytes = to_workbook(source, &guide).unwrap_or_else(|error| panic!("{error}"));
    let (read, _) = from_workbook(&bytes).unwrap_or_else(|unread| panic!("{:?}", unread.faults));
    assert_eq!(sorted(read.clone()), sorted(source.clone()));
    let yaml = read.to_yaml().unwrap();
    let again = PolicySource::from_yaml(&yaml).unwrap();
    assert_eq!(again, read);
    assert_eq!(cells(&to_workbook(&again, &guide).unwrap()), cells(&bytes));
}

#[test]
fn every_shipped_policy_is_the_same_as_a_workbook() {
    for document in shipped::documents() {
        there_and_back(&PolicySource::from_yaml(&document.text).unwrap());
    }
}

#[test]
fn a_template_is_sound_and_can_be_converted_at_once() {
    let policy = policy();
    let guide = Guide::of(&policy);
    for matter in policy.matters() {
        let info = policy
            .infos()
            .iter()
            .find(|info| info.matters.contains(&matter.name()))
            .unwrap();
        let source = PolicySource::from_yaml(&info.source.text).unwrap();
        let bytes = template(matter.department(), matter.code(), Some(source.clone()), &guide).unwrap();
        let (read, _) = from_workbook(&bytes).unwrap();
        assert_eq!(read.version, source.version + 1);
        sound(&policy, &read);
    }
    let department = Department::parse("water-affairs").unwrap();
    let bytes = template(&department, &Code::parse("water-permit").unwrap(), None, &guide).unwrap();
    let (read, _) = from_workbook(&bytes).unwrap();
    assert_eq!(read.policy.as_str(), "water-affairs-water-permit");
    sound(&policy, &read);
    there_and_back(&read);
}

fn sound(policy: &Policy, source: &PolicySource) {
    let document = Document {
        name: "template".to_owned(),
        text: source.to_yaml().unwrap(),
    };
    if let Err(errors) = policy.with(&document) {
        panic!("{}: {errors}", source.policy);
    }
}

#[test]
fn drop_downs_and_notes_are_in_the_file() {
    let source = shipped("licensing.yaml");
    let bytes = to_workbook(&source, &guide()).unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
    let mut part = |name: &str| {
        let mut text = String::new();
        archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let table = part("xl/worksheets/sheet5.xml");
    assert!(
        table.contains("<pane xSplit=\"1\" ySplit=\"1\""),
        "the headings stay in sight"
    );
    assert!(table.matches("<dataValidation ").count() >= 8, "{table}");
    assert!(table.contains("lists!$"));
    let notes = part("xl/comments5.xml");
    assert!(
        notes.contains("星级") && notes.contains("whole numbers 1 to 5"),
        "{notes}"
    );
}

/// A good workbook as rows of texts, with a change, written by other hands than ours.
fn altered(change: impl FnOnce(&mut Vec<(String, Vec<Vec<String>>)>)) -> Vec<u8> {
    let source = shipped("licensing.yaml");
    let bytes = to_workbook(&source, &guide()).unwrap();
    let mut sheets: Vec<(String, Vec<Vec<String>>)> = cells(&bytes)
        .into_iter()
        .map(|(name, cells)| {
            let mut rows: Vec<Vec<String>> = Vec::new();
            for (row, column, value) in cells {
                rows.resize(rows.len().max(row as usize + 1), Vec::new());
                let cells = &mut rows[row as usize];
                cells.resize(cells.len().max(column as usize + 1), String::new());
                cells[column as usize] = value.to_text();
            }
            (name, rows)
        })
        .collect();
    change(&mut sheets);
    let mut book = Workbook::new();
    for (name, rows) in sheets {
        let sheet = book.add_worksheet();
        sheet.set_name(name).unwrap();
        put(sheet, &rows).unwrap();
    }
    book.save_to_buffer().unwrap()
}

fn put(sheet: &mut Worksheet, rows: &[Vec<String>]) -> Result<(), XlsxError> {
    for (row, texts) in (0..).zip(rows) {
        for (column, text) in (0..).zip(texts) {
            if !text.is_empty() {
                sheet.write_string(row, column, text)?;
            }
        }
    }
    Ok(())
}

fn sheet<'s>(sheets: &'s mut [(String, Vec<Vec<String>>)], name: &str) -> &'s mut Vec<Vec<String>> {
    &mut sheets.iter_mut().find(|(sheet, _)| sheet == name).unwrap().1
}

fn faults(bytes: &[u8]) -> Vec<(String, SheetTrouble)> {
    let unread = from_workbook(bytes).expect_err("it was read");
    unread
        .faults
        .into_iter()
        .map(|fault| (fault.place.to_string(), fault.what))
        .collect()
}

#[test]
fn a_workbook_of_other_hands_is_read() {
    let source = shipped("licensing.yaml");
    let (read, places) =
        from_workbook(&altered(|_| ())).unwrap_or_else(|unread| panic!("{:?}", unread.faults));
    assert_eq!(sorted(read), sorted(source));
    assert_eq!(places.cell("table", 4, Some("star")), Some("table!D5"));
    assert_eq!(places.cell("table", 4, Some("no such column")), Some("table!A5"));
    assert_eq!(places.cell("policy", 0, Some("version")), Some("policy!B3"));
    assert_eq!(places.cell("table", 99, None), None);
}

#[test]
fn all_that_is_wrong_is_named_at_once_with_its_cell() {
    let bytes = altered(|sheets| {
        sheet(sheets, "policy")[2][1] = "two".to_owned();
        sheet(sheets, "policy")[4][1] = "maybe".to_owned();
        sheet(sheets, "policy").push(vec!["colour".to_owned(), "red".to_owned()]);
        sheet(sheets, "matters")[1][0] = "no code".to_owned();
        sheet(sheets, "outcomes")[1][1] = "GRAND".to_owned();
        let table = sheet(sheets, "table");
        let width = table[0].len();
        table[0].extend(["starr".to_owned(), "star".to_owned()]);
        table[1][0] = "first".to_owned();
        table[2].resize(width + 4, String::new());
        table[2][width + 3] = "astray".to_owned();
        let measures = table[0]
            .iter()
            .position(|heading| heading.starts_with("measures"))
            .unwrap();
        table[4][measures] = "fast-track=quickly".to_owned();
        table[5][measures - 1] = String::new();
        let basis = table[0]
            .iter()
            .position(|heading| heading.starts_with("basis_zh"))
            .unwrap();
        table[1][basis] = "一\n二".to_owned();
        sheets.push(("Sheet1".to_owned(), vec![vec!["?".to_owned()]]));
        sheets.push(("notes".to_owned(), vec![vec!["whatever".to_owned()]]));
    });
    let value = |found: &str, expected| SheetTrouble::Value {
        found: found.to_owned(),
        expected,
    };
    let found = faults(&bytes);
    let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(
        places,
        [
            "Sheet1",
            "policy!A12",
            "policy!B3",
            "policy!B5",
            "matters!A2",
            "outcomes!B2",
            "table!N1",
            "table!O1",
            "table!Q3",
            "table!A2",
            "table!L2",
            "table!I5",
            "table!H6",
        ],
        "{found:?}"
    );
    let what = |place: &str| &found.iter().find(|(found, _)| found == place).unwrap().1;
    assert_eq!(*what("policy!B3"), value("two", fault::Expected::Whole));
    assert_eq!(
        *what("policy!A12"),
        SheetTrouble::FieldUnknown("colour".to_owned())
    );
    assert_eq!(
        *what("table!N1"),
        SheetTrouble::HeadingUnknown("starr".to_owned())
    );
    assert_eq!(*what("table!O1"), SheetTrouble::HeadingTwice("star".to_owned()));
    assert_eq!(*what("table!Q3"), SheetTrouble::NoHeading);
    assert_eq!(*what("table!L2"), SheetTrouble::Unpaired);
    assert_eq!(*what("table!H6"), SheetTrouble::Missing("outcome".to_owned()));
    assert_eq!(*what("Sheet1"), SheetTrouble::SheetUnknown);
}

#[test]
fn a_missing_sheet_or_column_is_named() {
    for name in ["policy", "matters", "outcomes", "table"] {
        let bytes = altered(|sheets| sheets.retain(|(sheet, _)| sheet != name));
        assert_eq!(faults(&bytes), [(name.to_owned(), SheetTrouble::SheetMissing)]);
    }
    let bytes = altered(|sheets| {
        let table = sheet(sheets, "table");
        let outcome = table[0]
            .iter()
            .position(|heading| heading.starts_with("outcome"))
            .unwrap();
        for row in table {
            row.remove(outcome);
        }
    });
    let first = faults(&bytes).remove(0);
    assert_eq!(
        first,
        ("table".to_owned(), SheetTrouble::HeadingMissing("outcome"))
    );
}

#[test]
fn the_papers_of_a_case_are_lists_in_a_cell() {
    let yaml = "[serious-penalty, { kind: ordinary-penalty, severity: ordinary, date: 2026-01-31, department: licensing }]";
    let papers = serde_yaml_ng::from_str(yaml).unwrap();
    let text = words::fact("flags", &papers).unwrap();
    assert_eq!(
        text,
        "- serious-penalty\n- ordinary-penalty severity=ordinary date=2026-01-31 department=licensing"
    );
    assert_eq!(words::from_fact("flags", &text), Some(papers));
    let typed = words::from_fact("flags", "serious-penalty；ordinary-penalty severity=ordinary");
    assert!(matches!(typed, Some(FactSource::List(papers)) if papers.len() == 2));
    for bad in [
        "- no kind!",
        "penalty severity=grave",
        "penalty kind=x",
        "penalty date=a date=b",
    ] {
        assert_eq!(words::from_fact("flags", bad), None, "{bad}");
    }
}

#[test]
fn what_a_workbook_cannot_say_is_refused_and_not_left_out() {
    let good = shipped("licensing.yaml");
    let refused = |change: fn(&mut PolicySource)| {
        let mut source = good.clone();
        change(&mut source);
        to_workbook(&source, &guide())
            .expect_err("it was written")
            .to_string()
    };
    assert!(
        refused(|source| source.table.as_mut().unwrap().rows[0].outcome.clear()).contains("table 1 outcome")
    );
    assert!(
        refused(|source| source.table.as_mut().unwrap().rows[1].basis[0].zh = "一\n二".to_owned())
            .contains("table 2 basis_zh")
    );
    assert!(
        refused(|source| {
            let when = &mut source.table.as_mut().unwrap().rows[0].when.0;
            when.push(("measures".to_owned(), CellText("5".to_owned())));
        })
        .contains("measures")
    );
    assert!(
        refused(|source| source.table.as_mut().unwrap().rows[0].reason.en = "\u{7}".to_owned())
            .contains("table!")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_document_is_the_same_as_a_workbook(source in generate::document()) {
        there_and_back(&source);
    }
}
