//! The facts as columns of decision tables, and one enterprise's values in them.

use greenstar_kernel::{Date, LocalizedText, Month, Points, RatingState, Standing, Timestamp};
use greenstar_tables::{Column, ColumnKind, Value};

use super::catalogue::{Catalogue, Severity};
use super::decide::DecideError;
use super::facts::{Event, Facts, Flag, PolluterClass, RatingNow};
use super::matter::{Arguments, Matter};

/// A fact that a table may test. The order is that of the schema's columns; a matter's arguments
/// follow after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FactColumn {
    Star,
    State,
    Points,
    PointsA,
    PointsB,
    PointsC,
    PointsD,
    PointsE,
    RatingAgeMonths,
    ValidUntil,
    Known,
    Flags,
    ReachesAll,
    WorstSeverity,
    FlagSeverities,
    FlagDepartments,
    FlagAgeMonths,
    Sector,
    District,
    PolluterClass,
    OpenRectification,
    Events3m,
    Events6m,
    Events12m,
    Events24m,
    Events36m,
    MonthsSinceSerious,
    MonthsSinceComplaint,
    MonthsSinceExceedance,
}

impl FactColumn {
    pub(super) const ALL: [FactColumn; 29] = [
        FactColumn::Star,
        FactColumn::State,
        FactColumn::Points,
        FactColumn::PointsA,
        FactColumn::PointsB,
        FactColumn::PointsC,
        FactColumn::PointsD,
        FactColumn::PointsE,
        FactColumn::RatingAgeMonths,
        FactColumn::ValidUntil,
        FactColumn::Known,
        FactColumn::Flags,
        FactColumn::ReachesAll,
        FactColumn::WorstSeverity,
        FactColumn::FlagSeverities,
        FactColumn::FlagDepartments,
        FactColumn::FlagAgeMonths,
        FactColumn::Sector,
        FactColumn::District,
        FactColumn::PolluterClass,
        FactColumn::OpenRectification,
        FactColumn::Events3m,
        FactColumn::Events6m,
        FactColumn::Events12m,
        FactColumn::Events24m,
        FactColumn::Events36m,
        FactColumn::MonthsSinceSerious,
        FactColumn::MonthsSinceComplaint,
        FactColumn::MonthsSinceExceedance,
    ];

