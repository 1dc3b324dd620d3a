//! What is logged while a test runs.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Dispatch;
use tracing::subscriber::{DefaultGuard, NoSubscriber};

/// The log of this thread from its making on, as in `#[tokio::test]`, which has no other.
#[derive(Debug)]
pub struct Logs {
    text: Text,
    /// While there is one dispatcher only, whether a line is of interest is asked of the thread that comes by it
    /// first, and kept: one of another test would silence it here.
    _second: Dispatch,
    _set: DefaultGuard,
}

impl Logs {
    /// Starts to keep what is logged at level info and above.
    pub fn keep() -> Logs {
        let second = Dispatch::new(NoSubscriber::default());
        let text = Text::default();
        let writer = text.clone();
        let lines = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        Logs {
            text,
            _second: second,
            _set: tracing::subscriber::set_default(lines),
        }
    }

    /// The lines that contain all of `parts`, e.g. `reason="SAME_OFFICER"`.
    pub fn lines(&self, parts: &[&str]) -> Vec<String> {
        let text = self.text.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&text);
        text.lines()
            .filter(|line| parts.iter().all(|part| line.contains(part)))
            .map(str::to_owned)
            .collect()
    }
}

#[derive(Clone, Debug, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
