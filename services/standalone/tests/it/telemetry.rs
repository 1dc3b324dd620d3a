//! What a running suite tells Prometheus and a collector.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use greenstar_proto::common::v1::Consistency;
use greenstar_proto::supervision::v1::CheckPermitRequest;
use greenstar_proto::supervision::v1::licensing_service_client::LicensingServiceClient;
use greenstar_rpc::{channel, with_credential};
use greenstar_standalone::Places;
use greenstar_telemetry::catalogue;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status};

use crate::process::{Process, refused_in};

const FIRM: &str = "enterprises/91110115MAX000015J";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const CHECK: &str = "greenstar.supervision.v1.LicensingService/CheckPermit";

/// A collector that keeps what it gets.
#[derive(Clone, Debug, Default)]
struct Collector(Arc<Mutex<Received>>);

#[derive(Debug, Default)]
struct Received {
    spans: Vec<Span>,
    logs: Vec<LogRecord>,
    /// The last export.
    metrics: ExportMetricsServiceRequest,
    services: BTreeSet<String>,
}

impl Received {
    fn from(&mut self, resource: Option<&Resource>) {
        let attributes = resource.into_iter().flat_map(|resource| &resource.attributes);
        self.services.extend(text(attributes, "service.name"));
    }
}

fn text<'a>(attributes: impl IntoIterator<Item = &'a KeyValue>, key: &str) -> Option<String> {
    let found = attributes.into_iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        other => panic!("{other:?}"),
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut received = self.0.lock().unwrap();
        for part in request.into_inner().resource_spans {
            received.from(part.resource.as_ref());
            let spans = part.scope_spans.into_iter().flat_map(|scope| scope.spans);
            received.spans.extend(spans);
        }
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Collector {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let mut received = self.0.lock().unwrap();
        for part in request.into_inner().resource_logs {
            received.from(part.resource.as_ref());
            let logs = part.scope_logs.into_iter().flat_map(|scope| scope.log_records);
            received.logs.extend(logs);
        }
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let mut received = self.0.lock().unwrap();
        received.metrics = request.into_inner();
        let resource = received.metrics.resource_metrics.first();
        let resource = resource.and_then(|part| part.resource.clone());
        received.from(resource.as_ref());
        Ok(Response::new(Default::default()))
    }
}

