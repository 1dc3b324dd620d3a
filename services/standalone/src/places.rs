//! What lies where in the data folder.

use std::path::{Path, PathBuf};

use greenstar_kernel::Log;

/// The data folder.
#[derive(Clone, Debug)]
pub struct Places {
    folder: PathBuf,
}

/// Why a credential cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("{path}: {source}; the suite makes it at its first start")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path} is not a JSON object of names and secrets")]
    Malformed { path: PathBuf },
    #[error("{path} holds no credential of {name}")]
    Unknown { path: PathBuf, name: String },
}

impl Places {
    pub fn new(folder: &Path) -> Places {
        Places {
            folder: folder.to_owned(),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// SQLite database of a service.
    pub fn database(&self, log: Log) -> PathBuf {
        self.folder.join(format!("{}.db", log.as_str()))
    }

    /// Segments of decision records.
    pub fn records(&self) -> PathBuf {
        self.folder.join("records")
    }

    /// The view's snapshot, for quick starts.
    pub fn view(&self) -> PathBuf {
        self.folder.join("view")
    }

    /// Secrets by name, mode 0600.
    pub fn credentials(&self) -> PathBuf {
        self.folder.join("credentials.json")
    }

    /// Address of the door while, and since, the suite ran here; commands find it there.
    pub fn address(&self) -> PathBuf {
        self.folder.join("address")
    }

    /// The secret of one name, e.g. `enforcement/2`.
    pub fn secret(&self, name: &str) -> Result<String, SecretError> {
        let path = self.credentials();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(SecretError::Unreadable { path, source }),
        };
        let Ok(secrets) = serde_json::from_str::<std::collections::BTreeMap<String, String>>(&text) else {
            return Err(SecretError::Malformed { path });
        };
        match secrets.get(name) {
            Some(secret) => Ok(secret.clone()),
            None => Err(SecretError::Unknown {
                path,
                name: name.to_owned(),
            }),
        }
    }
}
