//! Rows of repairs and appeals.

use std::collections::BTreeSet;
use std::sync::Arc;

use greenstar_kernel::{Code, Department, Position, Timestamp, Uscc};
use greenstar_store::{Database, StoreError, Tx, Value};
use serde::de::DeserializeOwned;

use super::catalogue::Shelf;
use super::flag;
use crate::domain::appeal::{Appeal, AppealName, AppealState};
use crate::domain::ledger::Ledger;
use crate::domain::remedies::{Remedies, Remedy};
use crate::domain::repair::{Repair, RepairName, RepairState, Subject};
use crate::domain::viewer::Viewer;

/// What is kept alike: a matter between a firm and a body, with a deadline.
pub(crate) trait Kept: DeserializeOwned {
    const TABLE: &'static str;
    /// The stage in which it waits for the body.
    const OPEN: &'static str;

    fn key(&self) -> (Timestamp, &Code);
}

impl Kept for Repair {
    const TABLE: &'static str = "repair";
    const OPEN: &'static str = "applied";

    fn key(&self) -> (Timestamp, &Code) {
        (self.applied_at, &self.id)
    }
}

impl Kept for Appeal {
    const TABLE: &'static str = "appeal";
    const OPEN: &'static str = "filed";

    fn key(&self) -> (Timestamp, &Code) {
        (self.filed_at, &self.id)
    }
}

pub(crate) fn repair_stage(state: RepairState) -> &'static str {
    match state {
        RepairState::Applied => Repair::OPEN,
        RepairState::Granted => "granted",
        RepairState::Refused => "refused",
        RepairState::Withdrawn => "withdrawn",
    }
}

pub(crate) fn appeal_stage(state: AppealState) -> &'static str {
    match state {
        AppealState::Filed => Appeal::OPEN,
        AppealState::Dismissed => "dismissed",
        AppealState::Annulled => "annulled",
        AppealState::Amended => "amended",
        AppealState::Withdrawn => "withdrawn",
    }
}

/// Which cases are wanted, newest first.
#[derive(Clone, Debug)]
pub(crate) struct CaseQuery {
    /// `None`: of all enterprises.
    pub(crate) enterprise: Option<Uscc>,
    /// `None`: of all bodies.
    pub(crate) department: Option<Department>,
    pub(crate) stage: Option<&'static str>,
    /// Only those that are late at this instant.
    pub(crate) overdue_at: Option<Timestamp>,
    /// Only those behind this one in the list's order.
    pub(crate) after: Option<(Timestamp, Code)>,
    pub(crate) limit: usize,
}

/// Reads repairs and appeals. Each read is one snapshot and says which.
#[derive(Clone, Debug)]
pub(crate) struct Cases {
    database: Database,
    shelf: Shelf,
}

impl Cases {
    pub(crate) fn new(database: Database, shelf: Shelf) -> Cases {
        Cases { database, shelf }
    }

    pub(crate) async fn repair(&self, name: &RepairName) -> Result<(Option<Repair>, Position), StoreError> {
        let (found, position) = self.one::<Repair>("id", &name.id).await?;
        Ok((
            found.filter(|repair| repair.enterprise == name.enterprise),
            position,
        ))
    }

    pub(crate) async fn appeal(&self, name: &AppealName) -> Result<(Option<Appeal>, Position), StoreError> {
        let (found, position) = self.one::<Appeal>("id", &name.id).await?;
        Ok((
            found.filter(|appeal| appeal.enterprise == name.enterprise),
            position,
        ))
    }

    /// The repair whose certificate has this number.
    pub(crate) async fn certified(&self, number: &Code) -> Result<(Option<Repair>, Position), StoreError> {
        self.one::<Repair>("certificate", number).await
    }

