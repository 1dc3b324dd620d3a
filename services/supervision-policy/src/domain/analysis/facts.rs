//! From the facts of a case, as an officer writes them, to a firm.

use std::str::FromStr;

use greenstar_kernel::{
    Code, Date, Department, Document, LocalizedText, Month, Points, RatingState, Standing, Star, Timestamp,
};
use greenstar_tables::{CellText, Pairs, parse_cell};

use crate::domain::catalogue::{Catalogue, Severity};
use crate::domain::columns::{FactColumn, Reading};
use crate::domain::document::{FactSource, PaperFields, PaperSource};
use crate::domain::facts::{Event, Facts, Flag, PolluterClass};
use crate::domain::matter::{Arguments, Matter};

/// The end of a scheme's kinds of events that a case does not name.
const SOME_EVENT: &str = "other-event";

/// RFC 3339 with an offset, or a day.
pub(super) fn instant(raw: &str) -> Result<Timestamp, LocalizedText> {
    if let Ok(day) = raw.parse::<Date>() {
        return Ok(day.start());
    }
    let parsed = raw.parse::<jiff::Timestamp>();
    parsed
        .map(|instant| Timestamp::from_micros(instant.as_microsecond()))
        .map_err(|_| {
            misfit(
                "at",
                raw,
                "形如 2026-03-01T00:00:00+08:00 的时刻",
                "an instant like 2026-03-01T00:00:00+08:00",
            )
        })
}

/// The firm of a case.
///
/// # Errors
/// A fact that cannot be read, or facts that no firm has together, in words.
pub(in crate::domain) fn facts_of(
    given: &Pairs<FactSource>,
    catalogue: &Catalogue,
    matter: &Matter,
    at: Timestamp,
) -> Result<Facts, LocalizedText> {
    let mut reader = Reader {
        catalogue,
        at,
        values: Vec::new(),
        flags: Vec::new(),
        events: Vec::new(),
    };
    for (name, source) in &given.0 {
        reader.take(name, source)?;
    }
    let facts = reader.firm()?;
    reader.agree(&facts, matter)?;
    Ok(facts)
}

