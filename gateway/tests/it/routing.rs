//! Every protocol reaches the owner of a call, wherever it runs; and says so when it does not.

use futures::StreamExt as _;
use greenstar_gateway::{Gateway, Upstream};
use greenstar_proto::common::v1::Ping;
use greenstar_proto::sanctions::v1::catalogue_service_client::CatalogueServiceClient;
use greenstar_proto::sanctions::v1::catalogue_service_server::CatalogueServiceServer;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::sanctions::v1::flag_service_server::FlagServiceServer;
use greenstar_proto::sanctions::v1::watch_flags_request::Step;
use greenstar_proto::sanctions::v1::{GetCatalogueRequest, RaiseFlagRequest, WatchFlagsRequest};
use greenstar_proto::supervision::v1::licensing_service_server::LicensingServiceServer;
use greenstar_rpc::{Limits, Stack, channel, reason_of, with_credential};
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1 as reflection;
use tower::ServiceBuilder;

use crate::fixture::{Flags, LICENSING, Licensing, SUBSCRIBER, Server, USCC, credentials};
use crate::web::{self, bearer, reason};

const SANCTIONS: &str = "greenstar.sanctions.v1";
const SUPERVISION: &str = "greenstar.supervision.v1";

fn sanctions() -> Stack {
    Stack::builder(credentials())
        .with(FlagServiceServer::new(Flags))
        .with(CatalogueServiceServer::new(Flags))
        .build()
}

fn supervision() -> Stack {
    Stack::builder(credentials())
        .with(LicensingServiceServer::new(Licensing))
        .build()
}

