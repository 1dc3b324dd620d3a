//! Plain streams: server-sent events over REST.

use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::ManualClock;
use greenstar_proto::sanctions::v1 as pb;
use greenstar_testkit::Scratch;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tonic::Code;

use crate::server::{FIRM, noon, position, refused, secret};
use crate::source::{Source, named, up_to};

/// Server-sent events of one connection.
struct Events {
    lines: BufReader<TcpStream>,
    status: u16,
}

/// id, event, data.
type Sent = (Option<String>, String, Value);

impl Events {
    async fn open(source: &Source, target: &str, last: Option<&str>) -> Events {
        let mut stream = TcpStream::connect(source.addr).await.unwrap();
        let last = last
            .map(|id| format!("last-event-id: {id}\r\n"))
            .unwrap_or_default();
        let request = format!(
            "GET {target} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n{last}\r\n",
            secret("licensing/subscriber")
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).await.unwrap() > 0, "{head}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status == 200 {
            assert!(head.contains("content-type: text/event-stream"), "{head}");
            assert!(head.contains("cache-control: no-store"), "{head}");
        }
        Events { lines, status }
    }

    /// The next event; chunk sizes are passed over.
    async fn next(&mut self) -> Sent {
        let (mut id, mut event, mut data) = (None, String::new(), None);
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(Duration::from_secs(20), self.lines.read_line(&mut line));
            assert!(read.await.unwrap().unwrap() > 0, "the stream ended");
            let line = line.trim_end();
            if let Some(value) = line.strip_prefix("id:") {
                id = Some(value.trim().to_owned());
            } else if let Some(value) = line.strip_prefix("event: ") {
                event = value.to_owned();
            } else if let Some(value) = line.strip_prefix("data: ") {
                data = Some(serde_json::from_str(value).unwrap());
            } else if line.is_empty()
                && let Some(data) = data.take()
            {
                return (id, event, data);
            }
        }
    }

    /// Frames until one ends at `to`; answers its id, and what changed.
    async fn take(&mut self, to: u64) -> (String, Vec<Value>) {
        let mut changes = Vec::new();
        loop {
            let (id, event, data) = self.next().await;
            assert_eq!(event, "frame", "{data}");
            let frame = &data["message"]["frame"];
            changes.extend(frame["changes"].as_array().cloned().unwrap_or_default());
            if frame["to"].as_str() == Some(&to.to_string()) {
                return (id.unwrap(), changes);
            }
        }
    }
}

#[tokio::test]
async fn a_department_follows_by_server_sent_events_and_goes_on_from_the_last_one() {
    let scratch = Scratch::sqlite();
    let source = Source::alone(&scratch, Arc::new(ManualClock::at(noon("2026-05-10")))).await;
    let (standing_flag, token, _) = source.flag("1", None).await;
    let epoch = position(&token).epoch;
    let target = "/v1/flags:stream?subscriber=licensing/registry&kinds=serious-penalty";
    let mut events = Events::open(&source, target, None).await;
    let (id, event, _) = events.next().await;
    // Half a snapshot is nothing to go on from.
    assert_eq!((id.as_deref(), event.as_str()), (Some(""), "snapshotBegin"));
    let (_, event, rows) = events.next().await;
    assert_eq!(event, "rows");
    assert!(rows.to_string().contains(&standing_flag.name), "{rows}");
    let (id, event, _) = events.next().await;
    let at = position(&token).revision;
    assert_eq!(
        (id.unwrap(), event.as_str()),
        (format!("{epoch}.{at}"), "snapshotEnd")
    );

    let (_, token, _) = source.flag("2", None).await;
    let to = position(&token).revision.0;
    let (id, changes) = events.take(to).await;
    assert_eq!((id.clone(), changes.len()), (format!("{epoch}.{to}"), 1));

    // It cannot talk back, so it acknowledges by a call of its own.
    let acknowledge = |revision| pb::AcknowledgeFlagsRequest {
        subscriber: "licensing/registry".to_owned(),
        acknowledgement: Some(up_to(revision)),
    };
    assert!(!source.wait(&token, 300).await.last().unwrap().converged);
    let mut caller = source.flags("licensing/subscriber");
    let early = caller.acknowledge_flags(acknowledge(to + 99)).await;
    refused(early, Code::InvalidArgument, "ACKNOWLEDGEMENT_AHEAD");
    caller.acknowledge_flags(acknowledge(to)).await.unwrap();
    assert!(source.wait(&token, 20_000).await.last().unwrap().converged);
    let other = source
        .flags("finance/subscriber")
        .acknowledge_flags(acknowledge(to))
        .await;
    refused(other, Code::PermissionDenied, "DEPARTMENT_NOT_ALLOWED");

    // The connection breaks; meanwhile something happens.
    drop(events);
    let (_, token, _) = source.flag("3", None).await;
    let to = position(&token).revision.0;
    let mut events = Events::open(&source, target, Some(&id)).await;
    let (_, changes) = events.take(to).await;
    assert_eq!(changes.len(), 1, "neither twice nor missed");
    assert!(changes[0].to_string().contains(FIRM));

    // What cannot be is refused with a status of its own.
    for (target, status, reason) in [
        ("/v1/flags:stream?cursor=another.1", 400, "TOKEN_FOREIGN"),
        ("/v1/flags:stream?cursor=nonsense", 400, "FIELD_INVALID"),
        ("/v1/flags:stream?kinds=misspelt", 400, "WATCH_FILTER_INVALID"),
        (
            "/v1/flags:stream?subscriber=finance/1",
            403,
            "DEPARTMENT_NOT_ALLOWED",
        ),
    ] {
        let mut refusal = Events::open(&source, target, None).await;
        assert_eq!(refusal.status, status, "{target}");
        let mut body = vec![0; 4096];
        let read = refusal.lines.read(&mut body).await.unwrap();
        let body = String::from_utf8_lossy(&body[..read]).into_owned();
        assert!(body.contains(reason), "{target}: {body}");
    }

    // A second watch of the name ends this one; its last word says why.
    let mut second = source
        .open("licensing/subscriber", named("licensing/registry"))
        .await;
    second.next().await.unwrap();
    let error = loop {
        let (_, event, data) = events.next().await;
        if event == "error" {
            break data;
        }
    };
    assert!(error.to_string().contains("SUBSCRIBER_REPLACED"), "{error}");
    drop(events);
    source.stop().await;
}
