//! Tests of the rating service.
#![allow(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod facts;
mod reference;
mod sample;
mod scoring;
mod service;
