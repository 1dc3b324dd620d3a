//! Numbered SQL files, each applied once and never changed afterwards.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use crate::error::{OpenError, StoreError, is_other_schema};
use crate::schema;
use crate::sqlite::opening;
use crate::tx::Connection;

/// A service's migrations; the store's own come before them.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// Number from 1, name, SQL text. The text must mean the same on both engines.
    pub files: &'static [(u16, &'static str, &'static str)],
}

const COMMON: &[(u16, &str, &str)] = &[
    (1, "change log", include_str!("../migrations/0001_change_log.sql")),
    (2, "subscriber", include_str!("../migrations/0002_subscriber.sql")),
];
/// Services number from 1 as well; theirs stand above this, so both can grow.
const SERVICE_BASE: i64 = 1000;

impl Migrations {
    fn migrator(&self) -> Migrator {
        let common = COMMON.iter().map(|file| (i64::from(file.0), file));
        let service = self
            .files
            .iter()
            .map(|file| (SERVICE_BASE + i64::from(file.0), file));
        Migrator::with_migrations(
            common
                .chain(service)
                .map(|(version, (_, name, text))| {
                    Migration::new(
                        version,
                        (*name).into(),
                        MigrationType::Simple,
                        text.into_sql_str(),
                        false,
                    )
                })
                .collect(),
        )
    }

    /// Refuses what this program must not touch, and what has lost a table or column that an applied migration
    /// made; answers the first migration that is missing.
    pub(crate) async fn check(&self, connection: &mut Connection) -> Result<Option<i64>, OpenError> {
        let applied = applied(connection).await?;
        let migrator = self.migrator();
        for (version, checksum) in &applied {
            match migrator.iter().find(|known| known.version == *version) {
                None => return Err(OpenError::Newer { version: *version }),
                Some(known) if *known.checksum != **checksum => {
                    return Err(OpenError::Foreign { version: *version });
                }
                Some(_) => {}
            }
        }
        let is_applied = |known: &&Migration| applied.iter().any(|(version, _)| *version == known.version);
        let made = migrator.iter().filter(is_applied).cloned().collect();
        schema::check(connection, Migrator::with_migrations(made)).await?;
        let missing = migrator.iter().find(|known| !is_applied(known));
        Ok(missing.map(|migration| migration.version))
    }

    /// Applies what is missing, and mints the epoch of a new database.
    pub(crate) async fn run(&self, connection: &mut Connection) -> Result<(), OpenError> {
        let migrator = self.migrator();
        let outcome = match connection {
            Connection::Sqlite(connection) => migrator.run_direct(None, connection, false).await,
            Connection::Postgres(connection) => migrator.run_direct(None, connection, false).await,
        };
        outcome.map_err(|error| match error {
            // Its tables are there already, or those that it builds on are not.
            MigrateError::ExecuteMigration(error, _) if is_other_schema(&error) => OpenError::damaged(error),
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => opening(error),
            MigrateError::Dirty(version) => OpenError::damaged(format!("migration {version} did not end")),
            MigrateError::VersionMissing(version) => OpenError::Newer { version },
            MigrateError::VersionMismatch(version) => OpenError::Foreign { version },
            error => OpenError::Store(StoreError::backend(error)),
        })?;
        // A log that has changes had a head: it is lost, and no new one can take its place.
        const MINT: &str = "INSERT INTO change_head (one, epoch, revision, locked_by) \
             SELECT 1, $1, 0, '' WHERE NOT EXISTS (SELECT 1 FROM change_log) ON CONFLICT (one) DO NOTHING";
        let epoch = uuid::Uuid::now_v7().to_string();
        connection
            .handle()
            .run(MINT, &[epoch.into()])
            .await
            .map_err(StoreError::from)?;
        Ok(())
    }
}

async fn applied(connection: &mut Connection) -> Result<Vec<(i64, Vec<u8>)>, OpenError> {
    let there = match connection {
        Connection::Sqlite(_) => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'"
        }
        Connection::Postgres(_) => {
            "SELECT tablename::text AS name FROM pg_catalog.pg_tables \
             WHERE tablename = '_sqlx_migrations' AND schemaname = current_schema()"
        }
    };
    if connection
        .handle()
        .rows(there, &[])
        .await
        .map_err(opening)?
        .is_empty()
    {
        schema::expect_none(connection).await?;
        return Ok(Vec::new());
    }
    let list = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
    let found = connection.handle().rows(list, &[]).await.map_err(opening)?;
    let read = found
        .iter()
        .map(|row| Ok((row.get("version")?, row.get("checksum")?)));
    Ok(read.collect::<Result<_, StoreError>>()?)
}
