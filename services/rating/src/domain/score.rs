//! The score: from verified awards and recorded events to points, gates and a standing, at one instant.
//!
//! The order is the scheme's: deductions, bonuses with caps, thresholds, drop, cap, strip. Integer arithmetic only.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use greenstar_kernel::{Code, Document, Points, Standing, Star, Timestamp};
use serde::{Deserialize, Serialize};

use super::event::{Event, Meaning};
pub use super::gate::Gate;
pub use super::grant::{Award, Grant, GrantError};
use super::repeat::meant;
use super::scheme::{Effect, Grade, Item, PENALTY_MONTHS, Rule, Scheme, Scoring};

/// Facts that the scheme cannot mean: the score is not given rather than given too good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScoreError {
    /// An event of another scheme.
    #[error("the scheme has no event or veto {0}")]
    KindUnknown(Code),
    /// An award of another scheme.
    #[error(transparent)]
    Grant(#[from] GrantError),
}

/// How a rating came about at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// The outcome.
    pub standing: Standing,
    /// Took part and lost its last star to drops: NOT_LISTED for that reason.
    pub dropped: bool,
    /// Sum of the categories.
    pub total: Points,
    /// Points by category, in the scheme's order.
    pub categories: Vec<CategoryPoints>,
    /// Every item of the scheme, in order.
    pub lines: Vec<ItemLine>,
    /// Vetoes that are active.
    pub vetoes: Vec<ActiveVeto>,
    /// Documents with a penalty that the gate counts.
    pub penalties: u32,
    /// Something must still be put right.
    pub open_rectification: bool,
    /// Every gate of every star, highest star first.
    pub gates: Vec<(Star, Vec<(Gate, bool)>)>,
    /// What keeps the standing from being one better; empty at the highest star.
    pub blocked: Vec<Gate>,
}

/// Points of one category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryPoints {
    /// Its code.
    pub category: Code,
    /// Its points.
    pub points: Points,
}

/// What one item gave or took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemLine {
    /// The item.
    pub item: Code,
    /// Points given, or taken (negative), within the item's max.
    pub points: Points,
    /// What was deducted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deductions: Vec<Deduction>,
}

/// What one event takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deduction {
    /// The event.
    pub event: Code,
    /// The kind that it counts as.
    pub kind: Code,
    /// By the rule; the item's max may take less.
    pub points: Points,
    /// When it stops.
    pub until: Timestamp,
}

/// A veto in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveVeto {
    /// Its code.
    pub veto: Code,
    /// The event that brought it.
    pub event: Code,
    /// It lasts until here at least.
    pub earliest_end: Timestamp,
    /// The months are all that is missing.
    pub rectified: bool,
}

/// Points by category and item, before thresholds.
struct Sums {
    categories: Vec<Points>,
    lines: Vec<ItemLine>,
}

/// What the gates look at beside points.
struct Conduct {
    penalties: u32,
    open_rectification: bool,
}

