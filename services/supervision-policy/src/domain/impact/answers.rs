//! One matter's answers for very many enterprises. An answer is its outcome and its measures with their values, the
//! same that a decision gives; reasons are left out.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use greenstar_kernel::{Standing, Timestamp};
use greenstar_tables::RowSet;

use super::super::columns::Reading;
use super::super::compose::{Composition, compose};
use super::super::decide::DecideError;
use super::super::facts::Facts;
use super::super::matter::{Arguments, Matter};
use super::super::policy::Policy;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Answer {
    /// Position in the matter's outcomes.
    pub(super) outcome: usize,
    /// By position in the catalogue, in order.
    pub(super) measures: Vec<(usize, Option<i64>)>,
}

/// All that an answer follows from where no flag counts: which rows hold, and what carries measures at this instant.
type Key = (Option<RowSet>, RowSet, Standing);

/// The answers of one policy to matters that share its table. Few are different, and each is composed once: what is
/// left for an enterprise is to look its facts up in two tables.
#[derive(Debug)]
pub(super) struct Answers<'p> {
    policy: &'p Policy,
    as_of: Option<Timestamp>,
    composed: HashMap<Key, usize, RandomState>,
    numbers: HashMap<Answer, usize, RandomState>,
    answers: Vec<Answer>,
}

impl<'p> Answers<'p> {
    pub(super) fn new(policy: &'p Policy) -> Answers<'p> {
        Answers {
            policy,
            as_of: None,
            composed: HashMap::default(),
            numbers: HashMap::default(),
            answers: Vec::new(),
        }
    }

    pub(super) fn get(&self, number: usize) -> Option<&Answer> {
        self.answers.get(number)
    }

    /// Number of the answer that a decision on these facts gives. All matters asked here have the same table.
    pub(super) fn answer(
        &mut self,
        matter: &Matter,
        facts: &Facts,
        arguments: &Arguments,
        as_of: Timestamp,
    ) -> Result<usize, DecideError> {
        let policy = self.policy;
        let reading = Reading::of(facts, arguments, matter, policy.catalogue(), as_of)?;
        if reading.flags.iter().any(|flag| flag.counts) {
            let composition = compose(policy, matter, &reading)?;
            return Ok(self.number(&composition));
        }
        if self.as_of != Some(as_of) {
            self.composed.clear();
            self.as_of = Some(as_of);
        }
        let table = match &matter.table {
            Some(table) => Some(table.evaluate(|column| reading.value(column))?.matched),
            None => None,
        };
        let baseline = policy.baseline.evaluate(|column| reading.value(column))?.matched;
        let key = (table, baseline, reading.rating.standing);
        if let Some(number) = self.composed.get(&key) {
            return Ok(*number);
        }
        let composition = compose(policy, matter, &reading)?;
        let number = self.number(&composition);
        self.composed.insert(key, number);
        Ok(number)
    }

    fn number(&mut self, composition: &Composition<'_>) -> usize {
        let measures = composition.measures.iter();
        let mut measures: Vec<_> = measures
            .map(|measure| (measure.position, measure.value))
            .collect();
        measures.sort_unstable();
        let answer = Answer {
            outcome: composition.verdict.outcome,
            measures,
        };
        let next = self.answers.len();
        let Answers { answers, numbers, .. } = self;
        *numbers.entry(answer).or_insert_with_key(|answer| {
            answers.push(answer.clone());
            next
        })
    }
}
