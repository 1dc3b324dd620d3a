//! Dashboards and alerts speak of what is exported.

#![allow(clippy::unwrap_used, reason = "a test says where it fails")]

mod deploy;
