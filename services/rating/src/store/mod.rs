//! The rating service's tables. One SQL text for both engines.

mod assistance;
mod course;
mod followed;
mod history;
mod journal;
mod lists;
mod notices;
mod quality;
mod rows;
mod schemes;
mod snapshots;

use greenstar_store::Migrations;

pub(crate) use assistance::{assistance, cohorts, cohorts_after, rules};
pub(crate) use course::{
    Shown, Wanted, cohort, enrolled, objection, open_rounds, page_of_comments, page_of_objections, steps,
};
pub(crate) use followed::cursor;
pub(crate) use history::{Version, awards, firms_at, one_version, rounds_at, versions};
pub(crate) use journal::{FACT, RatingJournal, RequestId, Submission};
pub(crate) use lists::{Directory, Lists, due, enterprises, next_due, registered, rounds};
pub(crate) use notices::notices;
pub(crate) use quality::{Claims, Month, accuracy, sources};
pub(crate) use rows::{firm, firms, round};
pub(crate) use schemes::{Schemes, activations};
pub(crate) use snapshots::{codes_after, entries, snapshot_page, snapshots};

/// Numbered files, fixed forward.
pub static MIGRATIONS: Migrations = Migrations {
    files: &[
        (1, "scheme", include_str!("../../migrations/0001_scheme.sql")),
        (
            2,
            "enterprise",
            include_str!("../../migrations/0002_enterprise.sql"),
        ),
        (3, "event", include_str!("../../migrations/0003_event.sql")),
        (4, "rating", include_str!("../../migrations/0004_rating.sql")),
        (5, "round", include_str!("../../migrations/0005_round.sql")),
        (6, "flagged", include_str!("../../migrations/0006_flagged.sql")),
        (10, "history", include_str!("../../migrations/0010_history.sql")),
        (11, "snapshot", include_str!("../../migrations/0011_snapshot.sql")),
        (12, "quality", include_str!("../../migrations/0012_quality.sql")),
        (7, "course", include_str!("../../migrations/0007_course.sql")),
        (
            8,
            "objection",
            include_str!("../../migrations/0008_objection.sql"),
        ),
        (
            13,
            "scheme_activation",
            include_str!("../../migrations/0013_scheme_activation.sql"),
        ),
        (
            14,
            "assistance",
            include_str!("../../migrations/0014_assistance.sql"),
        ),
    ],
};