    pub(super) fn name(self) -> &'static str {
        self.words().0
    }

    pub(super) fn title(self) -> LocalizedText {
        let (_, zh, en) = self.words();
        LocalizedText::new(zh, en)
    }

    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            FactColumn::Star => ("star", "星级", "star"),
            FactColumn::State => ("state", "评价状态", "rating state"),
            FactColumn::Points => ("points", "总分", "total points"),
            FactColumn::PointsA => ("points_a", "环境守法得分", "points for compliance"),
            FactColumn::PointsB => ("points_b", "治污减排得分", "points for pollution control"),
            FactColumn::PointsC => (
                "points_c",
                "低碳循环得分",
                "points for low carbon and circularity",
            ),
            FactColumn::PointsD => ("points_d", "科学管理得分", "points for management"),
            FactColumn::PointsE => ("points_e", "社会贡献得分", "points for social contribution"),
            FactColumn::RatingAgeMonths => ("rating_age_months", "评价距今月数", "months since the rating"),
            FactColumn::ValidUntil => ("valid_until", "星级有效期止", "end of the star's validity"),
            FactColumn::Known => ("known", "是否建档", "registered"),
            FactColumn::Flags => ("flags", "有效失信标记", "flags in force"),
            FactColumn::ReachesAll => (
                "reaches_all",
                "是否在各部门共同约束的名单上",
                "on a list that binds all departments",
            ),
            FactColumn::WorstSeverity => (
                "worst_severity",
                "有效标记的最高严重程度",
                "worst severity of flags in force",
            ),
            FactColumn::FlagSeverities => (
                "flag_severities",
                "有效标记的严重程度",
                "severities of flags in force",
            ),
            FactColumn::FlagDepartments => (
                "flag_departments",
                "有效标记的认定部门",
                "departments that raised flags in force",
            ),
            FactColumn::FlagAgeMonths => (
                "flag_age_months",
                "最近一项有效标记距今月数",
                "months since the newest flag in force",
            ),
            FactColumn::Sector => ("sector", "行业", "sector"),
            FactColumn::District => ("district", "行政区划", "district"),
            FactColumn::PolluterClass => ("polluter_class", "排污单位类别", "polluter class"),
            FactColumn::OpenRectification => ("open_rectification", "整改是否未完成", "open rectification"),
            FactColumn::Events3m => ("events_3m", "近3个月事件数", "events in the last 3 months"),
            FactColumn::Events6m => ("events_6m", "近6个月事件数", "events in the last 6 months"),
            FactColumn::Events12m => ("events_12m", "近12个月事件数", "events in the last 12 months"),
            FactColumn::Events24m => ("events_24m", "近24个月事件数", "events in the last 24 months"),
            FactColumn::Events36m => ("events_36m", "近36个月事件数", "events in the last 36 months"),
            FactColumn::MonthsSinceSerious => (
                "months_since_serious",
                "最近一次严重违法距今月数",
                "months since the last serious fault",
            ),
            FactColumn::MonthsSinceComplaint => (
                "months_since_complaint",
                "最近一次查实投诉距今月数",
                "months since the last verified complaint",
            ),
            FactColumn::MonthsSinceExceedance => (
                "months_since_exceedance",
                "最近一次超标距今月数",
                "months since the last exceedance",
            ),
        }
    }

    /// Whether events at the rating make its value.
    pub(super) fn counts_events(self) -> bool {
        match self {
            FactColumn::Events3m
            | FactColumn::Events6m
            | FactColumn::Events12m
            | FactColumn::Events24m
            | FactColumn::Events36m
            | FactColumn::MonthsSinceSerious
            | FactColumn::MonthsSinceComplaint
            | FactColumn::MonthsSinceExceedance => true,
            FactColumn::Star
            | FactColumn::State
            | FactColumn::Points
            | FactColumn::PointsA
            | FactColumn::PointsB
            | FactColumn::PointsC
            | FactColumn::PointsD
            | FactColumn::PointsE
            | FactColumn::RatingAgeMonths
            | FactColumn::ValidUntil
            | FactColumn::Known
            | FactColumn::Flags
            | FactColumn::ReachesAll
            | FactColumn::WorstSeverity
            | FactColumn::FlagSeverities
            | FactColumn::FlagDepartments
            | FactColumn::FlagAgeMonths
            | FactColumn::Sector
            | FactColumn::District
            | FactColumn::PolluterClass
            | FactColumn::OpenRectification => false,
        }
    }

    pub(super) fn declare(self, catalogue: &Catalogue) -> Column {
        let points = ColumnKind::Points {
            min: Points::ZERO,
            max: Points::whole(MAX_POINTS),
        };
        let count = ColumnKind::Integer {
            min: 0,
            max: MAX_COUNT,
        };
        let names = |names: &mut dyn Iterator<Item = &str>| names.map(str::to_owned).collect();
        let (kind, optional) = match self {
            FactColumn::Star => (ColumnKind::Integer { min: 1, max: 5 }, true),
            FactColumn::State => {
                let values = names(&mut RatingState::ALL.iter().map(|state| state.as_str()));
                (ColumnKind::Choice { values }, false)
            }
            FactColumn::Points
            | FactColumn::PointsA
            | FactColumn::PointsB
            | FactColumn::PointsC
            | FactColumn::PointsD
            | FactColumn::PointsE => (points, true),
            FactColumn::RatingAgeMonths
            | FactColumn::FlagAgeMonths
            | FactColumn::MonthsSinceSerious
            | FactColumn::MonthsSinceComplaint
            | FactColumn::MonthsSinceExceedance => (count, true),
            FactColumn::ValidUntil => {
                let min = Timestamp::from_micros(0).date();
                (
                    ColumnKind::Date {
                        min,
                        max: min.plus_months(Month(MAX_YEARS * 12)),
                    },
                    true,
                )
            }
            FactColumn::Known | FactColumn::ReachesAll | FactColumn::OpenRectification => {
                (ColumnKind::Boolean, false)
            }
            FactColumn::Flags => {
                let values = names(&mut catalogue.flag_kinds().iter().map(|kind| kind.code.as_str()));
                (ColumnKind::Set { values }, false)
            }
            FactColumn::WorstSeverity => {
                let values = names(&mut Severity::ALL.iter().map(|severity| severity.as_str()));
                (ColumnKind::Choice { values }, true)
            }
            FactColumn::FlagSeverities => {
                let values = names(&mut Severity::ALL.iter().map(|severity| severity.as_str()));
                (ColumnKind::Set { values }, false)
            }
            FactColumn::FlagDepartments => {
                let known = catalogue
                    .departments()
                    .iter()
                    .map(|department| department.as_str());
                let values = names(&mut known.chain([OTHER_DEPARTMENT]));
                (ColumnKind::Set { values }, false)
            }
            FactColumn::Sector | FactColumn::District => (ColumnKind::Tree, true),
            FactColumn::PolluterClass => {
                let values = names(&mut PolluterClass::ALL.iter().map(|class| class.as_str()));
                (ColumnKind::Choice { values }, false)
            }
            FactColumn::Events3m
            | FactColumn::Events6m
            | FactColumn::Events12m
            | FactColumn::Events24m
            | FactColumn::Events36m => (count, false),
        };
        Column {
            name: self.name().to_owned(),
            kind,
            optional,
        }
    }
}

