//! An open database.

use std::path::Path;
use std::sync::Arc;

use futures::future::BoxFuture;
use greenstar_kernel::{Epoch, Position, Revision, Timestamp};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgPool, SqlitePool};

use crate::error::{OpenError, StoreError};
use crate::migrate::Migrations;
use crate::sqlite::FileLock;
use crate::tx::{Connection, Link, Slot, Tx};
use crate::{Entry, Location, Row, postgres, sqlite};

/// One service's database. Clones share it.
///
/// A SQLite database is held by one process at a time; it has one write connection and several readers.
#[derive(Clone, Debug)]
pub struct Database {
    engine: Arc<Engine>,
    epoch: Epoch,
}

#[derive(Debug)]
enum Engine {
    Sqlite {
        readers: SqlitePool,
        write: Box<SqliteConnectOptions>,
        slot: Arc<Slot>,
        /// Let go of last.
        _lock: FileLock,
    },
    Postgres {
        pool: PgPool,
        /// With the settings of a session.
        session: Box<PgConnectOptions>,
    },
}

impl Database {
    /// Opens a database that is up to date. Changes nothing in it.
    // Boxed here and below, so that the drivers are compiled in this crate only.
    #[inline(never)]
    pub fn open<'a>(
        at: &'a Location,
        migrations: &'a Migrations,
    ) -> BoxFuture<'a, Result<Database, OpenError>> {
        Box::pin(Database::prepare(at, migrations, false))
    }

    /// Brings a database up to date, or makes it, and opens it.
    /// A damaged, newer or foreign one is refused as it is.
    #[inline(never)]
    pub fn migrate<'a>(
        at: &'a Location,
        migrations: &'a Migrations,
    ) -> BoxFuture<'a, Result<Database, OpenError>> {
        Box::pin(Database::prepare(at, migrations, true))
    }

    async fn prepare(at: &Location, migrations: &Migrations, migrate: bool) -> Result<Database, OpenError> {
        let engine = match at {
            Location::Sqlite(path) => open_sqlite(path, migrations, migrate).await?,
            Location::Postgres(options) => open_postgres(options, migrations, migrate).await?,
        };
        let head = engine.read().await?.head().await;
        let epoch = head
            .map_err(|error| match error {
                StoreError::Corrupt(what) => OpenError::Damaged(what),
                error => OpenError::Store(error),
            })?
            .epoch;
        Ok(Database {
            engine: Arc::new(engine),
            epoch,
        })
    }

    /// Gives a restored database another life, so that nobody takes its past for the one that was lost: cursors and
    /// tokens of the old life are refused from then on. No replica may run on it.
    #[inline(never)]
    pub fn begin_anew(&self) -> BoxFuture<'_, Result<Epoch, StoreError>> {
        Box::pin(async {
            let epoch = uuid::Uuid::now_v7().to_string();
            let mut tx = self.write().await?;
            let renew = "UPDATE change_head SET epoch = $1 WHERE one = 1";
            tx.run(renew, &[epoch.clone().into()]).await?;
            tx.commit().await?;
            Epoch::parse(&epoch).ok_or_else(|| StoreError::corrupt("no epoch"))
        })
    }

    /// The life of the database as it was when it was opened.
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// The committed head, read on the primary by a statement that starts after this call.
    pub async fn head(&self) -> Result<Position, StoreError> {
        self.engine.read().await?.head().await
    }

    /// [`Database::head`], and which batch wrote revision `at`: none if the log does not hold it.
    pub async fn head_and_batch(&self, at: Revision) -> Result<(Position, Option<Arc<str>>), StoreError> {
        self.engine.read().await?.head_and_batch(at).await
    }

    /// When the newest change was written; none if the log holds none.
    pub async fn newest_change(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut tx = self.read().await?;
        let head = tx.head().await?.revision;
        let newest = tx.changes(Revision(head.0.saturating_sub(1)), 1).await?;
        Ok(newest.last().map(|change| change.at))
    }

    /// A transaction for reading that sees one state of the database throughout. Drop it when done.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        self.engine.read().await
    }

    /// A transaction for rows that no change log tells of, e.g. leases and staged imports.
    /// What others are to hear of goes through a [`crate::Writer`].
    ///
    /// On SQLite it waits for the write connection, and the writer waits for it.
    #[inline(never)]
    pub fn write(&self) -> BoxFuture<'_, Result<Tx, StoreError>> {
        match &*self.engine {
            Engine::Sqlite { slot, .. } => Box::pin(async { Ok(self.begin_write(slot, "").await?.0) }),
            Engine::Postgres { pool, .. } => {
                Box::pin(begin_pooled(pool, "BEGIN ISOLATION LEVEL READ COMMITTED"))
            }
        }
    }

    /// At most `limit` changes after `after`, in order and without gaps.
    pub async fn changes(&self, after: Revision, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.read().await?.changes(after, limit).await
    }

    /// Waits until every connection is closed; a SQLite file is then whole without its log.
    #[inline(never)]
    pub fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match &*self.engine {
                Engine::Sqlite { readers, slot, .. } => {
                    readers.close().await;
                    if let Some(Connection::Sqlite(connection)) = slot.lock().await.take()
                        && let Err(error) = connection.close().await
                    {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "a database was not closed cleanly"
                        );
                    }
                }
                Engine::Postgres { pool, .. } => pool.close().await,
            }
        })
    }

    /// A place for a writer's connection. SQLite has one for all.
    pub(crate) fn write_slot(&self) -> Arc<Slot> {
        match &*self.engine {
            Engine::Sqlite { slot, .. } => slot.clone(),
            Engine::Postgres { .. } => Arc::new(Slot::default()),
        }
    }

    /// Starts a writing transaction on the connection in `slot`, connecting if it is empty. `then` is what goes with its
    /// BEGIN; the rows are its.
    #[inline(never)]
    pub(crate) fn begin_write<'a>(
        &'a self,
        slot: &'a Arc<Slot>,
        then: &'a str,
    ) -> BoxFuture<'a, Result<(Tx, Vec<Row>), StoreError>> {
        Box::pin(async move {
            let mut slot = slot.clone().lock_owned().await;
            let begin = match &*self.engine {
                Engine::Sqlite { write, .. } => {
                    if slot.is_none() {
                        *slot = Some(Connection::Sqlite(write.connect().await?));
                    }
                    "BEGIN IMMEDIATE"
                }
                Engine::Postgres { session, .. } => {
                    if slot.is_none() {
                        let session = postgres::writer_session(session);
                        *slot = Some(Connection::Postgres(postgres::connect(&session).await?));
                    }
                    "BEGIN ISOLATION LEVEL READ COMMITTED"
                }
            };
            Tx::begin(Link::Own(slot), &format!("{begin}; {then}")).await
        })
    }
}

