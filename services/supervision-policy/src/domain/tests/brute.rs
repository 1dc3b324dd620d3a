//! The analysis against brute force: a small world in which everybody can be looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use proptest::prelude::*;

use super::analysis::{Decided, code, decided, document, firm_of, is_worse, row, shows_unfairness};
use super::support::today;
use crate::domain::analysis::{Finding, FindingKind, examine};
use crate::domain::catalogue::Catalogue;
use crate::domain::facts::Facts;
use crate::domain::matter::Matter;
use crate::domain::policy::Policy;

/// A small world: two kinds of flag, four measures, one more fact.
pub(super) fn small_world() -> Policy {
    let catalogue = Catalogue::from_yaml(
        "edition: small
ceilings: { minor: 3, ordinary: 12, serious: 36 }
bases: [{ code: law, title: { zh: 法, en: law }, article: { zh: 一, en: one } }]
flag_kinds:
  - { code: a, title: { zh: 甲, en: a }, bases: [law] }
  - { code: b, title: { zh: 乙, en: b }, bases: [law], reaches_all: true }
measures:
  - { code: watch, title: { zh: 看, en: watch }, class: management, bases: [law], supports: [{ by: flag, kind: a, least: serious }, { by: state, state: VETOED }] }
  - { code: limit, title: { zh: 限, en: limit }, class: management, bases: [law], supports: [{ by: flag, kind: b, least: serious }] }
  - { code: favour, title: { zh: 励, en: favour }, class: favour, bases: [law], supports: [{ by: star, star: 4 }, { by: star, star: 5 }] }
  - { code: ratio, title: { zh: 比, en: ratio }, class: management, bases: [law], supports: [{ by: always }], parameters: [{ code: n, unit: { zh: 次, en: times }, min: 0, max: 9, stricter: higher }] }
",
    )
    .unwrap();
    let baseline = document(
        "policy: baseline
version: 1
department: baseline
table:
  hit: strictest
  rows:
    - { when: { reaches_all: true }, outcome: RESTRICT, reason: { zh: 一, en: one } }
    - { when: { state: '\"VETOED\"' }, outcome: WATCH, reason: { zh: 二, en: two } }
  default: { outcome: FAVOUR, reason: { zh: 三, en: three } }
",
    );
    Policy::load(&[baseline], Arc::new(catalogue)).unwrap()
}

fn any_row() -> impl Strategy<Value = String> {
    let cell = |cells: &'static [&'static str]| prop::sample::select(cells);
    let cells = (
        cell(&["-", "-", "5", ">=4", "<3", "none"]),
        cell(&[
            "-",
            "-",
            "-",
            "\"VETOED\"",
            "\"EXPIRED\"",
            "not(\"RATED\",\"VETOED\")",
        ]),
        cell(&[
            "-",
            "contains(\"a\")",
            "contains(\"b\")",
            "contains(\"a\",\"b\")",
            "not(contains(\"a\"))",
            "empty",
        ]),
        cell(&["-", "-", "-", "\"SERIOUS\"", "none", "not(\"MINOR\")"]),
        cell(&["-", "-", "true"]),
    );
    let outcome = cell(&["FINE", "PLAIN", "WATCHED", "LIMITED"]);
    let measures = (
        prop::option::of(0i64..4),
        prop::option::of(cell(&["favour", "watch"])),
    );
    (cells, outcome, measures).prop_map(|((star, state, flags, worst, open), outcome, (ratio, more))| {
        let ratio = ratio.map(|ratio| format!("ratio: {ratio}"));
        let more = more.map(|more| format!("{more}: "));
        let measures: Vec<String> = ratio.into_iter().chain(more).collect();
        let cells = format!(
            "star: '{star}', state: '{state}', flags: '{flags}', worst_severity: '{worst}', open_rectification: '{open}'"
        );
        row(&cells, outcome, &measures.join(", "))
    })
}

pub(super) fn small_policy(hit: &str, rows: &[String]) -> String {
    format!(
        "policy: small
version: 1
department: small
matters: [{{ code: m, title: {{ zh: 事, en: m }} }}]
outcomes:
  - {{ code: FINE, level: FAVOUR, title: {{ zh: 优, en: fine }} }}
  - {{ code: PLAIN, level: NEUTRAL, title: {{ zh: 平, en: plain }} }}
  - {{ code: WATCHED, level: WATCH, carried_by: watch, title: {{ zh: 看, en: watched }} }}
  - {{ code: LIMITED, level: RESTRICT, carried_by: limit, title: {{ zh: 限, en: limited }} }}
table:
  hit: {hit}
  rows:
{}
  default: {{ outcome: PLAIN, reason: {{ zh: 其他, en: others }} }}
",
        rows.concat()
    )
}

