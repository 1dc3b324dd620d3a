//! Schemes: stored once they are proved, and brought into use by another officer.

use std::sync::Arc;

use greenstar_kernel::{Caller, Timestamp};

use super::{Answer, Notice, StoredScheme, World};
use crate::domain::activation::{Activation, in_force};
use crate::domain::error::Refusal;
use crate::domain::scheme::{Scheme, SchemeKey};

pub(super) fn create(
    world: &mut World,
    by: &Caller,
    source: &str,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let scheme = Scheme::proved(source)?;
    let key = scheme.key.clone();
    if world.scheme(&key).is_ok() {
        return Err(Refusal::SchemeExists(key));
    }
    world.changes.schemes.insert(key.clone());
    world.schemes.push(Arc::new(StoredScheme {
        scheme,
        source: source.to_owned(),
        created_at: at,
        author: by.officer().cloned(),
    }));
    Ok((Answer::Scheme(key.clone()), vec![Notice::Scheme(key)]))
}

/// Instants of one scheme only move on, so that what was in use at an instant never changes afterwards.
pub(super) fn activate(
    world: &mut World,
    by: &Caller,
    key: &SchemeKey,
    from: Option<Timestamp>,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let stored = world.scheme(key)?;
    let officer = by.officer().ok_or(Refusal::NotYours)?;
    if stored.author.as_ref() == Some(officer) {
        return Err(Refusal::SameOfficer(officer.clone()));
    }
    if world.activations.iter().any(|known| known.key == *key) {
        return Err(Refusal::SchemeActive(key.clone()));
    }
    let last = in_force(&world.activations, &key.id, Timestamp::from_micros(i64::MAX));
    let after_last = last.map(|last| Timestamp::from_micros(last.at.micros().saturating_add(1)));
    let earliest = after_last.map_or(at, |after| after.max(at));
    let from = from.unwrap_or(earliest);
    if from < earliest {
        return Err(Refusal::ActivationTime { earliest });
    }
    world.put_activation(Activation {
        key: key.clone(),
        at: from,
        by: officer.clone(),
        decided_at: at,
    });
    Ok((Answer::Scheme(key.clone()), vec![Notice::Scheme(key.clone())]))
}
