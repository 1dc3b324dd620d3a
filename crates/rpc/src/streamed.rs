//! A stream over REST: server-sent events, or lines or an array of JSON where the caller asks for those. Messages go
//! out as they come, and the last word of a stream that fails says why.

use std::borrow::Cow;
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use greenstar_proto::METHODS;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::StreamBody;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rest_over_grpc::handling::Status;
use rest_over_grpc::transcoding::{FrameStream, HttpResponse, StreamingResponse};
use serde_json::Value;
use tokio::time::timeout;
use tonic::body::Body;

use crate::json::{self, Accepted};

/// A stream that says nothing for so long says that it lives, or a proxy would cut it.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// A stream that fails within this has a status of its own, as any call that fails.
const FIRST: Duration = Duration::from_millis(250);
/// Where a browser that reconnects says what it saw last.
const LAST_EVENT: &str = "last-event-id";

/// How the messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Events,
    Lines,
    Array,
}

impl Form {
    /// Nothing in particular is events.
    fn of(headers: &HeaderMap) -> Form {
        let accepts = |kind: &str| {
            let values = headers.get_all(header::ACCEPT).iter();
            values
                .filter_map(|value| value.to_str().ok())
                .any(|value| value.to_ascii_lowercase().contains(kind))
        };
        if accepts("text/event-stream") {
            Form::Events
        } else if accepts("application/x-ndjson") || accepts("application/jsonl") {
            Form::Lines
        } else if accepts("application/json") {
            Form::Array
        } else {
            Form::Events
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Form::Events => "text/event-stream",
            Form::Lines => LINES,
            Form::Array => "application/json",
        }
    }
}

const LINES: &str = "application/x-ndjson";

/// Whether a method with a stream has this path.
pub(crate) fn is_stream(verb: &str, path: &str) -> bool {
    let mut streams = METHODS.iter().filter(|method| method.server_streaming);
    streams.any(|method| {
        method
            .route
            .is_some_and(|route| route.verb == verb && route.has_path(path))
    })
}

/// Makes a request for a stream one that the transcoder answers line by line, from where the caller stands. Answers
/// the form that the caller wants, and the target.
pub(crate) fn asked<'a>(verb: &str, target: &'a str, headers: &mut HeaderMap) -> (Form, Cow<'a, str>) {
    let form = Form::of(headers);
    headers.insert(header::ACCEPT, HeaderValue::from_static(LINES));
    let last = headers.get(LAST_EVENT).and_then(|id| id.to_str().ok());
    let last = last.filter(|id| verb == "GET" && !id.is_empty());
    let Some(last) = last else {
        return (form, Cow::Borrowed(target));
    };
    // It is newer than the cursor of the address, which a browser sends again as it was.
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let others = query
        .split('&')
        .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some("cursor"));
    let cursor = format!("cursor={}", utf8_percent_encode(last, NON_ALPHANUMERIC));
    let query: Vec<&str> = others.chain([cursor.as_str()]).collect();
    (form, Cow::Owned(format!("{path}?{}", query.join("&"))))
}

