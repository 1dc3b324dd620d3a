//! Decision tables as their users meet them: text in, answers and findings out.

mod analysis;
mod cells;
mod defects;
mod differential;
mod support;
