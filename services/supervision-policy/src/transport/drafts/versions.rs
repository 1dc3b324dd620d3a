//! Published versions, and who decides by which.

use greenstar_kernel::{Code, Officer, Timestamp};
use greenstar_proto::supervision::v1 as pb;
use greenstar_rpc::{accept, names, pages};
use greenstar_store::StoreError;
use tonic::{Request, Response, Status};

use super::super::desk::Desk;
use super::super::{convert, status, workbooks};
use super::{MOST, parse, refused};
use crate::domain::draft_refusal::Refusal;
use crate::domain::policy::Document;
use crate::domain::version::{Line, Published, VersionState};
use crate::follow::{FENCES_AFTER, wire};
use crate::store::policy as rows;
use crate::store::replica::{self, Report};

pub(crate) async fn list_policy_versions(
    desk: &Desk,
    request: Request<pb::ListPolicyVersionsRequest>,
) -> Result<Response<pb::ListPolicyVersionsResponse>, Status> {
    let (_, request) = accept(request)?;
    let policy = parse::policy("parent", &request.parent)?;
    let query = ["ListPolicyVersions", policy.as_str()];
    let page = pages::page(request.page_size, &request.page_token, &query)?;
    let size = page.size.min(MOST);
    let before = match &page.after {
        Some(raw) => raw.parse().map_err(|_| status::page_token_invalid())?,
        None => u32::MAX,
    };
    let found = async {
        let mut tx = desk.database.read().await?;
        let line = rows::lines(&mut tx, [&policy]).await?.remove(&policy);
        // One more than the page tells whether there is a next one.
        let versions = rows::versions(&mut tx, &policy, before, size + 1).await?;
        Ok::<_, StoreError>((line, versions))
    };
    let (line, mut versions) = found.await.map_err(|error| status::store(&error))?;
    let line = line.ok_or_else(|| unknown(&policy))?;
    let more = versions.len() > size;
    versions.truncate(size);
    let next = versions.last().filter(|_| more);
    let next = next.map(|last| pages::next_token(&query, &last.version.to_string()));
    let now = desk.clock.now();
    Ok(Response::new(pb::ListPolicyVersionsResponse {
        versions: versions
            .iter()
            .map(|version| pb::PolicyVersion {
                source: String::new(),
                ..told(version, state(&line, version.version, now))
            })
            .collect(),
        next_page_token: next.unwrap_or_default(),
    }))
}

pub(crate) async fn get_policy_version(
    desk: &Desk,
    request: Request<pb::GetPolicyVersionRequest>,
) -> Result<Response<pb::GetPolicyVersionResponse>, Status> {
    let (_, request) = accept(request)?;
    let (policy, number) = parse::version("name", &request.name)?;
    let found = async {
        let mut tx = desk.database.read().await?;
        let line = rows::lines(&mut tx, [&policy]).await?.remove(&policy);
        Ok::<_, StoreError>((line, rows::version(&mut tx, &policy, number).await?))
    };
    let (line, version) = found.await.map_err(|error| status::store(&error))?;
    let line = line.ok_or_else(|| unknown(&policy))?;
    let no_version = || refused::refused(&Refusal::VersionUnknown { version: number });
    let version = version.ok_or_else(no_version)?;
    let now = desk.clock.now();
    let in_force = desk.view.rulings().clone();
    let in_force = in_force.and_then(|rulings| rulings.at(now).policy.clone());
    let in_force = in_force.ok_or_else(status::not_ready)?;
    let text = version.source.clone();
    let workbook = tokio::task::spawn_blocking(move || workbooks::of_text(&text, &in_force));
    Ok(Response::new(pb::GetPolicyVersionResponse {
        version: Some(told(&version, state(&line, number, now))),
        // A text that a workbook cannot say is told as text alone.
        workbook: workbook
            .await
            .map_err(|error| status::damaged(&error))?
            .unwrap_or_default(),
    }))
}

