//! What the binary does.

use std::net::SocketAddr;

use anyhow::Context as _;
use greenstar_rpc::program::Ended;
use greenstar_rpc::{Limits, Origin};
use tokio::net::TcpListener;

use crate::{Gateway, Upstream};

/// One port for all services of GreenStar.
#[derive(Debug, clap::Parser)]
#[command(version)]
pub struct Settings {
    /// Address of the door. Port 0 lets the system choose.
    #[arg(long, env = "GATEWAY_LISTEN", default_value = "127.0.0.1:7000")]
    listen: SocketAddr,
    /// Where the replicas of the rating service listen, separated by commas.
    #[arg(long, env = "GATEWAY_RATING", default_value = "http://127.0.0.1:7001")]
    rating: String,
    /// Where the replicas of the sanctions service listen, separated by commas.
    #[arg(long, env = "GATEWAY_SANCTIONS", default_value = "http://127.0.0.1:7002")]
    sanctions: String,
    /// Where the replicas of the supervision-policy service listen, separated by commas.
    #[arg(long, env = "GATEWAY_SUPERVISION", default_value = "http://127.0.0.1:7003")]
    supervision: String,
    /// Origin of web pages that may call, e.g. https://console.example.cn; several are separated by commas.
    /// Default: none.
    #[arg(
        long,
        env = "GATEWAY_ALLOW_ORIGIN",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    allow_origin: Vec<Origin>,
}

/// Serves until a signal says stop.
///
/// # Errors
/// Settings that cannot be used, or what failed.
pub async fn run(settings: Settings) -> Result<(), Ended> {
    let upstream = |name, package, uris: &str| {
        Upstream::remote(name, package, uris).map_err(|error| Ended::Settings(error.into()))
    };
    let gateway = Gateway::new(
        vec![
            upstream("rating", "greenstar.rating.v1", &settings.rating)?,
            upstream("sanctions", "greenstar.sanctions.v1", &settings.sanctions)?,
            upstream(
                "supervision-policy",
                "greenstar.supervision.v1",
                &settings.supervision,
            )?,
        ],
        Limits::default(),
    )
    .open_to(&settings.allow_origin);
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    let stop = greenstar_rpc::stop_on_signal();
    println!("ready http://{}", listener.local_addr()?);
    gateway.serve(listener, stop).await.context("cannot serve")?;
    Ok(())
}
