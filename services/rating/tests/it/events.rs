//! Ratings that live: events, rectifications, repairs.

use greenstar_proto::common::v1 as common;
use greenstar_proto::common::v1::RatingState;
use greenstar_proto::rating::v1 as pb;
use tonic::Code;

use crate::enterprises::{FIRST, SECOND};
use crate::facts::{date, noon};
use crate::rounds::published;
use crate::service::{Suite, refused};

fn evidence_of(kind: &str) -> &'static str {
    match kind {
        "complaint_verified_minor" | "complaint_verified_repeat" => "PET",
        "correction_order" => "ORD",
        "V13" | "V14" => "INSP",
        "V01" => "JUD",
        _ => "PEN",
    }
}

pub(crate) fn event(uscc: &str, kind: &str, number: &str, date: &str) -> pb::RecordEventRequest {
    pb::RecordEventRequest {
        parent: format!("enterprises/{uscc}"),
        kind: kind.into(),
        document: Some(common::Document {
            issuer: "北京市大兴区生态环境局".into(),
            number: number.into(),
            date: date.into(),
        }),
        evidence: Some(pb::Evidence {
            kind: evidence_of(kind).into(),
            reference: number.into(),
            sha256: String::new(),
        }),
        ..Default::default()
    }
}

pub(crate) async fn record(
    suite: &Suite,
    who: &str,
    uscc: &str,
    kind: &str,
    number: &str,
    date: &str,
) -> Result<(pb::Event, pb::Rating), tonic::Status> {
    let answer = suite
        .ratings(who)
        .record_event(event(uscc, kind, number, date))
        .await?
        .into_inner();
    Ok((answer.event.unwrap(), answer.rating.unwrap()))
}

fn seconds(time: Option<pbjson_types::Timestamp>) -> i64 {
    time.unwrap().seconds
}

/// 00:00 in Shanghai.
fn midnight(day: &str) -> i64 {
    date(day).start().micros() / 1_000_000
}

pub(crate) async fn repair(suite: &Suite, who: &str, name: &str) -> Result<pb::Rating, tonic::Status> {
    let request = pb::RepairEventRequest {
        name: name.into(),
        reason: "准予修复".into(),
        request_id: String::new(),
    };
    Ok(suite
        .ratings(who)
        .repair_event(request)
        .await?
        .into_inner()
        .rating
        .unwrap())
}

pub(crate) async fn confirm(suite: &Suite, who: &str, name: &str) -> Result<pb::Rating, tonic::Status> {
    let request = pb::ConfirmRectificationRequest {
        name: name.into(),
        request_id: String::new(),
    };
    Ok(suite
        .ratings(who)
        .confirm_rectification(request)
        .await?
        .into_inner()
        .rating
        .unwrap())
}

#[tokio::test]
async fn a_fine_takes_a_star_at_once_and_a_repair_gives_it_back() {
    for suite in Suite::both(noon("2026-03-02")).await {
        published(&suite).await;
        let (event, rating) = record(&suite, "enforcement", FIRST, "fine_ordinary", "12", "2026-03-01")
            .await
            .unwrap();
        assert_eq!(
            (rating.star, rating.points.as_str(), rating.version),
            (Some(4), "88", 2)
        );
        assert_eq!((event.item.as_str(), event.points.as_str()), ("A08", "5"));
        assert_eq!(suite.rating_of("licensing", FIRST).await.star, Some(4));
        let next = rating.next_transition.unwrap();
        // 2027-03-02 in Shanghai; the validity ends a day later.
        assert_eq!(
            (seconds(next.time), next.points.as_str()),
            (midnight("2027-03-02"), "93")
        );

        // The directory is frozen.
        let request = pb::ListDirectoryRequest {
            round: crate::rounds::ROUND.into(),
            ..Default::default()
        };
        let directory = suite.public().list_directory(request).await.unwrap().into_inner();
        assert_eq!(directory.entries[0].star, 5);

        let again = record(&suite, "enforcement", FIRST, "fine_ordinary", "12", "2026-03-01").await;
        assert_eq!(refused(again), (Code::AlreadyExists, "EVENT_EXISTS".into()));
        let own = repair(&suite, "enforcement", &event.name).await;
        assert_eq!(refused(own), (Code::PermissionDenied, "SAME_OFFICER".into()));
        let others = repair(&suite, "rating", &event.name).await;
        assert_eq!(
            refused(others),
            (Code::PermissionDenied, "NOT_THE_RECOGNISING_BODY".into())
        );
        let early = repair(&suite, "enforcement/2", &event.name).await.unwrap_err();
        assert!(greenstar_rpc::said_of(&early).en.contains("2026-06-02"));
        assert_eq!(
            refused(Err::<(), _>(early)),
            (Code::FailedPrecondition, "REPAIR_TOO_EARLY".into())
        );
        suite.clock.set(noon("2026-06-02"));
        let rating = repair(&suite, "enforcement/2", &event.name).await.unwrap();
        assert_eq!(
            (rating.star, rating.points.as_str(), rating.version),
            (Some(5), "93", 3)
        );
        let twice = repair(&suite, "enforcement/2", &event.name).await;
        assert_eq!(refused(twice), (Code::FailedPrecondition, "EVENT_ENDED".into()));
        suite.stop().await;
    }
}

