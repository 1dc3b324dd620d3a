//! What is assumed while nobody decides: newer data might have taken the star away or changed it, so the matter is
//! answered with the rating that is known and without any, and nothing is milder than either.

use super::catalogue::{Catalogue, MeasureClass};
use super::columns::Reading;
use super::decide::{AppliedMeasure, DecideError, Decision, settle};
use super::facts::{Facts, Flag, RatingFacts};
use super::matter::{Arguments, Matter};
use super::policy::Policy;
use super::reason::ReasonKind;
use greenstar_kernel::Timestamp;

impl Facts {
    /// The same, as if it had never been rated.
    #[must_use]
    pub fn unrated(&self) -> Facts {
        Facts {
            rating: RatingFacts::not_rated(),
            ..self.clone()
        }
    }

    /// A flag in force whose kind the catalogue does not have, so that nobody can say what it means. An edition may
    /// have dropped the kind.
    pub fn unknown_flag(&self, catalogue: &Catalogue, as_of: Timestamp) -> Option<&Flag> {
        let mut flags = self.flags.iter();
        flags.find(|flag| flag.in_force(as_of) && catalogue.kind_position(&flag.kind).is_none())
    }
}

/// Decides with the facts and with `unrated`, which are [`Facts::unrated`] of them. The more severe outcome counts;
/// measures of both join by the stricter value, and a favour stands only where both give it. Star and state stay
/// those known. A flag whose kind the catalogue does not have is set aside: it is why nobody decides, or as old as the
/// rest. What was in the way of a better outcome is not said: it would speak of facts that were set aside.
///
/// # Errors
/// As [`decide`].
pub fn decide_cautiously<'a>(
    policy: &'a Policy,
    matter: &'a Matter,
    facts: &'a Facts,
    unrated: &'a Facts,
    arguments: &'a Arguments,
    as_of: Timestamp,
) -> Result<Decision<'a>, DecideError> {
    let settled = |facts: &'a Facts| {
        let reading = Reading::of_known(facts, arguments, matter, &policy.catalogue, as_of);
        settle(policy, matter, reading)
    };
    let (rated, without) = (settled(facts)?, settled(unrated)?);
    let known = rated.decision.rating;
    let (mut kept, other) = if without.outcome > rated.outcome {
        (without.decision, rated.decision)
    } else {
        (rated.decision, without.decision)
    };
    kept.rating = known;
    kept.also = Some(other.facts);
    kept.measures.retain(|measure| {
        measure.entry.class != MeasureClass::Favour || other.measure(measure.entry.code.as_str()).is_some()
    });
    if join(&mut kept.measures, other.measures) {
        // What was taken over is explained.
        for reason in other.reasons {
            let named = kept.reasons.iter().any(|known| known.row() == reason.row());
            if reason.kind() == ReasonKind::Row && !named {
                kept.reasons.push(reason);
            }
        }
    }
    Ok(kept)
}

/// Whether anything was taken over.
fn join<'a>(kept: &mut Vec<AppliedMeasure<'a>>, others: Vec<AppliedMeasure<'a>>) -> bool {
    let mut taken = false;
    for other in others {
        match kept.iter_mut().find(|measure| measure.position == other.position) {
            Some(measure) => {
                let before = measure.value;
                measure.join_value(other.value);
                taken |= measure.value != before;
                measure.ends = measure.ends.zip(other.ends).map(|(left, right)| left.max(right));
            }
            None if other.entry.class == MeasureClass::Favour => {}
            None => {
                taken = true;
                kept.push(other);
            }
        }
    }
    taken
}
