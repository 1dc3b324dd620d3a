//! What the binary does.

use std::sync::Arc;

use anyhow::Context as _;
use greenstar_kernel::Clock;
use greenstar_rpc::program::{Callers, Ended};
use greenstar_rpc::{stop_on_signal, stored};
use tokio::net::TcpListener;

use crate::config::{Config, Task};
use crate::{MIGRATIONS, Sanctions, serve};

/// Serves on the clock that it is given until a signal says stop, or migrates.
pub async fn run(config: Config, clock: Arc<dyn Clock>) -> Result<(), Ended> {
    if let Some(Task::Migrate) = config.task {
        stored::migrate(&config.database_url, &MIGRATIONS)
            .await?
            .close()
            .await;
        return Ok(());
    }
    let callers = Callers::read(config.credentials.as_deref())?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let database = stored::open(&config.database_url, &MIGRATIONS).await?;
    let sanctions = Sanctions::start(database, clock).await?;
    let stop = stop_on_signal();
    // Last of all: who reads this line may call, and may end the process.
    println!("ready http://{}", listener.local_addr()?);
    serve(sanctions, Arc::new(callers.credentials), listener, stop)
        .await
        .context("serving")?;
    Ok(())
}
