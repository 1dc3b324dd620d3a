//! Decisions in the database, and how far each writer's are there.

use std::ops::RangeInclusive;
use std::sync::Arc;

use greenstar_kernel::Timestamp;
use greenstar_store::{Database, Row, StoreError, Tx, Value};

use super::feedback::{self, Due};
use crate::record::chain::{Chain, Hash};
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

/// What goes to the database in one transaction.
#[derive(Debug)]
pub(crate) struct Shipment {
    pub(crate) writer: WriterId,
    /// In the order of their sequences.
    pub(crate) records: Vec<Shipped>,
    /// With these, all of the writer's records up to here are there.
    pub(crate) through: u64,
    /// Sequences that were given to nobody.
    pub(crate) skipped: Option<RangeInclusive<u64>>,
    /// The writer's life is over, and there is nothing beyond.
    pub(crate) ended: bool,
    /// Editions of the catalogue that the records name, as they came: name without its collection, source.
    pub(crate) editions: Vec<(String, Arc<[u8]>)>,
}

/// A record as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Who asked.
    pub(crate) department: String,
    /// About whom: `enterprises/{uscc}`.
    pub(crate) enterprise: String,
    /// `None`: its retention has ended.
    pub(crate) content: Option<Content>,
    pub(crate) leaf: Vec<u8>,
    /// `None`: it was shipped by an earlier release, and its writer's chain is not computed so far yet.
    pub(crate) link: Option<Vec<u8>>,
}

/// What retention takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) salt: Vec<u8>,
    /// The encoded decision.
    pub(crate) body: Vec<u8>,
}

impl Kept {
    fn of(row: &Row) -> Result<Kept, StoreError> {
        let salt: Option<Vec<u8>> = row.get("salt")?;
        let body: Option<Vec<u8>> = row.get("body")?;
        Ok(Kept {
            department: row.get("department")?,
            enterprise: row.get("enterprise")?,
            content: salt.zip(body).map(|(salt, body)| Content { salt, body }),
            leaf: row.get("leaf")?,
            link: row.get("chain")?,
        })
    }
}

/// What the database says about an id.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    Kept(Box<Kept>),
    /// There is none, and none will come.
    None,
    /// Its writer may still have it, and is reached here.
    NotYet {
        url: Option<String>,
    },
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

/// Stores records of one writer, links them to its chain, and says how far it is, in one transaction. What the
/// database has passed already changes nothing, so that a repeat does not either.
pub(crate) async fn ship(database: &Database, shipment: Shipment) -> Result<(), StoreError> {
    let Shipment {
        writer,
        records,
        through,
        skipped,
        ended,
        editions,
    } = shipment;
    let name = writer.to_string();
    let mut tx = database.write().await?;
    let before = Progress::lock(&mut tx, writer).await?;
    let skipped = skipped.and_then(|range| {
        let first = (*range.start()).max(before.through + 1);
        (first <= *range.end()).then(|| first..=*range.end())
    });
    if let Some(range) = &skipped {
        let (first, last) = (number(*range.start())?, number(*range.end())?);
        tx.run(
            "INSERT INTO decision_skip (writer, first_sequence, last_sequence) VALUES ($1, $2, $3)",
            &[Value::from(&name), first.into(), last.into()],
        )
        .await?;
    }
    // What an earlier release shipped is linked by `link_some`, in order.
    let mut chain = Some(before.chain).filter(|chain| chain.through() == before.through);
    let (mut rows, mut due) = (Vec::with_capacity(records.len()), Vec::new());
    let mut newest = None;
    for shipped in records {
        let Shipped {
            record,
            department,
            enterprise,
            matter,
            as_of,
            due: made,
        } = shipped;
        if record.sequence <= before.through {
            continue;
        }
        due.extend(made);
        newest = newest.max(Some(as_of));
        let link = chain.as_mut().map(|chain| {
            chain
                .record(record.sequence, &record.leaf, skipped.as_slice())
                .to_vec()
        });
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
            link.into(),
        ]);
    }
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
        "chain",
    ];
    tx.upsert("decision", &columns, &["writer", "sequence"], rows)
        .await?;
    feedback::make_due(&mut tx, due).await?;
    if let Some(newest) = newest {
        // Time has come so far at least.
        feedback::forget_ended(&mut tx, Timestamp::from_micros(newest)).await?;
    }
    for (edition, source) in editions {
        // An edition never changes.
        tx.run(
            "INSERT INTO catalogue_edition (edition, source) VALUES ($1, $2) ON CONFLICT (edition) DO NOTHING",
            &[edition.into(), source.to_vec().into()],
        )
        .await?;
    }
    if let Some(chain) = &mut chain {
        chain.fill(through, skipped.as_slice());
    }
    Progress {
        through: before.through.max(through),
        chain: chain.unwrap_or(before.chain),
    }
    .write(&mut tx, &name)
    .await?;
    if ended {
        tx.run(
            "UPDATE decision_writer SET ended = 1 WHERE writer = $1",
            &[name.into()],
        )
        .await?;
    }
    tx.commit().await
}

