//! Names of editions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Year and number of an edition, `2026-1`. A higher one replaces a lower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Edition {
    year: u16,
    number: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an edition is written YEAR-NUMBER, e.g. 2026-1: {0:?}")]
pub struct MalformedEdition(pub String);

impl FromStr for Edition {
    type Err = MalformedEdition;

    fn from_str(raw: &str) -> Result<Self, MalformedEdition> {
        let parse = || {
            let (year, number) = raw.split_once('-')?;
            let edition = Edition {
                year: year.parse().ok()?,
                number: number.parse().ok()?,
            };
            // One spelling only: no sign, no leading zero.
            (edition.to_string() == raw).then_some(edition)
        };
        parse().ok_or_else(|| MalformedEdition(raw.chars().take(32).collect()))
    }
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.year, self.number)
    }
}

impl TryFrom<String> for Edition {
    type Error = MalformedEdition;

    fn try_from(raw: String) -> Result<Self, MalformedEdition> {
        raw.parse()
    }
}

impl From<Edition> for String {
    fn from(edition: Edition) -> String {
        edition.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editions_are_ordered_as_numbers() {
        let edition = |raw: &str| raw.parse::<Edition>().unwrap();
        assert!(edition("2026-2") < edition("2026-10"));
        assert!(edition("2026-10") < edition("2027-1"));
    }

    #[test]
    fn an_edition_has_one_spelling() {
        for raw in ["", "2026", "2026-01", "+2026-1", "2026-1 ", "2026-1-1", "x-1"] {
            assert!(raw.parse::<Edition>().is_err(), "{raw}");
        }
        assert_eq!("2026-1".parse::<Edition>().unwrap().to_string(), "2026-1");
    }
}
