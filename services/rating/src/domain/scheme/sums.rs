//! Which sums items can make: exact sets of whole numbers, for proofs over every firm there can be.

use greenstar_kernel::{Code, Points};

use super::{Item, Scheme, Scoring};

/// More steps than this are not searched.
const MOST_STEPS: i64 = 20_000;
const MOST_ITEMS: usize = 300;

/// A set of whole numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Set(Vec<u64>);

impl Set {
    pub(super) fn of(number: usize) -> Set {
        let mut set = Set::default();
        set.insert(number);
        set
    }

    pub(super) fn insert(&mut self, number: usize) {
        let word = number / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(slot) = self.0.get_mut(word) {
            *slot |= 1 << (number % 64);
        }
    }

    pub(super) fn contains(&self, number: usize) -> bool {
        self.0
            .get(number / 64)
            .is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        (0..self.0.len() * 64).filter(|number| self.contains(*number))
    }

    /// Every sum of one of these and one of those.
    pub(super) fn plus(&self, addends: impl Iterator<Item = usize>) -> Set {
        let mut sums = Set::default();
        for addend in addends {
            self.shift_into(addend, &mut sums);
        }
        sums
    }

    fn shift_into(&self, by: usize, into: &mut Set) {
        let (words, bits) = (by / 64, by % 64);
        let needed = self.0.len() + words + 1;
        if into.0.len() < needed {
            into.0.resize(needed, 0);
        }
        for (position, word) in self.0.iter().enumerate() {
            if let Some(slot) = into.0.get_mut(position + words) {
                *slot |= word << bits;
            }
            if bits > 0
                && let Some(slot) = into.0.get_mut(position + words + 1)
            {
                *slot |= word >> (64 - bits);
            }
        }
    }
}

/// What one item can add to its category, in steps. A deducting item adds what it does not take.
#[derive(Debug)]
struct Addends {
    item: Code,
    /// What it takes at most; 0 of one that gives.
    takes: usize,
    adds: Set,
}

/// What a category can be worth, in steps.
#[derive(Debug)]
pub(super) struct Worth {
    pub(super) base: usize,
    pub(super) floor: usize,
    pub(super) cap: usize,
    /// What its items take together at most: raw points are a sum less this.
    pub(super) takes: usize,
    /// What its items give together at most.
    pub(super) gives: usize,
    /// Sums of what its deducting items take.
    pub(super) taken: Set,
    /// Every value within floor and cap.
    pub(super) values: Set,
    items: Vec<Addends>,
    /// Sums after so many items.
    partial: Vec<Set>,
}

/// All categories of a scheme, in steps of one size.
#[derive(Debug)]
pub(super) struct Space {
    unit: i64,
    pub(super) categories: Vec<Worth>,
}

impl Space {
    /// `None`: too much to be searched.
    pub(super) fn of(scheme: &Scheme) -> Option<Space> {
        Space::forcing(scheme, None)
    }

    /// As if so many events of a rule had happened for certain.
    pub(super) fn forcing(scheme: &Scheme, forced: Option<(&Code, usize)>) -> Option<Space> {
        let unit = unit(scheme);
        let takes = |item: &Item| match item.scoring {
            Scoring::Deduction { .. } => item.max.milli(),
            Scoring::Steps | Scoring::Tiers(_) | Scoring::Marks => 0,
        };
        let all: i64 = scheme.items.iter().map(takes).sum::<i64>() + scheme.max_total.milli();
        if scheme.items.len() > MOST_ITEMS || all / unit > MOST_STEPS {
            return None;
        }
        let steps = |points: Points| usize::try_from(points.milli() / unit).unwrap_or(0);
        let categories = scheme.categories.iter().enumerate().map(|(position, category)| {
            let items = scheme.items.iter().filter(|item| item.category == position);
            let items: Vec<Addends> = items
                .map(|item| addends(item, steps(scheme.step), unit, forced))
                .collect();
            worth([category.base, category.floor, category.cap].map(steps), items)
        });
        Some(Space {
            unit,
            categories: categories.collect(),
        })
    }

    /// The least number of steps that are so many points.
    pub(super) fn at_least(&self, points: Points) -> usize {
        let milli = points.milli().max(0);
        usize::try_from((milli + self.unit - 1) / self.unit).unwrap_or(usize::MAX)
    }

    pub(super) fn points(&self, steps: usize) -> Points {
        Points::from_milli(i64::try_from(steps).unwrap_or(0) * self.unit)
    }

    /// Every total there can be with each category between two values, both included.
    pub(super) fn totals(&self, between: impl Fn(usize) -> (usize, usize)) -> Set {
        let mut totals = Set::of(0);
        for (position, worth) in self.categories.iter().enumerate() {
            let (least, most) = between(position);
            totals = totals.plus(worth.values.iter().filter(|value| (least..=most).contains(value)));
        }
        totals
    }
}

