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
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;

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
            self.accept(sockets(listener).boxed(), stop).await;
            Ok(())
        })
    }

    /// Serves connections of any kind.
    pub(crate) async fn accept<C>(
        self,
        mut connections: impl Stream<Item = C> + Unpin,
        stop: CancellationToken,
    ) where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let server = server();
        let graceful = GracefulShutdown::new();
        let mut open = JoinSet::new();
        loop {
            let room = open.len() < CONNECTIONS;
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = open.join_next() => {}
                next = connections.next(), if room => {
                    let Some(connection) = next else { break };
                    let door = self.clone();
                    let answer = service_fn(move |request: Request<Incoming>| {
                        let door = door.clone();
                        async move { Ok::<_, std::convert::Infallible>(door.answer(request.map(Body::new)).await) }
                    });
                    let served = server.serve_connection(TokioIo::new(connection), answer).into_owned();
                    let watched = graceful.watch(served);
                    open.spawn(async move {
                        if let Err(error) = watched.await {
                            tracing::debug!(%error, "connection ended");
                        }
                    });
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

fn sockets(listener: TcpListener) -> impl Stream<Item = TcpStream> {
    futures::stream::unfold(listener, |listener| async move {
        loop {
            match listener.accept().await {
                Ok((socket, _)) => {
                    if let Err(error) = socket.set_nodelay(true) {
                        tracing::debug!(%error, "a socket stays with Nagle's algorithm");
                    }
                    return Some((socket, listener));
                }
                // Out of descriptors, or a client that left at once: neither may stop the server.
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    })
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
