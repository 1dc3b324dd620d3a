//! Counting, enterprise by enterprise. Several may count parts of the whole; their counts are added.

mod sum;

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use greenstar_kernel::{Standing, Timestamp};

use super::super::decide::DecideError;
use super::super::facts::{District, Facts, Sector};
use super::super::matter::{Arguments, Matter, Outcome};
use super::answers::{Answer, Answers};
use super::comparison::{Comparison, Pair, Side};

/// In a pair: all of its matters, since no flag tells them apart.
const ALL: usize = usize::MAX;

/// Answer before and after, by number; `None`: there is no such matter.
type Numbers = [Option<usize>; 2];

/// Counts part of a whole.
#[derive(Debug)]
pub struct Count<'c, 'p> {
    comparison: &'c Comparison<'p>,
    sample: usize,
    before: Vec<Answers<'p>>,
    after: Vec<Answers<'p>>,
    others: Vec<Answers<'p>>,
    /// By pair.
    cells: Vec<HashMap<(usize, Numbers), Cell, RandomState>>,
    groups: HashMap<Group, Ways, RandomState>,
    /// By pair of excluding measures.
    conflicts: BTreeMap<(usize, usize), Met>,
    evaluated: u64,
    outcome_changed: u64,
    measures_changed: u64,
    skipped: u64,
    scratch: Scratch,
}

/// Enterprises with the same two answers.
#[derive(Debug)]
struct Cell {
    count: u64,
    change: Change,
    sample: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Change {
    outcome: bool,
    measures: bool,
    direction: Option<Ordering>,
    /// A measure is new that excludes others.
    excludes: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Group {
    /// Position in the comparison's.
    Department(usize),
    District(Option<District>),
    Sector(Option<Sector>),
    Standing(Standing),
}

#[derive(Clone, Copy, Debug, Default)]
struct Ways {
    milder: u64,
    severer: u64,
}

#[derive(Debug, Default)]
struct Met {
    count: u64,
    sample: Vec<usize>,
}

/// Room for one enterprise.
#[derive(Debug, Default)]
struct Scratch {
    /// Pair, place in it or [`ALL`], and both answers.
    numbers: Vec<(usize, usize, Numbers)>,
    /// Milder and severer, by department.
    ways: Vec<[bool; 2]>,
}

impl<'c, 'p> Count<'c, 'p> {
    /// Names so many changed ones of each kind.
    pub fn new(comparison: &'c Comparison<'p>, sample: usize) -> Count<'c, 'p> {
        let answers = |policy| move |_: &Pair<'_>| Answers::new(policy);
        let pairs = &comparison.pairs;
        let others = comparison.others.iter();
        Count {
            sample,
            before: pairs.iter().map(answers(comparison.before)).collect(),
            after: pairs.iter().map(answers(comparison.after)).collect(),
            others: others.map(|_| Answers::new(comparison.before)).collect(),
            cells: pairs.iter().map(|_| HashMap::default()).collect(),
            groups: HashMap::default(),
            conflicts: BTreeMap::new(),
            evaluated: 0,
            outcome_changed: 0,
            measures_changed: 0,
            skipped: 0,
            scratch: Scratch {
                numbers: Vec::new(),
                ways: vec![[false; 2]; comparison.departments.len()],
            },
            comparison,
        }
    }

    /// Counts one that cannot be evaluated.
    pub fn skip(&mut self) {
        self.skipped += 1;
    }

    /// Counts an enterprise in all matters. `position` stands for it in samples: in rising order, so that those are
    /// the first.
    pub fn see(&mut self, position: usize, facts: &Facts, as_of: Timestamp) {
        let comparison = self.comparison;
        self.scratch.numbers.clear();
        for (at, pair) in comparison.pairs.iter().enumerate() {
            // Matters of one table are told apart by flags alone, which may count in some of them only.
            let places = if facts.flags.is_empty() {
                1
            } else {
                pair.names.len()
            };
            for place in 0..places {
                let Ok(numbers) = self.answers(at, place, facts, &pair.arguments, as_of) else {
                    return self.skip();
                };
                let place = if facts.flags.is_empty() { ALL } else { place };
                self.scratch.numbers.push((at, place, numbers));
            }
        }
        self.count(position, facts, as_of, true);
    }

    /// Whether the matter of this name is compared.
    pub fn compares(&self, matter: &str) -> bool {
        self.comparison.place(matter).is_some()
    }

    /// Counts a decision of one matter that was made with these facts and arguments.
    pub fn see_decision<'r>(
        &mut self,
        position: usize,
        matter: &str,
        facts: &Facts,
        arguments: &(impl Iterator<Item = (&'r str, &'r str)> + Clone),
        as_of: Timestamp,
    ) {
        let comparison = self.comparison;
        let Some((at, place)) = comparison.place(matter) else {
            return;
        };
        let Some(pair) = comparison.pairs.get(at) else {
            return;
        };
        let read = |side: &Option<Side<'p>>| match side {
            Some(side) => side
                .matters
                .get(place)
                .and_then(|matter| matter.parse_arguments(arguments.clone()).ok()),
            None => Some(Arguments::NONE),
        };
        self.scratch.numbers.clear();
        let numbers = read(&pair.before)
            .zip(read(&pair.after))
            .and_then(|(before, after)| self.answers(at, place, facts, &[before, after], as_of).ok());
        match numbers {
            Some(numbers) => {
                self.scratch.numbers.push((at, place, numbers));
                self.count(position, facts, as_of, false);
            }
            None => self.skip(),
        }
    }

