//! A plain HTTP/1.1 client, as a foreign system has one.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Status and body of one call. Headers are pairs.
pub(crate) async fn call(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> (u16, Value) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut request = http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = client
        .request(request.body(Full::new(body.into())).unwrap())
        .await
        .unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (
        status,
        serde_json::from_slice(&bytes).unwrap_or(Value::String(String::from_utf8_lossy(&bytes).into_owned())),
    )
}

/// `Authorization` for a secret.
pub(crate) fn bearer(secret: &str) -> String {
    format!("Bearer {secret}")
}

/// The reason in an error body.
pub(crate) fn reason(body: &Value) -> &str {
    body["error"]["details"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|detail| detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo")
        .and_then(|info| info["reason"].as_str())
        .unwrap_or("no reason")
}
