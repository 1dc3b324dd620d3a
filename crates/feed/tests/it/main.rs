//! The feed on real logs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod distrust;
mod fanout;
mod fleet;
mod interleavings;
mod model;
mod notes;
mod openings;
mod random;
mod replicas;
mod subscribers;
mod watch;
