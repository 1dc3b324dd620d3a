//! Convergence through the public door: the view and rating themselves are the subscribers.

use std::time::Duration;

use greenstar_proto::common::v1 as common;
use greenstar_proto::sanctions::v1 as sanctions;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_rpc::{channel, with_credential};
use hyper::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::door::Door;

/// One call by plain HTTP; answers what comes until it holds `end`.
async fn read_until(door: &Door, caller: &str, request: &str, body: &str, end: &str) -> String {
    let address = door.url().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let secret = door.secret(caller);
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {secret}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if text.contains(end) {
            return text;
        }
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_buf(&mut answer));
        assert!(read.await.unwrap().unwrap() > 0, "it ended: {text}");
    }
}

fn names(subscribers: &[common::Subscriber]) -> Vec<&str> {
    subscribers.iter().map(|one| one.subscriber.as_str()).collect()
}

#[tokio::test]
async fn p5_a_flag_has_converged_when_the_view_and_what_rating_made_of_it_have() {
    let door = Door::open().await;
    let firm = &door.listed(5).await[0];
    let flag = door.raise(firm, "serious-penalty", "").await;
    let body = json!({"waitConverged": "8s"});
    let confirmed = door
        .post("enforcement/2", &format!("/v1/{flag}:confirm"), body)
        .await;
    let convergence = &confirmed["convergence"];
    assert_eq!(convergence["converged"], true, "{confirmed}");
    assert_eq!(
        convergence["convergedCount"], 2,
        "the view and rating: {confirmed}"
    );
    assert_eq!(convergence["log"], "sanctions");

    let channel = channel(&door.url()).unwrap();
    let client = with_credential(channel, &door.secret("operator")).unwrap();
    let question = common::ConvergenceQuestion {
        token: confirmed["token"].as_str().unwrap().to_owned(),
        scope: common::ConvergenceScope::All.into(),
        timeout: Some(Duration::from_secs(20).into()),
    };
    let request = sanctions::WaitConvergedRequest {
        question: Some(question),
    };
    let mut answers = FlagServiceClient::new(client)
        .wait_converged(request)
        .await
        .unwrap()
        .into_inner();
    let mut last = None;
    while let Some(answer) = answers.message().await.unwrap() {
        last = Some(answer);
    }
    let last = last.unwrap();
    assert!(last.converged, "{last:?}");
    let own = last.convergence.unwrap();
    assert_eq!(
        names(&own.converged_subscribers),
        ["rating", "supervision-policy"]
    );
    let caused = last.caused.unwrap();
    assert_eq!((caused.log.as_str(), caused.converged), ("rating", true));
    assert_eq!(names(&caused.converged_subscribers), ["supervision-policy"]);

    // Everybody may see who follows, and nobody but the operator may remove one.
    let listed = door.get("enforcement", "/v1/flags:subscribers").await;
    assert_eq!(listed["subscribers"].as_array().unwrap().len(), 2, "{listed}");
    let body = json!({"subscriber": "rating"});
    let refused = door
        .refused(
            Some("enforcement"),
            Method::POST,
            "/v1/flags:removeSubscriber",
            Some(body),
        )
        .await;
    assert_eq!(refused, (403, "ROLE_NOT_ALLOWED".to_owned()));
}

#[tokio::test]
async fn whoever_speaks_no_grpc_follows_and_waits_by_the_same_door() {
    let door = Door::open().await;
    let firm = &door.listed(5).await[0];
    let flag = door.raise(firm, "serious-penalty", "").await;
    let token = door.confirm(&flag).await;
    let question = json!({"question": {"token": token, "timeout": "20s"}}).to_string();
    let waited = "POST /v1/flags:waitConverged";
    let answer = read_until(&door, "enforcement", waited, &question, "\r\n0\r\n").await;
    assert!(answer.contains("content-type: text/event-stream"), "{answer}");
    assert!(answer.contains("event: convergence\ndata: "), "{answer}");
    assert!(answer.contains(r#""converged":true}"#), "{answer}");

    let streamed = "GET /v1/flags:stream?kinds=serious-penalty";
    let answer = read_until(&door, "supervision-policy", streamed, "", "event: snapshotEnd").await;
    assert!(answer.contains(&flag), "{answer}");
    let refused = read_until(&door, "enforcement", streamed, "", "}}").await;
    assert!(
        refused.contains("403") && refused.contains("ROLE_NOT_ALLOWED"),
        "{refused}"
    );
}
