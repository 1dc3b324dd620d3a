//! Who may call what: the contract's `(greenstar.common.v1.access)` against the caller.

use greenstar_kernel::{Caller, Role};
use greenstar_proto::common::v1 as pb;
use greenstar_proto::{Access, Method};
use tonic::Status;

use crate::refusals;

/// Allows the call or says why not.
pub(crate) fn check(method: &Method, caller: &Caller) -> Result<(), Status> {
    let Access {
        public,
        departments,
        roles,
        enterprise_self,
    } = method.access;
    if public {
        return Ok(());
    }
    match caller {
        Caller::Public => Err(refusals::credential_missing()),
        // The handler knows which enterprise the call is about.
        Caller::Enterprise(_) if enterprise_self => Ok(()),
        Caller::Enterprise(_) => Err(refusals::department_not_allowed("enterprise")),
        Caller::Department {
            department,
            roles: has,
            ..
        } => {
            if !departments.is_empty() && !departments.contains(&department.as_str()) {
                return Err(refusals::department_not_allowed(department.as_str()));
            }
            let needed = if roles.is_empty() {
                &[pb::Role::Officer][..]
            } else {
                roles
            };
            if has.iter().any(|role| needed.contains(&wire(*role))) {
                Ok(())
            } else {
                Err(refusals::role_not_allowed(needed))
            }
        }
    }
}

fn wire(role: Role) -> pb::Role {
    match role {
        Role::Officer => pb::Role::Officer,
        Role::Subscriber => pb::Role::Subscriber,
        Role::Operator => pb::Role::Operator,
    }
}
