//! What the first three departments are told.

use std::time::Duration;

use greenstar_kernel::Clock as _;
use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1::RecentEvent;
use greenstar_proto::sanctions::v1::{Flag, FlagState};
use greenstar_proto::supervision::v1 as pb;
use greenstar_testkit::Scratch;
use tonic::Code;

use crate::server::{Ask, FIRM, OTHER, Server, Sources, refusal, refused};

fn codes(measures: &[pb::Measure]) -> Vec<&str> {
    measures.iter().map(|measure| measure.code.as_str()).collect()
}

#[tokio::test]
async fn p1_a_confirmed_flag_restricts_everywhere_with_the_very_next_token_and_lifting_it_undoes_all() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let rated = sources.star(FIRM, 5).await;
    let server = Server::start(&sources, &scratch).await;
    let kind = "hazardous-waste-permit";

    let permit = server.permit(FIRM, kind, Ask::token(&rated)).await.unwrap();
    assert_eq!(
        (permit.outcome.as_str(), permit.star, permit.known),
        ("FAST_TRACK", Some(5), true)
    );
    assert_eq!(permit.state(), common::RatingState::Rated);
    assert!(
        codes(&permit.measures).contains(&"fast-track"),
        "{:?}",
        permit.measures
    );
    assert!(!permit.manual_review && permit.flags.is_empty() && permit.data_age.is_some());
    assert!(
        permit.policy_version.contains("catalogue@2026-1"),
        "{}",
        permit.policy_version
    );
    assert_eq!(server.finance(FIRM, Ask::LATEST).await.outcome, "PRIORITY");
    let inspection = server.inspection(FIRM, Ask::LATEST).await;
    let regime = inspection.regime.unwrap();
    assert_eq!(
        (inspection.outcome.as_str(), regime.routine_on_site_exempt),
        ("EXEMPT", true)
    );
    assert!(!regime.always_on.is_empty() && regime.off_site_per_year > 0);

    let flag = sources.confirmed(FIRM, "serious-penalty", "", 36);
    let token = sources.sanctions.flag(flag.clone()).await;
    let permit = server.permit(FIRM, kind, Ask::token(&token)).await.unwrap();
    assert_eq!(permit.outcome, "STRICT_REVIEW");
    let finance = server.finance(FIRM, Ask::token(&token)).await;
    assert_eq!(finance.outcome, "PRUDENT");
    let inspection = server.inspection(FIRM, Ask::token(&token)).await;
    assert_eq!(inspection.outcome, "KEY");
    assert!(!inspection.regime.unwrap().routine_on_site_exempt);
    for flags in [permit.flags, finance.flags, inspection.flags] {
        let [named] = &flags[..] else {
            panic!("one flag: {flags:?}")
        };
        assert_eq!(
            (named.name.as_str(), named.kind.as_str()),
            (flag.name.as_str(), "serious-penalty")
        );
        assert!(!named.bases.is_empty() && named.title.is_some());
        assert_eq!(
            (named.start_time, named.end_time),
            (flag.start_time, flag.end_time)
        );
        assert_eq!(named.document, flag.document);
    }
    assert!(
        permit.measures.iter().all(|measure| !measure.bases.is_empty()),
        "nothing without its basis"
    );

    let lifted = Flag {
        state: FlagState::Lifted.into(),
        ..flag
    };
    let token = sources.sanctions.flag(lifted).await;
    assert_eq!(
        server
            .permit(FIRM, kind, Ask::token(&token))
            .await
            .unwrap()
            .outcome,
        "FAST_TRACK"
    );
    assert_eq!(server.finance(FIRM, Ask::token(&token)).await.outcome, "PRIORITY");
    assert_eq!(
        server.inspection(FIRM, Ask::token(&token)).await.outcome,
        "EXEMPT"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_permit_got_by_deceit_is_refused_and_other_kinds_are_not() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 4).await;
    let server = Server::start(&sources, &scratch).await;
    let flag = sources.confirmed(FIRM, "permit-by-deceit", "hazardous-waste-permit", 36);
    let token = sources.sanctions.flag(flag).await;
    let refused = server
        .permit(FIRM, "hazardous-waste-permit", Ask::token(&token))
        .await
        .unwrap();
    assert_eq!(refused.outcome, "REFUSE");
    let other = server
        .permit(FIRM, "pollutant-permit", Ask::token(&token))
        .await
        .unwrap();
    assert_eq!(other.outcome, "FAST_TRACK");
    assert_eq!(other.flags.len(), 1, "it is named where it does not count too");
    server.stop().await;
}

#[tokio::test]
async fn a_firm_that_nobody_registered_is_treated_as_any_firm_was_before() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let permit = server
        .permit(OTHER, "pollutant-permit", Ask::LATEST)
        .await
        .unwrap();
    assert_eq!(
        (permit.outcome.as_str(), permit.star, permit.known),
        ("STANDARD", None, false)
    );
    assert_eq!(permit.state(), common::RatingState::NotRated);
    // A flag needs no rating.
    let token = sources
        .sanctions
        .flag(sources.confirmed(OTHER, "serious-penalty", "", 36))
        .await;
    let permit = server
        .permit(OTHER, "pollutant-permit", Ask::token(&token))
        .await
        .unwrap();
    assert_eq!((permit.outcome.as_str(), permit.known), ("STRICT_REVIEW", false));
    server.stop().await;
}

