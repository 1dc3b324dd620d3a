//! Cells: what is written in a table, read by the type of its column.
//!
//! ```text
//! cell := "-" | "not(" tests ")" | tests        tests := test ("," test)*
//! test := none | true | false | "A" | contains("A","B") | empty | 5 | >=5 | <5 | [2..5)
//! ```
//! Tests of a list are alternatives. `not(…)` holds for every value that is there and that no
//! test of the list holds for. A set column takes one test only, which keeps its analysis exact.

use std::fmt;

use greenstar_kernel::{Date, Points};

use crate::error::{CellDefect, CellError};
use crate::lexer::{Spanned, Token, lex};
use crate::schema::{Column, ColumnKind, Value};

const MAX_CHARACTERS: usize = 1000;
const MAX_TESTS: usize = 64;

/// A cell that fits its column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// `-`: every value, and none.
    Any,
    Tests {
        negated: bool,
        tests: Vec<Test>,
    },
}

/// One unary test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    Absent,
    Boolean(bool),
    /// Closed range.
    Between {
        low: i64,
        high: i64,
    },
    /// Position in the column's values.
    Choice(u16),
    /// A node of a tree and all below it.
    Under(String),
    /// At least one of these.
    ContainsAny(u64),
    EmptySet,
}

impl Cell {
    /// The meaning of a cell, straight from its definition.
    pub fn holds(&self, value: Value<'_>) -> bool {
        match self {
            Cell::Any => true,
            Cell::Tests {
                negated: false,
                tests,
            } => tests.iter().any(|test| test.holds(value)),
            Cell::Tests { negated: true, tests } => {
                value != Value::Absent && !tests.iter().any(|test| test.holds(value))
            }
        }
    }
}

impl Cell {
    /// The cell as an officer would write it; reading it again gives the same cell.
    ///
    /// `column` is the one that it was read for.
    pub fn display<'a>(&'a self, column: &'a Column) -> impl fmt::Display + 'a {
        Shown { cell: self, column }
    }
}

#[derive(Debug)]
struct Shown<'a> {
    cell: &'a Cell,
    column: &'a Column,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cell::Tests { negated, tests } = self.cell else {
            return f.write_str("-");
        };
        let (open, close) = if *negated { ("not(", ")") } else { ("", "") };
        f.write_str(open)?;
        for (index, test) in tests.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            f.write_str(comma)?;
            match test {
                Test::Absent => f.write_str("none")?,
                Test::Boolean(value) => write!(f, "{value}")?,
                Test::Between { low, high } if low == high => {
                    f.write_str(&self.column.show(Value::Ordered(*low)))?;
                }
                Test::Between { low, high } => {
                    let bounds = [low, high].map(|bound| self.column.show(Value::Ordered(*bound)));
                    write!(f, "[{}]", bounds.join(".."))?;
                }
                Test::Choice(value) => f.write_str(&self.column.show(Value::Choice(*value)))?,
                Test::Under(node) => write!(f, "\"{node}\"")?,
                Test::ContainsAny(mask) => {
                    write!(f, "contains({})", self.column.show(Value::Set(*mask)))?;
                }
                Test::EmptySet => f.write_str("empty")?,
            }
        }
        f.write_str(close)
    }
}

impl Test {
    fn holds(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Test::Absent, value) => value == Value::Absent,
            (Test::Boolean(wanted), Value::Boolean(found)) => *wanted == found,
            (Test::Between { low, high }, Value::Ordered(found)) => (*low..=*high).contains(&found),
            (Test::Choice(wanted), Value::Choice(found)) => *wanted == found,
            (Test::Under(prefix), Value::Code(found)) => found.starts_with(prefix.as_str()),
            (Test::ContainsAny(wanted), Value::Set(found)) => wanted & found != 0,
            (Test::EmptySet, Value::Set(found)) => found == 0,
            (
                Test::Boolean(_)
                | Test::Between { .. }
                | Test::Choice(_)
                | Test::Under(_)
                | Test::ContainsAny(_)
                | Test::EmptySet,
                Value::Absent
                | Value::Boolean(_)
                | Value::Ordered(_)
                | Value::Choice(_)
                | Value::Set(_)
                | Value::Code(_),
            ) => false,
        }
    }
}

/// Reads a cell for a column. Any text is either a cell or an error that says where.
pub fn parse(text: &str, column: &Column) -> Result<Cell, CellError> {
    if text.chars().count() > MAX_CHARACTERS {
        return Err(CellError {
            character: MAX_CHARACTERS + 1,
            defect: CellDefect::TooLong,
        });
    }
    let tokens = lex(text)?;
    if tokens.is_empty() {
        return Err(CellError {
            character: 1,
            defect: CellDefect::Empty,
        });
    }
    let end = text.chars().count() + 1;
    let mut parser = Parser {
        tokens: &tokens,
        next: 0,
        end,
        column,
    };
    let cell = parser.cell()?;
    match parser.peek() {
        None => Ok(cell),
        Some(extra) => Err(unexpected(extra, "a comma or the end of the cell")),
    }
}

