//! The contract's two services over the domain: parse, ask, convert.

mod catalogue_service;
mod convert;
mod flag_service;
mod parse;
mod status;
mod watch;

pub(crate) use catalogue_service::CatalogueRpc;
pub(crate) use flag_service::FlagRpc;
