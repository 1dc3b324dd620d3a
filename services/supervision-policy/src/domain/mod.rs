//! What an enterprise's standing means for a department's matter. No I/O, no proto, no clock:
//! facts, a policy and an instant go in, a decision comes out.

pub mod analysis;
mod better;
pub mod catalogue;
pub mod caution;
mod columns;
mod compose;
pub mod decide;
pub(crate) mod document;
pub mod dossier;
pub mod draft;
pub mod draft_refusal;
pub mod facts;
pub mod feedback;
mod gate;
pub mod impact;
pub mod improve;
mod loader;
pub mod matter;
mod offered;
pub mod policy;
mod policy_error;
pub mod reason;
pub mod regime;
pub mod replay;
pub mod shipped;
pub mod version;

pub(crate) use offered::{fact_columns, fact_names};

#[cfg(test)]
mod tests;
