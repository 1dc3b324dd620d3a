//! A round from its first day to its directory.

use greenstar_proto::common::v1::RatingState;
use greenstar_proto::rating::v1 as pb;
use tonic::Code;

use crate::enterprises::{FIRST, SECOND, THIRD, create, firm, text};
use crate::facts::{FILE, noon};
use crate::service::{Suite, refused};

pub(crate) const ROUND: &str = "rounds/spring-2026";
/// The district's method without its procedure: what is verified is published. Most tests are about what comes after;
/// the procedure has its own (`procedure.rs`).
const SHORT: &str = "schemes/daxing-green-credit/versions/2021.1-short";

fn short() -> String {
    let steps = [
        "notice_before_publication",
        "public_comment:",
        "publication_after",
        "procedure:",
    ];
    let mut members = false;
    let kept = FILE.lines().filter(|line| {
        members = line.starts_with("procedure:") || (members && line.starts_with(' '));
        !members && !steps.iter().any(|step| line.trim_start().starts_with(step))
    });
    let kept: Vec<&str> = kept.collect();
    kept.join("\n").replacen("2021.1-proposal", "2021.1-short", 1)
}

fn proof(kind: &str) -> Vec<pb::Evidence> {
    vec![pb::Evidence {
        kind: kind.into(),
        reference: "1".into(),
        sha256: String::new(),
    }]
}

pub(crate) fn claim(item: &str, points: &str, tiers: &[&str], kind: &str) -> pb::ItemClaim {
    pb::ItemClaim {
        item: item.into(),
        points: points.into(),
        tiers: tiers.iter().map(|tier| (*tier).to_owned()).collect(),
        evidence: proof(kind),
    }
}

pub(crate) fn verdict(claim: &pb::ItemClaim) -> pb::ItemVerdict {
    pb::ItemVerdict {
        item: claim.item.clone(),
        points: claim.points.clone(),
        tiers: claim.tiers.clone(),
        note: String::new(),
    }
}

/// Worth B 12, C 9, D 8, E 4: 93 with a clean record.
pub(crate) fn excellent() -> Vec<pb::ItemClaim> {
    vec![
        claim("B01", "", &["annual_mean_le_50pct_of_limit"], "MON"),
        claim("B02", "3", &[], "CAP"),
        claim("B03", "2", &[], "SELF"),
        claim("B04", "1", &[], "CEMS"),
        claim("B05", "", &["grade_A_or_leading"], "AWD"),
        claim("C01", "3", &[], "GEC"),
        claim("C02", "2", &[], "CERT"),
        claim("C03", "2", &[], "CERT"),
        claim("C04", "2", &[], "ENG"),
        claim("D01", "2", &[], "CERT"),
        claim("D02", "", &["plan_drill_and_insurance"], "PLAN"),
        claim("D03", "2", &[], "CERT"),
        claim("D04", "1", &[], "INSP"),
        claim("E01", "2", &[], "AWD"),
        claim("E02", "2", &[], "AWD"),
    ]
}

pub(crate) async fn begin(suite: &Suite, firms: &[&str]) {
    let request = pb::CreateSchemeRequest {
        source: short(),
        request_id: String::new(),
    };
    suite.schemes("rating").create_scheme(request).await.unwrap();
    let request = pb::CreateRoundRequest {
        round_id: "spring-2026".into(),
        display_name: text("2026 年春季", "Spring 2026"),
        scheme: SHORT.into(),
        ..Default::default()
    };
    suite.rounds("rating").create_round(request).await.unwrap();
    let request = pb::EnrolEnterprisesRequest {
        round: ROUND.into(),
        enterprises: firms.iter().map(|uscc| format!("enterprises/{uscc}")).collect(),
        request_id: String::new(),
    };
    suite.rounds("rating").enrol_enterprises(request).await.unwrap();
}

pub(crate) async fn declare(
    suite: &Suite,
    who: &str,
    uscc: &str,
    claims: Vec<pb::ItemClaim>,
) -> Result<i32, tonic::Status> {
    let request = pb::SubmitDeclarationRequest {
        round: ROUND.into(),
        enterprise: format!("enterprises/{uscc}"),
        claims,
        request_id: String::new(),
    };
    Ok(suite
        .rounds(who)
        .submit_declaration(request)
        .await?
        .into_inner()
        .items)
}

