//! Writers that raise flags over gRPC, each another one, and what they were told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use anyhow::Context as _;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::door::Door;
use crate::flags::{Reply, Requests, Written};

/// Name in the credentials file.
pub(crate) const OFFICER: &str = "enforcement";
pub(crate) const SECRET: &str = "of this benchmark only";

/// Connections to the service, and all that it acknowledged so far.
#[derive(Debug)]
pub(crate) struct Writers {
    desk: Desk,
    doors: Vec<Door>,
    requests: Requests,
    /// Number of the next flag.
    next: Arc<AtomicU32>,
    acknowledged: Vec<Reply>,
}

/// The one thread on which all writers work: they share the processors with what they measure, and threads that wake
/// one another would take more than the calls themselves.
#[derive(Debug)]
struct Desk {
    runtime: Handle,
    /// Dropped, the thread ends.
    _open: oneshot::Sender<()>,
}

impl Desk {
    fn start() -> anyhow::Result<Desk> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (open, closed) = oneshot::channel();
        let desk = Desk {
            runtime: runtime.handle().clone(),
            _open: open,
        };
        let work = move || {
            // Either way it is over.
            let _ = runtime.block_on(closed);
        };
        std::thread::Builder::new()
            .name("writers".to_owned())
            .spawn(work)
            .context("the writers' thread")?;
        Ok(desk)
    }
}

/// Writers at work.
#[derive(Debug)]
pub(crate) struct Running {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    tasks: JoinSet<anyhow::Result<Vec<Reply>>>,
}

impl Running {
    /// Flags acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl Writers {
    pub(crate) async fn connect(at: SocketAddr, connections: usize) -> anyhow::Result<Writers> {
        let desk = Desk::start()?;
        let opening = desk.runtime.spawn(async move {
            let mut doors = Vec::with_capacity(connections);
            for _ in 0..connections {
                doors.push(Door::open(at, SECRET).await?);
            }
            anyhow::Ok(doors)
        });
        Ok(Writers {
            doors: opening.await??,
            desk,
            requests: Requests::new(),
            next: Arc::default(),
            acknowledged: Vec::new(),
        })
    }

    /// Starts so many writers, spread over the connections.
    pub(crate) fn start(&self, writers: usize) -> Running {
        let mut running = Running {
            stop: Arc::default(),
            count: Arc::default(),
            tasks: JoinSet::new(),
        };
        for door in self.doors.iter().cycle().take(writers) {
            let mut door = door.clone();
            let (requests, next) = (self.requests.clone(), self.next.clone());
            let (stop, count) = (running.stop.clone(), running.count.clone());
            let writer = async move {
                let mut acknowledged = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let request = requests.raise(next.fetch_add(1, Ordering::Relaxed))?;
                    acknowledged.push(door.raise(&request).await?);
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok(acknowledged)
            };
            running.tasks.spawn_on(writer, &self.desk.runtime);
        }
        running
    }

    /// Lets the flags on the way be acknowledged. A refused or failed one is an error.
    pub(crate) async fn finish(&mut self, running: Running) -> anyhow::Result<()> {
        running.stop.store(true, Ordering::Relaxed);
        for acknowledged in running.tasks.join_all().await {
            self.acknowledged.extend(acknowledged?);
        }
        Ok(())
    }

    /// All that was acknowledged, read in full.
    pub(crate) fn into_acknowledged(self) -> anyhow::Result<Vec<Written>> {
        self.acknowledged.into_iter().map(Written::try_from).collect()
    }
}
