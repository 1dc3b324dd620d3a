//! What can go wrong in a store, and the one place that reads a driver's error.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use greenstar_kernel::{LocalizedText, Said};

type Boxed = Box<dyn Error + Send + Sync>;
type Source = Arc<dyn Error + Send + Sync>;

/// A statement or a transaction failed; nothing of it stands, except as said.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Not reachable, too slow or locked for too long. Try again.
    #[error("the store cannot be reached")]
    Unavailable(#[source] Source),
    /// The answer to a COMMIT was lost and could not be looked up. Repeating the call with the same request id is safe.
    #[error("it is not known whether the change was stored")]
    OutcomeUnknown(#[source] Source),
    /// No room left on the store's disk.
    #[error("the store is full")]
    Full(#[source] Source),
    /// A row that the domain cannot mean, or a file that is damaged.
    #[error("the store holds what this program cannot read")]
    Corrupt(#[source] Source),
    /// A constraint of a table; `name` is the constraint on PostgreSQL and for checks, `table.column` for SQLite's keys.
    #[error("the change breaks a rule of the store")]
    Constraint {
        name: String,
        #[source]
        source: Source,
    },
    /// Anything else: a mistake in this program.
    #[error("the store failed")]
    Backend(#[source] Source),
}

impl StoreError {
    /// For a row that the domain cannot mean: never a default.
    pub fn corrupt(source: impl Into<Boxed>) -> StoreError {
        StoreError::Corrupt(Source::from(source.into()))
    }

    pub(crate) fn unavailable(source: impl Into<Boxed>) -> StoreError {
        StoreError::Unavailable(Source::from(source.into()))
    }

    /// Whether the server had closed the connection; one that does not answer at all is something else.
    pub(crate) fn is_closed_connection(&self) -> bool {
        let StoreError::Unavailable(source) = self else {
            return false;
        };
        match source.downcast_ref::<sqlx::Error>() {
            Some(sqlx::Error::Io(error)) => error.kind() != std::io::ErrorKind::TimedOut,
            Some(error) => damage(error) == Damage::Connection && error.as_database_error().is_some(),
            None => false,
        }
    }

    pub(crate) fn backend(source: impl Into<Boxed>) -> StoreError {
        StoreError::Backend(Source::from(source.into()))
    }
}

impl Said for StoreError {
    fn said(&self) -> LocalizedText {
        match self {
            StoreError::Unavailable(_) => LocalizedText::new(
                "存储暂时无法访问，没有作出任何更改；请稍后重试。",
                "The store cannot be reached and nothing was changed; try again shortly.",
            ),
            StoreError::OutcomeUnknown(_) => LocalizedText::new(
                "无法确认更改是否已保存；请用同一 request_id 重试，不会重复生效。",
                "It is not known whether the change was stored; repeat the call with the same request_id, it will not count twice.",
            ),
            StoreError::Full(_) => LocalizedText::new(
                "存储空间已满，没有作出任何更改；请运维人员释放空间后重试。",
                "The store is full and nothing was changed; ask the operator to free space, then try again.",
            ),
            StoreError::Corrupt(_) => LocalizedText::new(
                "存储中的记录无法读取；请联系运维人员，不要据此作出结论。",
                "A stored record cannot be read; call the operator and draw no conclusion from this answer.",
            ),
            StoreError::Constraint { .. } => LocalizedText::new(
                "更改与存储规则冲突，没有作出任何更改；请重新读取后再试。",
                "The change breaks a rule of the store and nothing was changed; read again, then retry.",
            ),
            StoreError::Backend(_) => LocalizedText::new(
                "存储出现内部错误，没有作出任何更改；请联系运维人员。",
                "The store failed internally and nothing was changed; call the operator.",
            ),
        }
    }
}

/// Why a database was not opened. Nothing in it was changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    #[error("another process uses the database {}", .path.display())]
    InUse { path: PathBuf },
    /// Migrated by a later version of this program.
    #[error("the database was written by a newer version of this program (migration {version})")]
    Newer { version: i64 },
    #[error("the database is damaged")]
    Damaged(#[source] Source),
    /// Another service's database, or one whose applied migrations differ from ours.
    #[error("the database belongs to another program (migration {version} differs)")]
    Foreign { version: i64 },
    #[error("the database lacks migration {version}")]
    NotMigrated { version: i64 },
    /// A file, or the folder it lies in.
    #[error("{} cannot be written", .path.display())]
    ReadOnly {
        path: PathBuf,
        #[source]
        source: Source,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OpenError {
    pub(crate) fn damaged(source: impl Into<Boxed>) -> OpenError {
        OpenError::Damaged(Source::from(source.into()))
    }

    /// `path` was to be written.
    pub(crate) fn writing(path: &Path, error: io::Error) -> OpenError {
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly {
                path: path.to_owned(),
                source: Arc::new(error),
            },
            _ => StoreError::unavailable(error).into(),
        }
    }
}

impl Said for OpenError {
    fn said(&self) -> LocalizedText {
        match self {
            OpenError::InUse { path } => LocalizedText::new(
                format!(
                    "数据库 {} 正被另一进程使用；请先停止该进程，或换用另一数据目录。",
                    path.display()
                ),
                format!(
                    "Another process uses {}; stop it first, or choose another data folder.",
                    path.display()
                ),
            ),
            OpenError::Newer { .. } => LocalizedText::new(
                "数据库由更新版本的程序写入，未作任何更改；请使用该版本或更新版本启动。",
                "The database was written by a newer version and was left as it is; start that version or a later one.",
            ),
            OpenError::Damaged(what) => LocalizedText::new(
                format!("数据库已损坏（{what}），未作任何更改；请先保存现有数据，再从备份恢复。"),
                format!(
                    "The database is damaged ({what}) and was left as it is; keep a copy, then restore it from a backup."
                ),
            ),
            OpenError::ReadOnly { path, .. } => LocalizedText::new(
                format!(
                    "{} 无法写入，未作任何更改；请检查目录和文件的所有者、权限，以及磁盘是否只读挂载。",
                    path.display()
                ),
                format!(
                    "{} cannot be written and nothing was changed; check the owner and permissions of folder and files, and whether the disk is mounted read-only.",
                    path.display()
                ),
            ),
            OpenError::Foreign { .. } => LocalizedText::new(
                "该数据库属于另一服务或另一版本，未作任何更改；请检查数据目录或连接地址。",
                "The database belongs to another service or build and was left as it is; check the data folder or URL.",
            ),
            OpenError::NotMigrated { .. } => LocalizedText::new(
                "数据库结构尚未升级；请先运行 migrate 命令。",
                "The database is not up to date; run the migrate command first.",
            ),
            OpenError::Store(error) => error.said(),
        }
    }
}

/// Whether a statement names a table or column that is not there, or makes one that is.
pub(crate) fn is_other_schema(error: &sqlx::Error) -> bool {
    match sqlite_primary(error) {
        Some(code) => code == sqlite_code::ERROR,
        // undefined_table, undefined_column, duplicate_table
        None => error
            .as_database_error()
            .and_then(|error| error.code())
            .is_some_and(|code| matches!(code.as_ref(), "42P01" | "42703" | "42P07")),
    }
}

/// What a driver's error means for the transaction it struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The statement failed; the connection is sound, the transaction must be rolled back.
    Statement,
    /// A lock was not had in time, or the engine chose this transaction as a victim: the same again may succeed.
    Contention,
    /// The connection is of no more use.
    Connection,
}

/// SQLite's primary result codes, <https://www.sqlite.org/rescode.html>.
pub(crate) mod sqlite_code {
    /// No such table or column, among others.
    pub(crate) const ERROR: i32 = 1;
    pub(crate) const BUSY: i32 = 5;
    pub(crate) const LOCKED: i32 = 6;
    pub(crate) const NOMEM: i32 = 7;
    pub(crate) const IOERR: i32 = 10;
    pub(crate) const CORRUPT: i32 = 11;
    pub(crate) const FULL: i32 = 13;
    pub(crate) const CANTOPEN: i32 = 14;
    pub(crate) const CONSTRAINT: i32 = 19;
    pub(crate) const NOTADB: i32 = 26;
}

/// The primary code of a SQLite error; none for other engines and failures.
pub(crate) fn sqlite_primary(error: &sqlx::Error) -> Option<i32> {
    let database = error.as_database_error()?;
    database.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    let extended: i32 = database.code()?.parse().ok()?;
    Some(extended & 0xff)
}

pub(crate) fn damage(error: &sqlx::Error) -> Damage {
    use sqlx::postgres::{PgDatabaseError, PgSeverity};
    if let Some(code) = sqlite_primary(error) {
        return match code {
            sqlite_code::BUSY | sqlite_code::LOCKED => Damage::Contention,
            sqlite_code::IOERR | sqlite_code::CANTOPEN => Damage::Connection,
            _ => Damage::Statement,
        };
    }
    match error {
        sqlx::Error::Database(database) => {
            let postgres = database.try_downcast_ref::<PgDatabaseError>();
            let fatal =
                postgres.is_some_and(|e| matches!(e.severity(), PgSeverity::Fatal | PgSeverity::Panic));
            match database.code().as_deref() {
                _ if fatal => Damage::Connection,
                // lock_not_available, serialization_failure, deadlock_detected
                Some("55P03" | "40001" | "40P01") => Damage::Contention,
                _ => Damage::Statement,
            }
        }
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::Encode(_)
        | sqlx::Error::RowNotFound => Damage::Statement,
        _ => Damage::Connection,
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        if let Some(code) = sqlite_primary(&error) {
            return match code {
                sqlite_code::FULL => StoreError::Full(Arc::new(error)),
                sqlite_code::CORRUPT | sqlite_code::NOTADB => StoreError::Corrupt(Arc::new(error)),
                sqlite_code::CONSTRAINT => constraint(error),
                sqlite_code::BUSY | sqlite_code::LOCKED | sqlite_code::NOMEM => {
                    StoreError::Unavailable(Arc::new(error))
                }
                sqlite_code::IOERR | sqlite_code::CANTOPEN => StoreError::Unavailable(Arc::new(error)),
                _ => StoreError::Backend(Arc::new(error)),
            };
        }
        let state = error
            .as_database_error()
            .and_then(|e| e.code())
            .map(|code| code.into_owned());
        match (&error, state.as_deref()) {
            (sqlx::Error::Database(_), Some(state)) => match (state.get(..2).unwrap_or_default(), state) {
                (_, "53100") => StoreError::Full(Arc::new(error)),
                (_, "XX001" | "XX002") => StoreError::Corrupt(Arc::new(error)),
                ("23", _) => constraint(error),
                ("08" | "40" | "53" | "55" | "57" | "58", _) | (_, "25P03") => {
                    StoreError::Unavailable(Arc::new(error))
                }
                _ => StoreError::Backend(Arc::new(error)),
            },
            (sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_), _) => {
                StoreError::Corrupt(Arc::new(error))
            }
            (
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::BeginFailed,
                _,
            ) => StoreError::Unavailable(Arc::new(error)),
            _ => StoreError::Backend(Arc::new(error)),
        }
    }
}

fn constraint(error: sqlx::Error) -> StoreError {
    let database = error.as_database_error();
    let name = match database.and_then(|e| e.constraint()) {
        Some(name) => name.to_owned(),
        // SQLite: `UNIQUE constraint failed: table.column`
        None => database
            .map(|e| e.message())
            .and_then(|text| text.rsplit(": ").next())
            .unwrap_or_default()
            .to_owned(),
    };
    StoreError::Constraint {
        name,
        source: Arc::new(error),
    }
}