/// How far a writer is.
#[derive(Clone, Copy, Debug)]
struct Progress {
    through: u64,
    /// Behind `through` where an earlier release shipped.
    chain: Chain,
}

impl Progress {
    /// Reads it, and keeps everybody else from changing it until the transaction ends.
    async fn lock(tx: &mut Tx, writer: WriterId) -> Result<Progress, StoreError> {
        let row = tx
            .row(
                "INSERT INTO decision_writer (writer, through, ended) VALUES ($1, 0, 0) \
                 ON CONFLICT (writer) DO UPDATE SET writer = excluded.writer RETURNING through, chained, chain",
                &[writer.to_string().into()],
            )
            .await?;
        let row = row.ok_or_else(|| StoreError::corrupt("a writer that was written is not there"))?;
        let chained = sequence(row.get("chained")?)?;
        let chain = match chained {
            0 => Chain::of(writer),
            chained => Chain::at(chained, hash(row.get("chain")?)?),
        };
        Ok(Progress {
            through: sequence(row.get("through")?)?,
            chain,
        })
    }

    async fn write(&self, tx: &mut Tx, writer: &str) -> Result<(), StoreError> {
        let chained = Some(self.chain).filter(|chain| chain.through() > 0);
        tx.run(
            "UPDATE decision_writer SET through = $2, chained = $3, chain = $4 WHERE writer = $1",
            &[
                writer.into(),
                number(self.through)?.into(),
                number(chained.map_or(0, |chain| chain.through()))?.into(),
                chained.map(|chain| chain.link().to_vec()).into(),
            ],
        )
        .await?;
        Ok(())
    }
}

/// Links records that an earlier release shipped without a chain, a batch of one writer at a time. False: none is
/// left.
pub(crate) async fn link_some(database: &Database) -> Result<bool, StoreError> {
    const BATCH: usize = 500;
    let mut tx = database.write().await?;
    let found = tx
        .row(
            "SELECT writer FROM decision_writer WHERE chained < through ORDER BY writer LIMIT 1",
            &[],
        )
        .await?;
    let Some(row) = found else { return Ok(false) };
    let name: String = row.get("writer")?;
    let writer = WriterId::parse(&name).ok_or_else(|| StoreError::corrupt("a writer without a name"))?;
    let Progress { through, mut chain } = Progress::lock(&mut tx, writer).await?;
    let from = number(chain.through())?;
    let skipped = skips(&mut tx, &name, from).await?;
    let sql = format!(
        "SELECT sequence, leaf FROM decision WHERE writer = $1 AND sequence > $2 AND sequence <= $3 \
         ORDER BY sequence LIMIT {BATCH}"
    );
    let rows = tx
        .rows(&sql, &[Value::from(&name), from.into(), number(through)?.into()])
        .await?;
    for row in &rows {
        let at: i64 = row.get("sequence")?;
        let leaf = hash(row.get("leaf")?)?;
        let link = chain.record(sequence(at)?, &leaf, &skipped);
        tx.run(
            "UPDATE decision SET chain = $3 WHERE writer = $1 AND sequence = $2",
            &[Value::from(&name), at.into(), link.to_vec().into()],
        )
        .await?;
    }
    if rows.len() < BATCH {
        chain.fill(through, &skipped);
    }
    Progress { through, chain }.write(&mut tx, &name).await?;
    tx.commit().await?;
    Ok(true)
}

/// Sequences of a writer behind `after` that were given to nobody.
async fn skips(tx: &mut Tx, writer: &str, after: i64) -> Result<Vec<RangeInclusive<u64>>, StoreError> {
    let rows = tx
        .rows(
            "SELECT first_sequence, last_sequence FROM decision_skip WHERE writer = $1 AND last_sequence > $2",
            &[writer.into(), after.into()],
        )
        .await?;
    let range = |row: &Row| {
        let (first, last) = (row.get("first_sequence")?, row.get("last_sequence")?);
        Ok(sequence(first)?..=sequence(last)?)
    };
    rows.iter().map(range).collect()
}

