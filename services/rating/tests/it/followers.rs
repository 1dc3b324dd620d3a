//! Who follows ratings and what of them; who has applied what.

use std::time::Duration;

use greenstar_kernel::{Log, Position, Token};
use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::watch_ratings_request::Step;
use greenstar_proto::rating::v1::watch_ratings_response::Event;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::enterprises::{FIRST, SECOND, THIRD, create, firm};
use crate::facts::noon;
use crate::service::{Suite, refused};

const NAME: &str = "supervision-policy/1";

async fn open(
    suite: &Suite,
    filter: common::WatchFilter,
) -> (
    mpsc::Sender<pb::WatchRatingsRequest>,
    Streaming<pb::WatchRatingsResponse>,
) {
    let (steps, queue) = mpsc::channel(8);
    let open = common::WatchOpen {
        subscriber: NAME.to_owned(),
        filter: Some(filter),
        ..common::WatchOpen::default()
    };
    let step = Some(Step::Open(open));
    steps.send(pb::WatchRatingsRequest { step }).await.unwrap();
    let mut client = suite.ratings("supervision-policy");
    let events = client.watch_ratings(ReceiverStream::new(queue)).await.unwrap();
    (steps, events.into_inner())
}

async fn next(events: &mut Streaming<pb::WatchRatingsResponse>) -> Result<Event, Status> {
    Ok(events.message().await?.unwrap().event.unwrap())
}

async fn wait(suite: &Suite, token: &str, millis: u64) -> Result<Vec<common::Convergence>, Status> {
    let question = common::ConvergenceQuestion {
        token: token.to_owned(),
        timeout: Some(Duration::from_millis(millis).into()),
        ..common::ConvergenceQuestion::default()
    };
    let request = pb::WaitConvergedRequest {
        question: Some(question),
    };
    let mut answers = suite
        .ratings("rating")
        .wait_converged(request)
        .await?
        .into_inner();
    let mut all = Vec::new();
    while let Some(answer) = answers.message().await? {
        all.push(answer.convergence.unwrap());
    }
    Ok(all)
}

fn names(facts: &[pb::RatingFact]) -> Vec<&str> {
    facts.iter().map(|fact| fact.enterprise.as_str()).collect()
}

fn in_district(uscc: &str, district: &str) -> pb::Enterprise {
    pb::Enterprise {
        district: district.to_owned(),
        ..firm(uscc, "甲", "A")
    }
}

#[tokio::test]
async fn a_district_is_told_of_its_own_enterprises_and_of_those_that_leave() {
    for suite in Suite::both(noon("2026-03-02")).await {
        let mine = create(&suite, in_district(FIRST, "110115")).await;
        create(&suite, in_district(SECOND, "110114")).await;
        let filter = common::WatchFilter {
            districts: vec!["110115".to_owned()],
            ..common::WatchFilter::default()
        };
        let (_steps, mut events) = open(&suite, filter).await;
        assert!(matches!(next(&mut events).await, Ok(Event::SnapshotBegin(_))));
        let Ok(Event::Rows(rows)) = next(&mut events).await else {
            panic!("no rows")
        };
        assert_eq!(names(&rows.rows), [mine.name.as_str()]);
        assert!(matches!(next(&mut events).await, Ok(Event::SnapshotEnd(end)) if end.rows == 1));

        // Another district's: the cursor moves, and nobody is named.
        create(&suite, in_district(THIRD, "110114")).await;
        // It leaves, and comes back.
        let mut etag = mine.etag.clone();
        for district in ["110114", "110115"] {
            let request = pb::UpdateEnterpriseRequest {
                enterprise: Some(pb::Enterprise {
                    name: mine.name.clone(),
                    district: district.to_owned(),
                    etag,
                    ..pb::Enterprise::default()
                }),
                update_mask: "district".into(),
                request_id: String::new(),
            };
            let mut register = suite.enterprises("rating");
            let updated = register.update_enterprise(request).await.unwrap().into_inner();
            etag = updated.enterprise.unwrap().etag;
        }
        let mut told = Vec::new();
        while told.len() < 3 {
            if let Event::Frame(frame) = next(&mut events).await.unwrap()
                && frame.to > frame.after
            {
                told.push((frame.changes.len(), frame.left));
            }
        }
        let left = vec![mine.name.clone()];
        assert_eq!(told, [(0, vec![]), (0, left), (1, vec![])]);
        suite.stop().await;
    }
}

#[tokio::test]
async fn ratings_know_no_kinds() {
    let suite = Suite::start(noon("2026-03-02")).await;
    let filter = common::WatchFilter {
        kinds: vec!["serious-penalty".to_owned()],
        ..common::WatchFilter::default()
    };
    let (_steps, mut events) = open(&suite, filter).await;
    let refusal = refused(next(&mut events).await);
    assert_eq!(
        refusal,
        (Code::InvalidArgument, "WATCH_FILTER_INVALID".to_owned())
    );
    suite.stop().await;
}

