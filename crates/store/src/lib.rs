//! One thin layer over sqlx for SQLite and PostgreSQL with one SQL text, the change log, and the
//! joined transaction that writes it (protocol.md §1).
//!
//! A service hands its migrations to [`Database::migrate`], implements [`Journal`], starts a
//! [`Writer`] and reads through [`Database::read`].

mod batch;
mod database;
mod error;
mod journal;
mod location;
mod log;
mod migrate;
mod postgres;
mod row;
mod schema;
mod sql;
mod sqlite;
mod tally;
mod tx;
mod value;
mod writer;

pub use database::Database;
pub use error::{OpenError, StoreError};
pub use journal::{Committed, Journal, Request, SubmitError, Turn};
pub use location::{Location, MalformedLocation};
pub use log::{Batch, Entry};
pub use migrate::Migrations;
pub use row::Row;
pub use tally::Tally;
pub use tx::Tx;
pub use value::{Field, Value};
pub use writer::Writer;
