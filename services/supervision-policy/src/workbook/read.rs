//! From sheets to a document, or to all that is wrong with them.

use greenstar_kernel::{Code, Department, LocalizedText};
use greenstar_tables::{CellText, HitPolicy, Pairs, RowSource, TableSource};
use greenstar_workbook::{Book, Place, read};

use super::fault::{Expected, SheetFault, SheetTrouble};
use super::layout as at;
use super::places::Places;
use super::reader::{Grid, Reader};
use super::{guide, pages, words};
use crate::domain::document::{MatterSource, OutcomeSource, PolicySource};
use crate::domain::matter::{ArgumentDecl, ArgumentKind};

/// Why a workbook is no document.
#[derive(Clone, Debug)]
pub(crate) struct Unread {
    /// All that is wrong, in the order of reading.
    pub(crate) faults: Vec<SheetFault>,
    /// What could be read, so that its cells can be looked at too. What is wrong is left out of it.
    pub(crate) partial: Option<Box<(PolicySource, Places)>>,
    /// Whether the partial document has all its outcomes.
    pub(crate) outcomes_whole: bool,
}

/// Reads a workbook as a document, and where each part of it stands.
///
/// # Errors
/// Everything that is wrong at once.
pub(crate) fn from_workbook(bytes: &[u8]) -> Result<(PolicySource, Places), Unread> {
    let book = read(bytes).map_err(|faults| Unread {
        faults: faults.into_iter().map(SheetFault::from).collect(),
        partial: None,
        outcomes_whole: false,
    })?;
    let mut reading = Reading {
        reader: Reader::new(&book),
    };
    let (source, outcomes_whole) = reading.document(&book);
    let Reader { faults, places, .. } = reading.reader;
    match source {
        Some(source) if faults.is_empty() => Ok((source, places)),
        source => Err(Unread {
            faults,
            partial: source.map(|source| Box::new((source, places))),
            outcomes_whole,
        }),
    }
}

/// A workbook that is being read, sheet by sheet.
#[derive(Debug)]
pub(super) struct Reading<'b> {
    pub(super) reader: Reader<'b>,
}

/// What the sheet `policy` says.
#[derive(Debug, Default)]
struct Fields {
    table_hit: Option<HitPolicy>,
    triggers_hit: Option<HitPolicy>,
}

impl<'b> Reading<'b> {
    fn document(&mut self, book: &'b Book) -> (Option<PolicySource>, bool) {
        for sheet in &book.sheets {
            let name = sheet.name.as_str();
            if !at::SHEETS.contains(&name) && !at::UNREAD.contains(&name) {
                let place = Place::Sheet(sheet.name.clone());
                self.reader.report(place, SheetTrouble::SheetUnknown);
            }
        }
        let head = self.policy();
        let matters = self.matters();
        let before = self.reader.faults.len();
        let outcomes = self.outcomes();
        let outcomes_whole = self.reader.faults.len() == before;
        let arguments = self.arguments();
        let fields = head.as_ref().map(|(_, fields)| fields);
        let table = self.table(
            at::TABLE,
            "table_hit",
            fields.map(|fields| fields.table_hit),
            &arguments,
        );
        let triggers = self.table(
            at::TRIGGERS,
            "triggers_hit",
            fields.map(|fields| fields.triggers_hit),
            &arguments,
        );
        let trees = self.trees();
        let unfair = self.unfair();
        let cases = self.cases();
        let source = head.map(|(head, _)| PolicySource {
            outcomes,
            matters,
            arguments,
            trees,
            table,
            triggers,
            unfair,
            cases,
            ..head
        });
        (source, outcomes_whole)
    }

