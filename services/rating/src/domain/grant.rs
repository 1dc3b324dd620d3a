//! What a bonus item is claimed and awarded, and what that is worth.

use greenstar_kernel::{Code, Points};
use serde::{Deserialize, Serialize};

use super::event::Evidence;
use super::scheme::{FULL_MARK, Scheme, Scoring};

/// What the verifier found of one bonus item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Award {
    /// The item.
    pub item: Code,
    /// What it is worth.
    pub grant: Grant,
    /// What the enterprise claimed for it.
    pub claimed: Grant,
    /// What proves it.
    pub evidence: Vec<Evidence>,
    /// The verifier's note.
    pub note: String,
}

/// Points of an item without tiers, or the ticked conditions of one with tiers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// 0 to the item's max in steps of 0.5.
    Points(Points),
    /// Condition codes; the highest counts.
    Conditions(Vec<Code>),
}

/// Why a grant does not fit its item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// Not a bonus item of the scheme.
    #[error("the scheme has no bonus item {0}")]
    ItemUnknown(Code),
    /// Out of range, or not in the scheme's steps.
    #[error("item {item} takes 0 to {max} points in steps of {step}")]
    Points {
        /// The item.
        item: Code,
        /// The most it takes.
        max: Points,
        /// What they are multiples of.
        step: Points,
    },
    /// An unknown condition, or points where conditions are ticked, or the reverse.
    #[error("item {item} takes these conditions: {allowed:?}")]
    Tier {
        /// The item.
        item: Code,
        /// Its conditions; empty if it takes points.
        allowed: Vec<Code>,
    },
}

impl Grant {
    /// What it is worth in a scheme.
    ///
    /// # Errors
    /// [`GrantError`] if it does not fit the item.
    pub fn worth(&self, scheme: &Scheme, item: &Code) -> Result<Points, GrantError> {
        let unknown = || GrantError::ItemUnknown(item.clone());
        let found = scheme.item(item).ok_or_else(unknown)?;
        match (&found.scoring, self) {
            (Scoring::Deduction { .. }, _) => Err(unknown()),
            (Scoring::Steps, Grant::Points(points)) => {
                in_steps(*points, item, found.max, scheme.step)?;
                Ok(*points)
            }
            (Scoring::Marks, Grant::Points(mark)) => {
                in_steps(*mark, item, FULL_MARK, Points::whole(1))?;
                // Exact: a weight is a multiple of 0.01 at least, a mark whole.
                Ok(Points::from_milli(
                    found.max.milli() * mark.milli() / FULL_MARK.milli(),
                ))
            }
            (Scoring::Steps | Scoring::Marks, Grant::Conditions(_)) => Err(GrantError::Tier {
                item: item.clone(),
                allowed: Vec::new(),
            }),
            (Scoring::Tiers(tiers), grant) => {
                let wrong = || GrantError::Tier {
                    item: item.clone(),
                    allowed: tiers.iter().map(|tier| tier.when.clone()).collect(),
                };
                let Grant::Conditions(ticked) = grant else {
                    return Err(wrong());
                };
                let mut best = Points::ZERO;
                for code in ticked {
                    let tier = tiers.iter().find(|tier| tier.when == *code).ok_or_else(wrong)?;
                    best = best.max(tier.points);
                }
                Ok(best)
            }
        }
    }
}

fn in_steps(points: Points, item: &Code, max: Points, step: Points) -> Result<(), GrantError> {
    if !points.is_negative() && points <= max && points.milli() % step.milli() == 0 {
        return Ok(());
    }
    Err(GrantError::Points {
        item: item.clone(),
        max,
        step,
    })
}
