use std::io::{Cursor, Read as _, Write as _};

use proptest::prelude::*;
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook, Worksheet, XlsxError};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::*;

fn page(rows: &[&[&str]]) -> Page {
    let cells = |texts: &&[&str]| texts.iter().map(|text| Cell::text(*text)).collect();
    Page {
        name: "table".to_owned(),
        headings: vec![
            Heading {
                text: "star".to_owned(),
                note: "1 to 5".to_owned(),
                width: 12,
                choices: Some(Choices {
                    values: vec!["\"RATED\",\"EXPIRED\"".to_owned(), "5".to_owned()],
                    only: false,
                }),
            },
            Heading {
                text: "flags".to_owned(),
                width: 30,
                ..Heading::default()
            },
        ],
        rows: rows.iter().map(cells).collect(),
        spare_rows: 10,
        fixed_columns: 0,
    }
}

fn good() -> Vec<u8> {
    write(&[page(&[&[">=5", "empty"], &["4", "-"]])]).unwrap()
}

/// A workbook with one sheet `table`, filled as a test wants.
fn sheet(fill: impl FnOnce(&mut Worksheet) -> Result<(), XlsxError>) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.set_name("table").unwrap();
    fill(sheet).unwrap();
    book.save_to_buffer().unwrap()
}

