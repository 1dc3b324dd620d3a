//! What stands in the way of a better outcome. It is told at the counter, so nothing is guessed from how rows are
//! written: the matter is decided again without what may be in the way, and what changes nothing is not named.

use greenstar_kernel::{LocalizedText, Standing, Star, Timestamp};
use greenstar_tables::{Cell, Column, Test, Value, parse_cell};

use super::catalogue::FlagKind;
use super::columns::{ActiveFlag, FactColumn, Reading};
use super::compose::{Verdict, judge};
use super::decide::DecideError;
use super::facts::{Event, Flag};
use super::matter::{Matter, Outcome};
use super::policy::Policy;

/// A better outcome, and everything that has to change together for it.
#[derive(Clone, Debug)]
pub struct Better<'a> {
    pub outcome: &'a Outcome,
    /// The row that would give it, with its table's name; 0 is the default row. `None`: the baseline or the law would.
    pub row: Option<(&'a str, usize)>,
    /// Flags in the way.
    pub flags: Vec<(&'a Flag, &'a FlagKind)>,
    /// Whether a one-vote veto is in the way.
    pub veto: bool,
    /// The least star that would do, where the one there is does not.
    pub star: Option<Star>,
    /// Whether recent events at the rating are in the way.
    pub events: bool,
    /// What the row wants of the columns that count events.
    failed: Vec<FailedTest<'a>>,
    standing: Standing,
}

/// A test that does not hold.
#[derive(Clone, Debug)]
struct FailedTest<'a> {
    fact: FactColumn,
    column: Column,
    wanted: Cell,
    found: Value<'a>,
}

/// The question once more, with other facts.
struct Again<'a, 'r> {
    policy: &'a Policy,
    matter: &'a Matter,
    reading: &'r Reading<'a>,
    /// To be beaten.
    outcome: usize,
}

/// What is left of the facts.
#[derive(Clone)]
struct Left<'a> {
    standing: Standing,
    events: &'a [Event],
    flags: Vec<ActiveFlag>,
}

/// Costs nothing where no outcome is better. `None`: neither flags, a veto, events nor the star are in the way.
pub(super) fn better<'a>(
    policy: &'a Policy,
    matter: &'a Matter,
    reading: &Reading<'a>,
    outcome: usize,
) -> Result<Option<Better<'a>>, DecideError> {
    if outcome == 0 {
        return Ok(None);
    }
    let again = Again {
        policy,
        matter,
        reading,
        outcome,
    };
    match again.cleared()? {
        Some(left) => again.put_back(left).map(Some),
        None => Ok(None),
    }
}