    /// A document with nothing but its fields; `None` where even its name or department cannot be read.
    fn policy(&mut self) -> Option<(PolicySource, Fields)> {
        let grid = self
            .reader
            .needed_grid(at::POLICY, &[at::FIELD, at::VALUE], |name| name == at::MEANING)?;
        let mut rows: Vec<(String, u32)> = Vec::new();
        for row in grid.rows(at::MEANING) {
            let field = self.reader.needed(&grid, row, at::FIELD, Expected::Code, |text| {
                Some(text.trim().to_owned())
            });
            let Some(field) = field else { continue };
            let place = grid.place(row, at::FIELD);
            if !at::FIELDS.iter().any(|(known, ..)| *known == field) {
                self.reader.report(
                    place,
                    SheetTrouble::FieldUnknown(field.chars().take(60).collect()),
                );
            } else if rows.iter().any(|(seen, _)| *seen == field) {
                self.reader.report(place, SheetTrouble::Twice(field));
            } else {
                self.reader
                    .places
                    .put(at::POLICY, 0, &field, grid.place(row, at::VALUE).to_string());
                rows.push((field, row));
            }
        }
        let mut fields = FieldReader {
            reader: &mut self.reader,
            grid,
            rows,
        };
        let policy = fields.needed("policy", Expected::Code, |text| Code::parse(text.trim()).ok());
        let version = fields.needed("version", Expected::Whole, |text| text.trim().parse().ok());
        let department = fields.needed("department", Expected::Code, |text| {
            Department::parse(text.trim()).ok()
        });
        let on_stale = fields.value("on_stale", Expected::Word(pages::stales()), words::from_word);
        let max_staleness_ms = fields.value("max_staleness_ms", Expected::Whole, |text| {
            text.trim().parse().ok()
        });
        let record = fields.value("record", Expected::Word(pages::records()), words::from_word);
        let retention_days = fields.value("retention_days", Expected::Whole, |text| text.trim().parse().ok());
        let advice_only = fields.value("advice_only", Expected::Boolean, words::boolean);
        let hit = Expected::Word(pages::hits());
        let table_hit = fields.value("table_hit", hit.clone(), words::from_word);
        let triggers_hit = fields.value("triggers_hit", hit, words::from_word);
        let head = PolicySource {
            max_staleness_ms: max_staleness_ms.unwrap_or(PolicySource::DEFAULT_STALENESS_MS),
            on_stale: on_stale.unwrap_or_default(),
            record: record.unwrap_or_default(),
            retention_days,
            advice_only: advice_only.unwrap_or_default(),
            ..PolicySource::new(policy?, version.unwrap_or(1), department?)
        };
        let fields = Fields {
            table_hit,
            triggers_hit,
        };
        Some((head, fields))
    }

    fn title(&mut self, grid: &Grid<'_>, row: u32) -> LocalizedText {
        let text = |heading| grid.text(row, heading).unwrap_or_default();
        LocalizedText::new(text(at::TITLE_ZH), text(at::TITLE_EN))
    }

    fn code(&mut self, grid: &Grid<'_>, row: u32, heading: &str) -> Option<Code> {
        self.reader.needed(grid, row, heading, Expected::Code, |text| {
            Code::parse(text.trim()).ok()
        })
    }

    fn matters(&mut self) -> Vec<MatterSource> {
        let needed = [at::CODE, at::TITLE_ZH, at::TITLE_EN];
        let Some(grid) = self.reader.needed_grid(at::MATTERS, &needed, |_| false) else {
            return Vec::new();
        };
        let mut matters = Vec::new();
        for (number, row) in (1..).zip(grid.rows("")) {
            self.reader.remember(&grid, number, row);
            let title = self.title(&grid, row);
            if let Some(code) = self.code(&grid, row, at::CODE) {
                matters.push(MatterSource { code, title });
            }
        }
        matters
    }

    fn outcomes(&mut self) -> Vec<OutcomeSource> {
        let needed = [
            at::CODE,
            at::LEVEL,
            at::CARRIED_BY,
            at::FLOOR,
            at::TITLE_ZH,
            at::TITLE_EN,
        ];
        let Some(grid) = self.reader.needed_grid(at::OUTCOMES, &needed, |_| false) else {
            return Vec::new();
        };
        let mut outcomes = Vec::new();
        for (number, row) in (1..).zip(grid.rows("")) {
            self.reader.remember(&grid, number, row);
            let code = self.code(&grid, row, at::CODE);
            let level = Expected::Word(pages::levels());
            let level = self.reader.needed(&grid, row, at::LEVEL, level, words::from_word);
            let carried_by = self
                .reader
                .value(&grid, row, at::CARRIED_BY, Expected::Code, |text| {
                    Code::parse(text.trim()).ok()
                });
            let floor = self.measures(&grid, row, at::FLOOR);
            let title = self.title(&grid, row);
            if let (Some(code), Some(level)) = (code, level) {
                outcomes.push(OutcomeSource {
                    code,
                    title,
                    level,
                    carried_by,
                    floor,
                });
            }
        }
        outcomes
    }