    /// A page of repairs or appeals.
    pub(crate) async fn list<C: Kept>(&self, query: &CaseQuery) -> Result<(Vec<C>, Position), StoreError> {
        let (sql, values) = statement::<C>(query);
        let mut tx = self.database.read().await?;
        let rows = tx.rows(&sql, &values).await?;
        let cases = rows
            .iter()
            .map(|row| row.json("fact"))
            .collect::<Result<_, _>>()?;
        Ok((cases, tx.head().await?))
    }

    /// What counts against an enterprise, and what is open about it, as far as the viewer may know.
    pub(crate) async fn against(
        &self,
        enterprise: Uscc,
        viewer: &Viewer,
    ) -> Result<(Ledger, Remedies, Position), StoreError> {
        let mut tx = self.database.read().await?;
        let law = self.shelf.law(&mut tx).await?;
        let flags = flag::standing(&mut tx, vec![enterprise.into()]).await?;
        let repairs: Vec<Repair> = in_the_way(&mut tx, vec![enterprise.into()]).await?;
        let appeals: Vec<Appeal> = in_the_way(&mut tx, vec![enterprise.into()]).await?;
        let remedies = Remedies::new(
            repairs
                .into_iter()
                .filter(|repair| viewer.sees_case(&repair.enterprise, &repair.department)),
            appeals
                .into_iter()
                .filter(|appeal| viewer.sees_case(&appeal.enterprise, &appeal.department)),
        );
        let flags = flags.into_iter().filter(|flag| viewer.sees(flag));
        Ok((Ledger::new(law, flags), remedies, tx.head().await?))
    }

    async fn one<C: Kept>(&self, column: &str, key: &Code) -> Result<(Option<C>, Position), StoreError> {
        let mut tx = self.database.read().await?;
        let sql = format!("SELECT fact FROM {} WHERE {column} = $1", C::TABLE);
        let row = tx.row(&sql, &[key.as_str().into()]).await?;
        let found = row.map(|row| row.json("fact")).transpose()?;
        Ok((found, tx.head().await?))
    }
}

fn statement<C: Kept>(query: &CaseQuery) -> (String, Vec<Value>) {
    let mut values: Vec<Value> = Vec::new();
    let mut bind = |value: Value| {
        values.push(value);
        format!("${}", values.len())
    };
    let mut wanted = vec!["1 = 1".to_owned()];
    if let Some(uscc) = query.enterprise {
        wanted.push(format!("enterprise = {}", bind(uscc.into())));
    }
    if let Some(department) = &query.department {
        wanted.push(format!("department = {}", bind(department.as_str().into())));
    }
    if let Some(stage) = query.stage {
        wanted.push(format!("stage = '{stage}'"));
    }
    if let Some(now) = query.overdue_at {
        wanted.push(format!(
            "stage = '{}' AND due_at <= {}",
            C::OPEN,
            bind(now.into())
        ));
    }
    if let Some((opened_at, id)) = &query.after {
        let (opened_at, id) = (bind((*opened_at).into()), bind(id.as_str().into()));
        wanted.push(format!(
            "(opened_at < {opened_at} OR (opened_at = {opened_at} AND id < {id}))"
        ));
    }
    let limit = bind(Value::Int(Some(i64::try_from(query.limit).unwrap_or(i64::MAX))));
    let wanted = wanted.join(" AND ");
    // Many cases of one batch share their instant; the id makes the order whole.
    let sql = format!(
        "SELECT fact FROM {} WHERE {wanted} ORDER BY opened_at DESC, id DESC LIMIT {limit}",
        C::TABLE
    );
    (sql, values)
}

