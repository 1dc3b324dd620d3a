//! The door as callers meet it: real services behind it, in process and on ports of their own.

#![allow(clippy::unwrap_used, reason = "a test says where it fails")]

#[path = "../../../crates/rpc/tests/it/fixture.rs"]
mod fixture;
mod routing;
#[path = "../../../crates/rpc/tests/it/web.rs"]
mod web;
