//! Lists: pages of enterprises, rounds and directories, the snapshot for followers, and what falls due.

use async_trait::async_trait;
use greenstar_feed::{Filter as Narrowing, Relevance, Source};
use greenstar_kernel::{Code, LocalizedText, Star, Timestamp, Uscc};
use greenstar_store::{Entry, Row, StoreError, Tx, Value};
use serde::Deserialize;

use super::journal::FACT;
use super::rows;
use super::schemes::Schemes;
use crate::domain::enterprise::{District, Enterprise, Sector};
use crate::domain::filter::Filter;
use crate::domain::firm::Fact;
use crate::domain::round::{DirectoryLine, Round, RoundState};

/// Rows of a snapshot frame.
const SNAPSHOT_PAGE: i64 = 1000;

/// Conditions that are joined by AND, with their values.
#[derive(Default)]
struct Conditions {
    text: String,
    values: Vec<Value>,
}

impl Conditions {
    /// `condition` has `$` where the value goes, and `#n` where the value with that number goes.
    fn and(&mut self, condition: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        let joint = if self.text.is_empty() { " WHERE " } else { " AND " };
        let numbered = condition
            .replace('$', &format!("${}", self.values.len()))
            .replace('#', "$");
        self.text.push_str(joint);
        self.text.push_str(&numbered);
    }

    /// Of several rounds, newest first, each lists whom no newer one took in: who was not listed by a newer one is not
    /// listed by an older.
    fn listed_by(&mut self, rounds: &[Code]) {
        let numbers: Vec<String> = rounds
            .iter()
            .map(|round| format!("${}", self.value(round.as_str())))
            .collect();
        let listed = numbers.iter().enumerate().map(|(place, number)| {
            let newer = numbers.get(..place).unwrap_or_default().join(", ");
            if newer.is_empty() {
                format!("round = {number}")
            } else {
                format!(
                    "(round = {number} AND NOT EXISTS (SELECT 1 FROM enrolment \
                     WHERE enrolment.uscc = directory.uscc AND enrolment.round IN ({newer})))"
                )
            }
        });
        let joint = if self.text.is_empty() { " WHERE " } else { " AND " };
        let listed: Vec<String> = listed.collect();
        self.text.push_str(joint);
        if listed.is_empty() {
            self.text.push_str("1 = 0");
        } else {
            self.text.push_str(&format!("({})", listed.join(" OR ")));
        }
    }

    /// The number of a further value.
    fn value(&mut self, value: impl Into<Value>) -> usize {
        self.values.push(value.into());
        self.values.len()
    }
}

/// A pattern that is contained, whatever the case of its letters.
fn contained(raw: &str) -> String {
    let mut pattern = String::from("%");
    for c in rows::folded(raw).chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

const NAME: &str = "names_folded LIKE $ ESCAPE '\\'";

/// What a directory is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    /// Newest first. An enterprise is listed by the newest that it takes part in.
    pub(crate) rounds: Vec<Code>,
    pub(crate) star: Option<Star>,
    pub(crate) district: Option<District>,
    pub(crate) name: Option<String>,
}

