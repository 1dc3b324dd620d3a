//! The domain as a whole, on the shipped policies and the catalogue that the sanctions service ships.

mod analysis;
mod brute;
mod caution;
mod columns;
mod dossier;
mod drafts;
mod headline;
mod impact;
mod improve;
mod naive;
mod policies;
mod properties;
mod support;
mod time;
mod told;
mod triggers;
