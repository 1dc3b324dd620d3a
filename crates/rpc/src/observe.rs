//! The layer that every call of every server passes first: it counts the call, says how long it took, and traces it
//! if it is to be traced. gRPC-Web and REST calls are gRPC calls when they get here.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context as Task, Poll, ready};
use std::time::Instant;

use foldhash::fast::FixedState;
use greenstar_proto::METHODS;
use greenstar_telemetry::{Calls, Telemetry};
use http::{Request, Response};
use http_body::Frame;
use opentelemetry::Context;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::status::{error_of, reason_of};

/// What is counted beside the methods of the contracts; the last is everything else, e.g. a path that nobody serves.
const OTHERS: [&str; 3] = [
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/Watch",
    "_OTHER",
];

/// What there is to count, and whether each is one request and one answer.
fn methods() -> impl Iterator<Item = (&'static str, bool)> {
    let known = METHODS
        .iter()
        .map(|method| (method.path.trim_start_matches('/'), method.is_unary()));
    known.chain(OTHERS.map(|name| (name, name.ends_with("/Check"))))
}

/// By path without its slash.
static ROWS: LazyLock<HashMap<&'static str, Row, FixedState>> = LazyLock::new(|| {
    let rows = methods()
        .enumerate()
        .map(|(index, (name, unary))| (name, Row { index, name, unary }));
    rows.collect()
});

#[derive(Clone, Copy)]
struct Row {
    index: usize,
    name: &'static str,
    unary: bool,
}

impl Row {
    fn of(path: &str) -> Row {
        let known = path.strip_prefix('/').and_then(|name| ROWS.get(name));
        known.copied().unwrap_or(Row {
            index: METHODS.len() + OTHERS.len() - 1,
            name: "_OTHER",
            unary: false,
        })
    }
}

/// Makes services observed.
#[derive(Clone, Debug)]
pub(crate) struct Observe(Arc<Observer>);

#[derive(Debug)]
struct Observer {
    telemetry: Telemetry,
    calls: Arc<Calls>,
}

impl Observe {
    pub(crate) fn new(telemetry: Telemetry) -> Observe {
        let calls = telemetry.calls(|| methods().map(|(name, _)| name));
        Observe(Arc::new(Observer { telemetry, calls }))
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }
}

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed {
            inner,
            observer: self.0.clone(),
        }
    }
}

/// A gRPC service whose calls are counted and traced.
#[derive(Clone, Debug)]
pub(crate) struct Observed<S> {
    inner: S,
    observer: Arc<Observer>,
}

impl<S> Service<Request<Body>> for Observed<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Unpin,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Answering<S::Future> {
        let started = Instant::now();
        let row = Row::of(request.uri().path());
        let context = self.observer.telemetry.enter(row.name, request.headers_mut());
        if !row.unary {
            self.observer.calls.streams(row.index, 1);
        }
        let going = Going {
            observer: self.observer.clone(),
            row,
            started,
            context,
            ended: false,
        };
        let _current = going.current();
        Answering {
            inner: self.inner.call(request),
            going: Some(going),
        }
    }
}

/// A call. Dropped before it was ended, its caller has gone.
struct Going {
    observer: Arc<Observer>,
    row: Row,
    started: Instant,
    /// Of the span, or of the caller's trace.
    context: Option<Context>,
    ended: bool,
}

impl Going {
    /// Makes this the current call of the thread.
    fn current(&self) -> Option<opentelemetry::ContextGuard> {
        self.context.clone().map(Context::attach)
    }

    fn end(&mut self, code: Code, status: Option<&Status>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let Observer { telemetry, calls } = &*self.observer;
        let reason = status.and_then(reason_of);
        if let Some(context) = &self.context {
            telemetry.end(context, code, reason.as_deref());
        }
        if !self.row.unary {
            calls.streams(self.row.index, -1);
        }
        calls.ended(self.row.index, code, self.started.elapsed(), reason);
    }

    fn end_with(&mut self, status: &Status) {
        self.end(status.code(), Some(status));
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        self.end(Code::Cancelled, None);
    }
}

/// An answer that is being made.
pub(crate) struct Answering<F> {
    inner: F,
    /// None: it was made.
    going: Option<Going>,
}

impl<F> Future for Answering<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + Unpin,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let current = self.going.as_ref().and_then(Going::current);
        let Ok(response) = ready!(Pin::new(&mut self.inner).poll(cx));
        drop(current);
        let Some(mut going) = self.going.take() else {
            return Poll::Ready(Ok(response));
        };
        // An error has its status among the headers, success behind the body. Only a stream can still fail.
        match error_of(response.headers()) {
            Some(status) => going.end_with(&status),
            None if going.row.unary || http_body::Body::is_end_stream(response.body()) => {
                going.end(Code::Ok, None);
            }
            None => return Poll::Ready(Ok(response.map(|body| Body::new(Streaming { body, going })))),
        }
        Poll::Ready(Ok(response))
    }
}

/// A stream's body, which ends the call with it.
struct Streaming {
    body: Body,
    going: Going,
}

impl http_body::Body for Streaming {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Status>>> {
        let _current = self.going.current();
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    match error_of(trailers) {
                        Some(status) => self.going.end_with(&status),
                        None => self.going.end(Code::Ok, None),
                    }
                }
            }
            Some(Err(status)) => self.going.end_with(status),
            None => self.going.end(Code::Ok, None),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
