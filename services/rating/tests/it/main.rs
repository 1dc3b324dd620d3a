//! Tests of the rating service.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod binary;
mod comparison;
mod declaring;
mod documents;
mod enterprises;
mod events;
mod facts;
mod followers;
mod living;
mod next_star;
mod objections;
mod past;
mod procedure;
mod quality;
mod reference;
mod rounds;
mod sample;
mod schemes;
mod scoring;
mod service;
mod shipped;
mod timeline;
mod watching;