pub(crate) async fn verify(
    suite: &Suite,
    who: &str,
    uscc: &str,
    verdicts: Vec<pb::ItemVerdict>,
) -> Result<i32, tonic::Status> {
    let request = pb::VerifyItemRequest {
        round: ROUND.into(),
        enterprise: format!("enterprises/{uscc}"),
        verdicts,
        request_id: String::new(),
    };
    Ok(suite.rounds(who).verify_item(request).await?.into_inner().items)
}

pub(crate) async fn publish(suite: &Suite) -> Result<pb::Round, tonic::Status> {
    publish_by(suite, "rating").await
}

async fn publish_by(suite: &Suite, who: &str) -> Result<pb::Round, tonic::Status> {
    let request = pb::PublishRoundRequest {
        name: ROUND.into(),
        approval: "京兴政函〔2026〕9号".into(),
        request_id: String::new(),
    };
    Ok(suite
        .rounds(who)
        .publish_round(request)
        .await?
        .into_inner()
        .round
        .unwrap())
}

/// A published round in which the first firm has five stars.
pub(crate) async fn published(suite: &Suite) {
    create(
        suite,
        firm(FIRST, "北京纸飞机印刷有限公司", "Paper Plane Printing"),
    )
    .await;
    begin(suite, &[FIRST]).await;
    declare(suite, "rating", FIRST, excellent()).await.unwrap();
    verify(
        suite,
        "rating/2",
        FIRST,
        excellent().iter().map(verdict).collect(),
    )
    .await
    .unwrap();
    publish(suite).await.unwrap();
}

