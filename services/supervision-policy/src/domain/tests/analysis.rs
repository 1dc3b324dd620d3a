//! The analysis: a planted set of bad tables, each found with a counterexample that shows the defect when it is decided,
//! no finding on good ones, and brute force over a small world that agrees with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use greenstar_kernel::{Code, Said, Timestamp};
use greenstar_tables::{CellText, Pairs};

use super::support::{NO_ARGUMENTS, catalogue, policy, today};
use crate::domain::analysis::facts::facts_of;
use crate::domain::analysis::{Examination, Example, Finding, FindingKind, examine, unfair_under};
use crate::domain::catalogue::{Catalogue, Stricter};
use crate::domain::decide::decide;
use crate::domain::document::FactSource;
use crate::domain::facts::Facts;
use crate::domain::matter::Matter;
use crate::domain::policy::{Document, Policy};
use crate::domain::reason::Reason;
use crate::domain::shipped;

pub(super) fn document(text: &str) -> Document {
    Document {
        name: "draft.yaml".to_owned(),
        text: text.to_owned(),
    }
}

pub(super) fn code(raw: &str) -> Code {
    Code::parse(raw).unwrap()
}

/// Awards with this table, and more of the document.
fn awards(table: &str, more: &str) -> String {
    format!(
        "policy: awards
version: 1
department: awards
matters: [{{ code: award, title: {{ zh: 评优评先, en: Awards }} }}]
outcomes:
  - {{ code: FAVOURED, level: FAVOUR, title: {{ zh: 优先推荐, en: Favoured }} }}
  - {{ code: OPEN, level: NEUTRAL, title: {{ zh: 可以参评, en: Open }} }}
  - {{ code: WATCHED, level: WATCH, carried_by: strict-review, title: {{ zh: 从严, en: Watched }} }}
  - {{ code: LIMITED, level: RESTRICT, carried_by: award-limit, title: {{ zh: 限制参评, en: Limited }} }}
table:
  hit: first
  rows:
{table}
  default: {{ outcome: OPEN, reason: {{ zh: 其他, en: others }} }}
{more}"
    )
}

pub(super) fn row(cells: &str, outcome: &str, measures: &str) -> String {
    format!(
        "    - {{ when: {{ {cells} }}, outcome: {outcome}, measures: {{ {measures} }}, reason: {{ zh: 理由, en: reason }}, basis: [{{ zh: 法, en: law }}] }}\n"
    )
}

fn examined(text: &str) -> (Policy, Examination) {
    let before = policy();
    let policy = before
        .with(&document(text))
        .unwrap_or_else(|errors| panic!("{errors}"));
    let examination = examine(&policy, &code("awards"), Some(&before), today());
    for finding in &examination.findings {
        assert!(!finding.text.zh.is_empty() && !finding.text.en.is_empty());
    }
    (policy, examination)
}

fn faults(examination: &Examination) -> Vec<&Finding> {
    examination
        .findings
        .iter()
        .filter(|finding| finding.kind.is_fault())
        .collect()
}

/// A counterexample, decided: position of the outcome, measures, rows.
pub(super) type Decided = (usize, BTreeMap<String, Option<i64>>, Vec<usize>);

pub(super) fn firm_of(policy: &Policy, matter: &Matter, example: &Example, at: Timestamp) -> Facts {
    // What it says of arguments is none of the firm's facts.
    let argument = |name: &str| {
        matter
            .arguments
            .iter()
            .any(|argument| argument.name.as_str() == name)
    };
    let facts = example
        .iter()
        .filter(|(name, _)| name != "at" && !argument(name))
        .map(|(name, value)| (name.clone(), FactSource::Value(CellText(value.clone()))));
    let facts = facts_of(&Pairs(facts.collect()), policy.catalogue(), matter, at);
    facts.unwrap_or_else(|said| panic!("{example:?}: {}", said.en))
}

