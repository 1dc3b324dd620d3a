//! From proposal to end.

use greenstar_kernel::Timestamp;
use greenstar_proto::sanctions::v1::{Flag, FlagState, GetFlagRequest, RaiseFlagRequest};
use greenstar_testkit::{Logs, Scratch};
use tonic::{Code, Status};

use crate::server::{FIRM, Server, engines, midnight, noon, penalty, position, refused};

async fn get(server: &Server, caller: &str, name: &str) -> Result<Flag, Status> {
    let answer = server
        .flags(caller)
        .get_flag(GetFlagRequest {
            name: name.to_owned(),
        })
        .await?;
    Ok(answer.into_inner().flag.unwrap())
}

#[tokio::test]
async fn a_flag_binds_when_a_second_officer_confirms_it_and_until_it_is_lifted() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let (flag, token) = server.raise("enforcement", penalty("1")).await.unwrap();
        let name = flag.name.clone();
        assert_eq!(flag.state(), FlagState::Proposed);
        assert_eq!((flag.start_time, flag.proposer.as_str()), (None, "enforcement"));
        let raised = position(&token);

        let (flag, token) = server.confirm("enforcement/2", &name).await.unwrap();
        assert_eq!(flag.state(), FlagState::InForce);
        assert_eq!(flag.confirmer, "enforcement/2");
        assert_eq!(position(&token).revision, raised.revision.next());
        assert_eq!(
            flag.end_time.unwrap().seconds,
            noon("2029-04-01")
                .plus(std::time::Duration::from_secs(12 * 3600))
                .micros()
                / 1_000_000
        );
        let laws: Vec<&str> = flag.bases.iter().map(|basis| basis.code.as_str()).collect();
        assert_eq!(laws, ["environment-law-54", "credit-repair-2026-36"]);

        let seen = get(&server, "finance", &name).await.unwrap();
        assert_eq!(seen.state(), FlagState::InForce);
        assert_eq!((seen.proposer.as_str(), seen.confirmer.as_str()), ("", ""));

        let (flag, token) = server.lift("enforcement", &name).await.unwrap();
        assert_eq!(
            (flag.state(), flag.lift_reason.as_str()),
            (FlagState::Lifted, "corrected")
        );
        assert_eq!(position(&token).revision.0, raised.revision.0 + 2);
        assert_eq!(
            get(&server, "finance", &name).await.unwrap().state(),
            FlagState::Lifted
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn only_another_officer_of_the_same_department_confirms() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let (flag, _) = server.raise("enforcement", penalty("1")).await.unwrap();
    let before = server.head().await;
    let own = server.confirm("enforcement", &flag.name).await;
    refused(own, Code::PermissionDenied, "SAME_OFFICER");
    assert_eq!(server.head().await, before);
    assert_eq!(
        get(&server, "enforcement/2", &flag.name).await.unwrap().state(),
        FlagState::Proposed
    );

    server.confirm("enforcement/2", &flag.name).await.unwrap();
    let foreign = server.confirm("licensing", &flag.name).await;
    refused(foreign, Code::PermissionDenied, "DEPARTMENT_NOT_ALLOWED");
    let foreign = server.lift("licensing", &flag.name).await;
    refused(foreign, Code::PermissionDenied, "DEPARTMENT_NOT_ALLOWED");
    refused(
        server.confirm("enforcement/2", &flag.name).await,
        Code::FailedPrecondition,
        "FLAG_STATE",
    );
    server.lift("enforcement/2", &flag.name).await.unwrap();
    refused(
        server.lift("enforcement", &flag.name).await,
        Code::FailedPrecondition,
        "FLAG_STATE",
    );
    refused(
        server.confirm("enforcement/2", &flag.name).await,
        Code::FailedPrecondition,
        "FLAG_STATE",
    );
    server.stop().await;
}

