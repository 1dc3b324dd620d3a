//! The sample round: the scheme turns it into 8 / 60 / 5 and 3 that are not listed, on whatever day it is first
//! loaded.

use std::collections::BTreeMap;

use greenstar_kernel::{Date, Uscc, Verdict};
use greenstar_proto::common::v1::RatingState;
use greenstar_proto::rating::v1 as pb;

use crate::facts::date;
use crate::service::Suite;

const ROUND: &str = "rounds/daxing-2021-sample";

async fn live(suite: &Suite) -> BTreeMap<(i32, Option<i32>), usize> {
    let request = pb::ListEnterprisesRequest {
        page_size: 1000,
        ..Default::default()
    };
    let listed = suite
        .enterprises("rating")
        .list_enterprises(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.enterprises.len(), 76);
    let names = listed
        .enterprises
        .iter()
        .map(|firm| format!("{}/rating", firm.name))
        .collect();
    let request = pb::BatchGetRatingsRequest { names };
    let batch = suite
        .ratings("rating")
        .batch_get_ratings(request)
        .await
        .unwrap()
        .into_inner();
    let mut counts = BTreeMap::new();
    for result in batch.results {
        let Some(pb::batch_get_ratings_result::Result::Rating(rating)) = result.result else {
            panic!("{}", result.name)
        };
        *counts.entry((rating.state, rating.star)).or_default() += 1;
    }
    counts
}

async fn eight_sixty_five(first_day: Date) {
    let suite = Suite::sample(first_day).await;
    let request = pb::ListDirectoryRequest {
        round: ROUND.into(),
        page_size: 1000,
        ..Default::default()
    };
    let directory = suite.public().list_directory(request).await.unwrap().into_inner();
    let counts: Vec<(i32, i32)> = directory
        .counts
        .iter()
        .map(|line| (line.star, line.count))
        .collect();
    assert_eq!(counts, [(5, 8), (4, 60), (3, 5)], "directory of {first_day}");
    assert_eq!((directory.entries.len(), directory.total_size), (73, 73));

    // What was published thirty days before still holds on the first day.
    let expected = BTreeMap::from([
        ((RatingState::Rated.into(), Some(3)), 5),
        ((RatingState::Rated.into(), Some(4)), 60),
        ((RatingState::Rated.into(), Some(5)), 8),
        ((RatingState::NotListed.into(), None), 3),
    ]);
    assert_eq!(live(&suite).await, expected, "live on {first_day}");
    suite.stop().await;
}

#[tokio::test]
async fn the_sample_becomes_eight_sixty_five_on_any_first_day() {
    for day in [
        "2021-12-31",
        "2024-01-31",
        "2024-02-29",
        "2024-03-01",
        "2025-02-28",
        "2026-03-31",
        "2026-07-31",
        "2026-08-30",
        "2026-08-31",
        "2026-11-24",
        "2028-02-29",
        "2031-05-31",
    ] {
        eight_sixty_five(date(day)).await;
    }
}

#[tokio::test]
async fn every_code_of_the_sample_is_valid_and_of_daxing() {
    let suite = Suite::sample(date("2026-11-24")).await;
    let request = pb::ListEnterprisesRequest {
        page_size: 1000,
        ..Default::default()
    };
    let listed = suite
        .enterprises("rating")
        .list_enterprises(request)
        .await
        .unwrap()
        .into_inner();
    let mut names = std::collections::BTreeSet::new();
    for firm in &listed.enterprises {
        let uscc: Uscc = firm.name.strip_prefix("enterprises/").unwrap().parse().unwrap();
        assert_eq!(uscc.verdict(), Verdict::Valid, "{uscc}");
        assert!(uscc.as_str().starts_with("91110115MAX"), "{uscc}");
        assert!(
            names.insert(firm.display_name.clone().unwrap().zh),
            "{}",
            firm.name
        );
        assert!(!firm.sites.is_empty());
    }
    suite.stop().await;
}

#[tokio::test]
async fn the_sample_is_loaded_once() {
    let suite = Suite::sample(date("2026-11-24")).await;
    assert!(!suite.rating.load_sample(None).await.unwrap());
    suite.stop().await;
}

#[tokio::test]
async fn the_first_enterprise_has_five_stars_and_is_explained_to_itself() {
    let suite = Suite::sample(date("2026-11-24")).await;
    let request = pb::GetAssessmentRequest {
        name: "enterprises/91110115MAX000015J/assessment".into(),
        ..Default::default()
    };
    let mut firm = suite.ratings("enterprises/91110115MAX000015J");
    let answer = firm.get_assessment(request).await.unwrap().into_inner();
    let assessment = answer.assessment.unwrap();
    assert_eq!(assessment.rating.unwrap().star, Some(5));
    assert_eq!(assessment.items.len(), 30);
    assert!(
        assessment
            .items
            .iter()
            .any(|line| !line.evidence.is_empty() && !line.claimed.is_empty())
    );
    suite.stop().await;
}

#[tokio::test]
async fn time_alone_moves_the_sample_and_is_written_at_its_instant() {
    let suite = Suite::sample(date("2026-11-24")).await;
    let firm = "91110115MAX0000318";
    let before = suite.rating_of("rating", firm).await;
    assert_eq!((before.star, before.points.as_str()), (Some(3), "74"));
    let next = before.next_transition.unwrap();
    assert_eq!((next.star, next.points.as_str()), (Some(4), "75"));
    let due = next.time.unwrap();
    suite
        .clock
        .set(greenstar_kernel::Timestamp::from_micros(due.seconds * 1_000_000));
    // The answer does not wait for the row.
    let after = suite.rating_of("rating", firm).await;
    assert_eq!((after.star, after.points.as_str()), (Some(4), "75"));
    suite.stop().await;
}
