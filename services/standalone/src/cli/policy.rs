//! `greenstar policy …`: a policy's way from draft to force and back.

use std::path::Path;

use comfy_table::Table;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::policy_content::Form;
use greenstar_proto::supervision::v1::policy_service_client::PolicyServiceClient;
use greenstar_rpc::Client;
use pbjson_types::Timestamp;

use super::offline;
use super::output::{facts, plain, time};
use super::{Answer, Failure, connect, workbook};
use crate::args::{Common, Policy};

type Policies = PolicyServiceClient<Client>;

pub(super) async fn run(common: &Common, policy: Policy) -> Result<Answer, Failure> {
    match policy {
        Policy::Offline(asked) => offline::run(common, asked),
        Policy::Draft { file, update, note } => draft(common, &file, update, note).await,
        Policy::Drafts => {
            let request = pb::ListDraftsRequest::default();
            let drafts = of_department(common)?.list_drafts(request).await?.into_inner();
            let mut table = plain();
            table.set_header(["draft", "policy", "state", "written"]);
            for draft in &drafts.drafts {
                table.add_row([
                    draft.name.clone(),
                    format!("{}\nversion {}", draft.policy, draft.version),
                    state(draft),
                    format!("{} {}", time(draft.update_time.as_ref()), draft.author),
                ]);
            }
            Answer::new(&drafts, table, Vec::new())
        }
        Policy::Validate { draft } => {
            let mut client = of_department(common)?;
            let etag = read(&mut client, &draft).await?.etag;
            let request = pb::ValidateDraftRequest {
                name: draft,
                etag,
                ..Default::default()
            };
            let validated = client.validate_draft(request).await?.into_inner();
            let next = next(
                validated.draft.as_ref(),
                "approve",
                " as another officer, --as NAME",
            );
            Answer::new(&validated, one(validated.draft.as_ref()), next)
        }
        Policy::Approve { draft } => {
            let mut client = of_department(common)?;
            let etag = read(&mut client, &draft).await?.etag;
            let request = pb::ApproveDraftRequest {
                name: draft,
                etag,
                ..Default::default()
            };
            let approved = client.approve_draft(request).await?.into_inner();
            let next = next(approved.draft.as_ref(), "publish", "");
            Answer::new(&approved, one(approved.draft.as_ref()), next)
        }
        Policy::Withdraw { draft } => {
            let mut client = of_department(common)?;
            let etag = read(&mut client, &draft).await?.etag;
            let request = pb::WithdrawDraftRequest {
                name: draft,
                etag,
                ..Default::default()
            };
            let withdrawn = client.withdraw_draft(request).await?.into_inner();
            Answer::new(&withdrawn, one(withdrawn.draft.as_ref()), Vec::new())
        }
        Policy::Publish {
            draft,
            at,
            validate_only,
        } => {
            let effective_time = at.as_deref().map(instant).transpose()?;
            let mut client = of_department(common)?;
            let etag = read(&mut client, &draft).await?.etag;
            let request = pb::PublishPolicyRequest {
                draft,
                etag,
                effective_time,
                validate_only,
                ..Default::default()
            };
            let published = client.publish_policy(request).await?.into_inner();
            let notes = if validate_only {
                vec!["nothing was published 未发布".to_owned()]
            } else {
                vec![format!("token {}", published.token)]
            };
            Answer::new(&published, version(published.version.as_ref()), notes)
        }
        Policy::Rollback {
            policy,
            to,
            from,
            reason,
        } => {
            let request = pb::RollbackPolicyRequest {
                name: format!("policies/{policy}"),
                version: to,
                expected_version: from.unwrap_or_default(),
                reason,
                ..Default::default()
            };
            let back = of_department(common)?
                .rollback_policy(request)
                .await?
                .into_inner();
            let notes = vec![format!("token {}", back.token)];
            Answer::new(&back, version(back.version.as_ref()), notes)
        }
        Policy::Versions { policy } => {
            let request = pb::ListPolicyVersionsRequest {
                parent: format!("policies/{policy}"),
                ..Default::default()
            };
            let mut client = PolicyServiceClient::new(connect(common, "licensing")?);
            let versions = client.list_policy_versions(request).await?.into_inner();
            let mut table = plain();
            table.set_header(["version", "state", "in force from", "by", "why"]);
            for version in &versions.versions {
                table.add_row([
                    version.name.clone(),
                    standing(version),
                    time(version.effective_time.as_ref()),
                    by(version),
                    version.note.clone(),
                ]);
            }
            Answer::new(&versions, table, Vec::new())
        }
        Policy::Simulate(asked) => super::simulate::run(common, asked).await,
        Policy::Replicas => {
            let mut client = PolicyServiceClient::new(connect(common, "operator")?);
            let request = pb::ListPolicyReplicasRequest {};
            let replicas = client.list_policy_replicas(request).await?.into_inner();
            let mut table = plain();
            table.set_header(["replica", "applied", "converged", "decides by", "heard"]);
            for replica in &replicas.replicas {
                let fit = if replica.fit {
                    ""
                } else {
                    "\n与目录不符 does not fit the catalogue"
                };
                table.add_row([
                    replica.name.clone(),
                    format!("{} / {}", replica.applied_revision, replicas.head_revision),
                    if replica.converged { "yes" } else { "no" }.to_owned(),
                    format!("{}{fit}", replica.policy_version),
                    time(replica.report_time.as_ref()),
                ]);
            }
            Answer::new(&replicas, table, Vec::new())
        }
        Policy::Convert { from, to } => workbook::convert(common, &from, &to).await,
        Policy::Template { matter, to } => workbook::template(common, matter, &to).await,
    }
}

