//! What a handler knows about its call.

use std::time::Instant;

use greenstar_kernel::{Caller, Uscc};
use greenstar_proto::Validate;
use tonic::{Request, Status};

use crate::watching::Secret;
use crate::{refusals, status};

/// Who calls, and until when an answer is of use.
#[derive(Clone, Debug)]
pub struct Call {
    pub caller: Caller,
    /// None for a stream whose caller brought none.
    pub deadline: Option<Instant>,
    /// By which the caller is known.
    pub(crate) secret: Option<Secret>,
}

impl Call {
    /// An enterprise sees only itself; all others pass.
    ///
    /// Errors: PERMISSION_DENIED NOT_YOUR_ENTERPRISE.
    pub fn own(&self, enterprise: &Uscc) -> Result<(), Status> {
        match &self.caller {
            Caller::Enterprise(own) if own != enterprise => Err(refusals::not_your_enterprise()),
            Caller::Enterprise(_) | Caller::Department { .. } | Caller::Public => Ok(()),
        }
    }
}

/// The call a request belongs to. Without the layers in front (a test of a bare handler) nobody calls.
pub fn call<T>(request: &Request<T>) -> Call {
    request
        .extensions()
        .get::<Call>()
        .cloned()
        .unwrap_or_else(nobodys)
}

fn nobodys() -> Call {
    Call {
        caller: Caller::Public,
        deadline: None,
        secret: None,
    }
}

/// The call, and the message after its contract's rules were checked.
///
/// Errors: INVALID_ARGUMENT FIELD_INVALID, naming every field.
pub fn accept<T: Validate>(mut request: Request<T>) -> Result<(Call, T), Status> {
    let call = request.extensions_mut().remove().unwrap_or_else(nobodys);
    let message = request.into_inner();
    checked(&message)?;
    Ok((call, message))
}

/// Checks a message of a stream by its contract's rules.
///
/// Errors: INVALID_ARGUMENT FIELD_INVALID, naming every field.
pub fn checked<T: Validate>(message: &T) -> Result<(), Status> {
    message.validate().map_err(|found| status::violations(&found))
}