struct Parser<'a> {
    tokens: &'a [Spanned],
    next: usize,
    end: usize,
    column: &'a Column,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Spanned> {
        self.tokens.get(self.next)
    }

    fn take(&mut self, expected: &'static str) -> Result<&'a Spanned, CellError> {
        let token = self.peek().ok_or(CellError {
            character: self.end,
            defect: CellDefect::Ends { expected },
        })?;
        self.next += 1;
        Ok(token)
    }

    fn expect(&mut self, wanted: &Token, expected: &'static str) -> Result<(), CellError> {
        let found = self.take(expected)?;
        if found.token == *wanted {
            Ok(())
        } else {
            Err(unexpected(found, expected))
        }
    }

    fn cell(&mut self) -> Result<Cell, CellError> {
        match self.peek().map(|spanned| &spanned.token) {
            Some(Token::Dash) => {
                self.next += 1;
                Ok(Cell::Any)
            }
            Some(Token::Word(word)) if word == "not" => {
                self.next += 1;
                self.expect(&Token::OpenRound, "(")?;
                let tests = self.tests()?;
                self.expect(&Token::CloseRound, ")")?;
                Ok(Cell::Tests { negated: true, tests })
            }
            Some(_) | None => Ok(Cell::Tests {
                negated: false,
                tests: self.tests()?,
            }),
        }
    }

    fn tests(&mut self) -> Result<Vec<Test>, CellError> {
        let mut tests = vec![self.test()?];
        while let Some(comma) = self.peek().filter(|spanned| spanned.token == Token::Comma) {
            if matches!(self.column.kind, ColumnKind::Set { .. }) {
                return Err(unexpected(
                    comma,
                    "one test; list alternatives inside contains(…)",
                ));
            }
            if tests.len() >= MAX_TESTS {
                return Err(CellError {
                    character: comma.at,
                    defect: CellDefect::TooLong,
                });
            }
            self.next += 1;
            tests.push(self.test()?);
        }
        Ok(tests)
    }

    fn test(&mut self) -> Result<Test, CellError> {
        let first = self.take("a test")?;
        let at = first.at;
        if first.token == Token::Word("none".to_owned()) {
            return match self.column.optional {
                true => Ok(Test::Absent),
                false => Err(CellError {
                    character: at,
                    defect: CellDefect::NeverAbsent,
                }),
            };
        }
        match &self.column.kind {
            ColumnKind::Boolean => match first.token.word() {
                Some("true") => Ok(Test::Boolean(true)),
                Some("false") => Ok(Test::Boolean(false)),
                Some(_) | None => Err(self.wrong_type(first)),
            },
            ColumnKind::Choice { values } => match first.token.text() {
                Some(text) => position(values, text, at).map(Test::Choice),
                None => Err(self.wrong_type(first)),
            },
            ColumnKind::Tree => match first.token.text() {
                Some("") => {
                    let defect = CellDefect::Literal {
                        found: String::new(),
                        expected: "a code",
                    };
                    Err(CellError {
                        character: at,
                        defect,
                    })
                }
                Some(text) => Ok(Test::Under(text.to_owned())),
                None => Err(self.wrong_type(first)),
            },
            ColumnKind::Set { values } => match first.token.word() {
                Some("empty") => Ok(Test::EmptySet),
                Some("contains") => self.contains(values),
                Some(_) | None => Err(self.wrong_type(first)),
            },
            ColumnKind::Integer { .. } | ColumnKind::Points { .. } | ColumnKind::Date { .. } => {
                self.ordered(first)
            }
        }
    }

    fn contains(&mut self, values: &[String]) -> Result<Test, CellError> {
        self.expect(&Token::OpenRound, "(")?;
        let mut mask = 0;
        loop {
            let element = self.take("a value in quotation marks")?;
            let Some(text) = element.token.text() else {
                return Err(unexpected(element, "a value in quotation marks"));
            };
            // A schema has at most 64 values; a bit beyond is no value.
            mask |= 1u64
                .checked_shl(u32::from(position(values, text, element.at)?))
                .unwrap_or(0);
            let after = self.take(")")?;
            if after.token == Token::CloseRound {
                return Ok(Test::ContainsAny(mask));
            }
            if after.token != Token::Comma {
                return Err(unexpected(after, "a comma or )"));
            }
        }
    }

    fn ordered(&mut self, first: &Spanned) -> Result<Test, CellError> {
        let (min, max) = self.column.range().unwrap_or((i64::MIN, i64::MAX));
        let (low, high) = match &first.token {
            Token::Literal(_) => {
                let value = self.number(first)?;
                (value, value)
            }
            Token::AtLeast => (self.bound()?, max),
            Token::Above => (self.bound()?.saturating_add(1), max),
            Token::AtMost => (min, self.bound()?),
            Token::Below => (min, self.bound()?.saturating_sub(1)),
            Token::OpenSquare => self.interval(0)?,
            Token::OpenRound => self.interval(1)?,
            Token::Text(_)
            | Token::Word(_)
            | Token::Dots
            | Token::Comma
            | Token::Dash
            | Token::CloseRound
            | Token::CloseSquare => return Err(self.wrong_type(first)),
        };
        if low > high || low > max || high < min {
            return Err(CellError {
                character: first.at,
                defect: CellDefect::NeverTrue,
            });
        }
        Ok(Test::Between { low, high })
    }

    /// The rest of `[a..b]`, `(a..b)` and their mixtures; `above` is what an open begin adds.
    fn interval(&mut self, above: i64) -> Result<(i64, i64), CellError> {
        let low = self.bound()?.saturating_add(above);
        self.expect(&Token::Dots, "..")?;
        let high = self.bound()?;
        let close = self.take("] or )")?;
        if close.token == Token::CloseSquare {
            Ok((low, high))
        } else if close.token == Token::CloseRound {
            Ok((low, high.saturating_sub(1)))
        } else {
            Err(unexpected(close, "] or )"))
        }
    }

    fn bound(&mut self) -> Result<i64, CellError> {
        let token = self.take("a value")?;
        self.number(token)
    }

    /// Within the column's range.
    fn number(&self, spanned: &Spanned) -> Result<i64, CellError> {
        let Token::Literal(raw) = &spanned.token else {
            return Err(unexpected(spanned, "a value"));
        };
        let fail = |expected| CellError {
            character: spanned.at,
            defect: CellDefect::Literal {
                found: raw.clone(),
                expected,
            },
        };
        let value = match &self.column.kind {
            ColumnKind::Points { .. } => raw
                .parse::<Points>()
                .map_err(|_| fail("points, e.g. 57.5"))?
                .milli(),
            ColumnKind::Date { .. } => i64::from(
                raw.parse::<Date>()
                    .map_err(|_| fail("a date, e.g. 2026-03-31"))?
                    .days(),
            ),
            ColumnKind::Integer { .. }
            | ColumnKind::Boolean
            | ColumnKind::Choice { .. }
            | ColumnKind::Set { .. }
            | ColumnKind::Tree => raw.parse().map_err(|_| fail("a whole number"))?,
        };
        match self.column.range() {
            Some((low, high)) if !(low..=high).contains(&value) => Err(CellError {
                character: spanned.at,
                defect: CellDefect::OutOfRange {
                    found: raw.clone(),
                    low: self.column.show_number(low),
                    high: self.column.show_number(high),
                },
            }),
            Some(_) | None => Ok(value),
        }
    }

    fn wrong_type(&self, found: &Spanned) -> CellError {
        let expected = match &self.column.kind {
            ColumnKind::Boolean => "true or false",
            ColumnKind::Integer { .. } => "numbers, e.g. >=3 or [2..4)",
            ColumnKind::Points { .. } => "points, e.g. >=57.5 or [60..80)",
            ColumnKind::Date { .. } => "dates, e.g. >=2026-03-31",
            ColumnKind::Choice { .. } => "values in quotation marks, e.g. \"A\",\"B\"",
            ColumnKind::Set { .. } => "contains(\"A\",\"B\"), not(contains(\"A\")) or empty",
            ColumnKind::Tree => "codes in quotation marks, e.g. \"C27\"",
        };
        CellError {
            character: found.at,
            defect: CellDefect::WrongType { expected },
        }
    }
}

fn position(values: &[String], text: &str, at: usize) -> Result<u16, CellError> {
    values
        .iter()
        .position(|value| value == text)
        .and_then(|index| u16::try_from(index).ok())
        .ok_or_else(|| {
            let defect = CellDefect::UnknownValue {
                found: text.to_owned(),
                known: values.join(", "),
            };
            CellError {
                character: at,
                defect,
            }
        })
}

fn unexpected(found: &Spanned, expected: &'static str) -> CellError {
    CellError {
        character: found.at,
        defect: CellDefect::Unexpected {
            found: found.token.shown(),
            expected,
        },
    }
}
