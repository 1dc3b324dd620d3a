//! Ships what the folder holds to the database, in the background: deciding never waits for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use greenstar_kernel::Timestamp;
use greenstar_proto::supervision::v1 as pb;
use greenstar_store::{Database, StoreError};
use prost::Message as _;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{DecisionId, RecordError, RecordLog};
use crate::due;
use crate::store::decision::{self, Shipment, Shipped};
use crate::store::retold;
use crate::view::View;

/// Records of one transaction.
const BATCH: usize = 500;
/// How long what was written waits for company.
const GATHER: Duration = Duration::from_millis(200);
/// Between two tries while the database does not answer.
const RETRY: Duration = Duration::from_secs(1);
/// How long a question waits for what is not shipped yet.
const FLUSH: Duration = Duration::from_millis(500);
/// How long an answer waits that may leave only when its record is in the database.
const STORE: Duration = Duration::from_secs(2);
/// How long stopping waits for what is left.
const FAREWELL: Duration = Duration::from_secs(3);

/// Ships until `stop`, then what is left, as far as time allows; the rest is shipped by the next life.
pub(crate) async fn run(log: RecordLog, database: Database, view: Arc<View>, stop: CancellationToken) {
    // What an earlier life left is due at once.
    loop {
        let began = Instant::now();
        let pause = match ship_once(&log, &database, &view).await {
            // At most a fifth of the time: decisions come first on a small machine, and what waits is safe.
            Ok(true) => began.elapsed() * 4,
            Ok(false) => {
                tokio::select! {
                    () = log.something_written() => GATHER,
                    () = stop.cancelled() => break,
                }
            }
            Err(error) => {
                tracing::warn!(%error, backlog = log.backlog(), "decision records wait for the database");
                RETRY
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => break,
        }
    }
    log.close().await;
    let rest = async {
        while ship_once(&log, &database, &view).await? {}
        retold::note_not_kept(&database, log.writer(), log.not_kept()).await?;
        // All that this life has given is there.
        let end = Shipment {
            writer: log.writer(),
            records: Vec::new(),
            through: 0,
            skipped: None,
            ended: true,
            editions: Vec::new(),
        };
        decision::ship(&database, end).await
    };
    match timeout(FAREWELL, rest).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, backlog = log.backlog(), "decision records stay in the folder for the next start");
        }
        Err(_) => tracing::info!(
            backlog = log.backlog(),
            "decision records stay in the folder for the next start"
        ),
    }
}

/// False: nothing was due.
pub(crate) async fn ship_once(log: &RecordLog, database: &Database, view: &View) -> Result<bool, StoreError> {
    // One at a time: whoever wants all that was written to be there waits here.
    let _turn = log.shipping().await;
    let Some(due) = log.due(BATCH).await? else {
        return Ok(false);
    };
    let mut named = BTreeSet::new();
    let records = due
        .records
        .into_iter()
        .map(|record| {
            let body = pb::Decision::decode(&*record.body).map_err(StoreError::corrupt)?;
            named.extend(body.versions.as_ref().map(|versions| versions.catalogue.clone()));
            let id = DecisionId {
                writer: due.writer,
                sequence: record.sequence,
            };
            let as_of = body
                .as_of_time
                .map(|at| at.seconds.saturating_mul(1_000_000) + i64::from(at.nanos / 1_000));
            Ok(Shipped {
                due: due::by_decision(view, &format!("decisions/{id}"), &body),
                record,
                department: body.department,
                enterprise: body.enterprise,
                matter: body.matter,
                as_of: as_of.unwrap_or(Timestamp::default().micros()),
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    let shipment = Shipment {
        writer: due.writer,
        records,
        through: due.through,
        skipped: due.skipped,
        ended: due.last,
        editions: editions(view, &named),
    };
    decision::ship(database, shipment).await?;
    log.shipped(due.writer, due.through).await;
    Ok(true)
}

/// Those of the named editions that this replica knows: of the catalogue that it decides by they are there.
fn editions(view: &View, named: &BTreeSet<String>) -> Vec<(String, Arc<[u8]>)> {
    let known = view.editions().into_iter().filter_map(|edition| {
        let name = edition.name.strip_prefix("catalogues/")?.to_owned();
        named.contains(&name).then_some((name, edition.source))
    });
    known.collect()
}

/// Returns once this record, which is written, is in the database. Those who wait share transactions.
pub(crate) async fn through(
    log: &RecordLog,
    database: &Database,
    view: &View,
    id: &DecisionId,
) -> Result<(), RecordError> {
    let shipped = async {
        while !log.is_shipped(id) && ship_once(log, database, view).await? {}
        Ok::<_, StoreError>(log.is_shipped(id))
    };
    match timeout(STORE, shipped).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) | Err(_) => Err(RecordError::NotStored(None)),
        Ok(Err(error)) => Err(RecordError::NotStored(Some(error))),
    }
}

/// Ships all that was written before the call, as far as time allows; a failure is told by the task that ships.
pub(crate) async fn flush(log: &RecordLog, database: &Database, view: &View) {
    let all = async { while ship_once(log, database, view).await.unwrap_or(false) {} };
    // What is left is there later.
    let _ = timeout(FLUSH, all).await;
}
