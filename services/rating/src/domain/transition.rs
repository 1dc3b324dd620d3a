//! What time alone will change: the next instant at which a rating is another one (protocol.md §6).

use greenstar_kernel::{Code, LocalizedText, Points, Standing, Timestamp};
use serde::{Deserialize, Serialize};

use super::event::{Event, Meaning};
use super::scheme::{PENALTY_MONTHS, Scheme};
use super::score::{Assessment, Award, CategoryPoints, ScoreError, assess};

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
    /// What ends.
    pub cause: Cause,
}

/// What ends at a transition; of several at one instant the first of this list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The yearly validity.
    Validity,
    /// A veto.
    Veto {
        /// Its event.
        event: Code,
        /// Its code.
        kind: Code,
    },
    /// The window of an event.
    Window {
        /// The event.
        event: Code,
        /// Its kind.
        kind: Code,
    },
    /// The 24 months in which a penalty counts for the gate.
    Penalty {
        /// The event.
        event: Code,
        /// Its kind.
        kind: Code,
    },
}

impl Cause {
    /// For people.
    pub fn text(&self) -> LocalizedText {
        match self {
            Cause::Validity => LocalizedText::new("评级有效期届满", "the rating's validity ends"),
            Cause::Veto { kind, .. } => {
                LocalizedText::new(format!("否决情形 {kind} 到期"), format!("veto {kind} ends"))
            }
            Cause::Window { kind, .. } => LocalizedText::new(
                format!("事件 {kind} 的计分期限届满"),
                format!("the window of event {kind} ends"),
            ),
            Cause::Penalty { kind, .. } => LocalizedText::new(
                format!("处罚 {kind} 满 24 个月，不再计入"),
                format!("penalty {kind} is 24 months old and no longer counts"),
            ),
        }
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
    let current = assess(scheme, awards, events, valid_until, now)?;
    for (at, cause) in ends(scheme, events, valid_until, now) {
        let then = assess(scheme, awards, events, valid_until, at)?;
        if changes(&current, &then) {
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
                cause,
            }));
        }
    }
    Ok(None)
}

fn changes(before: &Assessment, after: &Assessment) -> bool {
    before.standing != after.standing || before.total != after.total || before.categories != after.categories
}

/// Everything that ends after `now`, in order.
fn ends(
    scheme: &Scheme,
    events: &[Event],
    valid_until: Timestamp,
    now: Timestamp,
) -> Vec<(Timestamp, Cause)> {
    let mut ends = vec![(valid_until, Cause::Validity)];
    for event in events {
        let (id, kind) = (event.id.clone(), event.kind.clone());
        match Meaning::of(scheme, &event.kind) {
            Some(meaning @ Meaning::Rule(_, rule)) => {
                if rule.gated && event.repaired_at.is_none() {
                    let end = event.document.date.term_end(PENALTY_MONTHS);
                    ends.push((
                        end,
                        Cause::Penalty {
                            event: id.clone(),
                            kind: kind.clone(),
                        },
                    ));
                }
                ends.push((event.end(meaning), Cause::Window { event: id, kind }));
            }
            // Without the confirmation no time ends it.
            Some(meaning @ Meaning::Veto(_)) if event.rectified_at.is_some() => {
                ends.push((event.end(meaning), Cause::Veto { event: id, kind }));
            }
            Some(Meaning::Veto(_)) | None => {}
        }
    }
    ends.retain(|(at, _)| *at > now);
    ends.sort();
    ends
}
