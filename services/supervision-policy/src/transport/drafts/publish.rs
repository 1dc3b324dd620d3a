//! Steps before which a text is checked: by itself, and again among all that will be in force with it.

use std::sync::Arc;

use greenstar_kernel::{Code, Log, Position, Revision, Timestamp, Token};
use greenstar_proto::supervision::v1 as pb;
use greenstar_rpc::accept;
use greenstar_store::{Request as Repeat, StoreError, SubmitError};
use tonic::{Request, Response, Status};

use super::super::desk::{self, Desk};
use super::super::{findings, policies, status};
use super::{draft_of, own, parse, refused, take, text_of, versions};
use crate::consistency::Level;
use crate::domain::analysis::Examination;
use crate::domain::draft::{Actor, Checked, DraftState, Publication, Rollback, Step};
use crate::domain::draft_refusal::Refusal;
use crate::domain::version::Published;
use crate::store::lifecycle::{self, Answer, Command};
use crate::store::{draft as rows, policy};
use crate::workbook::Places;

/// How often a text is checked anew because something else was published meanwhile.
const TRIES: usize = 8;

pub(crate) async fn validate_draft(
    desk: &Desk,
    request: Request<pb::ValidateDraftRequest>,
) -> Result<Response<pb::ValidateDraftResponse>, Status> {
    let (call, mut request) = accept(request)?;
    let request_id = std::mem::take(&mut request.request_id);
    let repeat = parse::repeat(&call, "ValidateDraft", &request_id, &request);
    let actor = parse::actor(&call)?;
    let seen = parse::seen("name", &request.name, request.etag)?;
    let (draft, source) = own(desk, &call, &seen.id).await?;
    // What changes no more, or has changed since, is refused by the writer, or it knows the request.
    let is_open = match draft.state {
        DraftState::Draft | DraftState::Validated | DraftState::Approved => true,
        DraftState::Published | DraftState::Withdrawn => false,
    };
    let mut examination = Examination::default();
    if is_open && draft.etag.to_string() == seen.etag {
        let number = super::number(desk, &draft).await?;
        let now = desk.clock.now();
        examination = check(desk, draft.policy, source, number, now).await?.1;
    }
    let (draft, version) = take(desk, Step::Validated(seen), actor, repeat, &request_id).await?;
    let source = text_of(desk, &draft).await?;
    Ok(Response::new(pb::ValidateDraftResponse {
        draft: Some(draft_of(&draft, version, source)),
        findings: examination
            .findings
            .iter()
            .map(|finding| findings::of(finding, &Places::default()))
            .collect(),
        cases: examination.cases.iter().map(findings::case).collect(),
        coverage: Some(findings::coverage(&examination.coverage)),
    }))
}

pub(crate) async fn publish_policy(
    desk: &Desk,
    request: Request<pb::PublishPolicyRequest>,
) -> Result<Response<pb::PublishPolicyResponse>, Status> {
    let (call, mut request) = accept(request)?;
    let request_id = std::mem::take(&mut request.request_id);
    let repeat = parse::repeat(&call, "PublishPolicy", &request_id, &request);
    let asked = Asked::Publish(Publication {
        seen: parse::seen("draft", &request.draft, request.etag)?,
        effective_at: parse::instant("effective_time", request.effective_time)?,
        checked: None,
    });
    let work = Work {
        desk,
        actor: parse::actor(&call)?,
        deadline: desk::deadline(&call),
    };
    let (version, token) = if request.validate_only {
        (work.checked(&asked).await?.0, String::new())
    } else {
        work.publish(asked, repeat, &request_id).await?
    };
    Ok(Response::new(pb::PublishPolicyResponse {
        version: Some(versions::fresh(&version, desk.clock.now())),
        token,
    }))
}

pub(crate) async fn rollback_policy(
    desk: &Desk,
    request: Request<pb::RollbackPolicyRequest>,
) -> Result<Response<pb::RollbackPolicyResponse>, Status> {
    let (call, mut request) = accept(request)?;
    let request_id = std::mem::take(&mut request.request_id);
    let repeat = parse::repeat(&call, "RollbackPolicy", &request_id, &request);
    let asked = Asked::Rollback(Rollback {
        policy: parse::policy("name", &request.name)?,
        version: request.version,
        expected: (request.expected_version != 0).then_some(request.expected_version),
        reason: request.reason,
        checked: None,
    });
    let work = Work {
        desk,
        actor: parse::actor(&call)?,
        deadline: desk::deadline(&call),
    };
    let (version, token) = work.publish(asked, repeat, &request_id).await?;
    Ok(Response::new(pb::RollbackPolicyResponse {
        version: Some(versions::fresh(&version, desk.clock.now())),
        token,
    }))
}

