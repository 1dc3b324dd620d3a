//! SQLite: files, pragmas, statements.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::Revision;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, ConnectOptions as _, Row as _, SqlitePool, TypeInfo as _,
    ValueRef as _,
};

use crate::error::{OpenError, StoreError, sqlite_code, sqlite_primary};
use crate::tx::Write;
use crate::{Row, Value, log, sql};

const READERS: u32 = 4;
/// Only the writer of this process and a checkpoint can be in the way.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn writer_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // What was acknowledged survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        // KiB. Indexes of texts are written all over: what does not stay here is read anew in each batch.
        .pragma("cache_size", "-16384")
        // Pages. A page that changes in every batch is copied to the database once in so many.
        .pragma("wal_autocheckpoint", "4000")
}

pub(crate) async fn readers(path: &Path) -> Result<SqlitePool, StoreError> {
    let options = writer_options(path)
        .create_if_missing(false)
        .pragma("cache_size", "-2048")
        .pragma("query_only", "on");
    let pool = SqlitePoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false);
    Ok(pool.connect_with(options).await?)
}

/// Held as long as the database is open; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: File,
}

impl FileLock {
    /// `PATH.lock`, beside the database.
    pub(crate) fn take(database: &Path) -> Result<FileLock, OpenError> {
        let mut path = database.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|error| OpenError::writing(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(FileLock { file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
                path: database.to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(StoreError::unavailable(error).into()),
        }
    }

    /// Whether a database was made here before.
    fn is_marked(&self) -> Result<bool, StoreError> {
        self.file
            .metadata()
            .map(|data| data.len() > 0)
            .map_err(StoreError::unavailable)
    }

    /// Remembers that a database was made here: an empty file from now on is a lost one.
    pub(crate) fn mark(&mut self) -> Result<(), StoreError> {
        if self.is_marked()? {
            return Ok(());
        }
        self.file.rewind().map_err(StoreError::unavailable)?;
        self.file
            .write_all(b"made\n")
            .and_then(|()| self.file.sync_all())
            .map_err(StoreError::unavailable)
    }
}

/// Refuses a folder in which no file can be made. SQLite makes its log beside the database, and where it cannot, it
/// says no more than that something was not opened.
pub(crate) fn folder_takes_files(database: &Path) -> Result<(), OpenError> {
    let mut probe = database.as_os_str().to_owned();
    probe.push(".probe");
    let probe = PathBuf::from(probe);
    let folder = probe.parent().unwrap_or(&probe);
    File::create(&probe)
        .and_then(|_| std::fs::remove_file(&probe))
        .map_err(|error| OpenError::writing(folder, error))
}

/// Whether a database is there. Refuses a file that is none, or cannot be written, before any driver touches it:
/// SQLite would open it for reading and fail later.
pub(crate) fn inspect(path: &Path, lock: &FileLock) -> Result<bool, OpenError> {
    const MAGIC: &[u8; 16] = b"SQLite format 3\0";
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(OpenError::writing(path, error)),
    };
    let mut head = Vec::with_capacity(MAGIC.len());
    file.take(16)
        .read_to_end(&mut head)
        .map_err(StoreError::unavailable)?;
    if head.is_empty() {
        return if lock.is_marked()? {
            Err(OpenError::damaged("the file is empty"))
        } else {
            Ok(false)
        };
    }
    if head != MAGIC {
        return Err(OpenError::damaged("the file is not a database"));
    }
    Ok(true)
}

/// Opens an existing database and has SQLite check its pages.
pub(crate) async fn check(path: &Path) -> Result<SqliteConnection, OpenError> {
    let mut connection = writer_options(path)
        .create_if_missing(false)
        .connect()
        .await
        .map_err(opening)?;
    let found: Vec<SqliteRow> = sqlx::query("PRAGMA quick_check(1)")
        .fetch_all(&mut connection)
        .await
        .map_err(opening)?;
    let verdict: String = found
        .first()
        .map(|row| row.try_get(0))
        .transpose()
        .map_err(opening)?
        .unwrap_or_default();
    if verdict == "ok" {
        Ok(connection)
    } else {
        Err(OpenError::damaged(verdict))
    }
}

pub(crate) fn opening(error: sqlx::Error) -> OpenError {
    match sqlite_primary(&error) {
        Some(sqlite_code::CORRUPT | sqlite_code::NOTADB) => OpenError::damaged(error),
        _ => OpenError::Store(error.into()),
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

fn bound<'q>(sql: &str, values: Vec<Value>, keep: bool) -> Result<Query<'q>, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
            Value::Bool(value) => arguments.add(value),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(keep))
}

pub(crate) async fn run(
    connection: &mut SqliteConnection,
    sql: &str,
    values: &[Value],
    keep: bool,
) -> Result<u64, sqlx::Error> {
    Ok(bound(sql, values.to_vec(), keep)?
        .execute(connection)
        .await?
        .rows_affected())
}

/// Statements that are sent together, so that the thread of the connection is woken once for all.
const TOGETHER: usize = 8;

/// Writes rows, and sets the head if there is one to set. A statement has room for more rows than it is given, so that
/// few texts serve any number of them and stay prepared.
pub(crate) async fn write(
    connection: &mut SqliteConnection,
    writes: Vec<Write>,
    head: Option<Revision>,
) -> Result<(), sqlx::Error> {
    let mut statements: Vec<(String, Vec<Value>)> = Vec::new();
    for Write {
        table,
        columns,
        conflict,
        rows,
    } in writes
    {
        let (mut left, width) = (rows.len(), columns.len());
        let mut rows = rows.into_iter();
        while left > 0 {
            let room = sql::room(left, width);
            let count = left.min(room);
            left -= count;
            let mut values: Vec<Value> = Vec::with_capacity(room * width + 1);
            values.extend(rows.by_ref().take(count).flatten());
            values.resize(room * width, Value::Int(None));
            values.push(Value::Int(i64::try_from(count).ok()));
            statements.push((sql::insert_padded(&table, &columns, room, &conflict), values));
        }
    }
    statements.extend(head.map(|head| (log::set_head("?"), vec![head.into()])));
    let mut statements = statements.into_iter().peekable();
    while statements.peek().is_some() {
        let (texts, values): (Vec<String>, Vec<Vec<Value>>) = statements.by_ref().take(TOGETHER).unzip();
        let query = bound(&texts.join("; "), values.into_iter().flatten().collect(), true)?;
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

pub(crate) async fn rows(
    connection: &mut SqliteConnection,
    sql: &str,
    values: &[Value],
    keep: bool,
) -> Result<Vec<Row>, sqlx::Error> {
    let found = bound(sql, values.to_vec(), keep)?.fetch_all(connection).await?;
    read(&found)
}

/// `{before} IN (list) {after}`, in as many statements as the list needs.
pub(crate) async fn rows_in(
    connection: &mut SqliteConnection,
    before: &str,
    list: Vec<Value>,
    after: &str,
) -> Result<Vec<Row>, sqlx::Error> {
    let mut all = Vec::new();
    for range in sql::chunks(list.len(), 1) {
        let mut part = list.get(range).unwrap_or_default().to_vec();
        if let Some(last) = part.last().cloned() {
            part.resize(sql::padded(part.len()), last);
            let sql = sql::in_list(before, part.len(), after);
            let query = bound(&sql, part, true)?;
            all.append(&mut read(&query.fetch_all(&mut *connection).await?)?);
        }
    }
    Ok(all)
}

/// The rows of `table` with one of these keys.
pub(crate) async fn rows_by(
    connection: &mut SqliteConnection,
    table: &str,
    columns: &str,
    keys: &[&str],
    mut wanted: Vec<Vec<Value>>,
) -> Result<Vec<Row>, sqlx::Error> {
    let mut all = Vec::new();
    for range in sql::chunks(wanted.len(), keys.len()).collect::<Vec<_>>() {
        let rest = wanted.split_off(range.len());
        let mut part = std::mem::replace(&mut wanted, rest);
        if let Some(last) = part.last().cloned() {
            part.resize(part.len().next_power_of_two(), last);
            let sql = sql::by_values(table, columns, keys, part.len());
            let query = bound(&sql, part.into_iter().flatten().collect(), true)?;
            all.append(&mut read(&query.fetch_all(&mut *connection).await?)?);
        }
    }
    Ok(all)
}

/// BEGIN, COMMIT or ROLLBACK, and what goes with it in one question.
pub(crate) async fn control(connection: &mut SqliteConnection, sql: &str) -> Result<Vec<Row>, sqlx::Error> {
    read(&sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await?)
}

fn read(found: &[SqliteRow]) -> Result<Vec<Row>, sqlx::Error> {
    let Some(first) = found.first() else {
        return Ok(Vec::new());
    };
    let columns: Arc<[String]> = first
        .columns()
        .iter()
        .map(|column| column.name().to_owned())
        .collect();
    found
        .iter()
        .map(|row| cells(row).map(|cells| Row::new(columns.clone(), cells)))
        .collect()
}

/// A cell has the type that was stored, whatever the column says.
fn cells(row: &SqliteRow) -> Result<Vec<Value>, sqlx::Error> {
    (0..row.len())
        .map(|index| {
            let raw = row.try_get_raw(index)?;
            if raw.is_null() {
                return Ok(Value::Int(None));
            }
            match raw.type_info().name() {
                "TEXT" => row.try_get_unchecked(index).map(Value::Text),
                "BLOB" => row.try_get_unchecked(index).map(Value::Bytes),
                _ => row.try_get_unchecked(index).map(Value::Int),
            }
        })
        .collect()
}
