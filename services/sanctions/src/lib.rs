//! Flags and the catalogue of what the law allows.

pub mod domain;
