//! The binary.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use greenstar_testkit::Scratch;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenstar-sanctions"));
    for name in [
        "SANCTIONS_DATABASE_URL",
        "SANCTIONS_LISTEN",
        "SANCTIONS_CREDENTIALS",
    ] {
        command.env_remove(name);
    }
    command
}

#[test]
fn bad_settings_are_one_line_and_exit_64() {
    let nowhere = ["--database-url", "sqlite:/nowhere/x.db"];
    for arguments in [
        &[][..],
        &["--database-url", "mysql://sanctions:hunter2@db/x"],
        &["--database-url", "postgres://sanctions:hunter2@db:port/x"],
        &[nowhere[0], nowhere[1], "--listen", "somewhere"],
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
fn it_makes_its_file_then_serves_and_says_where() {
    let scratch = Scratch::sqlite();
    let serve = || {
        let mut command = program();
        command.args(["--database-url", scratch.url(), "--listen", "127.0.0.1:0"]);
        command
    };
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

#[tokio::test]
async fn on_postgresql_it_is_migrated_by_command_only() {
    let scratch = Scratch::postgres().await;
    let serve = || {
        let mut command = program();
        command.args(["--database-url", scratch.url(), "--listen", "127.0.0.1:0"]);
        command
    };
    let early = serve().output().unwrap();
    assert!(!early.status.success());
    assert!(String::from_utf8_lossy(&early.stderr).contains("migrate"));
    assert!(serve().arg("migrate").status().unwrap().success());
}
