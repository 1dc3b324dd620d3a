//! The numbers as Prometheus reads them (text format 0.0.4).

use std::fmt::Write as _;

use crate::catalogue::{Kind, underscored};
use crate::histogram::Snapshot;
use crate::metrics::{Sample, Samples, Value};

/// What the text is served as.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Samples {
    /// As a page for `/metrics`.
    pub fn to_prometheus(&self) -> String {
        let mut page = String::new();
        for family in self.families() {
            let name = family.metric.prometheus();
            let kind = match family.metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            // Writing to a String cannot fail.
            let _ = writeln!(page, "# HELP {name} {}", family.metric.help);
            let _ = writeln!(page, "# TYPE {name} {kind}");
            for sample in &family.samples {
                line(&mut page, &name, sample);
            }
        }
        page
    }
}

fn line(page: &mut String, name: &str, sample: &Sample) {
    let labels = labels(sample);
    match &sample.value {
        Value::Number(number) => {
            let labels = if labels.is_empty() {
                String::new()
            } else {
                format!("{{{labels}}}")
            };
            let _ = writeln!(page, "{name}{labels} {number}");
        }
        Value::Histogram(histogram) => {
            let (comma, end) = if labels.is_empty() {
                ("", String::new())
            } else {
                (",", format!("{{{labels}}}"))
            };
            let bounds = Snapshot::bounds().map(|bound| bound.to_string());
            let mut below = 0;
            for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&histogram.counts) {
                below += count;
                let _ = writeln!(page, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {below}");
            }
            let _ = writeln!(page, "{name}_sum{end} {}", histogram.sum);
            let _ = writeln!(page, "{name}_count{end} {below}");
        }
    }
}

fn labels(sample: &Sample) -> String {
    let labels: Vec<String> = sample
        .labels
        .iter()
        .map(|(name, value)| {
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            format!("{}=\"{value}\"", underscored(name))
        })
        .collect();
    labels.join(",")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::histogram::Histogram;
    use crate::{Metrics, attributes, catalogue};

    #[test]
    fn a_page_has_every_number_once_under_its_help() {
        let metrics = Metrics::new();
        metrics.register("view", |samples| {
            samples.number(&catalogue::VIEW_AGE, &[(attributes::LOG, "rating")], 0.25);
            samples.number(&catalogue::VIEW_AGE, &[(attributes::LOG, "a\"b\\c\nd")], 1.0);
            samples.count(&catalogue::VIEW_FRESH, &[], 1);
        });
        let page = metrics.collect().to_prometheus();
        assert!(page.contains("# TYPE greenstar_view_age_seconds gauge\n"));
        assert_eq!(page.matches("# HELP").count(), 2);
        assert!(page.contains("greenstar_view_age_seconds{greenstar_log=\"rating\"} 0.25\n"));
        assert!(page.contains(r#"greenstar_view_age_seconds{greenstar_log="a\"b\\c\nd"} 1"#));
        assert!(page.contains("\ngreenstar_view_fresh 1\n"));
    }

    #[test]
    fn the_buckets_of_a_histogram_add_up() {
        let metrics = Metrics::new();
        metrics.register("calls", |samples| {
            let histogram = Histogram::default();
            histogram.record(Duration::from_micros(200));
            histogram.record(Duration::from_secs(60));
            samples.histogram(&catalogue::RPC_DURATION, &[], histogram.snapshot());
        });
        let page = metrics.collect().to_prometheus();
        for line in [
            "rpc_server_call_duration_seconds_bucket{le=\"0.0001\"} 0\n",
            "rpc_server_call_duration_seconds_bucket{le=\"0.00025\"} 1\n",
            "rpc_server_call_duration_seconds_bucket{le=\"10\"} 1\n",
            "rpc_server_call_duration_seconds_bucket{le=\"+Inf\"} 2\n",
            "rpc_server_call_duration_seconds_count 2\n",
        ] {
            assert!(page.contains(line), "{line}{page}");
        }
    }

    #[test]
    fn who_registers_again_takes_the_place_of_the_first() {
        let metrics = Metrics::new();
        for fresh in [0, 1] {
            metrics.register("view", move |samples| {
                samples.count(&catalogue::VIEW_FRESH, &[], fresh);
            });
        }
        let page = metrics.collect().to_prometheus();
        assert!(page.contains("greenstar_view_fresh 1\n") && !page.contains("greenstar_view_fresh 0\n"));
    }
}
