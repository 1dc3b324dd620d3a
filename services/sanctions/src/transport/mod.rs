//! The contract's two services over the domain: parse, ask, convert.

mod appeal_service;
mod catalogue_service;
mod converge;
mod convert;
mod desk;
mod flag_service;
mod parse;
mod repair_service;
mod status;
mod watch;

pub(crate) use appeal_service::AppealRpc;
pub(crate) use catalogue_service::CatalogueRpc;
pub(crate) use converge::Rating;
pub(crate) use desk::Desk;
pub(crate) use flag_service::FlagRpc;
pub(crate) use repair_service::RepairRpc;
pub(crate) use watch::Siblings;
