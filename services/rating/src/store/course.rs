//! Steps and comments of rounds, and objections: what the writer adds, and the pages that are read of them.

use std::collections::BTreeMap;

use greenstar_kernel::{Code, Timestamp, Uscc};
use greenstar_store::{Row, StoreError, Tx, Value};

use super::rows::json;
use crate::domain::command::World;
use crate::domain::course::{Comment, Step};
use crate::domain::objection::Objection;
use crate::domain::round::{Enrolment, Round};

fn count(limit: usize) -> Value {
    i64::try_from(limit).unwrap_or(i64::MAX).into()
}

/// Comments by round and id; unknown ones are absent.
pub(super) async fn comments(
    tx: &mut Tx,
    keys: &[(Code, Code)],
) -> Result<BTreeMap<(Code, Code), Comment>, StoreError> {
    let ids = keys.iter().map(|(_, id)| id.as_str().into()).collect();
    let rows = tx
        .rows_in("SELECT round, body FROM round_comment WHERE id", ids, "")
        .await?;
    let mut found = BTreeMap::new();
    for row in &rows {
        let round = Code::parse(&row.get::<String>("round")?).map_err(StoreError::corrupt)?;
        let comment: Comment = row.json("body")?;
        found.insert((round, comment.id.clone()), comment);
    }
    Ok(found)
}

/// All objections of some enterprises.
pub(super) async fn objections_of(
    tx: &mut Tx,
    codes: Vec<Value>,
) -> Result<BTreeMap<(Uscc, Code), Objection>, StoreError> {
    let rows = tx
        .rows_in("SELECT uscc, body FROM objection WHERE uscc", codes, "")
        .await?;
    rows.iter()
        .map(|row| {
            let objection: Objection = row.json("body")?;
            Ok(((row.get("uscc")?, objection.id.clone()), objection))
        })
        .collect()
}

/// Writes what changed.
pub(super) async fn write(tx: &mut Tx, world: &World) -> Result<(), StoreError> {
    let changes = &world.changes;
    let mut steps = Vec::new();
    for (round, step) in &changes.steps {
        steps.push(vec![round.as_str().into(), step.number.into(), json(step)?]);
    }
    tx.insert("round_step", &["round", "number", "body"], steps)
        .await?;
    let mut comments = Vec::new();
    for key in &changes.comments {
        if let Some(comment) = world.comments.get(key) {
            let shown = comment
                .answer
                .as_ref()
                .map_or(-1, |answer| i64::from(answer.shown));
            comments.push(vec![
                key.0.as_str().into(),
                key.1.as_str().into(),
                shown.into(),
                json(comment)?,
            ]);
        }
    }
    let columns = ["round", "id", "shown", "body"];
    tx.upsert("round_comment", &columns, &["round", "id"], comments)
        .await?;
    let mut objections = Vec::new();
    for key in &changes.objections {
        if let Some(objection) = world.objections.get(key) {
            objections.push(vec![
                key.0.into(),
                key.1.as_str().into(),
                objection.due.into(),
                i64::from(objection.is_open()).into(),
                json(objection)?,
            ]);
        }
    }
    let columns = ["uscc", "id", "due_at", "open", "body"];
    tx.upsert("objection", &columns, &["uscc", "id"], objections)
        .await
}

/// Steps of a round behind a number, oldest first.
pub(crate) async fn steps(
    tx: &mut Tx,
    round: &Code,
    after: u32,
    limit: usize,
) -> Result<Vec<Step>, StoreError> {
    const STEPS: &str =
        "SELECT body FROM round_step WHERE round = $1 AND number > $2 ORDER BY number LIMIT $3";
    let rows = tx
        .rows(STEPS, &[round.as_str().into(), after.into(), count(limit)])
        .await?;
    rows.iter().map(|row| row.json("body")).collect()
}

/// Which comments of a round.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown {
    /// All.
    All,
    /// Those that nobody has answered.
    Unanswered,
    /// Those that the public sees.
    Public,
}

