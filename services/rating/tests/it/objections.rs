//! Objections: decided point by point by other staff, and what is upheld counts at once.

use greenstar_kernel::WorkingDays;
use greenstar_proto::rating::v1 as pb;
use tonic::{Code, Status};

use crate::enterprises::FIRST;
use crate::facts::{date, noon};
use crate::rounds::published;
use crate::service::{Suite, refused};

fn own() -> String {
    format!("enterprises/{FIRST}")
}

fn on_item(item: &str) -> pb::ObjectionPoint {
    pb::ObjectionPoint {
        item: item.into(),
        grounds: "联网设备已验收".into(),
        ..Default::default()
    }
}

fn on_event(event: &str) -> pb::ObjectionPoint {
    pb::ObjectionPoint {
        event: event.into(),
        grounds: "当事人不是本企业".into(),
        ..Default::default()
    }
}

async fn file(
    suite: &Suite,
    who: &str,
    points: Vec<pb::ObjectionPoint>,
    version: u32,
) -> Result<pb::FileObjectionResponse, Status> {
    let request = pb::FileObjectionRequest {
        parent: own(),
        points,
        version,
        ..Default::default()
    };
    let filed = suite.ratings(who).file_objection(request).await;
    filed.map(tonic::Response::into_inner)
}

async fn decide(
    suite: &Suite,
    who: &str,
    name: &str,
    findings: Vec<pb::ObjectionFinding>,
) -> Result<pb::DecideObjectionResponse, Status> {
    let request = pb::DecideObjectionRequest {
        name: name.into(),
        findings,
        ..Default::default()
    };
    let decided = suite.ratings(who).decide_objection(request).await;
    decided.map(tonic::Response::into_inner)
}

fn finding(point: &pb::ObjectionPoint, verdict: pb::ObjectionVerdict, points: &str) -> pb::ObjectionFinding {
    pb::ObjectionFinding {
        item: point.item.clone(),
        event: point.event.clone(),
        verdict: verdict.into(),
        reason: "经复核".into(),
        points: points.into(),
        ..Default::default()
    }
}

async fn listed(suite: &Suite, who: &str, parent: &str, overdue: bool) -> Result<usize, Status> {
    let request = pb::ListObjectionsRequest {
        parent: parent.into(),
        overdue,
        ..Default::default()
    };
    let listed = suite.ratings(who).list_objections(request).await?;
    Ok(listed.into_inner().objections.len())
}

