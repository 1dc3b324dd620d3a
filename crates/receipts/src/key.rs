//! Keys: a private one that never leaves its file, and the public half as a JSON Web Key.

use std::fmt;
use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A private key. `Debug` shows its id only.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    id: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The operating system gives no random bytes.
    #[error("no random bytes for a signing key")]
    Random,
    #[error("the signing key cannot be written or read")]
    Io(#[from] std::io::Error),
    /// It is no key, or it was damaged.
    #[error("the file holds no signing key; remove it to have a new one made")]
    Damaged,
}

impl SigningKey {
    /// Reads the key of this file; makes one if there is no file.
    ///
    /// The file is written for its owner alone, whole or not at all.
    ///
    /// # Errors
    /// [`KeyError`]: a damaged file is refused, never replaced.
    pub fn open(file: &Path) -> Result<SigningKey, KeyError> {
        match std::fs::read(file) {
            Ok(document) => SigningKey::read(&document),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => SigningKey::make(file),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a key in the place of the one in this file, if there is one.
    ///
    /// # Errors
    /// [`KeyError::Random`], [`KeyError::Io`]; the earlier key then stays.
    pub fn make(file: &Path) -> Result<SigningKey, KeyError> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::Random)?;
        let key = SigningKey::read(document.as_ref())?;
        let mut new = file.as_os_str().to_owned();
        new.push(".new");
        let new = Path::new(&new);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut written = options.open(new)?;
        written.write_all(document.as_ref())?;
        written.sync_all()?;
        std::fs::rename(new, file)?;
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::File::open(folder)?.sync_all()?;
        }
        Ok(key)
    }

    fn read(document: &[u8]) -> Result<SigningKey, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8(document).map_err(|_| KeyError::Damaged)?;
        let id = thumbprint(&URL_SAFE_NO_PAD.encode(pair.public_key()));
        Ok(SigningKey { pair, id })
    }

    /// Thumbprint of the public half (RFC 7638).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half.
    pub fn public(&self) -> Jwk {
        Jwk::of(URL_SAFE_NO_PAD.encode(self.pair.public_key()))
    }

    pub(crate) fn sign(&self, input: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.sign(input))
    }
}

/// A public key (RFC 8037).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    pub kty: String,
    pub crv: String,
    /// The key, base64url.
    pub x: String,
    /// Its thumbprint (RFC 7638).
    pub kid: String,
    #[serde(default)]
    pub alg: String,
    #[serde(rename = "use", default)]
    pub usage: String,
    /// When it was retired, RFC 3339; empty: it signs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub retired_at: String,
}

impl Jwk {
    /// A key of ours by its `x`.
    pub fn of(x: String) -> Jwk {
        Jwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            kid: thumbprint(&x),
            x,
            alg: "EdDSA".to_owned(),
            usage: "sig".to_owned(),
            retired_at: String::new(),
        }
    }

    /// The 32 bytes, if this is an Ed25519 key whose id is its own thumbprint.
    pub(crate) fn bytes(&self) -> Option<[u8; 32]> {
        let ours = self.kty == "OKP" && self.crv == "Ed25519" && self.kid == thumbprint(&self.x);
        let bytes = URL_SAFE_NO_PAD.decode(&self.x).ok().filter(|_| ours)?;
        bytes.try_into().ok()
    }
}

/// RFC 7638: the required members in the order of their names.
fn thumbprint(x: &str) -> String {
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(members))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037_appendix_a_3() {
        let key = Jwk::of("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned());
        assert_eq!(key.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert!(key.bytes().is_some());
    }

    #[test]
    fn a_key_outlives_the_program_is_its_owners_alone_and_a_damaged_file_is_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("signing-key");
        let made = SigningKey::open(&file).unwrap();
        assert_eq!(SigningKey::open(&file).unwrap().id(), made.id());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_ne!(SigningKey::make(&file).unwrap().id(), made.id());
        std::fs::write(&file, b"no key").unwrap();
        assert!(matches!(SigningKey::open(&file), Err(KeyError::Damaged)));
        assert_eq!(std::fs::read(&file).unwrap(), b"no key");
    }
}