#[tokio::test]
async fn a_proposal_is_its_departments_own_business() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let (flag, _) = server.raise("enforcement", penalty("1")).await.unwrap();
    let firm = format!("enterprises/{FIRM}");
    for caller in ["licensing", "finance", &firm] {
        refused(
            get(&server, caller, &flag.name).await,
            Code::NotFound,
            "FLAG_UNKNOWN",
        );
    }
    assert_eq!(
        get(&server, "enforcement/2", &flag.name).await.unwrap().proposer,
        "enforcement"
    );
    // Withdrawn, it stays so.
    server.lift("enforcement", &flag.name).await.unwrap();
    refused(
        get(&server, "licensing", &flag.name).await,
        Code::NotFound,
        "FLAG_UNKNOWN",
    );
    // And the document may be flagged once more.
    server.raise("enforcement", penalty("1")).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_proposal_shows_itself_to_no_step_of_another_department() {
    let logs = Logs::keep();
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let (flag, _) = server.raise("enforcement", penalty("1")).await.unwrap();
    let nothing = format!("enterprises/{FIRM}/flags/nothing");
    for name in [&flag.name, &nothing] {
        let steps = [
            server.confirm("licensing", name).await.map(drop),
            server.lift("licensing", name).await.map(drop),
            get(&server, "licensing", name).await.map(drop),
        ];
        for step in steps {
            let status = refused(step, Code::NotFound, "FLAG_UNKNOWN");
            assert_eq!(
                status.message(),
                format!("no flag is named {name}; check the name")
            );
        }
    }
    // What the caller is not told is in the log; what is not there is no refusal.
    for method in ["ConfirmFlag", "LiftFlag", "GetFlag"] {
        let method = format!("FlagService/{method}");
        let parts = [
            &method,
            r#"principal="licensing""#,
            r#"reason="DEPARTMENT_NOT_ALLOWED""#,
        ];
        assert_eq!(logs.lines(&parts).len(), 1, "{method}");
    }
    server.stop().await;
}

#[tokio::test]
async fn two_departments_propose_the_same_and_the_first_to_confirm_has_the_flag() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let (theirs, _) = server.raise("enforcement", penalty("1")).await.unwrap();
        let (own, _) = server.raise("licensing", penalty("1")).await.unwrap();
        server.confirm("licensing/2", &own.name).await.unwrap();
        let late = server.confirm("enforcement/2", &theirs.name).await;
        let status = refused(late, Code::AlreadyExists, "FLAG_EXISTS");
        assert!(format!("{status:?}").contains(&own.name));
        let again = server.raise("enforcement", penalty("1")).await;
        refused(again, Code::AlreadyExists, "FLAG_EXISTS");
        server.lift("licensing", &own.name).await.unwrap();
        server.confirm("enforcement/2", &theirs.name).await.unwrap();
        server.stop().await;
    }
}

#[tokio::test]
async fn a_firm_sees_what_binds_it_and_no_other_firms_flags() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let flag = server.flagged(penalty("1")).await;
    let own = get(&server, &format!("enterprises/{FIRM}"), &flag.name)
        .await
        .unwrap();
    assert_eq!((own.state(), own.proposer.as_str()), (FlagState::InForce, ""));
    let other = get(&server, "enterprises/91110115MAX000023D", &flag.name).await;
    refused(other, Code::PermissionDenied, "NOT_YOUR_ENTERPRISE");
    let nobody = server
        .anonymous()
        .get_flag(GetFlagRequest {
            name: flag.name.clone(),
        })
        .await;
    refused(nobody, Code::Unauthenticated, "CREDENTIAL_MISSING");
    server.stop().await;
}

