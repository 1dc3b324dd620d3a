//! What was true on a day, what was known on a day, and lists that are frozen.

use greenstar_proto::common::v1::RatingState;
use greenstar_proto::rating::v1 as pb;
use tonic::Code;

use crate::enterprises::{FIRST, SECOND, create, firm, text};
use crate::events::{record, repair};
use crate::facts::noon;
use crate::rounds::{ROUND, published};
use crate::service::{Suite, refused};

const FIRM: &str = "enterprises/91110115MAX000015J";

async fn on(suite: &Suite, who: &str, as_of: &str, known: &str) -> Result<pb::Rating, tonic::Status> {
    let request = pb::GetRatingRequest {
        name: format!("{FIRM}/rating"),
        as_of: as_of.into(),
        as_of_known: known.into(),
        ..Default::default()
    };
    let answer = suite.ratings(who).get_rating(request).await?;
    Ok(answer.into_inner().rating.unwrap())
}

async fn assessment(
    suite: &Suite,
    version: Option<u32>,
    as_of: &str,
) -> Result<pb::GetAssessmentResponse, tonic::Status> {
    let request = pb::GetAssessmentRequest {
        name: format!("{FIRM}/assessment"),
        version,
        as_of: as_of.into(),
        ..Default::default()
    };
    Ok(suite
        .ratings("rating")
        .get_assessment(request)
        .await?
        .into_inner())
}

/// Five stars from 2 March; on the 20th a fine of the 10th is recorded, repaired on 1 July.
async fn lived(suite: &Suite) -> String {
    published(suite).await;
    suite.clock.set(noon("2026-03-20"));
    let (event, _) = record(suite, "enforcement", FIRST, "fine_ordinary", "12", "2026-03-10")
        .await
        .unwrap();
    suite.clock.set(noon("2026-07-01"));
    repair(suite, "enforcement/2", &event.name).await.unwrap();
    suite.clock.set(noon("2026-08-01"));
    event.name
}

#[tokio::test]
async fn what_was_true_and_what_was_known_on_a_day_are_two_questions() {
    for suite in Suite::both(noon("2026-03-02")).await {
        lived(&suite).await;
        for (as_of, known, star) in [
            ("", "", Some(5)),
            ("2026-03-09", "", Some(5)),
            // The document is of the 10th: from then on it was true, though nobody knew.
            ("2026-03-15", "", Some(4)),
            ("2026-03-15", "2026-03-15", Some(5)),
            ("", "2026-03-19", Some(5)),
            ("2026-03-15", "2026-03-20", Some(4)),
            ("2026-06-30", "", Some(4)),
            ("2026-07-01", "", Some(5)),
            ("2026-06-30T23:00:00+08:00", "", Some(4)),
            // No round had rated it.
            ("2026-03-01", "", None),
        ] {
            let rating = on(&suite, "licensing", as_of, known).await.unwrap();
            assert_eq!(rating.star, star, "as of {as_of:?} known {known:?}");
        }
        let before = on(&suite, "licensing", "2026-03-01", "").await.unwrap();
        assert_eq!((before.state(), before.known), (RatingState::NotRated, true));
        for bad in ["2026-08-02", "yesterday", "2026-08-01T13:00:00+08:00"] {
            let answer = on(&suite, "licensing", bad, "").await;
            assert_eq!(
                refused(answer),
                (Code::InvalidArgument, "INSTANT_INVALID".into()),
                "{bad}"
            );
        }
        suite.stop().await;
    }
}

