//! A policy's way: written, validated, approved by another officer, published with an instant, rolled back.

mod replicas;
mod rules;
mod way;

use std::time::Duration;

use greenstar_kernel::{Clock as _, Timestamp};
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::policy_content::Form;
use tonic::Status;

use crate::server::{Ask, FIRM, Server, Sources, to_wire};

const FINANCE: &str = include_str!("../../../data/finance.yaml");
const LICENSING: &str = include_str!("../../../data/licensing.yaml");
const BASELINE: &str = include_str!("../../../data/baseline.yaml");

fn content(source: &str) -> Option<pb::PolicyContent> {
    Some(pb::PolicyContent {
        form: Some(Form::Source(source.to_owned())),
    })
}

/// Four stars are no longer eligible, and the reason says by which text.
fn stricter(text: &str) -> String {
    let changed = FINANCE
        .replace("outcome: ELIGIBLE", "outcome: STANDARD")
        .replace("四星企业，符合绿色信贷支持条件", text);
    assert_ne!(changed, FINANCE);
    changed
}

/// One officer at the door of one replica.
struct Officer<'a> {
    server: &'a Server,
    name: &'a str,
}

fn officer<'a>(server: &'a Server, name: &'a str) -> Officer<'a> {
    Officer { server, name }
}

impl Officer<'_> {
    async fn write(&self, source: &str) -> Result<pb::Draft, Status> {
        self.write_as(source, "").await
    }

    async fn write_as(&self, source: &str, request_id: &str) -> Result<pb::Draft, Status> {
        let request = pb::CreateDraftRequest {
            content: content(source),
            note: "why".to_owned(),
            request_id: request_id.to_owned(),
        };
        let answer = self.server.policies_of(self.name).create_draft(request).await?;
        Ok(answer.into_inner().draft.unwrap())
    }

    async fn rewrite(&self, draft: &pb::Draft, source: &str) -> Result<pb::Draft, Status> {
        let request = pb::UpdateDraftRequest {
            name: draft.name.clone(),
            etag: draft.etag.clone(),
            content: content(source),
            ..pb::UpdateDraftRequest::default()
        };
        let answer = self.server.policies_of(self.name).update_draft(request).await?;
        Ok(answer.into_inner().draft.unwrap())
    }

    async fn read(&self, name: &str) -> Result<pb::Draft, Status> {
        let name = name.to_owned();
        let request = pb::GetDraftRequest { name };
        let answer = self.server.policies_of(self.name).get_draft(request).await?;
        Ok(answer.into_inner().draft.unwrap())
    }

    async fn validate(&self, draft: &pb::Draft) -> Result<pb::Draft, Status> {
        let request = pb::ValidateDraftRequest {
            name: draft.name.clone(),
            etag: draft.etag.clone(),
            ..pb::ValidateDraftRequest::default()
        };
        let answer = self.server.policies_of(self.name).validate_draft(request).await?;
        Ok(answer.into_inner().draft.unwrap())
    }

    async fn approve(&self, draft: &pb::Draft) -> Result<pb::Draft, Status> {
        let request = pb::ApproveDraftRequest {
            name: draft.name.clone(),
            etag: draft.etag.clone(),
            ..pb::ApproveDraftRequest::default()
        };
        let answer = self.server.policies_of(self.name).approve_draft(request).await?;
        Ok(answer.into_inner().draft.unwrap())
    }

    async fn withdraw(&self, draft: &pb::Draft) -> Result<pb::Draft, Status> {
        let request = pb::WithdrawDraftRequest {
            name: draft.name.clone(),
            etag: draft.etag.clone(),
            ..pb::WithdrawDraftRequest::default()
        };
        let answer = self.server.policies_of(self.name).withdraw_draft(request).await?;
        Ok(answer.into_inner().draft.unwrap())
    }

    async fn publish(
        &self,
        draft: &pb::Draft,
        at: Option<Timestamp>,
    ) -> Result<pb::PublishPolicyResponse, Status> {
        self.ask_to_publish(publication(draft, at)).await
    }

    async fn ask_to_publish(
        &self,
        request: pb::PublishPolicyRequest,
    ) -> Result<pb::PublishPolicyResponse, Status> {
        let answer = self.server.policies_of(self.name).publish_policy(request).await?;
        Ok(answer.into_inner())
    }

    async fn roll_back(
        &self,
        policy: &str,
        version: u32,
        expected_version: u32,
    ) -> Result<pb::RollbackPolicyResponse, Status> {
        let request = pb::RollbackPolicyRequest {
            name: format!("policies/{policy}"),
            version,
            expected_version,
            reason: "it hit the wrong firms".to_owned(),
            ..pb::RollbackPolicyRequest::default()
        };
        let answer = self
            .server
            .policies_of(self.name)
            .rollback_policy(request)
            .await?;
        Ok(answer.into_inner())
    }

    async fn versions(&self, policy: &str) -> Result<Vec<pb::PolicyVersion>, Status> {
        let request = pb::ListPolicyVersionsRequest {
            parent: format!("policies/{policy}"),
            ..pb::ListPolicyVersionsRequest::default()
        };
        let answer = self
            .server
            .policies_of(self.name)
            .list_policy_versions(request)
            .await?;
        Ok(answer.into_inner().versions)
    }

    async fn version(&self, name: &str) -> Result<pb::PolicyVersion, Status> {
        let name = name.to_owned();
        let request = pb::GetPolicyVersionRequest { name };
        let answer = self
            .server
            .policies_of(self.name)
            .get_policy_version(request)
            .await?;
        Ok(answer.into_inner().version.unwrap())
    }

    async fn drafts(&self) -> Vec<pb::Draft> {
        let request = pb::ListDraftsRequest::default();
        let answer = self
            .server
            .policies_of(self.name)
            .list_drafts(request)
            .await
            .unwrap();
        answer.into_inner().drafts
    }
}

fn publication(draft: &pb::Draft, at: Option<Timestamp>) -> pb::PublishPolicyRequest {
    pb::PublishPolicyRequest {
        draft: draft.name.clone(),
        etag: draft.etag.clone(),
        effective_time: at.map(to_wire),
        ..pb::PublishPolicyRequest::default()
    }
}

/// Written and validated by one, approved by another.
async fn approved(server: &Server, department: &str, source: &str) -> pb::Draft {
    let second = format!("{department}/2");
    let (first, second) = (officer(server, department), officer(server, &second));
    let draft = first.write(source).await.unwrap();
    let draft = first.validate(&draft).await.unwrap();
    second.approve(&draft).await.unwrap()
}

/// The finance outcome of a firm with four stars, and by which version of the policy.
async fn decided(server: &Server, ask: Ask) -> (String, u32) {
    let answer = server.finance(FIRM, ask).await;
    assert!(!answer.manual_review, "{answer:?}");
    (answer.outcome, finance_version(&answer.policy_version))
}

/// By which version of the policy whoever has this token is answered, fresh or not.
async fn answered_by(server: &Server, token: &str) -> u32 {
    let answer = server.finance(FIRM, Ask::token(token)).await;
    finance_version(&answer.policy_version)
}

fn finance_version(policy_version: &str) -> u32 {
    let number = policy_version
        .split(' ')
        .find_map(|one| one.strip_prefix("finance-default@"));
    number.unwrap().parse().unwrap()
}

fn after(sources: &Sources, span: Duration) -> Timestamp {
    sources.clock.now().plus(span)
}

fn micros(at: Option<&pbjson_types::Timestamp>) -> i64 {
    let at = at.unwrap();
    at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000
}
