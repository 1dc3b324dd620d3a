//! The rating service's tables. One SQL text for both engines.

mod followed;
mod journal;
mod lists;
mod rows;
mod schemes;

use greenstar_store::Migrations;

pub(crate) use followed::cursor;
pub(crate) use journal::{FACT, RatingJournal, RequestId, Submission};
pub(crate) use lists::{Directory, Lists, due, enterprises, next_due, registered, rounds};
pub(crate) use rows::{firm, firms, round};
pub(crate) use schemes::{Schemes, activations};

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
        (
            13,
            "scheme_activation",
            include_str!("../../migrations/0013_scheme_activation.sql"),
        ),
    ],
};