#[tokio::test]
async fn every_version_is_listed_with_both_times_and_explained_with_what_changed() {
    for suite in Suite::both(noon("2026-03-02")).await {
        let event = lived(&suite).await;
        let request = pb::ListRatingHistoryRequest {
            parent: format!("{FIRM}/rating"),
            page_size: 2,
            ..Default::default()
        };
        let list = async |who: &str, request: pb::ListRatingHistoryRequest| {
            suite
                .ratings(who)
                .list_rating_history(request)
                .await
                .unwrap()
                .into_inner()
        };
        let first = list("rating", request.clone()).await;
        let rest = pb::ListRatingHistoryRequest {
            page_token: first.next_page_token.clone(),
            ..request.clone()
        };
        let rest = list("rating", rest).await;
        let all: Vec<_> = first.versions.into_iter().chain(rest.versions).collect();
        let told: Vec<_> = all
            .iter()
            .map(|version| (version.version, version.star, version.points.as_str()))
            .collect();
        assert_eq!(told, [(3, Some(5), "93"), (2, Some(4), "88"), (1, Some(5), "93")]);
        assert_eq!(rest.next_page_token, "");
        assert_eq!(all[0].superseded_by, "");
        assert_eq!(all[1].superseded_by, format!("{FIRM}/rating/versions/3"));
        assert_eq!(all[1].valid_to_time, all[0].valid_from_time);
        assert!(all[1].cause.ends_with("recorded") && all[2].cause.starts_with("rounds/"));
        // What was known in April: the second had not been superseded.
        let april = pb::ListRatingHistoryRequest {
            as_of_known: "2026-04-01".into(),
            page_size: 0,
            ..request.clone()
        };
        let april = list("licensing", april).await.versions;
        assert_eq!(
            april.iter().map(|version| version.version).collect::<Vec<_>>(),
            [2, 1]
        );
        assert_eq!(
            (april[0].superseded_by.as_str(), april[0].cause.as_str()),
            ("", "")
        );
        let nobody = pb::ListRatingHistoryRequest {
            parent: format!("enterprises/{SECOND}/rating"),
            ..Default::default()
        };
        let nobody = suite.ratings("rating").list_rating_history(nobody).await;
        assert_eq!(refused(nobody), (Code::NotFound, "ASSESSMENT_UNKNOWN".into()));

        let second = assessment(&suite, Some(2), "").await.unwrap();
        let explained = second.assessment.unwrap();
        let rating = explained.rating.unwrap();
        assert_eq!(
            (rating.version, rating.star, rating.points.as_str()),
            (2, Some(4), "88")
        );
        assert!(rating.blocked_by.is_some());
        assert_eq!(explained.items.len(), 30);
        let fined = explained.items.iter().find(|item| item.item == "A08").unwrap();
        assert_eq!((fined.points.as_str(), fined.deductions.len()), ("-5", 1));
        let bonus = explained.items.iter().find(|item| item.item == "B02").unwrap();
        assert_eq!((bonus.points.as_str(), bonus.evidence.len()), ("3", 1));
        assert_eq!(second.changes.len(), 1);
        assert_eq!(second.changes[0].added[0].event, event);
        let third = assessment(&suite, Some(3), "").await.unwrap();
        assert_eq!(third.changes[0].removed[0].event, event);
        assert!(assessment(&suite, Some(1), "").await.unwrap().changes.is_empty());
        let then = assessment(&suite, None, "2026-03-15")
            .await
            .unwrap()
            .assessment
            .unwrap();
        assert_eq!(then.rating.unwrap().star, Some(4));
        let missing = assessment(&suite, Some(4), "").await;
        assert_eq!(refused(missing), (Code::NotFound, "ASSESSMENT_UNKNOWN".into()));
        let both = assessment(&suite, Some(2), "2026-03-15").await;
        assert_eq!(refused(both), (Code::InvalidArgument, "FIELD_INVALID".into()));
        suite.stop().await;
    }
}

