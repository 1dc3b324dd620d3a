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
    /// How REST reaches it; streams have none.
    pub route: Option<Route>,
}

/// A verb and a path, as in `/openapi.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// `GET`.
    pub verb: &'static str,
    /// `/v1/enterprises/{enterprise}/flags/{flag}:confirm`; what is in braces is one segment that is not empty.
    pub path: &'static str,
}

impl Route {
    /// Whether a request's path has this form; the verb is not looked at.
    pub fn has_path(&self, path: &str) -> bool {
        let verb = |path: &'_ str| path.rfind(':').filter(|at| !path[*at..].contains('/'));
        let split = |path| verb(path).map_or((path, ""), |at| path.split_at(at));
        let ((own, own_verb), (asked, asked_verb)) = (split(self.path), split(path));
        let (mut own, mut asked) = (own.split('/'), asked.split('/'));
        own_verb == asked_verb
            && loop {
                match (own.next(), asked.next()) {
                    (None, None) => break true,
                    (Some(own), Some(asked)) if own.starts_with('{') && !asked.is_empty() => {}
                    (Some(own), Some(asked)) if own == asked => {}
                    _ => break false,
                }
            }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_has_paths_of_its_form_and_no_others() {
        let confirm =
            method("/greenstar.sanctions.v1.FlagService/ConfirmFlag").and_then(|method| method.route);
        let flag = Route {
            verb: "GET",
            path: "/v1/enterprises/{enterprise}/flags/{flag}",
        };
        for (path, is_flag, is_confirm) in [
            ("/v1/enterprises/x/flags/f", true, false),
            ("/v1/enterprises/x/flags/f:confirm", false, true),
            ("/v1/enterprises/x/flags/f:lift", false, false),
            ("/v1/enterprises//flags/f", false, false),
            ("/v1/enterprises/x/flags/", false, false),
            ("/v1/enterprises/x/flags", false, false),
            ("/v1/enterprises/x:y/flags/f", true, false),
            ("/v1/enterprises/x/flags/f/g", false, false),
        ] {
            assert_eq!(flag.has_path(path), is_flag, "{path}");
            assert_eq!(
                confirm.is_some_and(|route| route.has_path(path)),
                is_confirm,
                "{path}"
            );
        }
    }
}
