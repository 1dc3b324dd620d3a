//! Whom a candidate would hit: every enterprise answered by the policies in force and by the same with the candidate
//! in its place, and what differs, counted. Pure: whoever has the facts shows them one by one.

mod answers;
mod comparison;
mod count;
mod result;
mod visits;

pub use comparison::{Comparison, ComparisonError};
pub use count::Count;
pub use result::{Conflict, Grouping, Impact, InGroup, Move};
pub use visits::routine_visits;
