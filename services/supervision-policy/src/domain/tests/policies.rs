//! Policies as their authors hand them in: what is refused, with which words, and what the floor does.

use std::time::Duration;

use greenstar_kernel::{Said, Standing};

use crate::domain::policy_error::PolicyDefect;

use super::support::{
    NO_ARGUMENTS, answer, ask, catalogue, date, firm, policy, serious_penalty, star, texts, today, with,
};
use crate::domain::columns::FactColumn;
use crate::domain::decide::{DecideError, decide};
use crate::domain::matter::{ArgumentError, Handling};
use crate::domain::policy::{Document, Policy, PolicyErrors};
use crate::domain::shipped;

fn document(text: &str) -> Document {
    Document {
        name: "draft.yaml".to_owned(),
        text: text.to_owned(),
    }
}

fn refused(text: &str) -> Vec<String> {
    let PolicyErrors(errors) = policy().with(&document(text)).unwrap_err();
    for error in &errors {
        assert!(!error.said().zh.is_empty());
    }
    errors.iter().map(ToString::to_string).collect()
}

const AWARDS: &str = "
policy: awards
version: 1
department: awards
matters: [{ code: award, title: { zh: 评优评先, en: Awards } }]
outcomes:
  - { code: FAVOURED, level: FAVOUR, title: { zh: 优先推荐, en: Favoured } }
  - { code: OPEN, level: NEUTRAL, title: { zh: 可以参评, en: Open } }
  - { code: LIMITED, level: RESTRICT, carried_by: award-limit, title: { zh: 限制参评, en: Limited } }
";

fn awards(table: &str) -> String {
    format!("{AWARDS}table:\n{table}")
}

#[test]
fn the_shipped_policies_are_sound() {
    let policy = policy();
    assert_eq!(policy.matters().len(), 9);
    assert_eq!(policy.baseline_version(), "baseline@1");
    assert!(policy.version().contains("licensing-default@1") && policy.version().contains("evaluator@3"));
}

#[test]
fn p9_the_baseline_binds_a_department_that_has_published_nothing() {
    let policy = policy().with(&document(AWARDS)).unwrap();
    assert_eq!(
        answer(&ask(&policy, "awards/award", &firm(star(5)), today())),
        "OPEN"
    );
    let facts = with(firm(star(5)), serious_penalty());
    let decision = ask(&policy, "awards/award", &facts, today());
    assert_eq!(answer(&decision), "LIMITED award-limit");
    assert_eq!(
        texts(&decision)[1],
        "The jurisdiction's baseline raises \"Open\" to \"Limited\": A serious administrative penalty is in force; \
         every department pays closer attention (basis: Environmental Protection Law, art. 54)"
    );
}

#[test]
fn p9_the_baseline_binds_a_department_whose_table_forgot_it_and_its_favours_drop() {
    let table = "  hit: first
  rows:
    - when: { star: 5 }
      outcome: FAVOURED
      measures: { fast-track: }
      reason: { zh: 五星企业, en: Five stars }
      basis: [{ zh: 国发〔2016〕33号, en: Guofa 2016 No. 33 }]
  default: { outcome: OPEN, reason: { zh: 其他, en: Others } }
";
    let policy = policy().with(&document(&awards(table))).unwrap();
    assert_eq!(
        answer(&ask(&policy, "awards/award", &firm(star(5)), today())),
        "FAVOURED fast-track"
    );
    let facts = with(firm(star(5)), serious_penalty());
    assert_eq!(
        answer(&ask(&policy, "awards/award", &facts, today())),
        "LIMITED award-limit"
    );
}

#[test]
fn an_unsound_table_is_refused_with_a_counterexample() {
    let gap = awards(
        "  hit: unique\n  rows:\n    - { when: { star: '>=3' }, outcome: OPEN, reason: { zh: 甲, en: a } }\n    - { when: { star: none }, outcome: OPEN, reason: { zh: 乙, en: b } }\n",
    );
    assert_eq!(
        refused(&gap),
        ["table awards: no row covers star = 1; add a row or a default"]
    );
    let overlap = awards(
        "  hit: unique\n  rows:\n    - { when: { star: '>=3' }, outcome: OPEN, reason: { zh: 甲, en: a } }\n    - { when: { star: 'none,<=3' }, outcome: FAVOURED, reason: { zh: 乙, en: b } }\n",
    );
    assert_eq!(
        refused(&overlap),
        ["table awards, row 2: rows 1 and 2 both hold for star = 3 and disagree"]
    );
}