pub(super) fn decided(policy: &Policy, matter: &Matter, facts: &Facts, at: Timestamp) -> Decided {
    let decision = decide(policy, matter, facts, NO_ARGUMENTS, at).unwrap();
    let outcome = matter
        .outcomes()
        .iter()
        .position(|outcome| outcome.code == decision.outcome.code)
        .unwrap();
    let measures = decision
        .measures
        .iter()
        .map(|measure| (measure.entry.code.as_str().to_owned(), measure.value));
    let rows = decision.reasons.iter().filter_map(|reason| match reason {
        Reason::Row(row) => Some(row.number),
        _ => None,
    });
    (outcome, measures.collect(), rows.collect())
}

/// Whether the first is treated worse, by the words of protocol.md §7 and nothing of the analysis.
pub(super) fn is_worse(policy: &Policy, better: &Decided, worse: &Decided) -> bool {
    let entry = |code: &str| {
        policy
            .catalogue()
            .measures()
            .iter()
            .find(|entry| entry.code.as_str() == code)
            .unwrap()
    };
    if better.0 > worse.0 {
        return true;
    }
    for (code, left) in &better.1 {
        if let (Some(left), Some(Some(right))) = (left, worse.1.get(code)) {
            let higher = entry(code).parameters[0].stricter == Stricter::Higher;
            if (higher && left > right) || (!higher && left < right) {
                return true;
            }
        }
    }
    let favour = |code: &str| entry(code).class == crate::domain::catalogue::MeasureClass::Favour;
    let plain = |code: &str| entry(code).parameters.is_empty();
    better.0 == worse.0
        && (better
            .1
            .keys()
            .any(|code| plain(code) && !favour(code) && !worse.1.contains_key(code))
            || worse
                .1
                .keys()
                .any(|code| plain(code) && favour(code) && !better.1.contains_key(code)))
}

/// Decides both sides of a finding and sees that it is so.
pub(super) fn shows_unfairness(policy: &Policy, matter: &Matter, finding: &Finding) -> bool {
    let firm = |example| firm_of(policy, matter, example, today());
    let (better, worse) = (firm(&finding.counterexample), firm(&finding.compared_with));
    let (left, right) = (
        decided(policy, matter, &better, today()),
        decided(policy, matter, &worse, today()),
    );
    if finding.text.en.contains("treated alike") {
        return (left.0, left.1) != (right.0, right.1);
    }
    is_worse(policy, &left, &right)
}

#[test]
fn the_shipped_policies_are_fair_lawful_and_covered_by_their_cases() {
    let policy = policy();
    for info in policy.infos() {
        let examination = examine(&policy, &info.name, Some(&policy), today());
        let said: Vec<&str> = examination
            .findings
            .iter()
            .map(|finding| finding.text.en.as_str())
            .collect();
        assert!(said.is_empty(), "{}: {said:#?}", info.name);
        assert!(!examination.cases.is_empty() && examination.coverage.uncovered.is_empty());
        assert!(examination.cases.iter().all(|case| case.passed));
    }
    assert_eq!(unfair_under(&policy, today()), []);
}

#[test]
fn a_star_that_gets_less_than_a_lower_one_is_unfair() {
    let (policy, examination) = examined(&awards(&row("star: 4", "FAVOURED", "fast-track: "), ""));
    let matter = policy.matter("awards", "award").unwrap();
    let found = faults(&examination);
    assert!(!found.is_empty());
    for finding in found {
        assert_eq!(finding.kind, FindingKind::Unfair);
        assert!(shows_unfairness(&policy, matter, finding), "{}", finding.text.en);
        assert_eq!(finding.counterexample[0], ("star".to_owned(), "5".to_owned()));
        assert_eq!(finding.compared_with[0], ("star".to_owned(), "4".to_owned()));
    }
}

