//! What the binary does.

use std::sync::Arc;

use anyhow::Context as _;
use greenstar_kernel::{Clock, Log};
use greenstar_rpc::program::{Callers, Ended};
use greenstar_rpc::{stop_on_signal, stored};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::{MIGRATIONS, Rating, serve};

/// Serves on the clock that it is given until a signal says stop, or prepares its database.
///
/// # Errors
/// Settings that cannot be used, or what failed.
pub async fn run(config: Config, clock: Arc<dyn Clock>) -> Result<(), Ended> {
    if let Some(task) = config.action {
        return stored::prepare(task, &config.database, &MIGRATIONS).await;
    }
    let callers = Callers::read(config.credentials.as_deref())?;
    let database = stored::open(&config.database, &MIGRATIONS).await?;
    let replica = callers.replica(
        Log::Rating,
        &config.replica,
        config.advertise.as_deref(),
        config.redis.as_deref(),
        &config.subscriber,
    )?;
    let rating = Rating::start_as(database, clock, replica).await?;
    if config.sample {
        rating.load_sample(config.sample_date).await?;
    }
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    if let Some(sanctions) = &config.sanctions {
        let client = callers.client(sanctions, &config.subscriber)?;
        rating.follow(client, config.replica.clone());
    }
    let stop = stop_on_signal();
    // Last of all: who reads this line may call, and may end the process.
    println!("ready http://{}", listener.local_addr()?);
    serve(rating, Arc::new(callers.credentials), listener, stop)
        .await
        .context("serving")?;
    Ok(())
}
