//! Whether a database still has what its migrations made.
//!
//! Their text means the same on both engines, so an SQLite database in memory, migrated as far, says what that is.

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::error::{OpenError, StoreError, is_other_schema};
use crate::sqlite::opening;
use crate::tx::Connection;
use crate::{Row, sqlite};

struct Table {
    name: String,
    columns: Vec<String>,
}

/// Asks for every column of every table that `applied` makes, and for no row.
pub(crate) async fn check(connection: &mut Connection, applied: Migrator) -> Result<(), OpenError> {
    for Table { name, columns } in made_by(applied).await? {
        let ask = format!("SELECT {} FROM {name} WHERE 1 = 0", columns.join(", "));
        if let Err(error) = connection.handle().rows(&ask, &[]).await {
            return Err(if is_other_schema(&error) {
                OpenError::damaged(format!("table {name} or a column of it is missing: {error}"))
            } else {
                opening(error)
            });
        }
    }
    Ok(())
}

/// Refuses an SQLite file that has tables and no record of its migrations. In PostgreSQL, where others may be at
/// work, the first migration would fail instead.
pub(crate) async fn expect_none(connection: &mut Connection) -> Result<(), OpenError> {
    if let Connection::Sqlite(_) = connection {
        let any = "SELECT name FROM sqlite_master WHERE type = 'table' LIMIT 1";
        let found = connection.handle().rows(any, &[]).await.map_err(opening)?;
        if !found.is_empty() {
            return Err(OpenError::damaged(
                "it has tables, and the record of the migrations that made them is missing",
            ));
        }
    }
    Ok(())
}

async fn made_by(migrations: Migrator) -> Result<Vec<Table>, OpenError> {
    const COLUMNS: &str = "SELECT made.name AS table_name, part.name AS column_name \
         FROM sqlite_master AS made, pragma_table_info(made.name) AS part \
         WHERE made.type = 'table' AND made.name NOT LIKE 'sqlite%' AND made.name <> '_sqlx_migrations' \
         ORDER BY made.name, part.cid";
    let options = SqliteConnectOptions::new().filename(":memory:");
    let mut memory = options.connect().await.map_err(StoreError::from)?;
    migrations
        .run_direct(None, &mut memory, false)
        .await
        .map_err(StoreError::backend)?;
    let found = sqlite::rows(&mut memory, COLUMNS, &[], false)
        .await
        .map_err(StoreError::from)?;
    memory.close().await.map_err(StoreError::from)?;
    let mut tables: Vec<Table> = Vec::new();
    for row in &found {
        add(&mut tables, row)?;
    }
    Ok(tables)
}

/// Columns of one table are neighbours.
fn add(tables: &mut Vec<Table>, row: &Row) -> Result<(), StoreError> {
    let name: String = row.get("table_name")?;
    let column = row.get("column_name")?;
    match tables.last_mut() {
        Some(table) if table.name == name => table.columns.push(column),
        Some(_) | None => tables.push(Table {
            name,
            columns: vec![column],
        }),
    }
    Ok(())
}
