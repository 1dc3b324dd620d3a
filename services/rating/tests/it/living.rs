//! Many events at once, what a firm is told of its rating, and ratings that are set aside.

use futures::StreamExt as _;
use greenstar_proto::common::v1::RatingState;
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::event_verdict::Verdict;
use tonic::Code;

use crate::enterprises::{FIRST, SECOND, create, firm};
use crate::events::{confirm, event, record, repair};
use crate::facts::noon;
use crate::rounds::published;
use crate::service::{Suite, refused};

const FIRM: &str = "enterprises/91110115MAX000015J";

async fn notices(suite: &Suite, who: &str) -> Vec<pb::RatingNotice> {
    let request = pb::ListNoticesRequest {
        parent: FIRM.into(),
        ..Default::default()
    };
    let answer = suite.notices(who).list_notices(request).await.unwrap();
    answer.into_inner().notices
}

fn reasons(verdicts: &[pb::EventVerdict]) -> Vec<String> {
    let one = |verdict: &pb::EventVerdict| match verdict.verdict.as_ref().unwrap() {
        Verdict::Recorded(_) => "RECORDED".to_owned(),
        Verdict::RepeatOf(_) => "REPEAT".to_owned(),
        Verdict::Error(error) => error.reason.clone(),
    };
    verdicts.iter().map(one).collect()
}

fn with(uscc: &str, change: impl FnOnce(&mut pb::RecordEventRequest)) -> pb::RecordEventRequest {
    let mut made = event(uscc, "fine_ordinary", "bad", "2026-03-01");
    change(&mut made);
    made
}

/// Every way in which an event can be wrong, beside two that are right.
fn mixed() -> Vec<pb::RecordEventRequest> {
    vec![
        event(FIRST, "fine_ordinary", "1", "2026-03-01"),
        with(FIRST, |made| {
            made.document.as_mut().unwrap().date = "2026-03-03".into()
        }),
        with(FIRST, |made| made.site = "009".into()),
        with(FIRST, |made| made.kind = "fine_huge".into()),
        with(FIRST, |made| made.evidence.as_mut().unwrap().kind = "PET".into()),
        with("91110115MAX000066T", |_| {}),
        with("91310115MA1G4L1WXK", |_| {}),
        with(FIRST, |made| made.document = None),
        event(FIRST, "fine_ordinary", "1", "2026-03-01"),
        with(FIRST, |made| {
            made.document.as_mut().unwrap().number = "2".into();
            made.kind = "warning".into();
            made.site = "001".into();
        }),
    ]
}

const EXPECTED: [&str; 10] = [
    "RECORDED",
    "DATE_INVALID",
    "SITE_UNKNOWN",
    "EVENT_KIND_UNKNOWN",
    "EVIDENCE_NOT_ACCEPTED",
    "ENTERPRISE_UNKNOWN",
    "USCC_MALFORMED",
    "FIELD_INVALID",
    "REPEAT",
    "RECORDED",
];

#[tokio::test]
async fn of_a_batch_each_event_has_its_verdict_and_a_repeat_counts_nothing_twice() {
    for suite in Suite::both(noon("2026-03-02")).await {
        published(&suite).await;
        let request = pb::BatchRecordEventsRequest { events: mixed() };
        let mut client = suite.events("enforcement");
        let answer = client
            .batch_record_events(request.clone())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(reasons(&answer.verdicts), EXPECTED);
        assert_eq!(
            (answer.recorded, answer.repeated_count, answer.refused),
            (2, 1, 7)
        );
        let Some(Verdict::Recorded(first)) = &answer.verdicts[0].verdict else {
            panic!("{answer:?}")
        };
        let name = first.event.as_ref().unwrap().name.clone();
        assert_eq!(answer.verdicts[8].verdict, Some(Verdict::RepeatOf(name.clone())));
        // 93 less a fine and a warning; and again, nothing more.
        assert_eq!(suite.rating_of("rating", FIRST).await.points, "87");
        let again = client.batch_record_events(request).await.unwrap().into_inner();
        assert_eq!((again.recorded, again.repeated_count, again.refused), (0, 3, 7));
        assert_eq!(again.verdicts[0].verdict, Some(Verdict::RepeatOf(name)));
        assert_eq!(suite.rating_of("rating", FIRST).await.points, "87");

        let empty = client
            .batch_record_events(pb::BatchRecordEventsRequest::default())
            .await;
        assert_eq!(refused(empty), (Code::InvalidArgument, "FIELD_INVALID".into()));
        let mut others = suite.events("licensing");
        let other = others
            .batch_record_events(pb::BatchRecordEventsRequest { events: mixed() })
            .await;
        assert_eq!(
            refused(other),
            (Code::PermissionDenied, "DEPARTMENT_NOT_ALLOWED".into())
        );
        suite.stop().await;
    }
}