    fn measures(&mut self, grid: &Grid<'_>, row: u32, heading: &str) -> Pairs<Option<i64>> {
        let read = self
            .reader
            .value(grid, row, heading, Expected::Measures, words::from_measures);
        read.unwrap_or_default()
    }

    fn arguments(&mut self) -> Vec<ArgumentDecl> {
        let needed = [
            at::NAME,
            at::TYPE,
            at::MIN,
            at::MAX,
            at::VALUES,
            at::REQUIRED,
            at::MASKED,
            at::TITLE_ZH,
            at::TITLE_EN,
        ];
        let Some(grid) = self.reader.grid(at::ARGUMENTS, &needed, |_| false) else {
            return Vec::new();
        };
        let mut arguments = Vec::new();
        for (number, row) in (1..).zip(grid.rows("")) {
            self.reader.remember(&grid, number, row);
            let name = self.code(&grid, row, at::NAME);
            let kind = self.kind(&grid, row);
            let mut yes = |heading| {
                self.reader
                    .value(&grid, row, heading, Expected::Boolean, words::boolean)
            };
            let (required, masked) = (yes(at::REQUIRED), yes(at::MASKED));
            let title = self.title(&grid, row);
            if let (Some(name), Some(kind)) = (name, kind) {
                arguments.push(ArgumentDecl {
                    name,
                    title,
                    kind,
                    required: required.unwrap_or_default(),
                    masked: masked.unwrap_or_default(),
                });
            }
        }
        arguments
    }

