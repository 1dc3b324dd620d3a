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
        "Calls that ended with an error, by method, code and ErrorInfo reason; WATCH_CUT_OFF is a watch that was too slow.");
    RPC_STREAMS = Gauge("greenstar.rpc.streams", "{stream}",
        "Streams that are open now, by method; watches are among them.");
    VIEW_AGE = Gauge("greenstar.view.age", "s",
        "How old the view may be; absent while nobody can say, which is older than any bound.");
    VIEW_FRESH = Gauge("greenstar.view.fresh", "{replica}",
        "1 while the view is within its bound of staleness, 0 while matters answer by their on_stale.");
    VIEW_APPLIED = Gauge("greenstar.view.applied", "{revision}",
        "The revision of each log that the view has applied.");
    VIEW_DIFFERED = Counter("greenstar.view.differed", "{comparison}",
        "Comparisons that found the view to be other than its source, by log; it was taken anew each time.");
    RECORD_BACKLOG = Gauge("greenstar.record.backlog", "{record}",
        "Decision records that only this replica's folder has: they are not in the database yet.");
    RECORD_DROPPED = Counter("greenstar.record.dropped", "{record}",
        "Decision records that were to be kept and were not.");
    RECORD_NONE = Counter("greenstar.record.none", "{decision}",
        "Decisions without a record, by reason: sampled (its matter is, and it was not among those to keep), dropped.");
    FEED_HEAD = Gauge("greenstar.feed.head", "{revision}",
        "The head of the service's own log as this replica knows it.");
    FEED_HEAD_AGE = Gauge("greenstar.feed.head.age", "s",
        "Time since the last good read of the log's head began; it grows when the log cannot be read.");
    SUBSCRIBERS = Gauge("greenstar.feed.subscribers", "{subscriber}",
        "Registered subscribers of the log by state: live, silent, fenced.");
    FEED_LAG = Gauge("greenstar.feed.lag", "{revision}",
        "How far the slowest subscriber that is connected to this replica is behind its head.");
    FEED_FRAMES = Counter("greenstar.feed.frames", "{frame}",
        "Frames of the log by how they came: own, redis, table.");
    FEED_GAPS = Counter("greenstar.feed.gaps", "{gap}",
        "Times that something was missed and the table was read at once.");
    FEED_SIBLING_DELAY = Gauge("greenstar.feed.sibling.delay", "s",
        "How long the last frame of a sibling took by Redis, by the two replicas' clocks.");
    FANOUT_CONNECTED = Gauge("greenstar.feed.fanout.connected", "{replica}",
        "1 while siblings are heard by Redis; 0 while they are polled, and where no Redis is set up.");
    FANOUT_FAILURES = Counter("greenstar.feed.fanout.failures", "{attempt}",
        "Times that Redis was lost or did not take a frame; polling goes on beneath.");
    FANOUT_ROTATIONS = Counter("greenstar.feed.fanout.rotations", "{stream}",
        "Streams of another life of the log that were dropped, as after a restore.");
    WRITER_BATCHES = Counter("greenstar.writer.batches", "{transaction}",
        "Joined transactions that ended with answers.");
    WRITER_COMMANDS = Counter("greenstar.writer.commands", "{command}",
        "Commands that were answered in them; divided by the batches it is the mean batch size.");
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
        assert_eq!(FEED_GAPS.prometheus(), "greenstar_feed_gaps_total");
        assert_eq!(RPC_DURATION.prometheus(), "rpc_server_call_duration_seconds");
    }
}
