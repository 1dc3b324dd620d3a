//! Appeals: what they suspend, who decides them, and what follows.

use greenstar_proto::common::v1::Severity;
use greenstar_proto::sanctions::v1::apply_repair_request::Subject;
use greenstar_proto::sanctions::v1::{
    Appeal, AppealState, AppealVerdict, ApplyRepairRequest, DecideAppealRequest, FileAppealRequest,
    FlagState, GetAppealRequest, ListAppealsRequest, RaiseFlagRequest, WithdrawAppealRequest,
};
use greenstar_testkit::Scratch;
use tonic::{Code, Status};

use crate::server::{FIRM, OTHER_FIRM, Server, engines, noon, penalty, position, refused};

fn firm() -> String {
    format!("enterprises/{FIRM}")
}

fn filing(flag: &str) -> FileAppealRequest {
    FileAppealRequest {
        parent: firm(),
        flag: flag.to_owned(),
        grounds: "the meter was broken".to_owned(),
        ..Default::default()
    }
}

fn decision(name: &str, verdict: AppealVerdict) -> DecideAppealRequest {
    DecideAppealRequest {
        name: name.to_owned(),
        verdict: verdict.into(),
        opinion: "measured again".to_owned(),
        ..Default::default()
    }
}

/// Appeals against it suspend it.
fn exceedance(number: &str) -> RaiseFlagRequest {
    RaiseFlagRequest {
        kind: "online-exceedance".to_owned(),
        ..penalty(number)
    }
}

impl Server {
    async fn file(&self, caller: &str, request: FileAppealRequest) -> Result<(Appeal, String), Status> {
        let answer = self.appeals(caller).file_appeal(request).await?.into_inner();
        Ok((answer.appeal.unwrap(), answer.token))
    }

    async fn decide(&self, caller: &str, request: DecideAppealRequest) -> Result<(Appeal, String), Status> {
        let answer = self.appeals(caller).decide_appeal(request).await?.into_inner();
        Ok((answer.appeal.unwrap(), answer.token))
    }
}

#[tokio::test]
async fn an_appeal_suspends_a_flag_until_other_staff_dismiss_it() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let flag = server.flagged(exceedance("1")).await;
        let before = server.head().await;
        let request = FileAppealRequest {
            request_id: "one".to_owned(),
            ..filing(&flag.name)
        };
        let (appeal, token) = server.file(&firm(), request.clone()).await.unwrap();
        assert!(appeal.suspends);
        assert_eq!(appeal.state(), AppealState::Filed);
        // The flag and the appeal itself, in one command.
        assert_eq!(position(&token).revision.0, before.revision.0 + 2);
        let suspended = server.flag("finance", &flag.name).await;
        assert_eq!(suspended.state(), FlagState::Suspended);
        assert_eq!(
            suspended.appeal, "",
            "that the firm appealed is not their business"
        );
        for near in ["enforcement", &firm()] {
            assert_eq!(server.flag(near, &flag.name).await.appeal, appeal.name);
        }
        assert_eq!(server.file(&firm(), request).await.unwrap().0.name, appeal.name);
        refused(
            server.file(&firm(), filing(&flag.name)).await,
            Code::AlreadyExists,
            "APPEAL_EXISTS",
        );

        let before = server.head().await;
        let dismiss = decision(&appeal.name, AppealVerdict::Dismiss);
        for officer in ["enforcement", "enforcement/2"] {
            refused(
                server.decide(officer, dismiss.clone()).await,
                Code::PermissionDenied,
                "SAME_OFFICER",
            );
        }
        refused(
            server.decide("licensing", dismiss.clone()).await,
            Code::PermissionDenied,
            "NOT_THE_RECOGNISING_BODY",
        );
        assert_eq!(server.head().await, before);

        let (dismissed, _) = server.decide("enforcement/3", dismiss.clone()).await.unwrap();
        assert_eq!(dismissed.state(), AppealState::Dismissed);
        assert_eq!(
            server.flag("finance", &flag.name).await.state(),
            FlagState::InForce
        );
        refused(
            server.decide("enforcement/3", dismiss).await,
            Code::FailedPrecondition,
            "APPEAL_STATE",
        );
        refused(
            server.file(&firm(), filing(&flag.name)).await,
            Code::AlreadyExists,
            "APPEAL_EXISTS",
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn an_annulled_flag_is_revoked_and_an_amended_one_is_milder() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let wrong = server.flagged(penalty("1")).await;
        let with_it = RaiseFlagRequest {
            kind: "ordinary-penalty".to_owned(),
            ..penalty("1")
        };
        let with_it = server.flagged(with_it).await;
        let (appeal, _) = server.file(&firm(), filing(&wrong.name)).await.unwrap();
        assert!(!appeal.suspends);
        assert_eq!(
            server.flag("finance", &wrong.name).await.state(),
            FlagState::InForce
        );
        let annul = decision(&appeal.name, AppealVerdict::Annul);
        let (annulled, _) = server.decide("enforcement/3", annul).await.unwrap();
        assert_eq!(annulled.state(), AppealState::Annulled);
        for flag in [&wrong, &with_it] {
            let flag = server.flag("finance", &flag.name).await;
            assert_eq!(flag.state(), FlagState::Revoked);
            assert_eq!(flag.appeal, "");
            assert_eq!(server.flag("enforcement", &flag.name).await.appeal, appeal.name);
        }

        let grave = server.flagged(penalty("2")).await;
        let (appeal, _) = server.file(&firm(), filing(&grave.name)).await.unwrap();
        let amend = |severity: Severity| DecideAppealRequest {
            severity: severity.into(),
            ..decision(&appeal.name, AppealVerdict::Amend)
        };
        for severity in [Severity::Unspecified, Severity::Serious] {
            refused(
                server.decide("enforcement/3", amend(severity)).await,
                Code::InvalidArgument,
                "SEVERITY_NOT_ALLOWED",
            );
        }
        let dismissed_with = DecideAppealRequest {
            severity: Severity::Minor.into(),
            ..decision(&appeal.name, AppealVerdict::Dismiss)
        };
        refused(
            server.decide("enforcement/3", dismissed_with).await,
            Code::InvalidArgument,
            "FIELD_INVALID",
        );
        let (amended, _) = server
            .decide("enforcement/3", amend(Severity::Ordinary))
            .await
            .unwrap();
        assert_eq!(amended.severity(), Severity::Ordinary);
        let milder = server.flag("finance", &grave.name).await;
        assert_eq!(
            (milder.state(), milder.severity()),
            (FlagState::InForce, Severity::Ordinary)
        );
        assert!(milder.end_time.unwrap().seconds < grave.end_time.unwrap().seconds);
        server.stop().await;
    }
}

