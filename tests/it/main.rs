//! Scenarios across the services, through the public door.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod apart;
mod assistance;
mod bad_input;
mod colours;
mod converged;
mod deploy;
mod directory;
mod district;
mod door;
mod everywhere;
mod foreign;
mod house;
mod receipts;
mod remedies;
mod stars;
