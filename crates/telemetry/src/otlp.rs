//! Export by OTLP, where an endpoint is configured. Spans and log lines go by OpenTelemetry's exporters; the numbers
//! are ours and are written into its messages here.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::KeyValue;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{LogExporter, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_sdk::Resource;
use prost::Message as _;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};

use crate::{Metrics, encode};

type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// How often numbers are told, unless `OTEL_METRIC_EXPORT_INTERVAL` says otherwise.
const EVERY: Duration = Duration::from_secs(60);
/// What one export of numbers may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is exported; each only where it has an endpoint.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    pub(crate) spans: Option<SpanExporter>,
    pub(crate) logs: Option<LogExporter>,
    pub(crate) metrics: Option<Push>,
}

/// What is being exported, as OpenTelemetry's variables name it.
#[derive(Clone, Copy)]
struct Signal {
    name: &'static str,
    path: &'static str,
}

const TRACES: Signal = Signal {
    name: "TRACES",
    path: "v1/traces",
};
const LOGS: Signal = Signal {
    name: "LOGS",
    path: "v1/logs",
};
const METRICS: Signal = Signal {
    name: "METRICS",
    path: "v1/metrics",
};

impl Signal {
    /// The variable of this signal, else that of all.
    fn variable(self, variable: Variable<'_>, end: &str) -> Option<String> {
        let own = variable(&format!("OTEL_EXPORTER_OTLP_{}_{end}", self.name));
        own.or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{end}")))
    }

    /// Where it goes and how; None where it does not.
    fn route(self, variable: Variable<'_>) -> Result<Option<Route>, String> {
        let exporter = format!("OTEL_{}_EXPORTER", self.name);
        match variable(&exporter).as_deref() {
            None | Some("otlp") => {}
            Some("none") => return Ok(None),
            Some(other) => return Err(format!("{exporter} is {other:?}: it may be otlp or none")),
        }
        let own = variable(&format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", self.name));
        let Some(endpoint) = own.clone().or_else(|| variable(ENDPOINT)) else {
            return Ok(None);
        };
        let uri: http::Uri = endpoint
            .parse()
            .map_err(|error| format!("{ENDPOINT} {endpoint:?}: {error}"))?;
        if uri.scheme_str() != Some("http") {
            return Err(format!("{ENDPOINT} {endpoint:?}: it must begin with http://"));
        }
        let http = match self.variable(variable, "PROTOCOL").as_deref() {
            None => uri.port_u16() == Some(4318),
            Some("grpc") => false,
            Some("http/protobuf") => true,
            Some(other) => {
                return Err(format!(
                    "OTEL_EXPORTER_OTLP_PROTOCOL is {other:?}: it may be grpc or http/protobuf"
                ));
            }
        };
        Ok(Some(match (http, own) {
            (false, _) => Route::Grpc(endpoint),
            // As OpenTelemetry has it: the endpoint of one signal is complete.
            (true, Some(own)) => Route::Http(own),
            (true, None) => Route::Http(format!("{}/{}", endpoint.trim_end_matches('/'), self.path)),
        }))
    }
}

/// How a signal travels.
#[derive(Debug)]
enum Route {
    /// To this endpoint.
    Grpc(String),
    /// As POST to this address.
    Http(String),
}

/// Exporters for all signals that have an endpoint; within a Tokio runtime.
///
/// Errors: text for people.
pub(crate) fn exports(variable: Variable<'_>) -> Result<Exports, String> {
    if variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(Exports::default());
    }
    let (traces, logs, metrics) = (
        TRACES.route(variable)?,
        LOGS.route(variable)?,
        METRICS.route(variable)?,
    );
    if traces.is_none() && logs.is_none() && metrics.is_none() {
        return Ok(Exports::default());
    }
    let runtime = Handle::try_current().map_err(|error| error.to_string())?;
    let spans = traces.map(|route| match route {
        Route::Grpc(to) => SpanExporter::builder().with_tonic().with_endpoint(to).build(),
        Route::Http(to) => SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(Poster::new(&runtime))
            .with_endpoint(to)
            .build(),
    });
    let logs = logs.map(|route| match route {
        Route::Grpc(to) => LogExporter::builder().with_tonic().with_endpoint(to).build(),
        Route::Http(to) => LogExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(Poster::new(&runtime))
            .with_endpoint(to)
            .build(),
    });
    let metrics = metrics.map(|route| Push::new(route, variable, &runtime));
    Ok(Exports {
        spans: spans.transpose().map_err(|error| error.to_string())?,
        logs: logs.transpose().map_err(|error| error.to_string())?,
        metrics: metrics.transpose()?,
    })
}

