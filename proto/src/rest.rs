//! REST over gRPC: a REST call becomes the same method's gRPC call in the same process, so that whatever
//! stands in front of the gRPC services (who may call, limits, deadlines, traces) stands in front of REST.

use std::convert::Infallible;
use std::future::Future;

use rest_over_grpc::handling::{Code, Context, Status};

/// Any gRPC server as a service: assembled layers, a router, or a client's channel.
pub type Grpc = tower::util::BoxCloneSyncService<
    http::Request<tonic::body::Body>,
    http::Response<tonic::body::Body>,
    Infallible,
>;

/// Carries REST calls into `grpc`.
#[derive(Clone, Debug)]
pub struct Forward {
    grpc: Grpc,
    details: fn(&tonic::Status) -> Vec<serde_json::Value>,
}

impl Forward {
    /// `details` writes a status's details as JSON.
    pub fn new(grpc: Grpc, details: fn(&tonic::Status) -> Vec<serde_json::Value>) -> Forward {
        Forward { grpc, details }
    }

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
