//! A server process that cannot outlive its test process.

use std::io::{BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};

/// Runs the server until it ends. A line on standard input crashes it and starts it again, after another
/// line if it says `stop`; the end of input, which comes when the test process ends in whatever way, stops
/// it. Removes the folder at last.
const WATCHDOG: &str = r#"
dir=$1; signal=$2; ready=$3; shift 3
trap '' PIPE # nobody may be left to read what is printed
exec 3<&0
while :; do
    rm -f "$dir/again"
    "$@" 3<&- </dev/null & server=$!
    { read -r word && echo "$word" >"$dir/again"; kill -s "$signal" "$server"; } <&3 3<&- & reader=$!
    wait "$server"
    kill "$reader" 2>/dev/null; wait "$reader"
    [ -e "$dir/again" ] || break
    [ "$(cat "$dir/again")" = stop ] || continue
    echo "$ready" # to be stopped
    read -r word <&3 || break
done
rm -rf "$dir"
"#;

/// How a server is brought down at once, without leaving anything behind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    /// PostgreSQL's immediate shutdown: it drops everything but its shared memory segment, which it removes.
    Quit,
    Kill,
}

impl Stop {
    fn signal(self) -> &'static str {
        match self {
            Stop::Quit => "QUIT",
            Stop::Kill => "KILL",
        }
    }
}

/// A running server and its folder.
#[derive(Debug)]
pub(crate) struct Daemon {
    watchdog: Mutex<Child>,
    input: Mutex<Option<ChildStdin>>,
    ready: Mutex<mpsc::Receiver<Result<(), String>>>,
}

impl Daemon {
    /// Starts `server` in a folder of its own; returns when it printed `ready_text`.
    /// Err: what it printed before it ended.
    pub(crate) fn start(
        dir: &Path,
        server: &[String],
        stop: Stop,
        ready_text: &'static str,
    ) -> Result<Daemon, String> {
        let mut command = unprivileged("sh");
        command
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(dir)
            .arg(stop.signal())
            .arg(ready_text)
            .args(server);
        // Away from the terminal's signals: an interrupted test run still cleans up.
        command.process_group(0).current_dir(dir);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut watchdog = command.spawn().map_err(|error| format!("sh: {error}"))?;
        let input = watchdog.stdin.take();
        let (tell, ready) = mpsc::channel();
        // PostgreSQL speaks on standard error, Redis on standard output; both are read to the end, or a full pipe stops them.
        if let Some(errors) = watchdog.stderr.take() {
            let tell = tell.clone();
            std::thread::spawn(move || listen(BufReader::new(errors), ready_text, &tell));
        }
        if let Some(output) = watchdog.stdout.take() {
            std::thread::spawn(move || listen(BufReader::new(output), ready_text, &tell));
        }
        let daemon = Daemon {
            watchdog: Mutex::new(watchdog),
            input: Mutex::new(input),
            ready: Mutex::new(ready),
        };
        daemon.wait_ready()?;
        Ok(daemon)
    }

    /// Kills the server as a power cut would and starts it on the same files and port.
    pub(crate) fn restart(&self) -> Result<(), String> {
        self.say("restart\n")
    }

    /// Kills the server; nobody listens on its port until it is started again.
    pub(crate) fn stop(&self) -> Result<(), String> {
        self.say("stop\n")
    }

    /// Starts a stopped server on the same files and port.
    pub(crate) fn start_again(&self) -> Result<(), String> {
        self.say("start\n")
    }

    fn say(&self, word: &str) -> Result<(), String> {
        if let Some(input) = lock(&self.input).as_mut() {
            input
                .write_all(word.as_bytes())
                .map_err(|error| error.to_string())?;
        }
        self.wait_ready()
    }

    fn wait_ready(&self) -> Result<(), String> {
        lock(&self.ready)
            .recv()
            .unwrap_or_else(|_| Err("it ended".to_owned()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(lock(&self.input).take());
        let _ = lock(&self.watchdog).wait();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(mut lines: impl std::io::BufRead, ready_text: &str, tell: &mpsc::Sender<Result<(), String>>) {
    let mut said = String::new();
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&line);
        if text.contains(ready_text) {
            said.clear();
            let _ = tell.send(Ok(()));
        } else if said.len() < 4096 {
            said.push_str(&text);
        }
        line.clear();
    }
    if !said.is_empty() {
        let _ = tell.send(Err(said));
    }
}

/// A command that never runs as root: PostgreSQL refuses to, and a test has no need to.
pub(crate) fn unprivileged(program: &str) -> Command {
    match drop_to() {
        None => Command::new(program),
        Some((user, group)) => {
            let mut command = Command::new("setpriv");
            command.args([
                &format!("--reuid={user}"),
                &format!("--regid={group}"),
                "--clear-groups",
                "--",
            ]);
            command.arg(program);
            command
        }
    }
}

/// The user to run servers as, when we are root: `postgres`, else `nobody`.
fn drop_to() -> Option<(u32, u32)> {
    let own = std::fs::metadata("/proc/self").ok()?;
    if std::os::unix::fs::MetadataExt::uid(&own) != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(
        find("postgres")
            .or_else(|| find("nobody"))
            .unwrap_or((65534, 65534)),
    )
}

/// A temporary folder that an unprivileged server can use. The watchdog removes it.
pub(crate) fn folder(name: &str) -> PathBuf {
    let dir = tempfile::Builder::new()
        .prefix(name)
        .tempdir()
        .expect("a temporary folder")
        .keep();
    if let Some((user, group)) = drop_to() {
        std::os::unix::fs::chown(&dir, Some(user), Some(group)).expect("give the folder away");
    }
    dir
}

/// A port that nobody listens on. Another process may take it before we do; callers try again.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback interface");
    listener.local_addr().expect("its address").port()
}

/// Where `program` is installed: on the path, or where Debian hides PostgreSQL's.
pub(crate) fn find(program: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut hidden: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| {
            versions
                .flatten()
                .map(|version| version.path().join("bin"))
                .collect()
        })
        .unwrap_or_default();
    hidden.sort();
    let found = std::env::split_paths(&path)
        .chain(hidden.into_iter().rev())
        .map(|dir| dir.join(program))
        .find(|candidate| candidate.is_file());
    found.unwrap_or_else(|| panic!("{program} is not installed; on Debian: apt-get install {package}"))
}