    fn kind(&mut self, grid: &Grid<'_>, row: u32) -> Option<ArgumentKind> {
        let types = pages::types();
        let known = |text: &str| types.iter().position(|word| word == text.trim());
        let expected = Expected::Word(types.clone());
        let position = self.reader.needed(grid, row, at::TYPE, expected, known)?;
        match types.get(position).map(String::as_str) {
            Some("boolean") => Some(ArgumentKind::Boolean),
            Some("integer") => {
                let bound = |reader: &mut Reader<'_>, heading| {
                    reader.needed(grid, row, heading, Expected::Whole, |text| {
                        text.trim().parse().ok()
                    })
                };
                let (min, max) = (bound(&mut self.reader, at::MIN), bound(&mut self.reader, at::MAX));
                Some(ArgumentKind::Integer { min: min?, max: max? })
            }
            Some("date") => {
                let bound = |reader: &mut Reader<'_>, heading| {
                    reader.needed(grid, row, heading, Expected::Day, |text| text.trim().parse().ok())
                };
                let (min, max) = (bound(&mut self.reader, at::MIN), bound(&mut self.reader, at::MAX));
                Some(ArgumentKind::Date { min: min?, max: max? })
            }
            Some("points") => {
                let bound = |reader: &mut Reader<'_>, heading| {
                    reader.needed(grid, row, heading, Expected::Points, |text| {
                        text.trim().parse().ok()
                    })
                };
                let (min, max) = (bound(&mut self.reader, at::MIN), bound(&mut self.reader, at::MAX));
                Some(ArgumentKind::Points { min: min?, max: max? })
            }
            _ => {
                let values = grid.text(row, at::VALUES).unwrap_or_default();
                Some(ArgumentKind::Choice {
                    values: words::from_list(&values),
                })
            }
        }
    }

    fn table(
        &mut self,
        sheet: &str,
        field: &str,
        // `None` where the sheet `policy` could not be read.
        given: Option<Option<HitPolicy>>,
        arguments: &[ArgumentDecl],
    ) -> Option<TableSource> {
        let hit = given.flatten();
        let needed = [
            at::ROW,
            at::OUTCOME,
            at::MEASURES,
            at::REASON_ZH,
            at::REASON_EN,
            at::BASIS_ZH,
            at::BASIS_EN,
        ];
        let Some(grid) = self
            .reader
            .grid(sheet, &needed, |name| guide::testable(name, arguments))
        else {
            if hit.is_some() {
                let place = Place::Sheet(sheet.to_owned());
                self.reader.report(place, SheetTrouble::SheetMissing);
            }
            return None;
        };
        // A bad one was reported already.
        let bad = self.reader.faults.iter().any(|fault| {
            Some(fault.place.to_string().as_str()) == self.reader.places.cell(at::POLICY, 0, Some(field))
        });
        if given == Some(None) && !bad {
            let place = Place::Sheet(at::POLICY.to_owned());
            self.reader.report(place, SheetTrouble::Missing(field.to_owned()));
        }
        let mut table = TableSource {
            hit: hit.unwrap_or(HitPolicy::First),
            rows: Vec::new(),
            default: None,
        };
        let mut number = 0;
        for row in grid.rows(at::ROW) {
            let label = |text: &str| {
                let text = text.trim();
                let default = text == at::DEFAULT || text == "默认";
                (default || text.chars().all(|c| c.is_ascii_digit())).then_some(default)
            };
            let default = self.reader.value(&grid, row, at::ROW, Expected::RowLabel, label);
            let is_default = default.unwrap_or_default();
            if is_default && table.default.is_some() {
                let place = grid.place(row, at::ROW);
                self.reader
                    .report(place, SheetTrouble::Twice(at::DEFAULT.to_owned()));
                continue;
            }
            if is_default {
                self.reader.remember(&grid, 0, row);
                table.default = Some(self.row(&grid, row));
            } else {
                number += 1;
                self.reader.remember(&grid, number, row);
                let read = self.row(&grid, row);
                table.rows.push(read);
            }
        }
        Some(table)
    }

    fn row(&mut self, grid: &Grid<'_>, row: u32) -> RowSource {
        let tests = grid
            .headings()
            .filter(|name| !name.is_empty() && *name != at::ROW && !at::OUTPUTS.contains(name));
        let when = tests
            .filter_map(|test| Some((test.to_owned(), CellText(grid.text(row, test)?))))
            .collect();
        let outcome = self
            .reader
            .needed(grid, row, at::OUTCOME, Expected::Code, |text| {
                Some(text.trim().to_owned())
            });
        let measures = self.measures(grid, row, at::MEASURES);
        let text = |heading| grid.text(row, heading).unwrap_or_default();
        let (zh, en) = (text(at::BASIS_ZH), text(at::BASIS_EN));
        let lines = |text: &str| -> Vec<String> {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.map(str::to_owned).collect()
        };
        let (zh, en) = (lines(&zh), lines(&en));
        if zh.len() != en.len() {
            self.reader
                .report(grid.place(row, at::BASIS_ZH), SheetTrouble::Unpaired);
        }
        RowSource {
            when: Pairs(when),
            outcome: outcome.unwrap_or_default(),
            measures,
            reason: LocalizedText::new(text(at::REASON_ZH), text(at::REASON_EN)),
            basis: zh
                .into_iter()
                .zip(en)
                .map(|(zh, en)| LocalizedText { zh, en })
                .collect(),
        }
    }
}

/// The sheet `policy`, by its fields.
#[derive(Debug)]
struct FieldReader<'r, 'b> {
    reader: &'r mut Reader<'b>,
    grid: Grid<'b>,
    rows: Vec<(String, u32)>,
}

impl FieldReader<'_, '_> {
    fn row(&self, field: &str) -> Option<u32> {
        self.rows
            .iter()
            .find(|(name, _)| name == field)
            .map(|(_, row)| *row)
    }

    fn value<T>(
        &mut self,
        field: &str,
        expected: Expected,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let row = self.row(field)?;
        self.reader.value(&self.grid, row, at::VALUE, expected, parse)
    }

    fn needed<T>(
        &mut self,
        field: &str,
        expected: Expected,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        match self
            .row(field)
            .filter(|row| self.grid.text(*row, at::VALUE).is_some())
        {
            Some(_) => self.value(field, expected, parse),
            None => {
                let place = match self.row(field) {
                    Some(row) => self.grid.place(row, at::VALUE),
                    None => Place::Sheet(at::POLICY.to_owned()),
                };
                self.reader.report(place, SheetTrouble::Missing(field.to_owned()));
                None
            }
        }
    }
}