impl<'a> Again<'a, '_> {
    fn judge(&self, left: &Left<'a>) -> Result<(Verdict<'a>, Reading<'a>), DecideError> {
        let catalogue = &self.policy.catalogue;
        let reading = self
            .reading
            .assuming(left.standing, left.events, left.flags.clone(), catalogue);
        Ok((judge(self.policy, self.matter, &reading)?, reading))
    }

    fn is_better(&self, left: &Left<'a>) -> Result<bool, DecideError> {
        Ok(self.judge(left)?.0.outcome < self.outcome)
    }

    /// The least that has to go for a better outcome: flags and veto, then events too, then with a higher star.
    fn cleared(&self) -> Result<Option<Left<'a>>, DecideError> {
        let standing = self.reading.rating.standing;
        let mut left = Left {
            standing: without_veto(standing),
            events: self.reading.events,
            flags: Vec::new(),
        };
        let counting = self.reading.flags.iter().any(|flag| flag.counts);
        if (counting || left.standing != standing) && self.is_better(&left)? {
            return Ok(Some(left));
        }
        if !left.events.is_empty() {
            left.events = &[];
            if self.is_better(&left)? {
                return Ok(Some(left));
            }
        }
        let with = |star: &Star| Left {
            standing: Standing::Rated(*star),
            ..left.clone()
        };
        let higher = Star::ALL.get(standing.star().map_or(0, |star| usize::from(star.get()))..);
        let mut higher = higher.unwrap_or_default();
        let Some((highest, rest)) = higher.split_last() else {
            return Ok(None);
        };
        if !self.is_better(&with(highest))? {
            return Ok(None);
        }
        // A higher star never hurts (P8), so that halving finds the least.
        let mut least = *highest;
        higher = rest;
        while let Some(middle) = higher.get(higher.len() / 2) {
            let (below, above) = higher.split_at(higher.len() / 2);
            if self.is_better(&with(middle))? {
                least = *middle;
                higher = below;
            } else {
                higher = above.get(1..).unwrap_or_default();
            }
        }
        Ok(Some(with(&least)))
    }

    /// Gives back, one by one, what the better outcome can live with. The rest is in its way.
    fn put_back(&self, mut left: Left<'a>) -> Result<Better<'a>, DecideError> {
        let standing = self.reading.rating.standing;
        if left.events.len() < self.reading.events.len() {
            let with = Left {
                events: self.reading.events,
                ..left.clone()
            };
            if self.is_better(&with)? {
                left = with;
            }
        }
        let mut flags = Vec::new();
        for active in self.reading.flags.iter().filter(|flag| flag.counts) {
            left.flags.push(*active);
            if !self.is_better(&left)? {
                left.flags.pop();
                let flag = self.reading.facts.flags.get(active.index);
                flags.extend(flag.zip(self.policy.catalogue.flag_kinds().get(active.kind)));
            }
        }
        let star = left.standing.star().filter(|_| left.standing != standing);
        let mut veto = false;
        if star.is_none() && left.standing != standing {
            let with = Left {
                standing,
                ..left.clone()
            };
            veto = !self.is_better(&with)?;
            if !veto {
                left = with;
            }
        }
        let events = left.events.len() < self.reading.events.len();
        let (verdict, _) = self.judge(&left)?;
        let row = verdict.table.filter(|_| verdict.outcome == verdict.department);
        let row = row.map(|(table, answer)| (table, answer.deciding.first()));
        let failed = match row {
            Some((table, Some(row))) if events => self.failed(table, row),
            Some(_) | None => Vec::new(),
        };
        Ok(Better {
            outcome: self.matter.outcome(verdict.outcome),
            row: row.map(|(table, row)| (table.name(), row.map_or(0, |row| row + 1))),
            flags,
            veto,
            star,
            events,
            failed,
            standing,
        })
    }

    /// The cells of a row about events that do not hold.
    fn failed(&self, table: &greenstar_tables::Table, row: usize) -> Vec<FailedTest<'a>> {
        let facts = FactColumn::ALL.iter().enumerate();
        let failed = facts
            .filter(|(_, fact)| fact.counts_events())
            .filter_map(|(at, fact)| {
                let column = fact.declare(&self.policy.catalogue);
                // It was read when the policy was.
                let wanted = parse_cell(table.cell_text(row, at)?, &column).ok()?;
                let found = self.reading.value(at);
                (!wanted.holds(found)).then_some(FailedTest {
                    fact: *fact,
                    column,
                    wanted,
                    found,
                })
            });
        failed.collect()
    }
}

fn without_veto(standing: Standing) -> Standing {
    match standing {
        Standing::Vetoed => Standing::NotRated,
        Standing::Rated(_)
        | Standing::NotRated
        | Standing::NotListed
        | Standing::Suspended
        | Standing::Expired => standing,
    }
}

