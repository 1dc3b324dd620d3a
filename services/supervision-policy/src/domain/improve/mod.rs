//! Which smallest change gives a milder outcome, for the firm's owner. Every set of changes that is named was applied
//! to the facts and decided again by table, baseline and law: nothing is read off the rows, and nothing is guessed.

mod change;
mod levers;
mod text;
mod time;

use std::time::Duration;

use greenstar_kernel::{Date, Points, Timestamp};

use self::change::Applied;
use self::levers::{Lever, Way};
use super::columns::Reading;
use super::compose::judge;
use super::decide::DecideError;
use super::facts::Facts;
use super::matter::{Arguments, Matter, Outcome};
use super::policy::Policy;

pub use self::change::{Change, What};

/// So many sets are named.
const NAMED: usize = 8;
/// So many combinations are decided before it is too many: some hundred milliseconds.
const TRIED: usize = 200_000;

/// The matter as it is, and what would make it milder.
#[derive(Clone, Debug)]
pub struct Improvement<'a> {
    /// As it is now.
    pub outcome: &'a Outcome,
    pub verdict: Verdict,
    /// The nearest first.
    pub sets: Vec<Set<'a>>,
    /// When time alone gives a milder outcome, and which.
    pub by_itself: Option<(Timestamp, &'a Outcome)>,
}

/// Whether anything helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is no milder outcome.
    Best,
    Improvable,
    NothingHelps,
    /// Not every combination could be tried.
    TooIntricate,
}

/// Changes that together give a milder outcome, and none of which can be left out.
#[derive(Clone, Debug)]
pub struct Set<'a> {
    /// What would come out.
    pub outcome: &'a Outcome,
    pub changes: Vec<Change<'a>>,
}

/// How far a set is, among those of as many changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Distance {
    /// To gain.
    stars: u8,
    /// To gain.
    points: Points,
    /// Until the last flag or event can be gone.
    wait: Duration,
}

impl Distance {
    const NEVER: Duration = Duration::MAX;
}

/// The question, to be decided again and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    policy: &'a Policy,
    matter: &'a Matter,
    arguments: &'a Arguments,
    as_of: Timestamp,
}

impl Question<'_> {
    /// Position of the composed outcome.
    fn outcome(&self, facts: &Facts, as_of: Timestamp) -> Result<usize, DecideError> {
        let catalogue = &self.policy.catalogue;
        let reading = Reading::of(facts, self.arguments, self.matter, catalogue, as_of)?;
        judge(self.policy, self.matter, &reading).map(|verdict| verdict.outcome)
    }

    fn today(&self) -> Date {
        self.as_of.date()
    }
}

/// Finds the smallest changes that give a milder composed outcome.
///
/// # Errors
/// As [`super::decide::decide`].
pub fn improve<'a>(
    policy: &'a Policy,
    matter: &'a Matter,
    facts: &'a Facts,
    arguments: &'a Arguments,
    as_of: Timestamp,
) -> Result<Improvement<'a>, DecideError> {
    let question = Question {
        policy,
        matter,
        arguments,
        as_of,
    };
    let outcome = question.outcome(facts, as_of)?;
    let mut improvement = Improvement {
        outcome: matter.outcome(outcome),
        verdict: Verdict::Best,
        sets: Vec::new(),
        by_itself: None,
    };
    if outcome == 0 {
        return Ok(improvement);
    }
    let levers = levers::of(&question, facts);
    let mut search = Search {
        question,
        facts,
        outcome,
        levers: &levers,
        tried: 0,
        found: Vec::new(),
    };
    let whole = search.run()?;
    let mut found = search.found;
    found.sort_by_key(|(distance, _)| *distance);
    found.truncate(NAMED);
    let instants = time::instants(&question, facts);
    for (_, ways) in found {
        let applied = Applied::of(facts, &ways, as_of);
        let given = question.outcome(&applied.facts, as_of)?;
        let mut changes = Vec::with_capacity(ways.len());
        for at in 0..ways.len() {
            let mut others = ways.clone();
            let way = others.remove(at);
            let rest = Applied::of(facts, &others, as_of);
            let by_itself = time::first_milder(&question, &rest.facts, outcome, &instants)?;
            let by_itself = by_itself.map(|(at, _)| at);
            changes.extend(Change::of(&question, facts, &applied, way, by_itself));
        }
        improvement.sets.push(Set {
            outcome: matter.outcome(given),
            changes,
        });
    }
    improvement.verdict = match (improvement.sets.is_empty(), whole) {
        (false, _) => Verdict::Improvable,
        (true, true) => Verdict::NothingHelps,
        (true, false) => Verdict::TooIntricate,
    };
    let alone = time::first_milder(&question, facts, outcome, &instants)?;
    improvement.by_itself = alone.map(|(at, given)| (at, matter.outcome(given)));
    Ok(improvement)
}

