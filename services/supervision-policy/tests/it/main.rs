//! The service through its own port, between two sources that speak the real watches on the real feed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_input;
mod batches;
mod checking;
mod comparison;
mod decisions;
mod editions;
mod feedback;
mod freshness;
mod impact;
mod improvement;
mod law;
mod lifecycle;
mod pins;
mod policies;
mod program;
mod records;
mod restart;
mod retained;
mod retold;
mod server;
mod siblings;
mod source;
mod treatments;
mod workbooks;
