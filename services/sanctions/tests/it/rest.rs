//! The same methods as REST and JSON on the same port.

use greenstar_testkit::Scratch;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::{FIRM, Server, secret};

/// One call; status and JSON body.
async fn call(server: &Server, method: &str, path: &str, caller: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        secret(caller),
        body.len()
    );
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (
        status,
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")),
    )
}

#[tokio::test]
async fn a_flag_is_raised_confirmed_and_read_by_rest() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let flags = format!("/v1/enterprises/{FIRM}/flags");
    let body = json!({
        "kind": "permit-by-deceit",
        "scope": "hazardous-waste-permit",
        "document": { "issuer": "北京市大兴区生态环境局", "number": "京兴环撤〔2026〕1号", "date": "2026-04-01" },
        "requestId": "rest-1",
    });
    let (status, raised) = call(&server, "POST", &flags, "enforcement", &body).await;
    assert_eq!(
        (status, &raised["flag"]["state"]),
        (200, &json!("FLAG_STATE_PROPOSED")),
        "{raised}"
    );
    let name = raised["flag"]["name"].as_str().unwrap().to_owned();

    let own = call(
        &server,
        "POST",
        &format!("/v1/{name}:confirm"),
        "enforcement",
        &json!({}),
    )
    .await;
    assert_eq!(own.0, 403);
    assert!(own.1.to_string().contains("SAME_OFFICER"), "{}", own.1);

    let (status, confirmed) = call(
        &server,
        "POST",
        &format!("/v1/{name}:confirm"),
        "enforcement/2",
        &json!({}),
    )
    .await;
    assert_eq!(
        (status, &confirmed["flag"]["state"]),
        (200, &json!("FLAG_STATE_IN_FORCE")),
        "{confirmed}"
    );
    assert!(confirmed["token"].as_str().is_some_and(|token| !token.is_empty()));

    let (status, read) = call(&server, "GET", &format!("/v1/{name}"), "finance", &json!({})).await;
    assert_eq!(
        (status, &read["flag"]["scope"]),
        (200, &json!("hazardous-waste-permit"))
    );
    let (status, lifted) = call(
        &server,
        "POST",
        &format!("/v1/{name}:lift"),
        "enforcement",
        &json!({ "reason": "annulled" }),
    )
    .await;
    assert_eq!(
        (status, &lifted["flag"]["state"]),
        (200, &json!("FLAG_STATE_LIFTED"))
    );

    let (status, error) = call(
        &server,
        "POST",
        &flags,
        "enforcement",
        &json!({ "kind": "x", "document": {} }),
    )
    .await;
    assert_eq!(status, 400);
    assert!(error.to_string().contains("FIELD_INVALID"), "{error}");
    server.stop().await;
}