    fn answers(
        &mut self,
        pair: usize,
        place: usize,
        facts: &Facts,
        [before_arguments, after_arguments]: &[Arguments; 2],
        as_of: Timestamp,
    ) -> Result<Numbers, DecideError> {
        let mut numbers = [None; 2];
        let Some(matters) = self.comparison.pairs.get(pair) else {
            return Ok(numbers);
        };
        let sides = [
            (&matters.before, self.before.get_mut(pair), before_arguments),
            (&matters.after, self.after.get_mut(pair), after_arguments),
        ];
        for (slot, (side, answers, arguments)) in numbers.iter_mut().zip(sides) {
            let matter = side.as_ref().and_then(|side| side.matters.get(place));
            if let (Some(matter), Some(answers)) = (matter, answers) {
                *slot = Some(answers.answer(matter, facts, arguments, as_of)?);
            }
        }
        Ok(numbers)
    }

    /// Counts what stands in the scratch.
    fn count(&mut self, position: usize, facts: &Facts, as_of: Timestamp, everywhere: bool) {
        let Count {
            comparison,
            before,
            after,
            cells,
            scratch,
            sample,
            ..
        } = self;
        let mut all = Change::default();
        for (pair, place, numbers) in &scratch.numbers {
            let Some(of_pair) = cells.get_mut(*pair) else {
                continue;
            };
            let cell = of_pair.entry((*place, *numbers)).or_insert_with(|| Cell {
                count: 0,
                change: change(comparison, *pair, before, after, *numbers),
                sample: Vec::new(),
            });
            cell.count += 1;
            let change = cell.change;
            if !change.outcome && !change.measures {
                continue;
            }
            if cell.sample.len() < *sample {
                cell.sample.push(position);
            }
            all.outcome |= change.outcome;
            all.measures |= change.measures;
            all.excludes |= change.excludes;
            let department = comparison.pairs.get(*pair).map_or(0, |pair| pair.department);
            if let Some([milder, severer]) = scratch.ways.get_mut(department) {
                *milder |= change.direction == Some(Ordering::Less);
                *severer |= change.direction == Some(Ordering::Greater);
            }
        }
        self.evaluated += 1;
        if all.outcome {
            self.outcome_changed += 1;
            self.group(facts, as_of);
        } else if all.measures {
            self.measures_changed += 1;
        }
        if all.excludes {
            self.conflict(position, facts, as_of, everywhere);
        }
    }

    fn group(&mut self, facts: &Facts, as_of: Timestamp) {
        let mut ways = [false; 2];
        let (groups, departments) = (&mut self.groups, &mut self.scratch.ways);
        let mut add = |group: Group, [milder, severer]: [bool; 2]| {
            if milder || severer {
                let counted = groups.entry(group).or_default();
                counted.milder += u64::from(milder);
                counted.severer += u64::from(severer);
            }
        };
        for (department, own) in departments.iter_mut().enumerate() {
            let [milder, severer] = std::mem::take(own);
            ways = [ways[0] || milder, ways[1] || severer];
            add(Group::Department(department), [milder, severer]);
        }
        add(Group::District(facts.district), ways);
        add(Group::Sector(facts.sector.and_then(division)), ways);
        add(Group::Standing(facts.rating.at(as_of).standing), ways);
    }

