//! The yardstick: one row, one commit, one connection, nothing else.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Executor as _};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS bare (id bigint PRIMARY KEY, fact text NOT NULL)";
const INSERT: &str = "INSERT INTO bare (id, fact) VALUES ($1, $2)";
const FACT_BYTES: usize = 200;

/// A connection, and the table that it writes to.
#[derive(Debug)]
pub(crate) struct Bare {
    connection: Connection,
    fact: String,
    next: i64,
}

#[derive(Debug)]
enum Connection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Bare {
    /// On a database of its own: `postgres://…`, or `sqlite:PATH`, which is made.
    pub(crate) async fn open(url: &str) -> anyhow::Result<Bare> {
        Bare::open_from(url, 0).await
    }

    /// One of several that share a database: its rows are numbered from `first` on.
    pub(crate) async fn open_from(url: &str, first: i64) -> anyhow::Result<Bare> {
        let mut connection = match url.strip_prefix("sqlite:") {
            Some(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full);
                Connection::Sqlite(options.connect().await?)
            }
            None => {
                let options: PgConnectOptions = url.parse()?;
                let options = options.options([("synchronous_commit", "on")]);
                Connection::Postgres(options.connect().await?)
            }
        };
        match &mut connection {
            Connection::Postgres(connection) => connection.execute(TABLE).await.map(drop),
            Connection::Sqlite(connection) => connection.execute(TABLE).await.map(drop),
        }
        .context("making the table of bare commits")?;
        Ok(Bare {
            connection,
            fact: "x".repeat(FACT_BYTES),
            next: first,
        })
    }

    /// Commits one row.
    pub(crate) async fn commit(&mut self) -> anyhow::Result<()> {
        let (id, fact) = (self.next, self.fact.as_str());
        self.next += 1;
        match &mut self.connection {
            Connection::Postgres(connection) => {
                let insert = sqlx::query(INSERT).bind(id).bind(fact);
                insert.execute(connection).await.map(drop)
            }
            Connection::Sqlite(connection) => {
                let insert = sqlx::query(INSERT).bind(id).bind(fact);
                insert.execute(connection).await.map(drop)
            }
        }
        .context("a bare commit")
    }

    /// Commits one row after the other for so long; how many in a second.
    pub(crate) async fn commits(&mut self, duration: Duration) -> anyhow::Result<f64> {
        let (begun, mut commits) = (Instant::now(), 0_u32);
        while begun.elapsed() < duration {
            self.commit().await?;
            commits += 1;
        }
        Ok(f64::from(commits) / begun.elapsed().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_row_is_committed_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("bare.sqlite").display());
        let mut bare = Bare::open(&url).await.unwrap();

        let rate = bare.commits(Duration::from_millis(20)).await.unwrap();

        assert!(rate > 0.0);
        assert!(bare.next > 0);
        let Connection::Sqlite(connection) = &mut bare.connection else {
            panic!("a file is SQLite's");
        };
        let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM bare")
            .fetch_one(connection)
            .await
            .unwrap();
        assert_eq!(rows, bare.next);
    }
}
