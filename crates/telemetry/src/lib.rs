//! Where logs and traces are set up, and the names of their attributes. Every binary calls [`init`] once.
//! The export to a collector joins here; nothing else knows about it.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

pub mod attributes;

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Logs go to standard error, from level `info`, unless `GREENSTAR_LOG` says otherwise (e.g.
/// `info,greenstar_rpc=debug`: one span for each call).
///
/// Errors: a subscriber is set already, or `GREENSTAR_LOG` cannot be read.
pub fn init(format: Format) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let filter = match std::env::var("GREENSTAR_LOG") {
        Ok(directives) => EnvFilter::try_new(directives)?,
        Err(_) => EnvFilter::new("info"),
    };
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        Format::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    }
}
