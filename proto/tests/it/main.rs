//! The contracts as others read them: validation against a slow reference, and the declared
//! annotations against the real ones.

#![allow(clippy::unwrap_used, reason = "a test says where it fails")]

mod annotations;
mod reference;
mod validation;
