//! The gRPC services: parse, ask, convert.

mod authority;
mod checking;
mod content;
mod convert;
mod decisions;
mod departments;
mod desk;
mod direct;
mod drafts;
mod feedback;
mod findings;
mod impact;
mod improvement;
mod listed;
mod made_by;
pub mod offline;
mod pins;
mod policies;
mod receipts;
mod retold;
mod siblings;
mod spelled;
mod status;
mod told;
mod treatments;
mod workbooks;

pub(crate) use decisions::DecisionRpc;
pub(crate) use departments::{EnforcementRpc, FinanceRpc, LicensingRpc};
pub(crate) use desk::Desk;
pub(crate) use direct::Direct;
pub use direct::QUICK;
pub(crate) use pins::Pins;
pub(crate) use policies::PolicyRpc;
pub(crate) use receipts::ReceiptRpc;
pub(crate) use siblings::Siblings;
pub(crate) use treatments::SubscriptionRpc;