/// Whether a record's link follows from its leaf and from the link of the record before it. One that has none yet, as
/// an earlier release left it, does.
pub(crate) async fn is_linked(tx: &mut Tx, id: &DecisionId, kept: &Kept) -> Result<bool, StoreError> {
    let name = id.writer.to_string();
    let Some(link) = &kept.link else {
        let sql = "SELECT chained FROM decision_writer WHERE writer = $1";
        let writer = tx.row(sql, &[name.into()]).await?;
        let chained = writer.map_or(Ok(0), |row| row.get::<i64>("chained"))?;
        return Ok(sequence(chained)? < id.sequence);
    };
    let before = tx
        .row(
            "SELECT sequence, chain FROM decision WHERE writer = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT 1",
            &[Value::from(&name), number(id.sequence)?.into()],
        )
        .await?;
    let mut chain = match before {
        None => Chain::of(id.writer),
        Some(row) => {
            let Some(link) = row.get::<Option<Vec<u8>>>("chain")? else {
                return Ok(false);
            };
            Chain::at(sequence(row.get("sequence")?)?, hash(link)?)
        }
    };
    let skipped = skips(tx, &name, number(chain.through())?).await?;
    let Ok(leaf) = Hash::try_from(kept.leaf.as_slice()) else {
        return Ok(false);
    };
    Ok(*link == chain.record(id.sequence, &leaf, &skipped))
}