/// The answer: a refusal with its status if the stream fails at once, else its messages.
pub(crate) async fn response(answer: StreamingResponse, form: Form, accepted: Accepted) -> Response<Body> {
    let (_, headers, mut frames) = answer.into_parts();
    let first = match timeout(FIRST, frames.next()).await {
        Ok(Some(Err(status))) => {
            return json::reshaped(HttpResponse::from_status(&status).body(), || None, accepted);
        }
        Ok(first) => stream::iter(first).left_stream(),
        Err(_) => stream::empty().right_stream(),
    };
    let frames: FrameStream = Box::pin(first.chain(frames));
    let body = written(frames, form, accepted).map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
    let mut response = Response::new(Body::new(StreamBody::new(body)));
    *response.headers_mut() = headers;
    let fixed = [
        (header::CONTENT_TYPE, form.kind()),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fixed {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    // Proxies that gather an answer before they pass it on leave this one alone.
    let unbuffered = header::HeaderName::from_static("x-accel-buffering");
    response
        .headers_mut()
        .insert(unbuffered, HeaderValue::from_static("no"));
    response
}

/// Messages in their form, each at once.
fn written(frames: FrameStream, form: Form, accepted: Accepted) -> impl Stream<Item = Bytes> + Send {
    let state = (frames, true, false);
    stream::unfold(state, move |(mut frames, first, over)| async move {
        if over {
            return None;
        }
        loop {
            let frame = match timeout(KEEP_ALIVE, frames.next()).await {
                Ok(frame) => frame,
                Err(_) if form == Form::Events => {
                    let alive = Bytes::from_static(b": keep-alive\n\n");
                    return Some((alive, (frames, first, false)));
                }
                Err(_) => continue,
            };
            return match (frame, form) {
                (Some(Ok(line)), _) => {
                    let bytes = message(&json::canonical(&line), form, first);
                    Some((bytes, (frames, false, false)))
                }
                (Some(Err(status)), _) => {
                    let bytes = failure(&status, form, first, accepted);
                    Some((bytes, (frames, false, true)))
                }
                (None, Form::Array) => {
                    let end: &[u8] = if first { b"[]" } else { b"]" };
                    Some((Bytes::from_static(end), (frames, false, true)))
                }
                (None, Form::Events | Form::Lines) => None,
            };
        }
    })
}

fn message(line: &[u8], form: Form, first: bool) -> Bytes {
    let text = line.trim_ascii_end();
    match form {
        Form::Lines => [text, b"\n"].concat().into(),
        Form::Array => [if first { b"[" } else { b"," }, text].concat().into(),
        Form::Events => {
            let mut event = Vec::with_capacity(text.len() + 80);
            let read: Value = serde_json::from_slice(text).unwrap_or_default();
            // An empty one undoes what was there: half a snapshot is nothing to go on from.
            if let Some(cursor) = read["cursor"].as_str() {
                event.extend_from_slice(format!("id: {cursor}").trim_end().as_bytes());
                event.push(b'\n');
            }
            if let Some(name) = name(&read) {
                event.extend_from_slice(format!("event: {name}\n").as_bytes());
            }
            event.extend_from_slice(b"data: ");
            event.extend_from_slice(text);
            event.extend_from_slice(b"\n\n");
            event.into()
        }
    }
}

/// The one field of `message` that is there, e.g. `frame`; or `convergence`.
fn name(read: &Value) -> Option<&str> {
    if read.get("convergence").is_some() {
        return Some("convergence");
    }
    let mut fields = read["message"].as_object()?.keys();
    fields
        .next()
        .filter(|_| fields.next().is_none())
        .map(String::as_str)
}

fn failure(status: &Status, form: Form, first: bool, accepted: Accepted) -> Bytes {
    let error = json::error(HttpResponse::from_status(status).body(), accepted).to_string();
    match form {
        Form::Events => format!("event: error\ndata: {error}\n\n"),
        Form::Lines => format!("{error}\n"),
        Form::Array => format!("{}{error}]", if first { "[" } else { "," }),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        pairs.collect()
    }

    #[test]
    fn the_last_event_takes_the_place_of_the_cursor_in_the_address() {
        let cases = [
            ("/v1/flags:stream", "", "/v1/flags:stream"),
            ("/v1/flags:stream", "e-1.7", "/v1/flags:stream?cursor=e%2D1%2E7"),
            (
                "/v1/flags:stream?cursor=e-1.3&subscriber=licensing",
                "e-1.7",
                "/v1/flags:stream?subscriber=licensing&cursor=e%2D1%2E7",
            ),
        ];
        for (target, last, expected) in cases {
            let mut sent = headers(&[("last-event-id", last)]);
            assert_eq!(asked("GET", target, &mut sent).1, expected);
            assert_eq!(asked("POST", target, &mut sent).1, target);
        }
    }

    #[test]
    fn a_caller_who_asks_for_nothing_in_particular_gets_events() {
        for (accept, form) in [
            ("*/*", Form::Events),
            ("text/event-stream, application/json", Form::Events),
            ("application/x-ndjson", Form::Lines),
            ("application/json", Form::Array),
        ] {
            assert_eq!(Form::of(&headers(&[("accept", accept)])), form);
        }
        assert_eq!(Form::of(&HeaderMap::new()), Form::Events);
    }

    #[test]
    fn an_event_has_the_name_of_its_message_and_an_id_once_one_can_go_on_from_it() {
        let frame = br#"{"cursor":"e.7","message":{"frame":{"to":"7"}}}"#;
        let text = message(frame, Form::Events, true);
        let expected = format!(
            "id: e.7\nevent: frame\ndata: {}\n\n",
            String::from_utf8_lossy(frame)
        );
        assert_eq!(text, expected);
        let rows = message(br#"{"cursor":"","message":{"rows":{}}}"#, Form::Events, true);
        assert!(rows.starts_with(b"id:\nevent: rows\ndata: "));
    }
}
