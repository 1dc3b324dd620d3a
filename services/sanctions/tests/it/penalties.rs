//! What a document imposes, how long that is published, and what proves it.

use greenstar_kernel::Timestamp;
use greenstar_proto::common::v1::Severity;
use greenstar_proto::sanctions::v1::{
    EvidenceDocument, Flag, FlagState, GetFlagRequest, Penalty, RaiseFlagRequest,
};
use greenstar_rpc::said_of;
use greenstar_testkit::Scratch;
use tonic::Code;

use crate::server::{Server, engines, midnight, penalty, refused};

fn imposing(kind: &str, types: &[&str]) -> RaiseFlagRequest {
    RaiseFlagRequest {
        kind: kind.to_owned(),
        penalties: types
            .iter()
            .map(|one| Penalty {
                r#type: (*one).to_owned(),
                amount: String::new(),
            })
            .collect(),
        ..penalty("1")
    }
}

fn dated(date: &str, mut request: RaiseFlagRequest) -> RaiseFlagRequest {
    if let Some(document) = &mut request.document {
        document.date = date.to_owned();
    }
    request
}

fn instant(at: Option<pbjson_types::Timestamp>) -> Option<Timestamp> {
    at.map(|at| Timestamp::from_micros(at.seconds * 1_000_000 + i64::from(at.nanos) / 1000))
}

async fn get(server: &Server, name: &str) -> Flag {
    let request = GetFlagRequest {
        name: name.to_owned(),
    };
    let answer = server.flags("finance").get_flag(request).await.unwrap();
    answer.into_inner().flag.unwrap()
}

#[tokio::test]
async fn windows_run_from_the_documents_date_and_end_at_midnight_in_shanghai() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        // Confirmed on 2026-05-10; three months after the 30th of November end in February.
        for (kind, date, repair, shown, end) in [
            (
                "serious-penalty",
                "2026-04-30",
                Some("2027-05-01"),
                Some("2029-05-01"),
                "2029-05-01",
            ),
            (
                "ordinary-penalty",
                "2025-11-30",
                Some("2026-03-01"),
                Some("2026-12-01"),
                "2026-12-01",
            ),
            (
                "complaint-verified",
                "2026-03-31",
                Some("2026-03-31"),
                None,
                "2026-07-01",
            ),
            (
                "serious-dishonesty-list",
                "2026-02-28",
                Some("2027-03-01"),
                Some("2029-03-01"),
                "2029-03-01",
            ),
        ] {
            let request = RaiseFlagRequest {
                kind: kind.to_owned(),
                ..dated(date, penalty("1"))
            };
            let flag = server.flagged(request).await;
            assert_eq!(instant(flag.earliest_repair_time), repair.map(midnight), "{kind}");
            assert_eq!(instant(flag.publish_until_time), shown.map(midnight), "{kind}");
            assert_eq!(instant(flag.end_time), Some(midnight(end)), "{kind}");
            assert_eq!(
                instant(flag.appeal_until_time),
                Some(midnight("2026-07-10")),
                "{kind}"
            );
            assert!(flag.repairable, "{kind}");
            assert_eq!(flag.published, shown.is_some(), "{kind}");
        }
        let deceit = RaiseFlagRequest {
            kind: "permit-by-deceit".to_owned(),
            scope: "pollutant-permit".to_owned(),
            ..penalty("2")
        };
        let flag = server.flagged(deceit).await;
        assert!(!flag.repairable);
        assert_eq!(flag.earliest_repair_time, None, "its article knows no repair");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_flag_past_its_publicity_is_marked() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let blacklisted = RaiseFlagRequest {
        kind: "environmental-service-blacklist".to_owned(),
        ..penalty("1")
    };
    let flag = server.flagged(blacklisted).await;
    assert!(flag.published);
    // Listed for five years, published for three.
    server.clock.set(midnight("2029-04-02"));
    let seen = get(&server, &flag.name).await;
    assert_eq!((seen.state(), seen.published), (FlagState::InForce, false));

    server
        .clock
        .set(Timestamp::from_micros(midnight("2029-04-02").micros() - 1));
    assert!(get(&server, &flag.name).await.published);
    server.revoke("enforcement", &flag.name).await.unwrap();
    let seen = get(&server, &flag.name).await;
    assert_eq!((seen.published, seen.publish_until_time), (false, None));
    server.stop().await;
}