#[tokio::test]
async fn a_refusal_says_what_is_known() {
    let suite = Suite::start(noon("2026-03-02")).await;
    published(&suite).await;
    for (made, known) in [
        (with(FIRST, |made| made.site = "009".into()), "001"),
        (
            with(FIRST, |made| made.kind = "fine_huge".into()),
            "fine_ordinary",
        ),
    ] {
        let error = suite.ratings("enforcement").record_event(made).await.unwrap_err();
        let said = greenstar_rpc::said_of(&error);
        assert!(said.en.contains(known) && said.zh.contains(known), "{said:?}");
    }
    assert_eq!(suite.rating_of("rating", FIRST).await.version, 1);
    suite.stop().await;
}

#[tokio::test]
async fn a_stream_of_events_has_a_verdict_for_each_and_is_sent_again_without_harm() {
    let suite = Suite::start(noon("2026-03-02")).await;
    published(&suite).await;
    for expected in [EXPECTED.map(str::to_owned).to_vec(), {
        let mut again = EXPECTED.map(str::to_owned).to_vec();
        again[0] = "REPEAT".into();
        again[9] = "REPEAT".into();
        again
    }] {
        let messages = mixed()
            .into_iter()
            .map(|made| pb::ImportEventsRequest { event: Some(made) });
        let answers = suite
            .events("enforcement")
            .import_events(futures::stream::iter(messages.collect::<Vec<_>>()))
            .await
            .unwrap()
            .into_inner();
        let answers: Vec<_> = answers.map(|answer| answer.unwrap()).collect().await;
        let numbers: Vec<u64> = answers.iter().map(|answer| answer.number).collect();
        assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
        let verdicts: Vec<_> = answers
            .into_iter()
            .map(|answer| answer.verdict.unwrap())
            .collect();
        assert_eq!(reasons(&verdicts), expected);
        assert_eq!(suite.rating_of("rating", FIRST).await.points, "87");
    }
    suite.stop().await;
}

#[tokio::test]
async fn a_firm_is_told_of_a_loss_with_item_points_and_the_way_back_and_of_the_return() {
    for suite in Suite::both(noon("2026-03-02")).await {
        published(&suite).await;
        assert!(notices(&suite, FIRM).await.is_empty(), "a round tells by itself");
        let (event, rating) = record(&suite, "enforcement", FIRST, "fine_ordinary", "12", "2026-03-01")
            .await
            .unwrap();

        // As soon as a department can see the new version, the firm has its notice.
        let told = notices(&suite, FIRM).await;
        assert_eq!(told.len(), 1);
        let notice = &told[0];
        assert_eq!(notice.version, rating.version);
        assert_eq!((notice.star_before, notice.star_after), (Some(5), Some(4)));
        assert_eq!(
            (notice.points_before.as_str(), notice.points_after.as_str()),
            ("93", "88")
        );
        let change = &notice.changes[0];
        assert_eq!(
            (
                change.item.as_str(),
                change.points_before.as_str(),
                change.points_after.as_str()
            ),
            ("A08", "0", "-5")
        );
        assert_eq!(
            (change.added.len(), change.added[0].event.as_str()),
            (1, event.name.as_str())
        );
        assert_eq!(notice.documents[0].number, "12");
        assert!(notice.cause.contains("recorded") && notice.acknowledge_time.is_none());
        let ways: Vec<(&str, &str)> = notice
            .ways_back
            .iter()
            .map(|way| (way.code.as_str(), way.earliest_date.as_str()))
            .collect();
        assert_eq!(
            ways,
            [
                ("REPAIR", "2026-06-02"),
                ("WAIT", "2027-03-02"),
                ("APPEAL", ""),
                ("OBJECT", "")
            ]
        );

        // The department sees that it is unread; others see nothing; only the firm reads it.
        assert!(notices(&suite, "rating").await[0].acknowledge_time.is_none());
        let request = pb::ListNoticesRequest {
            parent: FIRM.into(),
            ..Default::default()
        };
        let other = suite.notices("licensing").list_notices(request.clone()).await;
        assert_eq!(refused(other).0, Code::PermissionDenied);
        let neighbour = suite
            .notices(&format!("enterprises/{SECOND}"))
            .list_notices(request)
            .await;
        assert_eq!(
            refused(neighbour),
            (Code::PermissionDenied, "NOT_YOUR_ENTERPRISE".into())
        );
        let read = pb::AcknowledgeNoticeRequest {
            name: notice.name.clone(),
        };
        let officer = suite.notices("rating").acknowledge_notice(read.clone()).await;
        assert_eq!(refused(officer).0, Code::PermissionDenied);
        for _ in 0..2 {
            let answer = suite
                .notices(FIRM)
                .acknowledge_notice(read.clone())
                .await
                .unwrap();
            assert!(answer.into_inner().notice.unwrap().acknowledge_time.is_some());
        }
        let unknown = pb::AcknowledgeNoticeRequest {
            name: format!("{FIRM}/notices/v99"),
        };
        let unknown = suite.notices(FIRM).acknowledge_notice(unknown).await;
        assert_eq!(refused(unknown), (Code::NotFound, "NOTICE_UNKNOWN".into()));

        suite.clock.set(noon("2026-06-02"));
        repair(&suite, "enforcement/2", &event.name).await.unwrap();
        let told = notices(&suite, FIRM).await;
        assert_eq!(told.len(), 2);
        assert_eq!((told[0].star_before, told[0].star_after), (Some(4), Some(5)));
        assert_eq!(told[0].changes[0].removed[0].event, event.name);
        assert!(told[0].ways_back.is_empty() && told[1].acknowledge_time.is_some());
        let unread = pb::ListNoticesRequest {
            parent: FIRM.into(),
            unacknowledged_only: true,
            page_size: 1,
            ..Default::default()
        };
        let unread = suite
            .notices(FIRM)
            .list_notices(unread)
            .await
            .unwrap()
            .into_inner();
        assert_eq!((unread.notices.len(), unread.next_page_token.as_str()), (1, ""));
        suite.stop().await;
    }
}

