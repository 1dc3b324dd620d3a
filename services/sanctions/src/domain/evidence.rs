//! What a document imposes, and what proves it.

use std::fmt;
use std::str::FromStr;

use greenstar_kernel::Code;
use serde::{Deserialize, Serialize};

/// A penalty that a document imposes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Penalty {
    /// Type by the catalogue, e.g. `fine-large`.
    #[serde(rename = "type")]
    pub of_type: Code,
    /// `None` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Yuan>,
}

/// An amount of money in yuan: exact, at most two places.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Yuan(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount is written in yuan with at most two places, e.g. 250000.00: {0:?}")]
pub struct MalformedYuan(pub String);

impl FromStr for Yuan {
    type Err = MalformedYuan;

    fn from_str(raw: &str) -> Result<Self, MalformedYuan> {
        let (whole, cents) = raw.split_once('.').unwrap_or((raw, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        // One spelling only: no sign, no leading zero.
        let plain = whole == "0" || !whole.starts_with('0');
        if digits(whole) && digits(cents) && plain && whole.len() <= 15 && cents.len() <= 2 {
            Ok(Yuan(raw.to_owned()))
        } else {
            Err(MalformedYuan(raw.chars().take(32).collect()))
        }
    }
}

impl TryFrom<String> for Yuan {
    type Error = MalformedYuan;

    fn try_from(raw: String) -> Result<Self, MalformedYuan> {
        raw.parse()
    }
}

impl From<Yuan> for String {
    fn from(amount: Yuan) -> String {
        amount.0
    }
}

impl fmt::Display for Yuan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file that proves something; only its hash is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it is, for people.
    pub title: String,
    pub sha256: Sha256,
    /// Where it is found; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reference: String,
}

/// A SHA-256 in lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 is written with 64 hexadecimal digits: {0:?}")]
pub struct MalformedSha256(pub String);

impl Sha256 {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Sha256 {
    type Err = MalformedSha256;

    fn from_str(raw: &str) -> Result<Self, MalformedSha256> {
        if raw.len() == 64 && raw.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Sha256(raw.to_ascii_lowercase()))
        } else {
            Err(MalformedSha256(raw.chars().take(72).collect()))
        }
    }
}

impl TryFrom<String> for Sha256 {
    type Error = MalformedSha256;

    fn try_from(raw: String) -> Result<Self, MalformedSha256> {
        raw.parse()
    }
}

impl From<Sha256> for String {
    fn from(hash: Sha256) -> String {
        hash.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_kept_in_lower_case() {
        let raw = "AB".repeat(32);
        assert_eq!(raw.parse::<Sha256>().unwrap().as_str(), "ab".repeat(32));
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        for raw in [
            "",
            "ab",
            &"ab".repeat(33),
            &"xy".repeat(32),
            &"é".repeat(32),
            &format!("{} ", "a".repeat(63)),
        ] {
            assert!(raw.parse::<Sha256>().is_err(), "{raw}");
        }
    }

    #[test]
    fn an_amount_has_one_spelling_and_is_kept_exactly() {
        for raw in ["0", "0.5", "250000", "250000.00", "999999999999999.99"] {
            assert_eq!(raw.parse::<Yuan>().unwrap().to_string(), raw);
        }
        for raw in [
            "",
            ".",
            "1.",
            ".5",
            "01",
            "-1",
            "+1",
            "1.005",
            "1e6",
            "1,000",
            " 1",
            "9999999999999999",
        ] {
            assert!(raw.parse::<Yuan>().is_err(), "{raw}");
        }
    }
}
