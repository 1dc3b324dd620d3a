//! Signed statements.

use greenstar_kernel::{Code, Timestamp, Uscc};
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::receipt_service_server::ReceiptService;
use greenstar_receipts::{Jwk, Receipt};
use greenstar_rpc::{accept, names, pages};
use prost::Message as _;
use serde_json::{Map, Value, json};
use tonic::{Request, Response, Status};

use super::authority::Authority;
use super::convert;
use super::desk::{self, Desk};
use super::retold::Retold;
use super::status;
use crate::consistency::{Level, Reached};
use crate::domain::matter::{MAX_STALENESS, Stale};
use crate::follow::wire;
use crate::record::{WriterId, hex};
use crate::signing::Unsigned;
use crate::store::receipt;
use crate::view::Look;

/// The record of a screening names this instead of a department's matter: nothing was decided.
const SCREENING: &str = "screening";

#[derive(Clone, Debug)]
pub(crate) struct ReceiptRpc(pub(crate) Desk);

#[tonic::async_trait]
impl ReceiptService for ReceiptRpc {
    async fn issue_decision_receipt(
        &self,
        request: Request<pb::IssueDecisionReceiptRequest>,
    ) -> Result<Response<pb::IssueDecisionReceiptResponse>, Status> {
        let (call, request) = accept(request)?;
        let retold = Retold::find(&self.0, &call.caller, "decision", &request.decision).await?;
        if !retold.intact {
            return Err(status::damaged(&status::Damaged));
        }
        let statement = decided(&retold.decision, &retold.leaf);
        let receipt = sign(&self.0, "greenstar.decision/1", statement).await?;
        Ok(Response::new(pb::IssueDecisionReceiptResponse {
            receipt: Some(receipt),
        }))
    }

    async fn screen_enterprise(
        &self,
        request: Request<pb::ScreenEnterpriseRequest>,
    ) -> Result<Response<pb::ScreenEnterpriseResponse>, Status> {
        let (call, request) = accept(request)?;
        let uscc = names::enterprise("enterprise", &request.enterprise)?;
        let authority = Authority::read(request.authority)?;
        let level = Level::read(request.consistency.as_ref()).map_err(|error| status::unreached(&error))?;
        let limit = desk::staleness_limit(request.consistency.as_ref())?;
        let reached = self.0.freshness.reach(level, desk::deadline(&call)).await;
        let reached = reached.map_err(|error| status::unreached(&error))?;
        let mut told = self.looked(&uscc, limit, &reached)?;
        let (department, officer) = desk::who(&call.caller);
        (told.department, told.officer) = (department.to_owned(), officer);
        told.request_id = request.request_id;
        if let Some(authority) = &authority {
            authority.holds_on(self.0.clock.now().date())?;
            told.authority = Some(authority.wire().clone());
        }
        let id = self.0.records.durable(told.encode_to_vec()).await;
        let id = id.map_err(|error| status::record(&error))?;
        told.name = format!("decisions/{id}");
        let receipt = sign(&self.0, "greenstar.screening/1", screened(&told)).await?;
        Ok(Response::new(pb::ScreenEnterpriseResponse {
            flags: told.flags.iter().map(|flag| flag.name.clone()).collect(),
            known: told.known,
            as_of_time: told.as_of_time,
            token: told.token,
            receipt: Some(receipt),
        }))
    }

    async fn list_keys(
        &self,
        request: Request<pb::ListKeysRequest>,
    ) -> Result<Response<pb::ListKeysResponse>, Status> {
        accept(request)?;
        let mut tx = self
            .0
            .database
            .read()
            .await
            .map_err(|error| status::store(&error))?;
        let keys = receipt::keys(&mut tx)
            .await
            .map_err(|error| status::store(&error))?;
        Ok(Response::new(pb::ListKeysResponse {
            keys: keys.into_iter().map(key).collect(),
        }))
    }