#[tokio::test]
async fn a_veto_strips_the_star_and_a_crime_is_not_repaired() {
    let suite = Suite::start(noon("2026-03-02")).await;
    published(&suite).await;
    let (crime, rating) = record(&suite, "rating", FIRST, "V01", "刑1", "2026-03-01")
        .await
        .unwrap();
    assert_eq!(
        (rating.state(), rating.star, rating.points.as_str()),
        (RatingState::Vetoed, None, "93")
    );
    assert!(crime.rectification_required);
    let refusal = repair(&suite, "rating/2", &crime.name).await;
    assert_eq!(
        refused(refusal),
        (Code::FailedPrecondition, "NOT_REPAIRABLE".into())
    );
    let request = pb::GetAssessmentRequest {
        name: format!("enterprises/{FIRST}/assessment"),
        ..Default::default()
    };
    let answer = suite
        .ratings("rating")
        .get_assessment(request)
        .await
        .unwrap()
        .into_inner();
    let vetoes = answer.assessment.unwrap().vetoes;
    assert_eq!(
        (vetoes.len(), vetoes[0].effect.as_str(), vetoes[0].repairable),
        (1, "strip", false)
    );
    suite.stop().await;
}

#[tokio::test]
async fn a_general_emergency_takes_one_star() {
    let suite = Suite::start(noon("2026-03-02")).await;
    published(&suite).await;
    let (_, rating) = record(&suite, "enforcement", FIRST, "V13", "1", "2026-03-01")
        .await
        .unwrap();
    assert_eq!(rating.star, Some(4));
    suite.stop().await;
}

#[tokio::test]
async fn an_open_rectification_holds_the_star_down_until_another_officer_confirms_it() {
    let suite = Suite::start(noon("2026-03-02")).await;
    published(&suite).await;
    let (order, rating) = record(
        &suite,
        "enforcement",
        FIRST,
        "correction_order",
        "1",
        "2026-03-01",
    )
    .await
    .unwrap();
    assert_eq!(rating.star, Some(3));
    let own = confirm(&suite, "enforcement", &order.name).await;
    assert_eq!(refused(own), (Code::PermissionDenied, "SAME_OFFICER".into()));
    assert_eq!(
        confirm(&suite, "enforcement/2", &order.name).await.unwrap().star,
        Some(5)
    );
    let twice = confirm(&suite, "enforcement/2", &order.name).await;
    assert_eq!(refused(twice), (Code::FailedPrecondition, "EVENT_ENDED".into()));
    suite.stop().await;
}