impl Directory {
    fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.listed_by(&self.rounds);
        if let Some(star) = self.star {
            conditions.and("star = $", i64::from(star));
        }
        if let Some(district) = &self.district {
            conditions.and("district = $", district.as_str());
        }
        if let Some(name) = &self.name {
            conditions.and(NAME, contained(name));
        }
        conditions
    }

    /// The page behind a line, highest star first, then by code.
    pub(crate) async fn page(
        &self,
        tx: &mut Tx,
        after: Option<(Star, Uscc)>,
        limit: usize,
    ) -> Result<Vec<DirectoryLine>, StoreError> {
        let mut conditions = self.conditions();
        if let Some((star, uscc)) = after {
            // One condition, two values: the rest of this star, and all lower ones.
            let star = conditions.value(i64::from(star));
            conditions.and(
                &format!("(star < #{star} OR (star = #{star} AND uscc > $))"),
                uscc,
            );
        }
        let limit = conditions.value(count(limit));
        let sql = format!(
            "SELECT star, uscc, name_zh, name_en, district, sector FROM directory{} \
             ORDER BY star DESC, uscc LIMIT ${limit}",
            conditions.text
        );
        tx.rows(&sql, &conditions.values)
            .await?
            .iter()
            .map(line)
            .collect()
    }

    /// How many lines match, by star, highest first.
    pub(crate) async fn counts(&self, tx: &mut Tx) -> Result<Vec<(Star, u32)>, StoreError> {
        let conditions = self.conditions();
        let sql = format!(
            "SELECT star, CAST(COUNT(*) AS bigint) AS lines FROM directory{} GROUP BY star ORDER BY star DESC",
            conditions.text
        );
        let rows = tx.rows(&sql, &conditions.values).await?;
        rows.iter()
            .map(|row| Ok((star(row)?, row.get("lines")?)))
            .collect()
    }
}

fn star(row: &Row) -> Result<Star, StoreError> {
    Star::try_from(row.get::<i64>("star")?).map_err(StoreError::corrupt)
}

