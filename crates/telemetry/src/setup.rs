//! Setting up a process once, from its environment.

use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::fmt::format::{JsonFields, format};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::line::Traced;
use crate::otlp::{self, Exports, Pushing};
use crate::trace::{Sampling, Tracing};
use crate::{Format, Telemetry};

/// What the last exports are given when a process ends.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whose own log lines are not exported: they are about exporting.
const EXPORTERS: [&str; 6] = ["opentelemetry", "hyper", "h2", "tonic", "tower", "rustls"];

/// Why telemetry cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("GREENSTAR_LOG cannot be read: {0}")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    #[error("GREENSTAR_LOG_FORMAT is {0:?}: it may be text or json")]
    Format(String),
    #[error("{0}")]
    Sampler(String),
    #[error("telemetry cannot be exported: {0}")]
    Export(String),
    #[error("logs were set up already")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

static PROCESS: OnceLock<Process> = OnceLock::new();

struct Process {
    telemetry: Telemetry,
    logs: Option<SdkLoggerProvider>,
    pushing: Option<Pushing>,
}

pub(crate) fn process() -> Option<&'static Telemetry> {
    PROCESS.get().map(|process| &process.telemetry)
}

/// Sets up the process; within its Tokio runtime.
///
/// - Logs go to standard error from level `info`, unless `GREENSTAR_LOG` says otherwise (e.g.
///   `info,greenstar_rpc=debug`), as `format` unless `GREENSTAR_LOG_FORMAT` is `text` or `json`.
/// - Traces, metrics and logs go to `OTEL_EXPORTER_OTLP_ENDPOINT`, if it is set, by gRPC or, on port 4318 or where
///   `OTEL_EXPORTER_OTLP_PROTOCOL` says so, by HTTP. `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
///   `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`, `OTEL_METRIC_EXPORT_INTERVAL`, `OTEL_{TRACES,METRICS,LOGS}_EXPORTER`
///   (`otlp` or `none`) and `OTEL_SDK_DISABLED` mean what OpenTelemetry says.
///
/// # Errors
/// A variable that cannot be understood, named; or a second call.
pub fn init(format: Format) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    set_up(format, &|name| {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    })
    .map_err(Into::into)
}

fn set_up(default: Format, variable: &dyn Fn(&str) -> Option<String>) -> Result<(), SetupError> {
    let filter = match variable("GREENSTAR_LOG") {
        Some(directives) => EnvFilter::try_new(directives).map_err(SetupError::Filter)?,
        None => EnvFilter::new("info"),
    };
    let format = match variable("GREENSTAR_LOG_FORMAT").as_deref() {
        None => default,
        Some("text") => Format::Text,
        Some("json") => Format::Json,
        Some(other) => return Err(SetupError::Format(other.to_owned())),
    };
    let sampler = (
        variable("OTEL_TRACES_SAMPLER"),
        variable("OTEL_TRACES_SAMPLER_ARG"),
    );
    let sampling =
        Sampling::parse(sampler.0.as_deref(), sampler.1.as_deref()).map_err(SetupError::Sampler)?;
    let Exports { spans, logs, metrics } = otlp::exports(variable).map_err(SetupError::Export)?;

    let resource = otlp::resource();
    let tracing = spans.map(|spans| {
        let provider = SdkTracerProvider::builder().with_resource(resource.clone());
        Tracing::new(provider.with_batch_exporter(spans), sampling)
    });
    let logs = logs.map(|logs| {
        let provider = SdkLoggerProvider::builder().with_resource(resource.clone());
        provider.with_batch_exporter(logs).build()
    });
    let exported = logs.as_ref().map(|logs| {
        OpenTelemetryTracingBridge::new(logs).with_filter(filter_fn(|line| {
            !EXPORTERS
                .iter()
                .any(|exporter| line.target().starts_with(exporter))
        }))
    });
    let lines = fmt::layer().with_writer(std::io::stderr);
    let subscriber = tracing_subscriber::registry().with(filter).with(exported);
    let set = match format {
        Format::Text => {
            let colours = std::io::stderr().is_terminal();
            let inner = self::format().with_ansi(colours);
            let lines = lines.with_ansi(colours).event_format(Traced { inner, format });
            subscriber.with(lines).try_init()
        }
        Format::Json => {
            let inner = self::format().json().flatten_event(true);
            let lines = lines
                .fmt_fields(JsonFields::new())
                .event_format(Traced { inner, format });
            subscriber.with(lines).try_init()
        }
    };
    set.map_err(SetupError::Twice)?;

    let telemetry = Telemetry::with(tracing);
    let pushing = metrics.map(|push| push.start(telemetry.metrics().clone(), &resource));
    let process = Process {
        telemetry,
        logs,
        pushing,
    };
    // Whoever was first to set the log is the only one to get here.
    drop(PROCESS.set(process));
    Ok(())
}

/// Exports what is left, at the end of a process; at most for two seconds.
pub async fn close() {
    let Some(process) = PROCESS.get() else { return };
    if let Some(pushing) = &process.pushing {
        // What is left after the patience is lost with the process.
        let _ = tokio::time::timeout(PATIENCE, pushing.last()).await;
    }
    // The exporters wait for their threads.
    let flushed = tokio::task::spawn_blocking(|| {
        process.telemetry.shut_down(PATIENCE);
        if let Some(logs) = &process.logs {
            // Nobody would read a line about it any more.
            let _ = logs.shutdown_with_timeout(PATIENCE);
        }
    });
    let _ = flushed.await;
}
