//! Policies examined through the service: findings in full, cases, and what differs between two versions.

use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::policy_content::Form;
use greenstar_proto::supervision::v1::policy_reference::Reference;
use greenstar_testkit::Scratch;
use tonic::Code;

use crate::server::{Server, Sources, refusal, refused};

const FINANCE: &str = include_str!("../../data/finance.yaml");
const BASELINE: &str = include_str!("../../data/baseline.yaml");

fn content(source: &str) -> Option<pb::PolicyContent> {
    Some(pb::PolicyContent {
        form: Some(Form::Source(source.to_owned())),
    })
}

async fn report(server: &Server, source: &str) -> pb::ValidatePolicyResponse {
    let request = pb::ValidatePolicyRequest {
        source: source.to_owned(),
        report: true,
        ..Default::default()
    };
    server
        .policies()
        .validate_policy(request)
        .await
        .unwrap()
        .into_inner()
}

/// Four stars get what five do not.
fn unfair() -> String {
    let unfair = FINANCE.replace("when: { star: 5, flags", "when: { star: 4, points: '<90', flags");
    assert_ne!(unfair, FINANCE);
    unfair.split_once("cases:").unwrap().0.to_owned()
}

#[tokio::test]
async fn a_report_tells_every_fault_and_remark_in_full() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let sound = report(&server, FINANCE).await;
    assert_eq!(sound.findings, []);
    assert!(sound.cases.len() >= 6 && sound.cases.iter().all(|case| case.passed));
    let coverage = sound.coverage.unwrap();
    assert_eq!(
        (coverage.rows, coverage.covered, coverage.uncovered),
        (5, 5, Vec::new())
    );

    let found = report(&server, &unfair()).await.findings;
    let unfair_one = found
        .iter()
        .find(|finding| finding.kind() == pb::FindingKind::Unfair)
        .unwrap();
    assert!(unfair_one.fault && unfair_one.reason == "TABLE_UNFAIR");
    assert_eq!(unfair_one.counterexample["star"], "5");
    assert_eq!(unfair_one.compared_with["star"], "4");
    assert!(
        found
            .iter()
            .any(|finding| finding.kind() == pb::FindingKind::Uncovered && !finding.fault)
    );

    let unread = report(&server, &FINANCE.replace("outcome: PRIORITY", "outcome: GRAND")).await;
    assert!(unread.policy.is_none());
    let word = &unread.findings[0];
    assert_eq!(
        (word.kind(), word.place.as_str()),
        (pb::FindingKind::UnknownWord, "table.rows[3].outcome")
    );
    server.stop().await;
}

#[tokio::test]
async fn without_a_report_the_first_fault_is_the_reason() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let validate = async |source: String| {
        let request = pb::ValidatePolicyRequest {
            source,
            ..Default::default()
        };
        server.policies().validate_policy(request).await
    };
    let beyond = FINANCE.replace("- when: { star: 3 }\n      outcome: STANDARD", "- when: { star: 3 }\n      outcome: STANDARD\n      measures: { priority-credit-advice: }\n      basis: [{ zh: 法, en: law }]");
    let stolen = FINANCE.replace("policy: finance-default", "policy: licensing-default");
    let mistaken = FINANCE.replace("outcome: ELIGIBLE, measures: [], rows: [4]", "outcome: PRIORITY");
    for (source, reason) in [
        (unfair(), "TABLE_UNFAIR"),
        (beyond, "MEASURE_BEYOND_LAW"),
        (mistaken, "CASE_FAILED"),
        (stolen, "TABLE_MALFORMED"),
    ] {
        assert_ne!(source, FINANCE, "{reason}");
        assert_eq!(
            refusal(validate(source).await),
            refused(Code::InvalidArgument, reason)
        );
    }
    // A new baseline is held against every department's table.
    let baseline = BASELINE.replace("- when: { state: '\"VETOED\"' }", "- when: { star: 5 }");
    assert_ne!(baseline, BASELINE);
    let refused_for = validate(baseline.split_once("cases:").unwrap().0.to_owned()).await;
    assert_eq!(
        refusal(refused_for),
        refused(Code::InvalidArgument, "TABLE_UNFAIR")
    );
    server.stop().await;
}

#[tokio::test]
async fn cases_are_run_and_a_failure_is_an_answer() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let test = async |source: &str| {
        let request = pb::TestPolicyRequest {
            content: content(source),
        };
        server.policies().test_policy(request).await.unwrap().into_inner()
    };
    let passed = test(FINANCE).await;
    assert!(passed.passed && passed.cases.iter().all(|case| case.difference.is_none()));
    let failed = test(&FINANCE.replace(
        "outcome: ELIGIBLE, measures: [], rows: [4]",
        "outcome: PRIORITY, rows: [3]",
    ))
    .await;
    assert!(!failed.passed);
    let case = failed.cases.iter().find(|case| !case.passed).unwrap();
    assert_eq!(
        (case.name.as_str(), case.outcome.as_str(), case.rows.as_slice()),
        ("four stars", "ELIGIBLE", &[4][..])
    );
    assert!(
        case.difference
            .as_ref()
            .unwrap()
            .en
            .contains("outcome PRIORITY expected, ELIGIBLE found")
    );
    server.stop().await;
}

#[tokio::test]
async fn versions_are_compared_by_text_and_by_what_they_answer() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let diff = async |to: &str| {
        let request = pb::DiffPoliciesRequest {
            from: Some(pb::PolicyReference {
                reference: Some(Reference::Version("policies/finance-default".to_owned())),
            }),
            to: Some(pb::PolicyReference {
                reference: Some(Reference::Content(content(to).unwrap())),
            }),
        };
        server
            .policies()
            .diff_policies(request)
            .await
            .map(tonic::Response::into_inner)
    };
    let same = diff(FINANCE).await.unwrap();
    assert_eq!(same, pb::DiffPoliciesResponse::default());
    let changed = FINANCE.replace(
        "- when: { star: 3 }\n      outcome: STANDARD",
        "- when: { star: 3 }\n      outcome: ELIGIBLE",
    );
    let changed = diff(&changed).await.unwrap();
    let texts: Vec<&str> = changed
        .changes
        .iter()
        .map(|change| change.place.as_str())
        .collect();
    assert_eq!(texts, ["table.rows[5].outcome"]);
    let [behaviour] = changed.behaviour.as_slice() else {
        panic!("{:?}", changed.behaviour);
    };
    assert_eq!(behaviour.matter, "departments/finance/matters/green-loan");
    assert_eq!(behaviour.example["star"], "3");
    assert_eq!(
        (
            behaviour.outcome_before.as_str(),
            behaviour.outcome_after.as_str()
        ),
        ("STANDARD", "ELIGIBLE")
    );
    let unknown = server
        .policies()
        .diff_policies(pb::DiffPoliciesRequest {
            from: Some(pb::PolicyReference {
                reference: Some(Reference::Version(
                    "policies/finance-default/versions/99".to_owned(),
                )),
            }),
            to: Some(pb::PolicyReference {
                reference: Some(Reference::Content(content(FINANCE).unwrap())),
            }),
        })
        .await;
    assert_eq!(
        refusal(unknown),
        refused(Code::NotFound, "POLICY_VERSION_UNKNOWN")
    );
    server.stop().await;
}
