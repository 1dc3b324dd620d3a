//! Lines of the log, with the trace they belong to.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::{Format, trace};

/// What `inner` writes, with `trace_id` and `span_id` where a call has them.
#[derive(Debug)]
pub(crate) struct Traced<F> {
    pub(crate) inner: F,
    pub(crate) format: Format,
}

impl<S, N, F> FormatEvent<S, N> for Traced<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some((trace, span)) = trace::ids() else {
            return self.inner.format_event(context, to, event);
        };
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        match self.format {
            Format::Text => writeln!(to, "{} trace_id={trace} span_id={span}", line.trim_end()),
            Format::Json => {
                let rest = line.strip_prefix('{').unwrap_or(&line);
                write!(to, "{{\"trace_id\":\"{trace}\",\"span_id\":\"{span}\",{rest}")
            }
        }
    }
}
