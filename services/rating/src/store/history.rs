//! Versions of ratings, and what was known of them when.

use std::collections::BTreeMap;

use greenstar_kernel::{Code, Timestamp, Uscc};
use greenstar_store::{Row, StoreError, Tx, Value};

use super::rows;
use crate::domain::firm::{Firm, Rated};
use crate::domain::history::{Explained, events_at};
use crate::domain::round::Enrolment;
use crate::domain::score::{Award, ItemLine};

/// One stored version.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// Without its awards.
    pub(crate) rated: Rated,
    /// Items that gave or took something.
    pub(crate) lines: Vec<ItemLine>,
    /// What it came from.
    pub(crate) cause: String,
    /// Since when it is known.
    pub(crate) recorded_at: Timestamp,
    /// `None` of what was written by older programs, or in bulk.
    pub(crate) explained: Option<Explained>,
    /// When the next version holds, and since when that is known.
    pub(crate) next: Option<(Timestamp, Timestamp)>,
}

const VERSION: &str = "SELECT r.body AS body, r.lines AS lines, r.cause AS cause, r.explained AS explained, \
     COALESCE(r.recorded_at, r.rated_at) AS recorded_at, n.rated_at AS next_at, \
     COALESCE(n.recorded_at, n.rated_at) AS next_recorded_at \
     FROM rating r LEFT JOIN rating n ON n.uscc = r.uscc AND n.version = r.version + 1";

fn version(row: &Row) -> Result<Version, StoreError> {
    let explained: Option<String> = row.get("explained")?;
    let next_at: Option<Timestamp> = row.get("next_at")?;
    let next_recorded: Option<Timestamp> = row.get("next_recorded_at")?;
    Ok(Version {
        rated: row.json("body")?,
        lines: row.json("lines")?,
        cause: row.get("cause")?,
        recorded_at: row.get("recorded_at")?,
        explained: explained
            .map(|raw| serde_json::from_str(&raw))
            .transpose()
            .map_err(StoreError::corrupt)?,
        next: next_at.zip(next_recorded),
    })
}

/// The page of an enterprise's versions below one, newest first. What was not known at `known` is not there.
pub(crate) async fn versions(
    tx: &mut Tx,
    uscc: &Uscc,
    below: Option<u32>,
    known: Timestamp,
    limit: usize,
) -> Result<Vec<Version>, StoreError> {
    let sql = format!(
        "{VERSION} WHERE r.uscc = $1 AND r.version < $2 AND COALESCE(r.recorded_at, r.rated_at) <= $3 \
         ORDER BY r.version DESC LIMIT $4"
    );
    let below = below.map_or(i64::MAX >> 32, i64::from);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = [uscc.into(), below.into(), known.into(), limit.into()];
    let mut found: Vec<Version> = tx
        .rows(&sql, &values)
        .await?
        .iter()
        .map(version)
        .collect::<Result<_, _>>()?;
    for version in &mut found {
        version.next = version.next.filter(|(_, recorded)| *recorded <= known);
    }
    Ok(found)
}

/// One version.
pub(crate) async fn one_version(
    tx: &mut Tx,
    uscc: &Uscc,
    number: u32,
) -> Result<Option<Version>, StoreError> {
    let sql = format!("{VERSION} WHERE r.uscc = $1 AND r.version = $2");
    let row = tx.row(&sql, &[uscc.into(), number.into()]).await?;
    row.as_ref().map(version).transpose()
}

/// What was awarded when a version was made: the last that was written for its round up to it, or what its round
/// verified.
pub(crate) async fn awards(tx: &mut Tx, uscc: &Uscc, rated: &Rated) -> Result<Vec<Award>, StoreError> {
    const AWARDS: &str = "SELECT awards FROM rating WHERE uscc = $1 AND version <= $2 AND round = $3 \
         AND awards IS NOT NULL ORDER BY version DESC LIMIT 1";
    let values = [uscc.into(), rated.version.into(), rated.round.as_str().into()];
    if let Some(row) = tx.row(AWARDS, &values).await? {
        return row.json("awards");
    }
    const ENROLMENT: &str = "SELECT body FROM enrolment WHERE round = $1 AND uscc = $2";
    let row = tx
        .row(ENROLMENT, &[rated.round.as_str().into(), uscc.into()])
        .await?;
    let enrolment: Option<Enrolment> = row.map(|row| row.json("body")).transpose()?;
    let declaration = enrolment.and_then(|enrolment| enrolment.declaration);
    Ok(declaration
        // Nothing is published before all of it is verified, and confirmed where the scheme asks for that.
        .map(|declaration| declaration.awards(false))
        .unwrap_or_default())
}

/// Enterprises as they were at `valid`, by what was known at `known`. Who had no rating then has none.
pub(crate) async fn firms_at(
    tx: &mut Tx,
    codes: Vec<Value>,
    valid: Timestamp,
    known: Timestamp,
) -> Result<BTreeMap<Uscc, Firm>, StoreError> {
    let mut firms = rows::firms(tx, codes).await?;
    for (uscc, firm) in &mut firms {
        const THEN: &str = "SELECT body FROM rating WHERE uscc = $1 AND rated_at <= $2 \
             AND COALESCE(recorded_at, rated_at) <= $3 ORDER BY version DESC LIMIT 1";
        let values = [uscc.into(), valid.into(), known.into()];
        let row = tx.row(THEN, &values).await?;
        let mut rated: Option<Rated> = row.map(|row| row.json("body")).transpose()?;
        if let Some(rated) = &mut rated {
            rated.awards = awards(tx, uscc, rated).await?;
        }
        firm.rated = rated;
        firm.events = events_at(&firm.events, valid, known);
    }
    Ok(firms)
}

/// Rounds of which a directory was in force at an instant, newest first.
pub(crate) async fn rounds_at(tx: &mut Tx, at: Timestamp) -> Result<Vec<Code>, StoreError> {
    let rounds = tx
        .rows(
            "SELECT body FROM evaluation_round WHERE state = $1 ORDER BY created_at, id",
            &["PUBLISHED".into()],
        )
        .await?;
    let mut in_force = Vec::new();
    for row in &rounds {
        let round: crate::domain::round::Round = row.json("body")?;
        if let Some(publication) = round.publication
            && publication.at <= at
            && at < publication.valid_until
        {
            in_force.push((publication.at, round.id));
        }
    }
    in_force.sort();
    Ok(in_force.into_iter().rev().map(|(_, id)| id).collect())
}
