//! The sheets beside the table: trees, declared unfairness, cases.

use greenstar_kernel::{Code, LocalizedText};
use greenstar_tables::{CellText, Pairs};

use super::fault::{Expected, SheetTrouble};
use super::read::Reading;
use super::reader::Grid;
use super::{layout as at, pages, words};
use crate::domain::document::{CaseSource, ExpectSource, TreesSource, UnfairSource};

impl Reading<'_> {
    pub(super) fn trees(&mut self) -> TreesSource {
        let mut trees = TreesSource::default();
        let Some(grid) = self
            .reader
            .grid(at::TREES, &[at::TREE, at::CHILD, at::PARENT], |_| false)
        else {
            return trees;
        };
        let known = pages::tree_words();
        for (number, row) in (1..).zip(grid.rows("")) {
            self.reader.remember(&grid, number, row);
            let is_known = |text: &str| known.iter().find(|tree| *tree == text.trim()).cloned();
            let expected = Expected::Word(known.clone());
            let tree = self.reader.needed(&grid, row, at::TREE, expected, is_known);
            let child = self
                .reader
                .needed(&grid, row, at::CHILD, Expected::Code, one_word);
            let parent = self
                .reader
                .needed(&grid, row, at::PARENT, Expected::Code, one_word);
            let (Some(tree), Some(child), Some(parent)) = (tree, child, parent) else {
                continue;
            };
            let Pairs(pairs) = if tree == "sector" {
                &mut trees.sector
            } else {
                &mut trees.district
            };
            if pairs.iter().any(|(seen, _)| *seen == child) {
                self.reader
                    .report(grid.place(row, at::CHILD), SheetTrouble::Twice(child));
            } else {
                pairs.push((child, CellText(parent)));
            }
        }
        trees
    }

    pub(super) fn unfair(&mut self) -> Vec<UnfairSource> {
        let needed = [at::ROWS, at::REASON_ZH, at::REASON_EN];
        let Some(grid) = self.reader.grid(at::UNFAIR, &needed, |_| false) else {
            return Vec::new();
        };
        let mut declared = Vec::new();
        for (number, row) in (1..).zip(grid.rows("")) {
            self.reader.remember(&grid, number, row);
            let rows = self.reader.needed(&grid, row, at::ROWS, Expected::Rows, numbers);
            let text = |heading| grid.text(row, heading).unwrap_or_default();
            let reason = LocalizedText::new(text(at::REASON_ZH), text(at::REASON_EN));
            if let Some(rows) = rows {
                declared.push(UnfairSource { rows, reason });
            }
        }
        declared
    }

    pub(super) fn cases(&mut self) -> Vec<CaseSource> {
        let needed = [
            at::NAME,
            at::AT,
            at::MATTER,
            at::EXPECT_OUTCOME,
            at::EXPECT_MEASURES,
            at::EXPECT_ROWS,
        ];
        // Which facts a case can have, whoever runs it says.
        let open = |name: &str| name.starts_with(at::FACTS) || name.starts_with(at::OF_ARGUMENTS);
        let Some(grid) = self.reader.grid(at::CASES, &needed, open) else {
            return Vec::new();
        };
        let mut cases = Vec::new();
        for (number, row) in (1..).zip(grid.rows("")) {
            self.reader.remember(&grid, number, row);
            cases.extend(self.case(&grid, row));
        }
        cases
    }

    fn case(&mut self, grid: &Grid<'_>, row: u32) -> Option<CaseSource> {
        let name = self
            .reader
            .needed(grid, row, at::NAME, Expected::Code, |text| Some(text.to_owned()));
        let time = self
            .reader
            .needed(grid, row, at::AT, Expected::Code, |text| Some(text.to_owned()));
        let matter = grid.text(row, at::MATTER).map(|text| text.trim().to_owned());
        let headings: Vec<&str> = grid.headings().collect();
        let mut facts = Vec::new();
        let mut arguments = Vec::new();
        for heading in headings {
            if let Some(fact) = heading.strip_prefix(at::FACTS) {
                let read = |text: &str| words::from_fact(fact, text);
                let given = self.reader.value(grid, row, heading, Expected::Papers, read);
                facts.extend(given.map(|given| (fact.to_owned(), given)));
            } else if let Some(argument) = heading.strip_prefix(at::OF_ARGUMENTS) {
                let given = grid.text(row, heading).map(CellText);
                arguments.extend(given.map(|given| (argument.to_owned(), given)));
            }
        }
        let outcome = self
            .reader
            .value(grid, row, at::EXPECT_OUTCOME, Expected::Code, |text| {
                Code::parse(text.trim()).ok()
            });
        let measures = grid.text(row, at::EXPECT_MEASURES);
        let rows = self
            .reader
            .value(grid, row, at::EXPECT_ROWS, Expected::Rows, numbers);
        Some(CaseSource {
            name: name?,
            at: time?,
            matter,
            facts: Pairs(facts),
            arguments: Pairs(arguments),
            expect: ExpectSource {
                outcome,
                measures: measures.map(|text| words::from_optional_list(&text)),
                rows,
            },
        })
    }
}

fn one_word(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.contains(char::is_whitespace)).then(|| text.to_owned())
}

fn numbers(text: &str) -> Option<Vec<u32>> {
    words::from_rows(&words::from_optional_list(text))
}
