//! Rows of single aggregates, both ways. A row that the domain cannot mean is corrupt, never a default.

use std::collections::BTreeMap;

use greenstar_kernel::{Code, LocalizedText, Uscc};
use greenstar_store::{Row, StoreError, Tx, Value};
use serde::Serialize;

use crate::domain::command::Version;
use crate::domain::enterprise::{District, Enterprise, PolluterClass, Profile, Sector};
use crate::domain::error::Refusal;
use crate::domain::event::Event;
use crate::domain::firm::Firm;
use crate::domain::round::{DirectoryLine, Enrolment, Round};

pub(super) const FIRM: &str =
    "SELECT uscc, name_zh, name_en, district, sector, polluter_class, sites, etag, rated FROM enterprise";

/// Enterprises with their events and ratings; unknown codes are absent.
pub(crate) async fn firms(tx: &mut Tx, codes: Vec<Value>) -> Result<BTreeMap<Uscc, Firm>, StoreError> {
    if codes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = tx
        .rows_in(&format!("{FIRM} WHERE uscc"), codes.clone(), "")
        .await?;
    let mut firms = BTreeMap::new();
    for row in &rows {
        let firm = firm_of(row)?;
        firms.insert(firm.enterprise.uscc, firm);
    }
    for row in tx
        .rows_in(
            "SELECT uscc, body FROM event WHERE uscc",
            codes,
            "ORDER BY uscc, id",
        )
        .await?
    {
        let event: Event = row.json("body")?;
        if let Some(firm) = firms.get_mut(&row.get("uscc")?) {
            firm.events.push(event);
        }
    }
    Ok(firms)
}

/// One enterprise.
pub(crate) async fn firm(tx: &mut Tx, uscc: &Uscc) -> Result<Option<Firm>, StoreError> {
    Ok(firms(tx, vec![uscc.into()]).await?.remove(uscc))
}

/// The register's part of a row; the events are read beside it.
pub(super) fn firm_of(row: &Row) -> Result<Firm, StoreError> {
    let class: String = row.get("polluter_class")?;
    let rated: Option<String> = row.get("rated")?;
    let wrong = |refusal: Refusal| StoreError::corrupt(refusal);
    Ok(Firm {
        enterprise: Enterprise {
            uscc: row.get("uscc")?,
            profile: Profile {
                name: LocalizedText::new(row.get::<String>("name_zh")?, row.get::<String>("name_en")?),
                district: District::parse(&row.get::<String>("district")?).map_err(wrong)?,
                sector: Sector::parse(&row.get::<String>("sector")?).map_err(wrong)?,
                polluter_class: PolluterClass::parse(&class)
                    .ok_or_else(|| StoreError::corrupt(format!("polluter class {class}")))?,
                sites: row.json("sites")?,
            },
            etag: row.get("etag")?,
        },
        rated: rated
            .map(|raw| serde_json::from_str(&raw))
            .transpose()
            .map_err(StoreError::corrupt)?,
        events: Vec::new(),
    })
}

/// One round.
pub(crate) async fn round(tx: &mut Tx, id: &Code) -> Result<Option<Round>, StoreError> {
    Ok(rounds(tx, vec![id.as_str().into()]).await?.remove(id))
}

pub(super) async fn rounds(tx: &mut Tx, ids: Vec<Value>) -> Result<BTreeMap<Code, Round>, StoreError> {
    let mut rounds = BTreeMap::new();
    for row in tx
        .rows_in("SELECT id, body FROM evaluation_round WHERE id", ids, "")
        .await?
    {
        let round: Round = row.json("body")?;
        rounds.insert(round.id.clone(), round);
    }
    Ok(rounds)
}

pub(super) fn enrolment(row: &Row) -> Result<((Code, Uscc), Enrolment), StoreError> {
    let round = Code::parse(&row.get::<String>("round")?).map_err(StoreError::corrupt)?;
    Ok(((round, row.get("uscc")?), row.json("body")?))
}

pub(super) fn json<T: Serialize>(body: &T) -> Result<Value, StoreError> {
    serde_json::to_string(body)
        .map(Value::from)
        .map_err(StoreError::corrupt)
}

/// Small letters, one character at a time, so that a part of a name folds as it does within the whole. Made here
/// because the engines' own functions and comparisons know different alphabets.
pub(super) fn folded(raw: &str) -> String {
    raw.chars().flat_map(char::to_lowercase).collect()
}

/// Both names of a row, for finding it. A line each, so that no text spans the two.
fn names_folded(name: &LocalizedText) -> Value {
    format!("{}\n{}", folded(&name.zh), folded(&name.en)).into()
}

pub(super) const ENTERPRISE: [&str; 13] = [
    "uscc",
    "name_zh",
    "name_en",
    "names_folded",
    "district",
    "sector",
    "polluter_class",
    "sites",
    "etag",
    "state",
    "star",
    "next_at",
    "rated",
];

pub(super) fn enterprise_row(firm: &Firm) -> Result<Vec<Value>, StoreError> {
    let profile = &firm.enterprise.profile;
    let standing = firm.standing();
    let next = firm.rated.as_ref().and_then(|rated| rated.next.as_ref());
    let rated = firm
        .rated
        .as_ref()
        .map(serde_json::to_string)
        .transpose()
        .map_err(StoreError::corrupt)?;
    Ok(vec![
        firm.enterprise.uscc.into(),
        (&profile.name.zh).into(),
        (&profile.name.en).into(),
        names_folded(&profile.name),
        profile.district.as_str().into(),
        profile.sector.as_str().into(),
        profile.polluter_class.as_str().into(),
        json(&profile.sites)?,
        firm.enterprise.etag.into(),
        standing.state().as_str().into(),
        standing.star().map(i64::from).into(),
        next.map(|next| next.at).into(),
        rated.into(),
    ])
}

pub(super) const RATING: [&str; 13] = [
    "uscc",
    "version",
    "round",
    "state",
    "star",
    "total",
    "rated_at",
    "cause",
    "body",
    "lines",
    "recorded_at",
    "explained",
    "awards",
];

pub(super) fn rating_row(version: &Version) -> Result<Vec<Value>, StoreError> {
    let rated = &version.rated;
    Ok(vec![
        version.uscc.into(),
        rated.version.into(),
        rated.round.as_str().into(),
        rated.standing.state().as_str().into(),
        rated.standing.star().map(i64::from).into(),
        rated.total.to_string().into(),
        rated.rated_at.into(),
        (&version.cause).into(),
        json(rated)?,
        json(&version.lines)?,
        version.recorded_at.into(),
        json(&version.explained)?,
        version
            .awards
            .as_ref()
            .map(serde_json::to_string)
            .transpose()
            .map_err(StoreError::corrupt)?
            .into(),
    ])
}

pub(super) const DIRECTORY: [&str; 8] = [
    "round",
    "star",
    "uscc",
    "name_zh",
    "name_en",
    "names_folded",
    "district",
    "sector",
];

pub(super) fn directory_row(round: &Code, line: &DirectoryLine) -> Vec<Value> {
    vec![
        round.as_str().into(),
        i64::from(line.star).into(),
        line.uscc.into(),
        (&line.name.zh).into(),
        (&line.name.en).into(),
        names_folded(&line.name),
        line.district.as_str().into(),
        line.sector.as_str().into(),
    ]
}