/// Comments of a round behind an id, oldest first.
pub(crate) async fn page_of_comments(
    tx: &mut Tx,
    round: &Code,
    which: Shown,
    after: &str,
    limit: usize,
) -> Result<Vec<Comment>, StoreError> {
    let which = match which {
        Shown::All => "",
        Shown::Unanswered => " AND shown = -1",
        Shown::Public => " AND shown = 1",
    };
    let sql =
        format!("SELECT body FROM round_comment WHERE round = $1 AND id > $2{which} ORDER BY id LIMIT $3");
    let rows = tx
        .rows(&sql, &[round.as_str().into(), after.into(), count(limit)])
        .await?;
    rows.iter().map(|row| row.json("body")).collect()
}

/// Rounds that go on, by id. They are few: a firm sits in one at a time.
pub(crate) async fn open_rounds(tx: &mut Tx) -> Result<Vec<Round>, StoreError> {
    const OPEN: &str =
        "SELECT body FROM evaluation_round WHERE state NOT IN ('PUBLISHED', 'WITHDRAWN') ORDER BY id";
    let rows = tx.rows(OPEN, &[]).await?;
    rows.iter().map(|row| row.json("body")).collect()
}

fn part(row: &Row) -> Result<(Uscc, Enrolment), StoreError> {
    Ok((row.get("uscc")?, row.json("body")?))
}

/// Who takes part in a round behind a code, by code.
pub(crate) async fn cohort(
    tx: &mut Tx,
    round: &Code,
    after: &str,
    limit: usize,
) -> Result<Vec<(Uscc, Enrolment)>, StoreError> {
    const COHORT: &str =
        "SELECT uscc, body FROM enrolment WHERE round = $1 AND uscc > $2 ORDER BY uscc LIMIT $3";
    let rows = tx
        .rows(COHORT, &[round.as_str().into(), after.into(), count(limit)])
        .await?;
    rows.iter().map(part).collect()
}

/// An enterprise's part in a round.
pub(crate) async fn enrolled(
    tx: &mut Tx,
    round: &Code,
    uscc: &Uscc,
) -> Result<Option<Enrolment>, StoreError> {
    const PART: &str = "SELECT uscc, body FROM enrolment WHERE round = $1 AND uscc = $2";
    let row = tx.row(PART, &[round.as_str().into(), uscc.into()]).await?;
    row.as_ref()
        .map(part)
        .transpose()
        .map(|found| found.map(|(_, part)| part))
}

/// One objection.
pub(crate) async fn objection(tx: &mut Tx, uscc: &Uscc, id: &Code) -> Result<Option<Objection>, StoreError> {
    const ONE: &str = "SELECT body FROM objection WHERE uscc = $1 AND id = $2";
    let row = tx.row(ONE, &[uscc.into(), id.as_str().into()]).await?;
    row.map(|row| row.json("body")).transpose()
}

/// Which objections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Of one enterprise.
    pub(crate) uscc: Option<Uscc>,
    /// That nobody has decided.
    pub(crate) open: bool,
    /// Whose decision is late at this instant.
    pub(crate) late: Option<Timestamp>,
    /// Behind this id and enterprise.
    pub(crate) after: Option<(String, Uscc)>,
}

/// A page of objections, newest first; of equals by enterprise.
pub(crate) async fn page_of_objections(
    tx: &mut Tx,
    wanted: &Wanted,
    limit: usize,
) -> Result<Vec<(Uscc, Objection)>, StoreError> {
    let (mut terms, mut values): (Vec<String>, Vec<Value>) = (Vec::new(), Vec::new());
    let mut value = |value: Value| {
        values.push(value);
        values.len()
    };
    if let Some(uscc) = &wanted.uscc {
        terms.push(format!("uscc = ${}", value(uscc.into())));
    }
    if wanted.open || wanted.late.is_some() {
        terms.push("open = 1".to_owned());
    }
    if let Some(at) = wanted.late {
        terms.push(format!("due_at <= ${}", value(at.into())));
    }
    if let Some((id, uscc)) = &wanted.after {
        let (id, uscc) = (value(id.as_str().into()), value(uscc.into()));
        terms.push(format!("(id < ${id} OR (id = ${id} AND uscc > ${uscc}))"));
    }
    let condition = if terms.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", terms.join(" AND "))
    };
    let limit = value(count(limit));
    let sql = format!("SELECT uscc, body FROM objection{condition} ORDER BY id DESC, uscc LIMIT ${limit}");
    let rows = tx.rows(&sql, &values).await?;
    rows.iter()
        .map(|row| Ok((row.get("uscc")?, row.json("body")?)))
        .collect()
}
