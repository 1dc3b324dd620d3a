//! Pairs of answers that break P8, and how they are told.

use std::collections::{BTreeSet, HashSet};

use greenstar_tables::{RowSet, Table};

use super::composed::{Composed, Worse, worse};
use super::example::answer_text;
use super::finding::{Finding, FindingKind, shown};
use super::study::{Spot, Study};
use crate::domain::document::UnfairSource;

/// Unfair pairs that are told of one matter.
const MAX_TOLD: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Relation {
    Standing,
    Alike,
    Flag,
}

/// A pair of answers that breaks P8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Unfair {
    relation: Relation,
    better: usize,
    worse: usize,
    worse_in: Worse,
}

#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Pairs of answers, compared once.
    known: HashSet<(Relation, usize, usize)>,
    /// One for each way and pair of rows.
    ways: HashSet<(Relation, Worse, RowSet, RowSet)>,
    pub(super) found: Vec<(Unfair, (Spot, Spot))>,
}

impl Pairs {
    pub(super) fn compare(
        &mut self,
        study: &Study<'_>,
        (better, better_at): (usize, Spot),
        (worse_id, worse_at): (usize, Spot),
        relation: Relation,
    ) {
        if better == worse_id || !self.known.insert((relation, better, worse_id)) {
            return;
        }
        let (Some((left, ..)), Some((right, ..))) = (study.answers.get(better), study.answers.get(worse_id))
        else {
            return;
        };
        let catalogue = study.policy.catalogue();
        let found = worse(left, right, catalogue).map(|found| (found, false));
        let found = match relation {
            Relation::Standing | Relation::Flag => found,
            Relation::Alike => found
                .or_else(|| worse(right, left, catalogue).map(|found| (found, true)))
                .or_else(|| figures_differ(left, right).map(|measure| (Worse::Figure(measure), false))),
        };
        let Some((worse_in, turned)) = found else {
            return;
        };
        if self.found.len() >= MAX_TOLD || !self.ways.insert((relation, worse_in, left.own, right.own)) {
            return;
        }
        let (better, worse, spots) = if turned {
            (worse_id, better, (worse_at, better_at))
        } else {
            (better, worse_id, (better_at, worse_at))
        };
        let unfair = Unfair {
            relation,
            better,
            worse,
            worse_in,
        };
        self.found.push((unfair, spots));
    }
}

/// A measure that one of the answers has and the other has not.
fn figures_differ(left: &Composed, right: &Composed) -> Option<usize> {
    let only = |one: &Composed, other: &Composed| {
        let mut measures = one.measures.iter();
        measures
            .find(|measure| !other.measures.contains(measure))
            .map(|(measure, _)| *measure)
    };
    only(left, right).or_else(|| only(right, left))
}

impl Study<'_> {
    /// In words, with both firms.
    pub(super) fn told(
        &self,
        unfair: Unfair,
        (better, worse): (Spot, Spot),
        declared: &[Vec<UnfairSource>; 2],
        of_baseline: bool,
    ) -> Finding {
        let catalogue = self.policy.catalogue();
        let fallback = || Composed {
            outcome: 0,
            measures: Vec::new(),
            own: RowSet::EMPTY,
            spoken: RowSet::EMPTY,
            base: RowSet::EMPTY,
        };
        let answer = |id: usize| {
            self.answers
                .get(id)
                .map_or_else(fallback, |(answer, _, _)| answer.clone())
        };
        let (left, right) = (answer(unfair.better), answer(unfair.worse));
        let numbers = |sets: [RowSet; 4], table: Option<&Table>| {
            let mut rows = BTreeSet::new();
            if table.is_some() {
                for set in sets {
                    rows.extend(set.iter().map(|row| row + 1));
                    rows.extend(set.is_empty().then_some(0));
                }
            }
            rows
        };
        let own = numbers(
            [left.own, left.spoken, right.own, right.spoken],
            self.matter.table.as_ref(),
        );
        let base = numbers(
            [left.base, left.base, right.base, right.base],
            Some(&self.policy.baseline),
        );
        let reason = [&own, &base]
            .into_iter()
            .zip(declared)
            .find_map(|(rows, declared)| {
                let named = |unfair: &&UnfairSource| {
                    let mut named = unfair.rows.iter().filter_map(|row| usize::try_from(*row).ok());
                    named.any(|row| rows.contains(&row))
                };
                declared.iter().find(named).map(|unfair| unfair.reason.clone())
            });
        let (shown_better, shown_worse) = (self.example(better), self.example(worse));
        let (a, b) = (
            answer_text(self.matter, catalogue, &left),
            answer_text(self.matter, catalogue, &right),
        );
        let measure = |measure: usize| {
            let entry = catalogue.measures().get(measure);
            entry.map_or_else(String::new, |entry| entry.code.as_str().to_owned())
        };
        let (zh_what, en_what) = match unfair.worse_in {
            Worse::Outcome => ("更重的处置结论".to_owned(), "a more severe outcome".to_owned()),
            Worse::Figure(at) => (
                format!("措施 {} 更严的参数", measure(at)),
                format!("a stricter {}", measure(at)),
            ),
            Worse::Burden(at) => (
                format!("额外的措施 {}", measure(at)),
                format!("the further measure {}", measure(at)),
            ),
            Worse::Favour(at) => (
                format!("得不到激励措施 {}", measure(at)),
                format!("no {}, which the other gets,", measure(at)),
            ),
        };
        let (zh_who, en_who) = match unfair.relation {
            Relation::Standing => ("评价更好的企业反而受到", "a better standing gets"),
            Relation::Alike => (
                "未评价、未上榜、中止、过期四种状态应当同等对待，却受到",
                "firms without a star, which are to be treated alike, are not: one gets",
            ),
            Relation::Flag => (
                "没有该失信标记的企业反而受到",
                "a firm without a further flag gets",
            ),
        };
        let (en_better, en_worse) = (shown(&shown_better), shown(&shown_worse));
        let (zh_end, en_end, kind) = match &reason {
            Some(reason) => (
                format!("已声明理由：{}", reason.zh),
                format!("declared: {}", reason.en),
                FindingKind::Declared,
            ),
            None => (
                "请调整，或者在 unfair 中写明行号和理由".to_owned(),
                "mend it, or name the rows under unfair with the reason".to_owned(),
                FindingKind::Unfair,
            ),
        };
        let mut finding = Finding::new(
            kind,
            format!(
                "事项 {}：{zh_who}{zh_what}：{en_better} 得到 {a}，{en_worse} 得到 {b}；{zh_end}",
                self.matter.name()
            ),
            format!(
                "{}: {en_who} {en_what}: {en_better} gets {a}, {en_worse} gets {b}; {en_end}",
                self.matter.name()
            ),
        );
        let told: Vec<usize> = if of_baseline { base } else { own }.into_iter().collect();
        finding.place = match told.iter().find(|row| **row > 0) {
            Some(row) => format!("table.rows[{row}]"),
            None => "table.default".to_owned(),
        };
        finding.rows = told;
        finding.counterexample = shown_better;
        finding.compared_with = shown_worse;
        finding
    }
}
