//! What time alone will change: the next instant at which a rating is another one (protocol.md §6).

use std::cmp::Reverse;

use greenstar_kernel::{Code, LocalizedText, Points, Standing, Timestamp};
use serde::{Deserialize, Serialize};

use super::event::{Event, Meaning};
use super::repeat::meant;
use super::scheme::{PENALTY_MONTHS, Rule, Scheme};
use super::score::{Assessment, Award, CategoryPoints, End, ScoreError, assess, assess_holding};

/// A change that comes without an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// When.
    pub at: Timestamp,
    /// The standing from then on.
    pub standing: Standing,
    /// The total from then on.
    pub total: Points,
    /// Points by category from then on.
    pub categories: Vec<CategoryPoints>,
    /// What ends and thereby changes the rating; never empty.
    pub causes: Vec<Cause>,
}

/// Something that ends at a transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The yearly validity.
    Validity,
    /// A veto.
    Veto(Ended),
    /// The window of an event.
    Window(Ended),
    /// The 24 months in which a penalty counts for the gate.
    Penalty(Ended),
    /// The plan of rectification that suspended the points of an event.
    Suspension(Ended),
}

/// The event of a cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its id.
    pub event: Code,
    /// The kind that it counts as.
    pub kind: Code,
    /// That kind's title.
    pub title: LocalizedText,
}

impl Cause {
    pub(super) fn text(&self) -> LocalizedText {
        match self {
            Cause::Validity => LocalizedText::new("评级有效期届满", "the rating's validity ends"),
            Cause::Veto(Ended { title, .. }) => LocalizedText::new(
                format!("否决或降级情形“{}”期满", title.zh),
                format!("the veto \"{}\" ends", title.en),
            ),
            Cause::Window(Ended { title, .. }) => LocalizedText::new(
                format!("“{}”的计分期限届满", title.zh),
                format!("\"{}\" no longer deducts", title.en),
            ),
            Cause::Suspension(Ended { title, .. }) => LocalizedText::new(
                format!("整改方案到期，“{}”恢复计分", title.zh),
                format!(
                    "the plan of rectification ends, and \"{}\" deducts again",
                    title.en
                ),
            ),
            Cause::Penalty(Ended { title, .. }) => LocalizedText::new(
                format!("处罚“{}”满 24 个月，不再计入", title.zh),
                format!(
                    "the penalty \"{}\" is 24 months old and no longer counts",
                    title.en
                ),
            ),
        }
    }

    fn text_for_others(&self) -> LocalizedText {
        match self {
            Cause::Validity => self.text(),
            Cause::Veto(_) | Cause::Window(_) | Cause::Penalty(_) | Cause::Suspension(_) => {
                LocalizedText::new("计分期限届满", "a term ends")
            }
        }
    }
}

impl Transition {
    /// All causes, for people who may know what was recorded.
    pub fn cause(&self) -> LocalizedText {
        Transition::joined(self.causes.iter().map(Cause::text).collect())
    }

    /// For others, who are told that time changes the rating and not what was recorded
    /// (docs/adr/0003-who-sees-a-missing-star.md).
    pub fn cause_for_others(&self) -> LocalizedText {
        Transition::joined(self.causes.iter().map(Cause::text_for_others).collect())
    }

    fn joined(mut texts: Vec<LocalizedText>) -> LocalizedText {
        texts.dedup();
        let join = |separator: &str, part: fn(&LocalizedText) -> &str| {
            texts.iter().map(part).collect::<Vec<_>>().join(separator)
        };
        LocalizedText::new(join("；", |text| &text.zh), join("; ", |text| &text.en))
    }
}

