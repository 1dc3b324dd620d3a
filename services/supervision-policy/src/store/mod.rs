//! What the service keeps in its database: policies by version, and the decisions shipped from the replicas.

pub(crate) mod decision;
pub(crate) mod policy;

use greenstar_store::Migrations;

/// The schema, for `migrate` and for opening.
pub static MIGRATIONS: Migrations = Migrations {
    files: &[
        (1, "policy", include_str!("../../migrations/0001_policy.sql")),
        (2, "decision", include_str!("../../migrations/0002_decision.sql")),
    ],
};