    async fn rotate_key(
        &self,
        request: Request<pb::RotateKeyRequest>,
    ) -> Result<Response<pb::RotateKeyResponse>, Status> {
        let (call, request) = accept(request)?;
        let asked_by = match request.request_id.as_str() {
            "" => String::new(),
            id => format!("{}\n{id}", call.caller.principal()),
        };
        let new = self
            .0
            .signer
            .rotate(&asked_by)
            .await
            .map_err(|error| unsigned(&error))?;
        tracing::info!(
            principal = call.caller.principal(),
            kid = new.kid,
            "all signing keys were retired"
        );
        Ok(Response::new(pb::RotateKeyResponse { key: Some(key(new)) }))
    }

    async fn list_checkpoints(
        &self,
        request: Request<pb::ListCheckpointsRequest>,
    ) -> Result<Response<pb::ListCheckpointsResponse>, Status> {
        let (_, request) = accept(request)?;
        let writer = names::single("parent", &request.parent, "recordWriters")?;
        if WriterId::parse(writer).is_none() {
            return Err(status::writer_unknown());
        }
        let query = ["ListCheckpoints", writer];
        let page = pages::page(request.page_size, &request.page_token, &query)?;
        let before = match page.after.as_deref() {
            Some(last) => last.parse().map_err(|_| status::page_token_invalid())?,
            None => i64::MAX,
        };
        let mut tx = self
            .0
            .database
            .read()
            .await
            .map_err(|error| status::store(&error))?;
        let found = receipt::checkpoints(&mut tx, writer, before, page.size + 1).await;
        let mut found = found
            .map_err(|error| status::store(&error))?
            .ok_or_else(status::writer_unknown)?;
        let more = found.len() > page.size;
        found.truncate(page.size);
        let last = found.last().filter(|_| more);
        let next_page_token = last.map_or_else(String::new, |last| {
            pages::next_token(&query, &last.sequence.to_string())
        });
        Ok(Response::new(pb::ListCheckpointsResponse {
            checkpoints: found.into_iter().map(checkpoint).collect(),
            next_page_token,
        }))
    }
}

impl ReceiptRpc {
    /// The flags in force, as a record of which nothing is left to say but by whom it was asked.
    fn looked(
        &self,
        uscc: &Uscc,
        limit: Option<std::time::Duration>,
        reached: &Reached,
    ) -> Result<pb::Decision, Status> {
        let desk = &self.0;
        let Look {
            reading,
            age: known,
            now,
            as_of,
        } = desk.view.look(&*desk.clock).ok_or_else(status::not_ready)?;
        if let Some(log) = reading.misses(&reached.token) {
            return Err(status::unreached(&desk.freshness.missed(log, &reached.token)));
        }
        let age = reached.age(known, now);
        let bound = limit.map_or(MAX_STALENESS, |limit| limit.min(MAX_STALENESS));
        // Nobody signs that nothing was found in what may be old (P10).
        if age.is_none_or(|age| age > bound) {
            return Err(status::stale(&Stale { age, bound }));
        }
        let facts = reading.facts(uscc).map_err(status::unreadable)?;
        let ruling = reading.ruling(as_of).ok_or_else(status::not_ready)?;
        let policy = ruling.policy.as_ref().ok_or_else(status::not_ready)?;
        let rating = facts.rating.at(as_of);
        let kinds = policy.catalogue().flag_kinds();
        let title = |code: &Code| {
            kinds
                .iter()
                .find(|kind| kind.code == *code)
                .map(|kind| &kind.title)
        };
        let flags: Vec<pb::DecidedFlag> = facts
            .flags
            .iter()
            .filter(|flag| flag.in_force(as_of))
            .map(|flag| convert::in_force(flag, title(&flag.kind)))
            .collect();
        Ok(pb::Decision {
            enterprise: format!("enterprises/{uscc}"),
            matter: SCREENING.to_owned(),
            outcome: if flags.is_empty() { "CLEAR" } else { "FOUND" }.to_owned(),
            flags,
            star: rating.standing.star().map(|star| i32::from(star.get())),
            state: convert::state(rating.standing.state()).into(),
            known: facts.known,
            as_of_time: Some(wire::to_instant(as_of)),
            token: desk.view.token(&reading),
            data_age: age.map(pbjson_types::Duration::from),
            max_staleness: Some(bound.into()),
            ..pb::Decision::default()
        })
    }
}