/// The table alone looks fair: both rows say OPEN. What goes with them does not.
#[test]
fn a_stricter_figure_for_a_better_star_is_unfair() {
    let table =
        row("star: '>=4'", "OPEN", "sampling-ratio: 300") + &row("star: '<4'", "OPEN", "sampling-ratio: 200");
    let (policy, examination) = examined(&awards(&table, ""));
    let matter = policy.matter("awards", "award").unwrap();
    let found = faults(&examination);
    assert!(
        found
            .iter()
            .any(|finding| finding.text.en.contains("a stricter sampling-ratio")),
        "{found:#?}"
    );
    assert!(
        found
            .iter()
            .all(|finding| shows_unfairness(&policy, matter, finding))
    );
}

#[test]
fn a_further_flag_that_helps_is_unfair() {
    let helps = row("flags: 'contains(\"online-exceedance\")'", "FAVOURED", "");
    let (policy, examination) = examined(&awards(&helps, ""));
    let matter = policy.matter("awards", "award").unwrap();
    let found = faults(&examination);
    assert!(
        found
            .iter()
            .any(|finding| finding.text.en.contains("without a further flag")),
        "{found:#?}"
    );
    assert!(
        found
            .iter()
            .all(|finding| shows_unfairness(&policy, matter, finding))
    );
    let shown = &found[0]
        .compared_with
        .iter()
        .find(|(name, _)| name == "flags")
        .unwrap()
        .1;
    assert!(shown.contains("online-exceedance"), "{shown}");
}

#[test]
fn states_without_a_star_that_are_not_treated_alike_are_unfair_unless_declared() {
    let table = row("state: '\"EXPIRED\"'", "FAVOURED", "");
    let (policy, examination) = examined(&awards(&table, ""));
    let matter = policy.matter("awards", "award").unwrap();
    let found = faults(&examination);
    assert!(
        found
            .iter()
            .any(|finding| finding.text.en.contains("treated alike")),
        "{found:#?}"
    );
    assert!(
        found
            .iter()
            .all(|finding| shows_unfairness(&policy, matter, finding))
    );

    let declared = "unfair: [{ rows: [1], reason: { zh: 换届期间, en: between two rounds } }]\n";
    let (_, examination) = examined(&awards(&table, declared));
    assert_eq!(faults(&examination), Vec::<&Finding>::new());
    let told = |finding: &&Finding| finding.kind == FindingKind::Declared;
    let told: Vec<&Finding> = examination.findings.iter().filter(told).collect();
    assert!(
        told.iter()
            .all(|finding| finding.text.en.contains("between two rounds"))
            && !told.is_empty()
    );

    let wrong = "unfair: [{ rows: [7], reason: { zh: 换届期间, en: between two rounds } }]\n";
    let (_, examination) = examined(&awards(&table, wrong));
    assert!(
        faults(&examination)
            .iter()
            .any(|finding| finding.kind == FindingKind::Malformed)
    );
}

/// The department's table alone gives a veto the milder answer; only the baseline, or the gate, decides.
#[test]
fn unfairness_is_judged_in_the_composed_answer() {
    // The baseline raises the vetoed firm, so that nobody gains by a veto.
    let (_, examination) = examined(&awards(&row("state: '\"VETOED\"'", "OPEN", ""), ""));
    assert_eq!(faults(&examination), Vec::<&Finding>::new());
    // The law does not carry the outcome without a flag, so that it falls and nobody is worse off; the row is idle.
    let (_, examination) = examined(&awards(&row("star: 5, flags: empty", "LIMITED", ""), ""));
    let kinds: Vec<FindingKind> = faults(&examination).iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::BeyondLaw]);
}

