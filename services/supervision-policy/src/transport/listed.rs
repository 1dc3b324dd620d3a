//! Recorded decisions in lists, and who wrote them.

use greenstar_kernel::{Caller, Timestamp};
use greenstar_proto::supervision::v1 as pb;
use greenstar_rpc::{accept, names, pages};
use pbjson_types as wkt;
use prost::Message as _;
use tonic::{Request, Response, Status};

use super::desk::Desk;
use super::status;
use crate::follow::wire;
use crate::record::{hex, ship};
use crate::store::receipt;
use crate::store::retold::{self, Filter, Key, Listed};

/// More is never given, as the contract says.
const MOST: usize = 200;

pub(super) async fn list_decisions(
    desk: &Desk,
    request: Request<pb::ListDecisionsRequest>,
) -> Result<Response<pb::ListDecisionsResponse>, Status> {
    let (call, request) = accept(request)?;
    let filter = filter(&call.caller, &request)?;
    let instant = |at: &Option<wkt::Timestamp>| {
        let at = at.as_ref().map(wire::instant);
        at.map_or_else(String::new, |at: Timestamp| at.micros().to_string())
    };
    let query = [
        "ListDecisions",
        &call.caller.principal(),
        &request.parent,
        &request.enterprise,
        &request.matter,
        &instant(&request.start_time),
        &instant(&request.end_time),
    ];
    let page = pages::page(request.page_size, &request.page_token, &query)?;
    let size = page.size.min(MOST);
    let after = match &page.after {
        Some(key) => Some(parse(key).ok_or_else(status::page_token_invalid)?),
        None => None,
    };
    ship::flush(&desk.records, &desk.database, &desk.view).await;
    let mut tx = desk
        .database
        .read()
        .await
        .map_err(|error| status::store(&error))?;
    let listed = retold::list(&mut tx, &filter, after.as_ref(), size + 1).await;
    let mut listed = listed.map_err(|error| status::store(&error))?;
    let more = listed.len() > size;
    listed.truncate(size);
    let next = listed.last().filter(|_| more).map(|last| written(&last.key));
    let decisions = listed.into_iter().map(summary).collect::<Result<_, _>>()?;
    Ok(Response::new(pb::ListDecisionsResponse {
        decisions,
        next_page_token: next.map_or_else(String::new, |key| pages::next_token(&query, &key)),
    }))
}

/// A department lists its own, a firm those about itself.
fn filter(caller: &Caller, request: &pb::ListDecisionsRequest) -> Result<Filter, Status> {
    let parent = names::single("parent", &request.parent, "departments")?;
    let about = match request.enterprise.as_str() {
        "" => None,
        name => Some(names::enterprise("enterprise", name)?),
    };
    let (department, about) = match caller {
        Caller::Department { department, .. } if department.as_str() == parent => {
            (Some(department.to_string()), about)
        }
        Caller::Enterprise(uscc) if parent == "-" && about.is_none_or(|about| about == *uscc) => {
            (None, Some(*uscc))
        }
        Caller::Department { .. } | Caller::Enterprise(_) | Caller::Public => {
            return Err(status::decisions_not_yours(caller));
        }
    };
    Ok(Filter {
        department,
        enterprise: about.map(|uscc| format!("enterprises/{uscc}")),
        matter: Some(request.matter.clone()).filter(|matter| !matter.is_empty()),
        from: wire::optional_instant(request.start_time.as_ref()),
        until: wire::optional_instant(request.end_time.as_ref()),
    })
}

fn written(key: &Key) -> String {
    let Key {
        as_of,
        writer,
        sequence,
    } = key;
    format!("{as_of}|{writer}|{sequence}")
}

fn parse(raw: &str) -> Option<Key> {
    let mut parts = raw.split('|');
    Some(Key {
        as_of: parts.next()?.parse().ok()?,
        writer: parts.next()?.to_owned(),
        sequence: parts.next()?.parse().ok()?,
    })
}

fn summary(listed: Listed) -> Result<pb::DecisionSummary, Status> {
    let id = listed.key.id().ok_or_else(|| status::damaged(&status::Damaged))?;
    let erased = listed.body.is_none();
    let body = listed.body.unwrap_or_default();
    let decision = pb::Decision::decode(body.as_slice()).map_err(|error| status::damaged(&error))?;
    Ok(pb::DecisionSummary {
        name: format!("decisions/{id}"),
        enterprise: listed.enterprise,
        matter: listed.matter,
        outcome: decision.outcome,
        officer: decision.officer,
        as_of_time: Some(wire::to_instant(Timestamp::from_micros(listed.key.as_of))),
        erased,
        authority: decision.authority,
    })
}

pub(super) async fn list_record_writers(
    desk: &Desk,
    request: Request<pb::ListRecordWritersRequest>,
) -> Result<Response<pb::ListRecordWritersResponse>, Status> {
    accept(request)?;
    let (records, database) = (&desk.records, &desk.database);
    ship::flush(records, database, &desk.view).await;
    let noted = retold::note_not_kept(database, records.writer(), records.not_kept()).await;
    noted.map_err(|error| status::store(&error))?;
    let mut tx = database.read().await.map_err(|error| status::store(&error))?;
    let writers = retold::writers(&mut tx)
        .await
        .map_err(|error| status::store(&error))?;
    let mut told = Vec::with_capacity(writers.len());
    for writer in writers {
        let signed = receipt::checkpoints(&mut tx, &writer.writer, i64::MAX, 1).await;
        let signed = signed.map_err(|error| status::store(&error))?;
        let last = signed.unwrap_or_default().into_iter().next();
        told.push(pb::RecordWriter {
            name: format!("recordWriters/{}", writer.writer),
            shipped_through: writer.through,
            ended: writer.ended,
            skipped: writer.skipped,
            not_kept: writer.not_kept,
            missing: writer.missing,
            erased: writer.erased,
            checkpoint: last.map_or_else(String::new, |last| {
                format!("{}:{}", last.sequence, hex(&last.chain))
            }),
        });
    }
    Ok(Response::new(pb::ListRecordWritersResponse { writers: told }))
}
