//! A transaction on either engine.

use std::sync::Arc;

use futures::future::BoxFuture;
use greenstar_kernel::{Epoch, Position, Revision};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Postgres, Sqlite};
use tokio::sync::OwnedMutexGuard;

use crate::error::{Damage, damage};
use crate::log::{self, Entry};
use crate::{Row, StoreError, Value, postgres, sql, sqlite};

/// A statement of more parameters is not kept prepared: its text hardly comes twice.
const KEEP_PREPARED: usize = 64;

#[derive(Debug)]
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Where a write connection lives between transactions.
pub(crate) type Slot = tokio::sync::Mutex<Option<Connection>>;

#[derive(Debug)]
pub(crate) enum Link {
    SqlitePool(Option<PoolConnection<Sqlite>>),
    PostgresPool(Option<PoolConnection<Postgres>>),
    /// Empty once the connection turned out to be of no use.
    Own(OwnedMutexGuard<Option<Connection>>),
}

/// A connection of either engine, wherever it lives.
pub(crate) enum Handle<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

/// Boxed, so that the drivers are compiled in this crate only: the body of an async fn is compiled again
/// in every crate that awaits it.
impl<'a> Handle<'a> {
    #[inline(never)]
    pub(crate) fn rows(
        self,
        sql: &'a str,
        values: &'a [Value],
    ) -> BoxFuture<'a, Result<Vec<Row>, sqlx::Error>> {
        let keep = values.len() <= KEEP_PREPARED;
        match self {
            Handle::Sqlite(connection) => Box::pin(sqlite::rows(connection, sql, values, keep)),
            Handle::Postgres(connection) => Box::pin(postgres::rows(connection, sql, values, keep)),
        }
    }

    #[inline(never)]
    pub(crate) fn run(self, sql: &'a str, values: &'a [Value]) -> BoxFuture<'a, Result<u64, sqlx::Error>> {
        let keep = values.len() <= KEEP_PREPARED;
        match self {
            Handle::Sqlite(connection) => Box::pin(sqlite::run(connection, sql, values, keep)),
            Handle::Postgres(connection) => Box::pin(postgres::run(connection, sql, values, keep)),
        }
    }

    #[inline(never)]
    fn rows_in(
        self,
        before: &'a str,
        list: Vec<Value>,
        after: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Row>, sqlx::Error>> {
        match self {
            Handle::Sqlite(connection) => Box::pin(sqlite::rows_in(connection, before, list, after)),
            Handle::Postgres(connection) => Box::pin(postgres::rows_in(connection, before, list, after)),
        }
    }

    #[inline(never)]
    fn rows_by(
        self,
        table: &'a str,
        columns: &'a str,
        keys: &'a [&'a str],
        wanted: Vec<Vec<Value>>,
    ) -> BoxFuture<'a, Result<Vec<Row>, sqlx::Error>> {
        match self {
            Handle::Sqlite(connection) => Box::pin(sqlite::rows_by(connection, table, columns, keys, wanted)),
            Handle::Postgres(connection) => {
                Box::pin(postgres::rows_by(connection, table, columns, keys, wanted))
            }
        }
    }

    #[inline(never)]
    fn write(self, writes: Vec<Write>, head: Option<Revision>) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        match self {
            Handle::Sqlite(connection) => Box::pin(sqlite::write(connection, writes, head)),
            Handle::Postgres(connection) => Box::pin(postgres::write(connection, writes, head)),
        }
    }

    /// BEGIN, COMMIT or ROLLBACK, and what goes with it.
    #[inline(never)]
    fn control(self, sql: &'a str) -> BoxFuture<'a, Result<Vec<Row>, sqlx::Error>> {
        match self {
            Handle::Sqlite(connection) => Box::pin(sqlite::control(connection, sql)),
            Handle::Postgres(connection) => Box::pin(postgres::control(connection, sql)),
        }
    }
}

/// Rows for one table.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) table: String,
    pub(crate) columns: Vec<String>,
    /// `ON CONFLICT …`, or empty.
    pub(crate) conflict: String,
    /// Each with a value for every column.
    pub(crate) rows: Vec<Vec<Value>>,
}

impl Connection {
    pub(crate) fn handle(&mut self) -> Handle<'_> {
        match self {
            Connection::Sqlite(connection) => Handle::Sqlite(connection),
            Connection::Postgres(connection) => Handle::Postgres(connection),
        }
    }
}

