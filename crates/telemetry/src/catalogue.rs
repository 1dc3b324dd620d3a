//! Every metric of the suite: its name, what it counts, and in what. Dashboards and alerts name nothing else.

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only up, from zero at the start of the process.
    Counter,
    /// Up and down.
    Gauge,
    /// How often values fell within each bound.
    Histogram,
}

/// A metric by its OpenTelemetry name.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// `greenstar.view.age`.
    pub name: &'static str,
    pub kind: Kind,
    /// UCUM: `s`, or what is counted in braces.
    pub unit: &'static str,
    /// One sentence for who meets it.
    pub help: &'static str,
}

impl Metric {
    const fn new(kind: Kind, name: &'static str, unit: &'static str, help: &'static str) -> Metric {
        Metric {
            name,
            kind,
            unit,
            help,
        }
    }

    /// The name by the rules of Prometheus: `greenstar_view_age_seconds`.
    pub fn prometheus(&self) -> String {
        let mut name = underscored(self.name);
        if self.unit == "s" {
            name.push_str("_seconds");
        }
        if self.kind == Kind::Counter {
            name.push_str("_total");
        }
        name
    }
}

/// As Prometheus writes the names of metrics and labels.
pub(crate) fn underscored(name: &str) -> String {
    name.replace('.', "_")
}

macro_rules! catalogue {
    ($($(#[$doc:meta])* $id:ident = $kind:ident($name:literal, $unit:literal, $help:literal);)*) => {
        $($(#[$doc])* #[doc = $help] pub static $id: Metric = Metric::new(Kind::$kind, $name, $unit, $help);)*

        /// All of them.
        pub static ALL: &[&Metric] = &[$(&$id),*];
    };
}

catalogue! {
    RPC_DURATION = Histogram("rpc.server.call.duration", "s",
        "How long calls took, streams from open to end, by method and canonical code.");
    RPC_ERRORS = Counter("greenstar.rpc.errors", "{call}",
        "Calls that were answered with an error, by method, code and ErrorInfo reason.");
    RPC_STREAMS = Gauge("greenstar.rpc.streams", "{stream}",
        "Streams that are open now, by method; watches are among them.");
    VIEW_AGE = Gauge("greenstar.view.age", "s",
        "How old the view may be, per log; absent while nothing is known, which is older than any bound.");
    VIEW_APPLIED = Gauge("greenstar.view.applied", "{revision}",
        "The revision of each log that the view has applied.");
    VIEW_FRESH = Gauge("greenstar.view.fresh", "{replica}",
        "1 while the view is within its bound of staleness, 0 when matters answer by their on_stale.");
    RECORD_BACKLOG = Gauge("greenstar.record.backlog", "{record}",
        "Decision records in this replica's segments that are not in the database yet.");
    RECORD_DROPPED = Counter("greenstar.record.dropped", "{record}",
        "Decisions that were refused or lost because they could not be recorded.");
    FEED_HEAD = Gauge("greenstar.feed.head", "{revision}",
        "The head of the service's own log as its feed last read it.");
    FEED_HEAD_AGE = Gauge("greenstar.feed.head.age", "s",
        "Time since the last successful read of the head began; it grows when the log cannot be read.");
    FEED_CUT_OFFS = Counter("greenstar.feed.cut_offs", "{watch}",
        "Watches that were ended because they fell too far behind.");
    FEED_FANOUT_FAILURES = Counter("greenstar.feed.fanout.failures", "{attempt}",
        "Failed attempts to publish to or read from the Redis stream; polling goes on beneath.");
    SUBSCRIBERS = Gauge("greenstar.feed.subscribers", "{subscriber}",
        "Registered subscribers of the log by their state: live, laggard, fenced.");
    WRITER_BATCHES = Counter("greenstar.writer.batches", "{transaction}",
        "Joined transactions that were committed.");
    WRITER_COMMANDS = Counter("greenstar.writer.commands", "{command}",
        "Commands that were carried out in them; divided by the batches it is the mean batch size.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_name_of_its_own_in_both_worlds() {
        let mut names: Vec<String> = ALL.iter().map(|metric| metric.prometheus()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert_eq!(VIEW_AGE.prometheus(), "greenstar_view_age_seconds");
        assert_eq!(FEED_CUT_OFFS.prometheus(), "greenstar_feed_cut_offs_total");
        assert_eq!(RPC_DURATION.prometheus(), "rpc_server_call_duration_seconds");
    }
}
