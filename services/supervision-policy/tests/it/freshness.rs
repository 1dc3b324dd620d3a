//! Read levels and staleness: what is promised when sources are slow, away or restored.

use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::{Clock as _, Log, ManualClock, Token};
use greenstar_proto::supervision::v1 as pb;
use greenstar_testkit::{Proxy, Scratch};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tonic::Code;

use crate::law;
use crate::server::{Ask, FIRM, Server, Sources, credentials, refusal, refused};
use crate::source::Source;

/// Nothing comes through.
const AN_HOUR: Duration = Duration::from_secs(3600);

fn kinds(reasons: &[pb::Reason]) -> Vec<pb::ReasonKind> {
    reasons.iter().map(pb::Reason::kind).collect()
}

/// The first answer that has seen the token, within half a minute; until then the view says that it has not.
async fn reached(server: &Server, token: &str) -> pb::CheckPermitResponse {
    let answered = async {
        loop {
            match server.permit(FIRM, "eia-approval", Ask::token(token)).await {
                Ok(permit) => return permit,
                Err(status) => assert_eq!(
                    refusal(Err::<(), _>(status)),
                    refused(Code::Unavailable, "VIEW_NOT_FRESH")
                ),
            }
        }
    };
    timeout(Duration::from_secs(30), answered).await.unwrap()
}

#[tokio::test]
async fn every_answer_carries_what_it_has_seen_and_tokens_join() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let rated = sources.star(FIRM, 5).await;
    let flagged = sources
        .sanctions
        .flag(sources.confirmed(FIRM, "serious-penalty", "", 36))
        .await;
    let mut ask = Ask::token(&rated);
    ask.0.as_mut().unwrap().at_least_as_fresh.push(flagged.clone());
    let permit = server.permit(FIRM, "eia-approval", ask).await.unwrap();
    assert_eq!((permit.star, permit.outcome.as_str()), (Some(5), "STRICT_REVIEW"));
    let seen: Token = permit.token.parse().unwrap();
    for (log, wanted) in [(Log::Rating, &rated), (Log::Sanctions, &flagged)] {
        let wanted: Token = wanted.parse().unwrap();
        assert!(seen.get(log).unwrap().revision >= wanted.get(log).unwrap().revision);
    }
    assert!(seen.get(Log::Policy).is_some());
    server.stop().await;
}

#[tokio::test]
async fn a_fully_consistent_answer_has_seen_all_that_was_committed() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    for star in [1, 2, 3, 4, 5, 3] {
        sources.star(FIRM, star).await;
        let permit = server.permit(FIRM, "eia-approval", Ask::full()).await.unwrap();
        assert_eq!(permit.star, Some(star));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_view_that_cannot_reach_a_token_says_so_and_one_that_can_again_does() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    let server = Server::start(&sources, &scratch).await;
    sources.sanctions_proxy.delay(AN_HOUR);
    let token = sources
        .sanctions
        .flag(sources.confirmed(FIRM, "serious-penalty", "", 36))
        .await;
    let answer = server.permit(FIRM, "eia-approval", Ask::token(&token)).await;
    assert_eq!(refusal(answer), refused(Code::Unavailable, "VIEW_NOT_FRESH"));
    // Which permits there are is asked of what the token has seen, too.
    let answer = server.permit(FIRM, "unheard-of", Ask::token(&token)).await;
    assert_eq!(refusal(answer), refused(Code::Unavailable, "VIEW_NOT_FRESH"));
    sources.sanctions_proxy.delay(Duration::ZERO);
    sources.sanctions_proxy.cut();
    assert_eq!(reached(&server, &token).await.outcome, "STRICT_REVIEW");
    server.stop().await;
}