#[tokio::test]
async fn the_gravest_penalty_of_a_document_gives_its_severity() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let mut request = imposing("serious-penalty", &["warning", "fine-very-large", "confiscation"]);
    request.penalties[1].amount = "1250000.50".to_owned();
    request.severity = Severity::Serious.into();
    let flag = server.flagged(request.clone()).await;
    assert_eq!(flag.severity(), Severity::Serious);
    assert_eq!(flag.penalties, request.penalties);
    assert_eq!(instant(flag.earliest_repair_time), Some(midnight("2027-04-02")));

    let before = server.head().await;
    let milder = RaiseFlagRequest {
        severity: Severity::Ordinary.into(),
        ..imposing("ordinary-penalty", &["fine-large", "licence-revoked"])
    };
    for (request, reason) in [
        (milder, "SEVERITY_NOT_ALLOWED"),
        (
            imposing("ordinary-penalty", &["fine-large", "business-ban"]),
            "SEVERITY_NOT_ALLOWED",
        ),
        (imposing("serious-penalty", &["warning"]), "SEVERITY_NOT_ALLOWED"),
        (
            imposing("serious-penalty", &["fine-very-large", "fine-huge"]),
            "PENALTY_UNKNOWN",
        ),
        (imposing("serious-penalty", &["大额"]), "PENALTY_UNKNOWN"),
    ] {
        let status = refused(
            server.raise("enforcement", request).await,
            Code::InvalidArgument,
            reason,
        );
        let said = said_of(&status);
        assert!(!said.zh.is_empty() && !said.en.is_empty());
    }
    let types: Vec<&str> = vec!["warning"; 21];
    let many = server
        .raise("enforcement", imposing("serious-penalty", &types))
        .await;
    refused(many, Code::InvalidArgument, "FIELD_INVALID");
    for amount in ["-1", "1.005", "一百万", "1e6", "01"] {
        let mut request = imposing("serious-penalty", &["fine-very-large"]);
        request.penalties[0].amount = amount.to_owned();
        let outcome = server.raise("enforcement", request).await;
        refused(outcome, Code::InvalidArgument, "FIELD_INVALID");
    }
    assert_eq!(server.head().await, before);
    server.stop().await;
}

#[tokio::test]
async fn evidence_is_kept_by_its_hash() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let evidence = |sha256: &str| RaiseFlagRequest {
            evidence: vec![EvidenceDocument {
                title: " 监测报告 ".to_owned(),
                sha256: sha256.to_owned(),
                reference: "档案 2026-17".to_owned(),
            }],
            ..penalty("1")
        };
        let before = server.head().await;
        for sha256 in ["", "ab", &"xy".repeat(32), &"ab".repeat(33), &"字".repeat(64)] {
            let outcome = server.raise("enforcement", evidence(sha256)).await;
            refused(outcome, Code::InvalidArgument, "FIELD_INVALID");
        }
        let mut untitled = evidence(&"ab".repeat(32));
        untitled.evidence[0].title = " ".to_owned();
        let outcome = server.raise("enforcement", untitled).await;
        refused(outcome, Code::InvalidArgument, "FIELD_INVALID");
        assert_eq!(server.head().await, before);

        let flag = server.flagged(evidence(&"AB".repeat(32))).await;
        assert_eq!(flag.evidence[0].sha256, "ab".repeat(32));
        assert_eq!(flag.evidence[0].title, "监测报告");
        assert_eq!(get(&server, &flag.name).await.evidence, flag.evidence);
        server.stop().await;
    }
}