/// Who speaks. The program's name unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` names it; the instance is
/// new with every start, so that replicas are told apart.
pub(crate) fn resource() -> Resource {
    let instance = KeyValue::new("service.instance.id", uuid::Uuid::new_v4().to_string());
    let named = Resource::builder().build();
    let unnamed = |value: &str| value.starts_with("unknown_service");
    let name = named
        .get(&"service.name".into())
        .map(|name| name.to_string())
        .unwrap_or_default();
    let own = match name.split_once(':') {
        Some((_, program)) if unnamed(&name) => program.to_owned(),
        Some(_) | None => name,
    };
    let chosen = named.get(&"service.instance.id".into()).is_some();
    Resource::builder()
        .with_service_name(own)
        .with_attributes((!chosen).then_some(instance))
        .build()
}

/// HTTP requests on the runtime, whoever waits for them: the exporters do so on threads of their own.
#[derive(Clone, Debug)]
struct Poster {
    client: Client<HttpConnector, Full<Bytes>>,
    runtime: Handle,
}

impl Poster {
    fn new(runtime: &Handle) -> Poster {
        Poster {
            client: Client::builder(TokioExecutor::new()).build_http(),
            runtime: runtime.clone(),
        }
    }
}

#[async_trait]
impl HttpClient for Poster {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let answered = self.runtime.spawn(async move {
            let asked = async {
                let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
                Ok::<_, HttpError>(Response::from_parts(head, body.collect().await?.to_bytes()))
            };
            tokio::time::timeout(PATIENCE, asked).await?
        });
        answered.await?
    }
}

/// Tells numbers to a collector.
#[derive(Debug)]
pub(crate) struct Push {
    to: Collector,
    headers: HeaderMap,
    every: Duration,
}

#[derive(Debug)]
enum Collector {
    Grpc(MetricsServiceClient<Channel>),
    Http { poster: Poster, uri: String },
}

/// A task that tells numbers again and again.
#[derive(Debug)]
pub(crate) struct Pushing(mpsc::Sender<oneshot::Sender<()>>);

impl Pushing {
    /// Tells them once more, and returns when that is done.
    pub(crate) async fn last(&self) {
        let (tell, told) = oneshot::channel();
        if self.0.send(tell).await.is_ok() {
            // The task goes only with the runtime.
            let _ = told.await;
        }
    }
}

impl Push {
    fn new(route: Route, variable: Variable<'_>, runtime: &Handle) -> Result<Push, String> {
        let to = match route {
            Route::Grpc(to) => {
                let channel = Endpoint::from_shared(to).map_err(|error| error.to_string())?;
                Collector::Grpc(MetricsServiceClient::new(
                    channel.timeout(PATIENCE).connect_lazy(),
                ))
            }
            Route::Http(uri) => Collector::Http {
                poster: Poster::new(runtime),
                uri,
            },
        };
        let every = match variable("OTEL_METRIC_EXPORT_INTERVAL") {
            None => EVERY,
            Some(text) => text
                .parse()
                .ok()
                .filter(|millis| *millis > 0)
                .map(Duration::from_millis)
                .ok_or_else(|| format!("OTEL_METRIC_EXPORT_INTERVAL is {text:?}, not milliseconds"))?,
        };
        let headers = METRICS.variable(variable, "HEADERS").unwrap_or_default();
        Ok(Push {
            to,
            headers: read_headers(&headers)?,
            every,
        })
    }

    /// Begins on the current runtime.
    pub(crate) fn start(self, metrics: Metrics, resource: &Resource) -> Pushing {
        let (ask, mut asked) = mpsc::channel::<oneshot::Sender<()>>(1);
        let encoder = encode::Encoder::new(resource);
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(self.every);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            tick.tick().await;
            let mut failing = false;
            loop {
                let tell = tokio::select! {
                    _ = tick.tick() => None,
                    Some(tell) = asked.recv() => Some(tell),
                };
                let told = self.send(encoder.encode(&metrics.collect())).await;
                match &told {
                    Err(error) if !failing => tracing::warn!(error, "the collector does not take metrics"),
                    Ok(()) if failing => tracing::info!("the collector takes metrics again"),
                    Ok(()) | Err(_) => {}
                }
                failing = told.is_err();
                if let Some(tell) = tell {
                    // Who asked may be gone.
                    let _ = tell.send(());
                }
            }
        });
        Pushing(ask)
    }

    async fn send(&self, message: ExportMetricsServiceRequest) -> Result<(), String> {
        match &self.to {
            Collector::Grpc(client) => {
                let headers = MetadataMap::from_headers(self.headers.clone());
                let request = tonic::Request::from_parts(headers, tonic::Extensions::default(), message);
                let sent = client.clone().export(request).await;
                sent.map(drop).map_err(|status| status.to_string())
            }
            Collector::Http { poster, uri } => {
                let mut request = Request::post(uri.as_str())
                    .header(http::header::CONTENT_TYPE, "application/x-protobuf")
                    .body(Bytes::from(message.encode_to_vec()))
                    .map_err(|error| error.to_string())?;
                request.headers_mut().extend(self.headers.clone());
                let answer = poster
                    .send_bytes(request)
                    .await
                    .map_err(|error| error.to_string())?;
                if answer.status().is_success() {
                    Ok(())
                } else {
                    Err(answer.status().to_string())
                }
            }
        }
    }
}

