//! A private Redis, without persistence.

use crate::daemon::{self, Daemon, Stop};

/// A server of one's own; dropping it stops it.
#[derive(Debug)]
pub struct Server {
    port: u16,
    daemon: Daemon,
}

impl Server {
    /// Starts on a free port of the loopback interface.
    pub async fn start() -> Server {
        tokio::task::spawn_blocking(Server::start_blocking)
            .await
            .expect("Redis starts")
    }

    fn start_blocking() -> Server {
        let redis = daemon::find("redis-server", "redis-server");
        let mut last = String::new();
        for _ in 0..5 {
            let dir = daemon::folder("greenstar-redis-");
            let port = daemon::free_port();
            let server = [
                &redis.display().to_string(),
                "--bind",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--save",
                "",
            ]
            .map(str::to_owned);
            match Daemon::start(&dir, &server, Stop::Kill, "Ready to accept connections") {
                Ok(daemon) => return Server { port, daemon },
                Err(said) => last = said,
            }
        }
        panic!("Redis does not start: {last}");
    }

    /// `redis://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Loses everything it holds and listens no more, until [`Server::start_again`].
    pub fn stop(&self) {
        self.daemon.stop().expect("Redis stops");
    }

    /// Starts a stopped server again, empty.
    pub fn start_again(&self) {
        self.daemon.start_again().expect("Redis starts again");
    }

    /// Loses everything it holds and starts again.
    pub fn crash_and_restart(&self) {
        self.daemon.restart().expect("Redis starts again");
    }
}
