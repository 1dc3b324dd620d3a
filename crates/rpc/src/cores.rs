//! One thread with a runtime of its own for each processor. A call that is answered from memory costs less than
//! handing it from thread to thread does, so such calls stay where their connection is (docs/adr/0018). What waits for
//! something else, or takes long, runs on the process's own runtime: a core that is busy keeps its connections waiting.

use std::future::pending;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};

/// They live as long as the process: what was opened on them, e.g. a connection to a database, belongs to their runtime.
static CORES: LazyLock<Vec<Core>> = LazyLock::new(start);

#[derive(Debug)]
struct Core {
    runtime: Handle,
    /// Connections that are served there.
    open: AtomicUsize,
}

/// A connection's place on a core, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(&'static Core);

/// A place on the core with the fewest connections; `None` if there are no cores.
pub(crate) fn place() -> Option<Place> {
    let core = CORES
        .iter()
        .min_by_key(|core| core.open.load(Ordering::Relaxed))?;
    core.open.fetch_add(1, Ordering::Relaxed);
    Some(Place(core))
}

impl Place {
    pub(crate) fn runtime(&self) -> &'static Handle {
        &self.0.runtime
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn start() -> Vec<Core> {
    let count = thread::available_parallelism().map_or(1, usize::from);
    let started: std::io::Result<Vec<Core>> = (0..count).map(start_one).collect();
    started.unwrap_or_else(|error| {
        tracing::warn!(%error, "connections are served without threads of their own");
        Vec::new()
    })
}

fn start_one(number: usize) -> std::io::Result<Core> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let core = Core {
        runtime: runtime.handle().clone(),
        open: AtomicUsize::new(0),
    };
    thread::Builder::new()
        .name(format!("core-{number}"))
        .spawn(move || runtime.block_on(pending::<()>()))?;
    Ok(core)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_spread_evenly_and_leave_their_place() {
        let open = || -> Vec<usize> {
            CORES
                .iter()
                .map(|core| core.open.load(Ordering::Relaxed))
                .collect()
        };
        let places: Vec<Place> = std::iter::repeat_with(place)
            .flatten()
            .take(2 * CORES.len())
            .collect();
        assert_eq!(open(), vec![2; CORES.len()]);
        let there = places.first().map(|place| {
            place
                .runtime()
                .spawn(async { thread::current().name().map(str::to_owned) })
        });
        let name = there.map(|task| futures::executor::block_on(task).unwrap().unwrap());
        assert_eq!(name.as_deref(), Some("core-0"));
        drop(places);
        assert_eq!(open(), vec![0; CORES.len()]);
    }
}