pub(crate) async fn list_policy_replicas(
    desk: &Desk,
    request: Request<pb::ListPolicyReplicasRequest>,
) -> Result<Response<pb::ListPolicyReplicasResponse>, Status> {
    accept(request)?;
    let found = async {
        let mut tx = desk.database.read().await?;
        let head = tx.head().await?;
        Ok::<_, StoreError>((head, replica::all(&mut tx).await?))
    };
    let (head, mut reports) = found.await.map_err(|error| status::store(&error))?;
    // This replica's word is here, newer than what it wrote down.
    if let Some(own) = desk.reporter.report() {
        reports.retain(|report| report.name != own.name);
        reports.push(own);
        reports.sort_by(|a, b| a.name.cmp(&b.name));
    }
    let now = desk.clock.now();
    let replicas = reports.into_iter().map(|report| {
        let Report {
            name,
            applied,
            fit,
            policy_version,
            reported_at,
        } = report;
        // Who is silent for longer decides nothing as fresh, and nobody knows what it has.
        let heard = now.since(reported_at) <= FENCES_AFTER;
        pb::PolicyReplica {
            name,
            converged: heard && applied.epoch == head.epoch && applied.revision >= head.revision,
            applied_revision: applied.revision.0,
            fit,
            report_time: Some(wire::to_instant(reported_at)),
            policy_version,
        }
    });
    Ok(Response::new(pb::ListPolicyReplicasResponse {
        replicas: replicas.collect(),
        head_revision: head.revision.0,
    }))
}

/// The text of a version, by its name; that of the one in force by the name of its policy.
pub(crate) async fn published(desk: &Desk, field: &str, name: &str) -> Result<Document, Status> {
    let (policy, number) = match names::nested(field, name, "policies", "versions") {
        Ok(_) => parse::version(field, name).map(|(policy, number)| (policy, Some(number)))?,
        Err(_) => (parse::policy(field, name)?, None),
    };
    let now = desk.clock.now();
    let found = async {
        let mut tx = desk.database.read().await?;
        let line = rows::lines(&mut tx, [&policy]).await?.remove(&policy);
        match number.or_else(|| line.and_then(|line| line.at(now))) {
            Some(number) => rows::version(&mut tx, &policy, number).await,
            None => Ok(None),
        }
    };
    let found = found.await.map_err(|error| status::store(&error))?;
    let version = found.ok_or_else(|| {
        let version = number.unwrap_or_default();
        refused::refused(&Refusal::VersionUnknown { version })
    })?;
    Ok(Document {
        name: policy.to_string(),
        text: version.source,
    })
}

/// A version that was published a moment ago.
pub(super) fn fresh(version: &Published, now: Timestamp) -> pb::PolicyVersion {
    let state = if version.effective_at <= now {
        VersionState::InForce
    } else {
        VersionState::Scheduled
    };
    told(version, state)
}

fn state(line: &Line, version: u32, now: Timestamp) -> VersionState {
    // Every version is in its line.
    let issued = line.find(version);
    issued.map_or(VersionState::Scheduled, |issued| line.state(issued, now))
}

fn told(version: &Published, state: VersionState) -> pb::PolicyVersion {
    let state = match state {
        VersionState::Scheduled => pb::VersionState::Scheduled,
        VersionState::InForce => pb::VersionState::InForce,
        VersionState::Superseded => pb::VersionState::Superseded,
    };
    let name = |number: u32| format!("policies/{}/versions/{number}", version.name);
    let officer = |officer: &Option<Officer>| officer.as_ref().map_or_else(String::new, ToString::to_string);
    pb::PolicyVersion {
        name: name(version.version),
        department: version.department.to_string(),
        state: state.into(),
        effective_time: Some(wire::to_instant(version.effective_at)),
        publish_time: Some(wire::to_instant(version.published_at)),
        author: officer(&version.author),
        approver: officer(&version.approver),
        publisher: officer(&version.publisher),
        rollback_of: version.rollback_of.map_or_else(String::new, name),
        evaluator: version.evaluator.clone(),
        source_hash: convert::sha256(&version.source),
        source: version.source.clone(),
        note: version.note.clone(),
    }
}

fn unknown(policy: &Code) -> Status {
    let policy = policy.clone();
    refused::refused(&Refusal::PolicyUnknown { policy })
}
