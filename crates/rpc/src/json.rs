//! Errors as JSON, in the shape of the Google APIs:
//! `{"error": {"code", "status", "message", "details": [{"@type": …}]}}`.

use greenstar_telemetry::code_name;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::{ErrorDetail, StatusExt as _};

use crate::misread::Misread;
use crate::refusals;
use crate::status::{EN, ZH};

/// A status as an HTTP answer. `message` is Chinese for a caller who asks for it first, English otherwise;
/// both are among the details.
pub(crate) fn response(status: &Status, accepted: Accepted) -> Response<Body> {
    let details = details(status);
    let http = http_status(status.code(), &details);
    render(http, status.code(), status.message(), details, accepted)
}

/// The transcoder's error body (`{"code", "message", "details"}`) in our shape. Without details it is the
/// transcoder's own: the request could not be read, and `why` finds out where.
pub(crate) fn reshaped(
    body: &[u8],
    why: impl FnOnce() -> Option<Misread>,
    accepted: Accepted,
) -> Response<Body> {
    let (code, message, details) = read(body);
    match details {
        Some(details) => render(http_status(code, &details), code, &message, details, accepted),
        None if code == Code::InvalidArgument => {
            let refusal = why().map_or_else(
                || refusals::body_malformed(&message),
                |found| refusals::misread(&found),
            );
            response(&refusal, accepted)
        }
        None => response(&refusals::internal(&std::io::Error::other(message)), accepted),
    }
}

/// What ended a stream whose status had been sent: the same object as in a refusal's body.
pub(crate) fn error(body: &[u8], accepted: Accepted) -> Value {
    let (code, message, details) = read(body);
    match details {
        Some(details) => shown(http_status(code, &details), code, &message, details, accepted),
        None => {
            let status = refusals::internal(&std::io::Error::other(message));
            let details = self::details(&status);
            let http = http_status(status.code(), &details);
            shown(http, status.code(), status.message(), details, accepted)
        }
    }
}

/// The transcoder's error body. Without details it is none of ours.
fn read(body: &[u8]) -> (Code, String, Option<Vec<Value>>) {
    let error: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = error["code"]
        .as_i64()
        .and_then(|code| i32::try_from(code).ok())
        .map_or(Code::Unknown, Code::from_i32);
    let message = error["message"].as_str();
    let message = message.unwrap_or("the answer could not be written").to_owned();
    (code, message, error["details"].as_array().cloned())
}

/// 405 with the verbs that the path takes.
pub(crate) fn not_allowed(method: &str, path: &str, allow: &str, accepted: Accepted) -> Response<Body> {
    let status = refusals::verb_not_allowed(method, path, allow);
    let details = details(&status);
    let http = StatusCode::METHOD_NOT_ALLOWED;
    let mut refused = render(http, status.code(), status.message(), details, accepted);
    if let Ok(allow) = HeaderValue::from_str(allow) {
        refused.headers_mut().insert(header::ALLOW, allow);
    }
    refused
}

