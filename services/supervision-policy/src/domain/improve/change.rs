//! Changes applied to the facts, and what is known of each.

use std::time::Duration;

use greenstar_kernel::{Date, Points, Standing, Star, Timestamp};

use super::levers::{Tests, Way};
use super::{Distance, Question};
use crate::domain::catalogue::FlagKind;
use crate::domain::facts::{Event, Facts, Flag};

/// One change of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Change<'a> {
    pub what: What<'a>,
    /// When time alone does what it does, the others given; `None`: never.
    pub by_itself: Option<Timestamp>,
}

/// What changes.
#[derive(Clone, Debug, PartialEq)]
pub enum What<'a> {
    Star {
        from: Standing,
        to: Star,
    },
    Veto,
    /// Of one category, by its position from A on.
    Category {
        category: usize,
        from: Points,
        to: Points,
    },
    Total {
        from: Points,
        to: Points,
    },
    Flag {
        flag: &'a Flag,
        kind: Option<&'a FlagKind>,
        /// First day on which its repair can be granted; `None`: never.
        repair: Option<Date>,
    },
    Rectification,
    Event(&'a Event),
}

/// Facts with changes.
#[derive(Clone, Debug)]
pub(super) struct Applied {
    pub(super) facts: Facts,
    /// Points of the whole set.
    gained: Points,
    /// A change that fills the total up has nothing to fill, or a category would end beyond what is counted.
    pub(super) idle: bool,
}

impl Applied {
    pub(super) fn of(facts: &Facts, ways: &[Way], as_of: Timestamp) -> Applied {
        let mut facts = facts.clone();
        let now = facts.rating.at(as_of);
        let (mut total, mut categories) = (now.total.unwrap_or_default(), now.categories);
        let before = total;
        let (mut rated, mut idle) = (false, false);
        let mut gone = Gone::default();
        for way in ways {
            match way {
                Way::Star(star) => {
                    let expired = now.standing.star().is_none();
                    facts.rating.standing = Standing::Rated(*star);
                    // Only who is registered is rated.
                    facts.known = true;
                    if expired {
                        facts.rating.rated_at = Some(as_of);
                        facts.rating.valid_until = None;
                    }
                    rated = true;
                }
                Way::Veto => {
                    facts.rating.standing = Standing::NotRated;
                    rated = true;
                }
                Way::Category(category, to) => {
                    if let Some(slot) = categories.get_mut(*category) {
                        total += *to - slot.unwrap_or_default();
                        *slot = Some(*to);
                    }
                }
                Way::CategoryFills(..) | Way::Fills(_) => {}
                Way::Flag(position) => gone.flags.push(*position),
                Way::Rectification => facts.open_rectification = false,
                Way::Event(position) => gone.events.push(*position),
            }
        }
        // Behind all others, which give the total their part.
        for way in ways {
            let (category, to) = match way {
                Way::CategoryFills(category, to) => (Some(*category), *to),
                Way::Fills(to) => (None, *to),
                Way::Star(_)
                | Way::Veto
                | Way::Category(..)
                | Way::Flag(_)
                | Way::Rectification
                | Way::Event(_) => continue,
            };
            idle |= to <= total;
            if let Some(slot) = category.and_then(|category| categories.get_mut(category)) {
                *slot = Some(slot.unwrap_or_default() + (to - total));
            }
            total = total.max(to);
        }
        let gained = total - before;
        if gained > Points::ZERO || rated {
            // What was to come was to come of what is changed.
            facts.rating.next = None;
            if !rated {
                facts.rating.standing = now.standing;
            }
            if gained > Points::ZERO {
                facts.rating.total = Some(total);
            } else {
                facts.rating.total = now.total;
            }
            facts.rating.categories = categories;
        }
        gone.take_from(&mut facts);
        Applied { facts, gained, idle }
    }

