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
