//! What stands in the way, in words.

use std::fmt::{self, Write as _};

use greenstar_kernel::{LocalizedText, Standing, Star, Timestamp};
use greenstar_tables::{Cell, Column, ColumnKind, Test, Value};

use super::{Better, FailedTest};

impl Better<'_> {
    /// In both languages, for the counter: no codes, no table syntax.
    pub fn said(&self) -> LocalizedText {
        let title = &self.outcome.title;
        let mut telling = Telling::of(
            format_args!("未能适用“{}”：", title.zh),
            format_args!("\"{}\" does not apply: ", title.en),
        );
        if let Some(star) = self.star {
            self.tell_star(star, &mut telling);
        }
        if self.veto {
            telling.tell(
                format_args!("企业在环境信用评价中被“一票否决”，否决解除后可以重新查询"),
                format_args!("a one-vote veto of the rating is active; ask again once it has ended"),
            );
        }
        if !self.flags.is_empty() {
            self.tell_flags(&mut telling);
        }
        for test in &self.failed {
            test.tell(&mut telling);
        }
        if self.events && self.failed.is_empty() {
            telling.tell(
                format_args!("近期有计入信用记录的事件"),
                format_args!("recent events of the rating count against it"),
            );
        }
        LocalizedText::new(telling.zh, telling.en)
    }

    fn tell_star(&self, least: Star, telling: &mut Telling) {
        let (above, at_least) = match Star::ALL.last() == Some(&least) {
            true => ("", ""),
            false => ("及以上", "at least "),
        };
        telling.tell(
            format_args!("需要 {least} 星{above}"),
            format_args!("it takes {at_least}{least} stars"),
        );
        let (zh, en) = match self.standing {
            Standing::Rated(star) => {
                return telling.go_on(format_args!("，现为 {star} 星"), format_args!(", it has {star}"));
            }
            Standing::NotRated | Standing::NotListed => ("目前没有星级", "it has none now"),
            Standing::Vetoed => (
                "因“一票否决”目前没有星级",
                "it has none while a one-vote veto is active",
            ),
            Standing::Suspended => (
                "评价已中止，目前没有星级",
                "it has none while its rating is suspended",
            ),
            Standing::Expired => (
                "星级有效期已过，目前没有星级",
                "it has none since its rating expired",
            ),
        };
        telling.go_on(format_args!("，{zh}"), format_args!(", {en}"));
    }

    fn tell_flags(&self, telling: &mut Telling) {
        telling.tell(format_args!("失信标记仍在有效期内："), format_args!("in force: "));
        for (at, (flag, kind)) in self.flags.iter().enumerate() {
            let (title, number) = (&kind.title, &flag.document.number);
            let (then_zh, then_en) = if at == 0 { ("", "") } else { ("、", ", ") };
            telling.go_on(
                format_args!("{then_zh}{}（{number}，", title.zh),
                format_args!("{then_en}{} (document {number}, ", title.en),
            );
            match flag.end {
                Some(end) => {
                    // The end is the first instant without it.
                    let last = Timestamp::from_micros(end.micros().saturating_sub(1)).date();
                    telling.go_on(
                        format_args!("有效期至 {last}）"),
                        format_args!("last day {last})"),
                    );
                }
                None => telling.go_on(
                    format_args!("有效期至解除为止）"),
                    format_args!("until it is lifted)"),
                ),
            }
        }
        telling.go_on(
            format_args!("，期满或者依法解除后可以重新查询"),
            format_args!("; ask again once it has ended or was lifted"),
        );
    }
}

/// A sentence that grows in both languages.
#[derive(Debug)]
struct Telling {
    zh: String,
    en: String,
    parts: usize,
}

impl Telling {
    fn of(zh: fmt::Arguments<'_>, en: fmt::Arguments<'_>) -> Telling {
        // As long as most become.
        let (room_zh, room_en) = (String::with_capacity(256), String::with_capacity(192));
        let mut telling = Telling {
            zh: room_zh,
            en: room_en,
            parts: 0,
        };
        telling.go_on(zh, en);
        telling
    }

    fn tell(&mut self, zh: fmt::Arguments<'_>, en: fmt::Arguments<'_>) {
        if self.parts > 0 {
            self.zh.push('；');
            self.en.push_str("; ");
        }
        self.parts += 1;
        self.go_on(zh, en);
    }

    fn go_on(&mut self, zh: fmt::Arguments<'_>, en: fmt::Arguments<'_>) {
        // Writing to a text does not fail.
        let _ = self.zh.write_fmt(zh);
        let _ = self.en.write_fmt(en);
    }
}

impl FailedTest<'_> {
    fn tell(&self, telling: &mut Telling) {
        let title = self.fact.title();
        let wanted = words(&self.wanted, &self.column);
        let found = match self.found {
            Value::Absent => LocalizedText::new("无", "none"),
            found @ (Value::Boolean(_)
            | Value::Ordered(_)
            | Value::Choice(_)
            | Value::Set(_)
            | Value::Code(_)) => {
                let shown = self.column.show(found);
                LocalizedText::new(shown.clone(), shown)
            }
        };
        telling.tell(
            format_args!("{}应{}，现为 {}", title.zh, wanted.zh, found.zh),
            format_args!("{} should be {}, is {}", title.en, wanted.en, found.en),
        );
    }
}

/// A cell of a column of numbers, without its signs.
fn words(cell: &Cell, column: &Column) -> LocalizedText {
    let (negated, tests) = match cell {
        Cell::Any => return LocalizedText::new("为任意值", "anything"),
        Cell::Tests { negated, tests } => (*negated, tests),
    };
    let mut zh = Vec::with_capacity(tests.len());
    let mut en = Vec::with_capacity(tests.len());
    for test in tests {
        let (one_zh, one_en) = match test {
            Test::Absent => ("为无".to_owned(), "none".to_owned()),
            Test::Between { low, high } => between(*low, *high, column),
            // Of other columns, whose values are no numbers.
            Test::Boolean(_) | Test::Choice(_) | Test::Under(_) | Test::ContainsAny(_) | Test::EmptySet => {
                continue;
            }
        };
        zh.push(one_zh);
        en.push(one_en);
    }
    let (zh, en) = (zh.join("或者"), en.join(" or "));
    match negated {
        true => LocalizedText::new(format!("不在以下范围：{zh}"), format!("other than {en}")),
        false => LocalizedText::new(zh, en),
    }
}

fn between(low: i64, high: i64, column: &Column) -> (String, String) {
    let (first, last) = (
        column.show(Value::Ordered(low)),
        column.show(Value::Ordered(high)),
    );
    let (open_below, open_above) = match &column.kind {
        ColumnKind::Integer { min, max } => (low <= *min, high >= *max),
        ColumnKind::Boolean
        | ColumnKind::Points { .. }
        | ColumnKind::Date { .. }
        | ColumnKind::Choice { .. }
        | ColumnKind::Set { .. }
        | ColumnKind::Tree => (false, false),
    };
    if low == high {
        (format!("为 {first}"), first)
    } else if open_above {
        (format!("不少于 {first}"), format!("at least {first}"))
    } else if open_below {
        (format!("不超过 {last}"), format!("at most {last}"))
    } else {
        (format!("在 {first} 至 {last} 之间"), format!("{first} to {last}"))
    }
}