/// Any department that no kind of flag names, so that a flag of one is seen too (P10). No department can be called so.
const OTHER_DEPARTMENT: &str = "OTHER";
/// Points of the schemes in use end at 100; a scheme beyond is read as 100.
pub(super) const MAX_POINTS: i64 = 100;
/// Months and counts beyond are read as this.
const MAX_COUNT: i64 = 120;

/// Dates end in 2200, as the kernel's do.
const MAX_YEARS: u16 = 230;

/// A flag in force, with what a decision needs to know of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ActiveFlag {
    /// Position in the facts' flags.
    pub(super) index: usize,
    /// Position in the catalogue's kinds.
    pub(super) kind: usize,
    /// From here on no measure rests on it.
    pub(super) ceiling: Timestamp,
    /// Whether it counts in this matter.
    pub(super) counts: bool,
}

/// One enterprise at one instant, for one matter.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) facts: &'a Facts,
    pub(super) arguments: &'a Arguments,
    pub(super) as_of: Timestamp,
    pub(super) rating: RatingNow,
    /// In force, those of other matters too.
    pub(super) flags: Vec<ActiveFlag>,
    /// Events that count.
    pub(super) events: &'a [Event],
    kinds: u64,
    reaches_all: bool,
    worst: Option<Severity>,
    severities: u64,
    departments: u64,
}

