//! What a server counts and traces, as a collector meets it.

use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use greenstar_proto::common::v1::Ping;
use greenstar_proto::sanctions::v1::catalogue_service_client::CatalogueServiceClient;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::sanctions::v1::flag_service_server::FlagServiceServer;
use greenstar_proto::sanctions::v1::{
    GetCatalogueRequest, ListFlagsRequest, SyncFlagsRequest, WatchFlagsRequest, watch_flags_request,
};
use greenstar_proto::supervision::v1::licensing_service_server::{LicensingService, LicensingServiceServer};
use greenstar_proto::supervision::v1::{
    BatchCheckPermitsRequest, BatchCheckPermitsResponse, CheckPermitRequest, CheckPermitResponse,
};
use greenstar_rpc::{Client, Limits, Stack, StackBuilder, Telemetry, channel, with_credential};
use greenstar_telemetry::Sampling;
use greenstar_testkit::Spans;
use tonic::{Code, Request, Response, Status};

use crate::fixture::{Flags, LICENSING, SUBSCRIBER, Server, USCC, credentials, stack};
use crate::web::{bearer, call};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const NOT_SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

fn client(server: &Server, secret: &str) -> Client {
    with_credential(channel(&server.address).unwrap(), secret).unwrap()
}

async fn page(server: &Server) -> String {
    let (status, page) = call("GET", &format!("{}/metrics", server.address), &[], "").await;
    assert_eq!(status, 200);
    page.as_str().unwrap().to_owned()
}

/// How many calls of a method ended with a code.
fn ended(page: &str, method: &str, code: &str) -> u64 {
    let labels = [
        format!("rpc_method=\"{method}\""),
        format!("rpc_response_status_code=\"{code}\""),
    ];
    let mut lines = page.lines().filter(|line| {
        line.starts_with("rpc_server_call_duration_seconds_count{rpc_system_name=\"grpc\"")
            && labels.iter().all(|label| line.contains(label))
    });
    let count = lines
        .next()
        .map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap());
    assert!(lines.next().is_none(), "{page}");
    count
}

