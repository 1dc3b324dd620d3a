//! WatchRatings: the snapshot, and every change after it, in order and without gaps.

use std::collections::BTreeMap;

use greenstar_kernel::Timestamp;
use greenstar_proto::common::v1 as common;
use greenstar_proto::common::v1::RatingState;
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::watch_ratings_request::Step;
use greenstar_proto::rating::v1::watch_ratings_response::Event;
use tokio::sync::mpsc;
use tonic::{Code, Streaming};

use crate::enterprises::{FIRST, SECOND, create, firm};
use crate::events::record;
use crate::facts::{date, noon};
use crate::rounds::published;
use crate::service::{Suite, refused};

struct Watcher {
    steps: mpsc::Sender<pb::WatchRatingsRequest>,
    events: Streaming<pb::WatchRatingsResponse>,
    cursor: common::Position,
    rows: BTreeMap<String, pb::RatingFact>,
}

impl Watcher {
    async fn open(suite: &Suite, cursor: Option<common::Position>) -> Watcher {
        Watcher::of(suite, "supervision-policy", "supervision-policy/test", cursor).await
    }

    async fn of(suite: &Suite, who: &str, subscriber: &str, cursor: Option<common::Position>) -> Watcher {
        let (steps, receiver) = mpsc::channel(8);
        let open = common::WatchOpen {
            subscriber: subscriber.to_owned(),
            cursor: cursor.clone(),
            ..Default::default()
        };
        steps
            .send(pb::WatchRatingsRequest {
                step: Some(Step::Open(open)),
            })
            .await
            .unwrap();
        let requests = tokio_stream::wrappers::ReceiverStream::new(receiver);
        let events = suite
            .ratings(who)
            .watch_ratings(requests)
            .await
            .unwrap()
            .into_inner();
        Watcher {
            steps,
            events,
            cursor: cursor.unwrap_or_default(),
            rows: BTreeMap::new(),
        }
    }

    async fn next(&mut self) -> Event {
        self.events.message().await.unwrap().unwrap().event.unwrap()
    }

