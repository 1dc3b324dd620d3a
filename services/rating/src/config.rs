//! Settings; flags win over the environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use greenstar_kernel::Date;
use greenstar_store::Location;

/// The rating service of GreenStar.
#[derive(Debug, clap::Parser)]
#[command(name = "greenstar-rating", version)]
pub struct Config {
    /// What to do; without it, serve.
    #[command(subcommand)]
    pub action: Option<Action>,
    /// Address for gRPC, gRPC-Web and REST. Port 0 lets the system choose.
    #[arg(long, env = "RATING_LISTEN", default_value = "127.0.0.1:7001", global = true)]
    pub listen: SocketAddr,
    /// `sqlite:PATH` or `postgres://…`.
    #[arg(
        long,
        env = "RATING_DATABASE_URL",
        hide_env_values = true,
        default_value = "sqlite:rating.db",
        global = true
    )]
    pub database: Location,
    /// JSON file of credentials, name → secret. Without it nobody but the public is known.
    #[arg(long, env = "RATING_CREDENTIALS", global = true)]
    pub credentials: Option<PathBuf>,
    /// Load the sample round at the first start.
    #[arg(long, env = "RATING_SAMPLE", global = true)]
    pub sample: bool,
    /// The day that the sample takes for its first start, `YYYY-MM-DD`; today if it is left out.
    #[arg(long, env = "RATING_SAMPLE_DATE", global = true)]
    pub sample_date: Option<Date>,
}

/// What to do.
#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub enum Action {
    /// Bring the database up to date, then end. A SQLite database is brought up to date by serving, too.
    Migrate,
}