/// `name=value,name=value`, as in `OTEL_EXPORTER_OTLP_HEADERS`.
fn read_headers(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let read = pair.split_once('=').and_then(|(name, value)| {
            let name = name.trim().parse::<HeaderName>().ok()?;
            let mut value = value.trim().parse::<HeaderValue>().ok()?;
            value.set_sensitive(true);
            Some((name, value))
        });
        let (name, value) =
            read.ok_or("OTEL_EXPORTER_OTLP_HEADERS must be name=value pairs with commas between")?;
        headers.insert(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn read(variables: &[(&str, &str)]) -> Result<Exports, String> {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        exports(&|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn without_an_endpoint_there_is_no_exporter() {
        for variables in [
            &[][..],
            &[("OTEL_SERVICE_NAME", "x"), ("OTEL_TRACES_EXPORTER", "otlp")],
            &[(ENDPOINT, "http://127.0.0.1:1"), ("OTEL_SDK_DISABLED", "true")],
        ] {
            let Exports { spans, logs, metrics } = read(variables).unwrap();
            assert!(
                spans.is_none() && logs.is_none() && metrics.is_none(),
                "{variables:?}"
            );
        }
    }

    #[tokio::test]
    async fn each_signal_goes_where_it_is_sent() {
        let all = read(&[(ENDPOINT, "http://127.0.0.1:1"), ("OTEL_LOGS_EXPORTER", "none")]).unwrap();
        assert!(all.spans.is_some() && all.logs.is_none());
        assert!(matches!(all.metrics.unwrap().to, Collector::Grpc(_)));
        let http = read(&[
            (ENDPOINT, "http://127.0.0.1:4318/"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=b, c=d="),
        ]);
        let push = http.unwrap().metrics.unwrap();
        assert!(matches!(push.to, Collector::Http { uri, .. } if uri == "http://127.0.0.1:4318/v1/metrics"));
        assert_eq!(
            (push.headers["a"].as_bytes(), push.headers["c"].as_bytes()),
            (&b"b"[..], &b"d="[..])
        );
    }

    /// Takes every POST; answers what was asked for, and of which kind it was.
    async fn listen() -> (String, mpsc::UnboundedReceiver<(String, String)>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (tell, told) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let tell = tell.clone();
                let answer = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
                    let kind = request.headers()[http::header::CONTENT_TYPE]
                        .to_str()
                        .unwrap()
                        .to_owned();
                    tell.send((request.uri().path().to_owned(), kind)).unwrap();
                    async move {
                        request.into_body().collect().await.unwrap();
                        Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
                    }
                });
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let socket = hyper_util::rt::TokioIo::new(socket);
                tokio::spawn(async move { server.serve_connection(socket, answer).await.unwrap() });
            }
        });
        (address, told)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn by_http_each_signal_is_posted_to_its_path() {
        use opentelemetry::trace::{Tracer as _, TracerProvider as _};
        let (address, mut told) = listen().await;
        let exports = read(&[
            (ENDPOINT, &address),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ]);
        let Exports { spans, metrics, .. } = exports.unwrap();
        let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder()
            .with_batch_exporter(spans.unwrap())
            .build();
        drop(provider.tracer("test").start("call"));
        tokio::task::spawn_blocking(move || provider.shutdown())
            .await
            .unwrap()
            .unwrap();
        let pushing = metrics.unwrap().start(Metrics::new(), &resource());
        pushing.last().await;
        let kind = || "application/x-protobuf".to_owned();
        assert_eq!(told.recv().await, Some(("/v1/traces".to_owned(), kind())));
        assert_eq!(told.recv().await, Some(("/v1/metrics".to_owned(), kind())));
    }

    #[tokio::test]
    async fn what_cannot_be_understood_is_refused_by_name() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_METRICS_EXPORTER", "prometheus"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "no pair"),
            (ENDPOINT, "https://collector:4317"),
            (ENDPOINT, "collector"),
        ] {
            let refused = read(&[(ENDPOINT, "http://127.0.0.1:1"), (name, value)]).unwrap_err();
            assert!(refused.contains(name), "{refused}");
        }
    }
}
