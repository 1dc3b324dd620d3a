//! A TCP proxy that breaks connections on cue.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// When a connection is cut that carries the awaited bytes to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The server never sees them.
    Before,
    /// The server has answered; the client never sees the answer.
    AfterTheAnswer,
    /// Neither side hears anything any more, and neither is told: a half-open connection.
    Silently,
}

/// A direction through a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

/// Forwards TCP connections to a server until told otherwise.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Shared {
    connections: Mutex<(u64, HashMap<u64, Connection>)>,
    trap: Mutex<Option<(Vec<u8>, Cut)>>,
    delay: Mutex<Duration>,
    /// Nothing passes in this direction.
    muted: watch::Sender<Option<Way>>,
    sprung: watch::Sender<u64>,
}

#[derive(Clone, Debug)]
struct Connection {
    cut: CancellationToken,
    /// True: bytes are swallowed no matter from whom.
    silent: watch::Sender<bool>,
}

impl Proxy {
    /// Listens on a free port of the loopback interface.
    pub async fn start(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port of the loopback interface");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared::default());
        let stop = CancellationToken::new();
        tokio::spawn(
            stop.clone()
                .run_until_cancelled_owned(accept(listener, server, shared.clone())),
        );
        Proxy {
            address,
            shared,
            stop,
        }
    }

    /// A proxy before a PostgreSQL; `url` with the proxy's address instead.
    pub async fn before(url: &str) -> (Proxy, String) {
        let (before, rest) = url.split_once("127.0.0.1:").expect("a URL of the testkit");
        let (port, after) = rest.split_once('/').unwrap_or((rest, ""));
        let server = SocketAddr::from(([127, 0, 0, 1], port.parse().expect("a port")));
        let proxy = Proxy::start(server).await;
        let url = format!("{before}{}/{after}", proxy.address);
        (proxy, url)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts every connection; new ones are served.
    pub fn cut(&self) {
        lock(&self.shared.connections)
            .1
            .values()
            .for_each(|connection| connection.cut.cancel());
    }

    /// Makes every connection half open; new ones are served.
    pub fn silence(&self) {
        lock(&self.shared.connections).1.values().for_each(|connection| {
            connection.silent.send_replace(true);
        });
    }

    /// Holds back every piece of data for so long, from now on.
    pub fn delay(&self, by: Duration) {
        *lock(&self.shared.delay) = by;
    }

    /// Lets nothing through in one direction, on old and new connections, until it is called with `None`; what was
    /// held back then passes.
    pub fn mute(&self, way: Option<Way>) {
        self.shared.muted.send_replace(way);
    }

    /// The next connection on which a client sends `bytes` is cut; once.
    pub fn trap(&self, bytes: &[u8], cut: Cut) {
        *lock(&self.shared.trap) = Some((bytes.to_vec(), cut));
    }

    /// Counts the traps that were sprung.
    pub fn sprung(&self) -> watch::Receiver<u64> {
        self.shared.sprung.subscribe()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
        self.cut();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, server: SocketAddr, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            let connection = Connection {
                cut: CancellationToken::new(),
                silent: watch::Sender::new(false),
            };
            let id = {
                let mut connections = lock(&shared.connections);
                connections.0 += 1;
                let id = connections.0;
                connections.1.insert(id, connection.clone());
                id
            };
            let cut = connection.cut.clone();
            let _ = cut
                .run_until_cancelled(serve(client, server, &shared, &connection))
                .await;
            lock(&shared.connections).1.remove(&id);
        });
    }
}

async fn serve(
    client: TcpStream,
    server: SocketAddr,
    shared: &Shared,
    connection: &Connection,
) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let lost = watch::Sender::new(false);
    tokio::try_join!(
        requests(from_client, to_server, shared, connection, &lost),
        answers(from_server, to_client, shared, connection, &lost),
    )?;
    Ok(())
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    connection: &Connection,
    lost: &watch::Sender<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        let bytes = &buffer[..count];
        if count == 0 {
            // Both ways, as a server's process sees its client go.
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        match sprung(shared, bytes) {
            Some(Cut::Before) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(Cut::AfterTheAnswer) => {
                lost.send_replace(true);
            }
            Some(Cut::Silently) => {
                connection.silent.send_replace(true);
            }
            None => {}
        }
        hold(shared, connection, Way::ToServer).await;
        to.write_all(bytes).await?;
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    connection: &Connection,
    lost: &watch::Sender<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 || *lost.borrow() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        hold(shared, connection, Way::ToClient).await;
        to.write_all(&buffer[..count]).await?;
    }
}

fn sprung(shared: &Shared, bytes: &[u8]) -> Option<Cut> {
    let mut trap = lock(&shared.trap);
    let (awaited, _) = trap.as_ref()?;
    if !bytes.windows(awaited.len()).any(|window| window == awaited) {
        return None;
    }
    shared.sprung.send_modify(|count| *count += 1);
    trap.take().map(|(_, cut)| cut)
}

/// Waits out the delay and the muting; on a silent connection, for ever.
async fn hold(shared: &Shared, connection: &Connection, way: Way) {
    let delay = *lock(&shared.delay);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let mut muted = shared.muted.subscribe();
    // An error is the end of the proxy.
    let _ = muted.wait_for(|muted| *muted != Some(way)).await;
    let mut silent = connection.silent.subscribe();
    if *silent.borrow_and_update() {
        std::future::pending::<()>().await;
    }
}