/// Looks a decision up. Ask the writer's folder first: what it forgets is here.
pub(crate) async fn find(tx: &mut Tx, id: &DecisionId) -> Result<Looked, StoreError> {
    let (writer, Ok(sequence)) = (id.writer.to_string(), number(id.sequence)) else {
        return Ok(Looked::None);
    };
    let found = tx
        .row(
            "SELECT department, enterprise, salt, leaf, body, chain FROM decision WHERE writer = $1 AND sequence = $2",
            &[Value::from(&writer), sequence.into()],
        )
        .await?;
    if let Some(row) = found {
        return Ok(Looked::Kept(Box::new(Kept::of(&row)?)));
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

/// A sequence as the database numbers it.
pub(super) fn number(sequence: u64) -> Result<i64, StoreError> {
    i64::try_from(sequence).map_err(StoreError::corrupt)
}

pub(super) fn sequence(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(StoreError::corrupt)
}

fn hash(bytes: Vec<u8>) -> Result<Hash, StoreError> {
    Hash::try_from(bytes).map_err(|bytes| StoreError::corrupt(format!("a hash of {} bytes", bytes.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MIGRATIONS;
    use crate::record::chain::leaf;
    use greenstar_testkit::Scratch;

    fn shipped(sequence: u64) -> Shipped {
        let body = format!("body {sequence}").into_bytes();
        Shipped {
            record: Record {
                sequence,
                salt: [1; 16],
                leaf: leaf(&[1; 16], &body),
                body,
            },
            department: "licensing".to_owned(),
            enterprise: "enterprises/91110115MAX000015J".to_owned(),
            matter: "departments/licensing/matters/eia-approval".to_owned(),
            as_of: 7,
            due: Vec::new(),
        }
    }

    fn writer() -> WriterId {
        WriterId::parse("0198f7d0000070008000000000000001").unwrap()
    }

    fn of(sequences: &[u64], through: u64) -> Shipment {
        Shipment {
            writer: writer(),
            records: sequences.iter().copied().map(shipped).collect(),
            through,
            skipped: None,
            ended: false,
            editions: vec![("2026-1".to_owned(), b"edition".as_slice().into())],
        }
    }

    async fn databases() -> Vec<(Scratch, Database)> {
        let mut both = Vec::new();
        for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
            let database = Database::migrate(&scratch.url().parse().unwrap(), &MIGRATIONS)
                .await
                .unwrap();
            both.push((scratch, database));
        }
        both
    }

    async fn look(database: &Database, sequence: u64) -> Looked {
        let id = DecisionId {
            writer: writer(),
            sequence,
        };
        find(&mut database.read().await.unwrap(), &id).await.unwrap()
    }

    async fn kept(database: &Database, sequence: u64) -> Kept {
        match look(database, sequence).await {
            Looked::Kept(kept) => *kept,
            other => panic!("{other:?}"),
        }
    }

    async fn linked(database: &Database, sequence: u64) -> bool {
        let id = DecisionId {
            writer: writer(),
            sequence,
        };
        let kept = kept(database, sequence).await;
        is_linked(&mut database.read().await.unwrap(), &id, &kept)
            .await
            .unwrap()
    }

    async fn run(database: &Database, sql: &str) {
        let mut tx = database.write().await.unwrap();
        tx.run(sql, &[]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn chain(database: &Database) -> Chain {
        let mut tx = database.write().await.unwrap();
        Progress::lock(&mut tx, writer()).await.unwrap().chain
    }

    #[tokio::test]
    async fn a_decision_is_unknown_only_when_its_writer_has_passed_it() {
        for (_scratch, database) in databases().await {
            assert_eq!(look(&database, 1).await, Looked::None, "no such writer");
            register(&database, writer(), None).await.unwrap();
            assert_eq!(look(&database, 1).await, Looked::NotYet { url: None });

            // Twice, as after a lost answer; the second time changes nothing.
            for _ in 0..2 {
                ship(&database, of(&[1, 3], 3)).await.unwrap();
            }
            register(&database, writer(), Some("http://two:7003"))
                .await
                .unwrap();
            let content = kept(&database, 3).await.content.unwrap();
            assert_eq!(content.body, b"body 3");
            assert_eq!(look(&database, 2).await, Looked::None, "passed, and not there");
            let url = Some("http://two:7003".to_owned());
            assert_eq!(look(&database, 4).await, Looked::NotYet { url });

            let last = Shipment {
                ended: true,
                ..of(&[4], 4)
            };
            ship(&database, last).await.unwrap();
            assert_eq!(look(&database, 5).await, Looked::None, "its life is over");
            ship(&database, of(&[1], 1)).await.unwrap();
            assert_eq!(
                look(&database, 5).await,
                Looked::None,
                "a late repeat takes nothing back"
            );

            run(
                &database,
                "UPDATE decision SET salt = NULL, body = NULL WHERE sequence = 3",
            )
            .await;
            assert_eq!(kept(&database, 3).await.content, None);
            assert!(
                linked(&database, 3).await && linked(&database, 4).await,
                "the chain is whole"
            );
        }
    }

    #[tokio::test]
    async fn a_chain_is_the_same_however_its_records_were_shipped_and_says_what_was_skipped() {
        for (_scratch, database) in databases().await {
            for part in [of(&[1, 2], 2), of(&[1, 2], 2), of(&[4], 4)] {
                ship(&database, part).await.unwrap();
            }
            let skipping = Shipment {
                // The first of them was found in the folder after all.
                skipped: Some(4..=6),
                ..of(&[7], 8)
            };
            ship(&database, skipping).await.unwrap();
            let mut expected = Chain::of(writer());
            for sequence in [1, 2, 4, 7] {
                expected.record(sequence, &shipped(sequence).record.leaf, &[5..=6]);
            }
            expected.fill(8, &[]);
            assert_eq!(chain(&database).await, expected);
            for sequence in [1, 2, 4, 7] {
                assert!(linked(&database, sequence).await, "{sequence}");
            }
            run(&database, "UPDATE decision SET leaf = salt WHERE sequence = 4").await;
            assert!(!linked(&database, 4).await, "another leaf");
            run(&database, "DELETE FROM decision WHERE sequence = 2").await;
            assert!(!linked(&database, 4).await, "a record was taken away");
            run(&database, "UPDATE decision SET chain = NULL WHERE sequence = 7").await;
            assert!(!linked(&database, 7).await, "the link was taken away");
        }
    }

    #[tokio::test]
    async fn what_an_earlier_release_shipped_is_linked_later_in_order() {
        for (_scratch, database) in databases().await {
            let many: Vec<u64> = (1..=620).filter(|sequence| *sequence != 30).collect();
            ship(&database, of(&many, 621)).await.unwrap();
            let expected = chain(&database).await;
            // As before the chain was there.
            run(&database, "UPDATE decision SET chain = NULL").await;
            run(&database, "UPDATE decision_writer SET chained = 0, chain = NULL").await;
            assert!(linked(&database, 620).await, "nothing speaks against it");
            ship(&database, of(&[622], 622)).await.unwrap();
            assert_eq!(
                kept(&database, 622).await.link,
                None,
                "not before those before it"
            );
            while link_some(&database).await.unwrap() {}
            let mut expected = Chain::at(expected.through(), expected.link());
            expected.record(622, &shipped(622).record.leaf, &[]);
            assert_eq!(chain(&database).await, expected);
            assert!(
                linked(&database, 1).await && linked(&database, 31).await && linked(&database, 622).await
            );
        }
    }
}
