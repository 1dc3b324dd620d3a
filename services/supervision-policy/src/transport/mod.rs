//! The gRPC services: parse, ask, convert.

mod convert;
mod decisions;
mod departments;
mod desk;
mod feedback;
mod policies;
mod siblings;
mod status;

pub(crate) use decisions::DecisionRpc;
pub(crate) use departments::{EnforcementRpc, FinanceRpc, LicensingRpc};
pub(crate) use desk::Desk;
pub(crate) use policies::PolicyRpc;
pub(crate) use siblings::Siblings;