impl<'a> Reading<'a> {
    /// A kind that the catalogue does not have is an error: unknown is never clear (P10).
    pub(super) fn of(
        facts: &'a Facts,
        arguments: &'a Arguments,
        matter: &Matter,
        catalogue: &Catalogue,
        as_of: Timestamp,
    ) -> Result<Reading<'a>, DecideError> {
        match facts.unknown_flag(catalogue, as_of) {
            Some(flag) => Err(DecideError::FlagKindUnknown(flag.kind.clone())),
            None => Ok(Reading::of_known(facts, arguments, matter, catalogue, as_of)),
        }
    }

    /// Sets flags aside whose kind the catalogue does not have: where nobody decides, or somebody looked before.
    pub(super) fn of_known(
        facts: &'a Facts,
        arguments: &'a Arguments,
        matter: &Matter,
        catalogue: &Catalogue,
        as_of: Timestamp,
    ) -> Reading<'a> {
        let mut flags = Vec::new();
        for (index, flag) in facts.flags.iter().enumerate() {
            let Some(kind) = catalogue
                .kind_position(&flag.kind)
                .filter(|_| flag.in_force(as_of))
            else {
                continue;
            };
            let ceiling = catalogue.ceiling(flag.severity, flag.document.date);
            flags.push(ActiveFlag {
                index,
                kind,
                ceiling,
                counts: flag.counts_in(matter.code()),
            });
        }
        let reading = Reading {
            facts,
            arguments,
            as_of,
            rating: facts.rating.at(as_of),
            flags: Vec::new(),
            events: &facts.events,
            kinds: 0,
            reaches_all: false,
            worst: None,
            severities: 0,
            departments: 0,
        };
        reading.flagged(flags, catalogue)
    }

    /// The same enterprise as if its standing, events and flags were these.
    pub(super) fn assuming(
        &self,
        standing: Standing,
        events: &'a [Event],
        flags: Vec<ActiveFlag>,
        catalogue: &Catalogue,
    ) -> Reading<'a> {
        let mut rating = self.rating;
        rating.standing = standing;
        let reading = Reading {
            rating,
            events,
            flags: Vec::new(),
            ..*self
        };
        reading.flagged(flags, catalogue)
    }

    fn flagged(mut self, flags: Vec<ActiveFlag>, catalogue: &Catalogue) -> Reading<'a> {
        (self.kinds, self.reaches_all, self.worst) = (0, false, None);
        (self.severities, self.departments) = (0, 0);
        for active in flags.iter().filter(|active| active.counts) {
            self.kinds |= 1u64 << (active.kind % 64);
            let kind = catalogue.flag_kinds().get(active.kind);
            self.reaches_all |= kind.is_some_and(|kind| kind.reaches_all);
            if let Some(flag) = self.facts.flags.get(active.index) {
                self.worst = self.worst.max(Some(flag.severity));
                self.severities |= 1 << flag.severity as u8;
                self.departments |= 1u64 << (catalogue.department_position(&flag.department) % 64);
            }
        }
        self.flags = flags;
        self
    }

    /// The value of a schema's column.
    pub(super) fn value(&self, column: usize) -> Value<'a> {
        let Some(fact) = FactColumn::ALL.get(column) else {
            return self.arguments.value(column - FactColumn::ALL.len());
        };
        let facts = self.facts;
        let [a, b, c, d, e] = self.rating.categories;
        match fact {
            FactColumn::Star => self
                .rating
                .standing
                .star()
                .map_or(Value::Absent, |star| Value::Ordered(i64::from(star))),
            FactColumn::State => choice(
                RatingState::ALL
                    .iter()
                    .position(|state| *state == self.rating.standing.state()),
            ),
            FactColumn::Points => points(self.rating.total),
            FactColumn::PointsA => points(a),
            FactColumn::PointsB => points(b),
            FactColumn::PointsC => points(c),
            FactColumn::PointsD => points(d),
            FactColumn::PointsE => points(e),
            FactColumn::RatingAgeMonths => match facts.rating.rated_at {
                Some(rated_at) => Value::Ordered(months_between(rated_at.date(), self.as_of.date())),
                None => Value::Absent,
            },
            FactColumn::ValidUntil => match facts.rating.valid_until {
                Some(end) => Value::Ordered(i64::from(end.date().days())),
                None => Value::Absent,
            },
            FactColumn::Known => Value::Boolean(facts.known),
            FactColumn::Flags => Value::Set(self.kinds),
            FactColumn::ReachesAll => Value::Boolean(self.reaches_all),
            FactColumn::WorstSeverity => choice(
                Severity::ALL
                    .iter()
                    .position(|severity| Some(*severity) == self.worst),
            ),
            FactColumn::FlagSeverities => Value::Set(self.severities),
            FactColumn::FlagDepartments => Value::Set(self.departments),
            FactColumn::FlagAgeMonths => {
                self.months_since(self.counting_flags().map(|flag| flag.document.date))
            }
            FactColumn::Sector => facts
                .sector
                .as_ref()
                .map_or(Value::Absent, |code| Value::Code(code.as_str())),
            FactColumn::District => facts
                .district
                .as_ref()
                .map_or(Value::Absent, |code| Value::Code(code.as_str())),
            FactColumn::PolluterClass => choice(
                PolluterClass::ALL
                    .iter()
                    .position(|class| *class == facts.polluter_class),
            ),
            FactColumn::OpenRectification => Value::Boolean(facts.open_rectification),
            FactColumn::Events3m => self.events(Month(3)),
            FactColumn::Events6m => self.events(Month(6)),
            FactColumn::Events12m => self.events(Month(12)),
            FactColumn::Events24m => self.events(Month(24)),
            FactColumn::Events36m => self.events(Month(36)),
            FactColumn::MonthsSinceSerious => self.months_since_serious(),
            FactColumn::MonthsSinceComplaint => self.months_since_kind("complaint_verified"),
            FactColumn::MonthsSinceExceedance => self.months_since_kind("exceedance"),
        }
    }

    fn events(&self, months: Month) -> Value<'a> {
        if self.events.is_empty() {
            return Value::Ordered(0);
        }
        let today = self.as_of.date();
        let count = self
            .events
            .iter()
            .filter(|event| event.within(months, today))
            .count();
        Value::Ordered(i64::try_from(count).unwrap_or(MAX_COUNT).min(MAX_COUNT))
    }

    /// Counts the documents of events and of flags in force.
    fn months_since_serious(&self) -> Value<'a> {
        let serious = Severity::Serious;
        let events = self
            .events
            .iter()
            .filter(|event| event.severity == serious)
            .map(|event| event.date);
        let flags = self.counting_flags().filter(|flag| flag.severity == serious);
        self.months_since(events.chain(flags.map(|flag| flag.document.date)))
    }

    /// Flags in force that count in this matter.
    fn counting_flags(&self) -> impl Iterator<Item = &'a Flag> {
        let flags = &self.facts.flags;
        let counting = self.flags.iter().filter(|active| active.counts);
        counting.filter_map(|active| flags.get(active.index))
    }

    /// Counts the documents of events whose kind begins so, as schemes name them.
    fn months_since_kind(&self, prefix: &str) -> Value<'a> {
        let events = self
            .events
            .iter()
            .filter(|event| event.kind.as_str().starts_with(prefix));
        self.months_since(events.map(|event| event.date))
    }

    /// Whole months since the last of these documents. Like a term, a month is over when its last day is
    /// (protocol.md §4), so that below 6 is within a term of six months.
    fn months_since(&self, documents: impl Iterator<Item = Date>) -> Value<'a> {
        match documents.max() {
            Some(date) => Value::Ordered(months_between(date, self.as_of.date().plus_days(-1))),
            None => Value::Absent,
        }
    }
}

