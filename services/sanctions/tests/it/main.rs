//! The service through its own port, on both engines.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod appeals;
mod bad_input;
mod catalogue;
mod convergence;
mod corrections;
mod editions;
mod events;
mod flags;
mod followers;
mod lists;
mod penalties;
mod program;
mod repairs;
mod rest;
mod server;
mod source;
mod upgrade;
mod watch;
