//! The suite under faults: the topology of production on one machine, a history of what clients saw while it was
//! broken, and a check of that history against the promises.

pub mod check;
pub mod clients;
pub mod history;
pub mod nemesis;
pub mod node;
pub mod provoke;
pub mod run;
pub mod topology;
pub mod truth;