/// What can end by time alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End<'a> {
    /// The yearly validity.
    Validity,
    /// The veto of an event.
    Veto(&'a Code),
    /// The window of an event.
    Window(&'a Code),
    /// The plan that suspends the points of an event.
    Suspension(&'a Code),
    /// The 24 months in which an event counts for the penalty gate.
    Penalty(&'a Code),
}

/// Scores at an instant. `valid_until` is the end of the rating's validity, from which on it is EXPIRED unless a
/// veto strips it: lapse of time is no relief from a veto.
///
/// # Errors
/// [`ScoreError`] if the scheme does not know an event or award.
pub fn assess(
    scheme: &Scheme,
    awards: &[Award],
    events: &[Event],
    valid_until: Timestamp,
    at: Timestamp,
) -> Result<Assessment, ScoreError> {
    assess_holding(scheme, awards, events, valid_until, at, None)
}

/// As [`assess`], with one thing regarded as not ended yet: shows what its end changes.
///
/// # Errors
/// As [`assess`].
pub(super) fn assess_holding(
    scheme: &Scheme,
    awards: &[Award],
    events: &[Event],
    valid_until: Timestamp,
    at: Timestamp,
    held: Option<End<'_>>,
) -> Result<Assessment, ScoreError> {
    let events = meant(scheme, events)?;
    let Sums { categories, lines } = sums(scheme, awards, &events, at, held)?;
    let total: Points = categories.iter().copied().sum();
    let conduct = conduct(&events, at, held);
    let gates: Vec<(Star, Vec<(Gate, bool)>)> = scheme
        .grades
        .iter()
        .map(|grade| (grade.star, gates_of(scheme, grade, &categories, total, &conduct)))
        .collect();
    let base = gates
        .iter()
        .position(|(_, gates)| gates.iter().all(|(_, holds)| *holds));

    let mut vetoes = Vec::new();
    let (mut drop, mut cap, mut strip) = (0_usize, 0_usize, false);
    for (event, meaning) in &events {
        let Meaning::Veto(veto) = meaning else { continue };
        if !event.counts(*meaning, at) && held != Some(End::Veto(&event.id)) {
            continue;
        }
        match veto.effect {
            Effect::Strip => strip = true,
            // Positions count from the highest star, so a cap is a least position.
            Effect::Cap(star) => {
                let position = scheme.grades.iter().position(|grade| grade.star <= star);
                cap = cap.max(position.unwrap_or(scheme.grades.len()));
            }
            Effect::Drop(stars) => drop += usize::from(stars),
        }
        vetoes.push(ActiveVeto {
            veto: veto.code.clone(),
            event: event.id.clone(),
            earliest_end: event.end(*meaning),
            rectified: event.rectified_at.is_some(),
        });
    }
    let lowered = base.map(|base| (base + drop).max(cap));
    let star = lowered
        .and_then(|position| scheme.grades.get(position))
        .map(|grade| grade.star);
    let standing = match star {
        _ if strip => Standing::Vetoed,
        _ if at >= valid_until && held != Some(End::Validity) => Standing::Expired,
        Some(star) => Standing::Rated(star),
        None => Standing::NotListed,
    };
    let blocked = blocked(scheme, base, lowered, strip, &gates, &vetoes);
    Ok(Assessment {
        standing,
        dropped: standing == Standing::NotListed && base.is_some(),
        total,
        categories: scheme
            .categories
            .iter()
            .zip(categories)
            .map(|(category, points)| CategoryPoints {
                category: category.code.clone(),
                points,
            })
            .collect(),
        lines,
        vetoes,
        penalties: conduct.penalties,
        open_rectification: events.iter().any(|(event, _)| event.open()),
        gates,
        blocked,
    })
}

fn sums(
    scheme: &Scheme,
    awards: &[Award],
    events: &[(&Event, Meaning<'_>)],
    at: Timestamp,
    held: Option<End<'_>>,
) -> Result<Sums, ScoreError> {
    let mut given: BTreeMap<&Code, Points> = BTreeMap::new();
    for award in awards {
        let worth = award.grant.worth(scheme, &award.item)?;
        let slot = given.entry(&award.item).or_default();
        *slot = worth.max(*slot);
    }
    let mut taken: BTreeMap<&Code, Vec<Deduction>> = BTreeMap::new();
    for (item, deduction) in counted(events, at, held) {
        taken.entry(&item.code).or_default().push(deduction);
    }

    let mut raw: Vec<Points> = scheme.categories.iter().map(|category| category.base).collect();
    let mut lines = Vec::with_capacity(scheme.items.len());
    for item in &scheme.items {
        let deductions = taken.remove(&item.code).unwrap_or_default();
        let sum: Points = deductions.iter().map(|deduction| deduction.points).sum();
        let points = match item.scoring {
            Scoring::Deduction { .. } => -sum.min(item.max),
            Scoring::Steps | Scoring::Tiers(_) | Scoring::Marks => {
                given.get(&item.code).copied().unwrap_or_default()
            }
        };
        if let Some(slot) = raw.get_mut(item.category) {
            *slot += points;
        }
        lines.push(ItemLine {
            item: item.code.clone(),
            points,
            deductions,
        });
    }
    let categories = scheme
        .categories
        .iter()
        .zip(raw)
        .map(|(category, points)| points.clamp(category.floor, category.cap))
        .collect();
    Ok(Sums { categories, lines })
}

/// Events that count now, each document once, in the item where it deducts most; of equals the first by
/// code.
fn counted<'a>(
    events: &[(&'a Event, Meaning<'a>)],
    at: Timestamp,
    held: Option<End<'_>>,
) -> Vec<(&'a Item, Deduction)> {
    let mut best: BTreeMap<(&Document, &Option<String>), (&Event, &Item, &Rule)> = BTreeMap::new();
    for (event, meaning) in events {
        let Meaning::Rule(item, rule) = meaning else {
            continue;
        };
        if !event.counts(*meaning, at) && held != Some(End::Window(&event.id)) {
            continue;
        }
        if rule.suspendable && (event.suspended(at) || held == Some(End::Suspension(&event.id))) {
            continue;
        }
        let rank = |item: &Item, rule: &Rule| (Reverse(rule.points), item.code.clone(), rule.event.clone());
        best.entry((&event.document, &event.site))
            .and_modify(|best| {
                if rank(item, rule) < rank(best.1, best.2) {
                    *best = (event, item, rule);
                }
            })
            .or_insert((event, item, rule));
    }
    best.into_values()
        .map(|(event, item, rule)| {
            let deduction = Deduction {
                event: event.id.clone(),
                kind: rule.event.clone(),
                points: rule.points,
                until: event.end(Meaning::Rule(item, rule)),
            };
            (item, deduction)
        })
        .collect()
}

/// A veto's own rectification does not close the gate: its effect is the veto's, and counted twice a drop by one
/// star would take two or three (vector `drop_one`).
fn conduct(events: &[(&Event, Meaning<'_>)], at: Timestamp, held: Option<End<'_>>) -> Conduct {
    let mut documents: Vec<(&Document, &Option<String>)> = Vec::new();
    let mut open_rectification = false;
    for (event, meaning) in events {
        let Meaning::Rule(_, rule) = meaning else { continue };
        open_rectification |= event.open();
        let recent = !event.is_struck()
            && (at < event.document.date.term_end(PENALTY_MONTHS) || held == Some(End::Penalty(&event.id)));
        if rule.gated && recent && !documents.contains(&(&event.document, &event.site)) {
            documents.push((&event.document, &event.site));
        }
    }
    Conduct {
        penalties: u32::try_from(documents.len()).unwrap_or(u32::MAX),
        open_rectification,
    }
}

fn gates_of(
    scheme: &Scheme,
    grade: &Grade,
    categories: &[Points],
    total: Points,
    conduct: &Conduct,
) -> Vec<(Gate, bool)> {
    let star = grade.star;
    let mut gates = vec![(
        Gate::Total {
            star,
            needed: grade.min_total,
            have: total,
        },
        total >= grade.min_total,
    )];
    for (position, needed) in &grade.min_each {
        let have = categories.get(*position).copied().unwrap_or_default();
        if let Some(category) = scheme.categories.get(*position) {
            let gate = Gate::Category {
                star,
                category: category.code.clone(),
                needed: *needed,
                have,
            };
            gates.push((gate, have >= *needed));
        }
    }
    if let Some(allowed) = grade.max_penalties {
        let have = conduct.penalties;
        gates.push((Gate::Penalties { star, allowed, have }, have <= allowed));
    }
    if !grade.allows_open_rectification {
        gates.push((Gate::Rectification { star }, !conduct.open_rectification));
    }
    gates
}

/// Positions count from the highest star down; `None` is below all of them.
fn blocked(
    scheme: &Scheme,
    base: Option<usize>,
    lowered: Option<usize>,
    strip: bool,
    gates: &[(Star, Vec<(Gate, bool)>)],
    vetoes: &[ActiveVeto],
) -> Vec<Gate> {
    let by_veto = strip || lowered != base;
    if by_veto {
        let named = vetoes.iter().filter_map(|active| scheme.veto(&active.veto));
        return named
            .filter_map(|veto| {
                let (code, name) = (veto.code.clone(), veto.name.clone());
                match veto.effect {
                    Effect::Strip => Some(Gate::Veto { veto: code, name }),
                    // Whoever is stripped has more to mend first; whom drops took below every star, no cap did.
                    Effect::Cap(_) if strip || lowered.is_none_or(|at| at >= scheme.grades.len()) => None,
                    Effect::Cap(_) => Some(Gate::Veto { veto: code, name }),
                    Effect::Drop(_) if strip => None,
                    Effect::Drop(stars) => Some(Gate::Drop {
                        veto: code,
                        name,
                        stars,
                    }),
                }
            })
            .collect();
    }
    let next = match base {
        Some(0) => return Vec::new(),
        Some(position) => position - 1,
        None => scheme.grades.len().saturating_sub(1),
    };
    let Some((_, gates)) = gates.get(next) else {
        return Vec::new();
    };
    gates
        .iter()
        .filter(|(_, holds)| !holds)
        .map(|(gate, _)| gate.clone())
        .collect()
}
