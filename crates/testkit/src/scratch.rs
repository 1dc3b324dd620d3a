//! A place for a test's database, on either engine.

use std::path::Path;

use tempfile::TempDir;

/// Gone when dropped (SQLite), or with the server at the end of the test process (PostgreSQL).
#[derive(Debug)]
pub struct Scratch {
    url: String,
    dir: TempDir,
}

impl Scratch {
    /// A file that is not there yet.
    pub fn sqlite() -> Scratch {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Scratch {
            url: format!("sqlite:{}", dir.path().join("test.db").display()),
            dir,
        }
    }

    /// A fresh database of the shared private server.
    pub async fn postgres() -> Scratch {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Scratch {
            url: crate::postgres::database().await,
            dir,
        }
    }

    /// `sqlite:PATH` or `postgres://…`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A temporary folder; SQLite's file is in it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}
