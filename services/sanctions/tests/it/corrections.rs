//! Flags that never should have been.

use std::collections::BTreeSet;

use greenstar_proto::sanctions::v1::{FlagState, ListFlagsRequest, RaiseFlagRequest};
use greenstar_testkit::Scratch;
use tonic::Code;

use crate::server::{FIRM, OTHER_FIRM, Server, engines, midnight, noon, penalty, position, refused};

#[tokio::test]
async fn a_flag_on_the_wrong_enterprise_is_revoked_at_once_and_proposed_on_the_right_one() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let wrong = server.flagged(penalty("1")).await;
        let answer = server
            .correct("enforcement/2", &wrong.name, OTHER_FIRM)
            .await
            .unwrap();
        let (revoked, right) = (answer.revoked.unwrap(), answer.flag.unwrap());
        assert_eq!(
            (revoked.state(), revoked.revoke_reason.as_str()),
            (FlagState::Revoked, "two firms of one name")
        );
        assert_eq!(
            (&revoked.name, &revoked.superseded_by),
            (&wrong.name, &right.name)
        );
        assert_eq!(
            (right.state(), &right.corrects),
            (FlagState::Proposed, &wrong.name)
        );
        assert!(
            right
                .name
                .starts_with(&format!("enterprises/{OTHER_FIRM}/flags/"))
        );
        assert_eq!(
            (
                &right.document,
                &right.kind,
                &right.reason,
                right.proposer.as_str()
            ),
            (&wrong.document, &wrong.kind, &wrong.reason, "enforcement/2")
        );
        assert_eq!(
            right.end_time, wrong.end_time,
            "the term still runs from the document"
        );
        // The proposal is its department's own business, so nobody else is told where it is.
        for caller in ["licensing", &format!("enterprises/{FIRM}")] {
            let seen = server.flag(caller, &wrong.name).await;
            assert_eq!(
                (seen.state(), seen.superseded_by.as_str()),
                (FlagState::Revoked, "")
            );
        }
        let own = server.flag("enforcement/3", &wrong.name).await;
        assert_eq!(own.superseded_by, right.name);

        // As ever: by another officer.
        let own = server.confirm("enforcement/2", &right.name).await;
        refused(own, Code::PermissionDenied, "SAME_OFFICER");
        let (bound, _) = server.confirm("enforcement", &right.name).await.unwrap();
        assert_eq!(
            (bound.state(), &bound.corrects),
            (FlagState::InForce, &wrong.name)
        );
        assert_eq!(server.flag("finance", &right.name).await.corrects, "");
        let again = server.correct("enforcement", &wrong.name, OTHER_FIRM).await;
        refused(again, Code::FailedPrecondition, "FLAG_STATE");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_correction_that_cannot_be_lets_nobody_go() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let wrong = server.flagged(penalty("1")).await;
    let (proposal, _) = server.raise("enforcement", penalty("2")).await.unwrap();
    let elsewhere = RaiseFlagRequest {
        parent: format!("enterprises/{OTHER_FIRM}"),
        ..penalty("1")
    };
    let there = server.flagged(elsewhere).await;
    let before = server.head().await;
    for (caller, name, enterprise, code, reason) in [
        (
            "enforcement",
            &wrong.name,
            FIRM,
            Code::InvalidArgument,
            "CORRECTION_INVALID",
        ),
        (
            "enforcement",
            &wrong.name,
            OTHER_FIRM,
            Code::AlreadyExists,
            "FLAG_EXISTS",
        ),
        (
            "enforcement",
            &wrong.name,
            "9111O115MAX000015J",
            Code::InvalidArgument,
            "USCC_MALFORMED",
        ),
        (
            "enforcement",
            &proposal.name,
            OTHER_FIRM,
            Code::FailedPrecondition,
            "FLAG_STATE",
        ),
        (
            "licensing",
            &wrong.name,
            "91110115MAX0000318",
            Code::PermissionDenied,
            "DEPARTMENT_NOT_ALLOWED",
        ),
        (
            "licensing",
            &proposal.name,
            "91110115MAX0000318",
            Code::NotFound,
            "FLAG_UNKNOWN",
        ),
    ] {
        refused(server.correct(caller, name, enterprise).await, code, reason);
    }
    // The term has run out meanwhile.
    server.clock.set(midnight("2029-04-02"));
    let late = server
        .correct("enforcement", &wrong.name, "91110115MAX0000318")
        .await;
    refused(late, Code::FailedPrecondition, "FLAG_STATE");
    server.clock.set(noon("2026-05-10"));
    let revoked = server.revoke("enforcement", &there.name).await.unwrap();
    assert!(before.revision < position(&revoked.1).revision);
    server.stop().await;
}

#[tokio::test]
async fn whatever_was_in_force_can_be_revoked_once_by_its_department() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let (proposal, _) = server.raise("enforcement", penalty("1")).await.unwrap();
        let early = server.revoke("enforcement", &proposal.name).await;
        refused(early, Code::FailedPrecondition, "FLAG_STATE");
        let hidden = server.revoke("licensing", &proposal.name).await;
        refused(hidden, Code::NotFound, "FLAG_UNKNOWN");
        server.confirm("enforcement/2", &proposal.name).await.unwrap();
        let foreign = server.revoke("licensing", &proposal.name).await;
        refused(foreign, Code::PermissionDenied, "DEPARTMENT_NOT_ALLOWED");

        let (flag, _) = server.revoke("enforcement", &proposal.name).await.unwrap();
        assert_eq!(flag.state(), FlagState::Revoked);
        assert!(flag.revoke_time.is_some() && flag.start_time.is_some() && flag.lift_time.is_none());
        let twice = server.revoke("enforcement", &flag.name).await;
        refused(twice, Code::FailedPrecondition, "FLAG_STATE");

        // The document may be flagged again, and what was lifted can still be annulled.
        let again = server.flagged(penalty("1")).await;
        server.lift("enforcement", &again.name).await.unwrap();
        server.revoke("enforcement", &again.name).await.unwrap();

        let request = ListFlagsRequest {
            parent: format!("enterprises/{FIRM}"),
            state: FlagState::Revoked.into(),
            ..Default::default()
        };
        let listed = server.flags("finance").list_flags(request).await.unwrap();
        let listed = listed.into_inner().flags;
        // Both were raised at one instant.
        let names: BTreeSet<&str> = listed.iter().map(|flag| flag.name.as_str()).collect();
        assert_eq!(names, BTreeSet::from([again.name.as_str(), flag.name.as_str()]));
        server.stop().await;
    }
}
