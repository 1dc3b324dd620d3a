//! What departments said they did, and which measures of decisions are still due.

use greenstar_kernel::Timestamp;
use greenstar_store::{Database, Row, StoreError, Tx, Value};

/// A restrictive measure that a subject carries for a department.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// `decisions/{decision}` or `enterprises/{uscc}/flags/{flag}`
    pub(crate) subject: String,
    pub(crate) department: String,
    pub(crate) measure: String,
    /// `enterprises/{uscc}`
    pub(crate) enterprise: String,
    pub(crate) due_at: Timestamp,
    /// When the measure ends, and with it the duty; `None`: open.
    pub(crate) ends_at: Option<Timestamp>,
}

/// How long a request may come again: seven days, in microseconds.
const REPEATABLE: i64 = 7 * 86_400 * 1_000_000;

/// What became of a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Application {
    Applied,
    NotApplied,
    NotApplicable,
}

impl Application {
    /// There is nothing left to do.
    pub(crate) fn closes(self) -> bool {
        match self {
            Application::Applied | Application::NotApplicable => true,
            Application::NotApplied => false,
        }
    }

    fn number(self) -> i64 {
        match self {
            Application::Applied => 1,
            Application::NotApplied => 2,
            Application::NotApplicable => 3,
        }
    }

    fn of(number: i64) -> Result<Application, StoreError> {
        match number {
            1 => Ok(Application::Applied),
            2 => Ok(Application::NotApplied),
            3 => Ok(Application::NotApplicable),
            other => Err(StoreError::corrupt(format!("{other} is no application"))),
        }
    }
}

/// A department's last word on a measure of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) subject: String,
    pub(crate) department: String,
    pub(crate) measure: String,
    pub(crate) application: Application,
    pub(crate) note: String,
}

/// A measure that is due, with what was said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) due: Due,
    /// Its note, where the department said that it did not apply it.
    pub(crate) not_applied: Option<String>,
}

impl Gap {
    /// `None`: there is nothing left to do.
    pub(crate) fn of(due: Due, reports: &[Report]) -> Option<Gap> {
        let about = |report: &&Report| {
            report.subject == due.subject
                && report.department == due.department
                && report.measure == due.measure
        };
        let report = reports.iter().find(about);
        if report.is_some_and(|report| report.application.closes()) {
            return None;
        }
        let not_applied = report.map(|report| report.note.clone());
        Some(Gap { due, not_applied })
    }
}

/// Makes measures of decisions due. A repeat changes nothing.
pub(crate) async fn make_due(tx: &mut Tx, due: Vec<Due>) -> Result<(), StoreError> {
    let columns = [
        "subject",
        "department",
        "measure",
        "enterprise",
        "due_at",
        "ends_at",
    ];
    let rows = due.into_iter().map(|due| {
        vec![
            Value::from(due.subject),
            due.department.into(),
            due.measure.into(),
            due.enterprise.into(),
            due.due_at.into(),
            due.ends_at.into(),
        ]
    });
    let keys = ["subject", "department", "measure"];
    tx.upsert("decision_due", &columns, &keys, rows.collect()).await
}

/// Lets go of what was due for measures that have ended at `now`.
pub(crate) async fn forget_ended(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    tx.run("DELETE FROM decision_due WHERE ends_at <= $1", &[now.into()])
        .await?;
    Ok(())
}

/// Lets go of requests that are too old to be repeated.
async fn forget_requests(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    let old = Timestamp::from_micros(now.micros().saturating_sub(REPEATABLE));
    tx.run(
        "DELETE FROM application_request WHERE made_at < $1",
        &[old.into()],
    )
    .await?;
    Ok(())
}

/// Where a page of due decisions begins.
#[derive(Clone, Debug)]
pub(crate) enum After {
    /// Behind this one.
    Due {
        due_at: Timestamp,
        subject: String,
        department: String,
        measure: String,
    },
    /// Behind all of this instant.
    Instant(Timestamp),
}

