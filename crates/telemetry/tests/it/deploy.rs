//! `deploy/` against the catalogue: a name that nobody exports makes an alert that never fires.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use greenstar_telemetry::catalogue::{ALL, Kind};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Names as Prometheus has them, with the three of a histogram.
fn exported() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for metric in ALL {
        let name = metric.prometheus();
        match metric.kind {
            Kind::Histogram => names.extend(["bucket", "sum", "count"].map(|end| format!("{name}_{end}"))),
            Kind::Counter | Kind::Gauge => drop(names.insert(name)),
        }
    }
    names
}

const LABELS: [&str; 7] = [
    "rpc_method",
    "rpc_response_status_code",
    "rpc_system_name",
    "greenstar_log",
    "greenstar_reason",
    "greenstar_state",
    "greenstar_way",
];

/// Words of ours in a text.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = words.filter(|word| word.starts_with("greenstar_") || word.starts_with("rpc_"));
    ours.filter(|word| !LABELS.contains(word)).collect()
}

#[test]
fn every_metric_in_alerts_and_dashboards_is_exported() {
    let exported = exported();
    for file in ["deploy/prometheus/alerts.yaml", "deploy/grafana/greenstar.json"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let named = named(&text);
        assert!(named.len() > 5, "{file}");
        for name in named {
            assert!(exported.contains(name), "{file}: nobody exports {name}");
        }
    }
}

#[test]
fn every_metric_is_on_the_dashboard_or_in_an_alert() {
    let texts = ["deploy/prometheus/alerts.yaml", "deploy/grafana/greenstar.json"]
        .map(|file| fs::read_to_string(root().join(file)).unwrap());
    for metric in ALL {
        let name = metric.prometheus();
        assert!(
            texts.iter().any(|text| text.contains(&name)),
            "nobody looks at {name}"
        );
    }
}

#[test]
fn an_operator_finds_every_alert_by_its_name() {
    let alerts = fs::read_to_string(root().join("deploy/prometheus/alerts.yaml")).unwrap();
    let guide = fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let names: Vec<&str> = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(names.len() > 10);
    for name in names {
        assert!(
            guide.contains(&format!("`{name}`")),
            "docs/operating.md does not say what to do at {name}"
        );
    }
}
