//! A department's own repository checks its policies: files, no suite.

use std::process::{Command, Output};

use serde_json::Value;

const FINANCE: &str = include_str!("../../../supervision-policy/data/finance.yaml");

fn policy(arguments: &[&str]) -> (Output, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenstar"));
    let output = command
        .arg("policy")
        .args(arguments)
        .args(["--output", "json"])
        .output()
        .unwrap();
    let said = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output, said)
}

#[test]
fn policies_are_linted_tested_and_compared_as_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file("good.yaml", FINANCE);
    let (output, reports) = policy(&["lint", &good]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(reports[0]["findings"].as_array().unwrap().len(), 0, "{reports}");
    let (output, reports) = policy(&["test", &good]);
    assert!(
        output.status.success() && reports[0]["cases"].as_array().unwrap().len() >= 6,
        "{output:?}"
    );

    let text = FINANCE.replace("when: { star: 5, flags", "when: { star: 4, points: '<90', flags");
    assert_ne!(text, FINANCE);
    let bad = file("bad.yaml", &text);
    let (output, reports) = policy(&["lint", &good, &bad]);
    assert_eq!(output.status.code(), Some(1));
    // Two files of one name are no bundle.
    assert!(reports[0]["findings"][0]["fault"].as_bool().unwrap(), "{reports}");
    let (output, reports) = policy(&["lint", &bad]);
    assert_eq!(output.status.code(), Some(1));
    let kinds: Vec<&str> = reports[0]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["kind"].as_str().unwrap())
        .collect();
    assert!(
        kinds.contains(&"FINDING_KIND_UNFAIR") && kinds.contains(&"FINDING_KIND_CASE_FAILED"),
        "{kinds:?}"
    );
    let (output, _) = policy(&["test", &bad]);
    assert_eq!(output.status.code(), Some(1));

    let (output, compared) = policy(&["diff", &good, &bad]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(compared["changes"][0]["place"], "table.rows[3].when.star");
    assert!(!compared["behaviour"].as_array().unwrap().is_empty());

    let (output, _) = policy(&["lint", "no-such-file.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such-file.yaml"));
}
