//! Recorded decisions retold and evaluated again.

use std::time::Duration;

use greenstar_kernel::Caller;
use greenstar_proto::common::v1::RatingState;
use greenstar_proto::rating::v1::rating_service_client::RatingServiceClient;
use greenstar_proto::rating::v1::{Assessment, GetAssessmentRequest};
use greenstar_proto::supervision::v1 as pb;
use greenstar_rpc::{accept, names};
use prost::Message as _;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Request, Response, Status};

use super::decisions::{RATING, without_why};
use super::desk::Desk;
use super::made_by::{Case, Sources};
use super::siblings::Asker;
use super::status;
use crate::follow::wire;
use crate::record::chain::leaf;
use crate::record::hex;
use crate::record::{DecisionId, Found as Here, ship};
use crate::store::decision::{self, Content, Kept, Looked};

/// How long a record may take to the database, and the rating service to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks for a record that another replica has to ship.
const LOOK: Duration = Duration::from_millis(50);

/// A record that the caller may see.
#[derive(Debug)]
pub(super) struct Retold {
    id: DecisionId,
    pub(super) decision: pb::Decision,
    pub(super) leaf: String,
    /// Empty where its chain is not computed so far.
    link: String,
    /// It still is what was chained.
    pub(super) intact: bool,
}

impl Retold {
    /// Reads it from the database, where its chain is. A department sees its own, a firm those about itself.
    pub(super) async fn find(
        desk: &Desk,
        caller: &Caller,
        field: &str,
        name: &str,
    ) -> Result<Retold, Status> {
        let raw = names::single(field, name, "decisions")?;
        let id = DecisionId::parse(raw).ok_or_else(status::decision_unknown)?;
        let kept = in_database(desk, &id).await?;
        if !sees(caller, &kept) {
            return Err(status::decision_not_yours());
        }
        let Some(Content { salt, body }) = &kept.content else {
            return Err(status::record_erased());
        };
        let mut decision = pb::Decision::decode(body.as_slice()).map_err(|error| status::damaged(&error))?;
        decision.name = format!("decisions/{id}");
        let same = kept.leaf == leaf(salt, body) && is_filed_as(&decision, &kept);
        let mut tx = desk
            .database
            .read()
            .await
            .map_err(|error| status::store(&error))?;
        let linked = decision::is_linked(&mut tx, &id, &kept).await;
        Ok(Retold {
            id,
            decision,
            leaf: hex(&kept.leaf),
            link: kept.link.as_deref().map_or_else(String::new, hex),
            intact: same && linked.map_err(|error| status::store(&error))?,
        })
    }
}

/// Whether the columns that it is found by say what its body says.
fn is_filed_as(decision: &pb::Decision, kept: &Kept) -> bool {
    decision.department == kept.department && decision.enterprise == kept.enterprise
}

async fn in_database(desk: &Desk, id: &DecisionId) -> Result<Kept, Status> {
    let here = desk
        .records
        .find(id)
        .await
        .map_err(|error| status::record(&error))?;
    match here {
        Here::Record(_) => {
            let shipped = ship::through(&desk.records, &desk.database, &desk.view, id).await;
            shipped.map_err(|_| status::decision_not_yet())?;
        }
        Here::Damaged => return Err(status::damaged(&status::Damaged)),
        Here::NotYet => return Err(status::decision_not_yet()),
        Here::NotHere => {}
    }
    let until = Instant::now() + PATIENCE;
    loop {
        let mut tx = desk
            .database
            .read()
            .await
            .map_err(|error| status::store(&error))?;
        let looked = decision::find(&mut tx, id).await;
        drop(tx);
        match looked.map_err(|error| status::store(&error))? {
            Looked::Kept(kept) => return Ok(*kept),
            Looked::None => return Err(status::decision_unknown()),
            Looked::NotYet { .. } if id.writer == desk.records.writer() => {
                return Err(status::decision_unknown());
            }
            // Its writer ships it in a moment.
            Looked::NotYet { .. } if Instant::now() < until => sleep(LOOK).await,
            Looked::NotYet { .. } => return Err(status::decision_not_yet()),
        }
    }
}

fn sees(caller: &Caller, kept: &Kept) -> bool {
    match caller {
        Caller::Department { department, .. } => department.as_str() == kept.department,
        Caller::Enterprise(uscc) => format!("enterprises/{uscc}") == kept.enterprise,
        Caller::Public => false,
    }
}

