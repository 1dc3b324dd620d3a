//! A narrow door for the suite's yardsticks: a view of made-up enterprises, without sources, and what goes through all
//! of it. Nothing else may rely on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use greenstar_kernel::{Clock, Code, Epoch, ManualClock, Position, Revision, Timestamp, Uscc};

use crate::domain::catalogue::Catalogue;
use crate::domain::facts::{Facts, Flag};
use crate::domain::impact::{Comparison, Impact};
use crate::domain::policy::{Document, EVALUATOR, Policy};
use crate::domain::shipped;
use crate::simulate::{self, Going};
use crate::view::{Edition, FlagRow, Reading, Version, View};

/// A view that nobody feeds.
#[derive(Debug)]
pub struct Yard {
    view: View,
    clock: Arc<ManualClock>,
}

/// Why it cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the yard cannot be set up: {0}")]
pub struct Unsuitable(String);

impl Yard {
    /// Under the shipped policies and this catalogue.
    ///
    /// # Errors
    /// They do not fit.
    pub fn new(catalogue: &str, now: Timestamp) -> Result<Yard, Unsuitable> {
        let unsuitable = |error: &dyn std::fmt::Display| Unsuitable(error.to_string());
        let catalogue = Catalogue::from_yaml(catalogue).map_err(|error| unsuitable(&error))?;
        let view = View::new();
        let edition = Edition {
            name: "catalogues/yard".into(),
            from: now,
            source: Arc::default(),
            catalogue: Some(Arc::new(catalogue)),
        };
        let versions = shipped::documents().into_iter().map(|document| Version {
            document,
            number: 1,
            evaluator: EVALUATOR.to_owned(),
            effective_at: now,
        });
        view.put_policies(at(1)?, versions.collect(), now);
        view.replace_flags(at(1)?, vec![edition], Vec::new(), now);
        let clock = Arc::new(ManualClock::at(now));
        Ok(Yard { view, clock })
    }

    /// Takes these enterprises in the place of all before.
    ///
    /// # Errors
    /// Never for want of anything but memory.
    pub fn rate(&self, firms: impl Iterator<Item = (Uscc, Facts)>) -> Result<(), Unsuitable> {
        let mut snapshot = self.view.begin_ratings();
        for (uscc, facts) in firms {
            snapshot.put(&(uscc, Ok(facts)));
        }
        self.view.replace_ratings(at(1)?, snapshot);
        Ok(())
    }

    /// Changes enterprises that are there, as a frame of the feed does.
    pub fn change(&self, firms: impl Iterator<Item = (Uscc, Facts)>) {
        let rows: Vec<_> = firms.map(|(uscc, facts)| (uscc, Ok(facts))).collect();
        self.view.apply_ratings(&rows, Revision(2));
    }

    /// Raises flags.
    pub fn raise(&self, flags: impl Iterator<Item = (Uscc, Flag)>) {
        let row = |(uscc, flag): (Uscc, Flag)| FlagRow {
            uscc,
            name: flag.name.clone(),
            flag: Ok(Some(flag)),
        };
        let now = self.clock.now();
        self.view.apply_flags(flags.map(row).collect(), Revision(2), now);
    }

    /// Folds what has changed into the base.
    pub fn fold(&self) {
        self.view.fold();
    }

    /// Bytes that ratings and flags take after a fold.
    pub fn bytes(&self) -> [usize; 2] {
        self.view.bytes()
    }

    /// For looking enterprises up. `None`: nothing was rated yet.
    pub fn reader(&self) -> Option<Reader> {
        let clock: &dyn Clock = &*self.clock;
        Some(Reader(self.view.look(clock)?.reading))
    }

    /// Evaluates a candidate against the shipped policies over everybody, and tells how many were evaluated as it goes.
    ///
    /// # Errors
    /// The candidate is unsound, or nothing was rated yet.
    pub fn simulate(
        &self,
        candidate: &str,
        tell: impl Fn(usize) + Sync,
    ) -> Result<(Impact, usize), Unsuitable> {
        let clock: &dyn Clock = &*self.clock;
        let look = self
            .view
            .look(clock)
            .ok_or_else(|| Unsuitable("nobody was rated".to_owned()))?;
        let before = look
            .reading
            .ruling(look.as_of)
            .and_then(|ruling| ruling.policy.clone());
        let population = look.reading.population();
        let (before, population) = before
            .zip(population)
            .ok_or_else(|| Unsuitable("there are no policies".to_owned()))?;
        let document = Document {
            name: "candidate".to_owned(),
            text: candidate.to_owned(),
        };
        let after: Policy = before
            .with(&document)
            .map_err(|errors| Unsuitable(errors.to_string()))?;
        let own = after.infos().iter().find(|info| info.source == document);
        let name: Code = own
            .map(|info| info.name.clone())
            .ok_or_else(|| Unsuitable("it has no name".to_owned()))?;
        let comparison = Comparison::new(&before, &after, &name, None, &BTreeMap::new());
        let comparison = comparison.map_err(|error| Unsuitable(error.to_string()))?;
        let going = Going::default();
        let impact = std::thread::scope(|scope| {
            let counting =
                scope.spawn(|| simulate::everybody(&comparison, &population, look.as_of, 10, &going));
            while !counting.is_finished() {
                tell(going.done());
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            counting.join().ok().flatten()
        });
        let impact = impact.ok_or_else(|| Unsuitable("it was not counted to its end".to_owned()))?;
        Ok((impact, population.count()))
    }
}

/// One consistent look at everybody.
#[derive(Debug)]
pub struct Reader(Reading);

impl Reader {
    /// All that a decision reads about an enterprise; `None`: it cannot be read.
    pub fn facts(&self, uscc: &Uscc) -> Option<Facts> {
        self.0.facts(uscc).ok()
    }

    /// Whether it is registered, found as a decision finds it and left where it is.
    pub fn finds(&self, uscc: &Uscc) -> bool {
        self.0.finds(uscc)
    }
}

fn at(revision: u64) -> Result<Position, Unsuitable> {
    let epoch = Epoch::parse("yard").ok_or_else(|| Unsuitable("it has no epoch".to_owned()))?;
    Ok(Position {
        epoch,
        revision: Revision(revision),
    })
}