#[tokio::test]
async fn a_snapshot_is_frozen_once_and_its_digest_is_of_its_lines() {
    use sha2::Digest as _;
    for suite in Suite::both(noon("2026-03-02")).await {
        lived(&suite).await;
        create(&suite, firm(SECOND, "未评企业", "Nobody rated it")).await;
        let request = pb::CreateSnapshotRequest {
            snapshot_id: "power-2026-h1".into(),
            display_name: text("2026 年上半年电价名单", "Power prices, first half of 2026"),
            as_of: "2026-06-30".into(),
            districts: vec!["110115".into()],
        };
        let create = async |who: &str, request: pb::CreateSnapshotRequest| {
            suite.ratings(who).create_snapshot(request).await
        };
        let frozen = create("rating", request.clone()).await.unwrap().into_inner();
        let frozen = frozen.snapshot.unwrap();
        assert_eq!((frozen.entry_count, frozen.creator.as_str()), (1, "rating"));
        let again = create("rating/2", request.clone()).await;
        assert_eq!(refused(again), (Code::AlreadyExists, "SNAPSHOT_EXISTS".into()));
        let other = create("licensing", request.clone()).await;
        assert_eq!(refused(other).0, Code::PermissionDenied);
        let future = pb::CreateSnapshotRequest {
            snapshot_id: "later".into(),
            as_of: "2026-12-31".into(),
            ..request.clone()
        };
        let future = create("rating", future).await;
        assert_eq!(refused(future), (Code::InvalidArgument, "INSTANT_INVALID".into()));
        let elsewhere = pb::CreateSnapshotRequest {
            snapshot_id: "elsewhere".into(),
            districts: vec!["110105".into()],
            ..request
        };
        let elsewhere = create("rating", elsewhere)
            .await
            .unwrap()
            .into_inner()
            .snapshot
            .unwrap();
        assert_eq!(elsewhere.entry_count, 0);

        // What happens later changes nothing in it.
        record(&suite, "enforcement", FIRST, "V08", "9", "2026-07-30")
            .await
            .unwrap();
        let list = pb::ListSnapshotEntriesRequest {
            parent: "snapshots/power-2026-h1".into(),
            ..Default::default()
        };
        let mut licensing = suite.ratings("licensing");
        let entries = licensing
            .list_snapshot_entries(list)
            .await
            .unwrap()
            .into_inner()
            .entries;
        assert_eq!(
            (entries.len(), entries[0].star, entries[0].version),
            (1, Some(4), 2)
        );
        let line = format!("{FIRST}\tRATED\t4\t88\t2\n");
        let digest: String = sha2::Sha256::digest(line)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(frozen.digest, digest);
        let get = pb::GetSnapshotRequest {
            name: frozen.name.clone(),
        };
        let got = licensing.get_snapshot(get).await.unwrap().into_inner().snapshot;
        assert_eq!(got, Some(frozen));
        let all = licensing
            .list_snapshots(pb::ListSnapshotsRequest::default())
            .await;
        let names = all.unwrap().into_inner().snapshots;
        assert_eq!(names.len(), 2);
        let unknown = pb::GetSnapshotRequest {
            name: "snapshots/none".into(),
        };
        let unknown = licensing.get_snapshot(unknown).await;
        assert_eq!(refused(unknown), (Code::NotFound, "SNAPSHOT_UNKNOWN".into()));
        suite.stop().await;
    }
}

#[tokio::test]
async fn a_directory_is_read_as_of_a_day_on_which_it_was_in_force() {
    for suite in Suite::both(noon("2026-03-02")).await {
        lived(&suite).await;
        suite.clock.set(noon("2027-03-10"));
        let list = async |round: &str, as_of: &str| {
            let request = pb::ListDirectoryRequest {
                round: round.into(),
                as_of: as_of.into(),
                ..Default::default()
            };
            let answer = suite.public().list_directory(request).await;
            answer.map(|answer| answer.into_inner().entries.len())
        };
        assert_eq!(list(ROUND, "").await.unwrap(), 1);
        assert_eq!(list(ROUND, "2026-12-31").await.unwrap(), 1);
        assert_eq!(list("rounds/-", "2026-12-31").await.unwrap(), 1);
        assert_eq!(list("rounds/-", "2026-03-01").await.unwrap(), 0);
        // Its validity ended on 3 March.
        assert_eq!(list("rounds/-", "").await.unwrap(), 0);
        for day in ["2026-03-01", "2027-03-09"] {
            assert_eq!(
                refused(list(ROUND, day).await),
                (Code::NotFound, "ROUND_UNKNOWN".into())
            );
        }
        suite.stop().await;
    }
}