#[tokio::test]
async fn the_third_verified_complaint_of_a_year_is_a_repeat_by_date_not_by_order_of_recording() {
    let suite = Suite::start(noon("2026-03-02")).await;
    published(&suite).await;
    let complaint = async |number: &str, date: &str| {
        let made = record(&suite, "rating", FIRST, "complaint_verified_minor", number, date)
            .await
            .unwrap();
        made.0.kind
    };
    assert_eq!(complaint("1", "2024-01-10").await, "complaint_verified_minor");
    assert_eq!(complaint("2", "2026-02-10").await, "complaint_verified_minor");
    // Reported late, with an older date: it is no repeat, and makes the newest one.
    assert_eq!(complaint("3", "2025-06-01").await, "complaint_verified_minor");
    assert_eq!(complaint("4", "2025-12-01").await, "complaint_verified_minor");
    assert_eq!(suite.rating_of("licensing", FIRST).await.points, "88");
    let request = pb::ListEventsRequest {
        parent: format!("enterprises/{FIRST}"),
        ..Default::default()
    };
    let listed = suite
        .ratings("rating")
        .list_events(request)
        .await
        .unwrap()
        .into_inner()
        .events;
    let shown: Vec<_> = listed
        .iter()
        .map(|event| {
            (
                event.document.as_ref().unwrap().number.as_str(),
                event.points.as_str(),
            )
        })
        .collect();
    assert_eq!(shown, [("2", "3"), ("4", "1"), ("3", "1"), ("1", "1")]);
    assert_eq!(listed[0].kind, "complaint_verified_repeat");
    assert_eq!(listed[0].severity(), common::Severity::Ordinary);
    assert_eq!(
        listed[0].title.as_ref().unwrap().en,
        "Verified complaint (third or later within a year)"
    );
    for (kind, number) in [
        ("complaint_verified_minor", "2"),
        ("complaint_verified_repeat", "4"),
    ] {
        let date = if number == "2" { "2026-02-10" } else { "2025-12-01" };
        let again = record(&suite, "rating", FIRST, kind, number, date).await;
        assert_eq!(refused(again), (Code::AlreadyExists, "EVENT_EXISTS".into()));
    }
    suite.stop().await;
}

#[tokio::test]
async fn of_a_firm_without_a_star_other_departments_are_told_the_state_alone() {
    let suite = Suite::start(noon("2026-03-02")).await;
    published(&suite).await;
    let firm = format!("enterprises/{FIRST}");
    for number in ["1", "2", "3"] {
        record(&suite, "enforcement", FIRST, "V13", number, "2026-03-01")
            .await
            .unwrap();
    }
    let batch = async |who: &str| {
        let request = pb::BatchGetRatingsRequest {
            names: vec![format!("{firm}/rating")],
        };
        let answer = suite.ratings(who).batch_get_ratings(request).await.unwrap();
        match answer.into_inner().results.remove(0).result.unwrap() {
            pb::batch_get_ratings_result::Result::Rating(rating) => rating,
            pb::batch_get_ratings_result::Result::Error(error) => panic!("{error:?}"),
        }
    };
    let bare = |rating: &pb::Rating| {
        rating.points.is_empty()
            && rating.categories.is_empty()
            && rating.next_transition.is_none()
            && rating.state_reason.is_empty()
            && rating.blocked_by.is_none()
    };
    for who in ["rating", &firm] {
        let rating = suite.rating_of(who, FIRST).await;
        assert_eq!(
            (
                rating.state(),
                rating.points.as_str(),
                rating.state_reason.as_str()
            ),
            (RatingState::NotListed, "93", "DROPPED")
        );
        assert!(rating.blocked_by.unwrap().en.contains("V13"));
    }
    let told = suite.rating_of("licensing", FIRST).await;
    assert_eq!(told.state(), RatingState::NotListed);
    assert!(bare(&told) && bare(&batch("licensing").await));

    // A veto that strips: whoever recorded it is told the state as well, no more.
    let (_, told) = record(&suite, "enforcement", FIRST, "V08", "4", "2026-03-01")
        .await
        .unwrap();
    assert!(bare(&told) && told.state() == RatingState::Vetoed);
    let told = batch("licensing").await;
    assert!(bare(&told) && told.state() == RatingState::Vetoed);
    let own = suite.rating_of(&firm, FIRST).await;
    assert_eq!((own.points.as_str(), own.state_reason.as_str()), ("93", ""));
    suite.stop().await;
}

#[tokio::test]
async fn of_a_firm_with_a_star_other_departments_are_told_that_a_term_ends_and_not_of_what() {
    let suite = Suite::start(noon("2026-03-02")).await;
    published(&suite).await;
    let cause = |rating: pb::Rating| rating.next_transition.unwrap().cause.unwrap();
    let ends = cause(suite.rating_of("licensing", FIRST).await);
    assert_eq!(ends.en, "the rating's validity ends");
    let (_, told) = record(&suite, "enforcement", FIRST, "fine_ordinary", "12", "2026-03-01")
        .await
        .unwrap();
    let firm = format!("enterprises/{FIRST}");
    for (who, said) in [
        ("rating", "\"Fine (ordinary)\" no longer deducts"),
        (&firm, "\"Fine (ordinary)\" no longer deducts"),
        ("licensing", "a term ends"),
    ] {
        let rating = suite.rating_of(who, FIRST).await;
        assert!(rating.star.is_some());
        assert_eq!(cause(rating).en, said, "{who}");
    }
    assert_eq!(
        cause(told).en,
        "a term ends",
        "enforcement sees events in their list"
    );
    suite.stop().await;
}

