//! A statement and its signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::SigningKey;

/// A signed statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Detached: `{header}..{signature}`.
    pub jws: String,
    /// What was signed: canonical JSON.
    pub payload: String,
}

/// Why a statement was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// Figures that every reader reads alike are whole numbers and text: RFC 8785 writes fractions by IEEE 754.
    #[error("a statement has no fractions and no numbers beyond 2^53")]
    Number,
    #[error("the statement has no canonical form")]
    Form(#[from] serde_json::Error),
}

impl Receipt {
    /// Signs a statement.
    ///
    /// # Errors
    /// [`SignError`]
    pub fn sign(key: &SigningKey, statement: &Value) -> Result<Receipt, SignError> {
        if !is_exact(statement) {
            return Err(SignError::Number);
        }
        let payload = serde_json_canonicalizer::to_string(statement)?;
        let header = format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, key.id());
        let header = URL_SAFE_NO_PAD.encode(header);
        let signature = key.sign(signed(&header, payload.as_bytes()).as_bytes());
        Ok(Receipt {
            jws: format!("{header}..{signature}"),
            payload,
        })
    }
}

/// The bytes under the signature (RFC 7515, 5.1).
pub(crate) fn signed(header: &str, payload: &[u8]) -> String {
    format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload))
}

fn is_exact(value: &Value) -> bool {
    const MOST: u64 = 1 << 53;
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => {
            let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            magnitude.is_some_and(|magnitude| magnitude <= MOST)
        }
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
    }
}