/// The earliest change after `now`; `None` if time changes nothing. Found by scoring again at every instant at
/// which something ends.
///
/// # Errors
/// [`ScoreError`] as the score itself.
pub fn next_transition(
    scheme: &Scheme,
    awards: &[Award],
    events: &[Event],
    valid_until: Timestamp,
    now: Timestamp,
) -> Result<Option<Transition>, ScoreError> {
    let mut before = assess(scheme, awards, events, valid_until, now)?;
    let meant = meant(scheme, events)?;
    for together in ends(&meant, valid_until, now).chunk_by(|a, b| a.0 == b.0) {
        let Some((at, _)) = together.first().copied() else {
            continue;
        };
        let then = assess(scheme, awards, events, valid_until, at)?;
        if !changes(&before, &then) {
            before = then;
            continue;
        }
        let mut changing = Vec::new();
        let counted = || {
            together
                .iter()
                .map(|(_, end)| *end)
                .filter(|end| counted(&before, *end))
        };
        for end in counted() {
            let held = assess_holding(scheme, awards, events, valid_until, at, Some(end))?;
            if changes(&held, &then) {
                changing.push(end);
            }
        }
        // Where each of several ends alone would have done, all are the cause.
        if changing.is_empty() {
            changing.extend(counted());
        }
        let causes = changing
            .into_iter()
            .filter_map(|end| cause(&meant, end))
            .collect();
        let Assessment {
            standing,
            total,
            categories,
            ..
        } = then;
        return Ok(Some(Transition {
            at,
            standing,
            total,
            categories,
            causes,
        }));
    }
    Ok(None)
}

fn changes(before: &Assessment, after: &Assessment) -> bool {
    before.standing != after.standing || before.total != after.total || before.categories != after.categories
}

/// Whether the thing had a part in the result: an event beside a stronger one of its document has none.
pub(super) fn counted(before: &Assessment, end: End<'_>) -> bool {
    match end {
        End::Validity | End::Penalty(_) | End::Suspension(_) => true,
        End::Veto(id) => before.vetoes.iter().any(|veto| veto.event == *id),
        End::Window(id) => {
            let mut deductions = before.lines.iter().flat_map(|line| &line.deductions);
            deductions.any(|deduction| deduction.event == *id)
        }
    }
}

pub(super) fn cause(meant: &[(&Event, Meaning<'_>)], end: End<'_>) -> Option<Cause> {
    let ended = |id: &Code| {
        let (_, meaning) = meant.iter().find(|(event, _)| event.id == *id)?;
        Some(Ended {
            event: id.clone(),
            kind: meaning.code().clone(),
            title: meaning.title().clone(),
        })
    };
    match end {
        End::Validity => Some(Cause::Validity),
        End::Veto(id) => ended(id).map(Cause::Veto),
        End::Window(id) => ended(id).map(Cause::Window),
        End::Penalty(id) => ended(id).map(Cause::Penalty),
        End::Suspension(id) => ended(id).map(Cause::Suspension),
    }
}

/// Everything that ends after `now`, in order.
pub(super) fn ends<'a>(
    meant: &[(&'a Event, Meaning<'a>)],
    valid_until: Timestamp,
    now: Timestamp,
) -> Vec<(Timestamp, End<'a>)> {
    let mut ends = vec![(valid_until, End::Validity)];
    for (event, meaning) in meant {
        match meaning {
            Meaning::Rule(_, rule) => {
                if penalty(meant, event, rule) {
                    let end = event.document.date.term_end(PENALTY_MONTHS);
                    ends.push((end, End::Penalty(&event.id)));
                }
                ends.push((event.end(*meaning), End::Window(&event.id)));
                if let Some(until) = event.suspended_until(now).filter(|_| rule.suspendable) {
                    ends.push((until, End::Suspension(&event.id)));
                }
            }
            // Without the confirmation no time ends it.
            Meaning::Veto(_) if event.rectified_at.is_some() => {
                ends.push((event.end(*meaning), End::Veto(&event.id)));
            }
            Meaning::Veto(_) => {}
        }
    }
    ends.retain(|(at, _)| *at > now);
    ends.sort();
    ends
}

/// Whether an event stands for its document at the penalty gate, which counts documents: the heaviest of them does.
fn penalty(meant: &[(&Event, Meaning<'_>)], event: &Event, rule: &Rule) -> bool {
    let gated = |event: &Event, rule: &Rule| rule.gated && !event.is_struck();
    let heavier = |(other, meaning): &(&Event, Meaning<'_>)| match meaning {
        Meaning::Rule(_, other_rule) => {
            gated(other, other_rule)
                && other.same_document(event)
                && (Reverse(other_rule.points), &other.id) < (Reverse(rule.points), &event.id)
        }
        Meaning::Veto(_) => false,
    };
    gated(event, rule) && !meant.iter().any(heavier)
}
