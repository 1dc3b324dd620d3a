//! Spans of calls. Whether a call is traced is decided before anything is made for it: a span that is thrown away
//! costs 14 % of a call, a decision next to nothing. The current call is OpenTelemetry's own context, so that the log
//! and the clients find it.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{
    SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, TracerProviderBuilder};
use tonic::Code;

use crate::attributes;
use crate::calls::{code_name, is_failure};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Which calls are traced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Of the calls that come without a decision, 0 to 1.
    ratio: f64,
    /// Whether a caller's own decision stands.
    heeds_caller: bool,
}

impl Sampling {
    /// A caller's decision stands; of the other calls `ratio` are traced, 0 to 1.
    pub fn ratio(ratio: f64) -> Sampling {
        Sampling {
            ratio,
            heeds_caller: true,
        }
    }

    /// By the names and arguments of OpenTelemetry's `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`; all calls
    /// where nothing is said, as it has it. A ratio alone is enough.
    ///
    /// Errors: text for people.
    pub(crate) fn parse(sampler: Option<&str>, argument: Option<&str>) -> Result<Sampling, String> {
        let ratio = match argument {
            None => 1.0,
            Some(text) => text
                .parse::<f64>()
                .ok()
                .filter(|ratio| (0.0..=1.0).contains(ratio))
                .ok_or_else(|| format!("OTEL_TRACES_SAMPLER_ARG is {text:?}, not a ratio from 0 to 1"))?,
        };
        let sampler = sampler.unwrap_or("parentbased_traceidratio");
        let (name, heeds_caller) = match sampler.strip_prefix("parentbased_") {
            Some(name) => (name, true),
            None => (sampler, false),
        };
        let ratio = match name {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => ratio,
            _ => {
                return Err(format!(
                    "OTEL_TRACES_SAMPLER {sampler:?} is none of OpenTelemetry's own"
                ));
            }
        };
        Ok(Sampling { ratio, heeds_caller })
    }

    fn decide(self) -> bool {
        self.ratio >= 1.0 || (self.ratio > 0.0 && rand::random::<f64>() < self.ratio)
    }
}

/// Makes spans.
#[derive(Debug)]
pub(crate) struct Tracing {
    tracer: SdkTracer,
    pub(crate) provider: SdkTracerProvider,
    sampling: Sampling,
}

impl Tracing {
    pub(crate) fn new(provider: TracerProviderBuilder, sampling: Sampling) -> Tracing {
        // Who gets this far is to be traced.
        let provider = provider.with_sampler(Sampler::AlwaysOn).build();
        Tracing {
            tracer: provider.tracer("greenstar"),
            provider,
            sampling,
        }
    }
}

/// The context that a call with these headers is answered in: of a span where it is traced, of its caller where the
/// caller named one, none otherwise. The headers go on with it.
pub(crate) fn enter(
    tracing: Option<&Tracing>,
    method: &'static str,
    headers: &mut HeaderMap,
) -> Option<Context> {
    let caller = headers
        .contains_key(&TRACEPARENT)
        .then(|| caller(headers))
        .flatten();
    let traced = tracing.filter(|tracing| {
        let decided = caller.as_ref().filter(|_| tracing.sampling.heeds_caller);
        decided.map_or_else(|| tracing.sampling.decide(), SpanContext::is_sampled)
    });
    let parent = caller.map(|caller| Context::new().with_remote_span_context(caller));
    let Some(tracing) = traced else { return parent };
    let span = SpanBuilder::from_name(method)
        .with_kind(SpanKind::Server)
        .with_attributes([
            KeyValue::new(attributes::RPC_SYSTEM, "grpc"),
            KeyValue::new(attributes::RPC_METHOD, method),
        ])
        .start_with_context(&tracing.tracer, &parent.unwrap_or_default());
    let context = Context::new().with_span(span);
    // For a gateway, which passes them on as they are.
    inject(&context, headers);
    Some(context)
}

/// What a caller says of its trace, if that can be read.
fn caller(headers: &HeaderMap) -> Option<SpanContext> {
    let read = TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
    let span = read.span().span_context().clone();
    span.is_valid().then_some(span)
}

