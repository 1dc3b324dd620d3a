//! Settings; flags win over environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use greenstar_rpc::stored::Task;
use greenstar_store::Location;

use crate::RecordSettings;

/// Says what an enterprise's standing means for a department's matter. Serves gRPC, gRPC-Web and REST on one
/// port.
#[derive(Debug, clap::Parser)]
#[command(name = "greenstar-supervision-policy", version)]
pub struct Config {
    /// Database: `sqlite:PATH` or `postgres://user:password@host:port/database`.
    #[arg(
        long,
        env = "SUPERVISION_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub database_url: Location,
    /// Address. Port 0 lets the system choose.
    #[arg(
        long,
        env = "SUPERVISION_LISTEN",
        default_value = "127.0.0.1:7003",
        value_name = "ADDR"
    )]
    pub listen: SocketAddr,
    /// JSON file of names and secrets: who may call, and what this replica shows the services it follows.
    #[arg(
        long,
        env = "SUPERVISION_CREDENTIALS",
        default_value = "credentials.json",
        value_name = "FILE"
    )]
    pub credentials: PathBuf,
    /// Name in that file by which this replica calls the other services.
    #[arg(
        long,
        env = "SUPERVISION_SUBSCRIBER",
        default_value = "supervision-policy",
        value_name = "NAME"
    )]
    pub subscriber: String,
    /// Name of this replica, by which the services that it follows know it, e.g. `supervision-policy/1`; each has its
    /// own.
    #[arg(
        long,
        env = "SUPERVISION_REPLICA",
        default_value = "supervision-policy",
        value_name = "NAME"
    )]
    pub replica: String,
    /// Where the other replicas reach this one, e.g. `http://supervision-policy-1:7003`. Left out: there is only one.
    #[arg(long, env = "SUPERVISION_ADVERTISE", value_name = "URL")]
    pub advertise: Option<String>,
    /// Replicas of the rating service, separated by commas.
    #[arg(
        long,
        env = "SUPERVISION_RATING",
        default_value = "http://127.0.0.1:7001",
        value_name = "URLS"
    )]
    pub rating: String,
    /// Replicas of the sanctions service, separated by commas.
    #[arg(
        long,
        env = "SUPERVISION_SANCTIONS",
        default_value = "http://127.0.0.1:7002",
        value_name = "URLS"
    )]
    pub sanctions: String,
    /// Folder of the decision record: this replica's alone, and persistent.
    #[arg(
        long,
        env = "SUPERVISION_RECORD",
        default_value = "decision-record",
        value_name = "DIR"
    )]
    pub record: PathBuf,
    /// Folder of the view's snapshot, for quick starts: this replica's alone; losing it costs time only.
    #[arg(long, env = "SUPERVISION_SNAPSHOT", value_name = "DIR")]
    pub snapshot: Option<PathBuf>,
    /// A segment of the record is closed when it is larger than this many bytes.
    #[arg(
        long,
        env = "SUPERVISION_RECORD_SEGMENT",
        default_value_t = 16 << 20,
        value_parser = clap::value_parser!(u32).range(4096..=1 << 30),
        value_name = "BYTES"
    )]
    pub record_segment: u32,
    /// Of the matters that are only sampled, every n-th decision is recorded.
    #[arg(
        long,
        env = "SUPERVISION_SAMPLE_EVERY",
        default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..),
        value_name = "N"
    )]
    pub sample_every: u32,
    #[command(subcommand)]
    pub task: Option<Task>,
}

impl Config {
    /// How decisions are recorded.
    pub fn record(&self) -> RecordSettings {
        RecordSettings {
            segment_bytes: self.record_segment,
            sample_every: self.sample_every,
            ..RecordSettings::in_folder(&self.record)
        }
    }
}