impl Link {
    fn handle(&mut self) -> Result<Handle<'_>, sqlx::Error> {
        let handle = match self {
            Link::SqlitePool(connection) => connection.as_deref_mut().map(Handle::Sqlite),
            Link::PostgresPool(connection) => connection.as_deref_mut().map(Handle::Postgres),
            Link::Own(slot) => slot.as_mut().map(Connection::handle),
        };
        handle.ok_or(sqlx::Error::PoolClosed)
    }

    /// Drops the connection without a word to the other side.
    fn discard(&mut self) {
        match self {
            Link::SqlitePool(connection) => drop(connection.take().map(PoolConnection::detach)),
            Link::PostgresPool(connection) => drop(connection.take().map(PoolConnection::detach)),
            Link::Own(slot) => drop(slot.take()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No transaction is open.
    Closed,
    Open,
    /// A statement is on its way; a caller that goes away now leaves the connection in the dark.
    Busy,
    /// A statement failed: only a rollback is left.
    Failed,
}

/// A transaction. Dropped without [`Tx::commit`] it is rolled back.
///
/// Inside it every statement uses it, never the [`crate::Database`]: on SQLite there is one write connection.
#[derive(Debug)]
pub struct Tx {
    link: Link,
    phase: Phase,
    /// What the last failure did.
    damage: Option<Damage>,
    /// Some: rows to be written wait here for [`Tx::flush`].
    gathered: Option<Vec<Write>>,
}

/// What became of a COMMIT.
#[derive(Debug)]
pub(crate) enum CommitFailure {
    /// It was rolled back.
    RolledBack(StoreError),
    /// The answer was lost, or does not say.
    Unknown(StoreError),
    /// SQLite could not write or sync its log: what the disk holds is not known until it is read again by a new process.
    Disk(StoreError),
}

impl Tx {
    /// Starts a transaction with `begin`, e.g. `BEGIN IMMEDIATE`. It may go on after a semicolon; the rows that come
    /// back are answered.
    pub(crate) async fn begin(link: Link, begin: &str) -> Result<(Tx, Vec<Row>), StoreError> {
        let mut tx = Tx {
            link,
            phase: Phase::Busy,
            damage: None,
            gathered: None,
        };
        let begun = match tx.link.handle() {
            Ok(handle) => handle.control(begin).await,
            Err(error) => Err(error),
        };
        match begun {
            Ok(rows) => {
                tx.phase = Phase::Open;
                Ok((tx, rows))
            }
            Err(error) => {
                // Whether it began is not known.
                tx.link.discard();
                tx.phase = Phase::Closed;
                Err(error.into())
            }
        }
    }

    /// Runs a query.
    pub async fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.write_gathered().await?;
        self.enter()?;
        let outcome = match self.link.handle() {
            Ok(handle) => handle.rows(sql, values).await,
            Err(error) => Err(error),
        };
        self.leave(outcome)
    }

    /// The only row, or none. Several are [`StoreError::Corrupt`].
    pub async fn row(&mut self, sql: &str, values: &[Value]) -> Result<Option<Row>, StoreError> {
        let mut found = self.rows(sql, values).await?;
        match found.len() {
            0 | 1 => Ok(found.pop()),
            several => Err(StoreError::corrupt(format!(
                "{several} rows where one was expected"
            ))),
        }
    }

    /// Runs a statement; answers the number of rows it changed.
    pub async fn run(&mut self, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        self.write_gathered().await?;
        self.enter()?;
        let outcome = match self.link.handle() {
            Ok(handle) => handle.run(sql, values).await,
            Err(error) => Err(error),
        };
        self.leave(outcome)
    }

    /// `{before} IN (list) {after}`, in as many statements as the list needs; an order holds within each.
    /// An empty list reads nothing.
    pub async fn rows_in(
        &mut self,
        before: &str,
        list: Vec<Value>,
        after: &str,
    ) -> Result<Vec<Row>, StoreError> {
        self.write_gathered().await?;
        self.enter()?;
        let outcome = match self.link.handle() {
            Ok(handle) => handle.rows_in(before, list, after).await,
            Err(error) => Err(error),
        };
        self.leave(outcome)
    }

    /// `columns` of the rows of `table` whose `keys`, which are unique, have one of the values that are `wanted`. One
    /// that is wanted twice may be found twice.
    pub(crate) async fn rows_by(
        &mut self,
        table: &str,
        columns: &str,
        keys: &[&str],
        wanted: Vec<Vec<Value>>,
    ) -> Result<Vec<Row>, StoreError> {
        self.write_gathered().await?;
        self.enter()?;
        let outcome = match self.link.handle() {
            Ok(handle) => handle.rows_by(table, columns, keys, wanted).await,
            Err(error) => Err(error),
        };
        self.leave(outcome)
    }

    /// From here on rows to be written are kept until [`Tx::flush`], or until a statement might look for them.
    pub(crate) fn gather(&mut self) {
        self.gathered.get_or_insert_default();
    }

    /// Writes what was gathered, and sets the head of the log to `head` if it moves.
    pub(crate) async fn flush(&mut self, head: Option<Revision>) -> Result<(), StoreError> {
        let writes = self.gathered.take().unwrap_or_default();
        self.write(writes, head).await
    }

    async fn write_gathered(&mut self) -> Result<(), StoreError> {
        match self.gathered.as_mut().map(std::mem::take) {
            Some(writes) if !writes.is_empty() => self.write(writes, None).await,
            Some(_) | None => Ok(()),
        }
    }

    async fn write(&mut self, writes: Vec<Write>, head: Option<Revision>) -> Result<(), StoreError> {
        if writes.is_empty() && head.is_none() {
            return Ok(());
        }
        self.enter()?;
        let outcome = match self.link.handle() {
            Ok(handle) => handle.write(writes, head).await,
            Err(error) => Err(error),
        };
        self.leave(outcome)
    }

    /// Inserts `rows`, each with a value for every column.
    pub async fn insert(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: Vec<Vec<Value>>,
    ) -> Result<(), StoreError> {
        self.write_rows(table, columns, "", rows).await
    }

    /// Inserts `rows`; where `keys` are there already, sets the other columns. A key comes at most once in `rows`.
    pub async fn upsert(
        &mut self,
        table: &str,
        columns: &[&str],
        keys: &[&str],
        rows: Vec<Vec<Value>>,
    ) -> Result<(), StoreError> {
        self.write_rows(table, columns, &sql::on_conflict_update(columns, keys), rows)
            .await
    }

    async fn write_rows(
        &mut self,
        table: &str,
        columns: &[&str],
        conflict: &str,
        rows: Vec<Vec<Value>>,
    ) -> Result<(), StoreError> {
        if rows.iter().any(|row| row.len() != columns.len()) {
            return Err(StoreError::backend(format!(
                "a row of {table} has not {} values",
                columns.len()
            )));
        }
        if rows.is_empty() {
            return Ok(());
        }
        let write = Write {
            table: table.to_owned(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            conflict: conflict.to_owned(),
            rows,
        };
        match &mut self.gathered {
            Some(gathered) => {
                gathered.push(write);
                Ok(())
            }
            None => self.write(vec![write], None).await,
        }
    }

    /// The committed head of the change log as this transaction sees it.
    pub async fn head(&mut self) -> Result<Position, StoreError> {
        let row = self
            .row("SELECT epoch, revision FROM change_head WHERE one = 1", &[])
            .await?;
        position(row.as_ref())
    }

    /// The head, and which batch wrote revision `at`, as of one instant.
    pub(crate) async fn head_and_batch(
        &mut self,
        at: Revision,
    ) -> Result<(Position, Option<Arc<str>>), StoreError> {
        const LOOK: &str = "SELECT epoch, revision, \
             (SELECT batch FROM change_log WHERE revision = $1) AS batch FROM change_head WHERE one = 1";
        let row = self.row(LOOK, &[at.into()]).await?;
        let batch: Option<String> = row.as_ref().map_or(Ok(None), |row| row.get("batch"))?;
        Ok((position(row.as_ref())?, batch.map(Arc::from)))
    }

    /// The first change that the log still holds; none when it holds no change.
    pub async fn oldest_change(&mut self) -> Result<Option<Revision>, StoreError> {
        let row = self
            .row("SELECT MIN(revision) AS oldest FROM change_log", &[])
            .await?;
        row.map_or(Ok(None), |row| row.get("oldest"))
    }

    /// At most `limit` changes after `after`, in order and without gaps.
    pub async fn changes(&mut self, after: Revision, limit: u32) -> Result<Vec<Entry>, StoreError> {
        log::read(self, after, limit).await
    }

    /// Makes the changes stand. After an error nothing is known to stand; see [`StoreError`].
    pub async fn commit(self) -> Result<(), StoreError> {
        self.try_commit().await.map_err(|failure| match failure {
            CommitFailure::RolledBack(error) => error,
            CommitFailure::Unknown(error) | CommitFailure::Disk(error) => {
                StoreError::OutcomeUnknown(Arc::new(error))
            }
        })
    }

    pub(crate) async fn try_commit(mut self) -> Result<(), CommitFailure> {
        // PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK and no error.
        self.enter().map_err(CommitFailure::RolledBack)?;
        let outcome = match self.link.handle() {
            Ok(handle) => handle.control("COMMIT").await,
            Err(error) => Err(error),
        };
        let error = match outcome {
            Ok(_) => {
                self.phase = Phase::Closed;
                return Ok(());
            }
            Err(error) => error,
        };
        let failure = commit_failure(error);
        if !matches!(failure, CommitFailure::RolledBack(_))
            || matches!(self.link.handle(), Ok(Handle::Postgres(_)))
        {
            self.link.discard();
            self.phase = Phase::Closed;
        } else {
            self.phase = Phase::Failed;
            self.rollback().await;
        }
        Err(failure)
    }

    /// Ends the transaction and leaves the connection fit for the next, or drops it.
    pub(crate) async fn rollback(mut self) {
        if self.is_sound() {
            // From here an end by cancellation leaves the connection in the dark.
            self.phase = Phase::Busy;
            self.end().await;
        }
    }

    async fn end(mut self) {
        let ended = match self.link.handle() {
            Ok(handle) => handle.control("ROLLBACK").await,
            Err(error) => Err(error),
        };
        if ended.is_ok() {
            self.phase = Phase::Closed;
        }
    }

    /// Whether a transaction is open on a connection that can still end it.
    fn is_sound(&self) -> bool {
        match self.phase {
            Phase::Open => true,
            Phase::Failed => self.damage != Some(Damage::Connection),
            Phase::Busy | Phase::Closed => false,
        }
    }

    /// What the last failed statement did to the connection.
    pub(crate) fn damage(&self) -> Option<Damage> {
        self.damage
    }

    fn enter(&mut self) -> Result<(), StoreError> {
        match self.phase {
            Phase::Open => {
                self.phase = Phase::Busy;
                Ok(())
            }
            Phase::Closed | Phase::Busy | Phase::Failed => Err(StoreError::backend(
                "an earlier statement of this transaction failed",
            )),
        }
    }

    fn leave<T>(&mut self, outcome: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        match outcome {
            Ok(value) => {
                self.phase = Phase::Open;
                Ok(value)
            }
            Err(error) => {
                self.phase = Phase::Failed;
                self.damage = Some(damage(&error));
                Err(error.into())
            }
        }
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.phase == Phase::Closed {
            return;
        }
        let sound = self.is_sound();
        let mut link = std::mem::replace(&mut self.link, Link::SqlitePool(None));
        match tokio::runtime::Handle::try_current() {
            // Busy, so that a runtime which shuts down and drops the task drops the connection as well.
            Ok(runtime) if sound => drop(
                runtime.spawn(
                    Tx {
                        link,
                        phase: Phase::Busy,
                        damage: None,
                        gathered: None,
                    }
                    .end(),
                ),
            ),
            Ok(_) | Err(_) => link.discard(),
        }
    }
}

/// An error that says the transaction was undone, or one that leaves it open whether it stands.
fn commit_failure(error: sqlx::Error) -> CommitFailure {
    use crate::error::{sqlite_code, sqlite_primary};
    match sqlite_primary(&error) {
        Some(sqlite_code::IOERR | sqlite_code::CANTOPEN) => CommitFailure::Disk(error.into()),
        Some(_) => CommitFailure::RolledBack(error.into()),
        None if matches!(error, sqlx::Error::WorkerCrashed) => CommitFailure::Disk(error.into()),
        None => match damage(&error) {
            // A deferred constraint, a serialization failure: the server says that it rolled back.
            Damage::Statement | Damage::Contention if error.as_database_error().is_some() => {
                CommitFailure::RolledBack(error.into())
            }
            Damage::Statement | Damage::Contention | Damage::Connection => {
                CommitFailure::Unknown(error.into())
            }
        },
    }
}

pub(crate) fn position(row: Option<&Row>) -> Result<Position, StoreError> {
    let row = row.ok_or_else(|| StoreError::corrupt("the change log has no head"))?;
    let raw: String = row.get("epoch")?;
    let epoch = Epoch::parse(&raw).ok_or_else(|| StoreError::corrupt("the head names no epoch"))?;
    Ok(Position {
        epoch,
        revision: row.get("revision")?,
    })
}