impl Engine {
    #[inline(never)]
    fn read(&self) -> BoxFuture<'_, Result<Tx, StoreError>> {
        Box::pin(async move {
            match self {
                Engine::Sqlite { readers, .. } => {
                    let link = Link::SqlitePool(Some(readers.acquire().await?));
                    Ok(Tx::begin(link, "BEGIN").await?.0)
                }
                Engine::Postgres { pool, .. } => {
                    begin_pooled(pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
                }
            }
        })
    }
}

async fn open_sqlite(path: &Path, migrations: &Migrations, migrate: bool) -> Result<Engine, OpenError> {
    let mut lock = FileLock::take(path)?;
    let there = sqlite::inspect(path, &lock)?;
    if !there && !migrate {
        return Err(OpenError::NotMigrated { version: 1 });
    }
    sqlite::folder_takes_files(path)?;
    let write = Box::new(sqlite::writer_options(path));
    let mut connection = Connection::Sqlite(if there {
        sqlite::check(path).await?
    } else {
        write.connect().await.map_err(sqlite::opening)?
    });
    up_to_date(&mut connection, migrations, migrate).await?;
    lock.mark()?;
    let readers = sqlite::readers(path).await?;
    Ok(Engine::Sqlite {
        readers,
        write,
        slot: Arc::new(Slot::new(Some(connection))),
        _lock: lock,
    })
}

async fn open_postgres(
    options: &PgConnectOptions,
    migrations: &Migrations,
    migrate: bool,
) -> Result<Engine, OpenError> {
    // Without the limits of a session: a migration may take its time.
    let mut connection = Connection::Postgres(postgres::connect(options).await.map_err(StoreError::from)?);
    up_to_date(&mut connection, migrations, migrate).await?;
    drop(connection);
    let session = Box::new(postgres::session(options));
    Ok(Engine::Postgres {
        pool: postgres::pool(options).await?,
        session,
    })
}

async fn up_to_date(
    connection: &mut Connection,
    migrations: &Migrations,
    migrate: bool,
) -> Result<(), OpenError> {
    match migrations.check(connection).await? {
        // Also when nothing is missing: a start that was killed may have left the epoch out.
        _ if migrate => migrations.run(connection).await,
        Some(version) => Err(OpenError::NotMigrated { version }),
        None => Ok(()),
    }
}

/// A transaction on a pooled connection. Those that the server closed while they lay idle, as when it
/// was restarted, are passed over: nothing was asked of them yet.
async fn begin_pooled(pool: &PgPool, begin: &'static str) -> Result<Tx, StoreError> {
    let mut passes = pool.options().get_max_connections();
    loop {
        let link = Link::PostgresPool(Some(pool.acquire().await?));
        match Tx::begin(link, begin).await {
            Err(error) if passes > 0 && error.is_closed_connection() => passes -= 1,
            outcome => return outcome.map(|(tx, _)| tx),
        }
    }
}
