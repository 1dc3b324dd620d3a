//! What rating means: schemes, enterprises, rounds, events and the score. No I/O, no proto, no SQL, no clock.

pub mod activation;
pub mod assistance;
pub mod command;
pub mod course;
pub mod dry_run;
pub mod enterprise;
pub mod error;
pub mod event;
pub mod filter;
pub mod firm;
pub mod flagged;
mod gate;
mod grant;
pub mod history;
pub mod next_star;
pub mod notice;
pub mod objection;
pub mod outcome;
pub mod quality;
pub mod repeat;
pub mod round;
pub mod scheme;
pub mod score;
pub mod snapshot;
pub mod transition;
pub mod visibility;
