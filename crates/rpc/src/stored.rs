//! What a store, a writer or a feed could not do, as every service says it.

use greenstar_feed::FeedError;
use greenstar_kernel::{LocalizedText, Log, Said as _};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_store::{Database, Location, Migrations, OpenError, StoreError, SubmitError};
use tonic::{Code, Status};

use crate::program::Ended;
use crate::status::{fault, status};

/// A command that was not carried out. `refused` says what the domain refused; `request_id` is the request's,
/// for its caller.
pub fn submitted<R>(error: SubmitError<R>, request_id: &str, refused: impl FnOnce(&R) -> Status) -> Status {
    match error {
        SubmitError::Refused(refusal) => refused(&refusal),
        SubmitError::RequestIdReused => {
            let said = LocalizedText::new(
                "同一 request_id 已用于内容不同的请求，先前那次仍然有效：新业务请换用新的 request_id",
                "this request_id came before with another body, which stands: use a new id for a new act",
            );
            let metadata = [("request_id", request_id.to_owned())];
            status(
                Code::AlreadyExists,
                ErrorReason::RequestIdReused,
                &said,
                &metadata,
            )
        }
        SubmitError::Closed => {
            let said = LocalizedText::new(
                "服务正在停止，没有作出任何更改：请稍后重试",
                "the service is stopping and nothing was changed: try again",
            );
            status(Code::Unavailable, ErrorReason::NotReady, &said, &[])
        }
        SubmitError::Store(error) => store(&error),
    }
}

/// A read or write that failed.
pub fn store(error: &StoreError) -> Status {
    let (code, reason) = match error {
        StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_) => {
            (Code::Unavailable, ErrorReason::StoreUnavailable)
        }
        StoreError::Full(_) => (Code::ResourceExhausted, ErrorReason::StoreFull),
        StoreError::Corrupt(_) => (Code::DataLoss, ErrorReason::StoreCorrupt),
        StoreError::Constraint { .. } | StoreError::Backend(_) => (Code::Internal, ErrorReason::Internal),
    };
    fault(code, reason, &error.said(), error)
}

/// A watch or sync of `log` that failed.
pub fn feed(log: Log, error: &FeedError) -> Status {
    let of_log = || vec![("log", log.as_str().to_owned())];
    let (code, reason, metadata) = match error {
        FeedError::CursorTooOld => (Code::OutOfRange, ErrorReason::CursorTooOld, vec![]),
        FeedError::Foreign => (Code::FailedPrecondition, ErrorReason::TokenForeign, of_log()),
        FeedError::Ahead => (Code::InvalidArgument, ErrorReason::TokenAhead, of_log()),
        FeedError::CutOff { cursor } => {
            let metadata = vec![("cursor", cursor.revision.to_string())];
            (Code::ResourceExhausted, ErrorReason::WatchCutOff, metadata)
        }
        FeedError::Malformed(_) => (Code::InvalidArgument, ErrorReason::WatchMalformed, vec![]),
        FeedError::AcknowledgementAhead { sent } => {
            let metadata = vec![("sent", sent.to_string())];
            (Code::InvalidArgument, ErrorReason::AcknowledgementAhead, metadata)
        }
        FeedError::Replaced => (Code::Aborted, ErrorReason::SubscriberReplaced, vec![]),
        FeedError::SubscriberUnknown => (Code::NotFound, ErrorReason::SubscriberUnknown, vec![]),
        FeedError::SubscriberConnected => {
            (Code::FailedPrecondition, ErrorReason::SubscriberConnected, vec![])
        }
        FeedError::FilterInvalid { field } => {
            let metadata = vec![("field", (*field).to_owned())];
            (Code::InvalidArgument, ErrorReason::WatchFilterInvalid, metadata)
        }
        FeedError::Store(error) => return store(error),
    };
    status(code, reason, &error.said(), &metadata)
}

/// Why a program cannot open its database: reason, place, and in both languages what to do next, on one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotOpened(String);

/// Opens the database at `at` for a program that starts. An SQLite file is brought up to date; PostgreSQL is
/// migrated by a command of its own, since old replicas may be at work on it.
pub async fn open(at: &Location, migrations: &Migrations) -> Result<Database, NotOpened> {
    match at {
        Location::Sqlite(_) => migrate(at, migrations).await,
        Location::Postgres(_) => Database::open(at, migrations)
            .await
            .map_err(|error| not_opened(at, &error)),
    }
}

/// Brings the database at `at` up to date, and opens it.
pub async fn migrate(at: &Location, migrations: &Migrations) -> Result<Database, NotOpened> {
    Database::migrate(at, migrations)
        .await
        .map_err(|error| not_opened(at, &error))
}

/// Carries out what a program does with its database instead of serving.
pub async fn prepare(task: Task, at: &Location, migrations: &Migrations) -> Result<(), Ended> {
    let database = match task {
        Task::Migrate => migrate(at, migrations).await?,
        Task::Restored => {
            let database = open(at, migrations).await?;
            let epoch = database.begin_anew().await?;
            println!("epoch {epoch}");
            database
        }
    };
    database.close().await;
    Ok(())
}

/// What a program does with its database instead of serving.
#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub enum Task {
    /// Brings the database up to date, and ends. An SQLite file is brought up to date by serving, too.
    Migrate,
    /// After a backup was restored, and before any replica runs on it: gives the database another epoch, so that
    /// followers and tokens of the lost one are refused; and ends.
    Restored,
}

fn not_opened(at: &Location, error: &OpenError) -> NotOpened {
    let said = error.said();
    let reason = greenstar_proto::reason_name(reason(error));
    NotOpened(format!("{reason}: {at:?}: {}; {}", said.en, said.zh).replace('\n', " "))
}

fn reason(error: &OpenError) -> ErrorReason {
    match error {
        OpenError::InUse { .. } => ErrorReason::DatabaseInUse,
        OpenError::Newer { .. } => ErrorReason::DatabaseNewer,
        OpenError::Damaged(_) => ErrorReason::DatabaseDamaged,
        OpenError::Foreign { .. } => ErrorReason::DatabaseForeign,
        OpenError::NotMigrated { .. } => ErrorReason::DatabaseNotMigrated,
        OpenError::ReadOnly { .. } => ErrorReason::DatabaseReadOnly,
        OpenError::Store(StoreError::Full(_)) => ErrorReason::StoreFull,
        OpenError::Store(StoreError::Corrupt(_)) => ErrorReason::StoreCorrupt,
        OpenError::Store(
            StoreError::Unavailable(_)
            | StoreError::OutcomeUnknown(_)
            | StoreError::Constraint { .. }
            | StoreError::Backend(_),
        ) => ErrorReason::StoreUnavailable,
    }
}
