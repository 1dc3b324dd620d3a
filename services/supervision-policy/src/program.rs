//! What the binary does.

use std::sync::Arc;

use anyhow::Context as _;
use greenstar_kernel::{Clock, Said as _};
use greenstar_rpc::program::{Callers, Ended};
use greenstar_rpc::{stop_on_signal, stored};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::{COMPARE_EVERY, Deps, MIGRATIONS, StartError, Supervision, serve};

/// Serves on the clock that it is given until a signal says stop, or prepares its database.
pub async fn run(config: Config, clock: Arc<dyn Clock>) -> Result<(), Ended> {
    if let Some(task) = config.task {
        return stored::prepare(task, &config.database_url, &MIGRATIONS).await;
    }
    let callers = Callers::read(Some(&config.credentials))?;
    let client = |uris: &str| callers.client(uris, &config.subscriber);
    let (rating, sanctions) = (client(&config.rating)?, client(&config.sanctions)?);
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let database = stored::open(&config.database_url, &MIGRATIONS).await?;
    let deps = Deps {
        database,
        clock,
        rating,
        sanctions,
        record: config.record(),
        snapshot: config.snapshot.clone(),
        compare_every: COMPARE_EVERY,
        subscriber: config.replica.clone(),
        advertise: config.advertise.clone(),
    };
    let supervision = Supervision::start(deps).await.map_err(unstarted)?;
    let stop = stop_on_signal();
    println!("ready http://{}", listener.local_addr()?);
    serve(supervision, Arc::new(callers.credentials), listener, stop)
        .await
        .context("serving")?;
    Ok(())
}

fn unstarted(error: StartError) -> anyhow::Error {
    let text = error.said().en;
    anyhow::Error::new(error).context(text)
}