/// What the steps look at, with the ids of the flags that they may need though those no longer stand.
pub(super) async fn load(tx: &mut Tx, steps: &[&Remedy]) -> Result<(Remedies, BTreeSet<Code>), StoreError> {
    if steps.is_empty() {
        return Ok((Remedies::default(), BTreeSet::new()));
    }
    let firms: BTreeSet<Uscc> = steps.iter().map(|step| step.enterprise()).collect();
    let firms: Vec<Value> = firms.into_iter().map(Value::from).collect();
    let (mut repair_ids, mut appeal_ids, mut flags) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for step in steps {
        match step {
            Remedy::Apply(application, _) => match &application.subject {
                Subject::Flag(name) => {
                    flags.insert(name.id.clone());
                }
                Subject::Document(_) => {}
            },
            Remedy::Review(examination, _) => {
                repair_ids.insert(examination.name.id.as_str());
            }
            Remedy::WithdrawRepair(name, _) => {
                repair_ids.insert(name.id.as_str());
            }
            Remedy::File(filing, _) => {
                flags.insert(filing.flag.id.clone());
            }
            Remedy::Judge(judgement, _) => {
                appeal_ids.insert(judgement.name.id.as_str());
            }
            Remedy::WithdrawAppeal(name, _) => {
                appeal_ids.insert(name.id.as_str());
            }
        }
    }
    let mut repairs: Vec<Repair> = by_id(tx, repair_ids).await?;
    repairs.extend(in_the_way::<Repair>(tx, firms.clone()).await?);
    let mut appeals: Vec<Appeal> = by_id(tx, appeal_ids).await?;
    appeals.extend(in_the_way::<Appeal>(tx, firms).await?);
    for repair in &repairs {
        if repair.state() == RepairState::Applied {
            flags.extend(repair.flags.iter().cloned());
        }
    }
    for appeal in &appeals {
        if appeal.state() == AppealState::Filed {
            flags.insert(appeal.flag.clone());
        }
    }
    Ok((Remedies::new(repairs, appeals), flags))
}

pub(super) async fn write(tx: &mut Tx, remedies: &Remedies) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    for repair in remedies.changed_repairs() {
        let number = repair.certificate().map(|(number, _)| number.as_str().to_owned());
        rows.push(vec![
            repair.id.as_str().into(),
            repair.enterprise.into(),
            repair.department.as_str().into(),
            repair_stage(repair.state()).into(),
            repair.applied_at.into(),
            repair.due_at.into(),
            number.into(),
            json(repair)?.into(),
        ]);
    }
    let columns = [
        "id",
        "enterprise",
        "department",
        "stage",
        "opened_at",
        "due_at",
        "certificate",
        "fact",
    ];
    tx.upsert(Repair::TABLE, &columns, &["id"], rows).await?;
    let mut rows = Vec::new();
    for appeal in remedies.changed_appeals() {
        rows.push(vec![
            appeal.id.as_str().into(),
            appeal.enterprise.into(),
            appeal.department.as_str().into(),
            appeal_stage(appeal.state()).into(),
            appeal.filed_at.into(),
            appeal.due_at.into(),
            json(appeal)?.into(),
        ]);
    }
    let columns = [
        "id",
        "enterprise",
        "department",
        "stage",
        "opened_at",
        "due_at",
        "fact",
    ];
    tx.upsert(Appeal::TABLE, &columns, &["id"], rows).await
}

async fn by_id<C: Kept>(tx: &mut Tx, ids: BTreeSet<&str>) -> Result<Vec<C>, StoreError> {
    let before = format!("SELECT fact FROM {} WHERE id", C::TABLE);
    let ids = ids.into_iter().map(Value::from).collect();
    let rows = tx.rows_in(&before, ids, "").await?;
    rows.iter().map(|row| row.json("fact")).collect()
}

/// What may stand in the way of another case of these firms: all but what was withdrawn, and refused repairs.
async fn in_the_way<C: Kept>(tx: &mut Tx, firms: Vec<Value>) -> Result<Vec<C>, StoreError> {
    let before = format!(
        "SELECT fact FROM {} WHERE stage NOT IN ('withdrawn', 'refused') AND enterprise",
        C::TABLE
    );
    let rows = tx.rows_in(&before, firms, "").await?;
    rows.iter().map(|row| row.json("fact")).collect()
}

fn json<T: serde::Serialize>(fact: &T) -> Result<String, StoreError> {
    serde_json::to_string(fact).map_err(|error| StoreError::Backend(Arc::new(error)))
}
