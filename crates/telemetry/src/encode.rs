//! The numbers as OTLP carries them.

use std::time::SystemTime;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValueKind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource as ResourceMessage;
use opentelemetry_sdk::Resource;

use crate::catalogue::Kind;
use crate::histogram::Snapshot;
use crate::metrics::{Family, Sample, Samples, Value};

/// Writes numbers of one process. They count from its start.
#[derive(Debug)]
pub(crate) struct Encoder {
    resource: ResourceMessage,
    started: u64,
}

impl Encoder {
    pub(crate) fn new(resource: &Resource) -> Encoder {
        let attributes = resource
            .iter()
            .map(|(name, value)| attribute(name.as_str(), &value.to_string()));
        Encoder {
            resource: ResourceMessage {
                attributes: attributes.collect(),
                ..ResourceMessage::default()
            },
            started: now(),
        }
    }

    pub(crate) fn encode(&self, samples: &Samples) -> ExportMetricsServiceRequest {
        let now = now();
        let metrics = samples.families().map(|family| self.metric(family, now));
        let scope = ScopeMetrics {
            scope: Some(InstrumentationScope {
                name: "greenstar".to_owned(),
                ..InstrumentationScope::default()
            }),
            metrics: metrics.collect(),
            ..ScopeMetrics::default()
        };
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![scope],
                ..ResourceMetrics::default()
            }],
        }
    }

    fn metric(&self, family: &Family, now: u64) -> Metric {
        let numbers = || {
            let points = family
                .samples
                .iter()
                .filter_map(|sample| self.number(sample, now));
            points.collect()
        };
        let aggregation_temporality = AggregationTemporality::Cumulative.into();
        let data = match family.metric.kind {
            Kind::Gauge => Data::Gauge(Gauge {
                data_points: numbers(),
            }),
            Kind::Counter => Data::Sum(Sum {
                data_points: numbers(),
                aggregation_temporality,
                is_monotonic: true,
            }),
            Kind::Histogram => {
                let points = family
                    .samples
                    .iter()
                    .filter_map(|sample| self.histogram(sample, now));
                Data::Histogram(Histogram {
                    data_points: points.collect(),
                    aggregation_temporality,
                })
            }
        };
        Metric {
            name: family.metric.name.to_owned(),
            description: family.metric.help.to_owned(),
            unit: family.metric.unit.to_owned(),
            data: Some(data),
            ..Metric::default()
        }
    }

    fn number(&self, sample: &Sample, now: u64) -> Option<NumberDataPoint> {
        let Value::Number(value) = sample.value else {
            return None;
        };
        Some(NumberDataPoint {
            attributes: attributes(sample),
            start_time_unix_nano: self.started,
            time_unix_nano: now,
            value: Some(Number::AsDouble(value)),
            ..NumberDataPoint::default()
        })
    }

    fn histogram(&self, sample: &Sample, now: u64) -> Option<HistogramDataPoint> {
        let Value::Histogram(histogram) = &sample.value else {
            return None;
        };
        Some(HistogramDataPoint {
            attributes: attributes(sample),
            start_time_unix_nano: self.started,
            time_unix_nano: now,
            count: histogram.count(),
            sum: Some(histogram.sum),
            bucket_counts: histogram.counts.clone(),
            explicit_bounds: Snapshot::bounds().collect(),
            ..HistogramDataPoint::default()
        })
    }
}

fn attributes(sample: &Sample) -> Vec<KeyValue> {
    sample
        .labels
        .iter()
        .map(|(name, value)| attribute(name, value))
        .collect()
}

fn attribute(name: &str, value: &str) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue {
            value: Some(AnyValueKind::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

/// Nanoseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "when a collector was told, on the machine's clock; nothing is decided by it"
)]
fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
