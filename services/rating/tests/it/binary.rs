//! The service as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenstar-rating"));
    command.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for the ready line.
fn address(process: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    line.trim().strip_prefix("ready http://").unwrap().to_owned()
}

#[test]
fn the_binary_says_when_it_is_ready_and_ends_by_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("rating.db").display());
    for _ in 0..2 {
        let arguments = ["--listen", "127.0.0.1:0", "--database", &database, "--sample"];
        let mut process = binary().args(arguments).spawn().unwrap();
        let address = address(&mut process);
        assert!(std::net::TcpStream::connect(&address).is_ok(), "{address}");
        assert!(
            Command::new("kill")
                .arg(process.id().to_string())
                .status()
                .unwrap()
                .success()
        );
        assert!(process.wait().unwrap().success());
    }
}

#[test]
fn bad_settings_end_with_one_line_and_64() {
    for arguments in [
        vec!["--listen", "nowhere"],
        vec!["--database", "oracle:x"],
        vec!["--sample-date", "2026-02-30"],
        vec!["--credentials", "/nonexistent.json"],
        vec!["--colour"],
    ] {
        let output = binary().args(&arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), said.lines().count()),
            (Some(64), 1),
            "{arguments:?}: {said}"
        );
    }
}
