//! What the binary does.

use std::sync::Arc;

use anyhow::Context as _;
use greenstar_kernel::{Clock, Log};
use greenstar_rpc::program::{Callers, Ended};
use greenstar_rpc::{stop_on_signal, stored};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::domain::catalogue::{Catalogue, SHIPPED};
use crate::{MIGRATIONS, Sanctions, serve};

/// Serves on the clock that it is given until a signal says stop, or prepares its database.
pub async fn run(config: Config, clock: Arc<dyn Clock>) -> Result<(), Ended> {
    if let Some(task) = config.task {
        return stored::prepare(task, &config.database_url, &MIGRATIONS).await;
    }
    let callers = Callers::read(config.credentials.as_deref())?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let database = stored::open(&config.database_url, &MIGRATIONS).await?;
    let replica = callers.replica(
        Log::Sanctions,
        &config.replica,
        config.advertise.as_deref(),
        config.redis.as_deref(),
        &config.subscriber,
    )?;
    let shipped = Catalogue::from_yaml(SHIPPED)?;
    let sanctions = Sanctions::start_as(database, clock, shipped, replica).await?;
    if let Some(rating) = &config.rating {
        sanctions.know_rating(callers.client(rating, &config.subscriber)?);
    }
    let stop = stop_on_signal();
    // Last of all: who reads this line may call, and may end the process.
    println!("ready http://{}", listener.local_addr()?);
    serve(sanctions, Arc::new(callers.credentials), listener, stop)
        .await
        .context("serving")?;
    Ok(())
}