#[tokio::test]
async fn an_appeal_comes_in_time_and_against_what_binds() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let flag = server.flagged(penalty("1")).await;
    let lifted = server.flagged(penalty("2")).await;
    server.lift("enforcement", &lifted.name).await.unwrap();
    let (proposal, _) = server.raise("enforcement", penalty("3")).await.unwrap();
    let before = server.head().await;
    refused(
        server.file(&firm(), filing(&lifted.name)).await,
        Code::FailedPrecondition,
        "NOTHING_IN_FORCE",
    );
    refused(
        server.file(&firm(), filing(&proposal.name)).await,
        Code::NotFound,
        "FLAG_UNKNOWN",
    );
    refused(
        server.file("enforcement", filing(&proposal.name)).await,
        Code::FailedPrecondition,
        "NOTHING_IN_FORCE",
    );
    refused(
        server.file("finance", filing(&flag.name)).await,
        Code::PermissionDenied,
        "NOT_THE_RECOGNISING_BODY",
    );
    let other = format!("enterprises/{OTHER_FIRM}");
    refused(
        server.file(&other, filing(&flag.name)).await,
        Code::PermissionDenied,
        "NOT_YOUR_ENTERPRISE",
    );
    // Confirmed on 2026-05-10; the sixtieth day is 2026-07-09.
    server.clock.set(noon("2026-07-10"));
    refused(
        server.file(&firm(), filing(&flag.name)).await,
        Code::FailedPrecondition,
        "APPEAL_OUT_OF_TIME",
    );
    assert_eq!(server.head().await, before);
    server.clock.set(noon("2026-07-09"));
    server.file(&firm(), filing(&flag.name)).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_firm_takes_its_appeal_back_before_it_asks_for_a_repair() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let flag = server.flagged(exceedance("1")).await;
    let (appeal, _) = server.file(&firm(), filing(&flag.name)).await.unwrap();
    let repair = ApplyRepairRequest {
        parent: firm(),
        commitment: "corrected".to_owned(),
        subject: Some(Subject::Flag(flag.name.clone())),
        ..Default::default()
    };
    refused(
        server.repairs(&firm()).apply_repair(repair.clone()).await,
        Code::FailedPrecondition,
        "APPEAL_EXISTS",
    );
    let withdraw = WithdrawAppealRequest {
        name: appeal.name.clone(),
        ..Default::default()
    };
    refused(
        server
            .appeals("licensing")
            .withdraw_appeal(withdraw.clone())
            .await,
        Code::NotFound,
        "APPEAL_UNKNOWN",
    );
    let answer = server.appeals(&firm()).withdraw_appeal(withdraw.clone()).await;
    let withdrawn = answer.unwrap().into_inner().appeal.unwrap();
    assert_eq!(withdrawn.state(), AppealState::Withdrawn);
    assert_eq!(
        server.flag("finance", &flag.name).await.state(),
        FlagState::InForce
    );
    refused(
        server.appeals(&firm()).withdraw_appeal(withdraw).await,
        Code::FailedPrecondition,
        "APPEAL_STATE",
    );
    server.repairs(&firm()).apply_repair(repair).await.unwrap();
    refused(
        server.file(&firm(), filing(&flag.name)).await,
        Code::FailedPrecondition,
        "REPAIR_EXISTS",
    );
    server.stop().await;
}

#[tokio::test]
async fn late_decisions_are_listed_for_the_body_that_has_them() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let flag = server.flagged(penalty("1")).await;
        let (appeal, _) = server.file(&firm(), filing(&flag.name)).await.unwrap();
        let late = async |caller: &str| {
            let request = ListAppealsRequest {
                parent: "enterprises/-".to_owned(),
                state: AppealState::Filed.into(),
                overdue: true,
                ..Default::default()
            };
            let answer = server.appeals(caller).list_appeals(request).await.unwrap();
            answer.into_inner().appeals
        };
        // Fifteen working days after Sunday, 2026-05-10.
        server.clock.set(noon("2026-05-29"));
        assert!(late("enforcement").await.is_empty());
        server.clock.set(noon("2026-05-30"));
        let found = late("enforcement").await;
        assert_eq!(found[0].name, appeal.name);
        assert!(found[0].overdue);
        assert!(late("licensing").await.is_empty());
        let get = GetAppealRequest {
            name: appeal.name.clone(),
        };
        assert!(server.appeals(&firm()).get_appeal(get.clone()).await.is_ok());
        refused(
            server.appeals("finance").get_appeal(get).await,
            Code::NotFound,
            "APPEAL_UNKNOWN",
        );
        server.stop().await;
    }
}
