//! Positions in the change logs, and the token that carries them (protocol.md §1, §3).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// Position in one change log: gapless and in commit order; 0 is before the first change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    pub const ZERO: Revision = Revision(0);

    #[must_use]
    pub fn next(self) -> Revision {
        Revision(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one life of a database: minted with it, changed when a backup is restored.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// 1 to 64 characters of `[0-9A-Za-z-]`; anything else is not an epoch of ours.
    pub fn parse(raw: &str) -> Option<Epoch> {
        let fits =
            (1..=64).contains(&raw.len()) && raw.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        fits.then(|| Epoch(raw.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The three change logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Log {
    Rating,
    Sanctions,
    Policy,
}

impl Log {
    pub const ALL: [Log; 3] = [Log::Rating, Log::Sanctions, Log::Policy];

    pub fn as_str(self) -> &'static str {
        match self {
            Log::Rating => "rating",
            Log::Sanctions => "sanctions",
            Log::Policy => "policy",
        }
    }
}

/// A revision of a certain life of a log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    pub epoch: Epoch,
    pub revision: Revision,
}

/// What a caller has seen, per log. Opaque to callers, who hand it on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Token {
    rating: Option<Position>,
    sanctions: Option<Position>,
    policy: Option<Position>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedToken {
    #[error("the token is not one of ours, or was cut")]
    Unreadable,
    #[error("the tokens come from different lives of one database")]
    Mixed,
}

impl Token {
    pub fn of(log: Log, position: Position) -> Token {
        let mut token = Token::default();
        *token.slot(log) = Some(position);
        token
    }

    pub fn get(&self, log: Log) -> Option<&Position> {
        match log {
            Log::Rating => self.rating.as_ref(),
            Log::Sanctions => self.sanctions.as_ref(),
            Log::Policy => self.policy.as_ref(),
        }
    }

    /// The same token with one component set.
    #[must_use]
    pub fn with(mut self, log: Log, position: Position) -> Token {
        *self.slot(log) = Some(position);
        self
    }

    /// Element-wise maximum. Positions of different epochs have no order.
    pub fn join(mut self, other: &Token) -> Result<Token, MalformedToken> {
        for log in Log::ALL {
            let Some(theirs) = other.get(log) else { continue };
            let slot = self.slot(log);
            match slot {
                Some(ours) if ours.epoch != theirs.epoch => return Err(MalformedToken::Mixed),
                Some(ours) => ours.revision = ours.revision.max(theirs.revision),
                None => *slot = Some(theirs.clone()),
            }
        }
        Ok(self)
    }

    fn slot(&mut self, log: Log) -> &mut Option<Position> {
        match log {
            Log::Rating => &mut self.rating,
            Log::Sanctions => &mut self.sanctions,
            Log::Policy => &mut self.policy,
        }
    }
}

/// `1;epoch:revision;epoch:revision;epoch:revision` in URL-safe base64; an absent log is empty.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut plain = String::from("1");
        for log in Log::ALL {
            plain.push(';');
            if let Some(position) = self.get(log) {
                plain.push_str(&format!("{}:{}", position.epoch, position.revision));
            }
        }
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(plain))
    }
}

impl FromStr for Token {
    type Err = MalformedToken;

    fn from_str(raw: &str) -> Result<Self, MalformedToken> {
        if raw.len() > 512 {
            return Err(MalformedToken::Unreadable);
        }
        let plain = BASE64_URL_SAFE_NO_PAD
            .decode(raw)
            .map_err(|_| MalformedToken::Unreadable)?;
        let plain = String::from_utf8(plain).map_err(|_| MalformedToken::Unreadable)?;
        let mut parts = plain.split(';');
        if parts.next() != Some("1") {
            return Err(MalformedToken::Unreadable);
        }
        let mut token = Token::default();
        for log in Log::ALL {
            let part = parts.next().ok_or(MalformedToken::Unreadable)?;
            if part.is_empty() {
                continue;
            }
            let (epoch, revision) = part.split_once(':').ok_or(MalformedToken::Unreadable)?;
            let epoch = Epoch::parse(epoch).ok_or(MalformedToken::Unreadable)?;
            let revision = Revision(revision.parse().map_err(|_| MalformedToken::Unreadable)?);
            *token.slot(log) = Some(Position { epoch, revision });
        }
        match parts.next() {
            Some(_) => Err(MalformedToken::Unreadable),
            None => Ok(token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(epoch: &str, revision: u64) -> Position {
        Position {
            epoch: Epoch::parse(epoch).unwrap(),
            revision: Revision(revision),
        }
    }

    #[test]
    fn join_takes_the_later_of_each_log() {
        let left = Token::of(Log::Rating, at("a", 5)).with(Log::Policy, at("p", 1));
        let right = Token::of(Log::Rating, at("a", 3)).with(Log::Sanctions, at("s", 9));
        let joined = left.join(&right).unwrap();
        assert_eq!(joined.get(Log::Rating), Some(&at("a", 5)));
        assert_eq!(joined.get(Log::Sanctions), Some(&at("s", 9)));
        assert_eq!(joined.get(Log::Policy), Some(&at("p", 1)));
    }

    #[test]
    fn lives_of_a_database_do_not_mix() {
        let token = Token::of(Log::Rating, at("a", 5));
        assert_eq!(
            token.join(&Token::of(Log::Rating, at("b", 5))),
            Err(MalformedToken::Mixed)
        );
    }

    proptest! {
        #[test]
        fn tokens_round_trip(rating in proptest::option::of(any::<u64>()), policy in proptest::option::of(any::<u64>())) {
            let mut token = Token::default();
            if let Some(revision) = rating {
                token = token.with(Log::Rating, at("0193-ab", revision));
            }
            if let Some(revision) = policy {
                token = token.with(Log::Policy, at("X", revision));
            }
            prop_assert_eq!(token.to_string().parse::<Token>(), Ok(token));
        }

        #[test]
        fn any_text_parses_or_is_refused(raw in "\\PC{0,80}") {
            let _ = raw.parse::<Token>();
        }
    }
}
