//! The store on both engines, clause by clause of protocol.md §1.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod book;
mod disk;
mod files;
mod joined;
mod lost;
mod opening;
mod replicas;
mod statements;