fn render(
    http: StatusCode,
    code: Code,
    message: &str,
    details: Vec<Value>,
    accepted: Accepted,
) -> Response<Body> {
    let body = shown(http, code, message, details, accepted);
    let mut response = with_json(http, body.to_string());
    if http == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn shown(http: StatusCode, code: Code, message: &str, details: Vec<Value>, accepted: Accepted) -> Value {
    let locale = if accepted.chinese { ZH } else { EN };
    let said = details
        .iter()
        .find(|detail| detail["locale"] == locale)
        .and_then(|detail| detail["message"].as_str());
    json!({"error": {
        "code": http.as_u16(),
        "status": code_name(code),
        "message": said.unwrap_or(message),
        "details": details,
    }})
}

/// A body of JSON.
pub(crate) fn with_json(status: StatusCode, body: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(http_body_util::Full::new(body.into())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer's JSON with its instants in UTC ending in `Z`, as proto3 JSON has them; pbjson writes `+00:00`.
pub(crate) fn canonical(body: &[u8]) -> Vec<u8> {
    const OFFSET: &[u8] = b"+00:00\"";
    let mut written = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.windows(OFFSET.len()).position(|window| window == OFFSET) {
        let (before, after) = rest.split_at(at);
        written.extend_from_slice(before);
        written.extend_from_slice(if ends_with_instant(before) { b"Z\"" } else { OFFSET });
        rest = after.strip_prefix(OFFSET).unwrap_or_default();
    }
    written.extend_from_slice(rest);
    written
}

/// Whether the string that is open at the end is `YYYY-MM-DDThh:mm:ss` with or without a fraction.
fn ends_with_instant(text: &[u8]) -> bool {
    let start = text
        .iter()
        .rposition(|byte| *byte == b'"')
        .map_or(0, |quote| quote + 1);
    let open = text.get(start..).unwrap_or_default();
    let shape = b"0000-00-00T00:00:00";
    (shape.len()..=shape.len() + 10).contains(&open.len())
        && open.iter().zip(shape).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            mark => byte == mark,
        })
        && open
            .iter()
            .skip(shape.len())
            .all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// What an answer must know of its request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    chinese: bool,
}

impl Accepted {
    pub(crate) fn of(headers: &HeaderMap) -> Accepted {
        let first = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        Accepted {
            chinese: first.trim_start().to_ascii_lowercase().starts_with("zh"),
        }
    }
}

fn http_status(code: Code, details: &[Value]) -> StatusCode {
    let reason = details
        .iter()
        .find_map(|detail| detail["reason"].as_str())
        .unwrap_or_default();
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted if reason == "REQUEST_TOO_LARGE" => StatusCode::PAYLOAD_TOO_LARGE,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The details of a status as JSON, one object each.
pub(crate) fn details(status: &Status) -> Vec<Value> {
    status.get_error_details_vec().iter().filter_map(detail).collect()
}

fn detail(one: &ErrorDetail) -> Option<Value> {
    let (name, mut object) = match one {
        ErrorDetail::ErrorInfo(info) => (
            "ErrorInfo",
            json!({"reason": info.reason, "domain": info.domain, "metadata": info.metadata}),
        ),
        ErrorDetail::LocalizedMessage(text) => (
            "LocalizedMessage",
            json!({"locale": text.locale, "message": text.message}),
        ),
        ErrorDetail::BadRequest(bad) => {
            let fields: Vec<Value> = bad
                .field_violations
                .iter()
                .map(|one| json!({"field": one.field, "description": one.description, "reason": one.reason}))
                .collect();
            ("BadRequest", json!({"fieldViolations": fields}))
        }
        ErrorDetail::Help(help) => {
            let links: Vec<Value> = help
                .links
                .iter()
                .map(|link| json!({"description": link.description, "url": link.url}))
                .collect();
            ("Help", json!({"links": links}))
        }
        // We send no others.
        _ => return None,
    };
    object["@type"] = Value::String(format!("type.googleapis.com/google.rpc.{name}"));
    Some(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_end_in_z_and_texts_stay() {
        let cases = [
            (
                r#"{"a":"2026-10-25T02:00:00+00:00","b":1}"#,
                r#"{"a":"2026-10-25T02:00:00Z","b":1}"#,
            ),
            (
                r#"["2026-10-25T02:00:00.123456+00:00"]"#,
                r#"["2026-10-25T02:00:00.123456Z"]"#,
            ),
            (
                r#"{"a":"x+00:00","b":"+00:00"}"#,
                r#"{"a":"x+00:00","b":"+00:00"}"#,
            ),
            (
                r#"{"a":"see 2026-10-25T02:00:00+00:00"}"#,
                r#"{"a":"see 2026-10-25T02:00:00+00:00"}"#,
            ),
            ("", ""),
        ];
        for (given, expected) in cases {
            assert_eq!(canonical(given.as_bytes()), expected.as_bytes());
        }
    }
}