impl Better<'_> {
    /// In both languages, for the counter: no codes, no table syntax.
    pub fn said(&self) -> LocalizedText {
        let mut parts = Vec::with_capacity(2);
        if let Some(star) = self.star {
            parts.push(self.star_wanted(star));
        }
        if self.veto {
            parts.push(LocalizedText::new(
                "企业在环境信用评价中被“一票否决”，否决解除后可以重新查询",
                "a one-vote veto of the rating is active; ask again once it has ended",
            ));
        }
        if !self.flags.is_empty() {
            parts.push(self.flags_in_force());
        }
        parts.extend(self.failed.iter().map(FailedTest::said));
        if self.events && self.failed.is_empty() {
            parts.push(LocalizedText::new(
                "近期有计入信用记录的事件",
                "recent events of the rating count against it",
            ));
        }
        let zh: Vec<&str> = parts.iter().map(|part| part.zh.as_str()).collect();
        let en: Vec<&str> = parts.iter().map(|part| part.en.as_str()).collect();
        LocalizedText::new(
            format!("未能适用“{}”：{}", self.outcome.title.zh, zh.join("；")),
            format!("\"{}\" does not apply: {}", self.outcome.title.en, en.join("; ")),
        )
    }

    fn star_wanted(&self, least: Star) -> LocalizedText {
        let (zh, en) = match Star::ALL.last() == Some(&least) {
            true => (format!("需要 {least} 星"), format!("it takes {least} stars")),
            false => (
                format!("需要 {least} 星及以上"),
                format!("it takes at least {least} stars"),
            ),
        };
        let (zh_now, en_now) = match self.standing {
            Standing::Rated(star) => (format!("现为 {star} 星"), format!("it has {star}")),
            Standing::NotRated | Standing::NotListed => {
                ("目前没有星级".to_owned(), "it has none now".to_owned())
            }
            Standing::Vetoed => (
                "因“一票否决”目前没有星级".to_owned(),
                "it has none while a one-vote veto is active".to_owned(),
            ),
            Standing::Suspended => (
                "评价已中止，目前没有星级".to_owned(),
                "it has none while its rating is suspended".to_owned(),
            ),
            Standing::Expired => (
                "星级有效期已过，目前没有星级".to_owned(),
                "it has none since its rating expired".to_owned(),
            ),
        };
        LocalizedText::new(format!("{zh}，{zh_now}"), format!("{en}, {en_now}"))
    }

    fn flags_in_force(&self) -> LocalizedText {
        let mut zh = Vec::with_capacity(self.flags.len());
        let mut en = Vec::with_capacity(self.flags.len());
        for (flag, kind) in &self.flags {
            let number = &flag.document.number;
            let (until_zh, until_en) = match flag.end {
                Some(end) => {
                    // The end is the first instant without it.
                    let last = Timestamp::from_micros(end.micros().saturating_sub(1)).date();
                    (format!("有效期至 {last}"), format!("last day {last}"))
                }
                None => ("有效期至解除为止".to_owned(), "until it is lifted".to_owned()),
            };
            zh.push(format!("{}（{number}，{until_zh}）", kind.title.zh));
            en.push(format!("{} (document {number}, {until_en})", kind.title.en));
        }
        LocalizedText::new(
            format!(
                "失信标记仍在有效期内：{}，期满或者依法解除后可以重新查询",
                zh.join("、")
            ),
            format!(
                "in force: {}; ask again once it has ended or was lifted",
                en.join(", ")
            ),
        )
    }
}

impl FailedTest<'_> {
    fn said(&self) -> LocalizedText {
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
        LocalizedText::new(
            format!("{}应{}，现为 {}", title.zh, wanted.zh, found.zh),
            format!("{} should be {}, is {}", title.en, wanted.en, found.en),
        )
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
        greenstar_tables::ColumnKind::Integer { min, max } => (low <= *min, high >= *max),
        greenstar_tables::ColumnKind::Boolean
        | greenstar_tables::ColumnKind::Points { .. }
        | greenstar_tables::ColumnKind::Date { .. }
        | greenstar_tables::ColumnKind::Choice { .. }
        | greenstar_tables::ColumnKind::Set { .. }
        | greenstar_tables::ColumnKind::Tree => (false, false),
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