#[tokio::test]
async fn time_alone_ends_a_flag_and_a_star() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    sources
        .sanctions
        .flag(sources.confirmed(FIRM, "serious-penalty", "", 2))
        .await;
    let server = Server::start(&sources, &scratch).await;
    let ask = || Ask::full();
    assert_eq!(
        server.permit(FIRM, "eia-approval", ask()).await.unwrap().outcome,
        "STRICT_REVIEW"
    );
    // The term of two months from 8 May ends at 00:00 of 9 July.
    sources
        .clock
        .set("2026-07-09".parse::<greenstar_kernel::Date>().unwrap().start());
    let permit = server.permit(FIRM, "eia-approval", ask()).await.unwrap();
    assert!(permit.flags.is_empty(), "its term has ended");
    sources.clock.advance(Duration::from_secs(300 * 86_400));
    let permit = server.permit(FIRM, "eia-approval", ask()).await.unwrap();
    assert_eq!(
        (permit.state(), permit.star),
        (common::RatingState::Expired, None)
    );
    assert_eq!(permit.outcome, "STANDARD");
    assert!(permit.as_of.unwrap().seconds >= sources.clock.now().micros() / 1_000_000);
    server.stop().await;
}

#[tokio::test]
async fn a_bad_item_of_a_batch_spoils_itself_only() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 4).await;
    let server = Server::start(&sources, &scratch).await;
    let ask = |uscc: &str, matter: &str| pb::DecideRequest {
        enterprise: format!("enterprises/{uscc}"),
        matter: format!("departments/{matter}"),
        ..pb::DecideRequest::default()
    };
    let requests = vec![
        ask(FIRM, "finance/matters/green-loan"),
        ask("91110115MAX00001", "finance/matters/green-loan"),
        ask(FIRM, "licensing/matters/pollutant-permit"),
        ask(OTHER, "finance/matters/green-loan"),
        pb::DecideRequest {
            matter: String::new(),
            ..ask(FIRM, "")
        },
        pb::DecideRequest {
            request_id: "7".repeat(101),
            ..ask(FIRM, "finance/matters/green-loan")
        },
    ];
    let answer = server
        .decisions("finance")
        .batch_decide(pb::BatchDecideRequest { requests })
        .await
        .unwrap();
    let results: Vec<Result<String, String>> = answer
        .into_inner()
        .results
        .into_iter()
        .map(|result| match result.result.unwrap() {
            pb::batch_decide_result::Result::Answer(answer) => Ok(answer.outcome),
            pb::batch_decide_result::Result::Error(error) => Err(error.reason),
        })
        .collect();
    let expected = [
        Ok("ELIGIBLE".to_owned()),
        Err("USCC_MALFORMED".to_owned()),
        Err("MATTER_NOT_YOURS".to_owned()),
        Ok("STANDARD".to_owned()),
        Err("FIELD_INVALID".to_owned()),
        Err("FIELD_INVALID".to_owned()),
    ];
    assert_eq!(results, expected);
    let none = server
        .decisions("finance")
        .batch_decide(pb::BatchDecideRequest::default())
        .await;
    assert_eq!(refusal(none), refused(Code::InvalidArgument, "FIELD_INVALID"));
    server.stop().await;
}

/// P1 under load: whoever holds the token of a change finds it applied, whatever else is being applied.
#[tokio::test]
async fn an_event_at_the_rating_brings_an_inspector_until_it_is_repaired() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let mut fact = sources.fact(FIRM, 5);
    fact.recent_events = vec![RecentEvent {
        kind: "complaint_verified_minor".to_owned(),
        severity: common::Severity::Minor.into(),
        date: "2026-04-20".to_owned(),
    }];
    let token = sources.rating.rate(vec![fact]).await;
    let server = Server::start(&sources, &scratch).await;
    let told = server.inspection(FIRM, Ask::token(&token)).await;
    let active = |regime: &pb::InspectionRegime| {
        let active = regime.always_on.iter().filter(|trigger| trigger.active);
        active.map(|trigger| trigger.code.clone()).collect::<Vec<_>>()
    };
    let regime = told.regime.unwrap();
    assert_eq!(
        (told.outcome.as_str(), regime.routine_on_site_exempt),
        ("REDUCED", false)
    );
    assert_eq!(active(&regime), ["complaint-verified"]);
    let blocked = told
        .reasons
        .iter()
        .find(|reason| reason.kind() == pb::ReasonKind::Blocked)
        .unwrap();
    let text = blocked.text.as_ref().unwrap();
    assert!(
        text.zh.contains("最近一次查实投诉距今月数应为无或者不少于 12"),
        "{}",
        text.zh
    );

    let token = sources.star(FIRM, 5).await;
    let told = server.inspection(FIRM, Ask::token(&token)).await;
    let regime = told.regime.unwrap();
    assert_eq!(
        (told.outcome.as_str(), regime.routine_on_site_exempt),
        ("EXEMPT", true)
    );
    assert_eq!(active(&regime), Vec::<String>::new());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_no_token_is_ever_missed_while_both_logs_are_busy() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    let server = Server::start(&sources, &scratch).await;
    let busy = async {
        for star in (1..=5).cycle().take(200) {
            sources.star(OTHER, star).await;
        }
    };
    let history = async {
        let flag = sources.confirmed(FIRM, "serious-penalty", "", 36);
        let lifted = Flag {
            state: FlagState::Lifted.into(),
            ..flag.clone()
        };
        for _ in 0..25 {
            for (change, expected) in [(&flag, "STRICT_REVIEW"), (&lifted, "FAST_TRACK")] {
                let token = sources.sanctions.flag(change.clone()).await;
                let (one, other) = tokio::join!(
                    server.permit(FIRM, "eia-approval", Ask::token(&token)),
                    server.permit(FIRM, "pollutant-permit", Ask::token(&token)),
                );
                assert_eq!(
                    [one.unwrap().outcome, other.unwrap().outcome],
                    [expected, expected]
                );
            }
        }
    };
    tokio::join!(busy, history);
    server.stop().await;
}
