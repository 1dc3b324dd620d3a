//! Settings; flags win over environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::error::{ContextKind, ErrorKind};
use greenstar_store::{Location, MalformedLocation};

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
    #[command(subcommand)]
    pub task: Option<Task>,
}

/// What to do instead of serving.
#[derive(Debug, clap::Subcommand)]
pub enum Task {
    /// Brings the database up to date, and ends.
    Migrate,
}

/// What clap found, without its usage and without a password that stood in a database's URL.
pub fn one_line(error: &clap::Error) -> String {
    let setting = error
        .get(ContextKind::InvalidArg)
        .map(ToString::to_string)
        .unwrap_or_default();
    if error.kind() == ErrorKind::ValueValidation && setting.starts_with("--database-url") {
        return format!("error: {setting}: {MalformedLocation}");
    }
    let text = error.to_string();
    let said = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage"));
    said.collect::<Vec<_>>().join(" ").trim().to_owned()
}