/// A gateway on a port, with what stands behind it.
struct Suite {
    address: String,
    stacks: [Stack; 2],
    servers: Vec<Server>,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Suite {
    async fn in_process() -> Suite {
        let stacks = [sanctions(), supervision()];
        let upstreams = vec![
            Upstream::local(SANCTIONS, stacks[0].grpc()),
            Upstream::local(SUPERVISION, stacks[1].grpc()),
        ];
        Suite::start(stacks, Vec::new(), upstreams).await
    }

    async fn remote() -> Suite {
        let stacks = [sanctions(), supervision()];
        let servers = vec![
            Server::start(stacks[0].clone()).await,
            Server::start(stacks[1].clone()).await,
        ];
        let upstreams = vec![
            Upstream::remote("sanctions", SANCTIONS, &servers[0].address).unwrap(),
            Upstream::remote("supervision-policy", SUPERVISION, &servers[1].address).unwrap(),
        ];
        Suite::start(stacks, servers, upstreams).await
    }

    async fn start(stacks: [Stack; 2], servers: Vec<Server>, upstreams: Vec<Upstream>) -> Suite {
        let gateway = Gateway::new(upstreams, Limits::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let token = stop.clone();
        let task = tokio::spawn(async move { gateway.serve(listener, token).await });
        Suite {
            address,
            stacks,
            servers,
            stop,
            task,
        }
    }

    async fn both() -> [Suite; 2] {
        [Suite::in_process().await, Suite::remote().await]
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        for server in self.servers {
            server.stop().await;
        }
    }
}

#[tokio::test]
async fn grpc_grpc_web_and_rest_reach_the_owner() {
    for suite in Suite::both().await {
        let channel = channel(&suite.address).unwrap();
        let mut grpc = CatalogueServiceClient::new(with_credential(channel, LICENSING).unwrap());
        assert_eq!(
            grpc.get_catalogue(GetCatalogueRequest::default())
                .await
                .unwrap()
                .into_inner()
                .token,
            "licensing"
        );

        let http1 = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
        let layered = ServiceBuilder::new()
            .layer(tonic_web::GrpcWebClientLayer::new())
            .service(http1);
        let mut from_browser = CatalogueServiceClient::with_origin(layered, suite.address.parse().unwrap());
        assert_eq!(
            from_browser
                .get_catalogue(GetCatalogueRequest::default())
                .await
                .unwrap()
                .into_inner()
                .token,
            "public"
        );

        let secret = bearer(LICENSING);
        let url = format!("{}/v1/enterprises/{USCC}:checkPermit", suite.address);
        let ask = r#"{"permitKind": "pollutant-permit"}"#;
        let (status, answer) = web::call("POST", &url, &[("authorization", &secret)], ask).await;
        assert_eq!(
            (status, answer["outcome"].as_str()),
            (200, Some("FAST_TRACK")),
            "{answer}"
        );
        let (status, answer) = web::call("GET", &format!("{}/v1/catalogue", suite.address), &[], "").await;
        assert_eq!(
            (status, answer["token"].as_str()),
            (200, Some("public")),
            "{answer}"
        );
        suite.stop().await;
    }
}

#[tokio::test]
async fn web_pages_of_named_origins_may_call_through_the_door() {
    let upstreams = vec![Upstream::local(SANCTIONS, sanctions().grpc())];
    let console = "https://console.example.cn".parse().unwrap();
    let gateway = Gateway::new(upstreams, Limits::default()).open_to(&[console]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/catalogue", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let token = stop.clone();
    let task = tokio::spawn(async move { gateway.serve(listener, token).await });
    let client =
        hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http::<tonic::body::Body>();
    for (origin, allowed) in [
        ("https://console.example.cn", Some("https://console.example.cn")),
        ("https://stranger.example.cn", None),
    ] {
        let asked = http::Request::get(&url).header("origin", origin);
        let answer = client
            .request(asked.body(tonic::body::Body::empty()).unwrap())
            .await
            .unwrap();
        let told = answer.headers().get("access-control-allow-origin");
        assert_eq!(told.map(|value| value.to_str().unwrap()), allowed);
    }
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn streams_run_both_ways_through_the_door() {
    for suite in Suite::both().await {
        let mut client =
            FlagServiceClient::new(with_credential(channel(&suite.address).unwrap(), SUBSCRIBER).unwrap());
        let (send, pings) = tokio::sync::mpsc::channel(1);
        let pings = tokio_stream::wrappers::ReceiverStream::new(pings).map(|nonce| WatchFlagsRequest {
            step: Some(Step::Ping(Ping { nonce })),
        });
        let mut answers = client.watch_flags(pings).await.unwrap().into_inner();
        // Each ping is sent only after the answer to the one before: nothing waits for the end of a stream.
        for nonce in 1..=3 {
            send.send(nonce).await.unwrap();
            assert!(answers.message().await.unwrap().unwrap().event.is_some());
        }
        drop(send);
        assert_eq!(answers.message().await.unwrap(), None);
        suite.stop().await;
    }
}

#[tokio::test]
async fn errors_come_through_whole() {
    for suite in Suite::both().await {
        let mut client =
            FlagServiceClient::new(with_credential(channel(&suite.address).unwrap(), LICENSING).unwrap());
        let status = client.raise_flag(RaiseFlagRequest::default()).await.unwrap_err();
        assert_eq!(
            (status.code(), reason_of(&status).as_deref()),
            (Code::InvalidArgument, Some("FIELD_INVALID"))
        );
        let large = RaiseFlagRequest {
            reason: "x".repeat(10 << 20),
            ..RaiseFlagRequest::default()
        };
        let status = client.raise_flag(large).await.unwrap_err();
        assert_eq!(
            (status.code(), reason_of(&status).as_deref()),
            (Code::ResourceExhausted, Some("REQUEST_TOO_LARGE"))
        );

        let url = format!("{}/v1/enterprises/{USCC}/flags", suite.address);
        let large = format!(r#"{{"reason": "{}"}}"#, "x".repeat(10 << 20));
        let (status, answer) = web::call("POST", &url, &[("authorization", &bearer(LICENSING))], large).await;
        assert_eq!((status, reason(&answer)), (413, "REQUEST_TOO_LARGE"));
        let (status, answer) = web::call("POST", &url, &[], "{}").await;
        assert_eq!((status, reason(&answer)), (401, "CREDENTIAL_MISSING"));
        let (status, answer) = web::call("GET", &format!("{}/v1/rounds", suite.address), &[], "").await;
        assert_eq!(
            (status, reason(&answer)),
            (501, "ROUTE_UNKNOWN"),
            "no such service behind this door: {answer}"
        );
        suite.stop().await;
    }
}

#[tokio::test]
async fn a_service_that_is_down_is_unavailable_in_the_callers_protocol() {
    let suite = Suite::remote().await;
    let Suite {
        address,
        mut servers,
        stop,
        task,
        ..
    } = suite;
    servers.remove(0).stop().await;
    let mut client = CatalogueServiceClient::new(channel(&address).unwrap());
    let status = client
        .get_catalogue(GetCatalogueRequest::default())
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).as_deref()),
        (Code::Unavailable, Some("SERVICE_UNAVAILABLE"))
    );
    let (status, answer) = web::call("GET", &format!("{address}/v1/catalogue"), &[], "").await;
    assert_eq!(
        (status, reason(&answer)),
        (503, "SERVICE_UNAVAILABLE"),
        "{answer}"
    );
    assert_eq!(answer["error"]["details"][0]["metadata"]["service"], "sanctions");
    // The other one is not touched.
    let url = format!("{address}/v1/enterprises/{USCC}:checkPermit");
    let ask = r#"{"permitKind": "a"}"#;
    assert_eq!(
        web::call("POST", &url, &[("authorization", &bearer(LICENSING))], ask)
            .await
            .0,
        200
    );
    stop.cancel();
    task.await.unwrap().unwrap();
    for server in servers {
        server.stop().await;
    }
}

#[tokio::test]
async fn a_service_that_comes_back_is_reached_again() {
    let suite = Suite::remote().await;
    let Suite {
        address,
        stacks,
        mut servers,
        stop,
        task,
    } = suite;
    let down = servers.remove(0);
    let place = down.address.clone();
    let mut client = CatalogueServiceClient::new(channel(&address).unwrap());
    client
        .get_catalogue(GetCatalogueRequest::default())
        .await
        .unwrap();
    down.stop().await;
    client
        .get_catalogue(GetCatalogueRequest::default())
        .await
        .unwrap_err();
    let listener = TcpListener::bind(place.trim_start_matches("http://"))
        .await
        .unwrap();
    let token = stop.clone();
    let again = stacks[0].clone();
    let back = tokio::spawn(async move { again.serve(listener, token).await });
    client
        .get_catalogue(GetCatalogueRequest::default())
        .await
        .unwrap();
    stop.cancel();
    task.await.unwrap().unwrap();
    back.await.unwrap().unwrap();
}

#[tokio::test]
async fn health_and_reflection_are_those_of_the_whole() {
    for suite in Suite::both().await {
        let mut health = HealthClient::new(channel(&suite.address).unwrap());
        let mut ask = async |service: &str| {
            let answer = health
                .check(HealthCheckRequest {
                    service: service.to_owned(),
                })
                .await;
            answer.map(|answer| answer.into_inner().status())
        };
        suite.stacks[0].health().serving(true).await;
        assert_eq!(
            ask("greenstar.sanctions.v1.FlagService").await.unwrap(),
            ServingStatus::Serving
        );
        assert_eq!(
            ask("").await.unwrap(),
            ServingStatus::NotServing,
            "supervision is not"
        );
        suite.stacks[1].health().serving(true).await;
        assert_eq!(ask("").await.unwrap(), ServingStatus::Serving);
        assert_eq!(ask("fresh").await.unwrap_err().code(), Code::NotFound);
        suite.stacks[1].health().fresh(true).await;
        assert_eq!(ask("fresh").await.unwrap(), ServingStatus::Serving);

        let mut client = reflection::server_reflection_client::ServerReflectionClient::new(
            channel(&suite.address).unwrap(),
        );
        let ask = reflection::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(
                reflection::server_reflection_request::MessageRequest::ListServices(String::new()),
            ),
        };
        let answer = client
            .server_reflection_info(futures::stream::iter([ask]))
            .await
            .unwrap()
            .into_inner()
            .message()
            .await;
        let list = format!("{answer:?}");
        for service in [
            "greenstar.sanctions.v1.FlagService",
            "greenstar.supervision.v1.LicensingService",
        ] {
            assert!(list.contains(service), "{list}");
        }
        let (_, document) = web::call("GET", &format!("{}/openapi.json", suite.address), &[], "").await;
        let paths = document["paths"].to_string();
        assert!(
            paths.contains("/v1/catalogue") && paths.contains("checkPermit"),
            "{paths}"
        );
        suite.stop().await;
    }
}
