//! One port: gRPC, gRPC-Web, REST, streams, health, reflection, OpenAPI; and no port at all.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use greenstar_proto::common::v1::Ping;
use greenstar_proto::sanctions::v1::WatchFlagsRequest;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::sanctions::v1::watch_flags_request::Step;
use greenstar_proto::sanctions::v1::watch_flags_response::Event;
use greenstar_proto::supervision::v1::CheckPermitRequest;
use greenstar_proto::supervision::v1::licensing_service_client::LicensingServiceClient;
use greenstar_rpc::{Limits, channel, with_credential};
use hyper_util::rt::TokioExecutor;
use prost::Message as _;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1 as reflection;
use tower::ServiceBuilder;

use crate::fixture::{LICENSING, SUBSCRIBER, Server, USCC, stack};
use crate::web::{self, bearer};

fn ask() -> CheckPermitRequest {
    CheckPermitRequest {
        enterprise: format!("enterprises/{USCC}"),
        permit_kind: "pollutant-permit".to_owned(),
        ..CheckPermitRequest::default()
    }
}

#[tokio::test]
async fn one_port_speaks_grpc_grpc_web_and_rest() {
    let server = Server::start(stack(Limits::default())).await;
    let secret: MetadataValue<_> = bearer(LICENSING).parse().unwrap();

    let mut grpc =
        LicensingServiceClient::new(with_credential(channel(&server.address).unwrap(), LICENSING).unwrap());
    assert_eq!(
        grpc.check_permit(ask()).await.unwrap().into_inner().outcome,
        "FAST_TRACK"
    );

    // gRPC-Web over HTTP/1.1, as from a browser.
    let http1 = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
    let web = ServiceBuilder::new()
        .layer(tonic_web::GrpcWebClientLayer::new())
        .service(http1);
    let mut web = LicensingServiceClient::with_origin(web, server.address.parse().unwrap());
    let mut request = Request::new(ask());
    request.metadata_mut().insert("authorization", secret.clone());
    assert_eq!(
        web.check_permit(request).await.unwrap().into_inner().outcome,
        "FAST_TRACK"
    );
    assert_eq!(
        web.check_permit(ask()).await.unwrap_err().code(),
        Code::Unauthenticated
    );

    let url = format!("{}/v1/enterprises/{USCC}:checkPermit", server.address);
    let (status, answer) = web::call(
        "POST",
        &url,
        &[("authorization", &bearer(LICENSING))],
        r#"{"permitKind": "pollutant-permit"}"#,
    )
    .await;
    assert_eq!((status, answer["outcome"].as_str()), (200, Some("FAST_TRACK")));
    // Zero values are written, so that a reader needs no table of defaults.
    assert_eq!(
        (&answer["known"], &answer["flags"], &answer["manualReview"]),
        (&false.into(), &serde_json::json!([]), &false.into())
    );
    server.stop().await;
}

