//! Every refusal of a right is a line of the log, wherever in an answer it stands: as the whole of it, as
//! one item of a batch, or as something that is said not to exist (P11).

use std::sync::Arc;

use greenstar_kernel::Caller;
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::reason_name;
use greenstar_telemetry::code_name;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Uri};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::credentials::Credentials;
use crate::refusals;

tokio::task_local! {
    /// The call that this task answers. A handler that hands its call to another task refuses here.
    pub(crate) static ASKED: Asked;
}

/// What a call asked for, and by which credential. All of it is counted references: on the way of a call
/// that succeeds nothing is copied for the log.
#[derive(Clone)]
pub(crate) struct Asked {
    credentials: Arc<Credentials>,
    uri: Uri,
    credential: Option<HeaderValue>,
}

impl Asked {
    pub(crate) fn of(request: &Request<Body>, credentials: &Arc<Credentials>) -> Asked {
        Asked {
            credentials: Arc::clone(credentials),
            uri: request.uri().clone(),
            credential: request.headers().get(AUTHORIZATION).cloned(),
        }
    }

    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    pub(crate) fn caller(&self) -> Result<Caller, Status> {
        if self.credential.is_none() {
            return Ok(Caller::Public);
        }
        self.secret()
            .and_then(|secret| self.credentials.caller(secret))
            .cloned()
            .ok_or_else(refusals::credential_unknown)
    }

    /// Of a bearer's header.
    pub(crate) fn secret(&self) -> Option<&str> {
        let text = self.credential.as_ref()?.to_str().ok()?;
        let (scheme, secret) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
    }

    /// As in the log.
    pub(crate) fn principal(&self) -> String {
        self.caller()
            .map_or_else(|_| "unknown".to_owned(), |caller| caller.principal())
    }

    pub(crate) fn refused(&self, reason: &str, code: Code) {
        let (method, principal) = (self.path(), self.principal());
        let code = code_name(code);
        tracing::warn!(method, principal, reason, code, "call refused");
    }
}

/// Whether it says that the caller has no right to something.
pub(crate) fn is_refusal(code: Code) -> bool {
    matches!(code, Code::PermissionDenied | Code::Unauthenticated)
}

/// Logs what only a part of an answer says.
pub(crate) fn refused(reason: &str, code: Code) {
    if ASKED.try_with(|asked| asked.refused(reason, code)).is_err() {
        let code = code_name(code);
        tracing::warn!(reason, code, "refused outside of a call");
    }
}

/// Hides a refusal for `reason` behind `shown`, e.g. that nothing has this name: the caller learns nothing, the
/// log does. For the handler's own task.
pub fn hidden(reason: ErrorReason, shown: Status) -> Status {
    refused(reason_name(reason), shown.code());
    shown
}