/// Ends a call's span.
pub(crate) fn end(context: &Context, code: Code, reason: Option<&str>) {
    let span = context.span();
    if !span.is_recording() {
        return;
    }
    span.set_attribute(KeyValue::new(attributes::RPC_STATUS, code_name(code)));
    if let Some(reason) = reason {
        span.set_attribute(KeyValue::new(attributes::REASON, reason.to_owned()));
    }
    if is_failure(code) {
        span.set_attribute(KeyValue::new(attributes::ERROR_TYPE, code_name(code)));
        span.set_status(Status::error(Cow::Borrowed("")));
    }
    span.end();
}

/// Whether the current call is traced. Ask before building a value for [`note`].
pub fn is_traced() -> bool {
    Context::map_current(|context| context.span().is_recording())
}

/// Adds an attribute to the span of the current call, if it is traced.
pub fn note(attribute: &'static str, value: String) {
    Context::map_current(|context| {
        let span = context.span();
        if span.is_recording() {
            span.set_attribute(KeyValue::new(attribute, value));
        }
    });
}

/// Hands the current call's context on with an outgoing one, if there is any.
pub fn propagate(headers: &mut HeaderMap) {
    Context::map_current(|context| {
        if context.has_active_span() {
            inject(context, headers);
        }
    });
}

fn inject(context: &Context, headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(context, &mut HeaderInjector(headers));
    if headers.get("tracestate").is_some_and(http::HeaderValue::is_empty) {
        headers.remove("tracestate");
    }
}

/// Trace and span of the current call, as hexadecimal digits.
pub(crate) fn ids() -> Option<(String, String)> {
    Context::map_current(|context| {
        let span = context.span();
        let span = span.span_context();
        span.is_valid()
            .then(|| (span.trace_id().to_string(), span.span_id().to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenstar_testkit::Spans;

    const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const NOT_SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    fn headers(traceparent: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !traceparent.is_empty() {
            headers.insert(TRACEPARENT, traceparent.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_callers_decision_stands_and_other_calls_are_drawn_before_a_span_is_made() {
        for (traceparent, ratio, traced, in_trace) in [
            (SAMPLED, 0.0, true, true),
            (NOT_SAMPLED, 1.0, false, true),
            ("", 0.0, false, false),
            ("", 1.0, true, false),
            (
                "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                0.0,
                false,
                false,
            ),
            ("nonsense", 0.0, false, false),
            ("nonsense", 1.0, true, false),
        ] {
            let spans = Spans::default();
            let tracing = Tracing::new(spans.provider(), Sampling::ratio(ratio));
            let mut headers = headers(traceparent);
            let context = enter(Some(&tracing), "x.Service/Get", &mut headers);
            let trace = context
                .as_ref()
                .map(|context| context.span().span_context().trace_id().to_string());
            let same = trace.as_deref() == Some("0af7651916cd43dd8448eb211c80319c");
            assert_eq!(same, in_trace, "{traceparent} {ratio}");
            if let Some(context) = &context {
                end(context, Code::Ok, None);
            }
            assert_eq!(spans.ended().len(), usize::from(traced), "{traceparent} {ratio}");
            assert_eq!(
                headers.get(TRACEPARENT).is_some_and(|now| now != traceparent),
                traced
            );
        }
    }

    #[test]
    fn without_tracing_a_callers_context_is_still_handed_on() {
        let mut headers = headers(SAMPLED);
        let context = enter(None, "x.Service/Get", &mut headers).unwrap();
        let _now = context.attach();
        let mut onward = HeaderMap::new();
        propagate(&mut onward);
        assert_eq!(onward.get(TRACEPARENT).unwrap(), SAMPLED);
        assert!(!onward.contains_key("tracestate") && !is_traced());
    }

    #[test]
    fn a_sampler_is_read_as_opentelemetry_names_it() {
        let read = |sampler: &str, argument: &str| {
            let given = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
            Sampling::parse(given(sampler).as_deref(), given(argument).as_deref())
        };
        assert_eq!(read("", ""), Ok(Sampling::ratio(1.0)));
        assert_eq!(read("", "0.25"), Ok(Sampling::ratio(0.25)));
        assert_eq!(read("parentbased_always_off", ""), Ok(Sampling::ratio(0.0)));
        assert!(!read("traceidratio", "0.5").unwrap().heeds_caller);
        for (sampler, argument) in [
            ("jaeger_remote", ""),
            ("", "2"),
            ("", "-0.1"),
            ("", "NaN"),
            ("", "x"),
        ] {
            assert!(read(sampler, argument).is_err(), "{sampler} {argument}");
        }
    }
}
