//! Policies as data: listed, and checked before anybody publishes them.

use greenstar_proto::supervision::v1 as pb;
use greenstar_testkit::Scratch;
use tonic::Code;

use crate::server::{Server, Sources, refusal, refused};

const SHIPPED: &str = include_str!("../../data/finance.yaml");

#[tokio::test]
async fn the_shipped_policies_are_in_force_from_the_first_start_on() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let sources = Sources::start().await;
        let server = Server::start(&sources, &scratch).await;
        let listed = server
            .policies()
            .list_policies(pb::ListPoliciesRequest {})
            .await
            .unwrap()
            .into_inner();
        let names: Vec<&str> = listed
            .policies
            .iter()
            .map(|policy| policy.department.as_str())
            .collect();
        for department in ["baseline", "licensing", "finance", "enforcement"] {
            assert!(names.contains(&department), "{department} in {names:?}");
        }
        assert!(
            listed
                .policies
                .iter()
                .all(|policy| policy.effective_time.is_some() && policy.version >= 1)
        );
        assert!(!listed.token.is_empty());
        let matters = server
            .policies()
            .list_matters(pb::ListMattersRequest {})
            .await
            .unwrap()
            .into_inner()
            .matters;
        let permit = matters
            .iter()
            .find(|matter| matter.name.ends_with("/hazardous-waste-permit"))
            .unwrap();
        let outcomes: Vec<&str> = permit
            .outcomes
            .iter()
            .map(|outcome| outcome.code.as_str())
            .collect();
        assert_eq!(outcomes, ["FAST_TRACK", "STANDARD", "STRICT_REVIEW", "REFUSE"]);
        server.stop().await;
        // A second start seeds nothing.
        let server = Server::start(&sources, &scratch).await;
        let again = server
            .policies()
            .list_policies(pb::ListPoliciesRequest {})
            .await
            .unwrap()
            .into_inner();
        assert_eq!(again, listed);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_policy_is_checked_and_its_faults_are_named() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let validate = async |source: String| {
        let answer = server
            .policies()
            .validate_policy(pb::ValidatePolicyRequest {
                source,
                ..Default::default()
            })
            .await;
        answer.map(|answer| answer.into_inner().policy.unwrap())
    };
    let sound = validate(SHIPPED.to_owned()).await.unwrap();
    assert_eq!(sound.department, "finance");
    assert_eq!(sound.matters, ["departments/finance/matters/green-loan"]);
    assert!(sound.rows > 0);
    let cases = [
        ("no: policy".to_owned(), "TABLE_MALFORMED"),
        (
            SHIPPED.replace("outcome: PRIORITY", "outcome: GRAND"),
            "OUTCOME_UNKNOWN",
        ),
        (
            SHIPPED.replace("when: { star: ", "when: { stars: "),
            "TABLE_COLUMN_UNKNOWN",
        ),
        (
            SHIPPED.replace("measures: { priority-credit-advice", "measures: { gold-medal"),
            "MEASURE_UNKNOWN",
        ),
    ];
    for (source, reason) in cases {
        assert_ne!(source, SHIPPED, "{reason}");
        assert_eq!(
            refusal(validate(source).await),
            refused(Code::InvalidArgument, reason)
        );
    }
    // All at once, each with its place, and never more than a header carries.
    let many = SHIPPED.replace("zh:", "zhh:").replace("outcome: ", "outcome: X");
    let status = validate(many).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let twice = SHIPPED
        .replace("outcome: PRIORITY", "outcome: GRAND")
        .replace("outcome: PRUDENT", "outcome: GRIM");
    let status = validate(twice).await.unwrap_err();
    let places = tonic_types::StatusExt::get_details_bad_request(&status)
        .unwrap()
        .field_violations;
    assert!(places.len() >= 2, "{places:?}");
    assert!(
        places
            .iter()
            .all(|place| place.field.starts_with("source/finance")),
        "{places:?}"
    );
    server.stop().await;
}
