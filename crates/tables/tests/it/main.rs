//! Decision tables as their users meet them: text in, answers and findings out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod analysis;
mod cells;
mod defects;
mod differential;
mod naive;
mod support;