#[tokio::test]
async fn a_date_out_of_range_is_told_the_range_and_a_malformed_one_the_form() {
    let suite = Suite::start(noon("2026-03-02")).await;
    published(&suite).await;
    for (date, said) in [
        ("1969-12-31", "1970"),
        ("2201-01-01", "1970"),
        ("2026-02-30", "YYYY-MM-DD"),
        ("01.03.2026", "YYYY-MM-DD"),
    ] {
        let refusal = record(&suite, "enforcement", FIRST, "fine_ordinary", "1", date)
            .await
            .unwrap_err();
        let text = greenstar_rpc::said_of(&refusal);
        assert!(
            text.en.contains(said) && text.zh.contains(said),
            "{date}: {text:?}"
        );
    }
    suite.stop().await;
}

#[tokio::test]
async fn an_event_that_cannot_be_is_refused_and_changes_nothing() {
    let suite = Suite::start(noon("2026-03-02")).await;
    published(&suite).await;
    let tried = async |request: pb::RecordEventRequest| {
        refused(suite.ratings("enforcement").record_event(request).await)
    };
    let fine = || event(FIRST, "fine_ordinary", "1", "2026-03-01");
    let invalid = |reason: &str| (Code::InvalidArgument, reason.to_owned());
    assert_eq!(
        tried(event(FIRST, "unheard_of", "1", "2026-03-01")).await,
        invalid("EVENT_KIND_UNKNOWN")
    );
    assert_eq!(
        tried(event(FIRST, "fine_ordinary", "1", "2026-03-03")).await,
        invalid("DATE_INVALID")
    );
    assert_eq!(
        tried(event(FIRST, "fine_ordinary", "1", "2026-02-30")).await,
        invalid("DATE_INVALID")
    );
    let site = pb::RecordEventRequest {
        site: "009".into(),
        ..fine()
    };
    assert_eq!(tried(site).await, invalid("SITE_UNKNOWN"));
    let mut photo = fine();
    photo.evidence.as_mut().unwrap().kind = "CERT".into();
    assert_eq!(tried(photo).await, invalid("EVIDENCE_NOT_ACCEPTED"));
    // A veto takes its own proof, whatever the item that names it takes.
    let mut inspection = event(FIRST, "V02", "1", "2026-03-01");
    inspection.evidence.as_mut().unwrap().kind = "INSP".into();
    assert_eq!(tried(inspection).await, invalid("EVIDENCE_NOT_ACCEPTED"));
    let stranger = event(SECOND, "fine_ordinary", "1", "2026-03-01");
    assert_eq!(
        tried(stranger).await,
        (Code::NotFound, "ENTERPRISE_UNKNOWN".into())
    );
    assert_eq!(
        tried(pb::RecordEventRequest {
            document: None,
            ..fine()
        })
        .await,
        invalid("FIELD_INVALID")
    );
    let rating = suite.rating_of("rating", FIRST).await;
    assert_eq!((rating.star, rating.version), (Some(5), 1));
    suite.stop().await;
}

#[tokio::test]
async fn a_request_id_records_once() {
    let suite = Suite::start(noon("2026-03-02")).await;
    published(&suite).await;
    let request = pb::RecordEventRequest {
        request_id: "r-1".into(),
        ..event(FIRST, "fine_ordinary", "1", "2026-03-01")
    };
    let mut client = suite.ratings("enforcement");
    let first = client.record_event(request.clone()).await.unwrap().into_inner();
    let second = client.record_event(request.clone()).await.unwrap().into_inner();
    assert_eq!((first.event, first.rating), (second.event, second.rating));
    let other = pb::RecordEventRequest {
        request_id: "r-1".into(),
        ..event(FIRST, "fine_ordinary", "2", "2026-03-01")
    };
    assert_eq!(
        refused(client.record_event(other).await),
        (Code::AlreadyExists, "REQUEST_ID_REUSED".into())
    );
    suite.stop().await;
}