    /// Looks for measures that meet now, in all matters that can be asked, and did not before.
    fn conflict(&mut self, position: usize, facts: &Facts, as_of: Timestamp, everywhere: bool) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (pair, _, [was, is]) in &self.scratch.numbers {
            let sides = [(&self.before, was, &mut before), (&self.after, is, &mut after)];
            for (answers, number, measures) in sides {
                let answer = answers.get(*pair).zip(*number);
                let answer = answer.and_then(|(answers, number)| answers.get(number));
                measures.extend(
                    answer
                        .iter()
                        .flat_map(|answer| &answer.measures)
                        .map(|(measure, _)| *measure),
                );
            }
        }
        if everywhere {
            for ((matter, arguments), answers) in self.comparison.others.iter().zip(&mut self.others) {
                // Whoever is here was answered before, so that nothing about it is unknown.
                let Ok(number) = answers.answer(matter, facts, arguments, as_of) else {
                    continue;
                };
                let answer = answers.get(number).into_iter();
                let measures: Vec<usize> = answer
                    .flat_map(|answer| &answer.measures)
                    .map(|(at, _)| *at)
                    .collect();
                before.extend(&measures);
                after.extend(&measures);
            }
        }
        for (one, other) in &self.comparison.excluding {
            let meet = |measures: &[usize]| measures.contains(one) && measures.contains(other);
            if meet(&after) && !meet(&before) {
                let met = self.conflicts.entry((*one, *other)).or_default();
                met.count += 1;
                if met.sample.len() < self.sample {
                    met.sample.push(position);
                }
            }
        }
    }
}

/// What differs between two answers.
fn change(
    comparison: &Comparison<'_>,
    pair: usize,
    before: &[Answers<'_>],
    after: &[Answers<'_>],
    [was, is]: Numbers,
) -> Change {
    let answer = |answers: &'_ [Answers<'_>], number: Option<usize>| -> Option<Answer> {
        answers.get(pair)?.get(number?).cloned()
    };
    let (was, is) = (answer(before, was), answer(after, is));
    let [from, to] = outcomes(comparison, pair, [was.as_ref(), is.as_ref()]);
    let severity =
        |side: &Option<Answer>, outcome: Option<&Outcome>| Some((outcome?.level, side.as_ref()?.outcome));
    let direction = severity(&is, to)
        .zip(severity(&was, from))
        .map(|(is, was)| is.cmp(&was));
    let outcome = from.map(|outcome| &outcome.code) != to.map(|outcome| &outcome.code);
    let measures = |answer: &Option<Answer>| {
        answer
            .as_ref()
            .map(|answer| answer.measures.clone())
            .unwrap_or_default()
    };
    let (had, has) = (measures(&was), measures(&is));
    let adds = |at: &usize| {
        let within = |measures: &[(usize, Option<i64>)]| measures.iter().any(|(measure, _)| measure == at);
        within(&has) && !within(&had)
    };
    Change {
        outcome,
        measures: had != has,
        direction: direction.filter(|_| outcome),
        excludes: comparison
            .excluding
            .iter()
            .any(|(one, other)| adds(one) || adds(other)),
    }
}

fn outcomes<'p>(
    comparison: &Comparison<'p>,
    pair: usize,
    [was, is]: [Option<&Answer>; 2],
) -> [Option<&'p Outcome>; 2] {
    let sides = comparison.pairs.get(pair).map(|pair| (&pair.before, &pair.after));
    let outcome = |side: Option<&Option<Side<'p>>>, answer: Option<&Answer>| {
        let matter: &'p Matter = side?.as_ref()?.matters.first().copied()?;
        Some(matter.outcome(answer?.outcome))
    };
    [
        outcome(sides.map(|(before, _)| before), was),
        outcome(sides.map(|(_, after)| after), is),
    ]
}

/// `C2710` is of `C27`.
fn division(sector: Sector) -> Option<Sector> {
    let code = sector.as_str();
    code.get(..3.min(code.len()))?.parse().ok()
}
