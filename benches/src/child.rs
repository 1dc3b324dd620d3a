//! Servers are processes of their own, so that their processor time is theirs alone: this program starts
//! itself again. A child says `ready ADDRESS` on its standard output, answers each line `cpu` with its
//! processor time in nanoseconds, other lines with what it has measured, and stops when its standard input ends.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio_util::sync::CancellationToken;

/// A suite that loads its sample takes longest; a debug build of it much longer.
const START: Duration = Duration::from_secs(120);
const STOP: Duration = Duration::from_secs(20);

/// A server in another process.
#[derive(Debug)]
pub(crate) struct Child {
    process: tokio::process::Child,
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    pub(crate) address: SocketAddr,
}

impl Child {
    /// Starts this program again with these arguments and waits until it serves.
    pub(crate) async fn start<A: AsRef<OsStr>>(
        arguments: impl IntoIterator<Item = A>,
    ) -> anyhow::Result<Child> {
        Child::start_program(&std::env::current_exe()?, arguments).await
    }

    /// Another program that speaks as this one's children do.
    pub(crate) async fn start_program<A: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> anyhow::Result<Child> {
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the server process did not start")?;
        let (Some(ask), Some(said)) = (process.stdin.take(), process.stdout.take()) else {
            bail!("the server process has no pipes");
        };
        let mut answers = BufReader::new(said).lines();
        let ready = tokio::time::timeout(START, answers.next_line())
            .await
            .context("the server is not ready in time")??;
        let address = ready
            .as_deref()
            .and_then(|line| line.strip_prefix("ready "))
            .context("the server ended before it was ready")?;
        let address = address.strip_prefix("http://").unwrap_or(address).parse()?;
        Ok(Child {
            process,
            ask,
            answers,
            address,
        })
    }

    /// Processor time of the whole process since its start.
    pub(crate) async fn cpu(&mut self) -> anyhow::Result<Duration> {
        Ok(Duration::from_nanos(self.ask("cpu").await?.parse()?))
    }

    /// Says a line; the child answers with one.
    pub(crate) async fn ask(&mut self, line: &str) -> anyhow::Result<String> {
        self.ask.write_all(format!("{line}\n").as_bytes()).await?;
        self.answers.next_line().await?.context("the process ended")
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.ask);
        let status = tokio::time::timeout(STOP, self.process.wait())
            .await
            .context("the server does not stop")??;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}

/// The child's side: says where it serves, then answers the parent until its standard input ends, which
/// cancels `stop`.
pub(crate) fn attend(address: SocketAddr, stop: CancellationToken) {
    println!("ready {address}");
    answer(|_| None, move || stop.cancel());
}

/// Answers the parent: `cpu` by itself, what else it says by `asked`. `ended` is called when there is nothing more to
/// answer. A thread of its own: reading standard input blocks.
pub(crate) fn answer(
    mut asked: impl FnMut(&str) -> Option<String> + Send + 'static,
    ended: impl FnOnce() + Send + 'static,
) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let answer = match line.as_deref() {
                Ok("cpu") => Some(own_cpu().as_nanos().to_string()),
                Ok(line) => asked(line),
                Err(_) => None,
            };
            match answer {
                Some(answer) => println!("{answer}"),
                None => break,
            }
        }
        ended();
    });
}

/// Processor time of this process since its start, user and system.
pub(crate) fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    Duration::from_secs(seconds.unwrap_or(0)) + Duration::from_nanos(nanos.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_grows_with_work() {
        let before = own_cpu();
        let sum: u64 = (0..5_000_000_u64).map(std::hint::black_box).sum();
        assert!(sum > 0);
        assert!(own_cpu() > before);
    }
}
