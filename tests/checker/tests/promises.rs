//! The short form of what `greenstar-checker` does at length.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

fn checker(arguments: &[&str]) -> (bool, serde_json::Value, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_greenstar-checker"))
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let all = format!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let last = said.lines().last().unwrap_or_default();
    let report = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {all}"));
    (output.status.success(), report, all)
}

#[test]
fn no_promise_is_broken_while_processes_die_and_links_fail() {
    let (held, report, all) = checker(&["--seconds", "20", "--seed", "7"]);
    assert!(held, "{all}");
    for what in ["writes_acknowledged", "decisions_with_token", "frames"] {
        assert!(report["operations"][what].as_u64() > Some(10), "{what}: {all}");
    }
    assert!(!report["faults"].as_object().unwrap().is_empty(), "{all}");
}

#[test]
fn p1_without_a_token_a_permit_is_granted_too_late_with_it_none_is() {
    let (held, report, all) = checker(&["provoke", "--tries", "10000"]);
    assert!(held, "{all}");
    assert!(report["unfenced_anomalies"].as_u64() > Some(0), "{all}");
    assert_eq!(report["fenced_anomalies"].as_u64(), Some(0), "{all}");
    assert!(report["fenced_answers"].as_u64() >= Some(10_000), "{all}");
}