#[tokio::test]
async fn an_item_is_decided_by_others_and_counts_at_once() {
    for suite in Suite::both(noon("2026-03-02")).await {
        published(&suite).await;
        let point = on_item("B04");
        let unknown = file(&suite, &own(), vec![point.clone()], 9).await;
        assert_eq!(
            refused(unknown),
            (Code::NotFound, "RATING_VERSION_UNKNOWN".into())
        );
        let deducted = file(&suite, &own(), vec![on_item("A08")], 0).await;
        assert_eq!(refused(deducted), (Code::InvalidArgument, "ITEM_UNKNOWN".into()));
        let filed = file(&suite, &own(), vec![point.clone(), on_item("D01")], 0)
            .await
            .unwrap();
        let objection = filed.objection.unwrap();
        assert!(filed.rating.unwrap().objection_open);
        assert!(
            suite.rating_of("licensing", FIRST).await.objection_open,
            "a marker, for all"
        );
        assert_eq!(
            suite.rating_of("licensing", FIRST).await.points,
            "93",
            "it suspends nothing"
        );
        let due = date("2026-03-02").deadline(WorkingDays(15)).micros();
        assert_eq!(objection.due_time.unwrap().seconds * 1_000_000, due);
        let twice = file(&suite, &own(), vec![point.clone()], 0).await;
        assert_eq!(refused(twice), (Code::AlreadyExists, "OBJECTION_EXISTS".into()));

        let upheld = finding(&point, pb::ObjectionVerdict::Upheld, "2");
        let rejected = finding(&on_item("D01"), pb::ObjectionVerdict::Rejected, "");
        let half = decide(&suite, "rating", &objection.name, vec![upheld.clone()]).await;
        assert_eq!(
            refused(half),
            (Code::InvalidArgument, "FINDINGS_INCOMPLETE".into())
        );
        let verifier = decide(
            &suite,
            "rating/2",
            &objection.name,
            vec![upheld.clone(), rejected.clone()],
        )
        .await;
        assert_eq!(refused(verifier), (Code::PermissionDenied, "SAME_OFFICER".into()));
        let worse = vec![
            finding(&point, pb::ObjectionVerdict::Partly, "0.5"),
            rejected.clone(),
        ];
        let worse = decide(&suite, "rating/3", &objection.name, worse).await;
        assert_eq!(refused(worse), (Code::InvalidArgument, "FIELD_INVALID".into()));

        assert_eq!(listed(&suite, "rating", "enterprises/-", true).await.unwrap(), 0);
        suite.clock.set(greenstar_kernel::Timestamp::from_micros(due));
        assert_eq!(listed(&suite, "rating", "enterprises/-", true).await.unwrap(), 1);
        let others = listed(&suite, &own(), "enterprises/-", false).await;
        assert_eq!(
            refused(others),
            (Code::PermissionDenied, "NOT_YOUR_ENTERPRISE".into())
        );
        let findings = vec![upheld.clone(), rejected.clone()];
        let decided = decide(&suite, "rating/3", &objection.name, findings.clone())
            .await
            .unwrap();
        let rating = decided.rating.unwrap();
        assert_eq!(
            (rating.points.as_str(), rating.version, rating.objection_open),
            ("94", 2, false)
        );
        assert_eq!(listed(&suite, "rating", "enterprises/-", true).await.unwrap(), 0);
        let again = decide(&suite, "rating/3", &objection.name, findings).await;
        assert_eq!(
            refused(again),
            (Code::FailedPrecondition, "OBJECTION_DECIDED".into())
        );
        // The old version was contested; the new one may be.
        let old = file(&suite, &own(), vec![point.clone()], 1).await;
        assert_eq!(refused(old), (Code::AlreadyExists, "OBJECTION_EXISTS".into()));
        file(&suite, &own(), vec![point], 2).await.unwrap();
        suite.stop().await;
    }
}

#[tokio::test]
async fn an_event_that_is_not_the_firms_never_counted() {
    let suite = Suite::start(noon("2026-03-02")).await;
    published(&suite).await;
    let fined = crate::events::record(&suite, "enforcement", FIRST, "fine_ordinary", "1", "2026-02-20").await;
    let (event, rating) = fined.unwrap();
    assert_eq!(rating.star, Some(4));
    let point = on_event(&event.name);
    let filed = file(&suite, &own(), vec![point.clone()], 0).await.unwrap();
    let name = filed.objection.unwrap().name;
    let milder = pb::ObjectionFinding {
        kind: "warning".into(),
        ..finding(&point, pb::ObjectionVerdict::Partly, "")
    };
    let graver = pb::ObjectionFinding {
        kind: "seizure_or_production_limit".into(),
        ..milder.clone()
    };
    let refusal = decide(&suite, "rating", &name, vec![graver]).await;
    assert_eq!(refused(refusal), (Code::InvalidArgument, "FIELD_INVALID".into()));
    let decided = decide(&suite, "rating", &name, vec![milder]).await.unwrap();
    let rating = decided.rating.unwrap();
    assert_eq!(
        (rating.star, rating.points.as_str()),
        (Some(5), "92"),
        "a warning takes one point and no star"
    );

    let filed = file(&suite, &own(), vec![point.clone()], 0).await.unwrap();
    let upheld = finding(&point, pb::ObjectionVerdict::Upheld, "");
    let name = filed.objection.unwrap().name;
    let decided = decide(&suite, "rating", &name, vec![upheld]).await.unwrap();
    assert_eq!(decided.rating.unwrap().points, "93");
    let struck = file(&suite, &own(), vec![point], 0).await;
    assert_eq!(refused(struck), (Code::FailedPrecondition, "EVENT_ENDED".into()));
    let stranger = file(
        &suite,
        &format!("enterprises/{}", crate::enterprises::SECOND),
        vec![on_item("B04")],
        0,
    )
    .await;
    assert_eq!(
        refused(stranger),
        (Code::PermissionDenied, "NOT_YOUR_ENTERPRISE".into())
    );
    suite.stop().await;
}
