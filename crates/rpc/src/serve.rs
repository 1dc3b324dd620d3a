//! Accepting connections until told to stop, from a socket or in memory.

use std::io;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{Stream, StreamExt as _};
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;

use crate::cores::{self, Place};
use crate::door::Door;

/// What open calls are given to end after a stop; streams that did not end by then are cut.
const GRACE: Duration = Duration::from_secs(5);
/// What a client is given to send the head of a request over HTTP/1.1.
const HEAD: Duration = Duration::from_secs(10);
/// How often a silent HTTP/2 connection is probed, and how long for an answer.
const PROBE: Duration = Duration::from_secs(30);
const PROBE_ANSWER: Duration = Duration::from_secs(10);
/// Connections at once; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 4096;

impl Door {
    /// Serves `listener` until `stop`, then lets open calls end for at most five seconds.
    ///
    /// Errors: none today; a failed accept is logged and tried again.
    #[inline(never)]
    pub fn serve(self, listener: TcpListener, stop: CancellationToken) -> BoxFuture<'static, io::Result<()>> {
        Box::pin(async move {
            // Whoever made a runtime of one thread wants one thread.
            let many = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
            let spread = many && self.is_quick_at_all();
            self.accept(sockets(listener, spread).boxed(), stop).await;
            Ok(())
        })
    }

    /// Serves connections of any kind, each on its place if it has one.
    pub(crate) async fn accept<C>(
        self,
        mut connections: impl Stream<Item = (C, Option<Place>)> + Unpin,
        stop: CancellationToken,
    ) where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let server = server();
        let graceful = GracefulShutdown::new();
        let own = Handle::current();
        let mut open = JoinSet::new();
        loop {
            let room = open.len() < CONNECTIONS;
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = open.join_next() => {}
                next = connections.next(), if room => {
                    let Some((connection, place)) = next else { break };
                    let door = self.clone();
                    let elsewhere = place.as_ref().map(|_| own.clone());
                    let answer = service_fn(move |request: Request<Incoming>| {
                        let answer = door.answer_from(elsewhere.as_ref(), request.map(Body::new));
                        async move { Ok::<_, std::convert::Infallible>(answer.await) }
                    });
                    let runtime = place.as_ref().map_or_else(|| own.clone(), |place| place.runtime().clone());
                    let served = server.serve_connection(TokioIo::new(connection), answer).into_owned();
                    let watched = graceful.watch(served);
                    let task = async move {
                        let _place = place;
                        if let Err(error) = watched.await {
                            tracing::debug!(%error, "connection ended");
                        }
                    };
                    open.spawn_on(task, &runtime);
                }
            }
        }
        if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
            tracing::info!(
                connections = open.len(),
                "cut connections that did not end in time"
            );
        }
        open.shutdown().await;
    }
}

fn server() -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PROBE)
        .keep_alive_timeout(PROBE_ANSWER)
        .max_concurrent_streams(1024)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    server
}

fn sockets(listener: TcpListener, spread: bool) -> impl Stream<Item = (TcpStream, Option<Place>)> {
    futures::stream::unfold(listener, move |listener| async move {
        loop {
            match listener
                .accept()
                .await
                .and_then(|(socket, _)| placed(socket, spread))
            {
                Ok(placed) => return Some((placed, listener)),
                // Out of descriptors, or a client that left at once: neither may stop the server.
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    })
}

/// The socket, on a core if it is to be `spread`.
fn placed(socket: TcpStream, spread: bool) -> io::Result<(TcpStream, Option<Place>)> {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "a socket stays with Nagle's algorithm");
    }
    let Some(place) = spread.then(cores::place).flatten() else {
        return Ok((socket, None));
    };
    let socket = socket.into_std()?;
    // Whoever makes it is told when there is something to read.
    let _there = place.runtime().enter();
    Ok((TcpStream::from_std(socket)?, Some(place)))
}

/// A token that is cancelled when the process is told to stop: SIGTERM or Ctrl-C. It listens from the call on, so
/// make it before anybody is told that the process serves. Within a runtime.
pub fn stop_on_signal() -> CancellationToken {
    let stop = CancellationToken::new();
    let cancel = stop.clone();
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    tokio::spawn(async move {
        let interrupt = tokio::signal::ctrl_c();
        match terminate {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = interrupt => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be heard; Ctrl-C still stops");
                let _ = interrupt.await;
            }
        }
        cancel.cancel();
    });
    stop
}