#[tokio::test]
async fn p2_an_old_view_restricts_as_before_and_favours_nobody() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    sources.star(crate::server::OTHER, 5).await;
    sources
        .sanctions
        .flag(sources.confirmed(crate::server::OTHER, "serious-penalty", "", 36))
        .await;
    let server = Server::start(&sources, &scratch).await;
    sources.rating_proxy.delay(AN_HOUR);
    sources.clock.advance(Duration::from_secs(10));
    let permit = server.permit(FIRM, "eia-approval", Ask::LATEST).await.unwrap();
    assert!(permit.manual_review);
    assert!(permit.data_age.unwrap().seconds >= 5);
    assert_eq!(
        (permit.outcome.as_str(), permit.star),
        ("STANDARD", Some(5)),
        "known, and not favoured for it"
    );
    assert!(kinds(&permit.reasons).contains(&pb::ReasonKind::Staleness));
    let flagged = server
        .permit(crate::server::OTHER, "eia-approval", Ask::LATEST)
        .await
        .unwrap();
    assert_eq!(
        (flagged.outcome.as_str(), flagged.manual_review),
        ("STRICT_REVIEW", true)
    );
    let inspection = server.inspection(FIRM, Ask::LATEST).await;
    let regime = inspection.regime.unwrap();
    assert!(inspection.manual_review && !regime.routine_on_site_exempt && regime.sampling_per_mille > 0);
    server.until("fresh", false).await;
    sources.rating_proxy.delay(Duration::ZERO);
    sources.rating_proxy.cut();
    server.until("fresh", true).await;
    let permit = server.permit(FIRM, "eia-approval", Ask::LATEST).await.unwrap();
    assert_eq!(
        (permit.outcome.as_str(), permit.manual_review),
        ("FAST_TRACK", false)
    );
    server.stop().await;
}

#[tokio::test]
async fn a_source_in_another_life_is_taken_anew_and_its_old_tokens_are_foreign() {
    let (mut sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    let server = Server::start(&sources, &scratch).await;
    let old = sources.star(FIRM, 3).await;
    assert_eq!(
        server
            .permit(FIRM, "eia-approval", Ask::token(&old))
            .await
            .unwrap()
            .star,
        Some(3)
    );
    let address = sources.rating.address;
    let (clock, rating) = (sources.clock.clone(), sources.rating);
    rating.stop().await;
    let listener = TcpListener::bind(address).await.unwrap();
    sources.rating = Source::start_on(listener, Log::Rating, clock, credentials()).await;
    sources.rating_proxy.cut();
    let new = sources.star(FIRM, 4).await;
    assert_eq!(reached(&server, &new).await.star, Some(4));
    let answer = server.permit(FIRM, "eia-approval", Ask::token(&old)).await;
    assert_eq!(
        refusal(answer),
        refused(Code::FailedPrecondition, "TOKEN_FOREIGN")
    );
    server.stop().await;
}

#[tokio::test]
async fn p10_what_cannot_be_read_is_never_clear() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    let server = Server::start(&sources, &scratch).await;
    // A star that no scheme gives.
    let token = sources.star(FIRM, 6).await;
    let answer = server.permit(FIRM, "eia-approval", Ask::token(&token)).await;
    assert_eq!(refusal(answer), refused(Code::DataLoss, "STORE_CORRUPT"));
    let token = sources.star(FIRM, 5).await;
    assert_eq!(
        server
            .permit(FIRM, "eia-approval", Ask::token(&token))
            .await
            .unwrap()
            .outcome,
        "FAST_TRACK"
    );
    // A flag without its document, and one of a kind that the catalogue does not have.
    let mut flag = sources.confirmed(FIRM, "serious-penalty", "", 36);
    let whole = flag.clone();
    flag.document = None;
    let token = sources.sanctions.flag(flag).await;
    let answer = server.permit(FIRM, "eia-approval", Ask::token(&token)).await;
    assert_eq!(refusal(answer), refused(Code::DataLoss, "STORE_CORRUPT"));
    let token = sources
        .sanctions
        .flag(greenstar_proto::sanctions::v1::Flag {
            kind: "unheard-of".to_owned(),
            ..whole.clone()
        })
        .await;
    let permit = server
        .permit(FIRM, "eia-approval", Ask::token(&token))
        .await
        .unwrap();
    assert_eq!(
        (permit.outcome.as_str(), permit.manual_review),
        ("STANDARD", true)
    );
    let token = sources.sanctions.flag(whole).await;
    assert_eq!(
        server
            .permit(FIRM, "eia-approval", Ask::token(&token))
            .await
            .unwrap()
            .outcome,
        "STRICT_REVIEW"
    );
    // An edition that no longer carries what the policies need: nobody decides, and nothing is granted.
    let mut edition = law::catalogue("2026-2");
    edition.measures.retain(|measure| measure.code != "strict-review");
    let token = sources.sanctions.enact(edition).await;
    let permit = server
        .permit(crate::server::OTHER, "eia-approval", Ask::token(&token))
        .await
        .unwrap();
    assert!(permit.manual_review && kinds(&permit.reasons).contains(&pb::ReasonKind::Staleness));
    let token = sources.sanctions.enact(law::catalogue("2026-3")).await;
    let permit = server
        .permit(crate::server::OTHER, "eia-approval", Ask::token(&token))
        .await
        .unwrap();
    assert!(!permit.manual_review && permit.policy_version.contains("2026-3"));
    server.stop().await;
}

