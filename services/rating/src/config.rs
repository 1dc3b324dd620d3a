//! Settings; flags win over the environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use greenstar_kernel::Date;
use greenstar_rpc::stored::Task;
use greenstar_store::Location;

/// The rating service of GreenStar.
#[derive(Debug, clap::Parser)]
#[command(name = "greenstar-rating", version)]
pub struct Config {
    /// What to do; without it, serve.
    #[command(subcommand)]
    pub action: Option<Task>,
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
    /// `redis://HOST:PORT` by which replicas tell one another of what they wrote. Left out: they find out by looking.
    #[arg(
        long,
        env = "RATING_REDIS",
        hide_env_values = true,
        value_name = "URL",
        global = true
    )]
    pub redis: Option<String>,
    /// Name of this replica, e.g. `rating/1`; each has its own.
    #[arg(
        long,
        env = "RATING_REPLICA",
        default_value = "rating",
        value_name = "NAME",
        global = true
    )]
    pub replica: String,
    /// Where the other replicas reach this one, e.g. `http://rating-1:7001`. Left out: there is only one.
    #[arg(long, env = "RATING_ADVERTISE", value_name = "URL", global = true)]
    pub advertise: Option<String>,
    /// Replicas of the sanctions service, separated by commas: what it repairs or annuls is scored again here. Left
    /// out: nothing is followed.
    #[arg(long, env = "RATING_SANCTIONS", value_name = "URLS", global = true)]
    pub sanctions: Option<String>,
    /// Name in the credentials file by which this service calls others and its own replicas.
    #[arg(
        long,
        env = "RATING_SUBSCRIBER",
        default_value = "rating/subscriber",
        value_name = "NAME",
        global = true
    )]
    pub subscriber: String,
    /// Load the sample round at the first start.
    #[arg(long, env = "RATING_SAMPLE", global = true)]
    pub sample: bool,
    /// The day that the sample takes for its first start, `YYYY-MM-DD`; today if it is left out.
    #[arg(long, env = "RATING_SAMPLE_DATE", global = true)]
    pub sample_date: Option<Date>,
}
