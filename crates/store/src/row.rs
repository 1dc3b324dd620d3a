//! A row of an answer, engine-free.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::value::text;
use crate::{Field, StoreError, Value};

/// Cells by column name. What cannot be read as asked is [`StoreError::Corrupt`].
#[derive(Clone, Debug)]
pub struct Row {
    columns: Arc<[String]>,
    cells: Vec<Value>,
}

#[derive(Debug, thiserror::Error)]
#[error("column {column}: {what}")]
struct Unreadable {
    column: String,
    what: String,
}

fn unreadable(column: &str, what: impl fmt::Display) -> StoreError {
    // The value stays out of logs: it may be personal.
    StoreError::corrupt(Unreadable {
        column: column.to_owned(),
        what: what.to_string(),
    })
}

impl Row {
    pub(crate) fn new(columns: Arc<[String]>, cells: Vec<Value>) -> Row {
        Row { columns, cells }
    }

    /// The column as `T`; a column that may be NULL is an `Option`.
    pub fn get<T: Field>(&self, column: &str) -> Result<T, StoreError> {
        let cell = self.cell(column)?;
        T::from_value(cell)
            .ok_or_else(|| unreadable(column, format_args!("is no {}", std::any::type_name::<T>())))
    }

    /// A text column, parsed.
    pub fn parse<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let raw = text(self.cell(column)?).ok_or_else(|| unreadable(column, "is no text"))?;
        raw.parse().map_err(|error: T::Err| unreadable(column, error))
    }

    /// A text column that holds JSON.
    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        let raw = text(self.cell(column)?).ok_or_else(|| unreadable(column, "is no text"))?;
        serde_json::from_str(raw).map_err(|error| unreadable(column, error))
    }

    fn cell(&self, column: &str) -> Result<&Value, StoreError> {
        let index = self.columns.iter().position(|name| name == column);
        index
            .and_then(|index| self.cells.get(index))
            .ok_or_else(|| unreadable(column, "is not in the answer"))
    }
}
