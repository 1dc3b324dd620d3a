//! What the service keeps in its database: policies by version, the decisions shipped from the replicas, and
//! what departments did with them.

pub(crate) mod decision;
pub(crate) mod feedback;
pub(crate) mod policy;
pub(crate) mod retold;

use greenstar_store::Migrations;

/// The schema, for `migrate` and for opening.
pub static MIGRATIONS: Migrations = Migrations {
    files: &[
        (1, "policy", include_str!("../../migrations/0001_policy.sql")),
        (2, "decision", include_str!("../../migrations/0002_decision.sql")),
        (3, "feedback", include_str!("../../migrations/0003_feedback.sql")),
        (
            4,
            "retention",
            include_str!("../../migrations/0004_retention.sql"),
        ),
        (7, "chain", include_str!("../../migrations/0007_chain.sql")),
    ],
};