#[tokio::test]
async fn a_flag_lapses_at_the_end_of_its_term_by_itself() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let request = RaiseFlagRequest {
            kind: "ordinary-penalty".to_owned(),
            ..penalty("1")
        };
        let flag = server.flagged(request).await;
        let last = midnight("2027-04-02").micros() - 1;
        server.clock.set(Timestamp::from_micros(last));
        let seen = get(&server, "finance", &flag.name).await.unwrap();
        assert_eq!(seen.state(), FlagState::InForce);
        server.clock.set(midnight("2027-04-02"));
        let seen = get(&server, "finance", &flag.name).await.unwrap();
        assert_eq!(seen.state(), FlagState::Lapsed);
        assert_eq!(seen.end_time, flag.end_time);
        refused(
            server.lift("enforcement", &flag.name).await,
            Code::FailedPrecondition,
            "FLAG_STATE",
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_and_a_reused_id_none() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let request = RaiseFlagRequest {
            request_id: "r-1".to_owned(),
            ..penalty("1")
        };
        let (first, token) = server.raise("enforcement", request.clone()).await.unwrap();
        server.confirm("enforcement/2", &first.name).await.unwrap();
        let (again, repeated) = server.raise("enforcement", request.clone()).await.unwrap();
        assert_eq!(
            (&again, &repeated),
            (&first, &token),
            "as it was then, although confirmed since"
        );

        let other = RaiseFlagRequest {
            request_id: "r-1".to_owned(),
            ..penalty("2")
        };
        let status = refused(
            server.raise("enforcement", other).await,
            Code::AlreadyExists,
            "REQUEST_ID_REUSED",
        );
        assert!(format!("{status:?}").contains("r-1"));
        // Ids are each caller's own.
        let own = RaiseFlagRequest {
            request_id: "r-1".to_owned(),
            ..penalty("3")
        };
        server.raise("enforcement/2", own).await.unwrap();
        server.stop().await;
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let flag = server.flagged(penalty("1")).await;
        let (proposal, token) = server.raise("enforcement", penalty("2")).await.unwrap();
        server.stop().await;

        let server = Server::start(&scratch).await;
        assert_eq!(
            server.head().await,
            position(&token),
            "the shipped catalogue is not taken twice"
        );
        assert_eq!(
            get(&server, "finance", &flag.name).await.unwrap().state(),
            FlagState::InForce
        );
        server.confirm("enforcement/2", &proposal.name).await.unwrap();
        server.stop().await;
    }
}

#[tokio::test]
async fn of_two_that_come_at_once_one_wins() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let (one, other) = tokio::join!(
            server.raise("enforcement", penalty("1")),
            server.raise("enforcement/2", penalty("1"))
        );
        let (flag, lost, second) = match (one, other) {
            (Ok((flag, _)), lost) => (flag, lost, "enforcement/2"),
            (lost, Ok((flag, _))) => (flag, lost, "enforcement"),
            (one, other) => panic!("{one:?}, {other:?}"),
        };
        refused(lost, Code::AlreadyExists, "FLAG_EXISTS");
        let (one, other) = tokio::join!(
            server.confirm(second, &flag.name),
            server.confirm(second, &flag.name)
        );
        let lost = if one.is_ok() { other } else { one };
        refused(lost, Code::FailedPrecondition, "FLAG_STATE");
        assert_eq!(
            get(&server, "finance", &flag.name).await.unwrap().state(),
            FlagState::InForce
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn two_replicas_on_one_database_share_flags_and_their_order() {
    let scratch = Scratch::postgres().await;
    let (left, right) = (Server::start(&scratch).await, Server::start(&scratch).await);
    assert_eq!(
        left.head().await,
        right.head().await,
        "the catalogue was taken once"
    );
    let (flag, token) = left.raise("enforcement", penalty("1")).await.unwrap();
    let (_, confirmed) = right.confirm("enforcement/2", &flag.name).await.unwrap();
    assert_eq!(position(&confirmed).revision, position(&token).revision.next());
    assert_eq!(
        get(&left, "finance", &flag.name).await.unwrap().state(),
        FlagState::InForce
    );
    left.stop().await;
    right.stop().await;
}
