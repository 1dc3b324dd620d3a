//! Who a secret belongs to. Secrets are kept as SHA-256 only, and compared in constant time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use greenstar_kernel::{Caller, Department, Officer, Role, Uscc};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The known callers of a server: the credentials file, read.
#[derive(Clone, Default)]
pub struct Credentials {
    known: Vec<([u8; 32], Caller)>,
}

/// Why a credentials file is none. No secret is ever part of it.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error("the credentials file cannot be read or written")]
    File(#[source] std::io::Error),
    #[error("the credentials file is not a JSON object of names and secrets")]
    Json(#[source] serde_json::Error),
    #[error(
        "the credentials file names {0:?}, which is neither a department's officer nor `enterprises/{{uscc}}`"
    )]
    Name(String),
    #[error("the secret of {0:?} is shorter than 16 characters")]
    Short(String),
    #[error("{0:?} and {1:?} have the same secret")]
    Shared(String, String),
}

impl Credentials {
    /// Nobody is known: everyone is the public.
    pub fn empty() -> Credentials {
        Credentials::default()
    }

    /// Reads a file as [`Credentials::parse`] does.
    pub fn read(path: &Path) -> Result<Credentials, CredentialsError> {
        Credentials::parse(&std::fs::read_to_string(path).map_err(CredentialsError::File)?)
    }

    /// A JSON object name → secret. A name is `{department}` or `{department}/{n}`; what it may do follows
    /// from the name: `operator…` runs the suite, `supervision-policy…` and `…/subscriber` follow feeds,
    /// `enterprises/{uscc}` is a firm, all others are officers.
    pub fn parse(json: &str) -> Result<Credentials, CredentialsError> {
        let file: BTreeMap<String, String> = serde_json::from_str(json).map_err(CredentialsError::Json)?;
        let mut known: Vec<([u8; 32], Caller)> = Vec::new();
        let mut names: Vec<String> = Vec::new();
        for (name, secret) in file {
            if secret.chars().count() < 16 {
                return Err(CredentialsError::Short(name));
            }
            let hash = hash(&secret);
            if let Some(other) = known.iter().position(|(taken, _)| *taken == hash) {
                return Err(CredentialsError::Shared(names.swap_remove(other), name));
            }
            let caller = caller_of(&name).ok_or_else(|| CredentialsError::Name(name.clone()))?;
            known.push((hash, caller));
            names.push(name);
        }
        Ok(Credentials { known })
    }

    /// The owner of a secret. Looks at every entry, so that time tells nothing.
    pub fn caller(&self, secret: &str) -> Option<&Caller> {
        let hash = halves(&hash(secret));
        let mut found = None;
        for (known, caller) in &self.known {
            let [first, second] = halves(known);
            if bool::from(first.ct_eq(&hash[0]) & second.ct_eq(&hash[1])) {
                found = Some(caller);
            }
        }
        found
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({} callers)", self.known.len())
    }
}

/// Writes a new file with a fresh secret for each name, readable by its owner only. An existing file is an
/// error: secrets that somebody holds are not replaced. A crash leaves the whole file or none.
pub fn create(path: &Path, names: &[&str]) -> Result<(), CredentialsError> {
    let secrets: BTreeMap<&str, String> = names.iter().map(|name| (*name, fresh_secret())).collect();
    let text = serde_json::to_string_pretty(&secrets).map_err(CredentialsError::Json)?;
    write(path, &text).map_err(CredentialsError::File)
}

/// Adds a fresh secret for each name that an existing file does not hold, e.g. one of a release that knew fewer.
/// What it holds stays as it is. A crash leaves the file as it was or whole.
pub fn complete(path: &Path, names: &[&str]) -> Result<(), CredentialsError> {
    let text = std::fs::read_to_string(path).map_err(CredentialsError::File)?;
    let mut secrets: BTreeMap<String, String> =
        serde_json::from_str(&text).map_err(CredentialsError::Json)?;
    let known = secrets.len();
    for name in names {
        secrets.entry((*name).to_owned()).or_insert_with(fresh_secret);
    }
    if secrets.len() == known {
        return Ok(());
    }
    let text = serde_json::to_string_pretty(&secrets).map_err(CredentialsError::Json)?;
    draft(path, &text)
        .and_then(|draft| std::fs::rename(draft, path))
        .map_err(CredentialsError::File)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let draft = draft(path, text)?;
    // Unlike a rename, a link does not replace what is there.
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    linked
}