impl Worth {
    /// A value as it is shown in the total.
    pub(super) fn shown(&self, sum: usize) -> usize {
        sum.saturating_sub(self.takes).clamp(self.floor, self.cap)
    }

    /// The best value.
    pub(super) fn most(&self) -> usize {
        self.values.iter().next_back().unwrap_or(0)
    }

    /// Items that take so much together and give all that they can: code and steps, taken and given.
    pub(super) fn taking(&self, taken: usize) -> [Vec<(Code, usize)>; 2] {
        let (mut takes, mut gives) = (Vec::new(), Vec::new());
        let mut left = self.base + self.takes - taken + self.gives;
        for (item, before) in self.items.iter().zip(&self.partial).rev() {
            let fits = |add: &usize| *add <= left && before.contains(left - add);
            // What gives, gives all; what takes, takes as much as fits, so that few items are named.
            let add = if item.takes == 0 {
                item.adds.iter().rev().find(fits)
            } else {
                item.adds.iter().find(fits)
            };
            let Some(add) = add else { continue };
            left -= add;
            if item.takes > add {
                takes.push((item.item.clone(), item.takes - add));
            } else if item.takes == 0 && add > 0 {
                gives.push((item.item.clone(), add));
            }
        }
        takes.reverse();
        gives.reverse();
        [takes, gives]
    }
}

fn worth([base, floor, cap]: [usize; 3], items: Vec<Addends>) -> Worth {
    let mut partial = vec![Set::of(base)];
    let mut taken = Set::of(0);
    let (mut takes, mut gives) = (0, 0);
    for item in &items {
        let sums = partial.last().map(|before| before.plus(item.adds.iter()));
        partial.push(sums.unwrap_or_default());
        if item.takes > 0 {
            takes += item.takes;
            taken = taken.plus(item.adds.iter().map(|add| item.takes - add));
        } else {
            gives += item.adds.iter().next_back().unwrap_or(0);
        }
    }
    let sums = partial.pop().unwrap_or_default();
    let mut worth = Worth {
        base,
        floor,
        cap,
        takes,
        gives,
        taken,
        values: Set::default(),
        items,
        partial,
    };
    for sum in sums.iter() {
        let value = worth.shown(sum);
        worth.values.insert(value);
    }
    worth
}

fn addends(item: &Item, step: usize, unit: i64, forced: Option<(&Code, usize)>) -> Addends {
    let steps = |points: Points| usize::try_from(points.milli() / unit).unwrap_or(0);
    let (most, mut adds) = (steps(item.max), Set::default());
    let mut takes = 0;
    match &item.scoring {
        Scoring::Deduction { rules, .. } => {
            takes = most;
            let forced = rules.iter().find_map(|rule| {
                forced
                    .filter(|(event, _)| **event == rule.event)
                    .map(|(_, times)| (rule, times))
            });
            let first = forced.map_or(0, |(rule, times)| (steps(rule.points) * times).min(most));
            let mut taken = Set::of(first);
            for sum in first..=most {
                if taken.contains(sum) {
                    rules
                        .iter()
                        .for_each(|rule| taken.insert((sum + steps(rule.points)).min(most)));
                }
            }
            taken.iter().for_each(|sum| adds.insert(most - sum));
        }
        Scoring::Steps => {
            (0..=most).step_by(step.max(1)).for_each(|sum| adds.insert(sum));
        }
        Scoring::Tiers(tiers) => {
            adds.insert(0);
            tiers.iter().for_each(|tier| adds.insert(steps(tier.points)));
        }
        Scoring::Marks => (0..=100).for_each(|mark| adds.insert(most * mark / 100)),
    }
    Addends {
        item: item.code.clone(),
        takes,
        adds,
    }
}

/// The size of a step: what all points of a scheme are multiples of.
fn unit(scheme: &Scheme) -> i64 {
    let mut unit = scheme.step.milli();
    for category in &scheme.categories {
        for points in [category.base, category.floor, category.cap] {
            unit = gcd(unit, points.milli());
        }
    }
    for item in &scheme.items {
        unit = gcd(unit, item.max.milli());
        match &item.scoring {
            Scoring::Deduction { rules, .. } => {
                rules
                    .iter()
                    .for_each(|rule| unit = gcd(unit, rule.points.milli()));
            }
            Scoring::Steps => {}
            Scoring::Tiers(tiers) => tiers
                .iter()
                .for_each(|tier| unit = gcd(unit, tier.points.milli())),
            Scoring::Marks => unit = gcd(unit, item.max.milli() / 100),
        }
    }
    unit.max(1)
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_cross_the_words_of_the_set() {
        let set = Set::of(60).plus([0, 4, 70].into_iter());
        assert_eq!(set.iter().collect::<Vec<_>>(), [60, 64, 130]);
        let twice = set.plus([0, 64].into_iter());
        assert_eq!(twice.iter().collect::<Vec<_>>(), [60, 64, 124, 128, 130, 194]);
    }
}
