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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use http::HeaderMap;
    use tracing_subscriber::fmt::format::{JsonFields, format};

    use super::*;

    #[derive(Clone, Default)]
    struct Text(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Text {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A line within a call of a trace, and one outside of any.
    fn lines(subscriber: impl Subscriber + Send + Sync, text: &Text) -> Vec<String> {
        let mut headers = HeaderMap::new();
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        headers.insert("traceparent", parent.parse().unwrap());
        tracing::subscriber::with_default(subscriber, || {
            let call = trace::enter(None, "x.Service/Get", &mut headers)
                .unwrap()
                .attach();
            tracing::info!(reason = "X", "call refused");
            drop(call);
            tracing::info!("alone");
        });
        let text = String::from_utf8(text.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_within_a_call_names_its_trace_and_no_other_does() {
        const IDS: &str = "trace_id=0af7651916cd43dd8448eb211c80319c span_id=b7ad6b7169203331";
        let text = Text::default();
        let writer = text.clone();
        let inner = format().with_ansi(false);
        let traced = Traced {
            inner,
            format: Format::Text,
        };
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .event_format(traced);
        let plain = lines(subscriber.finish(), &text);
        assert!(
            plain[0].ends_with(&format!("call refused reason=\"X\" {IDS}")),
            "{plain:?}"
        );
        assert!(plain[1].ends_with("alone") && plain.len() == 2, "{plain:?}");

        let text = Text::default();
        let writer = text.clone();
        let inner = format().json().flatten_event(true);
        let traced = Traced {
            inner,
            format: Format::Json,
        };
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(JsonFields::new())
            .with_writer(move || writer.clone())
            .event_format(traced);
        let json = lines(subscriber.finish(), &text);
        let start = "{\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\"span_id\":\"b7ad6b7169203331\",\"timestamp\":";
        assert!(
            json[0].starts_with(start) && json[0].contains("\"reason\":\"X\""),
            "{json:?}"
        );
        assert!(
            json[1].starts_with("{\"timestamp\":") && json.len() == 2,
            "{json:?}"
        );
    }
}