#[test]
fn a_measure_that_the_law_never_carries_where_the_row_decides_is_found() {
    let table = row("star: '<=2', flags: empty", "OPEN", "fast-track: ");
    let (policy, examination) = examined(&awards(&table, ""));
    let matter = policy.matter("awards", "award").unwrap();
    let found = faults(&examination);
    let [finding] = found.as_slice() else {
        panic!("{found:#?}");
    };
    assert_eq!(
        (finding.kind, finding.subject.as_str()),
        (FindingKind::BeyondLaw, "fast-track")
    );
    assert_eq!(
        (finding.rows.as_slice(), finding.place.as_str()),
        (&[1][..], "table.rows[1].measures")
    );
    let firm = firm_of(&policy, matter, &finding.counterexample, today());
    let (_, measures, rows) = decided(&policy, matter, &firm, today());
    assert_eq!((measures.contains_key("fast-track"), rows), (false, vec![1]));
    // Where one of the row's firms gets it, nothing is wrong.
    let (_, examination) = examined(&awards(&row("star: '>=3'", "OPEN", "fast-track: "), ""));
    assert_eq!(faults(&examination), Vec::<&Finding>::new());
}

#[test]
fn an_outcome_that_nothing_carries_where_its_row_decides_is_found() {
    let (_, examination) = examined(&awards(
        &row(
            "open_rectification: true, flags: empty, state: 'not(\"VETOED\")'",
            "LIMITED",
            "",
        ),
        "",
    ));
    let found = faults(&examination);
    assert!(
        found
            .iter()
            .any(|finding| finding.kind == FindingKind::BeyondLaw && finding.subject == "award-limit"),
        "{found:#?}"
    );
}

#[test]
fn nobody_takes_another_departments_policy_by_its_name() {
    let text =
        awards(&row("star: 5", "FAVOURED", ""), "").replace("policy: awards", "policy: finance-default");
    let before = policy();
    let after = before.with(&document(&text)).unwrap();
    let examination = examine(&after, &code("finance-default"), Some(&before), today());
    let found = faults(&examination);
    assert!(
        found
            .iter()
            .any(|finding| finding.kind == FindingKind::Interference
                && finding.subject == "departments/finance/matters/green-loan"),
        "{found:#?}"
    );
}

/// Non-interference: a department's table changes nobody else's answers.
#[test]
fn other_departments_answer_the_same_with_a_new_table_and_without() {
    let before = policy();
    let after = before
        .with(&document(&awards(&row("star: 5", "FAVOURED", ""), "")))
        .unwrap();
    for matter in before.matters() {
        let other = after
            .matter(matter.department().as_str(), matter.code().as_str())
            .unwrap();
        for standing in ["star: 5", "state: VETOED", "state: EXPIRED"] {
            let (name, value) = standing.split_once(": ").unwrap();
            for flags in ["[]", "[serious-penalty]", "[ordinary-penalty, permit-by-deceit]"] {
                let example = vec![
                    (name.to_owned(), value.to_owned()),
                    ("flags".to_owned(), flags.to_owned()),
                ];
                let facts = firm_of(&before, matter, &example, today());
                assert_eq!(
                    decided(&before, matter, &facts, today()),
                    decided(&after, other, &facts, today())
                );
            }
        }
    }
}

#[test]
fn a_baseline_that_makes_a_table_unfair_is_found() {
    let shipped = shipped::documents();
    let text = shipped[0].text.replace(
        "    - when: { state: '\"VETOED\"' }\n      outcome: WATCH",
        "    - when: { star: 5 }\n      outcome: WATCH\n      reason: { zh: 误, en: mistaken }\n    - when: { state: '\"VETOED\"' }\n      outcome: WATCH",
    );
    assert_ne!(text, shipped[0].text);
    let before = policy();
    let policy = before.with(&document(&text)).unwrap();
    let examination = examine(&policy, &code("baseline"), Some(&before), today());
    let unfair: Vec<&Finding> = examination
        .findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::Unfair)
        .collect();
    assert!(!unfair.is_empty());
    for finding in unfair {
        let matter = policy
            .matters()
            .iter()
            .find(|matter| finding.text.en.starts_with(&matter.name()))
            .unwrap();
        assert!(shows_unfairness(&policy, matter, finding), "{}", finding.text.en);
    }
}

