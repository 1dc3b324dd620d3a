//! Small parts of the contract as domain types.

use std::time::Duration;

use greenstar_kernel::{Date, LocalizedText, Position, RatingState, Timestamp};
use greenstar_proto::common::v1 as common;
use pbjson_types as wkt;

use crate::domain::catalogue::Severity;
use crate::view::Unreadable;

pub(crate) fn to_position(position: &Position) -> common::Position {
    common::Position {
        epoch: position.epoch.to_string(),
        revision: position.revision.0,
    }
}

pub(crate) fn instant(at: &wkt::Timestamp) -> Timestamp {
    Timestamp::from_micros(
        at.seconds
            .saturating_mul(1_000_000)
            .saturating_add(i64::from(at.nanos / 1_000)),
    )
}

pub(crate) fn optional_instant(at: Option<&wkt::Timestamp>) -> Option<Timestamp> {
    at.map(instant)
}

pub(crate) fn to_instant(at: Timestamp) -> wkt::Timestamp {
    let micros = at.micros();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    wkt::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos,
    }
}

/// A negative span is none.
pub(crate) fn span(span: Option<wkt::Duration>) -> Option<Duration> {
    let wkt::Duration { seconds, nanos } = span?;
    Some(Duration::new(
        u64::try_from(seconds).ok()?,
        u32::try_from(nanos).ok()?,
    ))
}

pub(super) fn severity(raw: i32) -> Result<Severity, Unreadable> {
    match common::Severity::try_from(raw) {
        Ok(common::Severity::Minor) => Ok(Severity::Minor),
        Ok(common::Severity::Ordinary) => Ok(Severity::Ordinary),
        Ok(common::Severity::Serious) => Ok(Severity::Serious),
        Ok(common::Severity::Unspecified) | Err(_) => Err(Unreadable),
    }
}

pub(super) fn state(raw: i32) -> Result<RatingState, Unreadable> {
    match common::RatingState::try_from(raw) {
        Ok(common::RatingState::Rated) => Ok(RatingState::Rated),
        Ok(common::RatingState::NotRated) => Ok(RatingState::NotRated),
        Ok(common::RatingState::NotListed) => Ok(RatingState::NotListed),
        Ok(common::RatingState::Vetoed) => Ok(RatingState::Vetoed),
        Ok(common::RatingState::Suspended) => Ok(RatingState::Suspended),
        Ok(common::RatingState::Expired) => Ok(RatingState::Expired),
        Ok(common::RatingState::Unspecified) | Err(_) => Err(Unreadable),
    }
}

pub(super) fn text(text: Option<common::LocalizedText>) -> Result<LocalizedText, Unreadable> {
    let common::LocalizedText { zh, en } = text.ok_or(Unreadable)?;
    Ok(LocalizedText { zh, en })
}

/// Empty: none.
pub(super) fn date(raw: &str) -> Result<Option<Date>, Unreadable> {
    if raw.is_empty() {
        Ok(None)
    } else {
        raw.parse().map(Some).map_err(|_| Unreadable)
    }
}

/// Empty: none.
pub(super) fn optional<T: std::str::FromStr>(raw: &str) -> Result<Option<T>, Unreadable> {
    if raw.is_empty() {
        Ok(None)
    } else {
        raw.parse().map(Some).map_err(|_| Unreadable)
    }
}