#[tokio::test]
async fn calls_are_counted_once_by_method_and_code_whatever_the_protocol() {
    let server = Server::start(stack(Limits::default())).await;
    let get = "greenstar.sanctions.v1.CatalogueService/GetCatalogue";
    assert_eq!(ended(&page(&server).await, get, "OK"), 0);

    let mut catalogue = CatalogueServiceClient::new(channel(&server.address).unwrap());
    for _ in 0..3 {
        catalogue
            .get_catalogue(GetCatalogueRequest::default())
            .await
            .unwrap();
    }
    let url = format!("{}/v1/catalogue", server.address);
    assert_eq!(call("GET", &url, &[], "").await.0, 200);
    let wrong = bearer("nobody's");
    assert_eq!(call("GET", &url, &[("authorization", &wrong)], "").await.0, 401);
    // What is no call is not counted as one.
    assert_eq!(call("GET", &format!("{url}/none"), &[], "").await.0, 404);

    let mut flags = FlagServiceClient::new(client(&server, LICENSING));
    let mut hurried = Request::new(ListFlagsRequest {
        parent: format!("enterprises/{USCC}"),
        ..ListFlagsRequest::default()
    });
    hurried.set_timeout(std::time::Duration::from_millis(1));
    let late = flags.list_flags(hurried).await.unwrap_err();
    assert!(matches!(late.code(), Code::DeadlineExceeded | Code::Cancelled));

    let page = page(&server).await;
    assert_eq!(ended(&page, get, "OK"), 4);
    assert_eq!(ended(&page, get, "UNAUTHENTICATED"), 1);
    let refused = format!(
        "greenstar_rpc_errors_total{{rpc_method=\"{get}\",rpc_response_status_code=\"UNAUTHENTICATED\",\
         greenstar_reason=\"CREDENTIAL_UNKNOWN\"}} 1\n"
    );
    assert!(page.contains(&refused), "{page}");
    let list = "greenstar.sanctions.v1.FlagService/ListFlags";
    let late = ended(&page, list, "DEADLINE_EXCEEDED") + ended(&page, list, "CANCELLED");
    assert_eq!(late, 1, "{page}");
    assert!(!page.contains(LICENSING) && !page.contains(USCC), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn a_watch_is_open_until_it_ends_and_ends_once() {
    let server = Server::start(stack(Limits::default())).await;
    let watch = "greenstar.sanctions.v1.FlagService/WatchFlags";
    let open = format!("greenstar_rpc_streams{{rpc_method=\"{watch}\"}} 1\n");
    let mut flags = FlagServiceClient::new(client(&server, SUBSCRIBER));

    let (ping, pings) = tokio::sync::mpsc::channel(1);
    let pings = tokio_stream::wrappers::ReceiverStream::new(pings);
    let step = watch_flags_request::Step::Ping(Ping { nonce: 7 });
    ping.send(WatchFlagsRequest { step: Some(step) }).await.unwrap();
    let mut pongs = flags.watch_flags(pings).await.unwrap().into_inner();
    pongs.next().await.unwrap().unwrap();
    let now = page(&server).await;
    assert!(now.contains(&open), "{now}");
    assert_eq!(ended(&now, watch, "OK"), 0);

    drop(ping);
    assert!(pongs.next().await.is_none());
    let now = page(&server).await;
    assert!(!now.contains("greenstar_rpc_streams{"), "{now}");
    assert_eq!(ended(&now, watch, "OK"), 1);
    server.stop().await;
}

/// Answers after it has asked a source.
#[derive(Debug)]
struct Asking(Client);

#[tonic::async_trait]
impl LicensingService for Asking {
    async fn check_permit(
        &self,
        _: Request<CheckPermitRequest>,
    ) -> Result<Response<CheckPermitResponse>, Status> {
        let mut source = FlagServiceClient::new(self.0.clone());
        source.sync_flags(SyncFlagsRequest::default()).await?;
        Ok(Response::new(CheckPermitResponse::default()))
    }

    async fn batch_check_permits(
        &self,
        _: Request<BatchCheckPermitsRequest>,
    ) -> Result<Response<BatchCheckPermitsResponse>, Status> {
        Ok(Response::new(BatchCheckPermitsResponse::default()))
    }
}

fn traced(spans: &Spans, ratio: f64) -> StackBuilder {
    let telemetry = Telemetry::tracing(spans.provider(), Sampling::ratio(ratio));
    Stack::builder(credentials()).telemetry(telemetry)
}

/// A gateway in front of a service that asks a source. Spans of both services, and what the source was told.
async fn ask(ratio: f64, traceparent: Option<&str>) -> (Spans, Option<String>) {
    let spans = Spans::default();
    let heard = Arc::new(Mutex::new(None));
    let told = heard.clone();
    let flags = FlagServiceServer::with_interceptor(Flags, move |request: Request<()>| {
        let parent = request.metadata().get("traceparent");
        *told.lock().unwrap() = parent.map(|parent| parent.to_str().unwrap().to_owned());
        Ok(request)
    });
    let source = Server::start(traced(&spans, 0.0).with(flags).build()).await;
    let asking = Asking(client(&source, SUBSCRIBER));
    let service = traced(&spans, ratio)
        .with(LicensingServiceServer::new(asking))
        .build();
    let service = Server::start(service).await;

    let pool = greenstar_rpc::pool(&service.address).unwrap();
    let remote = greenstar_rpc::remote("supervision-policy", pool);
    let packages = ["greenstar.supervision.v1"];
    let door = greenstar_rpc::Door::new(remote, &packages, Limits::default());
    let credential = bearer(LICENSING);
    let mut request = http::Request::post(format!("/v1/enterprises/{USCC}:checkPermit"))
        .header("authorization", &credential)
        .header("content-type", "application/json");
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    let body = tonic::body::Body::new(http_body_util::Full::from(r#"{"permitKind":"pollutant-permit"}"#));
    let answer = door.answer(request.body(body).unwrap()).await;
    assert_eq!(answer.status(), 200);
    source.stop().await;
    service.stop().await;
    let heard = heard.lock().unwrap().clone();
    (spans, heard)
}

#[tokio::test]
async fn a_trace_goes_from_the_door_through_the_service_to_its_source() {
    let (spans, heard) = ask(0.0, Some(SAMPLED)).await;
    let spans = spans.ended();
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_ref()).collect();
    assert_eq!(
        names,
        [
            "greenstar.sanctions.v1.FlagService/SyncFlags",
            "greenstar.supervision.v1.LicensingService/CheckPermit"
        ]
    );
    let [source, service] = spans.as_slice() else {
        panic!("two spans")
    };
    for span in &spans {
        assert_eq!(span.span_context.trace_id().to_string(), TRACE);
    }
    assert_eq!(service.parent_span_id.to_string(), "b7ad6b7169203331");
    assert_eq!(source.parent_span_id, service.span_context.span_id());
    let told: Vec<(&str, String)> = service
        .attributes
        .iter()
        .map(|attribute| (attribute.key.as_str(), attribute.value.to_string()))
        .collect();
    for expected in [
        ("rpc.system.name", "grpc"),
        (
            "rpc.method",
            "greenstar.supervision.v1.LicensingService/CheckPermit",
        ),
        ("rpc.response.status_code", "OK"),
        ("greenstar.principal", "licensing"),
    ] {
        assert!(told.contains(&(expected.0, expected.1.to_owned())), "{told:?}");
    }
    let own = format!("00-{TRACE}-{}-01", source.span_context.span_id());
    assert_eq!(heard, Some(own));
}

#[tokio::test]
async fn a_call_that_is_not_traced_makes_no_span_anywhere() {
    let (spans, heard) = ask(0.0, None).await;
    assert!(spans.ended().is_empty());
    assert_eq!(heard, None);
    // A caller that decided against it is heeded, and its trace is still named onward.
    let (spans, heard) = ask(1.0, Some(NOT_SAMPLED)).await;
    assert!(spans.ended().is_empty());
    assert_eq!(heard.as_deref(), Some(NOT_SAMPLED));
}

#[tokio::test]
async fn what_is_drawn_at_the_first_service_is_traced_at_all() {
    let (spans, _) = ask(1.0, None).await;
    let spans = spans.ended();
    assert_eq!(spans.len(), 2);
    assert_eq!(spans[0].span_context.trace_id(), spans[1].span_context.trace_id());
}
