//! How large, how long, how many.

use std::time::Duration;

use greenstar_proto::sanctions::v1::catalogue_service_client::CatalogueServiceClient;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::sanctions::v1::{
    GetCatalogueRequest, ListFlagsRequest, RaiseFlagRequest, WaitConvergedRequest, WatchFlagsRequest,
};
use greenstar_rpc::{Limits, channel, reason_of, with_credential};
use tonic::{Code, Request};

use crate::fixture::{LICENSING, SUBSCRIBER, Server, USCC, stack};
use crate::web::{self, bearer, reason};

const TEN_MB: usize = 10 << 20;

#[tokio::test]
async fn ten_megabytes_are_refused_over_grpc_and_the_connection_lives_on() {
    let server = Server::start(stack(Limits::default())).await;
    let mut client =
        FlagServiceClient::new(with_credential(channel(&server.address).unwrap(), LICENSING).unwrap());
    for _ in 0..3 {
        let request = RaiseFlagRequest {
            reason: "x".repeat(TEN_MB),
            ..RaiseFlagRequest::default()
        };
        let status = client.raise_flag(request).await.unwrap_err();
        assert_eq!(
            (status.code(), reason_of(&status).as_deref()),
            (Code::ResourceExhausted, Some("REQUEST_TOO_LARGE"))
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn ten_megabytes_are_refused_over_rest_with_413() {
    let server = Server::start(stack(Limits::default())).await;
    let url = format!("{}/v1/enterprises/{USCC}/flags", server.address);
    let body = format!(r#"{{"reason": "{}"}}"#, "x".repeat(TEN_MB));
    let (status, answer) = web::call("POST", &url, &[("authorization", &bearer(LICENSING))], body).await;
    assert_eq!((status, reason(&answer)), (413, "REQUEST_TOO_LARGE"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_call_ends_at_its_own_deadline_or_at_ours() {
    let limits = Limits {
        deadline: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = Server::start(stack(limits)).await;
    let mut client =
        FlagServiceClient::new(with_credential(channel(&server.address).unwrap(), LICENSING).unwrap());
    let status = client.list_flags(ListFlagsRequest::default()).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).as_deref()),
        (Code::DeadlineExceeded, Some("DEADLINE_EXCEEDED"))
    );

    // The client's own clock ends the call as well; over REST the server alone does.
    let url = format!("{}/v1/enterprises/{USCC}/flags", server.address);
    let headers = [
        ("authorization", bearer(LICENSING)),
        ("grpc-timeout", "10m".to_owned()),
    ];
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let (status, answer) = web::call("GET", &url, &headers, "").await;
    assert_eq!((status, reason(&answer)), (504, "DEADLINE_EXCEEDED"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn one_call_too_many_is_refused_and_the_next_is_not() {
    let limits = Limits {
        calls: 1,
        ..Limits::default()
    };
    let server = Server::start(stack(limits)).await;
    let channel = channel(&server.address).unwrap();
    let mut flags = FlagServiceClient::new(with_credential(channel.clone(), LICENSING).unwrap());
    let mut catalogue = CatalogueServiceClient::new(channel);
    // Never answered: holds the only place until it is dropped.
    let held = tokio::spawn(async move { flags.list_flags(ListFlagsRequest::default()).await });
    let refused = loop {
        match catalogue
            .get_catalogue(Request::new(GetCatalogueRequest::default()))
            .await
        {
            Ok(_) => tokio::task::yield_now().await,
            Err(status) => break status,
        }
    };
    assert_eq!(
        (refused.code(), reason_of(&refused).as_deref()),
        (Code::ResourceExhausted, Some("OVERLOADED"))
    );
    held.abort();
    while catalogue
        .get_catalogue(Request::new(GetCatalogueRequest::default()))
        .await
        .is_err()
    {
        tokio::task::yield_now().await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_end_is_not_waited_for() {
    let limits = Limits {
        deadline: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = Server::start(stack(limits)).await;
    let address = server.address.trim_start_matches("http://").to_owned();
    for head in [
        "POST /v1/enterprises HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{",
        "POST /x HTTP/1.1\r\nhost: x\r\ncontent-type: application/connect+proto\r\ncontent-length: 100\r\n\r\n{",
    ] {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).await.unwrap();
        assert!(
            matches!(&answer, b"HTTP/1.1 504" | b"HTTP/1.1 404"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn officers_who_wait_leave_room_for_replicas_and_no_replica_takes_all_of_it() {
    let limits = Limits {
        streams: 2,
        other_streams: 0,
        ..Limits::default()
    };
    let server = Server::start(stack(limits)).await;
    let flags = |secret| {
        let channel = channel(&server.address).unwrap();
        FlagServiceClient::new(with_credential(channel, secret).unwrap())
    };
    let overloaded = |status: tonic::Status| {
        let reason = reason_of(&status);
        assert_eq!(reason.as_deref(), Some("OVERLOADED"), "{status:?}");
    };
    let mut officer = flags(LICENSING);
    let waiting = officer.wait_converged(WaitConvergedRequest::default()).await;
    overloaded(waiting.err().unwrap());
    let mut policy = flags(SUBSCRIBER);
    let (saying, said) = futures::channel::mpsc::unbounded::<WatchFlagsRequest>();
    let watch = policy.watch_flags(said).await.unwrap();
    let second = policy.watch_flags(futures::stream::pending()).await;
    overloaded(second.err().unwrap());
    drop((saying, watch));
    // Its place is free as soon as the server has noticed.
    while policy.watch_flags(futures::stream::empty()).await.is_err() {
        tokio::task::yield_now().await;
    }
    server.stop().await;
}