#[tokio::test]
async fn why_a_star_is_not_higher_is_for_the_rating_department_and_the_firm() {
    let suite = Suite::start(noon("2026-03-02")).await;
    published(&suite).await;
    record(&suite, "enforcement", FIRST, "fine_ordinary", "1", "2026-03-01")
        .await
        .unwrap();
    assert!(
        suite
            .rating_of("rating", FIRST)
            .await
            .blocked_by
            .unwrap()
            .en
            .contains("penalties")
    );
    assert!(
        suite
            .rating_of(&format!("enterprises/{FIRST}"), FIRST)
            .await
            .blocked_by
            .is_some()
    );
    assert!(suite.rating_of("licensing", FIRST).await.blocked_by.is_none());
    let request = pb::GetAssessmentRequest {
        name: format!("enterprises/{FIRST}/assessment"),
        ..Default::default()
    };
    let answer = suite.ratings("licensing").get_assessment(request.clone()).await;
    assert_eq!(
        refused(answer),
        (Code::PermissionDenied, "DEPARTMENT_NOT_ALLOWED".into())
    );
    let answer = suite
        .ratings(&format!("enterprises/{SECOND}"))
        .get_assessment(request.clone())
        .await;
    assert_eq!(
        refused(answer),
        (Code::PermissionDenied, "NOT_YOUR_ENTERPRISE".into())
    );
    let answer = suite
        .ratings("rating")
        .get_assessment(request)
        .await
        .unwrap()
        .into_inner();
    let assessment = answer.assessment.unwrap();
    let line = assessment.items.iter().find(|line| line.item == "A08").unwrap();
    assert_eq!((line.points.as_str(), line.deductions.len()), ("-5", 1));
    assert_eq!(seconds(line.deductions[0].end_time), midnight("2027-03-02"));
    let five = assessment.gates.iter().find(|gates| gates.star == 5).unwrap();
    assert!(five.gates.iter().any(|gate| !gate.holds));
    suite.stop().await;
}

#[tokio::test]
async fn events_are_listed_newest_first_to_who_may_see_them() {
    let suite = Suite::start(noon("2026-03-02")).await;
    published(&suite).await;
    record(
        &suite,
        "rating",
        FIRST,
        "complaint_verified_minor",
        "1",
        "2026-01-10",
    )
    .await
    .unwrap();
    record(&suite, "enforcement", FIRST, "fine_ordinary", "2", "2026-02-10")
        .await
        .unwrap();
    record(&suite, "enforcement", FIRST, "warning", "3", "2026-02-20")
        .await
        .unwrap();
    let list = async |who: &str, size: i32, token: &str| {
        let request = pb::ListEventsRequest {
            parent: format!("enterprises/{FIRST}"),
            page_size: size,
            page_token: token.into(),
        };
        suite
            .ratings(who)
            .list_events(request)
            .await
            .unwrap()
            .into_inner()
    };
    let kinds = |page: &pb::ListEventsResponse| -> Vec<String> {
        page.events.iter().map(|event| event.kind.clone()).collect()
    };
    assert_eq!(
        kinds(&list("rating", 0, "").await),
        ["warning", "fine_ordinary", "complaint_verified_minor"]
    );
    // Whoever recorded them, enforcement sees all as well, and the firm its own.
    for who in ["enforcement", &format!("enterprises/{FIRST}")] {
        assert_eq!(
            kinds(&list(who, 0, "").await),
            ["warning", "fine_ordinary", "complaint_verified_minor"]
        );
    }
    let request = pb::ListEventsRequest {
        parent: format!("enterprises/{FIRST}"),
        ..Default::default()
    };
    for (who, reason) in [
        ("licensing", "DEPARTMENT_NOT_ALLOWED"),
        (&*format!("enterprises/{SECOND}"), "NOT_YOUR_ENTERPRISE"),
    ] {
        let answer = suite.ratings(who).list_events(request.clone()).await;
        assert_eq!(refused(answer), (Code::PermissionDenied, reason.into()));
    }
    let page = list("rating", 2, "").await;
    let rest = list("rating", 2, &page.next_page_token).await;
    assert_eq!(
        (kinds(&rest), rest.next_page_token.as_str()),
        (vec!["complaint_verified_minor".into()], "")
    );
    suite.stop().await;
}
