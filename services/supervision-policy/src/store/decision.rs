//! Decisions in the database, and how far each writer's are there.

use greenstar_kernel::Timestamp;
use greenstar_store::{Database, StoreError, Tx, Value};

use super::feedback::{self, Due};
use crate::record::{DecisionId, Record, WriterId};

/// A record with what it can be found by.
#[derive(Debug)]
pub(crate) struct Shipped {
    pub(crate) record: Record,
    pub(crate) department: String,
    pub(crate) enterprise: String,
    pub(crate) matter: String,
    pub(crate) as_of: i64,
    /// What it made due.
    pub(crate) due: Vec<Due>,
}

/// What the database says about an id.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// The encoded body.
    Body(Vec<u8>),
    /// Its retention has ended; salt and body are gone.
    Erased,
    /// There is none, and none will come.
    None,
    /// Its writer may still have it, and is reached here.
    NotYet { url: Option<String> },
}

/// Makes a writer known before it gives its first id, so that ids of no writer are told apart; and where the other
/// replicas reach it.
pub(crate) async fn register(
    database: &Database,
    writer: WriterId,
    url: Option<&str>,
) -> Result<(), StoreError> {
    let mut tx = database.write().await?;
    tx.run(
        "INSERT INTO decision_writer (writer, through, ended, url) VALUES ($1, 0, 0, $2) \
         ON CONFLICT (writer) DO UPDATE SET url = excluded.url",
        &[writer.to_string().into(), url.unwrap_or_default().into()],
    )
    .await?;
    tx.commit().await
}

/// Stores records of one writer and how far it is with them, in one transaction. A repeat changes nothing.
pub(crate) async fn ship(
    database: &Database,
    writer: WriterId,
    records: Vec<Shipped>,
    through: u64,
    ended: bool,
) -> Result<(), StoreError> {
    let name = writer.to_string();
    let (mut rows, mut due) = (Vec::with_capacity(records.len()), Vec::new());
    let mut newest = None;
    for Shipped {
        record,
        department,
        enterprise,
        matter,
        as_of,
        due: made,
    } in records
    {
        due.extend(made);
        newest = newest.max(Some(as_of));
        rows.push(vec![
            Value::from(&name),
            number(record.sequence)?.into(),
            department.into(),
            enterprise.into(),
            matter.into(),
            as_of.into(),
            record.salt.to_vec().into(),
            record.leaf.to_vec().into(),
            record.body.into(),
        ]);
    }
    let mut tx = database.write().await?;
    let columns = [
        "writer",
        "sequence",
        "department",
        "enterprise",
        "matter",
        "as_of",
        "salt",
        "leaf",
        "body",
    ];
    tx.upsert("decision", &columns, &["writer", "sequence"], rows)
        .await?;
    feedback::make_due(&mut tx, due).await?;
    if let Some(newest) = newest {
        // Time has come so far at least.
        feedback::forget_ended(&mut tx, Timestamp::from_micros(newest)).await?;
    }
    tx.run(
        "INSERT INTO decision_writer (writer, through, ended) VALUES ($1, $2, $3) \
         ON CONFLICT (writer) DO UPDATE SET \
         through = CASE WHEN excluded.through > decision_writer.through THEN excluded.through ELSE decision_writer.through END, \
         ended = CASE WHEN excluded.ended > decision_writer.ended THEN excluded.ended ELSE decision_writer.ended END",
        &[name.into(), number(through)?.into(), i64::from(ended).into()],
    )
    .await?;
    tx.commit().await
}

/// Looks a decision up. Ask the writer's folder first: what it forgets is here.
pub(crate) async fn find(tx: &mut Tx, id: &DecisionId) -> Result<Looked, StoreError> {
    let (writer, Ok(sequence)) = (id.writer.to_string(), number(id.sequence)) else {
        return Ok(Looked::None);
    };
    let found = tx
        .row(
            "SELECT body FROM decision WHERE writer = $1 AND sequence = $2",
            &[Value::from(&writer), sequence.into()],
        )
        .await?;
    if let Some(row) = found {
        return Ok(row
            .get::<Option<Vec<u8>>>("body")?
            .map_or(Looked::Erased, Looked::Body));
    }
    let known = tx
        .row(
            "SELECT through, ended, url FROM decision_writer WHERE writer = $1",
            &[writer.into()],
        )
        .await?;
    let Some(row) = known else { return Ok(Looked::None) };
    let passed = row.get::<i64>("through")? >= sequence || row.get::<i64>("ended")? == 1;
    if passed {
        return Ok(Looked::None);
    }
    let url = Some(row.get::<String>("url")?).filter(|url| !url.is_empty());
    Ok(Looked::NotYet { url })
}

fn number(sequence: u64) -> Result<i64, StoreError> {
    i64::try_from(sequence).map_err(StoreError::corrupt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use greenstar_testkit::Scratch;

    fn shipped(sequence: u64) -> Shipped {
        let body = format!("body {sequence}").into_bytes();
        Shipped {
            record: Record {
                sequence,
                salt: [1; 16],
                leaf: [2; 32],
                body,
            },
            department: "licensing".to_owned(),
            enterprise: "enterprises/91110115MAX000015J".to_owned(),
            matter: "departments/licensing/matters/eia-approval".to_owned(),
            as_of: 7,
            due: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_decision_is_unknown_only_when_its_writer_has_passed_it() {
        for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
            let database = Database::migrate(&scratch.url().parse().unwrap(), &MIGRATIONS)
                .await
                .unwrap();
            let writer = WriterId::parse("0198f7d0000070008000000000000001").unwrap();
            let find = async |sequence| {
                find(
                    &mut database.read().await.unwrap(),
                    &DecisionId { writer, sequence },
                )
                .await
                .unwrap()
            };
            assert_eq!(find(1).await, Looked::None, "no such writer");
            register(&database, writer, None).await.unwrap();
            assert_eq!(find(1).await, Looked::NotYet { url: None });

            // Twice, as after a lost answer; the second time changes nothing.
            for _ in 0..2 {
                ship(&database, writer, vec![shipped(1), shipped(3)], 3, false)
                    .await
                    .unwrap();
            }
            register(&database, writer, Some("http://two:7003"))
                .await
                .unwrap();
            assert_eq!(find(3).await, Looked::Body(b"body 3".to_vec()));
            assert_eq!(find(2).await, Looked::None, "passed, and not there");
            let url = Some("http://two:7003".to_owned());
            assert_eq!(find(4).await, Looked::NotYet { url });

            ship(&database, writer, vec![shipped(4)], 4, true).await.unwrap();
            assert_eq!(find(5).await, Looked::None, "its life is over");
            ship(&database, writer, vec![shipped(1)], 1, false).await.unwrap();
            assert_eq!(find(5).await, Looked::None, "a late repeat takes nothing back");

            let mut tx = database.write().await.unwrap();
            tx.run(
                "UPDATE decision SET salt = NULL, body = NULL WHERE sequence = 3",
                &[],
            )
            .await
            .unwrap();
            tx.commit().await.unwrap();
            assert_eq!(find(3).await, Looked::Erased);
        }
    }
}