#[test]
fn an_edition_that_makes_a_published_table_unfair_is_found() {
    let mut parts = catalogue().parts().clone();
    // Four stars keep the fast track, five lose it.
    let entry = parts
        .measures
        .iter_mut()
        .find(|entry| entry.code.as_str() == "fast-track")
        .unwrap();
    entry.supports.pop();
    let policy = policy().under(Arc::new(Catalogue::new(parts).unwrap())).unwrap();
    let found = unfair_under(&policy, today());
    let told: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert!(told.contains(&"licensing-default"), "{found:#?}");
}

#[test]
fn a_law_that_ends_later_is_looked_at_today() {
    let table = row(
        "state: '\"VETOED\"', flags: 'contains(\"serious-penalty\")'",
        "LIMITED",
        "sampling-ratio: 900",
    ) + &row("state: '\"VETOED\"'", "OPEN", "sampling-ratio: 100")
        + &row(
            "star: 'not(none)', flags: 'contains(\"serious-penalty\")'",
            "WATCHED",
            "sampling-ratio: 500",
        );
    let (_, examination) = examined(&awards(&table, ""));
    assert_eq!(faults(&examination), Vec::<&Finding>::new());
    // Without the limit a veto is left with the figure of the second row, below that of a star.
    let mut parts = catalogue().parts().clone();
    let entry = parts
        .measures
        .iter_mut()
        .find(|entry| entry.code.as_str() == "award-limit")
        .unwrap();
    entry.until = Some("2027-01-31".parse().unwrap());
    let policy = policy().under(Arc::new(Catalogue::new(parts).unwrap())).unwrap();
    let policy = policy.with(&document(&awards(&table, ""))).unwrap();
    let examination = examine(&policy, &code("awards"), None, today());
    let found = faults(&examination);
    assert!(!found.is_empty());
    for finding in found {
        let at = finding
            .counterexample
            .iter()
            .find(|(name, _)| name == "at")
            .map(|(_, value)| value.as_str());
        assert_eq!((finding.kind, at), (FindingKind::Unfair, Some("2027-02-01")));
    }
}

#[test]
fn cases_that_do_not_come_out_are_told_with_what_differs() {
    let cases = "cases:
  - name: wrong in all
    at: 2026-06-01
    facts: { star: 5 }
    expect: { outcome: OPEN, measures: [strict-review], rows: [0] }
  - name: right
    at: 2026-06-01T00:00:00+08:00
    facts: { star: 5, flags: [], sector: C2710, points: '91.5', events_12m: 2 }
    expect: { outcome: FAVOURED, measures: [], rows: [1] }
  - name: no firm is so
    at: 2026-06-01
    facts: { star: 5, state: VETOED }
    expect: { outcome: OPEN }
  - name: not said
    at: 2026-06-01
    facts: { stars: 5 }
    expect: { outcome: OPEN }
";
    let table = row("star: 5", "FAVOURED", "") + &row("star: 4", "FAVOURED", "");
    let (_, examination) = examined(&awards(&table, cases));
    let passed: Vec<bool> = examination.cases.iter().map(|case| case.passed).collect();
    assert_eq!(passed, [false, true, false, false]);
    let said: Vec<&str> = examination
        .cases
        .iter()
        .map(|case| case.difference.en.as_str())
        .collect();
    assert_eq!(
        said[0],
        "outcome OPEN expected, FAVOURED found; measures [strict-review] expected, [] found; rows [0] expected, [1] found"
    );
    assert!(
        said[2].contains("state is \"VETOED\"") && said[3].contains("no fact is called \"stars\""),
        "{said:?}"
    );
    assert_eq!(examination.coverage.uncovered, [2]);
    let failed = faults(&examination);
    assert_eq!(
        failed
            .iter()
            .filter(|finding| finding.kind == FindingKind::CaseFailed)
            .count(),
        3
    );
    let errors = examination.sound(&code("awards")).unwrap_err();
    assert!(
        errors.said().zh.contains("用例“wrong in all”未通过"),
        "{}",
        errors.said().zh
    );
}