fn line(row: &Row) -> Result<DirectoryLine, StoreError> {
    Ok(DirectoryLine {
        uscc: row.get("uscc")?,
        name: LocalizedText::new(row.get::<String>("name_zh")?, row.get::<String>("name_en")?),
        star: star(row)?,
        district: District::parse(&row.get::<String>("district")?).map_err(StoreError::corrupt)?,
        sector: Sector::parse(&row.get::<String>("sector")?).map_err(StoreError::corrupt)?,
    })
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The page of enterprises behind a code, by code.
pub(crate) async fn enterprises(
    tx: &mut Tx,
    filter: &Filter,
    after: Option<Uscc>,
    limit: usize,
) -> Result<Vec<Enterprise>, StoreError> {
    let mut conditions = Conditions::default();
    if let Some(district) = &filter.district {
        conditions.and("district = $", district.as_str());
    }
    if let Some(sector) = &filter.sector {
        // A prefix, without LIKE: its case matters.
        conditions.and("substr(sector, 1, length($)) = $", sector);
    }
    if let Some(class) = filter.polluter_class {
        conditions.and("polluter_class = $", class.as_str());
    }
    if let Some(name) = &filter.name {
        conditions.and(NAME, contained(name));
    }
    if let Some(state) = filter.state {
        conditions.and("state = $", state.as_str());
    }
    if let Some(star) = filter.star {
        conditions.and("star = $", i64::from(star));
    }
    if let Some(after) = after {
        conditions.and("uscc > $", after);
    }
    let limit = conditions.value(count(limit));
    let sql = format!("{}{} ORDER BY uscc LIMIT ${limit}", rows::FIRM, conditions.text);
    let found = tx.rows(&sql, &conditions.values).await?;
    found
        .iter()
        .map(|row| rows::firm_of(row).map(|firm| firm.enterprise))
        .collect()
}

/// How many enterprises are registered.
pub(crate) async fn registered(tx: &mut Tx) -> Result<i32, StoreError> {
    const COUNT: &str = "SELECT CAST(COUNT(*) AS bigint) AS firms FROM enterprise";
    let row = tx.row(COUNT, &[]).await?;
    let firms: i64 = row.map(|row| row.get("firms")).transpose()?.unwrap_or(0);
    Ok(i32::try_from(firms).unwrap_or(i32::MAX))
}

/// The page of rounds behind one, newest first; of equals by id.
pub(crate) async fn rounds(
    tx: &mut Tx,
    published_only: bool,
    after: Option<(Timestamp, Code)>,
    limit: usize,
) -> Result<Vec<Round>, StoreError> {
    let mut conditions = Conditions::default();
    if published_only {
        // The public knows of a round from its proposal on.
        conditions.and(
            "state IN ('PUBLIC_COMMENT', 'DELIBERATION', 'GOV_APPROVAL', $)",
            RoundState::Published.as_str(),
        );
    }
    if let Some((at, id)) = after {
        let at = conditions.value(at);
        conditions.and(
            &format!("(created_at < #{at} OR (created_at = #{at} AND id > $))"),
            id.as_str(),
        );
    }
    let limit = conditions.value(count(limit));
    let sql = format!(
        "SELECT body FROM evaluation_round{} ORDER BY created_at DESC, id LIMIT ${limit}",
        conditions.text
    );
    tx.rows(&sql, &conditions.values)
        .await?
        .iter()
        .map(|row| row.json("body"))
        .collect()
}

/// When the next transition falls due.
pub(crate) async fn next_due(tx: &mut Tx) -> Result<Option<Timestamp>, StoreError> {
    const NEXT: &str = "SELECT next_at FROM enterprise WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1";
    tx.row(NEXT, &[]).await?.map(|row| row.get("next_at")).transpose()
}

/// Transitions that are due, earliest first.
pub(crate) async fn due(
    tx: &mut Tx,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(Uscc, Timestamp)>, StoreError> {
    const DUE: &str = "SELECT uscc, next_at FROM enterprise WHERE next_at IS NOT NULL AND next_at <= $1 \
         ORDER BY next_at, uscc LIMIT $2";
    let rows = tx.rows(DUE, &[now.into(), count(limit).into()]).await?;
    rows.iter()
        .map(|row| Ok((row.get("uscc")?, row.get("next_at")?)))
        .collect()
}

/// All enterprises for a new follower, by code.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    /// Say what repeated events count as.
    pub(crate) schemes: Schemes,
}

#[async_trait]
impl Source for Lists {
    type Row = Fact;

    async fn page(&self, tx: &mut Tx, last: Option<&Fact>) -> Result<Vec<Fact>, StoreError> {
        let after = last.map_or("", |fact| fact.uscc.as_str());
        let values = [Value::from(after), Value::from(SNAPSHOT_PAGE)];
        let page = tx
            .rows(
                "SELECT uscc FROM enterprise WHERE uscc > $1 ORDER BY uscc LIMIT $2",
                &values,
            )
            .await?;
        let codes = page
            .iter()
            .map(|row| row.get::<Uscc>("uscc").map(Value::from))
            .collect::<Result<_, _>>()?;
        let schemes = self.schemes.all(tx).await?;
        Ok(rows::firms(tx, codes)
            .await?
            .values()
            .map(|firm| firm.fact(schemes.iter().map(|stored| &stored.scheme)))
            .collect())
    }

    /// Schemes, rounds and declarations are nobody's who narrows. An enterprise leaves a district by moving.
    fn relevance(&self, entry: &Entry, filter: &Narrowing) -> Relevance {
        if filter.is_empty() {
            return Relevance::Inside;
        }
        let (FACT, Some(uscc)) = (entry.kind.as_str(), &entry.enterprise) else {
            return Relevance::Outside;
        };
        if !filter.has_enterprise(uscc) {
            return Relevance::Outside;
        }
        match entry.json::<Place>() {
            Ok(place) if filter.has_district(&place.district) => Relevance::Inside,
            Ok(place) => match place.moved_from {
                Some(before) if filter.has_district(&before) => Relevance::Left,
                Some(_) | None => Relevance::Outside,
            },
            // What cannot be read is not hidden: writing it out will say so.
            Err(_) => Relevance::Inside,
        }
    }

    fn covers(&self, fact: &Fact, filter: &Narrowing) -> bool {
        filter.has_enterprise(&fact.uscc) && filter.has_district(fact.district.as_str())
    }

    /// Kinds are of flags.
    async fn unknown(&self, _: &mut Tx, filter: &Narrowing) -> Result<Option<&'static str>, StoreError> {
        Ok((!filter.kinds.is_empty()).then_some("filter.kinds"))
    }
}

/// Where the enterprise of a fact is, without the rest of it.
#[derive(Deserialize)]
struct Place {
    district: String,
    #[serde(default)]
    moved_from: Option<String>,
}
