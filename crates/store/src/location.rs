//! Where a database lies.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// `sqlite:PATH` or `postgres://user:password@host:port/database`.
#[derive(Clone)]
pub enum Location {
    /// The file; beside it lie its log and its lock.
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a database is given as sqlite:PATH or postgres://user:password@host:port/database")]
pub struct MalformedLocation;

impl FromStr for Location {
    type Err = MalformedLocation;

    fn from_str(raw: &str) -> Result<Self, MalformedLocation> {
        match raw.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Location::Sqlite(PathBuf::from(path))),
            Some(("postgres" | "postgresql", _)) => raw
                .parse()
                .map(|options| Location::Postgres(Box::new(options)))
                .map_err(|_| MalformedLocation),
            _ => Err(MalformedLocation),
        }
    }
}

/// Without the password.
impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Location::Postgres(options) => write!(
                f,
                "postgres://{}:{}/{}",
                options.get_host(),
                options.get_port(),
                options.get_database().unwrap_or_default()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_never_prints_its_password() {
        let location: Location = "postgres://rating:hunter2@db:5433/rating".parse().unwrap();
        assert_eq!(format!("{location:?}"), "postgres://db:5433/rating");
    }

    #[test]
    fn what_is_no_location_is_refused() {
        for raw in ["", "sqlite:", "/var/lib/x.db", "mysql://db/x", "postgres"] {
            assert_eq!(raw.parse::<Location>().err(), Some(MalformedLocation), "{raw}");
        }
    }
}