/// Goes through the sets of levers, the smallest first.
struct Search<'a, 'q> {
    question: Question<'a>,
    facts: &'a Facts,
    /// To be beaten.
    outcome: usize,
    levers: &'q [Lever],
    tried: usize,
    /// The nearest way of each set of levers that helps.
    found: Vec<(Distance, Vec<Way>)>,
}

impl Search<'_, '_> {
    /// Stops behind the first size of which a set helps. False: not everything was tried.
    fn run(&mut self) -> Result<bool, DecideError> {
        for size in 1..=self.levers.len() {
            let mut chosen = Vec::with_capacity(size);
            if !self.choose(0, size, &mut chosen)? {
                return Ok(false);
            }
            if !self.found.is_empty() {
                break;
            }
        }
        Ok(true)
    }

    /// Every set with so many more levers from this one on. False: there are too many.
    fn choose(&mut self, from: usize, more: usize, chosen: &mut Vec<usize>) -> Result<bool, DecideError> {
        if more == 0 {
            let mut ways = Vec::with_capacity(chosen.len());
            let mut best = None;
            if !self.pull(chosen, &mut ways, &mut best)? {
                return Ok(false);
            }
            self.found.extend(best);
            return Ok(true);
        }
        for lever in from..=self.levers.len().saturating_sub(more) {
            chosen.push(lever);
            let whole = self.choose(lever + 1, more - 1, chosen)?;
            chosen.pop();
            if !whole {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Every way to pull the chosen levers; the nearest that helps is kept.
    fn pull(
        &mut self,
        chosen: &[usize],
        ways: &mut Vec<Way>,
        best: &mut Option<(Distance, Vec<Way>)>,
    ) -> Result<bool, DecideError> {
        let Some(lever) = chosen.get(ways.len()).and_then(|at| self.levers.get(*at)) else {
            return self.judge(ways, best);
        };
        for way in &lever.ways {
            // One of them fills the total up; two would be one too many.
            if way.fills() && ways.iter().any(Way::fills) {
                continue;
            }
            ways.push(*way);
            let whole = self.pull(chosen, ways, best)?;
            ways.pop();
            if !whole {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn judge(&mut self, ways: &[Way], best: &mut Option<(Distance, Vec<Way>)>) -> Result<bool, DecideError> {
        if self.tried == TRIED {
            return Ok(false);
        }
        self.tried += 1;
        let applied = Applied::of(self.facts, ways, self.question.as_of);
        // Nothing is left to fill: it is the same without.
        if applied.idle {
            return Ok(true);
        }
        let distance = applied.distance(&self.question, self.facts, ways);
        if best.as_ref().is_some_and(|(nearest, _)| *nearest <= distance) {
            return Ok(true);
        }
        if self.question.outcome(&applied.facts, self.question.as_of)? < self.outcome {
            *best = Some((distance, ways.to_vec()));
        }
        Ok(true)
    }
}