fn choice<'a>(position: Option<usize>) -> Value<'a> {
    position
        .and_then(|position| u16::try_from(position).ok())
        .map_or(Value::Absent, Value::Choice)
}

fn points<'a>(points: Option<Points>) -> Value<'a> {
    points.map_or(Value::Absent, |points| {
        Value::Ordered(points.milli().clamp(0, MAX_POINTS * 1000))
    })
}

/// Whole months from one day to another, 0 if it lies ahead, at most [`MAX_COUNT`].
fn months_between(from: Date, to: Date) -> i64 {
    // No month has more than 31 days, so this many have passed at least.
    let mut months = u16::try_from((to.days() - from.days()) / 31).unwrap_or(0);
    while i64::from(months) < MAX_COUNT && from.plus_months(Month(months + 1)) <= to {
        months += 1;
    }
    i64::from(months).min(MAX_COUNT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_whole_and_clamped_to_the_months_end() {
        let between = |from: &str, to: &str| months_between(from.parse().unwrap(), to.parse().unwrap());
        assert_eq!(between("2026-01-31", "2026-02-27"), 0);
        assert_eq!(between("2026-01-31", "2026-02-28"), 1);
        assert_eq!(between("2026-01-15", "2026-07-14"), 5);
        assert_eq!(between("2026-01-15", "2026-07-15"), 6);
        assert_eq!(between("2026-07-15", "2026-01-15"), 0);
        assert_eq!(between("1990-01-01", "2026-01-15"), MAX_COUNT);
    }
}