impl Collector {
    /// A collector, and where it listens.
    async fn start() -> (Collector, String) {
        let collector = Collector::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(collector.clone()))
            .add_service(LogsServiceServer::new(collector.clone()))
            .add_service(MetricsServiceServer::new(collector.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        (collector, address)
    }
}

fn check() -> Request<CheckPermitRequest> {
    Request::new(CheckPermitRequest {
        enterprise: FIRM.to_owned(),
        permit_kind: "pollutant-permit".to_owned(),
        consistency: Some(Consistency {
            fully_consistent: true,
            ..Consistency::default()
        }),
        ..CheckPermitRequest::default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_one_trace_the_numbers_and_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (collector, address) = Collector::start().await;
    let suite = Process::start_in(
        folder.path(),
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &address),
            ("OTEL_TRACES_SAMPLER_ARG", "0"),
            ("GREENSTAR_LOG_FORMAT", "json"),
        ],
    );
    let secret = Places::new(folder.path()).secret("licensing").unwrap();
    let known = with_credential(channel(&suite.url).unwrap(), &secret).unwrap();
    let mut licensing = LicensingServiceClient::new(known);
    let mut unknown = LicensingServiceClient::new(channel(&suite.url).unwrap());

    // Not to be traced.
    licensing.check_permit(check()).await.unwrap();
    // To be traced, the second one in vain.
    let mut traced = check();
    traced
        .metadata_mut()
        .insert("traceparent", SAMPLED.parse().unwrap());
    licensing.check_permit(traced).await.unwrap();
    let mut traced = check();
    traced
        .metadata_mut()
        .insert("traceparent", SAMPLED.parse().unwrap());
    let refused = unknown.check_permit(traced).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    drop((licensing, unknown));
    let said = suite.stop();

    let received = collector.0.lock().unwrap();
    assert_eq!(received.services, BTreeSet::from(["greenstar".to_owned()]));

    let mut names: Vec<&str> = received.spans.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    let sync = [
        "greenstar.rating.v1.RatingService/SyncRatings",
        "greenstar.sanctions.v1.FlagService/SyncFlags",
    ];
    assert_eq!(names, [sync[0], sync[1], CHECK, CHECK]);
    let trace: Vec<u8> = (0..16)
        .map(|at| u8::from_str_radix(&TRACE[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    assert!(received.spans.iter().all(|span| span.trace_id == trace));
    let asked = received
        .spans
        .iter()
        .find(|span| {
            text(&span.attributes, "rpc.response.status_code").unwrap() == "OK" && span.name == CHECK
        })
        .unwrap();
    assert_eq!(
        text(&asked.attributes, "greenstar.principal").unwrap(),
        "licensing"
    );
    for span in received
        .spans
        .iter()
        .filter(|span| sync.contains(&span.name.as_str()))
    {
        assert_eq!(span.parent_span_id, asked.span_id, "{}", span.name);
    }
    let refused = received
        .spans
        .iter()
        .find(|span| text(&span.attributes, "greenstar.reason").is_some())
        .unwrap();
    assert_eq!(
        text(&refused.attributes, "greenstar.reason").unwrap(),
        "CREDENTIAL_MISSING"
    );

    let calls = received
        .metrics
        .resource_metrics
        .iter()
        .flat_map(|part| &part.scope_metrics)
        .flat_map(|scope| &scope.metrics)
        .find(|metric| metric.name == "rpc.server.call.duration")
        .unwrap();
    let Some(Data::Histogram(calls)) = &calls.data else {
        panic!("{calls:?}")
    };
    for (code, expected) in [("OK", 2), ("UNAUTHENTICATED", 1)] {
        let counted: Vec<u64> = calls
            .data_points
            .iter()
            .filter(|point| text(&point.attributes, "rpc.method").unwrap() == CHECK)
            .filter(|point| text(&point.attributes, "rpc.response.status_code").unwrap() == code)
            .map(|point| point.count)
            .collect();
        assert_eq!(counted, [expected], "{code}");
    }

    let line = received.logs.iter().find(|line| line.trace_id == trace).unwrap();
    assert_eq!(text(&line.attributes, "reason").unwrap(), "CREDENTIAL_MISSING");
    let line = said
        .lines()
        .find(|line| line.contains("CREDENTIAL_MISSING"))
        .unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["trace_id"], TRACE);
    assert_eq!(line["reason"], "CREDENTIAL_MISSING");
}

/// `/metrics` as a plain client gets it.
fn page(url: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut page = String::new();
    socket.read_to_string(&mut page).unwrap();
    page
}

#[test]
fn without_a_collector_the_numbers_are_all_there_and_nobody_complains() {
    let folder = tempfile::tempdir().unwrap();
    let suite = Process::start_in(folder.path(), &[]);
    let page = page(&suite.url);
    let said = suite.stop();
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    for metric in catalogue::ALL {
        // No call has ended, well or badly.
        if [&catalogue::RPC_DURATION, &catalogue::RPC_ERRORS].contains(metric) {
            continue;
        }
        let told = format!("# TYPE {} ", metric.prometheus());
        assert!(page.contains(&told), "{told}{page}");
    }
    for line in [
        "greenstar_view_fresh 1",
        "greenstar_record_dropped_total 0",
        "greenstar_feed_subscribers{greenstar_log=\"rating\",greenstar_state=\"live\"} 1",
        "greenstar_rpc_streams{rpc_method=\"greenstar.rating.v1.RatingService/WatchRatings\"} 1",
    ] {
        assert!(page.contains(&format!("\n{line}\n")), "{line}\n{page}");
    }
    assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
}

#[test]
fn a_setting_that_cannot_be_understood_ends_the_start_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in [
        ("OTEL_TRACES_SAMPLER_ARG", "7"),
        ("GREENSTAR_LOG_FORMAT", "xml"),
        ("GREENSTAR_LOG", "a=b=c"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4317"),
    ] {
        let (code, said) = refused_in(folder.path(), &[(name, value)]);
        assert_eq!(code, Some(64), "{said}");
        assert!(said.contains(name) && said.lines().count() == 1, "{said}");
    }
}