/// The archive with its parts changed: `None` leaves one out.
fn changed(
    bytes: &[u8],
    change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>,
    more: &[(&str, &[u8])],
) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let name = file.name().unwrap().into_owned();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        if let Some(content) = change(&name, content) {
            writer.start_file(name, SimpleFileOptions::default()).unwrap();
            writer.write_all(&content).unwrap();
        }
    }
    for (name, content) in more {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn with(more: &[(&str, &[u8])]) -> Vec<u8> {
    changed(&good(), |_, content| Some(content), more)
}

/// Replaces a text in a part; the part must have it.
fn edited(bytes: &[u8], part: &str, from: &str, to: &str) -> Vec<u8> {
    let change = |name: &str, content: Vec<u8>| {
        if name != part {
            return Some(content);
        }
        let text = String::from_utf8(content).unwrap();
        assert!(text.contains(from), "{part} has no {from}: {text}");
        Some(text.replacen(from, to, 1).into_bytes())
    };
    changed(bytes, change, &[])
}

fn faults(bytes: &[u8]) -> Vec<(String, Trouble)> {
    let faults = read(bytes).expect_err("it was read");
    faults
        .into_iter()
        .map(|fault| (fault.place.to_string(), fault.what))
        .collect()
}

fn only(bytes: &[u8]) -> Trouble {
    let mut faults = faults(bytes);
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.remove(0).1
}

#[test]
fn what_is_written_is_read_to_the_letter() {
    let rows: &[&[&str]] = &[
        &[">=5", "1/2"],
        &["2026-03-31", "'quoted"],
        &["", "多行\n文本\t"],
        &["=SUM(A1)", "  indented"],
        &["_x000D_", "<b>&amp;\"</b>"],
        &["TRUE", "1e5"],
        &["007", "+1"],
    ];
    let book = read(&write(&[page(rows)]).unwrap()).unwrap();
    let table = book.sheet("table").unwrap();
    for (row, texts) in (1..).zip(rows) {
        for (column, text) in (0..).zip(*texts) {
            let read = table.get(row, column);
            let expected = (!text.is_empty()).then(|| Value::Text((*text).to_owned()));
            assert_eq!(read, expected.as_ref(), "{row} {column}");
        }
    }
    assert_eq!(table.rows(), [0, 1, 2, 3, 4, 5, 6, 7]);
    let offered: Vec<_> = book.sheet("lists").unwrap().row(0).collect();
    assert_eq!(offered, [(0, &Value::Text("\"RATED\",\"EXPIRED\"".to_owned()))]);
}

#[test]
fn the_same_pages_give_the_same_bytes() {
    assert_eq!(good(), good());
}

#[test]
fn numbers_booleans_and_days_that_somebody_typed_are_read_as_such() {
    let bytes = sheet(|sheet| {
        let day = Format::new().set_num_format("yyyy-mm-dd");
        sheet.write_number(0, 0, 5)?;
        sheet.write_number(0, 1, 57.5)?;
        sheet.write_number(0, 2, -0.0)?;
        sheet.write_boolean(0, 3, true)?;
        sheet.write_datetime_with_format(0, 4, ExcelDateTime::from_ymd(2026, 3, 31)?, &day)?;
        Ok(())
    });
    let book = read(&bytes).unwrap();
    let texts: Vec<String> = book.sheets[0].row(0).map(|(_, value)| value.to_text()).collect();
    assert_eq!(texts, ["5", "57.5", "0", "true", "2026-03-31"]);
}

#[test]
fn every_bad_cell_is_named_at_once() {
    let bytes = sheet(|sheet| {
        let time = Format::new().set_num_format("yyyy-mm-dd hh:mm");
        sheet.write_formula(1, 1, Formula::new("=1+1").set_result("2"))?;
        sheet.write_dynamic_array_formula(2, 2, 3, 2, "=A1:A2")?;
        sheet.write_string(4, 0, "x".repeat(MAX_CELL + 1))?;
        sheet.write_number(5, 0, 1e300)?;
        sheet.write_datetime_with_format(
            6,
            0,
            ExcelDateTime::from_ymd(2026, 3, 31)?.and_hms(8, 0, 0)?,
            &time,
        )?;
        sheet.merge_range(8, 0, 9, 1, "both", &Format::new())?;
        Ok(())
    });
    let at = |cell: &str, what| (format!("table!{cell}"), what);
    assert_eq!(
        faults(&bytes),
        [
            at("B2", Trouble::Formula),
            at("C3", Trouble::Formula),
            at("A5", Trouble::CellTooLong),
            at("A6", Trouble::Number),
            at("A7", Trouble::TimeOfDay),
            at("A9", Trouble::Merged("A9:B10".to_owned())),
        ]
    );
    let cells = edited(
        &sheet(|sheet| sheet.write_string(0, 0, "x").map(|_| ())),
        "xl/worksheets/sheet1.xml",
        "<c r=\"A1\" t=\"s\"><v>0</v></c>",
        "<c r=\"A1\" t=\"e\"><v>#REF!</v></c><c r=\"B1\"><v>1</v></c><c r=\"B1\"><v>2</v></c>",
    );
    let error = Trouble::ErrorValue("#REF!".to_owned());
    assert_eq!(faults(&cells), [at("A1", error), at("B1", Trouble::CellTwice)]);
}

#[test]
fn a_hundred_thousand_rows_end_the_reading_at_the_limit() {
    let bytes = sheet(|sheet| {
        for row in 0..100_000 {
            sheet.write_number(row, 0, row)?;
        }
        Ok(())
    });
    assert!(bytes.len() < MAX_BYTES, "{}", bytes.len());
    assert_eq!(faults(&bytes), [("table!A601".to_owned(), Trouble::TooManyRows)]);
    let wide = sheet(|sheet| sheet.write_string(0, 5_000, "far").map(|_| ()));
    assert_eq!(only(&wide), Trouble::TooManyColumns);
    let deep = sheet(|sheet| sheet.write_string(1_048_575, 0, "deep").map(|_| ()));
    assert_eq!(only(&deep), Trouble::TooManyRows);
}

#[test]
fn what_is_no_workbook_is_refused_for_what_it_is() {
    let mut old = vec![0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
    old.resize(4_096, 0);
    let mut encrypted = old.clone();
    encrypted.extend("EncryptedPackage".bytes().flat_map(|byte| [byte, 0]));
    for (bytes, what) in [
        (Vec::new(), Trouble::NotAnArchive),
        (b"policy: x\n".to_vec(), Trouble::NotAnArchive),
        (old, Trouble::OldFormat),
        (encrypted, Trouble::Encrypted),
        (vec![b'P'; MAX_BYTES + 1], Trouble::TooLarge),
        (
            changed(&good(), |_, _| None, &[("word/document.xml", b"<x/>")]),
            Trouble::OtherFormat,
        ),
        (
            with(&[("mimetype", b"application/vnd.oasis.opendocument.spreadsheet")]),
            Trouble::OtherFormat,
        ),
        (with(&[("xl/workbook.bin", b"")]), Trouble::OtherFormat),
    ] {
        assert_eq!(only(&bytes), what);
    }
    let whole = good();
    for length in 0..whole.len() {
        let cut = whole.get(..length).unwrap();
        let what = only(cut);
        assert!(!what.is_unsafe(), "{length}: {what:?}");
    }
}

#[test]
fn what_is_never_read_is_refused_wherever_it_hides() {
    let typed = |kind: &str| {
        edited(
            &good(),
            "[Content_Types].xml",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
            kind,
        )
    };
    let rels = |kind: &str, target: &str| {
        let relationship = format!(
            "<Relationship Id=\"rId99\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}\" Target=\"{target}\" TargetMode=\"External\"/></Relationships>"
        );
        edited(
            &good(),
            "xl/_rels/workbook.xml.rels",
            "</Relationships>",
            &relationship,
        )
    };
    let mut password = good();
    for at in 0..password.len() - 10 {
        match password.get(at..at + 4) {
            Some(b"PK\x03\x04") => password[at + 6] |= 1,
            Some(b"PK\x01\x02") => password[at + 8] |= 1,
            _ => {}
        }
    }
    let parts: Vec<(String, &[u8])> = (0..600)
        .map(|n| (format!("xl/media/{n}.png"), &b""[..]))
        .collect();
    let parts: Vec<(&str, &[u8])> = parts
        .iter()
        .map(|(name, content)| (name.as_str(), *content))
        .collect();
    let hidden = {
        let mut book = Workbook::new();
        book.add_worksheet().set_name("table").unwrap();
        book.add_worksheet().set_name("more").unwrap().set_hidden(true);
        book.save_to_buffer().unwrap()
    };
    for (bytes, what) in [
        (with(&[("xl/vbaProject.bin", b"x")]), Trouble::Macros),
        (with(&[("XL/VBAPROJECT.BIN", b"x")]), Trouble::Macros),
        (with(&[("xl\\macrosheets\\sheet1.xml", b"<x/>")]), Trouble::Macros),
        (
            typed("application/vnd.ms-excel.sheet.macroEnabled.main+xml"),
            Trouble::Macros,
        ),
        (
            typed("application/vnd.ms-excel.sheet.binary.macroEnabled.main"),
            Trouble::OtherFormat,
        ),
        (
            with(&[("xl/externalLinks/externalLink1.xml", b"<x/>")]),
            Trouble::Links,
        ),
        (with(&[("xl/connections.xml", b"<x/>")]), Trouble::Links),
        (rels("externalLinkPath", "file:///c:/secret.xlsx"), Trouble::Links),
        (with(&[("xl/embeddings/oleObject1.bin", b"x")]), Trouble::Embedded),
        (with(&[("xl/activeX/activeX1.xml", b"<x/>")]), Trouble::Embedded),
        (password, Trouble::Encrypted),
        (with(&parts), Trouble::TooManyParts),
        (hidden, Trouble::HiddenSheet),
        (
            edited(
                &good(),
                "xl/workbook.xml",
                "<workbook",
                "<!DOCTYPE x [<!ENTITY a \"b\">]><workbook",
            ),
            Trouble::Declaration,
        ),
    ] {
        assert_eq!(only(&bytes), what);
        assert!(what.is_unsafe() || what == Trouble::OtherFormat);
    }
    // A link that only a person follows is no danger.
    assert!(read(&rels("hyperlink", "https://www.gov.cn/")).is_ok());
    assert!(
        read(&edited(
            &good(),
            "xl/workbook.xml",
            "<workbook",
            "<!-- made by hand --><workbook"
        ))
        .is_ok()
    );
    let wide: Vec<u8> = "<x/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let what = only(&changed(
        &good(),
        |name, content| {
            Some(if name == "xl/styles.xml" {
                wide.clone()
            } else {
                content
            })
        },
        &[],
    ));
    assert!(matches!(what, Trouble::Damaged(_)), "{what:?}");
}

