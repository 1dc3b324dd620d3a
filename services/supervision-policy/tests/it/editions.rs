//! Time moves the law: editions of the catalogue that are to come, flags that come and go.

use std::time::Duration;

use greenstar_kernel::Clock as _;
use greenstar_proto::sanctions::v1::FlagState;
use greenstar_proto::supervision::v1 as pb;
use greenstar_supervision_policy::RecordSettings;
use greenstar_testkit::Scratch;
use tokio::time::timeout;

use crate::law;
use crate::server::{Ask, FIRM, OTHER, Server, Sources, to_wire};

/// The answer's edition of the catalogue, and its record's. A ping that is on its way while the clock is moved makes the
/// clock unknown, and time stand still, until the next one.
async fn edition(server: &Server, token: &str) -> (String, String) {
    let by_a_known_clock = async {
        loop {
            let permit = server.permit(FIRM, "eia-approval", Ask::token(token)).await;
            let permit = permit.unwrap();
            if !permit.manual_review {
                return permit;
            }
        }
    };
    let permit = timeout(Duration::from_secs(30), by_a_known_clock).await.unwrap();
    let record = server.recorded("licensing", &permit.decision).await.unwrap();
    (permit.policy_version, record.versions.unwrap().catalogue)
}

#[tokio::test]
async fn an_edition_that_is_to_come_is_known_before_and_decides_from_its_instant_on() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let mut next = law::catalogue("2027-1");
    next.effective_time = Some(to_wire(sources.clock.now().plus(Duration::from_secs(3))));
    let token = sources.sanctions.enact(next).await;
    let (version, recorded) = edition(&server, &token).await;
    assert!(
        version.contains("2026-1") && recorded == "2026-1",
        "{version} {recorded}"
    );
    sources.clock.advance(Duration::from_micros(2_999_999));
    assert_eq!(edition(&server, &token).await.1, "2026-1");
    sources.clock.advance(Duration::from_micros(1));
    // Nothing arrives at that instant: time alone switches.
    let (version, recorded) = edition(&server, &token).await;
    assert!(
        version.contains("2027-1") && recorded == "2027-1",
        "{version} {recorded}"
    );
    server.stop().await;

    // The same from the disk, without a word from the sources.
    for proxy in [&sources.rating_proxy, &sources.sanctions_proxy] {
        proxy.delay(Duration::from_secs(3_600));
        proxy.cut();
    }
    let record = RecordSettings::in_folder(scratch.dir().join("records"));
    let server = Server::start_with(&sources, &scratch, record).await;
    let permit = server.permit(FIRM, "eia-approval", Ask::LATEST).await.unwrap();
    assert!(permit.manual_review && permit.policy_version.contains("2027-1"));
    server.stop().await;
}

#[tokio::test]
async fn a_flag_that_is_suspended_repaired_revoked_or_lapsed_restricts_nothing_and_may_come_back() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    let server = Server::start(&sources, &scratch).await;
    let flag = sources.confirmed(FIRM, "serious-penalty", "", 36);
    for ended in [
        FlagState::Suspended,
        FlagState::Repaired,
        FlagState::Revoked,
        FlagState::Lapsed,
        FlagState::Lifted,
    ] {
        for (state, outcome) in [(FlagState::InForce, "STRICT_REVIEW"), (ended, "FAST_TRACK")] {
            let mut told = flag.clone();
            told.set_state(state);
            let token = sources.sanctions.flag(told).await;
            let permit = server.permit(FIRM, "eia-approval", Ask::token(&token)).await;
            assert_eq!(permit.unwrap().outcome, outcome, "{state:?}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn by_the_time_its_sources_count_it_as_fenced_a_replica_answers_by_on_stale_only() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    let server = Server::start(&sources, &scratch).await;
    let permit = server.permit(FIRM, "eia-approval", Ask::LATEST).await.unwrap();
    assert!(!permit.manual_review);
    for proxy in [&sources.rating_proxy, &sources.sanctions_proxy] {
        // One direction is enough to be deaf: the source may go on hearing the pings.
        proxy.mute(Some(greenstar_testkit::Way::ToClient));
    }
    // What was measured last may be half a second old; seven seconds is what it promised.
    sources.clock.advance(Duration::from_secs(7));
    let permit = server.permit(FIRM, "eia-approval", Ask::LATEST).await.unwrap();
    let finance = server.finance(FIRM, Ask::LATEST).await;
    let inspection = server.inspection(FIRM, Ask::LATEST).await;
    assert!(permit.manual_review && finance.manual_review && inspection.manual_review);
    for age in [permit.data_age, finance.data_age, inspection.data_age] {
        assert!(age.unwrap().seconds >= 5);
    }
    server.stop().await;
}

#[tokio::test]
async fn p10_a_flag_of_a_kind_that_an_edition_dropped_sends_its_firm_to_an_officer_and_hides_no_gap() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    let mut dropped = sources.confirmed(FIRM, "serious-penalty", "", 36);
    dropped.name = format!("enterprises/{FIRM}/flags/dropped");
    dropped.kind = "of-an-earlier-edition".to_owned();
    sources.sanctions.flag(dropped).await;
    let known = sources.confirmed(OTHER, "serious-penalty", "", 36);
    let token = sources.sanctions.flag(known.clone()).await;
    let server = Server::start(&sources, &scratch).await;
    let permit = server
        .permit(FIRM, "eia-approval", Ask::token(&token))
        .await
        .unwrap();
    assert_eq!(
        (permit.outcome.as_str(), permit.manual_review),
        ("STANDARD", true)
    );
    let said = permit.reasons.iter().filter_map(|reason| reason.text.as_ref());
    assert!(
        said.into_iter()
            .any(|text| text.en.contains("of a kind that the catalogue"))
    );
    let inspection = server.inspection(FIRM, Ask::token(&token)).await;
    assert!(inspection.manual_review);
    let other = server
        .permit(OTHER, "eia-approval", Ask::token(&token))
        .await
        .unwrap();
    assert_eq!(
        (other.outcome.as_str(), other.manual_review),
        ("STRICT_REVIEW", false)
    );

    let request = pb::ListApplicationGapsRequest {
        parent: "departments/licensing".to_owned(),
        ..pb::ListApplicationGapsRequest::default()
    };
    let answer = server.decisions("licensing").list_application_gaps(request).await;
    let gaps = answer.unwrap().into_inner().gaps;
    assert!(gaps.iter().any(|gap| gap.subject == known.name), "{gaps:?}");
    server.stop().await;
}
