//! The binary.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use greenstar_testkit::Scratch;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenstar-supervision-policy"));
    for name in [
        "DATABASE_URL",
        "LISTEN",
        "CREDENTIALS",
        "SUBSCRIBER",
        "RATING",
        "SANCTIONS",
        "RECORD",
    ] {
        command.env_remove(format!("SUPERVISION_{name}"));
    }
    command
}

#[test]
fn bad_settings_are_one_line_and_exit_64() {
    let nowhere = ["--database-url", "sqlite:/nowhere/x.db"];
    for arguments in [
        &[][..],
        &["--database-url", "mysql://supervision:hunter2@db/x"],
        &["--database-url", "postgres://supervision:hunter2@db:port/x"],
        &[nowhere[0], nowhere[1], "--listen", "somewhere"],
        &[nowhere[0], nowhere[1], "--sample-every", "0"],
        &[
            nowhere[0],
            nowhere[1],
            "--credentials",
            "/nowhere/credentials.json",
        ],
        &[nowhere[0], nowhere[1], "--colour"],
    ] {
        let output = program().args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("hunter2"), "{said}");
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{arguments:?}: {said}");
    }
}

#[test]
fn it_migrates_by_command_then_serves_and_says_where() {
    let scratch = Scratch::sqlite();
    let credentials = scratch.dir().join("credentials.json");
    std::fs::write(
        &credentials,
        r#"{"supervision-policy": "a secret of the tests only"}"#,
    )
    .unwrap();
    let serve = || {
        let mut command = program();
        command.args(["--database-url", scratch.url(), "--listen", "127.0.0.1:0"]);
        command.arg("--credentials").arg(&credentials);
        command.arg("--record").arg(scratch.dir().join("records"));
        command
    };
    assert!(serve().arg("migrate").status().unwrap().success());
    let mut child = serve().stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let second = serve().output().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("ready http://127.0.0.1:"), "{line}");
    assert!(!second.status.success(), "one process owns the file");
}