#[test]
fn a_bomb_is_counted_while_it_is_unpacked_and_not_believed() {
    let bomb = vec![b' '; 6_000_000];
    for part in [
        "xl/media/image1.png",
        "xl/worksheets/sheet1.xml",
        "xl/sharedStrings.xml",
        "xl/styles.xml",
    ] {
        let exists = [
            "xl/worksheets/sheet1.xml",
            "xl/sharedStrings.xml",
            "xl/styles.xml",
        ]
        .contains(&part);
        let bytes = if exists {
            changed(
                &good(),
                |name, content| Some(if name == part { bomb.clone() } else { content }),
                &[],
            )
        } else {
            with(&[(part, &bomb)])
        };
        assert!(bytes.len() < 200_000);
        let what = only(&bytes);
        assert!(matches!(what, Trouble::Inflated(_)), "{part}: {what:?}");
    }
    // No part is suspicious by itself; together they are too much.
    let parts: Vec<String> = (0..13).map(|n| format!("xl/media/{n}.png")).collect();
    let parts: Vec<(&str, &[u8])> = parts
        .iter()
        .map(|name| (name.as_str(), &bomb[..3_900_000]))
        .collect();
    assert!(matches!(only(&with(&parts)), Trouble::Inflated(_)));
}

#[test]
fn a_claim_of_a_huge_or_reversed_range_is_not_believed() {
    let part = "xl/worksheets/sheet1.xml";
    let huge = edited(
        &good(),
        part,
        "<dimension ref=\"A1:B3\"/>",
        "<dimension ref=\"A1:XFD1048576\"/>",
    );
    assert_eq!(read(&huge).unwrap(), read(&good()).unwrap());
    let reversed = edited(
        &good(),
        part,
        "<dimension ref=\"A1:B3\"/>",
        "<dimension ref=\"B3:A1\"/>",
    );
    let what = only(&reversed);
    assert!(matches!(what, Trouble::Damaged(_)), "{what:?}");
}

