//! A running `greenstar up`, and commands that ask it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_greenstar");

pub(crate) struct Process {
    child: Child,
    folder: PathBuf,
    pub(crate) url: String,
}

impl Process {
    /// Starts the suite on a folder and waits for its ready line.
    pub(crate) fn start(folder: &Path) -> Process {
        Process::start_as(up(folder).stderr(Stdio::null()), folder)
    }

    /// The same in an environment; what it says on standard error is kept for [`Process::stop`].
    pub(crate) fn start_in(folder: &Path, environment: &[(&str, &str)]) -> Process {
        let mut command = up(folder);
        command.envs(environment.iter().copied()).stderr(Stdio::piped());
        Process::start_as(&mut command, folder)
    }

    fn start_as(command: &mut Command, folder: &Path) -> Process {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line.trim().strip_prefix("ready ");
        let url = url.unwrap_or_else(|| panic!("no ready line: {line:?}"));
        Process {
            url: url.to_owned(),
            child,
            folder: folder.to_owned(),
        }
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops it as a machine does that shuts down: what it said, if that was kept.
    pub(crate) fn stop(mut self) -> String {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        let mut said = String::new();
        self.child
            .stderr
            .as_mut()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}");
        said
    }

    /// A command of the program against this suite, as JSON.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// A command as it is written, without the folder.
    pub(crate) fn plain(&self, arguments: &[&str]) -> Output {
        Command::new(PROGRAM).args(arguments).output().unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        Command::new(PROGRAM)
            .args(arguments)
            .args(["--output", "json", "--data"])
            .arg(&self.folder)
            .output()
            .unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn up(folder: &Path) -> Command {
    up_by(Command::new(PROGRAM), folder)
}

fn up_by(mut command: Command, folder: &Path) -> Command {
    command
        .args(["up", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder);
    command
}

/// Starts the suite where it must refuse: its exit code and what it said.
pub(crate) fn refused(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    end_of(up(folder).args(arguments))
}

/// The same in an environment.
pub(crate) fn refused_in(folder: &Path, environment: &[(&str, &str)]) -> (Option<i32>, String) {
    end_of(up(folder).envs(environment.iter().copied()))
}

/// The same as a user without root's rights.
pub(crate) fn refused_as_nobody(folder: &Path) -> (Option<i32>, String) {
    let mut command = Command::new("setpriv");
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command.arg("--").arg(PROGRAM);
    end_of(&mut up_by(command, folder))
}

fn end_of(command: &mut Command) -> (Option<i32>, String) {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    child.stderr.as_mut().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}
