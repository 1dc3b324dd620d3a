//! PostgreSQL: connections that never hang, statements.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::Revision;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions, PgRow};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, PgPool, Row as _, TypeInfo as _,
    ValueRef as _,
};

use crate::error::StoreError;
use crate::tx::Write;
use crate::{Row, Value, log, sql};

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

/// For the writer, whose reads go by keys: a plan is kept with its statement, and one that was made while a table was
/// small would read it whole when it no longer is.
pub(crate) fn writer_session(session: &PgConnectOptions) -> PgConnectOptions {
    session
        .clone()
        .options([("enable_seqscan", "off"), ("jit", "off")])
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

/// Writes rows, and sets the head if there is one to set. Rows are one array a column: whatever their number, a
/// statement has one text, so it is parsed and planned once for a connection. What fits into one statement is one, so
/// that a batch is one question and one answer.
pub(crate) async fn write(
    connection: &mut PgConnection,
    writes: Vec<Write>,
    head: Option<Revision>,
) -> Result<(), sqlx::Error> {
    let mut parts = Vec::new();
    for Write {
        table,
        columns,
        conflict,
        rows,
    } in writes
    {
        let mut rows = rows.into_iter();
        loop {
            let arrays = Array::columns(rows.by_ref().take(ROWS))?;
            if arrays.is_empty() {
                break;
            }
            parts.push((table.clone(), columns.clone(), conflict.clone(), arrays));
        }
    }
    let tables: BTreeSet<&str> = parts.iter().map(|(table, ..)| table.as_str()).collect();
    // Parts of one statement do not see one another's rows.
    let apart = tables.len() < parts.len();
    let (mut with, mut together) = (Vec::new(), Vec::new());
    for (table, columns, conflict, arrays) in parts {
        let types: Vec<&str> = arrays.iter().map(Array::of_type).collect();
        let insert = sql::insert_arrays(&table, &columns, 1 + together.len(), &types, &conflict);
        if apart || head.is_none() {
            within(STEP, with_arrays(&insert, arrays).execute(&mut *connection)).await?;
        } else {
            with.push(format!("{table}_rows AS ({insert})"));
            together.extend(arrays);
        }
    }
    if let Some(head) = head {
        let with = if with.is_empty() {
            String::new()
        } else {
            format!("WITH {} ", with.join(", "))
        };
        let sql = with + &log::set_head(&format!("${}", 1 + together.len()));
        let head = i64::try_from(head.0).map_err(|error| sqlx::Error::Encode(error.into()))?;
        within(STEP, with_arrays(&sql, together).bind(head).execute(connection)).await?;
    }
    Ok(())
}

fn with_arrays<'q>(sql: &str, arrays: Vec<Array>) -> Query<'q> {
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for array in arrays {
        query = match array {
            Array::Int(values) => query.bind(values),
            Array::Text(values) => query.bind(values),
            Array::Bytes(values) => query.bind(values),
            Array::Bool(values) => query.bind(values),
        };
    }
    query
}

/// A column of several rows.
enum Array {
    Int(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Bool(Vec<Option<bool>>),
}

impl Array {
    /// One for each value of a row; none if there is no row.
    fn columns(rows: impl Iterator<Item = Vec<Value>>) -> Result<Vec<Array>, sqlx::Error> {
        let mut arrays: Vec<Array> = Vec::new();
        for row in rows {
            if arrays.is_empty() {
                arrays = row.into_iter().map(Array::of).collect();
            } else {
                for (array, value) in arrays.iter_mut().zip(row) {
                    array.push(value)?;
                }
            }
        }
        Ok(arrays)
    }

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
    read(&found)
}

/// `{before} IN (list) {after}`.
pub(crate) async fn rows_in(
    connection: &mut PgConnection,
    before: &str,
    list: Vec<Value>,
    after: &str,
) -> Result<Vec<Row>, sqlx::Error> {
    let (mut list, mut all) = (list.into_iter(), Vec::new());
    loop {
        let part = list.by_ref().take(ROWS).map(|value| vec![value]);
        let arrays = Array::columns(part)?;
        let Some(of_type) = arrays.first().map(Array::of_type) else {
            return Ok(all);
        };
        let sql = sql::in_array(before, of_type, after);
        let found = within(STEP, with_arrays(&sql, arrays).fetch_all(&mut *connection)).await?;
        all.append(&mut read(&found)?);
    }
}

/// The rows of `table` with one of these keys.
pub(crate) async fn rows_by(
    connection: &mut PgConnection,
    table: &str,
    columns: &str,
    keys: &[&str],
    wanted: Vec<Vec<Value>>,
) -> Result<Vec<Row>, sqlx::Error> {
    let arrays = Array::columns(wanted.into_iter())?;
    let types: Vec<&str> = arrays.iter().map(Array::of_type).collect();
    let sql = sql::by_arrays(table, columns, keys, &types);
    read(&within(STEP, with_arrays(&sql, arrays).fetch_all(connection)).await?)
}

/// BEGIN, COMMIT or ROLLBACK, and what goes with it in one question.
pub(crate) async fn control(connection: &mut PgConnection, sql: &str) -> Result<Vec<Row>, sqlx::Error> {
    let found = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection);
    read(&within(STEP, found).await?)
}

fn read(found: &[PgRow]) -> Result<Vec<Row>, sqlx::Error> {
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