/// Whether the caller may see why a firm has no star (docs/adr/0003).
fn sees_why(caller: &Caller) -> bool {
    match caller {
        Caller::Department { department, .. } => department.as_str() == RATING,
        Caller::Enterprise(_) => true,
        Caller::Public => false,
    }
}

pub(super) async fn get_dossier(
    desk: &Desk,
    request: Request<pb::GetDossierRequest>,
) -> Result<Response<pb::GetDossierResponse>, Status> {
    let asker = Asker::of(request.metadata());
    let (call, request) = accept(request)?;
    let retold = Retold::find(desk, &call.caller, "name", &request.name).await?;
    if !retold.intact {
        return Err(status::damaged(&status::Damaged));
    }
    let Retold {
        id,
        mut decision,
        leaf,
        link,
        ..
    } = retold;
    let rated = decision.state() == RatingState::Rated;
    let sees_why = sees_why(&call.caller);
    let sources = Sources::find(desk, &decision).await?;
    let (table_source, baseline_source) = sources.texts();
    let case = decision.clone();
    let rows = spawn_blocking(move || Case::of(sources, &case)?.rows(sees_why || rated)).await;
    let rows = rows.map_err(|error| status::damaged(&error))?;
    // What is no longer known is left out: a dossier says all that there is.
    let (rows, baseline_rows) = rows.unwrap_or_else(|status| {
        tracing::warn!(
            decision = decision.name,
            message = status.message(),
            "a dossier is without rows"
        );
        Default::default()
    });
    let assessment = match sees_why {
        true => assessment(desk, &asker, &decision).await,
        false => None,
    };
    if !sees_why {
        decision.facts = without_why(&decision.facts, rated).map_err(|error| status::damaged(&error))?;
    }
    let dossier = pb::Dossier {
        decision: Some(decision),
        assessment,
        rows,
        baseline_rows,
        table_source,
        baseline_source,
        leaf,
        chain: link,
        writer: format!("recordWriters/{}", id.writer),
        sequence: id.sequence,
        requested_by: call.caller.principal(),
        request_time: Some(wire::to_instant(desk.clock.now())),
    };
    Ok(Response::new(pb::GetDossierResponse {
        dossier: Some(dossier),
    }))
}

/// What the rating was made of, as the rating service tells this caller; `None` where it has gone on since, or cannot
/// be asked.
async fn assessment(desk: &Desk, asker: &Asker, decision: &pb::Decision) -> Option<Assessment> {
    let version = decision.versions.as_ref().map(|versions| versions.rating)?;
    let mut request = Request::new(GetAssessmentRequest {
        name: format!("{}/assessment", decision.enterprise),
        ..GetAssessmentRequest::default()
    });
    request.set_timeout(PATIENCE);
    asker.show(request.metadata_mut());
    let mut client = RatingServiceClient::new(desk.rating.clone());
    match timeout(PATIENCE, client.get_assessment(request)).await {
        Ok(Ok(answer)) => answer.into_inner().assessment.filter(|assessment| {
            let rating = assessment.rating.as_ref();
            rating.is_some_and(|rating| rating.version == version)
        }),
        Ok(Err(status)) if status.code() == Code::NotFound => None,
        Ok(Err(status)) => {
            tracing::warn!(code = ?status.code(), "a dossier is without its assessment");
            None
        }
        Err(_) => {
            tracing::warn!("a dossier is without its assessment: the rating service does not answer");
            None
        }
    }
}

pub(super) async fn replay_decision(
    desk: &Desk,
    request: Request<pb::ReplayDecisionRequest>,
) -> Result<Response<pb::ReplayDecisionResponse>, Status> {
    let (call, request) = accept(request)?;
    let Retold { decision, intact, .. } = Retold::find(desk, &call.caller, "name", &request.name).await?;
    let sources = Sources::find(desk, &decision).await?;
    let recorded = decision.clone();
    // It compiles a whole policy.
    let replayed = spawn_blocking(move || Case::of(sources, &recorded)?.differences(&recorded)).await;
    let differences = replayed.map_err(|error| status::damaged(&error))??;
    let replay = pb::Replay {
        decision: decision.name,
        same: differences.is_empty(),
        differences,
        versions: decision.versions,
        intact,
    };
    Ok(Response::new(pb::ReplayDecisionResponse { replay: Some(replay) }))
}
