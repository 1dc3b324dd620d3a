//! PostgreSQL: connections that never hang, statements.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions, PgRow};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, PgPool, Row as _, TypeInfo as _,
    ValueRef as _,
};

use crate::error::StoreError;
use crate::{Row, Value, sql};

const POOL: u32 = 8;
/// For one step of a transaction as seen from here: the server gives up a little earlier, so this one
/// strikes when the connection is half open. sqlx cannot set TCP_USER_TIMEOUT on our own socket.
pub(crate) const STEP: Duration = Duration::from_secs(6);
/// Rows in one statement.
const ROWS: usize = 1_000;
const CONNECT: Duration = Duration::from_secs(5);
/// An idle connection that does not answer within this is dropped.
const PING: Duration = Duration::from_secs(1);

/// The settings of protocol.md §1. `synchronous_commit`, because an acknowledged change survives a
/// restart of the server, whatever its configuration says.
pub(crate) fn session(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().options([
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("tcp_user_timeout", "5s"),
        ("tcp_keepalives_idle", "5"),
        ("statement_timeout", "5s"),
        ("synchronous_commit", "on"),
        ("timezone", "UTC"),
    ])
}

pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    within(CONNECT, options.connect()).await
}

/// Cuts a step off that outlasts `limit`: on a half-open connection nothing ever comes back.
pub(crate) async fn within<T>(
    limit: Duration,
    step: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(limit, step).await {
        Ok(outcome) => outcome,
        Err(_) => Err(sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            "no answer from the server",
        ))),
    }
}

pub(crate) async fn pool(options: &PgConnectOptions) -> Result<PgPool, StoreError> {
    let pool = PgPoolOptions::new()
        .max_connections(POOL)
        .acquire_timeout(CONNECT)
        // The driver's own tests wait for ever on a half-open connection; these do not.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for >= PING {
                    within(PING, connection.ping()).await?;
                }
                Ok(true)
            })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                within(PING, connection.ping()).await?;
                Ok(true)
            })
        });
    Ok(pool.connect_with(session(options)).await?)
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

fn query<'q>(sql: &str, values: &'q [Value], keep: bool) -> Query<'q> {
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(keep);
    for value in values {
        query = match value {
            Value::Int(value) => query.bind(*value),
            Value::Text(value) => query.bind(value.as_deref()),
            Value::Bytes(value) => query.bind(value.as_deref()),
            Value::Bool(value) => query.bind(*value),
        };
    }
    query
}

pub(crate) async fn run(
    connection: &mut PgConnection,
    sql: &str,
    values: &[Value],
    keep: bool,
) -> Result<u64, sqlx::Error> {
    Ok(within(STEP, query(sql, values, keep).execute(connection))
        .await?
        .rows_affected())
}

/// Rows as one array a column: whatever their number, the statement has one text, so it is parsed and planned once
/// for a connection.
pub(crate) async fn write_rows(
    connection: &mut PgConnection,
    table: &str,
    columns: &[&str],
    conflict: &str,
    rows: Vec<Vec<Value>>,
) -> Result<(), sqlx::Error> {
    let mut rows = rows.into_iter();
    loop {
        let mut arrays: Vec<Array> = Vec::with_capacity(columns.len());
        for (number, row) in rows.by_ref().take(ROWS).enumerate() {
            if number == 0 {
                arrays.extend(row.into_iter().map(Array::of));
            } else {
                for (array, value) in arrays.iter_mut().zip(row) {
                    array.push(value)?;
                }
            }
        }
        if arrays.is_empty() {
            return Ok(());
        }
        let types: Vec<&str> = arrays.iter().map(Array::of_type).collect();
        let insert = sql::insert_arrays(table, columns, &types, conflict);
        let mut query = sqlx::query(AssertSqlSafe(insert));
        for array in arrays {
            query = match array {
                Array::Int(values) => query.bind(values),
                Array::Text(values) => query.bind(values),
                Array::Bytes(values) => query.bind(values),
                Array::Bool(values) => query.bind(values),
            };
        }
        within(STEP, query.execute(&mut *connection)).await?;
    }
}

/// A column of several rows.
enum Array {
    Int(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Bool(Vec<Option<bool>>),
}

impl Array {
    fn of(first: Value) -> Array {
        match first {
            Value::Int(value) => Array::Int(vec![value]),
            Value::Text(value) => Array::Text(vec![value]),
            Value::Bytes(value) => Array::Bytes(vec![value]),
            Value::Bool(value) => Array::Bool(vec![value]),
        }
    }

    fn push(&mut self, value: Value) -> Result<(), sqlx::Error> {
        match (self, value) {
            (Array::Int(values), Value::Int(value)) => values.push(value),
            (Array::Text(values), Value::Text(value)) => values.push(value),
            (Array::Bytes(values), Value::Bytes(value)) => values.push(value),
            (Array::Bool(values), Value::Bool(value)) => values.push(value),
            (Array::Int(_) | Array::Text(_) | Array::Bytes(_) | Array::Bool(_), _) => {
                return Err(sqlx::Error::Encode("a column has values of two types".into()));
            }
        }
        Ok(())
    }

    fn of_type(&self) -> &'static str {
        match self {
            Array::Int(_) => "bigint[]",
            Array::Text(_) => "text[]",
            Array::Bytes(_) => "bytea[]",
            Array::Bool(_) => "boolean[]",
        }
    }
}

pub(crate) async fn rows(
    connection: &mut PgConnection,
    sql: &str,
    values: &[Value],
    keep: bool,
) -> Result<Vec<Row>, sqlx::Error> {
    let found = within(STEP, query(sql, values, keep).fetch_all(connection)).await?;
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

fn cells(row: &PgRow) -> Result<Vec<Value>, sqlx::Error> {
    (0..row.len())
        .map(|index| {
            let raw = row.try_get_raw(index)?;
            if raw.is_null() {
                return Ok(Value::Int(None));
            }
            match raw.type_info().name() {
                "INT8" => row.try_get(index).map(Value::Int),
                "INT4" => row
                    .try_get::<i32, _>(index)
                    .map(|value| Value::Int(Some(i64::from(value)))),
                "INT2" => row
                    .try_get::<i16, _>(index)
                    .map(|value| Value::Int(Some(i64::from(value)))),
                "BOOL" => row.try_get(index).map(Value::Bool),
                "BYTEA" => row.try_get(index).map(Value::Bytes),
                // Any other type is refused by the driver, with its name.
                _ => row.try_get(index).map(Value::Text),
            }
        })
        .collect()
}