async fn draft(
    common: &Common,
    file: &Path,
    update: Option<String>,
    note: Option<String>,
) -> Result<Answer, Failure> {
    let form = workbook::form(file)?;
    let owner = match &form {
        Form::Source(source) => owner(source),
        Form::Workbook(_) => None,
    };
    let mut client = match owner {
        Some(owner) => PolicyServiceClient::new(connect(common, owner)?),
        None => of_department(common)?,
    };
    let content = Some(pb::PolicyContent { form: Some(form) });
    let note = note.unwrap_or_default();
    let kept = match update {
        None => {
            let request = pb::CreateDraftRequest {
                content,
                note,
                ..Default::default()
            };
            client.create_draft(request).await?.into_inner().draft
        }
        Some(name) => {
            let etag = read(&mut client, &name).await?.etag;
            let request = pb::UpdateDraftRequest {
                name,
                etag,
                content,
                note,
                ..Default::default()
            };
            client.update_draft(request).await?.into_inner().draft
        }
    };
    let next = next(kept.as_ref(), "validate", "");
    Answer::new(&kept, one(kept.as_ref()), next)
}

/// What the file says at the begin of a line; the suite says what is wrong with another form.
fn owner(source: &str) -> Option<&str> {
    let mut lines = source.lines();
    let said = lines.find_map(|line| line.strip_prefix("department:"))?;
    said.split('#').next().map(str::trim)
}

fn of_department(common: &Common) -> Result<Policies, Failure> {
    let Some(name) = &common.caller else {
        let text = "say as which officer, e.g. --as finance/2: a department's drafts are its own";
        return Err(Failure::Local(text.to_owned()));
    };
    Ok(PolicyServiceClient::new(connect(common, name)?))
}

async fn read(client: &mut Policies, name: &str) -> Result<pb::Draft, Failure> {
    let request = pb::GetDraftRequest {
        name: name.to_owned(),
    };
    let draft = client.get_draft(request).await?.into_inner().draft;
    Ok(draft.unwrap_or_default())
}

fn instant(raw: &str) -> Result<Timestamp, Failure> {
    let text = serde_json::Value::String(raw.to_owned());
    let form = "write the time as RFC 3339, e.g. 2026-07-01T00:00:00+08:00";
    serde_json::from_value(text).map_err(|_| Failure::Local(format!("{raw:?}: {form}")))
}

fn next(draft: Option<&pb::Draft>, command: &str, how: &str) -> Vec<String> {
    draft
        .map(|draft| format!("next: greenstar policy {command} {}{how}", draft.name))
        .into_iter()
        .collect()
}

fn one(draft: Option<&pb::Draft>) -> Table {
    let Some(draft) = draft else { return plain() };
    facts(vec![
        ("draft", draft.name.clone()),
        ("policy", draft.policy.clone()),
        ("version", draft.version.to_string()),
        ("state", state(draft)),
        ("author", draft.author.clone()),
        ("approver", draft.approver.clone()),
        ("note", draft.note.clone()),
        ("sha256", draft.source_hash.clone()),
    ])
}

fn version(version: Option<&pb::PolicyVersion>) -> Table {
    let Some(version) = version else { return plain() };
    facts(vec![
        ("version", version.name.clone()),
        ("state", standing(version)),
        ("in force from", time(version.effective_time.as_ref())),
        ("by", by(version)),
        ("text of", version.rollback_of.clone()),
        ("evaluator", version.evaluator.clone()),
        ("sha256", version.source_hash.clone()),
    ])
}

/// Author, approver, publisher, as far as there are.
fn by(version: &pb::PolicyVersion) -> String {
    let [author, approver, publisher] = [&version.author, &version.approver, &version.publisher];
    let all = [author, approver, publisher].map(String::as_str);
    all.into_iter()
        .filter(|name| !name.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}

fn state(draft: &pb::Draft) -> String {
    let name = draft.state().as_str_name();
    name.trim_start_matches("DRAFT_STATE_").to_owned()
}

fn standing(version: &pb::PolicyVersion) -> String {
    let name = version.state().as_str_name();
    name.trim_start_matches("VERSION_STATE_").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_handed_in_by_the_department_that_it_names() {
        assert_eq!(
            owner("policy: a\ndepartment: finance # theirs\n"),
            Some("finance")
        );
        assert_eq!(owner("policy: a\n"), None);
    }

    #[test]
    fn a_time_is_read_as_rfc_3339_or_refused() {
        assert_eq!(
            instant("2026-07-01T00:00:00+08:00").unwrap().seconds,
            1_782_835_200
        );
        assert!(instant("tomorrow").is_err());
    }
}