    /// How far these changes are.
    pub(super) fn distance(&self, question: &Question<'_>, facts: &Facts, ways: &[Way]) -> Distance {
        let now = facts.rating.at(question.as_of).standing;
        let mut distance = Distance {
            points: self.gained,
            ..Distance::default()
        };
        for way in ways {
            match way {
                Way::Star(to) => {
                    let from = now.star().map_or(0, Star::get);
                    distance.stars += to.get().saturating_sub(from);
                }
                Way::Veto => distance.stars += 1,
                Way::Flag(position) => {
                    let wait = facts.flags.get(*position).map_or(Distance::NEVER, |flag| {
                        let repair = repair(question, facts, flag);
                        let first = [repair, flag.end].into_iter().flatten().min();
                        first.map_or(Distance::NEVER, |first| first.since(question.as_of))
                    });
                    distance.wait = distance.wait.max(wait);
                }
                Way::Event(position) => {
                    let wait = facts.events.get(*position).map_or(Duration::ZERO, |event| {
                        let windows = Tests(question).event_windows();
                        let ends = windows.map(|window| event.date.term_end(window));
                        ends.max()
                            .map_or(Duration::ZERO, |last| last.since(question.as_of))
                    });
                    distance.wait = distance.wait.max(wait);
                }
                Way::Category(..) | Way::CategoryFills(..) | Way::Fills(_) | Way::Rectification => {}
            }
        }
        distance
    }
}

/// Positions of what is gone.
#[derive(Default)]
struct Gone {
    flags: Vec<usize>,
    events: Vec<usize>,
}

impl Gone {
    fn take_from(&self, facts: &mut Facts) {
        if !self.flags.is_empty() {
            let kept = facts.flags.iter().enumerate();
            let kept = kept.filter(|(at, _)| !self.flags.contains(at));
            facts.flags = kept.map(|(_, flag)| flag.clone()).collect();
        }
        if !self.events.is_empty() {
            let kept = facts.events.iter().enumerate();
            let kept = kept.filter(|(at, _)| !self.events.contains(at));
            facts.events = kept.map(|(_, event)| event.clone()).collect();
        }
    }
}

impl<'a> Change<'a> {
    pub(super) fn of(
        question: &Question<'a>,
        facts: &'a Facts,
        applied: &Applied,
        way: Way,
        by_itself: Option<Timestamp>,
    ) -> Option<Change<'a>> {
        let now = facts.rating.at(question.as_of);
        let then = &applied.facts.rating;
        let category = |category: usize| {
            let points = |of: &[Option<Points>; 5]| of.get(category).copied().flatten().unwrap_or_default();
            What::Category {
                category,
                from: points(&now.categories),
                to: points(&then.categories),
            }
        };
        let what = match way {
            Way::Star(to) => What::Star {
                from: now.standing,
                to,
            },
            Way::Veto => What::Veto,
            Way::Category(at, _) | Way::CategoryFills(at, _) => category(at),
            Way::Fills(to) => What::Total {
                from: now.total.unwrap_or_default(),
                to,
            },
            Way::Flag(position) => {
                let flag = facts.flags.get(position)?;
                let kind = kind(question, flag);
                let repair = repair(question, facts, flag).map(Timestamp::date);
                What::Flag {
                    flag,
                    kind,
                    repair: repair.map(|first| first.max(question.today())),
                }
            }
            Way::Rectification => What::Rectification,
            Way::Event(position) => What::Event(facts.events.get(position)?),
        };
        Some(Change { what, by_itself })
    }
}

fn kind<'a>(question: &Question<'a>, flag: &Flag) -> Option<&'a FlagKind> {
    let mut kinds = question.policy.catalogue.flag_kinds().iter();
    kinds.find(|kind| kind.code == flag.kind)
}

/// A repair acts on the document: all of its flags go together, when the last of them can.
fn repair(question: &Question<'_>, facts: &Facts, flag: &Flag) -> Option<Timestamp> {
    let same = facts.flags.iter().filter(|other| other.document == flag.document);
    let windows: Option<Vec<Timestamp>> = same
        .map(|other| {
            let kind = kind(question, other)?;
            let catalogue = &question.policy.catalogue;
            catalogue.repair_from(kind, other.severity, other.document.date)
        })
        .collect();
    windows?.into_iter().max()
}
