//! A long case is decided by the version of the policy under which it began.

use std::time::Duration;

use greenstar_kernel::{Clock as _, Timestamp};
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::licensing_service_client::LicensingServiceClient;
use greenstar_store::{Database, Value};
use greenstar_supervision_policy::MIGRATIONS;
use greenstar_testkit::Scratch;
use tonic::{Code, Status};

use crate::server::{FIRM, OTHER, Server, Sources, client, refusal, refused};

const SHIPPED: &str = include_str!("../../data/licensing.yaml");

/// A version as its publication leaves it in the database.
async fn publish(scratch: &Scratch, version: u32, source: &str, effective_at: Timestamp) {
    let database = Database::open(&scratch.url().parse().unwrap(), &MIGRATIONS)
        .await
        .unwrap();
    let mut tx = database.write().await.unwrap();
    let sql = "INSERT INTO policy (name, version, source, effective_at) VALUES ($1, $2, $3, $4)";
    let source = source.replace("version: 1\n", &format!("version: {version}\n"));
    let values = [
        Value::from("licensing-default"),
        version.into(),
        source.into(),
        effective_at.into(),
    ];
    assert_eq!(tx.run(sql, &values).await.unwrap(), 1);
    tx.commit().await.unwrap();
    database.close().await;
}

async fn check(server: &Server, uscc: &str, pin: &str) -> Result<pb::CheckPermitResponse, Status> {
    let request = pb::CheckPermitRequest {
        enterprise: format!("enterprises/{uscc}"),
        permit_kind: "eia-approval".to_owned(),
        policy_version: pin.to_owned(),
        ..Default::default()
    };
    let mut client = LicensingServiceClient::new(client(server.address, "licensing"));
    client
        .check_permit(request)
        .await
        .map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_pinned_version_decides_under_todays_baseline_and_law_and_is_recorded() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 4).await;
    sources.star(OTHER, 4).await;
    let server = Server::start(&sources, &scratch).await;
    let began = check(&server, FIRM, "").await.unwrap();
    assert_eq!(began.outcome, "FAST_TRACK");
    server.stop().await;

    // From now on four stars are no ground for the fast track; and one more version is still to come.
    sources.clock.advance(Duration::from_secs(1));
    let now = sources.clock.now();
    let four = "when: { star: 4, flags: 'not(contains(\"ordinary-penalty\"))' }\n      outcome: ";
    let stricter = SHIPPED.replace(
        &format!("{four}FAST_TRACK\n      measures: {{ fast-track: }}\n"),
        &format!("{four}STANDARD\n"),
    );
    assert_ne!(stricter, SHIPPED);
    publish(&scratch, 2, &stricter, now).await;
    publish(&scratch, 3, SHIPPED, now.plus(Duration::from_secs(3_600))).await;
    let server = Server::start(&sources, &scratch).await;
    assert_eq!(check(&server, FIRM, "").await.unwrap().outcome, "STANDARD");
    let first = "policies/licensing-default/versions/1";
    for _ in 0..2 {
        let pinned = check(&server, FIRM, first).await.unwrap();
        assert_eq!(pinned.outcome, "FAST_TRACK");
        assert!(
            pinned.policy_version.contains("licensing-default@1 "),
            "{}",
            pinned.policy_version
        );
        let recorded = server.recorded("licensing", &pinned.decision).await.unwrap();
        assert_eq!(recorded.pinned_version, first);
        assert_eq!(recorded.versions.unwrap().table, "licensing-default@1");
    }
    let newest = check(&server, FIRM, "policies/licensing-default/versions/2")
        .await
        .unwrap();
    assert_eq!(newest.outcome, "STANDARD");
    let plain = check(&server, FIRM, "").await.unwrap();
    let recorded = server.recorded("licensing", &plain.decision).await.unwrap();
    assert_eq!(recorded.pinned_version, "");

    // The law is today's, whatever the version.
    let flag = sources.confirmed(OTHER, "serious-penalty", "", 36);
    let token = sources.sanctions.flag(flag).await;
    server
        .permit(OTHER, "eia-approval", crate::server::Ask::token(&token))
        .await
        .unwrap();
    assert_eq!(
        check(&server, OTHER, first).await.unwrap().outcome,
        "STRICT_REVIEW"
    );

    for bad in [
        "policies/licensing-default/versions/3",
        "policies/licensing-default/versions/9",
        "policies/finance-default/versions/1",
        "policies/baseline/versions/1",
        "policies/nobody/versions/1",
        "licensing-default@1",
    ] {
        assert_eq!(
            refusal(check(&server, FIRM, bad).await),
            refused(Code::InvalidArgument, "PIN_INVALID"),
            "{bad}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_version_that_does_not_fit_the_law_of_today_decides_nothing() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    server.stop().await;
    // It names a measure that the catalogue dropped since.
    let foreign = SHIPPED.replace("measures: { fast-track: }", "measures: { gold-medal: }");
    assert_ne!(foreign, SHIPPED);
    let now = sources.clock.now();
    publish(&scratch, 2, &foreign, now).await;
    publish(&scratch, 3, SHIPPED, now.plus(Duration::from_micros(1))).await;
    sources.clock.advance(Duration::from_secs(1));
    let server = Server::start(&sources, &scratch).await;
    let answer = check(&server, FIRM, "").await.unwrap();
    assert!(!answer.manual_review);
    let pinned = check(&server, FIRM, "policies/licensing-default/versions/2").await;
    assert_eq!(refusal(pinned), refused(Code::InvalidArgument, "PIN_INVALID"));
    server.stop().await;
}
