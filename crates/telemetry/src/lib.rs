//! Logs, metrics and traces of a process, and the names in them. A program calls [`init`] once and [`close`] at its
//! end; without an endpoint of a collector nothing is exported and nobody misses it.

pub mod attributes;
mod calls;
pub mod catalogue;
mod encode;
mod histogram;
mod line;
mod metrics;
mod otlp;
mod prometheus;
mod setup;
mod trace;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry_sdk::trace::TracerProviderBuilder;
use tonic::Code;

pub use calls::{Calls, code_name, is_failure};
pub use histogram::{Histogram, Snapshot};
pub use metrics::{Labels, Metrics, Samples};
pub use prometheus::CONTENT_TYPE;
pub use setup::{SetupError, close, init};
pub use trace::{Sampling, is_traced, note, propagate};

use trace::Tracing;

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Where a server counts and traces its calls. Clones share it.
#[derive(Clone, Debug)]
pub struct Telemetry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    metrics: Metrics,
    calls: OnceLock<Arc<Calls>>,
    tracing: Option<Tracing>,
}

impl Telemetry {
    /// What [`init`] has set up for the process; where it was not called, one that counts for itself and traces
    /// nothing.
    pub fn of_process() -> Telemetry {
        setup::process().cloned().unwrap_or_else(|| Telemetry::with(None))
    }

    /// One that traces, with the processors of `provider`.
    pub fn tracing(provider: TracerProviderBuilder, sampling: Sampling) -> Telemetry {
        Telemetry::with(Some(Tracing::new(provider, sampling)))
    }

    fn with(tracing: Option<Tracing>) -> Telemetry {
        Telemetry(Arc::new(Inner {
            metrics: Metrics::new(),
            calls: OnceLock::new(),
            tracing,
        }))
    }

    /// The numbers that are told on `/metrics` and to a collector.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Where calls are counted; made with one row for each of `methods` when first asked for.
    pub fn calls<I>(&self, methods: impl FnOnce() -> I) -> Arc<Calls>
    where
        I: IntoIterator<Item = &'static str>,
    {
        let made = || {
            let calls = Arc::new(Calls::new(methods()));
            let told = calls.clone();
            self.0.metrics.register("rpc", move |samples| told.tell(samples));
            calls
        };
        self.0.calls.get_or_init(made).clone()
    }

    /// The context to answer a call in: of a span if it is traced, of the caller's trace if it named one, none
    /// otherwise. `headers` then name the span as what they came from.
    pub fn enter(&self, method: &'static str, headers: &mut HeaderMap) -> Option<Context> {
        trace::enter(self.0.tracing.as_ref(), method, headers)
    }

    /// Ends the span of `context`, if there is one.
    pub fn end(&self, context: &Context, code: Code, reason: Option<&str>) {
        trace::end(context, code, reason);
    }

    fn shut_down(&self, patience: Duration) {
        if let Some(tracing) = &self.0.tracing
            && let Err(error) = tracing.provider.shutdown_with_timeout(patience)
        {
            ::tracing::warn!(%error, "the last spans were not exported");
        }
    }
}
