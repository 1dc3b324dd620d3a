//! Settings; flags win over environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use greenstar_rpc::stored::Task;
use greenstar_store::Location;

/// Flags on enterprises, and the catalogue of what the law allows. Serves gRPC, gRPC-Web and REST on one port.
#[derive(Debug, clap::Parser)]
#[command(name = "greenstar-sanctions", version)]
pub struct Config {
    /// Database: `sqlite:PATH` or `postgres://user:password@host:port/database`.
    #[arg(
        long,
        env = "SANCTIONS_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub database_url: Location,
    /// Address. Port 0 lets the system choose.
    #[arg(
        long,
        env = "SANCTIONS_LISTEN",
        default_value = "127.0.0.1:7002",
        value_name = "ADDR"
    )]
    pub listen: SocketAddr,
    /// JSON file of names and secrets. Left out: nobody is known, and only public data is served.
    #[arg(long, env = "SANCTIONS_CREDENTIALS", value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// `redis://HOST:PORT` by which replicas tell one another of what they wrote. Left out: they find out by looking.
    #[arg(long, env = "SANCTIONS_REDIS", hide_env_values = true, value_name = "URL")]
    pub redis: Option<String>,
    /// Name of this replica, e.g. `sanctions/1`; each has its own.
    #[arg(
        long,
        env = "SANCTIONS_REPLICA",
        default_value = "sanctions",
        value_name = "NAME"
    )]
    pub replica: String,
    /// Where the other replicas reach this one, e.g. `http://sanctions-1:7002`. Left out: there is only one.
    #[arg(long, env = "SANCTIONS_ADVERTISE", value_name = "URL")]
    pub advertise: Option<String>,
    /// Replicas of the rating service, separated by commas, to say how far what follows from a write has come. Left
    /// out: that is not known.
    #[arg(long, env = "SANCTIONS_RATING", value_name = "URLS")]
    pub rating: Option<String>,
    /// Name in the credentials file by which this service calls others and its own replicas.
    #[arg(
        long,
        env = "SANCTIONS_SUBSCRIBER",
        default_value = "sanctions/subscriber",
        value_name = "NAME"
    )]
    pub subscriber: String,
    #[command(subcommand)]
    pub task: Option<Task>,
}
