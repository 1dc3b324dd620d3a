//! `greenstar-gateway`: the suite's door, in front of services that run by themselves.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use greenstar_gateway::{Gateway, Upstream};
use greenstar_rpc::Limits;
use tokio::net::TcpListener;

/// One port for all services of GreenStar.
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    /// Address of the door. Port 0 lets the system choose.
    #[arg(long, env = "GATEWAY_LISTEN", default_value = "127.0.0.1:7000")]
    listen: SocketAddr,
    /// Where the rating service listens.
    #[arg(long, env = "GATEWAY_RATING", default_value = "http://127.0.0.1:7001")]
    rating: String,
    /// Where the sanctions service listens.
    #[arg(long, env = "GATEWAY_SANCTIONS", default_value = "http://127.0.0.1:7002")]
    sanctions: String,
    /// Where the supervision-policy service listens.
    #[arg(long, env = "GATEWAY_SUPERVISION", default_value = "http://127.0.0.1:7003")]
    supervision: String,
}

/// Bad settings: one line, exit 64 (`EX_USAGE`).
const USAGE: u8 = 64;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = match Settings::try_parse() {
        Ok(settings) => settings,
        Err(error) => {
            let asked = !error.use_stderr();
            // Nothing is left to do if the terminal is gone.
            let _ = error.print();
            return if asked {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(USAGE)
            };
        }
    };
    match run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("greenstar-gateway: {error:#}");
            ExitCode::from(USAGE)
        }
    }
}

async fn run(settings: Settings) -> anyhow::Result<()> {
    greenstar_telemetry::init(greenstar_telemetry::Format::Text)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let gateway = Gateway::new(
        vec![
            Upstream::remote("rating", "greenstar.rating.v1", &settings.rating)?,
            Upstream::remote("sanctions", "greenstar.sanctions.v1", &settings.sanctions)?,
            Upstream::remote(
                "supervision-policy",
                "greenstar.supervision.v1",
                &settings.supervision,
            )?,
        ],
        Limits::default(),
    );
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    let stop = greenstar_rpc::stop_on_signal();
    println!("ready http://{}", listener.local_addr()?);
    gateway.serve(listener, stop).await.context("cannot serve")
}
