//! Signed statements that anybody can verify without asking us: Ed25519 (RFC 8037), a detached JWS (RFC 7515,
//! appendix F) over canonical JSON (RFC 8785).
//!
//! A statement is a JSON object without fractions: its members `typ` and `issued_at` say what it is and since when. The
//! payload that is signed is its canonical form, and the receipt carries it, so that a verifier needs no
//! canonicalisation: it compares bytes.

mod jws;
mod key;
mod verify;

pub use jws::{Receipt, SignError};
pub use key::{Jwk, KeyError, SigningKey};
pub use verify::{JwkSet, Verified, VerifyError, verify};