/// Gaps of decisions, the oldest first; of every department if none is named.
pub(crate) async fn gaps(
    tx: &mut Tx,
    department: Option<&str>,
    after: &After,
    limit: usize,
) -> Result<Vec<Gap>, StoreError> {
    // Those that are closed are gone but for what is shipped after its report.
    const GAPS: &str = "SELECT d.subject AS subject, d.department AS department, d.measure AS measure, \
         d.enterprise AS enterprise, d.due_at AS due_at, d.ends_at AS ends_at, a.application AS application, a.note AS note \
         FROM decision_due d LEFT JOIN application a \
         ON a.subject = d.subject AND a.department = d.department AND a.measure = d.measure \
         WHERE (a.application IS NULL OR a.application = 2)";
    const ORDER: &str = "ORDER BY d.due_at, d.subject, d.department, d.measure LIMIT $1";
    let limit = i64::try_from(limit).map_err(StoreError::corrupt)?;
    let mut values = vec![Value::from(limit)];
    let behind = match after {
        After::Due {
            due_at,
            subject,
            department,
            measure,
        } => {
            values.extend([
                (*due_at).into(),
                subject.into(),
                department.into(),
                measure.into(),
            ]);
            "AND (d.due_at, d.subject, d.department, d.measure) > ($2, $3, $4, $5)"
        }
        After::Instant(due_at) => {
            values.push((*due_at).into());
            "AND d.due_at > $2"
        }
    };
    let whose = match department {
        Some(department) => {
            values.push(department.into());
            format!("AND d.department = ${}", values.len())
        }
        None => String::new(),
    };
    let rows = tx
        .rows(&format!("{GAPS} {behind} {whose} {ORDER}"), &values)
        .await?;
    let gap = |row: &Row| {
        Ok(Gap {
            due: Due {
                subject: row.get("subject")?,
                department: row.get("department")?,
                measure: row.get("measure")?,
                enterprise: row.get("enterprise")?,
                due_at: row.get("due_at")?,
                ends_at: row.get("ends_at")?,
            },
            not_applied: row.get("note")?,
        })
    };
    rows.iter().map(gap).collect()
}

/// All that was said about these subjects.
pub(crate) async fn reports(tx: &mut Tx, subjects: Vec<Value>) -> Result<Vec<Report>, StoreError> {
    let rows = tx
        .rows_in(
            "SELECT subject, department, measure, application, note FROM application WHERE subject",
            subjects,
            "",
        )
        .await?;
    let report = |row: &Row| {
        Ok(Report {
            subject: row.get("subject")?,
            department: row.get("department")?,
            measure: row.get("measure")?,
            application: Application::of(row.get("application")?)?,
            note: row.get("note")?,
        })
    };
    rows.iter().map(report).collect()
}

/// A request that may come twice.
#[derive(Debug)]
pub(crate) struct Repeatable<'a> {
    pub(crate) principal: &'a str,
    /// Empty: it cannot be repeated.
    pub(crate) request_id: &'a str,
    pub(crate) body_hash: &'a str,
}

/// What came of a report.
#[derive(Debug)]
pub(crate) enum Kept {
    /// The encoded answer, of this time or the first.
    Answer(Vec<u8>),
    /// The id came before with another body.
    Reused,
}

/// Keeps reports on one subject of one department. `due` is all that the subject makes due there, `decision` whether
/// that is kept. `answer` makes the encoded answer from the gaps that are left.
pub(crate) async fn report(
    database: &Database,
    request: &Repeatable<'_>,
    officer: &str,
    now: Timestamp,
    (due, decision): (Vec<Due>, bool),
    said: Vec<Report>,
    answer: impl FnOnce(Vec<Gap>) -> Vec<u8>,
) -> Result<Kept, StoreError> {
    let mut tx = database.write().await?;
    if let Some(known) = earlier(&mut tx, request).await? {
        return Ok(known);
    }
    let subjects: Vec<Value> = said
        .iter()
        .take(1)
        .map(|report| (&report.subject).into())
        .collect();
    let columns = [
        "subject",
        "department",
        "measure",
        "application",
        "note",
        "officer",
        "reported_at",
    ];
    let rows = said.into_iter().map(|report| {
        vec![
            Value::from(report.subject),
            report.department.into(),
            report.measure.into(),
            report.application.number().into(),
            report.note.into(),
            officer.into(),
            now.into(),
        ]
    });
    let keys = ["subject", "department", "measure"];
    tx.upsert("application", &columns, &keys, rows.collect()).await?;
    let reports = reports(&mut tx, subjects).await?;
    let mut gaps = Vec::new();
    for due in due {
        match Gap::of(due.clone(), &reports) {
            Some(gap) => gaps.push(gap),
            None if decision => {
                let values = [due.subject.into(), due.department.into(), due.measure.into()];
                tx.run(
                    "DELETE FROM decision_due WHERE subject = $1 AND department = $2 AND measure = $3",
                    &values,
                )
                .await?;
            }
            None => {}
        }
    }
    if decision {
        // It may not be shipped yet, or was closed by an earlier report.
        make_due(&mut tx, gaps.iter().map(|gap| gap.due.clone()).collect()).await?;
    }
    forget_ended(&mut tx, now).await?;
    finish(database, tx, request, answer(gaps), now).await
}

