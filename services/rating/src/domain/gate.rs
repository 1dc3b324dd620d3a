//! What keeps a standing from being one better.

use greenstar_kernel::{Code, LocalizedText, Points, Star};
use serde::{Deserialize, Serialize};

/// Something that a star takes, with the figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// A total.
    Total {
        /// The star.
        star: Star,
        /// What it takes.
        needed: Points,
        /// What there is.
        have: Points,
    },
    /// Points of a category.
    Category {
        /// The star.
        star: Star,
        /// The category.
        category: Code,
        /// What it takes.
        needed: Points,
        /// What there is.
        have: Points,
    },
    /// Penalties of 24 months.
    Penalties {
        /// The star.
        star: Star,
        /// How many it allows.
        allowed: u32,
        /// How many there are.
        have: u32,
    },
    /// No open rectification.
    Rectification {
        /// The star.
        star: Star,
    },
    /// A veto that caps or strips.
    Veto {
        /// Its code.
        veto: Code,
        /// Its name.
        name: LocalizedText,
    },
    /// A veto that drops.
    Drop {
        /// Its code.
        veto: Code,
        /// Its name.
        name: LocalizedText,
        /// So many stars.
        stars: u8,
    },
    /// Joint deliberation lowered it.
    Deliberation {
        /// The most that it left.
        star: Option<Star>,
        /// Why.
        reason: String,
    },
}

impl Gate {
    /// What it asks, with the figures.
    pub fn text(&self) -> LocalizedText {
        match self {
            Gate::Total { star, needed, have } => LocalizedText::new(
                format!("{star} 星要求总分不低于 {needed}，现为 {have}"),
                format!("{star} stars take a total of {needed}; it is {have}"),
            ),
            Gate::Category {
                star,
                category,
                needed,
                have,
            } => LocalizedText::new(
                format!("{star} 星要求 {category} 类不低于 {needed} 分，现为 {have}"),
                format!("{star} stars take {needed} points in category {category}; it has {have}"),
            ),
            Gate::Penalties { star, allowed, have } => LocalizedText::new(
                format!("{star} 星要求近 24 个月行政处罚不超过 {allowed} 件，现为 {have} 件"),
                format!("{star} stars allow {allowed} penalties in 24 months; there are {have}"),
            ),
            Gate::Rectification { star } => LocalizedText::new(
                format!("{star} 星要求没有未完成的整改"),
                format!("{star} stars take that no rectification is open"),
            ),
            Gate::Veto { veto, name } => LocalizedText::new(
                format!("否决或限级情形 {veto} 仍在适用：{}", name.zh),
                format!("veto {veto} is active: {}", name.en),
            ),
            Gate::Drop { veto, name, stars } => LocalizedText::new(
                format!("降级情形 {veto} 仍在适用，降 {stars} 星：{}", name.zh),
                format!("veto {veto} is active and drops the star by {stars}: {}", name.en),
            ),
            Gate::Deliberation { star, reason } => {
                let (zh, en) = match star {
                    Some(star) => (format!("至多 {star} 星"), format!("{star} stars at most")),
                    None => ("不纳入名录".to_owned(), "no star".to_owned()),
                };
                LocalizedText::new(
                    format!("联合会审决定{zh}：{reason}"),
                    format!("joint deliberation allows {en}: {reason}"),
                )
            }
        }
    }
}
