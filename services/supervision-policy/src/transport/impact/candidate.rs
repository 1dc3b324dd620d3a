//! What is to be tried.

use std::sync::Arc;

use greenstar_kernel::Code;
use greenstar_proto::supervision::v1::simulate_policy_request::Candidate as Asked;
use greenstar_rpc::Call;
use tonic::Status;

use super::super::content::{self, SOURCE};
use super::super::desk::Desk;
use super::super::{drafts, policies, status};
use crate::domain::policy::{Document, Policy, PolicyErrors};
use crate::store::policy as rows;

/// A text, and which version of its policy it is; `None`: as it says itself.
#[derive(Debug)]
pub(super) struct Candidate {
    document: Document,
    number: Option<u32>,
}

/// The policies in force with a candidate in its place.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) after: Arc<Policy>,
    /// The candidate's policy.
    pub(super) name: Code,
}

impl Candidate {
    /// # Errors
    /// There is no such draft of the caller's department, or no such version.
    pub(super) async fn find(desk: &Desk, call: &Call, asked: Option<Asked>) -> Result<Candidate, Status> {
        let document = |text| Document {
            name: SOURCE.to_owned(),
            text,
        };
        match asked {
            Some(Asked::Draft(name)) => {
                let id = drafts::draft_id("draft", &name)?;
                let (_, source) = drafts::own(desk, call, &id).await?;
                Ok(Candidate {
                    document: document(source),
                    number: None,
                })
            }
            Some(Asked::Version(name)) => {
                let (policy, number) = drafts::version_name("version", &name)?;
                let found = async {
                    let mut tx = desk.database.read().await?;
                    rows::version(&mut tx, &policy, number).await
                };
                let version = found.await.map_err(|error| status::store(&error))?;
                let version = version.ok_or_else(|| drafts::version_unknown(number))?;
                Ok(Candidate {
                    document: document(version.source),
                    number: Some(number),
                })
            }
            Some(Asked::Content(content)) => Ok(Candidate {
                document: content::of(Some(content))?.document,
                number: None,
            }),
            // The contract's rule lets nobody in without one.
            None => Err(status::not_ready()),
        }
    }

    /// Puts it in its place among `before`. Takes a while: not for an async thread.
    pub(super) fn try_in(&self, before: &Policy) -> Result<Tried, PolicyErrors> {
        let after = before.with_version(&self.document, self.number)?;
        let own = after.infos().iter().find(|info| info.source == self.document);
        let name = own.map(|info| info.name.clone());
        match name {
            Some(name) => Ok(Tried {
                after: Arc::new(after),
                name,
            }),
            // It was read with this name just now.
            None => Err(PolicyErrors(Vec::new())),
        }
    }
}

pub(super) fn faults(errors: &PolicyErrors) -> Status {
    policies::faults(errors)
}