async fn sign(desk: &Desk, typ: &str, statement: Map<String, Value>) -> Result<pb::Receipt, Status> {
    let signed = desk.signer.sign(typ, statement).await;
    let Receipt { jws, payload } = signed.map_err(|error| unsigned(&error))?;
    Ok(pb::Receipt { jws, payload })
}

/// Signs what a simulation counted; whom it named is not in it.
pub(super) async fn simulated(desk: &Desk, result: &pb::SimulationResult) -> Result<pb::Receipt, Status> {
    let moves: Vec<Value> = result
        .moves
        .iter()
        .map(
            |moved| json!({"matter": moved.matter, "from": moved.from, "to": moved.to, "count": moved.count}),
        )
        .collect();
    let as_of = result.as_of_time.as_ref().map(wire::instant);
    let statement = members(json!({
        "evaluated": result.evaluated,
        "outcome_changed": result.outcome_changed,
        "measures_changed": result.measures_changed,
        "skipped": result.skipped,
        "moves": moves,
        "visits_per_mille_before": result.visits_per_mille_before,
        "visits_per_mille_after": result.visits_per_mille_after,
        "policy_version_before": result.policy_version_before,
        "policy_version_after": result.policy_version_after,
        "token": result.token,
        "as_of": as_of.map(|as_of: Timestamp| as_of.to_string()),
    }));
    sign(desk, "greenstar.simulation/1", statement).await
}

fn unsigned(error: &Unsigned) -> Status {
    match error {
        Unsigned::Store(error) => status::store(error),
        Unsigned::Key(_) | Unsigned::Statement(_) | Unsigned::Ended => status::damaged(error),
    }
}

/// What a decision's receipt says.
fn decided(decision: &pb::Decision, leaf: &str) -> Map<String, Value> {
    let measures: Vec<Value> = decision
        .measures
        .iter()
        .map(|measure| json!({"code": measure.code, "parameters": measure.parameters}))
        .collect();
    let versions = decision.versions.clone().unwrap_or_default();
    let mut statement = about(decision);
    statement.extend(members(json!({
        "matter": decision.matter,
        "arguments": decision.arguments,
        "outcome": decision.outcome,
        "manual_review": decision.manual_review,
        "measures": measures,
        "versions": {
            "table": versions.table,
            "baseline": versions.baseline,
            "catalogue": versions.catalogue,
            "evaluator": versions.evaluator,
            "scheme": versions.scheme,
            "rating": versions.rating,
        },
        "leaf": leaf,
    })));
    statement
}

/// What a screening's receipt says.
fn screened(record: &pb::Decision) -> Map<String, Value> {
    let mut statement = about(record);
    statement.extend(members(json!({
        "found": !record.flags.is_empty(),
        "token": record.token,
    })));
    statement
}

fn about(decision: &pb::Decision) -> Map<String, Value> {
    let flags: Vec<Value> = decision
        .flags
        .iter()
        .map(|flag| json!({"name": flag.name, "kind": flag.kind}))
        .collect();
    let as_of = decision.as_of_time.as_ref().map(wire::instant);
    members(json!({
        "decision": decision.name,
        "enterprise": decision.enterprise,
        "department": decision.department,
        "known": decision.known,
        "star": decision.star,
        "state": decision.state().as_str_name(),
        "flags": flags,
        "as_of": as_of.map(|as_of: Timestamp| as_of.to_string()),
    }))
}

fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

fn key(key: receipt::Key) -> pb::JsonWebKey {
    let Jwk {
        kty,
        crv,
        x,
        kid,
        alg,
        usage,
        ..
    } = Jwk::of(key.x);
    pb::JsonWebKey {
        kty,
        crv,
        x,
        kid,
        alg,
        r#use: usage,
        retired_at: key.retired_at.map_or_else(String::new, |at| at.to_string()),
    }
}

fn checkpoint(checkpoint: receipt::Checkpoint) -> pb::Checkpoint {
    pb::Checkpoint {
        writer: format!("recordWriters/{}", checkpoint.writer),
        sequence: checkpoint.sequence,
        chain: hex(&checkpoint.chain),
        create_time: Some(wire::to_instant(checkpoint.made_at)),
        receipt: Some(pb::Receipt {
            jws: checkpoint.jws,
            payload: checkpoint.payload,
        }),
    }
}