#[tokio::test]
async fn a_round_goes_its_way_and_lists_only_who_has_a_star() {
    for suite in Suite::both(noon("2026-03-02")).await {
        create(
            &suite,
            firm(FIRST, "北京纸飞机印刷有限公司", "Paper Plane Printing"),
        )
        .await;
        create(
            &suite,
            firm(SECOND, "北京蒲公英印刷有限公司", "Éditions Dandelion"),
        )
        .await;
        create(&suite, firm(THIRD, "北京小橘灯饮料有限公司", "Orange Lantern")).await;
        begin(&suite, &[FIRST, SECOND, THIRD]).await;
        assert_eq!(
            refused(publish(&suite).await),
            (Code::FailedPrecondition, "ROUND_STATE".into())
        );

        // One for itself, one through an officer, one not at all.
        let own = format!("enterprises/{FIRST}");
        assert_eq!(declare(&suite, &own, FIRST, excellent()).await.unwrap(), 15);
        assert_eq!(
            declare(&suite, "rating", SECOND, vec![excellent()[0].clone()])
                .await
                .unwrap(),
            1
        );
        let other = declare(&suite, &own, SECOND, excellent()).await;
        assert_eq!(
            refused(other),
            (Code::PermissionDenied, "NOT_YOUR_ENTERPRISE".into())
        );

        let verdicts: Vec<_> = excellent().iter().map(verdict).collect();
        let same = verify(&suite, "rating", SECOND, verdicts[..1].to_vec()).await;
        assert_eq!(refused(same), (Code::PermissionDenied, "SAME_OFFICER".into()));
        let unclaimed = verify(&suite, "rating/2", SECOND, verdicts[1..2].to_vec()).await;
        assert_eq!(refused(unclaimed), (Code::InvalidArgument, "ITEM_UNKNOWN".into()));
        verify(&suite, "rating/2", SECOND, verdicts[..1].to_vec())
            .await
            .unwrap();
        verify(&suite, "rating/2", FIRST, verdicts).await.unwrap();
        let late = declare(&suite, "rating", THIRD, excellent()).await;
        assert_eq!(refused(late), (Code::FailedPrecondition, "ROUND_STATE".into()));

        // Until it is out, the public knows nothing of it.
        let get = pb::GetRoundRequest { name: ROUND.into() };
        let hidden = suite.public_rounds().get_round(get.clone()).await;
        assert_eq!(refused(hidden), (Code::NotFound, "ROUND_UNKNOWN".into()));
        let directory = pb::ListDirectoryRequest {
            round: ROUND.into(),
            ..Default::default()
        };
        let hidden = suite.public().list_directory(directory.clone()).await;
        assert_eq!(refused(hidden), (Code::NotFound, "ROUND_UNKNOWN".into()));

        // A fault that keeps the third one out.
        crate::events::record(
            &suite,
            "enforcement",
            THIRD,
            "permit_terms_breached",
            "1",
            "2026-02-01",
        )
        .await
        .unwrap();
        let verifier = publish_by(&suite, "rating/2").await;
        assert_eq!(refused(verifier), (Code::PermissionDenied, "SAME_OFFICER".into()));
        let round = publish(&suite).await.unwrap();
        assert_eq!(
            (round.state(), round.enrolled),
            (pb::RoundState::Published, Some(3))
        );
        assert_eq!(
            refused(publish(&suite).await),
            (Code::FailedPrecondition, "ROUND_STATE".into())
        );

        let seen = suite
            .public_rounds()
            .get_round(get)
            .await
            .unwrap()
            .into_inner()
            .round
            .unwrap();
        let counts: Vec<_> = seen.listed.iter().map(|line| (line.star, line.count)).collect();
        assert_eq!((counts, seen.enrolled), (vec![(5, 1), (3, 1)], None));
        let listed = suite
            .public_rounds()
            .list_rounds(pb::ListRoundsRequest::default())
            .await
            .unwrap();
        assert_eq!(listed.into_inner().rounds, [seen]);
        let lines = suite
            .public()
            .list_directory(directory)
            .await
            .unwrap()
            .into_inner();
        let lines: Vec<_> = lines
            .entries
            .into_iter()
            .map(|line| (line.enterprise, line.star))
            .collect();
        assert_eq!(lines, [(own.clone(), 5), (format!("enterprises/{SECOND}"), 3)]);
        let named = pb::ListDirectoryRequest {
            round: ROUND.into(),
            name_contains: "éDITIONS".into(),
            ..Default::default()
        };
        let found = suite.public().list_directory(named).await.unwrap().into_inner();
        assert_eq!((found.total_size, found.entries.len()), (1, 1));
        assert_eq!(
            suite.rating_of("licensing", THIRD).await.state(),
            RatingState::NotListed
        );
        a_batch_does_not_say_who_was_not_listed(&suite).await;

        let suite = suite.restarted().await;
        let rating = suite.rating_of("licensing", FIRST).await;
        assert_eq!(
            (rating.star, rating.points.as_str(), rating.version),
            (Some(5), "93", 1)
        );
        suite.stop().await;
    }
}

/// Of the published round: the third firm has no star in it.
async fn a_batch_does_not_say_who_was_not_listed(suite: &Suite) {
    let third = async |who: &str| {
        let request = pb::BatchGetRatingsRequest {
            names: [FIRST, THIRD]
                .map(|uscc| format!("enterprises/{uscc}/rating"))
                .into(),
        };
        let batch = suite.ratings(who).batch_get_ratings(request).await.unwrap();
        let each = batch.into_inner().results.into_iter();
        let ratings: Vec<_> = each
            .map(|result| match result.result.unwrap() {
                pb::batch_get_ratings_result::Result::Rating(rating) => rating,
                pb::batch_get_ratings_result::Result::Error(error) => panic!("{error:?}"),
            })
            .collect();
        assert_eq!(ratings[0].star, Some(5));
        ratings.into_iter().next_back().unwrap()
    };
    assert_eq!(third("rating").await.state(), RatingState::NotListed);
    let told = third("licensing").await;
    // As a registered firm that no round has rated.
    let never_rated = pb::Rating {
        name: told.name.clone(),
        state: RatingState::NotRated.into(),
        known: true,
        uscc_verdict: told.uscc_verdict,
        display_name: text("北京小橘灯饮料有限公司", "Orange Lantern"),
        as_of: told.as_of,
        sources: told.sources.clone(),
        ..pb::Rating::default()
    };
    assert_eq!(told, never_rated);
}