async fn ping_through(channel: Channel) {
    let mut client = FlagServiceClient::new(with_credential(channel, SUBSCRIBER).unwrap());
    let pings = futures::stream::iter(1..=3u64).map(|nonce| WatchFlagsRequest {
        step: Some(Step::Ping(Ping { nonce })),
    });
    let mut answers = client.watch_flags(pings).await.unwrap().into_inner();
    for expected in 1..=3 {
        match answers.message().await.unwrap().unwrap().event {
            Some(Event::Pong(pong)) => assert_eq!(pong.nonce, expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answers.message().await.unwrap(), None);
}

#[tokio::test]
async fn streams_run_both_ways_with_a_port_and_without() {
    let server = Server::start(stack(Limits::default())).await;
    ping_through(channel(&server.address).unwrap()).await;
    let stop = CancellationToken::new();
    ping_through(server.stack.in_process(stop.clone())).await;
    stop.cancel();
    server.stop().await;
}

#[tokio::test]
async fn health_says_not_serving_until_told_and_knows_fresh() {
    let server = Server::start(stack(Limits::default())).await;
    let mut client = HealthClient::new(channel(&server.address).unwrap());
    let mut ask = async |service: &str| {
        let answer = client
            .check(HealthCheckRequest {
                service: service.to_owned(),
            })
            .await;
        answer.map(|answer| answer.into_inner().status())
    };
    assert_eq!(ask("fresh").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(ask("").await.unwrap(), ServingStatus::NotServing);
    assert_eq!(
        ask("greenstar.sanctions.v1.FlagService").await.unwrap(),
        ServingStatus::NotServing
    );
    server.stack.health().serving(true).await;
    server.stack.health().fresh(false).await;
    assert_eq!(
        ask("greenstar.sanctions.v1.FlagService").await.unwrap(),
        ServingStatus::Serving
    );
    assert_eq!(ask("").await.unwrap(), ServingStatus::Serving);
    assert_eq!(ask("fresh").await.unwrap(), ServingStatus::NotServing);
    server.stop().await;
}

#[tokio::test]
async fn a_client_with_only_reflection_resolves_every_import() {
    let server = Server::start(stack(Limits::default())).await;
    let mut client =
        reflection::server_reflection_client::ServerReflectionClient::new(channel(&server.address).unwrap());
    let (ask, asked) = tokio::sync::mpsc::channel(4);
    let mut answers = client
        .server_reflection_info(tokio_stream::wrappers::ReceiverStream::new(asked))
        .await
        .unwrap()
        .into_inner();
    let mut fetch = async |request: reflection::server_reflection_request::MessageRequest| {
        let message = reflection::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(request),
        };
        ask.send(message).await.unwrap();
        answers
            .message()
            .await
            .unwrap()
            .unwrap()
            .message_response
            .unwrap()
    };
    use reflection::server_reflection_request::MessageRequest;
    use reflection::server_reflection_response::MessageResponse;

    let MessageResponse::ListServicesResponse(list) =
        fetch(MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list")
    };
    let services: BTreeSet<String> = list.service.into_iter().map(|service| service.name).collect();
    assert!(
        services.contains("greenstar.supervision.v1.LicensingService"),
        "{services:?}"
    );
    assert!(
        !services.contains("greenstar.rating.v1.RatingService"),
        "only what is served: {services:?}"
    );

    let mut wanted: Vec<MessageRequest> = vec![MessageRequest::FileContainingSymbol(
        "greenstar.supervision.v1.LicensingService".to_owned(),
    )];
    let mut files = BTreeSet::new();
    let mut pool = prost_reflect::DescriptorPool::new();
    let mut fetched = Vec::new();
    while let Some(request) = wanted.pop() {
        match fetch(request.clone()).await {
            MessageResponse::FileDescriptorResponse(found) => {
                for bytes in found.file_descriptor_proto {
                    let file = prost_types::FileDescriptorProto::decode(bytes.as_slice()).unwrap();
                    if files.insert(file.name().to_owned()) {
                        fetched.push((file.clone(), bytes));
                        wanted.extend(file.dependency.into_iter().map(MessageRequest::FileByFilename));
                    }
                }
            }
            other => panic!("{request:?}: {other:?}"),
        }
    }
    for needed in [
        "google/protobuf/timestamp.proto",
        "google/api/http.proto",
        "buf/validate/validate.proto",
    ] {
        assert!(files.contains(needed), "{files:?}");
    }

    // Nothing is lost on the way: the options are there, under their real names.
    while !fetched.is_empty() {
        fetched.retain(|(file, bytes)| {
            let ready = file
                .dependency
                .iter()
                .all(|name| pool.get_file_by_name(name).is_some());
            if ready {
                pool.decode_file_descriptor_proto(bytes.as_slice()).unwrap();
            }
            !ready
        });
    }
    let method = pool
        .get_service_by_name("greenstar.supervision.v1.LicensingService")
        .unwrap()
        .methods()
        .next()
        .unwrap();
    let http = pool.get_extension_by_name("google.api.http").unwrap();
    let rule = method
        .options()
        .get_extension(&http)
        .as_message()
        .unwrap()
        .clone();
    assert_eq!(
        rule.get_field_by_name("post").unwrap().as_str(),
        Some("/v1/{enterprise=enterprises/*}:checkPermit")
    );

    // An unknown name is an answer, and extensions can be asked for.
    let unknown = fetch(MessageRequest::FileContainingSymbol(
        "greenstar.Nothing".to_owned(),
    ))
    .await;
    assert!(matches!(unknown, MessageResponse::ErrorResponse(_)));
    let numbers = fetch(MessageRequest::AllExtensionNumbersOfType(
        "google.protobuf.MethodOptions".to_owned(),
    ))
    .await;
    assert!(format!("{numbers:?}").contains("72295728"), "{numbers:?}");
    server.stop().await;
}

#[tokio::test]
async fn openapi_describes_what_is_served() {
    let server = Server::start(stack(Limits::default())).await;
    let (status, document) = web::call("GET", &format!("{}/openapi.json", server.address), &[], "").await;
    assert_eq!((status, document["openapi"].as_str()), (200, Some("3.1.0")));
    // No reference leads nowhere.
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
    let operation = &document["paths"]["/v1/enterprises/{enterprise}:checkPermit"]["post"];
    assert_eq!(operation["tags"][0], "LicensingService");
    assert!(
        operation["description"]
            .as_str()
            .unwrap()
            .contains("PERMIT_KIND_UNKNOWN"),
        "{operation}"
    );
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert!(paths.iter().any(|path| path.contains("checkPermit")), "{paths:?}");
    assert!(!paths.iter().any(|path| path.contains("rounds")), "{paths:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_stop_lets_an_open_call_end_and_cuts_a_watch_that_does_not() {
    let server = Server::start(stack(Limits::default())).await;
    let mut client =
        FlagServiceClient::new(with_credential(channel(&server.address).unwrap(), SUBSCRIBER).unwrap());
    let (_held, never) = tokio::sync::mpsc::channel::<WatchFlagsRequest>(1);
    let watch = client
        .watch_flags(tokio_stream::wrappers::ReceiverStream::new(never))
        .await
        .unwrap();
    let started = std::time::Instant::now();
    server.stop().await;
    assert!(started.elapsed() < std::time::Duration::from_secs(8));
    assert!(watch.into_inner().message().await.is_err());
}