#[test]
fn every_fault_of_a_document_is_named_at_once() {
    let table = "  hit: first
  rows:
    - when: { stars: 5, star: '>=6', flags: 'contains(\"unheard-of\")' }
      outcome: GREAT
      measures: { fast-track: , unheard-of: }
      reason: { zh: 甲, en: a }
  default: { outcome: OPEN, reason: { zh: 其他, en: Others } }
";
    let said = refused(&awards(table));
    let wanted = [
        "column stars: no column is called",
        "column star, character 3: 6 lies outside 1 to 5",
        "column flags, character 10: \"unheard-of\" is not a value",
        "column outcome: the matter has no outcome \"GREAT\"",
        "column measures: the catalogue has no measure \"unheard-of\"",
        "column basis: the row names a measure but no legal basis",
    ];
    assert_eq!(said.len(), wanted.len(), "{said:?}");
    for (said, wanted) in said.iter().zip(wanted) {
        assert!(said.contains(wanted), "{said} / {wanted}");
    }
}

#[test]
fn outcomes_that_make_no_order_are_refused() {
    let said = refused(
        "
policy: broken
version: 1
department: awards
matters: [{ code: award, title: { zh: 评优评先, en: Awards } }, { code: award, title: { zh: 评优评先, en: Awards } }]
outcomes:
  - { code: LIMITED, level: RESTRICT, title: { zh: 限制, en: Limited } }
  - { code: OPEN, level: NEUTRAL, carried_by: award-limit, title: { zh: 可以, en: Open } }
  - { code: OPEN, level: NEUTRAL, title: { zh: 可以, en: Open } }
  - { code: WORSE, level: BAR, carried_by: exile, title: { zh: 禁止, en: Worse } }
",
    );
    assert_eq!(
        said,
        [
            "policy broken: outcome LIMITED is above NEUTRAL; name the measure that carries it under carried_by",
            "policy broken: outcome OPEN is milder than the one before it; list them mildest first",
            "policy broken: outcome OPEN is not above NEUTRAL and needs no measure to carry it",
            "policy broken: the outcome OPEN stands twice",
            "policy broken: outcome WORSE names the measure exile, which the catalogue does not have",
            "policy broken: exactly one outcome has the level NEUTRAL, here 2 have",
            "policy broken: the matter award is declared twice in its department",
        ]
    );
}

#[test]
fn finance_cannot_be_made_to_do_more_than_advise() {
    let finance = shipped::documents()
        .into_iter()
        .find(|document| document.name == "finance.yaml")
        .unwrap();
    let text = finance.text.replace(
        "carried_by: prudent-lending-advice",
        "carried_by: key-supervision",
    );
    let said = refused(&text);
    assert_eq!(
        said,
        [
            "policy finance-default: measure key-supervision is no advice and no favour, or gives a figure; this policy may only advise"
        ]
    );
}

#[test]
fn what_is_no_policy_says_where_the_text_breaks() {
    assert!(refused("policy: [")[0].starts_with("policy draft.yaml: the text is not a policy"));
    assert!(
        refused("policy: p\nversion: 1\ndepartment: d\ncolour: red")[0].contains("unknown field `colour`")
    );
    assert!(refused(&AWARDS.replace("RESTRICT", "SEVERE"))[0].contains("unknown variant `SEVERE`"));
}

#[test]
fn a_jurisdiction_has_exactly_one_baseline() {
    let without: Vec<Document> = shipped::documents()
        .into_iter()
        .filter(|document| document.name != "baseline.yaml")
        .collect();
    assert!(
        Policy::load(&without, catalogue())
            .unwrap_err()
            .to_string()
            .starts_with("no document is the jurisdiction's baseline")
    );
    let second = shipped::documents()[0]
        .text
        .replace("policy: baseline", "policy: another");
    assert!(refused(&second)[0].contains("another document is the baseline already"));
}

#[test]
fn p10_a_flag_of_an_unknown_kind_is_no_clearance() {
    let policy = policy();
    let mut flag = serious_penalty();
    flag.kind = greenstar_kernel::Code::parse("of-a-later-edition").unwrap();
    let kind = flag.kind.clone();
    let facts = with(firm(star(5)), flag);
    let matter = policy.matter("finance", "green-loan").unwrap();
    let error = decide(&policy, matter, &facts, NO_ARGUMENTS, today()).unwrap_err();
    assert_eq!(error, DecideError::FlagKindUnknown(kind));
}

