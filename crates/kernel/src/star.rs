//! Stars and the states in which there is none.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A rank, 1 to 5; labels and colours are scheme data. No star is a state
/// ([`RatingState`]), never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Star(u8);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a star is a rank from 1 to 5, got {0}")]
pub struct StarOutOfRange(pub i64);

impl Star {
    pub const ALL: [Star; 5] = [Star(1), Star(2), Star(3), Star(4), Star(5)];

    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<i64> for Star {
    type Error = StarOutOfRange;

    fn try_from(raw: i64) -> Result<Self, StarOutOfRange> {
        match u8::try_from(raw) {
            Ok(rank @ 1..=5) => Ok(Self(rank)),
            _ => Err(StarOutOfRange(raw)),
        }
    }
}

impl From<Star> for i64 {
    fn from(star: Star) -> i64 {
        i64::from(star.0)
    }
}

impl fmt::Display for Star {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why an enterprise has a star or none. The states stay distinct in every answer:
/// a missing star is not a bad mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RatingState {
    /// Has a star.
    Rated,
    /// Nobody enrolled it, or it could not be graded.
    NotRated,
    /// Took part and stayed below the threshold; no adverse effect.
    NotListed,
    /// A one-vote veto is active.
    Vetoed,
    /// Set aside while an authority decides.
    Suspended,
    /// The yearly validity has ended.
    Expired,
}

impl RatingState {
    pub const ALL: [RatingState; 6] = [
        RatingState::Rated,
        RatingState::NotRated,
        RatingState::NotListed,
        RatingState::Vetoed,
        RatingState::Suspended,
        RatingState::Expired,
    ];

    /// As written in stores, tables and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            RatingState::Rated => "RATED",
            RatingState::NotRated => "NOT_RATED",
            RatingState::NotListed => "NOT_LISTED",
            RatingState::Vetoed => "VETOED",
            RatingState::Suspended => "SUSPENDED",
            RatingState::Expired => "EXPIRED",
        }
    }

    pub fn parse(raw: &str) -> Option<RatingState> {
        RatingState::ALL.into_iter().find(|state| state.as_str() == raw)
    }
}

/// A star, or the state of having none: the pair "rated without a star" cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    Rated(Star),
    NotRated,
    NotListed,
    Vetoed,
    Suspended,
    Expired,
}

impl Standing {
    pub fn star(self) -> Option<Star> {
        match self {
            Standing::Rated(star) => Some(star),
            Standing::NotRated
            | Standing::NotListed
            | Standing::Vetoed
            | Standing::Suspended
            | Standing::Expired => None,
        }
    }

    pub fn state(self) -> RatingState {
        match self {
            Standing::Rated(_) => RatingState::Rated,
            Standing::NotRated => RatingState::NotRated,
            Standing::NotListed => RatingState::NotListed,
            Standing::Vetoed => RatingState::Vetoed,
            Standing::Suspended => RatingState::Suspended,
            Standing::Expired => RatingState::Expired,
        }
    }

    /// `None` where state and star do not belong together.
    pub fn from_parts(state: RatingState, star: Option<Star>) -> Option<Standing> {
        match (state, star) {
            (RatingState::Rated, Some(star)) => Some(Standing::Rated(star)),
            (RatingState::NotRated, None) => Some(Standing::NotRated),
            (RatingState::NotListed, None) => Some(Standing::NotListed),
            (RatingState::Vetoed, None) => Some(Standing::Vetoed),
            (RatingState::Suspended, None) => Some(Standing::Suspended),
            (RatingState::Expired, None) => Some(Standing::Expired),
            (RatingState::Rated, None)
            | (
                RatingState::NotRated
                | RatingState::NotListed
                | RatingState::Vetoed
                | RatingState::Suspended
                | RatingState::Expired,
                Some(_),
            ) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_to_five() {
        for raw in [0, 6, -1, 261] {
            assert_eq!(Star::try_from(raw), Err(StarOutOfRange(raw)));
        }
        assert!(Star::ALL.into_iter().map(i64::from).eq(1..=5));
    }

    #[test]
    fn a_standing_round_trips_and_a_rating_without_a_star_is_none() {
        for state in RatingState::ALL {
            assert_eq!(RatingState::parse(state.as_str()), Some(state));
            let star = (state == RatingState::Rated).then_some(Star(4));
            let standing = Standing::from_parts(state, star).unwrap();
            assert_eq!((standing.state(), standing.star()), (state, star));
        }
        assert_eq!(Standing::from_parts(RatingState::Rated, None), None);
        assert_eq!(Standing::from_parts(RatingState::Vetoed, Some(Star(5))), None);
    }
}
