//! The program as it is run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

#[test]
fn a_server_process_says_where_it_serves_and_what_it_took_and_stops_with_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let reply = folder.path().join("reply");
    std::fs::write(&reply, b"\x0a\x0aFAST_TRACK").unwrap();
    let mut server = Command::new(env!("CARGO_BIN_EXE_greenstar-bench"))
        .arg("ceiling")
        .arg("--reply")
        .arg(&reply)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ask = server.stdin.take().unwrap();
    let mut answers = BufReader::new(server.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);

    let ready = answers.next().unwrap();
    assert!(ready.starts_with("ready 127.0.0.1:"), "{ready}");
    ask.write_all(b"cpu\n").unwrap();
    assert!(answers.next().unwrap().parse::<u64>().unwrap() > 0);
    drop(ask);
    assert!(server.wait().unwrap().success());
}

#[test]
fn a_short_check_prints_a_table_and_one_json_object_on_its_last_line() {
    let run = Command::new(env!("CARGO_BIN_EXE_greenstar-bench"))
        .args(["check", "--rounds", "1", "--duration", "200ms", "--rate", "200"])
        .args(["--connections", "2", "--in-flight", "4"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();

    assert!(run.status.success());
    let printed = String::from_utf8(run.stdout).unwrap();
    let (table, json) = printed.trim_end().rsplit_once('\n').unwrap();
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    for mode in ["ceiling", "sampled", "durable"] {
        assert!(table.contains(mode), "{table}");
        assert!(json[mode]["per_second"].as_f64().unwrap() > 0.0, "{json}");
        assert!(json[mode]["latency_us"]["p99"].as_f64().unwrap() > 0.0, "{json}");
    }
    assert!(json["ratio_sampled"].as_f64().unwrap() > 0.0, "{json}");
    assert!(json["ratio_durable"].as_f64().unwrap() > 0.0, "{json}");
    for figure in [
        "times_stock",
        "times_stock_few",
        "times_batch",
        "p99_sampled",
        "sync_p99_us",
    ] {
        assert!(json[figure].as_f64().unwrap() > 0.0, "{figure}: {json}");
    }
    assert!(json["p99_durable_excess"].is_number(), "{json}");
    // The tests are built with all programs.
    assert_eq!(json["stock_allocator"], "system");
}

#[test]
fn short_writes_find_every_flag_in_order_and_end_with_one_json_object() {
    let json = last_line(&["writes", "--rounds", "1", "--duration", "200ms"]);

    assert_eq!(json["gapless"], true, "{json}");
    for (engine, ratio) in [("postgres", "ratio_postgres"), ("sqlite", "ratio_sqlite")] {
        let flags = json[engine]["acknowledged"].as_u64().unwrap();
        assert!(flags > 0, "{json}");
        // The catalogue was first.
        assert_eq!(json[engine]["head"].as_u64().unwrap(), flags + 1, "{json}");
        assert!(json[ratio].as_f64().unwrap() > 0.0, "{json}");
    }
}

#[test]
fn a_short_propagation_reaches_everybody_and_ends_with_one_json_object() {
    let windows = ["--duration", "400ms", "--rate", "20", "--subscribers-rate", "20"];
    let json = last_line(
        &[
            ["propagation", "--rounds", "1", "--subscribers", "2"].as_slice(),
            &windows,
        ]
        .concat(),
    );

    for window in ["replicas", "subscribers", "embedded"] {
        for side in ["bare", "suite"] {
            assert_eq!(json[window][side]["events"], 8, "{json}");
            assert!(json[window][side]["p50_us"].as_f64().unwrap() > 0.0, "{json}");
        }
    }
    assert_eq!(json["first_restricted"]["events"], 1, "{json}");
    for ratio in [
        "ratio_p50",
        "ratio_p99",
        "ratio_200_p50",
        "ratio_200_p99",
        "ratio_embedded",
    ] {
        assert!(json[ratio].as_f64().unwrap() > 0.0, "{json}");
    }
}

fn last_line(arguments: &[&str]) -> serde_json::Value {
    let run = Command::new(env!("CARGO_BIN_EXE_greenstar-bench"))
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(run.status.success());
    let printed = String::from_utf8(run.stdout).unwrap();
    let (table, json) = printed.trim_end().rsplit_once('\n').unwrap();
    assert!(table.contains("interleaved"), "{table}");
    serde_json::from_str(json).unwrap()
}
