//! One consistent look at what is known.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::Guard;
use greenstar_kernel::{Epoch, Log, Position, Revision, Timestamp, Token, Uscc};

use super::policies::{Ruling, Rulings};
use super::population::Population;
use super::row::Unreadable;
use super::{flags, ratings};
use crate::domain::facts::{Facts, Flag};

/// What a decision is computed from, and when.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) reading: Reading,
    /// How old the reading may be; `None`: nobody can say.
    pub(crate) age: Option<Duration>,
    /// By the monotonic clock.
    pub(crate) now: Duration,
    /// The instant to decide for.
    pub(crate) as_of: Timestamp,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Applied {
    pub(super) rating: Revision,
    pub(super) sanctions: Revision,
    pub(super) policy: Revision,
}

/// What a decision sees: all of it at least as new as [`super::View::token`] says.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(super) ratings: Guard<Option<Arc<ratings::Generation>>>,
    pub(super) flags: Guard<Option<Arc<flags::Generation>>>,
    pub(super) rulings: Guard<Option<Arc<Rulings>>>,
    pub(super) applied: Applied,
}

impl Reading {
    /// Facts of any enterprise; of one that nobody registered too.
    ///
    /// # Errors
    /// Something is known about it that cannot be read, so nothing is clear (P10).
    pub(crate) fn facts(&self, uscc: &Uscc) -> Result<Facts, Unreadable> {
        let (Some(ratings), Some(flags)) = (self.ratings.as_ref(), self.flags.as_ref()) else {
            return Err(Unreadable);
        };
        ratings.facts(uscc, flags.get(uscc)?)
    }

    /// Whether anything is known about an enterprise, found as [`Reading::facts`] finds it.
    pub(crate) fn finds(&self, uscc: &Uscc) -> bool {
        self.ratings.as_ref().is_some_and(|ratings| ratings.finds(uscc))
            || self.flags.as_ref().is_some_and(|flags| flags.finds(uscc))
    }

    /// All enterprises with flags; those that can be read.
    pub(crate) fn flagged(&self) -> Vec<(Uscc, Arc<[Flag]>)> {
        let all = self.flags.as_ref().map(|flags| flags.all()).unwrap_or_default();
        all.into_iter()
            .filter_map(|(uscc, flags)| Some((uscc, flags.ok()?)))
            .collect()
    }

    /// Everybody as they are now: at least as new as the token says, and nothing changes while one goes through them.
    pub(crate) fn population(&self) -> Option<Population> {
        Some(Population::of(self.ratings.as_ref()?, self.flags.as_ref()?))
    }

    /// A log of which `token` has seen what this has not.
    pub(crate) fn misses(&self, token: &Token) -> Option<Log> {
        if *token == Token::default() {
            return None;
        }
        let seen = self.token();
        Log::ALL
            .into_iter()
            .find(|log| match (token.get(*log), seen.get(*log)) {
                (None, _) => false,
                (Some(wanted), Some(seen)) => seen.epoch != wanted.epoch || seen.revision < wanted.revision,
                (Some(_), None) => true,
            })
    }

    /// What decides at this instant.
    pub(crate) fn ruling(&self, as_of: Timestamp) -> Option<&Ruling> {
        self.rulings.as_ref().map(|rulings| rulings.at(as_of))
    }

    /// What was applied when this was read.
    pub(super) fn token(&self) -> Token {
        let at = |epoch: &Epoch, revision| Position {
            epoch: epoch.clone(),
            revision,
        };
        let mut token = Token::default();
        if let Some(ratings) = self.ratings.as_ref() {
            token = token.with(Log::Rating, at(ratings.epoch(), self.applied.rating));
        }
        if let Some(flags) = self.flags.as_ref() {
            token = token.with(Log::Sanctions, at(flags.epoch(), self.applied.sanctions));
        }
        if let Some(rulings) = self.rulings.as_ref() {
            token = token.with(Log::Policy, at(&rulings.applied.epoch, self.applied.policy));
        }
        token
    }
}