#[test]
fn a_stale_view_is_handled_as_the_matter_says() {
    let policy = policy();
    let matter = policy.matter("licensing", "pollutant-permit").unwrap();
    let second = Duration::from_secs(1);
    assert_eq!(matter.handling(Some(5 * second), None), Ok(Handling::Fresh));
    assert_eq!(
        matter.handling(Some(6 * second), None),
        Ok(Handling::ManualReview)
    );
    assert_eq!(
        matter.handling(Some(2 * second), Some(second)),
        Ok(Handling::ManualReview)
    );
    assert_eq!(
        matter.handling(Some(6 * second), Some(60 * second)),
        Ok(Handling::ManualReview)
    );
    assert_eq!(matter.handling(None, None), Ok(Handling::ManualReview));
    let patient = policy.with(&document(&format!("{AWARDS}max_staleness_ms: 5001\n")));
    assert_eq!(
        patient.unwrap_err().0.first().map(|error| error.defect.clone()),
        Some(PolicyDefect::TooPatient(5_001))
    );
    let refusing = policy
        .with(&document(&format!(
            "{AWARDS}on_stale: refuse\nmax_staleness_ms: 1000\n"
        )))
        .unwrap();
    assert!(
        refusing
            .matter("awards", "award")
            .unwrap()
            .handling(Some(2 * second), None)
            .is_err()
    );
    let telling = policy
        .with(&document(&format!(
            "{AWARDS}on_stale: allow_with_caveat\nmax_staleness_ms: 1000\n"
        )))
        .unwrap();
    let matter = telling.matter("awards", "award").unwrap();
    assert_eq!(matter.handling(Some(2 * second), None), Ok(Handling::Caveat));
    assert_eq!(
        matter.handling(None, None),
        Ok(Handling::ManualReview),
        "an age that nobody knows is no caveat (P10)"
    );
}

#[test]
fn arguments_are_columns_and_are_checked() {
    let table = "  hit: first
  rows:
    - { when: { level: '\"national\"', state: '\"VETOED\"' }, outcome: LIMITED, reason: { zh: 国家级, en: National } }
  default: { outcome: OPEN, reason: { zh: 其他, en: Others } }
arguments:
  - { name: level, title: { zh: 奖项级别, en: level of the award }, kind: { type: choice, values: [district, national] }, required: true }
  - { name: amount, title: { zh: 金额, en: amount }, kind: { type: integer, min: 0, max: 1000 } }
";
    let policy = policy().with(&document(&awards(table))).unwrap();
    let matter = policy.matter("awards", "award").unwrap();
    let facts = firm(Standing::Vetoed);
    let national = matter
        .parse_arguments([("level", "national"), ("amount", "12")].into_iter())
        .unwrap();
    let decision = decide(&policy, matter, &facts, &national, today()).unwrap();
    assert_eq!(decision.outcome.code.as_str(), "LIMITED");
    let parse =
        |given: &[(&'static str, &'static str)]| matter.parse_arguments(given.iter().copied()).unwrap_err();
    assert_eq!(parse(&[]).to_string(), "the matter needs the argument level");
    assert!(matches!(
        parse(&[("level", "provincial")]),
        ArgumentError::Malformed { .. }
    ));
    assert!(matches!(
        parse(&[("level", "national"), ("amount", "1001")]),
        ArgumentError::Malformed { .. }
    ));
    assert!(matches!(parse(&[("colour", "red")]), ArgumentError::Unknown(_)));
}

#[test]
fn the_guide_for_officers_is_true() {
    let guide = include_str!("../../../../../docs/policies.md");
    let example = guide
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let policy = policy()
        .with(&document(example))
        .unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(
        answer(&ask(&policy, "awards/award", &firm(Standing::Vetoed), today())),
        "LIMITED award-limit"
    );
    for column in FactColumn::ALL {
        // Points are listed as a range of names.
        assert!(
            guide.contains(&format!("`{}`", column.name())) || column.name().starts_with("points_"),
            "{column:?}"
        );
    }
}

#[test]
fn a_validity_is_tested_as_a_date() {
    let table = "  hit: first
  rows:
    - { when: { valid_until: '<2026-12-31' }, outcome: FAVOURED, reason: { zh: 即将到期, en: Ends soon } }
  default: { outcome: OPEN, reason: { zh: 其他, en: Others } }
";
    let policy = policy().with(&document(&awards(table))).unwrap();
    let outcome = |until: &str| {
        let mut facts = firm(star(3));
        facts.rating.valid_until = Some(date(until).start());
        ask(&policy, "awards/award", &facts, today())
            .outcome
            .code
            .as_str()
            .to_owned()
    };
    assert_eq!(
        (outcome("2026-12-30").as_str(), outcome("2026-12-31").as_str()),
        ("FAVOURED", "OPEN")
    );
    let wrong = refused(&awards(&table.replace("2026-12-31", "2026-13-31")));
    assert_eq!(
        wrong,
        [
            "table awards, row 1, column valid_until, character 2: \"2026-13-31\" is not a date, e.g. 2026-03-31"
        ]
    );
}
