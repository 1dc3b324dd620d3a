//! What the services of repairs and appeals have in common.

use std::sync::Arc;

use greenstar_kernel::{Caller, Clock, Code, Position, Timestamp, Uscc};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_rpc::{Call, names, pages};
use greenstar_store::{Request, StoreError, Writer};
use tonic::Status;

use super::{flag_service, parse, status};
use crate::domain::remedies::{Case, Party, Remedy};
use crate::domain::viewer::Viewer;
use crate::store::{Answer, CaseQuery, Cases, Command, Kept, SanctionsJournal};

/// Writes and reads cases.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) writer: Writer<SanctionsJournal>,
    pub(crate) cases: Cases,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Desk {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn fresh_id(&self) -> Result<Code, Status> {
        parse::fresh_id(&*self.clock)
    }

    /// Takes one step.
    pub(super) async fn take(
        &self,
        remedy: Remedy,
        request: Option<Request>,
        request_id: &str,
    ) -> Result<(Case, Position), Status> {
        let committed = self.writer.submit(Command::Remedy { remedy, request }).await;
        let committed = committed.map_err(|error| status::submit(error, request_id))?;
        match committed.answer {
            Answer::Remedy(case) => Ok((case, committed.position)),
            Answer::Flag(_) | Answer::Corrected { .. } | Answer::Lapsed { .. } | Answer::Asked(_) => {
                Err(mixed_up())
            }
        }
    }

    /// A page of an enterprise's cases, or with `enterprises/-` of the caller's department; with the token of the
    /// next page.
    pub(super) async fn list<C: Kept>(
        &self,
        call: &Call,
        asked: Asked<'_>,
    ) -> Result<(Vec<C>, String, Position), Status> {
        let enterprise = names::enterprise_or_all("parent", asked.parent)?;
        flag_service::whose(call, enterprise.as_ref())?;
        // What is seen depends on who looks, so a page token is of no use to others.
        let (department, looks) = match parse::viewer(call)? {
            Viewer::Department(department) => (Some(department.clone()), department.to_string()),
            Viewer::Enterprise(uscc) => (None, uscc.as_str().to_owned()),
        };
        let overdue = if asked.overdue { "overdue" } else { "" };
        let stage = asked.stage.unwrap_or_default();
        let query = [C::TABLE, asked.parent, stage, overdue, &looks];
        let page = pages::page(asked.page_size, asked.page_token, &query)?;
        let after = page.after.as_deref().map(parse::page_key).transpose()?;
        let wanted = CaseQuery {
            enterprise,
            department,
            stage: asked.stage,
            overdue_at: asked.overdue.then(|| self.now()),
            after,
            // One more than the page tells whether there is a next one.
            limit: page.size + 1,
        };
        let found = self.cases.list::<C>(&wanted).await;
        let (mut cases, position) = found.map_err(|error| status::store(&error))?;
        let more = cases.len() > page.size;
        cases.truncate(page.size);
        let next = cases.last().filter(|_| more).map(|last| {
            let (opened_at, id) = last.key();
            pages::next_token(&query, &format!("{}:{id}", opened_at.micros()))
        });
        Ok((cases, next.unwrap_or_default(), position))
    }
}

/// Which page is asked for.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) parent: &'a str,
    pub(super) stage: Option<&'static str>,
    pub(super) overdue: bool,
    pub(super) page_size: i32,
    pub(super) page_token: &'a str,
}

/// Who acts for the firm: itself, or an officer on its behalf.
pub(super) fn party(call: &Call, enterprise: &Uscc) -> Result<Party, Status> {
    call.own(enterprise)?;
    match &call.caller {
        Caller::Enterprise(uscc) => Ok(Party::Enterprise(*uscc)),
        Caller::Department { .. } | Caller::Public => {
            let actor = parse::actor(call)?;
            Ok(Party::Officer {
                department: actor.department,
                officer: actor.officer,
            })
        }
    }
}

/// `enterprises/{uscc}/{collection}/{id}`.
pub(super) fn child(field: &str, raw: &str, collection: &str) -> Result<(Uscc, Code), Status> {
    let (enterprise, id) = names::of_enterprise(field, raw, collection)?;
    match Code::parse(id) {
        Ok(id) => Ok((enterprise, id)),
        Err(_) => {
            let expected = format!("enterprises/{{uscc}}/{collection}/{{id}}");
            Err(names::malformed(field, raw, &expected))
        }
    }
}

/// A flag of this enterprise and of no other.
pub(super) fn own_flag(raw: &str, enterprise: &Uscc) -> Result<crate::domain::flag::FlagName, Status> {
    let (owner, id) = child("flag", raw, "flags")?;
    if owner == *enterprise {
        return Ok(crate::domain::flag::FlagName {
            enterprise: owner,
            id,
        });
    }
    let said = greenstar_kernel::LocalizedText::new(
        "该标记不属于 parent 所指的企业，请核对",
        "the flag is not on the enterprise that parent names: check both",
    );
    Err(greenstar_rpc::field(
        "flag",
        ErrorReason::FieldInvalid,
        &said,
        &[],
    ))
}

/// A step was answered with something else.
pub(super) fn mixed_up() -> Status {
    status::store(&StoreError::corrupt("a step was answered with another case"))
}
