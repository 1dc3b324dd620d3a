//! The program as it is run.

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
}
