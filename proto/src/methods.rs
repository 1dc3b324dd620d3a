//! Every method of the contracts, and who may call it.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::common::v1::{ErrorReason, Role};

include!(concat!(env!("OUT_DIR"), "/methods.rs"));

/// One method of the contracts.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// `/greenstar.rating.v1.RatingService/GetRating`.
    pub path: &'static str,
    /// `greenstar.rating.v1.RatingService`.
    pub service: &'static str,
    pub client_streaming: bool,
    pub server_streaming: bool,
    pub access: Access,
}

impl Method {
    /// One request, one answer: has a default deadline.
    pub fn is_unary(&self) -> bool {
        !self.client_streaming && !self.server_streaming
    }
}

/// The option `(greenstar.common.v1.access)` of a method.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// Nobody needs to say who they are.
    pub public: bool,
    /// Empty: every department.
    pub departments: &'static [&'static str],
    /// The caller needs one of them; empty: an officer.
    pub roles: &'static [Role],
    /// An enterprise may call it about itself; the handler compares the names.
    pub enterprise_self: bool,
}

/// The method of a gRPC path.
pub fn method(path: &str) -> Option<&'static Method> {
    static BY_PATH: LazyLock<HashMap<&'static str, &'static Method>> =
        LazyLock::new(|| METHODS.iter().map(|method| (method.path, method)).collect());
    BY_PATH.get(path).copied()
}

/// A reason as it travels: `USCC_MALFORMED`.
pub fn reason_name(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}
