//! Several replicas of a service behind one client. Calls go round those that are connected and say that they
//! serve, so that a replica that is killed, restarted or still catching up costs its own open calls and no others
//! (pitfalls.md 34).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Code;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::{Service, ServiceExt as _};

/// How often a replica is asked whether it serves, and the time it has to say so.
const ASK: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(2));
/// First and longest pause before the next try to connect.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How long a call waits for any replica at all.
const PATIENCE: Duration = Duration::from_secs(1);

/// A client of a service with one or more replicas. Clones share it.
#[derive(Clone)]
pub struct Pool(Replicas);

#[derive(Clone)]
enum Replicas {
    /// Connects when it is used; there is no other one to turn to.
    One(Channel),
    Many(Arc<Many>),
}

struct Many {
    replicas: Vec<Replica>,
    next: AtomicUsize,
    /// Ends the tasks that keep the connections.
    _tasks: DropGuard,
}

struct Replica {
    /// While it serves.
    channel: watch::Receiver<Option<Channel>>,
    /// A call on it failed.
    failed: Arc<Notify>,
}

/// Why a call got no answer.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    #[error("no replica serves")]
    NoReplica,
    #[error(transparent)]
    Transport(#[from] tonic::transport::Error),
}

impl From<Channel> for Pool {
    fn from(channel: Channel) -> Pool {
        Pool(Replicas::One(channel))
    }
}

impl Pool {
    /// One replica is connected when it is used, several at once and for good.
    pub(crate) fn new(endpoints: Vec<Endpoint>) -> Pool {
        if let [one] = endpoints.as_slice() {
            return Pool::from(one.connect_lazy());
        }
        let stop = CancellationToken::new();
        let replicas = endpoints.into_iter().map(|endpoint| {
            let (tell, channel) = watch::channel(None);
            let failed = Arc::new(Notify::new());
            let keeping = keep(endpoint, tell, failed.clone());
            tokio::spawn(stop.clone().run_until_cancelled_owned(keeping));
            Replica { channel, failed }
        });
        Pool(Replicas::Many(Arc::new(Many {
            replicas: replicas.collect(),
            next: AtomicUsize::new(0),
            _tasks: stop.drop_guard(),
        })))
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Replicas::One(_) => f.write_str("Pool(1)"),
            Replicas::Many(many) => write!(f, "Pool({})", many.replicas.len()),
        }
    }
}

impl Service<http::Request<Body>> for Pool {
    type Response = http::Response<Body>;
    type Error = PoolError;
    type Future = BoxFuture<'static, Result<Self::Response, PoolError>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), PoolError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match &self.0 {
            Replicas::One(channel) => {
                let answer = channel.clone().oneshot(request);
                Box::pin(async move { Ok(answer.await?) })
            }
            Replicas::Many(many) => {
                let many = many.clone();
                Box::pin(async move { many.call(request).await })
            }
        }
    }
}

impl Many {
    async fn call(&self, request: http::Request<Body>) -> Result<http::Response<Body>, PoolError> {
        let (replica, channel) = self.pick().await.ok_or(PoolError::NoReplica)?;
        let answer = channel.oneshot(request).await;
        if answer.is_err() {
            // Not sent anywhere else: whether it was carried out is for the caller to find out, by its request id.
            replica.failed.notify_one();
        }
        Ok(answer?)
    }

    /// The next one in turn that serves.
    async fn pick(&self) -> Option<(&Replica, Channel)> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(found) = self.serving(turn) {
            return Some(found);
        }
        let any = self.replicas.iter().map(|replica| {
            let mut channel = replica.channel.clone();
            Box::pin(async move { channel.wait_for(Option::is_some).await.map(drop) })
        });
        // An error is the end of the task that keeps it, so of this pool.
        let _ = timeout(PATIENCE, futures::future::select_all(any)).await;
        self.serving(turn)
    }

    fn serving(&self, turn: usize) -> Option<(&Replica, Channel)> {
        let count = self.replicas.len();
        (0..count).find_map(|offset| {
            let replica = self.replicas.get(turn.wrapping_add(offset) % count)?;
            let channel = replica.channel.borrow().clone()?;
            Some((replica, channel))
        })
    }
}

/// Keeps one replica connected for ever, and tells whether it serves.
async fn keep(endpoint: Endpoint, tell: watch::Sender<Option<Channel>>, failed: Arc<Notify>) {
    let mut pause = RETRY.0;
    loop {
        if let Ok(channel) = endpoint.connect().await {
            while serves(&channel).await.is_some_and(|serving| {
                let now = serving.then(|| channel.clone());
                tell.send_if_modified(|told| {
                    let changed = told.is_some() != now.is_some();
                    *told = now;
                    changed
                });
                true
            }) {
                pause = RETRY.0;
                tokio::select! {
                    () = sleep(ASK.0) => {}
                    () = failed.notified() => break,
                }
            }
        }
        tell.send_replace(None);
        sleep(pause).await;
        pause = (pause * 2).min(RETRY.1);
    }
}

/// Returns once the server at `uri` says that it serves.
pub(crate) async fn serving(endpoint: Endpoint) {
    loop {
        if let Ok(channel) = endpoint.connect().await
            && serves(&channel).await == Some(true)
        {
            return;
        }
        sleep(RETRY.0).await;
    }
}

/// None: it cannot be reached.
async fn serves(channel: &Channel) -> Option<bool> {
    let request = HealthCheckRequest::default();
    match timeout(ASK.1, HealthClient::new(channel.clone()).check(request)).await {
        Ok(Ok(answer)) => Some(answer.into_inner().status() == ServingStatus::Serving),
        // A server without health is as good as it gets.
        Ok(Err(status)) if matches!(status.code(), Code::Unimplemented | Code::NotFound) => Some(true),
        Ok(Err(_)) | Err(_) => None,
    }
}
