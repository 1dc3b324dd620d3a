//! What sanctions means: the catalogue of the law, the flags, and the gate between them. No I/O, no clock.

pub mod appeal;
pub mod catalogue;
pub mod evidence;
pub mod flag;
pub mod gate;
pub mod ledger;
pub mod refusal;
pub mod remedies;
pub mod repair;
pub mod stage;
pub mod viewer;
