//! SQL text and rows. One text serves SQLite and PostgreSQL.

mod catalogue;
mod flag;
mod journal;
mod read;
mod remedy;
mod source;

use greenstar_store::Migrations;

pub(crate) use catalogue::Shelf;
pub(crate) use flag::{due, next_due, today};
pub(crate) use journal::{Answer, Command, SanctionsJournal};
pub(crate) use read::{Query, Reader};
pub(crate) use remedy::{CaseQuery, Cases, Kept, appeal_stage, repair_stage};
pub(crate) use source::{FeedSource, Row};

/// Kinds of entries in the change log. Each carries the whole fact after the change.
pub(crate) mod entry {
    use crate::domain::flag::Flag;
    use crate::domain::stage::Stage;

    /// A [`crate::domain::flag::Flag`] that was raised; nobody else's business yet.
    pub(crate) const PROPOSED: &str = "flag.proposed";
    /// A proposal that was taken back.
    pub(crate) const WITHDRAWN: &str = "flag.withdrawn";
    /// A flag that binds from this revision on.
    pub(crate) const CONFIRMED: &str = "flag.confirmed";
    /// A flag that an officer took back.
    pub(crate) const LIFTED: &str = "flag.lifted";
    /// A flag whose term has ended; it says so at that instant itself, too.
    pub(crate) const LAPSED: &str = "flag.lapsed";
    /// A flag whose document was repaired.
    pub(crate) const REPAIRED: &str = "flag.repaired";
    /// A flag that never should have been.
    pub(crate) const REVOKED: &str = "flag.revoked";
    /// A flag that binds nobody until an appeal is decided.
    pub(crate) const SUSPENDED: &str = "flag.suspended";
    /// A flag that an appeal left in force, perhaps milder.
    pub(crate) const REVIEWED: &str = "flag.reviewed";
    /// The kinds whose entries others than the flag's department see.
    pub(crate) const KNOWN: [&str; 7] = [CONFIRMED, LIFTED, LAPSED, REPAIRED, REVOKED, SUSPENDED, REVIEWED];
    /// An edition of the catalogue, as a [`crate::domain::catalogue::InForce`]; it may be one to come.
    pub(crate) const CATALOGUE: &str = "catalogue";

    /// A [`crate::domain::repair::Repair`]; between the firm and its body.
    pub(crate) const REPAIR: &str = "repair";
    /// A [`crate::domain::appeal::Appeal`]; between the firm and its body.
    pub(crate) const APPEAL: &str = "appeal";

    /// Of the entry that says how `flag` stands now.
    pub(crate) fn of(flag: &Flag) -> &'static str {
        match &flag.stage {
            Stage::Proposed => PROPOSED,
            Stage::Withdrawn { .. } => WITHDRAWN,
            Stage::InForce { review: None, .. } => CONFIRMED,
            Stage::InForce { review: Some(_), .. } => REVIEWED,
            Stage::Suspended { .. } => SUSPENDED,
            Stage::Lapsed { .. } => LAPSED,
            Stage::Lifted { .. } => LIFTED,
            Stage::Repaired { .. } => REPAIRED,
            Stage::Revoked { .. } => REVOKED,
        }
    }
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
        (
            3,
            "flag states",
            include_str!("../../migrations/0003_flag_states.sql"),
        ),
        (4, "repair", include_str!("../../migrations/0004_repair.sql")),
        (5, "appeal", include_str!("../../migrations/0005_appeal.sql")),
        (
            6,
            "flag_indexes",
            include_str!("../../migrations/0006_flag_indexes.sql"),
        ),
    ],
};
