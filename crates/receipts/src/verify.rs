//! What anybody does with a receipt, without us.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::jws::signed;
use crate::{Jwk, Receipt};

/// Public keys, as they are published (RFC 7517).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JwkSet {
    pub keys: Vec<Jwk>,
}

/// A receipt that holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// What was stated.
    pub statement: Value,
    /// Who signed.
    pub key: Jwk,
}

/// Why a receipt does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("it is no detached JWS: header and signature with two dots between them")]
    Malformed,
    #[error("it is not signed by EdDSA, or asks for more than is understood here")]
    Algorithm,
    #[error("none of the given keys signed it; get the keys anew")]
    UnknownKey,
    #[error("the payload is no canonical JSON object")]
    Payload,
    #[error("the signature does not fit the payload: one of them was changed")]
    Signature,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
}

/// Whether one of `keys` signed exactly this payload.
///
/// The statement's `issued_at` and the key's `retired_at` are for the reader to compare.
///
/// # Errors
/// [`VerifyError`]
pub fn verify(receipt: &Receipt, keys: &JwkSet) -> Result<Verified, VerifyError> {
    let mut parts = receipt.jws.split('.');
    let (Some(header), Some(""), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(VerifyError::Malformed);
    };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| VerifyError::Malformed);
    // A header with members that are not known here may mean anything, `crit` above all.
    let read: Header = serde_json::from_slice(&decode(header)?).map_err(|_| VerifyError::Algorithm)?;
    if read.alg != "EdDSA" {
        return Err(VerifyError::Algorithm);
    }
    let key = keys.keys.iter().find(|key| key.kid == read.kid);
    let (key, bytes) = key
        .and_then(|key| Some((key, key.bytes()?)))
        .ok_or(VerifyError::UnknownKey)?;
    let statement: Value = serde_json::from_str(&receipt.payload).map_err(|_| VerifyError::Payload)?;
    let canonical = serde_json_canonicalizer::to_string(&statement).map_err(|_| VerifyError::Payload)?;
    if !statement.is_object() || canonical != receipt.payload {
        return Err(VerifyError::Payload);
    }
    UnparsedPublicKey::new(&ED25519, bytes)
        .verify(
            signed(header, receipt.payload.as_bytes()).as_bytes(),
            &decode(signature)?,
        )
        .map_err(|_| VerifyError::Signature)?;
    Ok(Verified {
        statement,
        key: key.clone(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{SignError, SigningKey};

    fn key() -> (tempfile::TempDir, SigningKey) {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::open(&folder.path().join("key")).unwrap();
        (folder, key)
    }

    fn set(key: &SigningKey) -> JwkSet {
        JwkSet {
            keys: vec![key.public()],
        }
    }

    #[test]
    fn what_is_signed_is_canonical_and_holds() {
        let (_folder, key) = key();
        let statement = json!({"typ": "t/1", "b": [true, null, -7], "a": "绿色\u{20ac}\n"});
        let receipt = Receipt::sign(&key, &statement).unwrap();
        assert_eq!(
            receipt.payload,
            "{\"a\":\"绿色€\\n\",\"b\":[true,null,-7],\"typ\":\"t/1\"}"
        );
        let verified = verify(&receipt, &set(&key)).unwrap();
        assert_eq!(verified.statement, statement);
        assert_eq!(verified.key, key.public());
    }

    #[test]
    fn fractions_and_huge_numbers_are_not_signed() {
        let (_folder, key) = key();
        for statement in [json!({"a": 0.5}), json!({"a": [u64::MAX]})] {
            assert!(matches!(Receipt::sign(&key, &statement), Err(SignError::Number)));
        }
    }

    #[test]
    fn another_key_another_algorithm_and_another_form_are_refused() {
        let (_folder, key) = key();
        let (_other, other) = self::key();
        let receipt = Receipt::sign(&key, &json!({"typ": "t/1"})).unwrap();
        let of = |jws: String, payload: &str| {
            let payload = payload.to_owned();
            verify(&Receipt { jws, payload }, &set(&key)).unwrap_err()
        };
        assert_eq!(verify(&receipt, &set(&other)), Err(VerifyError::UnknownKey));
        // A set that gives another key under this one's id.
        let mut posed = other.public();
        posed.kid = key.public().kid;
        let posed = JwkSet { keys: vec![posed] };
        assert_eq!(verify(&receipt, &posed), Err(VerifyError::UnknownKey));
        let (_, signature) = receipt.jws.split_once("..").unwrap();
        let headed = |header: &str| format!("{}..{signature}", URL_SAFE_NO_PAD.encode(header));
        for header in [
            format!(r#"{{"alg":"none","kid":"{}"}}"#, key.id()),
            format!(r#"{{"alg":"EdDSA","kid":"{}","crit":["x"]}}"#, key.id()),
            "{}".to_owned(),
        ] {
            assert_eq!(of(headed(&header), &receipt.payload), VerifyError::Algorithm);
        }
        assert_eq!(of("a.b.c".to_owned(), &receipt.payload), VerifyError::Malformed);
        assert_eq!(
            of(receipt.jws.clone(), "{ \"typ\": \"t/1\" }"),
            VerifyError::Payload
        );
        assert_eq!(
            of(receipt.jws.clone(), "{\"typ\":\"t/2\"}"),
            VerifyError::Signature
        );
    }

    proptest! {
        #[test]
        fn no_changed_byte_passes(text in "\\PC{0,40}", at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let (_folder, key) = key();
            let receipt = Receipt::sign(&key, &json!({"typ": "t/1", "text": text})).unwrap();
            let keys = set(&key);
            prop_assert!(verify(&receipt, &keys).is_ok());
            let mut payload = receipt.payload.clone().into_bytes();
            let at = at.index(payload.len());
            payload[at] ^= 1 << bit;
            if let Ok(payload) = String::from_utf8(payload) {
                let changed = Receipt { payload, ..receipt };
                prop_assert!(verify(&changed, &keys).is_err());
            }
        }
    }
}