const STANDINGS: [&str; 10] = [
    "star: 5",
    "star: 4",
    "star: 3",
    "star: 2",
    "star: 1",
    "state: VETOED",
    "state: NOT_RATED",
    "state: NOT_LISTED",
    "state: SUSPENDED",
    "state: EXPIRED",
];

/// Everybody there can be: whether something is open, which flags, and by standing the facts.
type Everybody = Vec<(bool, Vec<usize>, Vec<Facts>)>;

/// Flags up to three at once tell everything apart: of each kind one that carries its measure or one that does not, and
/// one more.
fn everybody(policy: &Policy, matter: &Matter) -> Everybody {
    let mut flags: Vec<String> = Vec::new();
    for kind in ["a", "b"] {
        for (severity, ceiling) in [("minor", 3), ("ordinary", 12), ("serious", 36)] {
            for age in [0, ceiling] {
                flags.push(format!(
                    "{{ kind: {kind}, severity: {severity}, age_months: {age} }}"
                ));
            }
        }
    }
    let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
    for size in 0..3 {
        let longer = sets.iter().filter(|set| set.len() == size).flat_map(|set| {
            let from = set.last().map_or(0, |last| last + 1);
            (from..flags.len()).map(|next| set.iter().copied().chain([next]).collect())
        });
        let longer: Vec<Vec<usize>> = longer.collect();
        sets.extend(longer);
    }
    let mut everybody = Vec::new();
    for open in [false, true] {
        for set in &sets {
            let held: Vec<&str> = set.iter().map(|index| flags[*index].as_str()).collect();
            let firm = |standing: &&str| {
                let (name, value) = standing.split_once(": ").unwrap();
                let example = vec![
                    (name.to_owned(), value.to_owned()),
                    ("flags".to_owned(), format!("[{}]", held.join(", "))),
                    ("open_rectification".to_owned(), open.to_string()),
                ];
                firm_of(policy, matter, &example, today())
            };
            everybody.push((open, set.clone(), STANDINGS.iter().map(firm).collect()));
        }
    }
    everybody
}

/// Every way in which the table is unfair somewhere, by looking at everybody.
fn by_brute_force(policy: &Policy, matter: &Matter) -> BTreeSet<&'static str> {
    static EVERYBODY: OnceLock<Everybody> = OnceLock::new();
    let everybody = EVERYBODY.get_or_init(|| everybody(policy, matter));
    let mut answers: BTreeMap<(bool, &[usize]), Vec<Decided>> = BTreeMap::new();
    for (open, set, firms) in everybody {
        let given = firms.iter().map(|facts| decided(policy, matter, facts, today()));
        answers.insert((*open, set), given.collect());
    }
    let mut found = BTreeSet::new();
    for ((open, set), given) in &answers {
        for high in 0..6 {
            if (high + 1..6).any(|low| is_worse(policy, &given[high], &given[low])) {
                found.insert("standing");
            }
        }
        if given[7..]
            .iter()
            .any(|other| (other.0, &other.1) != (given[6].0, &given[6].1))
        {
            found.insert("alike");
        }
        for index in 0..set.len() {
            let mut fewer = set.to_vec();
            fewer.remove(index);
            let before = &answers[&(*open, fewer.as_slice())];
            if (0..10).any(|at| is_worse(policy, &before[at], &given[at])) {
                found.insert("flag");
            }
        }
    }
    found
}

fn relation(finding: &Finding) -> &'static str {
    let text = &finding.text.en;
    match text {
        _ if text.contains("treated alike") => "alike",
        _ if text.contains("without a further flag") => "flag",
        _ => "standing",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_analysis_finds_what_brute_force_finds(
        hit in prop::sample::select(vec!["first", "strictest", "collect"]),
        rows in prop::collection::vec(any_row(), 1..4),
    ) {
        let before = small_world();
        let compiled = before.with(&document(&small_policy(hit, &rows)));
        prop_assume!(compiled.is_ok());
        let policy = compiled.unwrap();
        let matter = policy.matter("small", "m").unwrap();
        let examination = examine(&policy, &code("small"), Some(&before), today());
        let unfair: Vec<&Finding> =
            examination.findings.iter().filter(|finding| finding.kind == FindingKind::Unfair).collect();
        for finding in &unfair {
            prop_assert!(shows_unfairness(&policy, matter, finding), "{}", finding.text.en);
        }
        let said: BTreeSet<&str> = unfair.iter().map(|finding| relation(finding)).collect();
        prop_assert_eq!(said, by_brute_force(&policy, matter));
        for finding in examination.findings.iter().filter(|finding| finding.kind == FindingKind::BeyondLaw) {
            let facts = firm_of(&policy, matter, &finding.counterexample, today());
            let (_, measures, _) = decided(&policy, matter, &facts, today());
            prop_assert!(!measures.contains_key(&finding.subject), "{}", finding.text.en);
        }
    }
}
