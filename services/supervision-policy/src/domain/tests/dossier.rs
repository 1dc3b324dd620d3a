//! Rows beside a case, and records that stay readable.

use greenstar_kernel::Standing;

use super::support::{NO_ARGUMENTS, ask, catalogue, firm, policy, serious_penalty, star, today, with};
use crate::domain::dossier::{Nearness, Unmet, rows};
use crate::domain::facts::Facts;
use crate::domain::policy::evaluates;
use crate::domain::policy::{Document, Policy};
use crate::domain::shipped;

fn near(policy: &Policy, facts: &Facts, unrated: Option<&Facts>) -> Vec<(usize, Nearness)> {
    let matter = policy.matter("finance", "green-loan").unwrap();
    let rows = rows(policy, matter, facts, unrated, NO_ARGUMENTS, today()).unwrap();
    rows.table
        .into_iter()
        .map(|row| (row.number, row.nearness))
        .collect()
}

fn nearly(column: &str, wanted: &str, found: &str) -> Nearness {
    Nearness::Nearly(Unmet {
        column: column.to_owned(),
        wanted: wanted.to_owned(),
        found: found.to_owned(),
    })
}

const SERIOUS: &str = r#"contains("serious-penalty","serious-dishonesty-list")"#;

#[test]
fn the_default_row_decides_where_no_other_holds_and_a_row_that_lacks_two_conditions_is_far() {
    let policy = policy();
    let expected = [
        (1, nearly("flags", SERIOUS, "empty")),
        (2, nearly("state", r#""VETOED""#, r#""NOT_RATED""#)),
        (3, nearly("star", "5", "none")),
        (4, nearly("star", "4", "none")),
        (5, nearly("star", "3", "none")),
        (0, Nearness::Decided),
    ];
    assert_eq!(near(&policy, &firm(Standing::NotRated), None), expected);
}

#[test]
fn where_nobody_decided_a_row_counts_by_the_case_that_it_came_nearer_to() {
    let policy = policy();
    let rated = with(firm(star(5)), serious_penalty());
    let found = near(&policy, &rated, Some(&rated.unrated()));
    let of = |number: usize| found.iter().find(|(at, _)| *at == number).map(|(_, near)| near);
    assert_eq!(of(1), Some(&Nearness::Decided));
    assert_eq!(of(3), Some(&Nearness::Preceded), "with the star");
    assert_eq!(of(0), None);
    let calm = firm(star(5));
    let found = near(&policy, &calm, Some(&calm.unrated()));
    let decided = found.iter().filter(|(_, near)| *near == Nearness::Decided);
    assert_eq!(decided.map(|(number, _)| *number).collect::<Vec<_>>(), [3, 0]);
}

#[test]
fn what_says_why_a_star_is_missing_is_held_back() {
    let policy = policy();
    let matter = policy.matter("finance", "green-loan").unwrap();
    let shown = |column: &str| {
        let unmet = Unmet {
            column: column.to_owned(),
            wanted: String::new(),
            found: String::new(),
        };
        unmet.is_no_reason_for_a_missing_star(matter)
    };
    assert!(shown("star") && shown("flags") && shown("sector"));
    for column in [
        "points",
        "points_a",
        "events_12m",
        "months_since_serious",
        "open_rectification",
        "any",
    ] {
        assert!(!shown(column), "{column}");
    }
}

/// A record of evaluator 3, as it was written in November 2026.
const FACTS: &str = r#"{"known":true,"rating":{"standing":{"RATED":4},"total":"91.5","categories":["57",null,null,null,null],
    "rated_at":1778385600000000,"valid_until":1809921600000000,"next":{"at":1789921600000000,"standing":{"RATED":5},
    "total":"95","categories":[null,null,null,null,null],"cause":{"zh":"到期","en":"a window ends"}},
    "scheme":"schemes/daxing/versions/1","version":3},"sector":"C2710","district":"110115","polluter_class":"KEY",
    "open_rectification":false,"objection_open":false,"events":[{"kind":"fine_ordinary","severity":"ordinary","date":"2026-03-01"}],
    "flags":[{"name":"enterprises/91110115MAX000015J/flags/serious-penalty","kind":"serious-penalty","severity":"serious",
    "department":"enforcement","scope":null,"document":{"issuer":"北京市大兴区生态环境局","number":"京兴环罚〔2026〕12号","date":"2026-05-08"},
    "bases":[{"code":"b","title":{"zh":"法","en":"law"},"article":null,"effective":null,"end":null}],
    "start":1778385600000000,"end":null}]}"#;

#[test]
fn p7_a_record_of_evaluator_3_is_read_and_decided_for_ever() {
    assert!(evaluates("3") && !evaluates("2") && !evaluates("03") && !evaluates(""));
    let facts: Facts = serde_json::from_str(FACTS).unwrap();
    let policy = policy();
    let decision = ask(&policy, "licensing/eia-approval", &facts, today());
    assert_eq!(decision.outcome.code.as_str(), "STRICT_REVIEW");
    assert_eq!(decision.flags.len(), 1);
}

#[test]
fn a_masked_argument_is_asked_for_and_checked_and_then_forgotten() {
    let name = "name: applicant, title: { zh: 申请人, en: Applicant }, required: true, masked: true";
    let declared = format!("arguments:\n  - {{ {name}, kind: {{ type: integer, min: 0, max: 9 }} }}\ntable:");
    let documents: Vec<Document> = shipped::documents()
        .into_iter()
        .map(|document| Document {
            text: match document.name.as_str() {
                "finance.yaml" => document.text.replacen("\ntable:", &format!("\n{declared}"), 1),
                _ => document.text,
            },
            name: document.name,
        })
        .collect();
    let policy = Policy::load(&documents, catalogue()).unwrap();
    let matter = policy.matter("finance", "green-loan").unwrap();
    let read = |value: &'static str| matter.parse_arguments([("applicant", value)].into_iter());
    assert!(matter.parse_arguments(std::iter::empty()).is_err() && read("ten").is_err());
    assert_eq!(read("7").unwrap(), read("8").unwrap(), "nothing depends on it");
    let given = [("applicant".to_owned(), "7".to_owned())].into();
    let recorded = matter.mask(&given).into_owned();
    assert_eq!(recorded.get("applicant").map(String::as_str), Some("***"));
    let again = recorded
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    assert_eq!(matter.recorded_arguments(again).unwrap(), read("7").unwrap());
}