#[tokio::test]
async fn nothing_is_answered_before_every_log_was_caught_up_with() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.rating_proxy.delay(AN_HOUR);
    let record = greenstar_supervision_policy::RecordSettings::in_folder(scratch.dir().join("records"));
    let server = Server::start_with(&sources, &scratch, record).await;
    let answer = server.permit(FIRM, "eia-approval", Ask::LATEST).await;
    assert_eq!(refusal(answer), refused(Code::Unavailable, "NOT_READY"));
    server.stop().await;
}

#[tokio::test]
async fn health_serves_from_the_first_catch_up_on_and_tells_freshness_apart() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    server.until("", true).await;
    server.until("fresh", true).await;
    sources.sanctions_proxy.delay(AN_HOUR);
    sources.clock.advance(Duration::from_secs(10));
    server.until("fresh", false).await;
    server
        .until("greenstar.supervision.v1.LicensingService", true)
        .await;
    sources.sanctions_proxy.delay(Duration::ZERO);
    sources.sanctions_proxy.cut();
    server.until("fresh", true).await;
    server.stop().await;
}

#[tokio::test]
async fn a_half_open_connection_is_found_and_replaced() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    let server = Server::start(&sources, &scratch).await;
    sources.sanctions_proxy.silence();
    let token = sources
        .sanctions
        .flag(sources.confirmed(FIRM, "serious-penalty", "", 36))
        .await;
    // Nobody is told that the connection is dead: only the pings find it.
    assert_eq!(reached(&server, &token).await.outcome, "STRICT_REVIEW");
    server.stop().await;
}

#[tokio::test]
async fn what_is_applied_is_acknowledged_and_acknowledgements_only_rise() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    for star in [1, 2, 3] {
        let token = sources.star(FIRM, star).await;
        server
            .permit(FIRM, "eia-approval", Ask::token(&token))
            .await
            .unwrap();
    }
    for source in [&sources.rating, &sources.sanctions] {
        let head = source.head().await.revision.0;
        source
            .acknowledged
            .subscribe()
            .wait_for(|revision| *revision == head)
            .await
            .unwrap();
    }
    server.stop().await;
}

#[tokio::test]
async fn p10_by_clocks_that_do_not_agree_nobody_decides() {
    let (mut sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    let ahead = Arc::new(ManualClock::at(
        sources.clock.now().plus(Duration::from_secs(3600)),
    ));
    sources.sanctions = Source::start(Log::Sanctions, ahead.clone(), credentials()).await;
    sources.sanctions_proxy = Proxy::start(sources.sanctions.address).await;
    sources.sanctions.enact(law::catalogue("2026-1")).await;
    let server = Server::start(&sources, &scratch).await;
    server.until("", true).await;
    server.until("fresh", false).await;
    let permit = server.permit(FIRM, "eia-approval", Ask::full()).await.unwrap();
    assert_eq!(
        (permit.outcome.as_str(), permit.manual_review, permit.data_age),
        ("STANDARD", true, None)
    );
    // What was confirmed is in force, whatever the clock of its confirmation said.
    let mut flag = sources.confirmed(FIRM, "serious-penalty", "", 36);
    flag.start_time = Some(crate::server::to_wire(ahead.now()));
    let token = sources.sanctions.flag(flag).await;
    let permit = server
        .permit(FIRM, "eia-approval", Ask::token(&token))
        .await
        .unwrap();
    assert_eq!(
        (permit.outcome.as_str(), permit.manual_review),
        ("STRICT_REVIEW", true)
    );
    server.stop().await;
}
