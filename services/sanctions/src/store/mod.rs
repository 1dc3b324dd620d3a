//! SQL text and rows. One text serves SQLite and PostgreSQL.

mod catalogue;
mod flag;
mod journal;
mod read;
mod source;

use greenstar_store::Migrations;

pub(crate) use catalogue::Shelf;
pub(crate) use journal::{Answer, Command, SanctionsJournal};
pub(crate) use read::{Query, Reader};
pub(crate) use source::{FeedSource, Row};

/// Kinds of entries in the change log. Each carries the whole fact after the change.
pub(crate) mod entry {
    /// A [`crate::domain::flag::Flag`] that was raised; nobody else's business yet.
    pub(crate) const PROPOSED: &str = "flag.proposed";
    /// A proposal that was taken back.
    pub(crate) const WITHDRAWN: &str = "flag.withdrawn";
    /// A flag that binds from this revision on.
    pub(crate) const CONFIRMED: &str = "flag.confirmed";
    /// A flag that no longer binds.
    pub(crate) const LIFTED: &str = "flag.lifted";
    /// An edition of the catalogue, as a [`crate::domain::catalogue::InForce`].
    pub(crate) const CATALOGUE: &str = "catalogue";
}

/// Of the service's own tables.
pub static MIGRATIONS: Migrations = Migrations {
    files: &[
        (
            1,
            "catalogue",
            include_str!("../../migrations/0001_catalogue.sql"),
        ),
        (2, "flag", include_str!("../../migrations/0002_flag.sql")),
    ],
};
