//! The numbers of a process. Whoever has some registers a closure that tells them; it is asked only when somebody
//! looks, so nothing is paid on the way of a call but the atomics it counts with.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::catalogue::Metric;
use crate::histogram::Snapshot;

type Teller = Arc<dyn Fn(&mut Samples) + Send + Sync>;

/// Who tells numbers. Clones share it.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Mutex<BTreeMap<String, Teller>>>);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Nobody tells anything yet.
    pub fn new() -> Metrics {
        Metrics::default()
    }

    /// From now on `tell` is asked whenever somebody looks. Whoever was registered as `who` before is forgotten.
    /// It must not block.
    pub fn register(&self, who: impl Into<String>, tell: impl Fn(&mut Samples) + Send + Sync + 'static) {
        let mut tellers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tellers.insert(who.into(), Arc::new(tell));
    }

    /// All numbers as they are now.
    pub fn collect(&self) -> Samples {
        // A teller may register others: it is asked outside of the lock.
        let tellers: Vec<Teller> = {
            let tellers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            tellers.values().cloned().collect()
        };
        let mut samples = Samples::default();
        for tell in tellers {
            tell(&mut samples);
        }
        samples
    }
}

/// Numbers by their metric.
#[derive(Debug, Default)]
pub struct Samples {
    families: BTreeMap<&'static str, Family>,
}

/// All samples of one metric.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) metric: &'static Metric,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    Number(f64),
    Histogram(Snapshot),
}

/// Attribute names with values, e.g. `(attributes::LOG, "rating")`.
pub type Labels<'a> = &'a [(&'static str, &'a str)];

impl Samples {
    /// One number of a counter or a gauge.
    pub fn number(&mut self, metric: &'static Metric, labels: Labels<'_>, value: f64) {
        self.push(metric, labels, Value::Number(value));
    }

    /// One whole number, exact up to 2^53.
    pub fn count(&mut self, metric: &'static Metric, labels: Labels<'_>, value: u64) {
        self.number(metric, labels, value as f64);
    }

    /// One histogram.
    pub fn histogram(&mut self, metric: &'static Metric, labels: Labels<'_>, value: Snapshot) {
        self.push(metric, labels, Value::Histogram(value));
    }

    fn push(&mut self, metric: &'static Metric, labels: Labels<'_>, value: Value) {
        let labels = labels
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let family = self.families.entry(metric.name).or_insert_with(|| Family {
            metric,
            samples: Vec::new(),
        });
        family.samples.push(Sample { labels, value });
    }

    pub(crate) fn families(&self) -> impl Iterator<Item = &Family> {
        self.families.values()
    }
}