    async fn snapshot(&mut self) {
        let Event::SnapshotBegin(begin) = self.next().await else {
            panic!("no snapshot")
        };
        self.cursor = begin.position.unwrap();
        loop {
            match self.next().await {
                Event::Rows(rows) => {
                    self.rows
                        .extend(rows.rows.into_iter().map(|row| (row.enterprise.clone(), row)));
                }
                Event::SnapshotEnd(end) => {
                    assert_eq!(end.rows as usize, self.rows.len());
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Follows until a row satisfies.
    async fn until(&mut self, uscc: &str, holds: impl Fn(&pb::RatingFact) -> bool) -> pb::RatingFact {
        let name = format!("enterprises/{uscc}");
        loop {
            if let Some(row) = self.rows.get(&name).filter(|row| holds(row)) {
                return row.clone();
            }
            if let Event::Frame(frame) = self.next().await {
                assert_eq!(frame.after, self.cursor.revision, "a gap");
                self.cursor.revision = frame.to;
                for change in frame.changes {
                    let fact = change.fact.unwrap();
                    self.rows.insert(fact.enterprise.clone(), fact);
                }
            }
        }
    }
}

/// What a row may say of a firm that has no star to those who may not know why.
fn silent(row: &pb::RatingFact) -> bool {
    row.points.is_empty()
        && row.categories.is_empty()
        && row.next_transition.is_none()
        && row.recent_events.is_empty()
        && !row.open_rectification
        && !row.objection_open
}

#[tokio::test]
async fn p11_a_departments_copy_does_not_say_who_was_not_listed_and_why() {
    let suite = Suite::sample(date("2026-03-02")).await;
    let mut policy = Watcher::open(&suite, None).await;
    let mut licensing = Watcher::of(&suite, "licensing/subscriber", "licensing/registry", None).await;
    let mut enforcement = Watcher::of(&suite, "enforcement/subscriber", "enforcement/registry", None).await;
    for watcher in [&mut policy, &mut licensing, &mut enforcement] {
        watcher.snapshot().await;
    }
    assert_eq!(policy.rows.len(), licensing.rows.len());
    let mut unlisted = Vec::new();
    for (name, whole) in &policy.rows {
        let (told, recorders) = (&licensing.rows[name], &enforcement.rows[name]);
        if whole.state() == RatingState::NotListed {
            assert!(!whole.points.is_empty());
            for row in [told, recorders] {
                assert_eq!((row.state(), row.star), (RatingState::NotRated, None));
                let rated = (
                    row.round.as_str(),
                    row.scheme.as_str(),
                    row.version,
                    row.points.as_str(),
                );
                assert_eq!(rated, ("", "", 0, ""));
                assert_eq!((row.rate_time, row.valid_until_time), (None, None));
            }
            assert!(silent(told));
            unlisted.push(name.strip_prefix("enterprises/").unwrap().to_owned());
        } else {
            assert_eq!((told.star, &told.points), (whole.star, &whole.points));
            assert!(told.recent_events.is_empty() && !told.open_rectification);
            let cause = |row: &pb::RatingFact| row.next_transition.clone().unwrap().cause.unwrap().en;
            assert!(["a term ends", "the rating's validity ends"].contains(&cause(told).as_str()));
        }
        assert_eq!(recorders.recent_events, whole.recent_events);
    }
    assert_eq!(unlisted.len(), 3);

    // A frame tells as little, and moves all cursors alike.
    let firm = &unlisted[0];
    record(&suite, "enforcement", firm, "fine_ordinary", "77", "2026-03-01")
        .await
        .unwrap();
    let whole = policy.until(firm, |row| row.version > 1).await;
    assert_eq!(whole.state(), RatingState::NotListed);
    while licensing.cursor.revision < policy.cursor.revision {
        let Event::Frame(frame) = licensing.next().await else {
            continue;
        };
        assert_eq!(frame.after, licensing.cursor.revision, "a gap");
        licensing.cursor.revision = frame.to;
        for change in frame.changes {
            let row = change.fact.unwrap();
            assert_eq!((row.state(), change.cause.as_str()), (RatingState::NotRated, ""));
            assert!(silent(&row) && row.version == 0);
        }
    }
    suite.stop().await;
}

#[tokio::test]
async fn p11_a_plain_stream_tells_a_department_as_little() {
    let suite = Suite::sample(date("2026-03-02")).await;
    let mut client = suite.ratings("licensing/subscriber");
    let mut answers = client
        .stream_ratings(pb::StreamRatingsRequest::default())
        .await
        .unwrap()
        .into_inner();
    let mut rows = 0;
    loop {
        let answer = answers.message().await.unwrap().unwrap();
        match answer.message.unwrap().event.unwrap() {
            Event::Rows(page) => {
                rows += page.rows.len();
                for row in page.rows {
                    assert_ne!(row.state(), RatingState::NotListed);
                    assert!(row.star.is_some() || silent(&row));
                }
            }
            Event::SnapshotEnd(_) => break,
            Event::SnapshotBegin(_) | Event::Frame(_) | Event::Pong(_) => {}
        }
    }
    assert_eq!(rows, 76);
    suite.stop().await;
}

#[tokio::test]
async fn p10_no_event_hides_behind_newer_ones() {
    for suite in Suite::both(noon("2026-03-02")).await {
        create(&suite, firm(FIRST, "甲", "A")).await;
        let serious = "exceedance_over_twofold";
        record(&suite, "enforcement", FIRST, serious, "0", "2026-01-02")
            .await
            .unwrap();
        for day in 1..=9 {
            let (number, date) = (day.to_string(), format!("2026-02-0{day}"));
            record(&suite, "enforcement", FIRST, "fine_ordinary", &number, &date)
                .await
                .unwrap();
        }
        let mut watcher = Watcher::open(&suite, None).await;
        watcher.snapshot().await;
        let row = &watcher.rows[&format!("enterprises/{FIRST}")];
        assert_eq!(row.recent_events.len(), 10);
        assert_eq!(row.recent_events[9].kind, serious);
        suite.stop().await;
    }
}

#[tokio::test]
async fn a_watcher_gets_a_snapshot_and_then_every_change() {
    for suite in Suite::both(noon("2026-03-02")).await {
        published(&suite).await;
        let mut watcher = Watcher::open(&suite, None).await;
        watcher.snapshot().await;
        let row = watcher.until(FIRST, |row| row.star == Some(5)).await;
        assert_eq!(
            (row.points.as_str(), row.round.as_str()),
            ("93", crate::rounds::ROUND)
        );
        assert!(row.recent_events.is_empty());

        record(&suite, "enforcement", FIRST, "fine_ordinary", "1", "2026-03-01")
            .await
            .unwrap();
        let row = watcher.until(FIRST, |row| row.star == Some(4)).await;
        assert_eq!(row.recent_events[0].kind, "fine_ordinary");
        assert_eq!(row.next_transition.unwrap().points, "93");

        // Who is registered has a row, rated or not; a lost stream goes on from its cursor.
        let cursor = watcher.cursor.clone();
        drop(watcher);
        create(&suite, firm(SECOND, "乙", "B")).await;
        let mut watcher = Watcher::open(&suite, Some(cursor)).await;
        let row = watcher.until(SECOND, |_| true).await;
        assert_eq!((row.state(), row.points.as_str()), (RatingState::NotRated, ""));

        let ping = pb::WatchRatingsRequest {
            step: Some(Step::Ping(common::Ping { nonce: 7 })),
        };
        watcher.steps.send(ping).await.unwrap();
        loop {
            if let Event::Pong(pong) = watcher.next().await {
                assert_eq!(pong.nonce, 7);
                assert!(pong.head.unwrap().revision >= watcher.cursor.revision && pong.wall.is_some());
                break;
            }
        }
        suite.stop().await;
    }
}

#[tokio::test]
async fn what_time_changes_is_written_at_its_instant() {
    let suite = Suite::start(noon("2026-03-02")).await;
    published(&suite).await;
    record(&suite, "enforcement", FIRST, "fine_ordinary", "1", "2026-03-01")
        .await
        .unwrap();
    let mut watcher = Watcher::open(&suite, None).await;
    watcher.snapshot().await;
    let row = watcher.until(FIRST, |row| row.star == Some(4)).await;
    let next = row.next_transition.unwrap();
    let due = next.time.unwrap();
    suite.clock.set(Timestamp::from_micros(due.seconds * 1_000_000));
    let row = watcher.until(FIRST, |row| row.version == 3).await;
    assert_eq!(
        (row.rate_time, row.points, row.star),
        (Some(due), next.points, next.star)
    );

    // A long sleep: everything that fell due is written, each at its own instant.
    suite.clock.set(noon("2030-01-01"));
    let row = watcher
        .until(FIRST, |row| row.state() == RatingState::Expired)
        .await;
    assert_eq!(row.rate_time, row.valid_until_time);
    assert_eq!(
        suite.rating_of("licensing", FIRST).await.state(),
        RatingState::Expired
    );
    suite.stop().await;
}

#[tokio::test]
async fn a_watch_with_a_foreign_cursor_is_refused() {
    let suite = Suite::start(noon("2026-03-02")).await;
    for (epoch, reason, code) in [
        ("another", "TOKEN_FOREIGN", Code::FailedPrecondition),
        ("no epoch!", "TOKEN_FOREIGN", Code::FailedPrecondition),
    ] {
        let cursor = common::Position {
            epoch: epoch.into(),
            revision: 1,
        };
        let mut watcher = Watcher::open(&suite, Some(cursor)).await;
        assert_eq!(refused(watcher.events.message().await), (code, reason.into()));
    }
    let mut client = suite.ratings("licensing");
    let answer = client.watch_ratings(tokio_stream::empty()).await;
    assert_eq!(
        refused(answer.map(|_| ())),
        (Code::PermissionDenied, "ROLE_NOT_ALLOWED".into())
    );
    suite.stop().await;
}

#[tokio::test]
async fn a_sync_reads_the_committed_head() {
    let suite = Suite::start(noon("2026-03-02")).await;
    let request = pb::CreateEnterpriseRequest {
        enterprise: Some(firm(FIRST, "甲", "A")),
        request_id: String::new(),
    };
    let made = suite
        .enterprises("rating")
        .create_enterprise(request)
        .await
        .unwrap()
        .into_inner();
    let token: greenstar_kernel::Token = made.token.parse().unwrap();
    let position = token.get(greenstar_kernel::Log::Rating).unwrap().clone();
    let mut client = suite.ratings("supervision-policy");
    let head = client
        .sync_ratings(pb::SyncRatingsRequest { position: None })
        .await
        .unwrap()
        .into_inner()
        .head;
    assert_eq!(head.unwrap().revision, position.revision.0);
    let ahead = common::Position {
        epoch: position.epoch.to_string(),
        revision: position.revision.0 + 1,
    };
    let answer = client
        .sync_ratings(pb::SyncRatingsRequest {
            position: Some(ahead),
        })
        .await;
    assert_eq!(refused(answer), (Code::InvalidArgument, "TOKEN_AHEAD".into()));
    suite.stop().await;
}