struct Reader<'a> {
    catalogue: &'a Catalogue,
    at: Timestamp,
    values: Vec<(FactColumn, &'a str)>,
    flags: Vec<Flag>,
    events: Vec<Event>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, name: &str, source: &'a FactSource) -> Result<(), LocalizedText> {
        let papers = match name {
            "flags" | "events" => papers(name, source)?,
            _ => Vec::new(),
        };
        match name {
            "flags" => papers.into_iter().try_for_each(|paper| self.flag(paper)),
            "events" => {
                for paper in papers {
                    let date = self.date(&paper);
                    self.events.push(Event {
                        severity: paper.severity.unwrap_or(Severity::Ordinary),
                        kind: paper.kind,
                        date,
                    });
                }
                Ok(())
            }
            _ => {
                let column = FactColumn::ALL.into_iter().find(|column| column.name() == name);
                match (column, source) {
                    (Some(column), FactSource::Value(CellText(text))) => {
                        self.values.push((column, text.trim()));
                        Ok(())
                    }
                    (Some(_), FactSource::List(_)) => Err(misfit(
                        name,
                        "[…]",
                        "一个值",
                        "one value; only flags and events are lists",
                    )),
                    (None, _) => Err(LocalizedText::new(
                        format!("没有名为“{name}”的事实列"),
                        format!("no fact is called {name:?}"),
                    )),
                }
            }
        }
    }

    /// Of a document so many whole months old: the last day of a month still counts (protocol.md §4).
    fn aged(&self, months: i64) -> Date {
        let months = u16::try_from(months.clamp(0, 600)).unwrap_or(0);
        self.at.date().plus_days(-1).minus_months(Month(months))
    }

    fn date(&self, paper: &PaperFields) -> Date {
        paper
            .date
            .unwrap_or_else(|| self.aged(paper.age_months.map_or(0, i64::from)))
    }

    fn flag(&mut self, paper: PaperFields) -> Result<(), LocalizedText> {
        let kind = self
            .catalogue
            .flag_kinds()
            .iter()
            .find(|kind| kind.code == paper.kind);
        let Some(kind) = kind else {
            return Err(LocalizedText::new(
                format!("措施目录中没有失信标记种类 {}", paper.kind),
                format!("the catalogue has no kind of flag {}", paper.kind),
            ));
        };
        let bases = kind
            .bases
            .iter()
            .filter_map(|code| self.catalogue.basis(code))
            .cloned()
            .collect();
        let enforcement = || Department::parse("enforcement").ok();
        let department = paper
            .department
            .clone()
            .or_else(|| kind.departments.first().cloned())
            .or_else(enforcement);
        let Some(department) = department else {
            return Ok(());
        };
        let date = self.date(&paper);
        self.flags.push(Flag {
            name: format!("flags/{}", self.flags.len() + 1).into(),
            kind: paper.kind,
            severity: paper.severity.unwrap_or(Severity::Serious),
            department,
            scope: paper.matter,
            document: Document {
                issuer: "-".to_owned(),
                number: "-".to_owned(),
                date,
            },
            bases,
            start: date.start(),
            end: None,
        });
        Ok(())
    }

    fn given(&self, column: FactColumn) -> Option<&'a str> {
        self.values
            .iter()
            .find(|(known, _)| *known == column)
            .map(|(_, text)| *text)
    }

    /// The value of a column, if one was given.
    fn read<T>(
        &self,
        column: FactColumn,
        zh: &str,
        en: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, LocalizedText> {
        match self.given(column) {
            None | Some("none" | "-") => Ok(None),
            Some(text) => match parse(text) {
                Some(value) => Ok(Some(value)),
                None => Err(misfit(column.name(), text, zh, en)),
            },
        }
    }

    fn parsed<T: FromStr>(&self, column: FactColumn, zh: &str, en: &str) -> Result<Option<T>, LocalizedText> {
        self.read(column, zh, en, |text| text.parse().ok())
    }

    fn points(&self, column: FactColumn) -> Result<Option<Points>, LocalizedText> {
        self.parsed(column, "得分，如 57.5", "points, e.g. 57.5")
    }

    fn count(&self, column: FactColumn) -> Result<Option<i64>, LocalizedText> {
        self.read(column, "非负整数", "a whole number", |text| {
            text.parse().ok().filter(|count| (0..=120).contains(count))
        })
    }

    fn truth(&self, column: FactColumn) -> Result<Option<bool>, LocalizedText> {
        self.parsed(column, "true 或 false", "true or false")
    }

    fn firm(&mut self) -> Result<Facts, LocalizedText> {
        let mut facts = Facts::unknown();
        facts.known = self.truth(FactColumn::Known)?.unwrap_or(true);
        facts.rating.standing = self.standing()?;
        facts.rating.total = self.points(FactColumn::Points)?;
        facts.rating.categories = [
            self.points(FactColumn::PointsA)?,
            self.points(FactColumn::PointsB)?,
            self.points(FactColumn::PointsC)?,
            self.points(FactColumn::PointsD)?,
            self.points(FactColumn::PointsE)?,
        ];
        if let Some(months) = self.count(FactColumn::RatingAgeMonths)? {
            let months = Month(u16::try_from(months).unwrap_or(0));
            facts.rating.rated_at = Some(self.at.date().minus_months(months).start());
        }
        let day: Option<Date> = self.parsed(
            FactColumn::ValidUntil,
            "日期，如 2027-01-01",
            "a day, e.g. 2027-01-01",
        )?;
        facts.rating.valid_until = day.map(Date::start);
        facts.sector = self.parsed(FactColumn::Sector, "行业代码，如 C2710", "a sector, e.g. C2710")?;
        facts.district = self.parsed(
            FactColumn::District,
            "行政区划代码，如 110115",
            "a district, e.g. 110115",
        )?;
        let class = self.read(
            FactColumn::PolluterClass,
            "GENERAL、KEY 或 HAZARDOUS_WASTE_OPERATOR",
            "GENERAL, KEY or HAZARDOUS_WASTE_OPERATOR",
            |text| {
                PolluterClass::ALL
                    .into_iter()
                    .find(|class| class.as_str() == text)
            },
        )?;
        facts.polluter_class = class.unwrap_or_default();
        facts.open_rectification = self.truth(FactColumn::OpenRectification)?.unwrap_or(false);
        self.invent_events()?;
        facts.flags = self.flags.clone().into();
        facts.events = self.events.clone().into();
        Ok(facts)
    }

    fn standing(&self) -> Result<Standing, LocalizedText> {
        let star = self.read(FactColumn::Star, "1 至 5", "1 to 5", |text| {
            Star::try_from(text.parse::<i64>().ok()?).ok()
        })?;
        let state = self.read(
            FactColumn::State,
            "评价状态，如 VETOED",
            "a rating state, e.g. VETOED",
            RatingState::parse,
        )?;
        let implied = if star.is_some() {
            RatingState::Rated
        } else {
            RatingState::NotRated
        };
        Standing::from_parts(state.unwrap_or(implied), star).ok_or_else(|| {
            misfit(
                "state",
                state.map_or("", RatingState::as_str),
                "与星级一致的状态",
                "a state that goes with the star",
            )
        })
    }

    /// Events such that the counts and ages of the case come out.
    fn invent_events(&mut self) -> Result<(), LocalizedText> {
        let ages = [
            (
                FactColumn::MonthsSinceComplaint,
                "complaint_verified",
                Severity::Minor,
            ),
            (FactColumn::MonthsSinceExceedance, "exceedance", Severity::Minor),
            (FactColumn::MonthsSinceSerious, SOME_EVENT, Severity::Serious),
        ];
        for (column, kind, severity) in ages {
            let Some(months) = self.count(column)? else {
                continue;
            };
            let date = self.aged(months);
            let serious = column == FactColumn::MonthsSinceSerious;
            let by_flag = self
                .flags
                .iter()
                .any(|flag| flag.severity == Severity::Serious && flag.document.date == date);
            let there = self.events.iter().any(|event| {
                event.date == date
                    && if serious {
                        event.severity == severity
                    } else {
                        event.kind.as_str().starts_with(kind)
                    }
            });
            if !(there || (serious && by_flag)) {
                self.event(kind, severity, date);
            }
        }
        let windows = [
            (FactColumn::Events3m, 3),
            (FactColumn::Events6m, 6),
            (FactColumn::Events12m, 12),
            (FactColumn::Events24m, 24),
            (FactColumn::Events36m, 36),
        ];
        let today = self.at.date();
        let mut shorter = 0;
        for (column, months) in windows {
            let Some(count) = self.count(column)? else {
                continue;
            };
            let within = self
                .events
                .iter()
                .filter(|event| event.within(Month(months), today))
                .count();
            for _ in within..usize::try_from(count).unwrap_or(0) {
                self.event(SOME_EVENT, Severity::Minor, self.aged(shorter));
            }
            shorter = i64::from(months);
        }
        Ok(())
    }

    fn event(&mut self, kind: &str, severity: Severity, date: Date) {
        let kind = Code::parse(kind).ok();
        self.events
            .extend(kind.map(|kind| Event { kind, severity, date }));
    }

    /// Reads everything back: what was given must be so.
    fn agree(&self, facts: &Facts, matter: &Matter) -> Result<(), LocalizedText> {
        let none = Arguments::NONE;
        let reading = Reading::of_known(facts, &none, matter, self.catalogue, self.at);
        for (position, column) in FactColumn::ALL.into_iter().enumerate() {
            let Some(text) = self.given(column).filter(|text| *text != "-") else {
                continue;
            };
            let declared = column.declare(self.catalogue);
            let cell = parse_cell(text, &declared).or_else(|_| parse_cell(&format!("{text:?}"), &declared));
            let value = reading.value(position);
            let fits = cell.is_ok_and(|cell| cell.holds(value));
            if !fits {
                let found = declared.show(value);
                return Err(LocalizedText::new(
                    format!("{} 写的是 {text}，但由其他事实得出的是 {found}", column.name()),
                    format!(
                        "{} is given as {text}, but the other facts make it {found}",
                        column.name()
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// A list as such, or as text: `a, b` or `[a, { kind: b }]`.
fn papers(name: &str, source: &FactSource) -> Result<Vec<PaperFields>, LocalizedText> {
    let list = match source {
        FactSource::List(list) => list.clone(),
        FactSource::Value(CellText(text)) => {
            let text = text.trim();
            let flow = match text {
                "none" | "empty" | "-" => "[]".to_owned(),
                _ if text.starts_with('[') => text.to_owned(),
                _ => format!("[{text}]"),
            };
            serde_yaml_ng::from_str::<Vec<PaperSource>>(&flow).map_err(|_| {
                misfit(
                    name,
                    text,
                    "列表，如 [serious-penalty]",
                    "a list, e.g. [serious-penalty]",
                )
            })?
        }
    };
    let papers = list.into_iter().map(|paper| match paper {
        PaperSource::Kind(kind) => PaperFields {
            kind,
            severity: None,
            date: None,
            age_months: None,
            department: None,
            matter: None,
        },
        PaperSource::Full(fields) => fields,
    });
    Ok(papers.collect())
}

fn misfit(name: &str, text: &str, zh: &str, en: &str) -> LocalizedText {
    LocalizedText::new(
        format!("{name} 的值“{text}”应为{zh}"),
        format!("{name} is {text:?}; write {en}"),
    )
}