#[tokio::test]
async fn a_claim_that_the_scheme_does_not_take_is_refused_whole() {
    let suite = Suite::start(noon("2026-03-02")).await;
    create(&suite, firm(FIRST, "甲", "A")).await;
    begin(&suite, &[FIRST]).await;
    let tried = async |claim: pb::ItemClaim| {
        refused(declare(&suite, "rating", FIRST, vec![excellent()[0].clone(), claim]).await)
    };
    let invalid = |reason: &str| (Code::InvalidArgument, reason.to_owned());
    assert_eq!(
        tried(claim("A01", "1", &[], "EIA")).await,
        invalid("ITEM_UNKNOWN")
    );
    assert_eq!(tried(claim("Z9", "1", &[], "EIA")).await, invalid("ITEM_UNKNOWN"));
    assert_eq!(
        tried(claim("B01", "", &["grade_B"], "MON")).await,
        invalid("ITEM_UNKNOWN")
    );
    assert_eq!(
        tried(claim("B05", "", &["grade_C"], "AWD")).await,
        invalid("TIER_UNKNOWN")
    );
    assert_eq!(
        tried(claim("B05", "1", &[], "AWD")).await,
        invalid("TIER_UNKNOWN")
    );
    assert_eq!(
        tried(claim("B02", "3.5", &[], "CAP")).await,
        invalid("POINTS_INVALID")
    );
    assert_eq!(
        tried(claim("B02", "1.25", &[], "CAP")).await,
        invalid("POINTS_INVALID")
    );
    assert_eq!(
        tried(claim("B02", "NaN", &[], "CAP")).await,
        invalid("POINTS_INVALID")
    );
    assert_eq!(
        tried(claim("B02", "1", &[], "MON")).await,
        invalid("EVIDENCE_NOT_ACCEPTED")
    );
    let stranger = declare(&suite, "rating", SECOND, excellent()).await;
    assert_eq!(refused(stranger), (Code::NotFound, "NOT_ENROLLED".into()));
    suite.stop().await;
}

#[tokio::test]
async fn a_directory_is_searched_by_star_district_and_name_and_paged() {
    for suite in Suite::both(crate::facts::date("2026-11-24").start()).await {
        assert!(suite.rating.load_sample(None).await.unwrap());
        let list = async |request: pb::ListDirectoryRequest| {
            let round = "rounds/daxing-2021-sample".into();
            let request = pb::ListDirectoryRequest { round, ..request };
            suite
                .public()
                .list_directory(request)
                .await
                .map(tonic::Response::into_inner)
        };
        let five = list(pb::ListDirectoryRequest {
            star: Some(5),
            ..Default::default()
        })
        .await
        .unwrap();
        assert_eq!((five.total_size, five.entries.len()), (8, 8));
        assert!(five.entries.iter().all(|line| line.star == 5));
        let named = pb::ListDirectoryRequest {
            name_contains: "纸飞机".into(),
            ..Default::default()
        };
        assert_eq!(list(named).await.unwrap().total_size, 1);
        let named = pb::ListDirectoryRequest {
            name_contains: "paper plane".into(),
            ..Default::default()
        };
        assert_eq!(list(named).await.unwrap().total_size, 1);
        let elsewhere = pb::ListDirectoryRequest {
            district: "110106".into(),
            ..Default::default()
        };
        assert_eq!(list(elsewhere).await.unwrap().total_size, 0);
        let six = list(pb::ListDirectoryRequest {
            star: Some(6),
            ..Default::default()
        })
        .await;
        assert_eq!(refused(six), (Code::InvalidArgument, "STAR_OUT_OF_RANGE".into()));

        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let page = pb::ListDirectoryRequest {
                page_size: 10,
                page_token: token,
                ..Default::default()
            };
            let page = list(page).await.unwrap();
            assert_eq!(page.total_size, 73);
            seen.extend(page.entries.into_iter().map(|line| (-line.star, line.enterprise)));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen.len(), 73);
        assert!(seen.is_sorted() && seen.windows(2).all(|pair| pair[0] != pair[1]));
        suite.stop().await;
    }
}
