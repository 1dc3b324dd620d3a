//! A private PostgreSQL.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::sync::OnceCell;

use crate::daemon::{self, Daemon, Stop};

static SHARED: OnceCell<Server> = OnceCell::const_new();

/// URL of a fresh, empty database on the server that all tests of this process share.
pub async fn database() -> String {
    SHARED.get_or_init(Server::start).await.database().await
}

/// A server of one's own, for tests that crash it. It writes through to the disk, as in production.
#[derive(Debug)]
pub struct Server {
    port: u16,
    daemon: Daemon,
    made: AtomicU32,
}

impl Server {
    /// Makes a cluster and starts it on a free port of the loopback interface.
    pub async fn start() -> Server {
        tokio::task::spawn_blocking(Server::start_blocking)
            .await
            .expect("PostgreSQL starts")
    }

    fn start_blocking() -> Server {
        let initdb = daemon::find("initdb", "postgresql");
        let postgres = daemon::find("postgres", "postgresql");
        let mut last = String::new();
        // Another process may be quicker to take the port.
        for _ in 0..5 {
            let dir = daemon::folder("greenstar-postgres-");
            make_cluster(&initdb, &dir);
            let port = daemon::free_port();
            let server = [
                postgres.display().to_string(),
                "-D".to_owned(),
                dir.join("data").display().to_string(),
                format!("-p{port}"),
                "-clisten_addresses=127.0.0.1".to_owned(),
                format!("-cunix_socket_directories={}", dir.display()),
                "-cmax_connections=200".to_owned(),
                "-cshared_buffers=32MB".to_owned(),
            ];
            match Daemon::start(&dir, &server, Stop::Quit, "ready to accept connections") {
                Ok(daemon) => {
                    return Server {
                        port,
                        daemon,
                        made: AtomicU32::new(0),
                    };
                }
                Err(said) => last = said,
            }
        }
        panic!("PostgreSQL does not start: {last}");
    }

    /// URL of a fresh, empty database.
    pub async fn database(&self) -> String {
        // The same order of texts as SQLite's.
        let name = format!("test_{}", self.made.fetch_add(1, Ordering::Relaxed));
        let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'");
        let options: PgConnectOptions = self.url("postgres").parse().expect("our own URL");
        let mut connection = options
            .connect()
            .await
            .expect("connect to the private PostgreSQL");
        sqlx::raw_sql(AssertSqlSafe(create))
            .execute(&mut connection)
            .await
            .expect("create a database");
        connection.close().await.expect("close the connection");
        self.url(&name)
    }

    /// Where the server listens, e.g. for a [`crate::Proxy`].
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Crashes the server and starts it again; returns when it has recovered.
    pub fn crash_and_restart(&self) {
        self.daemon.restart().expect("PostgreSQL starts again");
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

fn make_cluster(initdb: &Path, dir: &Path) {
    let output = daemon::unprivileged(&initdb.display().to_string())
        .args([
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
            "-D",
        ])
        .arg(dir.join("data"))
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .expect("run initdb");
    assert!(
        output.status.success(),
        "initdb: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