#[tokio::test]
async fn a_rating_has_converged_when_its_followers_have_it() {
    for suite in Suite::both(noon("2026-03-02")).await {
        let (steps, mut events) = open(&suite, common::WatchFilter::default()).await;
        while !matches!(next(&mut events).await.unwrap(), Event::SnapshotEnd(_)) {}
        create(&suite, firm(FIRST, "甲", "A")).await;
        let request = pb::GetRatingRequest {
            name: format!("enterprises/{FIRST}/rating"),
            ..Default::default()
        };
        let token = suite
            .ratings("rating")
            .get_rating(request)
            .await
            .unwrap()
            .into_inner()
            .token;
        let waited = wait(&suite, &token, 300).await.unwrap();
        let last = waited.last().unwrap();
        assert!(!last.converged);
        assert_eq!(last.outstanding[0].subscriber, NAME);
        assert_eq!(last.outstanding[0].state(), common::SubscriberState::Laggard);

        let head = last.position.as_ref().unwrap().revision;
        loop {
            if let Event::Frame(frame) = next(&mut events).await.unwrap()
                && frame.to >= head
            {
                break;
            }
        }
        let acknowledgement = common::Acknowledgement {
            revision: head,
            rejection: None,
        };
        let step = Some(Step::Acknowledgement(acknowledgement));
        steps.send(pb::WatchRatingsRequest { step }).await.unwrap();
        let waited = wait(&suite, &token, 20_000).await.unwrap();
        assert!(waited.last().unwrap().converged);
        let listed = suite
            .ratings("rating")
            .list_subscribers(pb::ListSubscribersRequest {})
            .await;
        let listed = listed.unwrap().into_inner();
        assert_eq!((listed.subscribers.len(), listed.subscribers[0].lag), (1, 0));
        suite.stop().await;
    }
}

#[tokio::test]
async fn what_sanctions_caused_has_not_come_while_nobody_follows_sanctions() {
    let suite = Suite::start(noon("2026-03-02")).await;
    let elsewhere = Position {
        epoch: greenstar_kernel::Epoch::parse("sanctions").unwrap(),
        revision: greenstar_kernel::Revision(7),
    };
    let token = Token::of(Log::Sanctions, elsewhere).to_string();
    let waited = wait(&suite, &token, 300).await.unwrap();
    let last = waited.last().unwrap();
    assert!(!last.converged);
    assert_eq!(last.outstanding[0].subscriber, "rating");
    assert!(!last.outstanding[0].rejection.as_ref().unwrap().reason.is_empty());
    assert_eq!(refused(wait(&suite, "x", 300).await).1, "TOKEN_MALFORMED");
    suite.stop().await;
}

#[tokio::test]
async fn a_plain_stream_says_where_to_go_on() {
    let suite = Suite::start(noon("2026-03-02")).await;
    create(&suite, firm(FIRST, "甲", "A")).await;
    let request = pb::StreamRatingsRequest {
        subscriber: NAME.to_owned(),
        ..pb::StreamRatingsRequest::default()
    };
    let mut client = suite.ratings("supervision-policy");
    let mut answers = client.stream_ratings(request.clone()).await.unwrap().into_inner();
    let mut cursors = Vec::new();
    for _ in 0..3 {
        cursors.push(answers.message().await.unwrap().unwrap().cursor);
    }
    assert_eq!((cursors[0].as_str(), cursors[1].as_str()), ("", ""));
    let cursor = cursors.pop().unwrap();
    create(&suite, firm(SECOND, "乙", "B")).await;
    let mut client = suite.ratings("supervision-policy");
    let request = pb::StreamRatingsRequest { cursor, ..request };
    let mut answers = client.stream_ratings(request).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(Event::Frame(frame)) = answer.message.unwrap().event else {
        panic!("no frame")
    };
    assert_eq!(frame.changes.len(), 1);
    assert!(
        answer.cursor.ends_with(&format!(".{}", frame.to)),
        "{}",
        answer.cursor
    );
    suite.stop().await;
}

#[tokio::test]
async fn a_departments_own_system_acknowledges_for_nobody_else() {
    let suite = Suite::start(noon("2026-03-02")).await;
    let (_steps, mut events) = open(&suite, common::WatchFilter::default()).await;
    while !matches!(next(&mut events).await.unwrap(), Event::SnapshotEnd(_)) {}
    let request = pb::AcknowledgeRatingsRequest {
        subscriber: NAME.to_owned(),
        acknowledgement: Some(common::Acknowledgement {
            revision: 1,
            rejection: None,
        }),
    };
    let answer = suite
        .ratings("rating/subscriber")
        .acknowledge_ratings(request)
        .await;
    assert_eq!(
        refused(answer),
        (Code::PermissionDenied, "DEPARTMENT_NOT_ALLOWED".to_owned())
    );
    suite.stop().await;
}

#[tokio::test]
async fn whom_a_department_follows_is_its_own_business() {
    let suite = Suite::start(noon("2026-03-02")).await;
    create(&suite, firm(FIRST, "甲", "A")).await;
    let filter = common::WatchFilter {
        enterprises: vec![format!("enterprises/{FIRST}")],
        ..common::WatchFilter::default()
    };
    let (_steps, mut events) = open(&suite, filter.clone()).await;
    while !matches!(next(&mut events).await.unwrap(), Event::SnapshotEnd(_)) {}
    for (who, shown) in [
        ("supervision-policy", Some(filter.clone())),
        ("operator", Some(filter.clone())),
        ("licensing", None),
        ("rating/subscriber", None),
    ] {
        let mut client = suite.ratings(who);
        let listed = client.list_subscribers(pb::ListSubscribersRequest {}).await;
        let subscribers = listed.unwrap().into_inner().subscribers;
        assert_eq!(subscribers[0].subscriber, NAME);
        assert_eq!(subscribers[0].filter, shown, "{who}");
    }
    suite.stop().await;
}