/// Keeps the answer with the request's id, and commits. Where the request's twin was quicker nothing is kept, and its
/// answer is the one.
pub(crate) async fn finish(
    database: &Database,
    mut tx: Tx,
    request: &Repeatable<'_>,
    answer: Vec<u8>,
    now: Timestamp,
) -> Result<Kept, StoreError> {
    forget_requests(&mut tx, now).await?;
    if !request.request_id.is_empty() {
        let kept = tx
            .run(
                "INSERT INTO application_request (principal, request_id, body_hash, answer, made_at) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (principal, request_id) DO NOTHING",
                &[
                    request.principal.into(),
                    request.request_id.into(),
                    request.body_hash.into(),
                    answer.clone().into(),
                    now.into(),
                ],
            )
            .await?;
        if kept == 0 {
            drop(tx);
            let mut tx = database.write().await?;
            let known = earlier(&mut tx, request).await?;
            return known.ok_or_else(|| StoreError::corrupt("an answer is gone"));
        }
    }
    tx.commit().await?;
    Ok(Kept::Answer(answer))
}

/// What an earlier request of this id was answered.
pub(crate) async fn earlier(tx: &mut Tx, request: &Repeatable<'_>) -> Result<Option<Kept>, StoreError> {
    if request.request_id.is_empty() {
        return Ok(None);
    }
    let found = tx
        .row(
            "SELECT body_hash, answer FROM application_request WHERE principal = $1 AND request_id = $2",
            &[request.principal.into(), request.request_id.into()],
        )
        .await?;
    let Some(row) = found else { return Ok(None) };
    let same = row.get::<String>("body_hash")? == request.body_hash;
    Ok(Some(if same {
        Kept::Answer(row.get("answer")?)
    } else {
        Kept::Reused
    }))
}

#[cfg(test)]
mod tests {
    use greenstar_testkit::Scratch;

    use super::*;
    use crate::store::MIGRATIONS;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn due(subject: &str, ends_at: Option<i64>) -> Due {
        Due {
            subject: subject.to_owned(),
            department: "licensing".to_owned(),
            measure: "strict-review".to_owned(),
            enterprise: "enterprises/91110115MAX000015J".to_owned(),
            due_at: at(1),
            ends_at: ends_at.map(at),
        }
    }

    async fn open(database: &Database) -> Vec<Due> {
        let mut tx = database.read().await.unwrap();
        let gaps = gaps(&mut tx, None, &After::Instant(at(0)), 10).await.unwrap();
        gaps.into_iter().map(|gap| gap.due).collect()
    }

    #[tokio::test]
    async fn what_is_due_ends_with_its_measure_and_a_request_is_repeatable_for_seven_days() {
        for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
            let url = scratch.url().parse().unwrap();
            let database = Database::migrate(&url, &MIGRATIONS).await.unwrap();
            let [for_ever, ends] = [due("decisions/a", None), due("decisions/b", Some(50))];
            let mut tx = database.write().await.unwrap();
            let both = vec![for_ever.clone(), ends.clone()];
            make_due(&mut tx, both.clone()).await.unwrap();
            forget_ended(&mut tx, at(49)).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(open(&database).await, both);

            let said = async |now: i64, answer: u8| {
                let request = Repeatable {
                    principal: "licensing",
                    request_id: "r",
                    body_hash: "h",
                };
                let none = (Vec::new(), false);
                let kept = report(&database, &request, "x", at(now), none, Vec::new(), |_| {
                    vec![answer]
                });
                match kept.await.unwrap() {
                    Kept::Answer(answer) => answer,
                    Kept::Reused => panic!("the same body"),
                }
            };
            assert_eq!(said(50, 1).await, [1]);
            assert_eq!(open(&database).await, [for_ever]);
            assert_eq!(said(50 + REPEATABLE, 2).await, [1], "the first answer");
            let mut tx = database.write().await.unwrap();
            forget_requests(&mut tx, at(51 + REPEATABLE)).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(said(51 + REPEATABLE, 3).await, [3], "it is forgotten");
            database.close().await;
        }
    }
}