#[test]
fn what_a_cell_cannot_hold_is_not_written() {
    for text in ["\u{1}", "a\rb", " ", "<r>x</r>", "\u{FFFF}"] {
        let refused = write(&[page(&[&["5", text]])]);
        assert!(
            matches!(refused, Err(Unwritable::Character(ref place)) if place.to_string() == "table!B2"),
            "{text:?}"
        );
    }
    let long = "长".repeat(MAX_CELL);
    assert!(write(&[page(&[&[&long, ""]])]).is_ok());
    let refused = write(&[page(&[&[&format!("{long}长"), ""]])]);
    assert!(matches!(refused, Err(Unwritable::TooLong(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_that_can_be_written_is_read_unchanged(texts in prop::collection::vec("\\PC{1,20}|[ \\t\\n_x0-9A-F<>&'\"]{1,12}", 1..6)) {
        let rows: Vec<Vec<&str>> = texts.iter().map(|text| vec!["5", text.as_str()]).collect();
        let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
        if let Ok(bytes) = write(&[page(&rows)]) {
            let book = read(&bytes).unwrap();
            for (row, text) in (1..).zip(&texts) {
                prop_assert_eq!(book.sheets[0].get(row, 1), Some(&Value::Text(text.clone())));
            }
        }
    }

    #[test]
    fn a_file_with_damaged_bytes_ends_in_a_reading_or_a_refusal(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = good();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Err(faults) = read(&bytes) {
            prop_assert!(!faults.is_empty());
        }
    }
}
