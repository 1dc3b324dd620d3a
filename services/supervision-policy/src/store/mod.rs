//! What the service keeps in its database: policies by version and in the making, the decisions shipped from the replicas, and
//! what departments did with them.

pub(crate) mod decision;
pub(crate) mod draft;
pub(crate) mod feedback;
pub(crate) mod lifecycle;
pub(crate) mod policy;
pub(crate) mod receipt;
pub(crate) mod recorded;
pub(crate) mod replica;
pub(crate) mod retold;
pub(crate) mod shadow;
pub(crate) mod treatment;

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
        (
            5,
            "lifecycle",
            include_str!("../../migrations/0005_lifecycle.sql"),
        ),
        (6, "shadow", include_str!("../../migrations/0006_shadow.sql")),
        (7, "chain", include_str!("../../migrations/0007_chain.sql")),
        (8, "receipt", include_str!("../../migrations/0008_receipt.sql")),
        (
            9,
            "treatment",
            include_str!("../../migrations/0009_treatment.sql"),
        ),
    ],
};
