//! REST over gRPC: a REST call becomes the same method's gRPC call in the same process, so that whatever
//! stands in front of the gRPC services (who may call, limits, deadlines, traces) stands in front of REST.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use futures::TryStreamExt as _;
use rest_over_grpc::handling::{Code, Context, ResponseStream, Status};
use rest_over_grpc::transcoding::{Transcode as _, TranscodeResponse};

/// Any gRPC server as a service: assembled layers, a router, or a client's channel.
pub type Grpc = tower::util::BoxCloneSyncService<
    http::Request<tonic::body::Body>,
    http::Response<tonic::body::Body>,
    Infallible,
>;

/// The REST door of all services. Its answers are boxed in this crate, so that the router over every method is
/// compiled here once, and not again in each crate that awaits one.
pub struct Rest(Transcoder);

/// A REST answer on its way; none where no method has this path.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Option<TranscodeResponse>> + Send + 'a>>;

impl Rest {
    /// Carries REST calls into `grpc`. `details` writes a status's details as JSON.
    pub fn new(grpc: Grpc, details: fn(&tonic::Status) -> Vec<serde_json::Value>) -> Rest {
        Rest(transcoder(&Forward { grpc, details }))
    }

    /// Answers one call.
    #[inline(never)]
    pub fn answer<'a>(
        &'a self,
        method: &'a str,
        target: &'a str,
        headers: http::HeaderMap,
        body: &'a [u8],
    ) -> Answer<'a> {
        Box::pin(self.0.try_transcode(method, target, headers, body))
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rest")
    }
}

/// Turns REST calls into gRPC calls.
#[derive(Clone, Debug)]
struct Forward {
    grpc: Grpc,
    details: fn(&tonic::Status) -> Vec<serde_json::Value>,
}

impl Forward {
    /// Headers that mean the same to a gRPC call. All others stay outside: what REST sends can set nothing else.
    const CARRIED: [&'static str; 5] = [
        "authorization",
        "grpc-timeout",
        "traceparent",
        "tracestate",
        "accept-language",
    ];

    fn request<T>(&self, message: T, cx: &mut Context) -> tonic::Request<T> {
        let mut headers = cx.take_request_headers();
        let mut carried = http::HeaderMap::new();
        for name in Self::CARRIED {
            if let Some(value) = headers.remove(name) {
                carried.insert(name, value);
            }
        }
        let mut request = tonic::Request::new(message);
        *request.metadata_mut() = tonic::metadata::MetadataMap::from_headers(carried);
        request
    }

    fn status(&self, status: &tonic::Status) -> Status {
        Status::new(
            Code::from_i32(status.code() as i32).unwrap_or(Code::Unknown),
            status.message(),
        )
        .with_details((self.details)(status))
    }

    async fn unary<Q, A, F>(
        &self,
        cx: &mut Context,
        message: Q,
        call: impl FnOnce(Grpc, tonic::Request<Q>) -> F,
    ) -> Result<A, Status>
    where
        F: Future<Output = Result<tonic::Response<A>, tonic::Status>>,
    {
        let request = self.request(message, cx);
        let answer = call(self.grpc.clone(), request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.status(&status))
    }

    async fn stream<Q, A, F>(
        &self,
        cx: &mut Context,
        message: Q,
        call: impl FnOnce(Grpc, tonic::Request<Q>) -> F,
    ) -> Result<ResponseStream<A>, Status>
    where
        A: Send + 'static,
        F: Future<Output = Result<tonic::Response<tonic::Streaming<A>>, tonic::Status>>,
    {
        let request = self.request(message, cx);
        let answer = call(self.grpc.clone(), request).await;
        let messages = answer.map_err(|status| self.status(&status))?.into_inner();
        let forward = self.clone();
        Ok(Box::pin(messages.map_err(move |status| forward.status(&status))))
    }
}

/// Generated router over all services.
#[allow(unreachable_pub, clippy::all, reason = "generated")]
mod generated {
    mod greenstar {
        pub(super) use crate::*;
    }
    include!(concat!(env!("OUT_DIR"), "/transcoder.rest.rs"));
}

include!(concat!(env!("OUT_DIR"), "/forward.rs"));
