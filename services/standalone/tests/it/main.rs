//! The program as its users run it: a process, a folder, a command line.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod kill;
mod offline;
mod policies;
mod process;
mod program;
mod remedies;
mod subscribers;
mod telemetry;