#[tokio::test]
async fn a_firm_without_a_rating_is_told_what_was_recorded() {
    let suite = Suite::start(noon("2026-03-02")).await;
    create(
        &suite,
        firm(FIRST, "北京纸飞机印刷有限公司", "Paper Plane Printing"),
    )
    .await;
    let (event, _) = record(
        &suite,
        "enforcement",
        FIRST,
        "correction_order",
        "7",
        "2026-03-01",
    )
    .await
    .unwrap();
    confirm(&suite, "enforcement/2", &event.name).await.unwrap();
    let told = notices(&suite, FIRM).await;
    assert_eq!(told.len(), 2);
    assert!(
        told.iter()
            .all(|notice| notice.state_after() == RatingState::NotRated)
    );
    let recorded = told
        .iter()
        .find(|notice| notice.cause.ends_with("recorded"))
        .unwrap();
    assert_eq!(recorded.ways_back[0].code, "RECTIFY");
    suite.stop().await;
}

#[tokio::test]
async fn a_suspended_rating_says_so_until_another_officer_resumes_it_and_hides_no_veto() {
    for suite in Suite::both(noon("2026-03-02")).await {
        published(&suite).await;
        let name = format!("{FIRM}/rating");
        let suspend = pb::SuspendRatingRequest {
            name: name.clone(),
            reason: "市局立案 2026-5".into(),
            ..Default::default()
        };
        let resume = pb::ResumeRatingRequest {
            name,
            reason: "撤案".into(),
            ..Default::default()
        };
        let early = suite.ratings("rating").resume_rating(resume.clone()).await;
        assert_eq!(
            refused(early),
            (Code::FailedPrecondition, "SUSPENSION_STATE".into())
        );
        let answer = suite
            .ratings("rating")
            .suspend_rating(suspend.clone())
            .await
            .unwrap();
        let rating = answer.into_inner().rating.unwrap();
        assert_eq!((rating.state(), rating.star), (RatingState::Suspended, None));
        let twice = suite.ratings("rating/2").suspend_rating(suspend).await;
        assert_eq!(
            refused(twice),
            (Code::FailedPrecondition, "SUSPENSION_STATE".into())
        );
        assert_eq!(
            notices(&suite, FIRM).await[0].state_after(),
            RatingState::Suspended
        );
        // What happens meanwhile is scored, and a veto is told.
        let (fine, rating) = record(&suite, "enforcement", FIRST, "fine_ordinary", "1", "2026-03-01")
            .await
            .unwrap();
        assert_eq!(
            (rating.state(), fine.item.as_str()),
            (RatingState::Suspended, "A08")
        );
        let (_, rating) = record(&suite, "enforcement", FIRST, "V08", "2", "2026-03-01")
            .await
            .unwrap();
        assert_eq!(rating.state(), RatingState::Vetoed);
        let same = suite.ratings("rating").resume_rating(resume.clone()).await;
        assert_eq!(refused(same), (Code::PermissionDenied, "SAME_OFFICER".into()));
        let answer = suite.ratings("rating/2").resume_rating(resume).await.unwrap();
        assert_eq!(answer.into_inner().rating.unwrap().state(), RatingState::Vetoed);
        suite.stop().await;
    }
}