/// A whole file beside `path`, on the disk.
fn draft(path: &Path, text: &str) -> std::io::Result<PathBuf> {
    let draft = path.with_extension("draft");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    Ok(draft)
}

/// 256 bits in hexadecimal.
fn fresh_secret() -> String {
    let mut text = String::with_capacity(64);
    for byte in rand::random::<[u8; 32]>() {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Two numbers are compared in a few steps, 32 bytes one by one.
fn halves(hash: &[u8; 32]) -> [u128; 2] {
    let (first, second) = hash.split_at(16);
    [first, second].map(|half| half.try_into().map_or(0, u128::from_le_bytes))
}

/// What is kept of a secret.
pub(crate) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn caller_of(name: &str) -> Option<Caller> {
    if let Some(code) = name.strip_prefix("enterprises/") {
        return code.parse::<Uscc>().ok().map(Caller::Enterprise);
    }
    let (first, rest) = name.split_once('/').unwrap_or((name, ""));
    let department = Department::parse(first).ok()?;
    let role = match (first, rest) {
        ("operator", _) => Role::Operator,
        ("supervision-policy", _) => Role::Subscriber,
        (_, rest) if rest.rsplit('/').next() == Some("subscriber") => Role::Subscriber,
        _ => Role::Officer,
    };
    Some(Caller::Department {
        department,
        officer: Officer(name.to_owned()),
        roles: vec![role],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_who_the_caller_is() {
        let file = r#"{"enforcement/2": "aaaaaaaaaaaaaaaa", "enterprises/914403001922038216": "bbbbbbbbbbbbbbbb",
                       "supervision-policy": "cccccccccccccccc"}"#;
        let credentials = Credentials::parse(file).unwrap();
        assert_eq!(
            credentials.caller("aaaaaaaaaaaaaaaa").unwrap().principal(),
            "enforcement/2"
        );
        assert!(matches!(
            credentials.caller("bbbbbbbbbbbbbbbb"),
            Some(Caller::Enterprise(_))
        ));
        assert!(matches!(
            credentials.caller("cccccccccccccccc"),
            Some(Caller::Department { roles, .. }) if roles == &[Role::Subscriber]
        ));
        for (name, role) in [
            ("rating/subscriber", Role::Subscriber),
            ("rating/registry/subscriber", Role::Subscriber),
            ("rating/2", Role::Officer),
            ("rating/subscriber/2", Role::Officer),
        ] {
            let caller = caller_of(name);
            assert!(
                matches!(&caller, Some(Caller::Department { roles, .. }) if roles == &[role]),
                "{name}"
            );
        }
        assert_eq!(credentials.caller("aaaaaaaaaaaaaaab"), None);
        assert_eq!(credentials.caller(""), None);
    }

    #[test]
    fn a_file_of_fewer_names_is_completed_and_nobody_loses_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        create(&path, &["rating", "operator"]).unwrap();
        let read = || -> BTreeMap<String, String> {
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap()
        };
        let before = read();
        for _ in 0..2 {
            complete(&path, &["rating", "rating/subscriber"]).unwrap();
            let mut after = read();
            assert!(after.remove("rating/subscriber").is_some());
            assert_eq!(after, before);
        }
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        assert!(!path.with_extension("draft").exists());
    }

    #[test]
    fn a_bad_file_is_refused_without_showing_a_secret() {
        for file in [
            "[]",
            r#"{"licensing": "short"}"#,
            r#"{"Licensing!": "aaaaaaaaaaaaaaaa"}"#,
            r#"{"enterprises/1": "aaaaaaaaaaaaaaaa"}"#,
            r#"{"licensing": "aaaaaaaaaaaaaaaa", "finance": "aaaaaaaaaaaaaaaa"}"#,
        ] {
            let error = Credentials::parse(file).unwrap_err();
            assert!(!error.to_string().contains("aaaa"), "{error}");
        }
    }

    #[test]
    fn a_new_file_is_its_owners_and_is_never_overwritten() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        create(&path, &["licensing", "licensing/2"]).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(Credentials::read(&path).unwrap().known.len(), 2);
        assert!(create(&path, &["licensing"]).is_err());
        assert_eq!(Credentials::read(&path).unwrap().known.len(), 2);
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no draft is left"
        );
    }
}