/// What makes a version.
#[derive(Clone, Debug)]
enum Asked {
    Publish(Publication),
    Rollback(Rollback),
}

impl Asked {
    fn step(&self, checked: Option<Checked>) -> Step {
        match self.clone() {
            Asked::Publish(asked) => Step::Publish(Publication { checked, ..asked }),
            Asked::Rollback(asked) => Step::Rollback(Rollback { checked, ..asked }),
        }
    }
}

/// One call that makes a version.
#[derive(Debug)]
struct Work<'a> {
    desk: &'a Desk,
    actor: Actor,
    deadline: tokio::time::Instant,
}

impl Work<'_> {
    /// Checks and publishes; again if something else was published between the two.
    async fn publish(
        &self,
        asked: Asked,
        request: Option<Repeat>,
        request_id: &str,
    ) -> Result<(Published, String), Status> {
        let mut tries = 0;
        loop {
            tries += 1;
            let checked = match self.planned(&asked).await? {
                Ok(_) => Some(self.checked(&asked).await?.1),
                // The writer refuses it likewise, or it knows the request.
                Err(_) => None,
            };
            let command = Command::Step {
                step: Box::new(asked.step(checked)),
                actor: self.actor.clone(),
                request: request.clone(),
            };
            match self.desk.writer.submit(command).await {
                Ok(committed) => {
                    let token = Token::of(Log::Policy, committed.position).to_string();
                    return match committed.answer {
                        Answer::Version(version) => Ok((*version, token)),
                        Answer::Seeded | Answer::Draft { .. } => Err(refused::mixed_up()),
                    };
                }
                Err(SubmitError::Refused(Refusal::Unchecked { newest })) if tries < TRIES => {
                    self.reach(newest).await?;
                }
                Err(error) => return Err(refused::submitted(error, request_id)),
            }
        }
    }

    /// The version that would be published, without its text, or why none would be.
    async fn planned(&self, asked: &Asked) -> Result<Result<Published, Refusal>, Status> {
        let workshop = async {
            let mut tx = self.desk.database.read().await?;
            lifecycle::workshop(&mut tx, &[&asked.step(None)]).await
        };
        let workshop = workshop.await.map_err(|error| status::store(&error))?;
        let now = self.desk.clock.now();
        Ok(match asked {
            Asked::Publish(asked) => workshop.version_of(asked, &self.actor, now),
            Asked::Rollback(asked) => workshop.brought_back(asked, &self.actor, now),
        })
    }

    /// The version that would be published, its text found sound among all that will be in force at its instant.
    async fn checked(&self, asked: &Asked) -> Result<(Published, Checked), Status> {
        let planned = self.planned(asked).await?;
        let mut version = planned.map_err(|refusal| refused::refused(&refusal))?;
        let source = async {
            let mut tx = self.desk.database.read().await?;
            match asked {
                Asked::Publish(asked) => {
                    let found = rows::find(&mut tx, &asked.seen.id).await?;
                    Ok::<_, StoreError>(found.map(|(_, source)| source))
                }
                Asked::Rollback(asked) => {
                    let found = policy::version(&mut tx, &asked.policy, asked.version).await?;
                    Ok(found.map(|version| version.source))
                }
            }
        };
        let source = source.await.map_err(|error| status::store(&error))?;
        // It was there a moment ago, and nothing is ever taken away.
        let source = source.ok_or_else(refused::mixed_up)?;
        let (name, number, instant) = (version.name.clone(), version.version, version.effective_at);
        let (through, _) = check(self.desk, name, source.clone(), number, instant).await?;
        version.source.clone_from(&source);
        Ok((version, Checked { source, through }))
    }

    /// Waits until this replica has applied what was published.
    async fn reach(&self, revision: Revision) -> Result<(), Status> {
        let epoch = self.desk.database.epoch().clone();
        let token = Token::of(Log::Policy, Position { epoch, revision });
        let reached = self.desk.freshness.reach(Level::AtLeast(token), self.deadline);
        reached.await.map(drop).map_err(|error| status::unreached(&error))
    }
}

/// Examines a text as the version `number` of its policy, among all that counts at `instant`. Answers how far the policy
/// log was applied, and what there is to say.
async fn check(
    desk: &Desk,
    name: Code,
    text: String,
    number: u32,
    instant: Timestamp,
) -> Result<(Revision, Examination), Status> {
    let view = Arc::clone(&desk.view);
    // Analysing a table may take a while.
    let checked = tokio::task::spawn_blocking(move || view.candidate(&name, text, number, instant));
    let checked = checked.await.map_err(|error| status::damaged(&error))?;
    let checked = checked.ok_or_else(status::not_ready)?;
    let (applied, examination) = checked.map_err(|errors| policies::faults(&errors))?;
    Ok((applied.revision, examination))
}
