//! Writers that raise flags over gRPC, each another one, and what they were told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tokio::task::JoinSet;
use tonic::transport::Endpoint;

use crate::flags::{Officer, Requests, Written};

/// Name in the credentials file.
pub(crate) const OFFICER: &str = "enforcement";
pub(crate) const SECRET: &str = "of this benchmark only";

/// Connections to the service, and all that it acknowledged so far.
#[derive(Debug)]
pub(crate) struct Writers {
    connections: Vec<Officer>,
    requests: Requests,
    /// Number of the next flag.
    next: Arc<AtomicU32>,
    acknowledged: Vec<Written>,
}

/// Writers at work.
#[derive(Debug)]
pub(crate) struct Running {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    tasks: JoinSet<anyhow::Result<Vec<Written>>>,
}

impl Running {
    /// Flags acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl Writers {
    pub(crate) async fn connect(at: SocketAddr, connections: usize) -> anyhow::Result<Writers> {
        let endpoint = Endpoint::from_shared(format!("http://{at}"))?.tcp_nodelay(true);
        let mut officers = Vec::with_capacity(connections);
        for _ in 0..connections {
            officers.push(Officer::new(endpoint.connect().await?, SECRET)?);
        }
        Ok(Writers {
            connections: officers,
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
        for officer in self.connections.iter().cycle().take(writers) {
            let mut officer = officer.clone();
            let (requests, next) = (self.requests.clone(), self.next.clone());
            let (stop, count) = (running.stop.clone(), running.count.clone());
            running.tasks.spawn(async move {
                let mut acknowledged = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let request = requests.raise(next.fetch_add(1, Ordering::Relaxed))?;
                    acknowledged.push(officer.raise(&request).await?);
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok(acknowledged)
            });
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

    pub(crate) fn into_acknowledged(self) -> Vec<Written> {
        self.acknowledged
    }
}
