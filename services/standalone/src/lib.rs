//! The whole suite in one process: three services, each on an SQLite file of its own, behind one door.

pub mod callers;
mod places;
mod suite;

pub use places::{Places, SecretError};
pub use suite::{Sample, Settings, StartError, Suite};
