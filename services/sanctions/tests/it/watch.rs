//! A follower's view: snapshot, frames, pings, and where it may go on.

use std::time::Duration;

use greenstar_kernel::{Position, Revision};
use greenstar_proto::common::v1 as common;
use greenstar_proto::common::v1::{Acknowledgement, Ping, WatchOpen};
use greenstar_proto::sanctions::v1::flag_row::Row;
use greenstar_proto::sanctions::v1::watch_flags_request::Step;
use greenstar_proto::sanctions::v1::watch_flags_response::Event;
use greenstar_proto::sanctions::v1::{
    FileAppealRequest, FlagChange, FlagState, RaiseFlagRequest, SyncFlagsRequest, WatchFlagsRequest,
    WatchFlagsResponse,
};
use greenstar_testkit::Scratch;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::server::{FIRM, OTHER_FIRM, Server, engines, midnight, penalty, position, refused};

struct Watch {
    steps: mpsc::Sender<WatchFlagsRequest>,
    events: Streaming<WatchFlagsResponse>,
}

impl Watch {
    /// A stream whose first message is `step`.
    async fn start(server: &Server, caller: &str, step: Option<Step>) -> Result<Watch, Status> {
        let (steps, queue) = mpsc::channel(8);
        steps.send(WatchFlagsRequest { step }).await.unwrap();
        let answer = server
            .flags(caller)
            .watch_flags(ReceiverStream::new(queue))
            .await?;
        Ok(Watch {
            steps,
            events: answer.into_inner(),
        })
    }

    async fn open(server: &Server, cursor: Option<&Position>) -> Watch {
        Watch::start(server, "supervision-policy", Some(opening(cursor)))
            .await
            .unwrap()
    }

    async fn send(&self, step: Step) {
        self.steps
            .send(WatchFlagsRequest { step: Some(step) })
            .await
            .unwrap();
    }

    async fn next(&mut self) -> Result<Event, Status> {
        let message = tokio::time::timeout(Duration::from_secs(20), self.events.message()).await;
        Ok(message
            .expect("a message in time")?
            .expect("an open stream")
            .event
            .unwrap())
    }

    /// The position at which it begins, and its rows.
    async fn snapshot(&mut self) -> (Option<common::Position>, Vec<Row>) {
        let Event::SnapshotBegin(begin) = self.next().await.unwrap() else {
            panic!("no snapshot")
        };
        let mut rows = Vec::new();
        loop {
            match self.next().await.unwrap() {
                Event::Rows(page) => rows.extend(page.rows.into_iter().map(|row| row.row.unwrap())),
                Event::SnapshotEnd(end) => {
                    assert_eq!(end.rows, rows.len() as u64);
                    return (begin.position, rows);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// What changed from `cursor` to `to`; each frame must begin where the one before it ended.
    async fn changes(&mut self, cursor: &mut Revision, to: Revision) -> Vec<FlagChange> {
        let mut changes = Vec::new();
        while *cursor < to {
            match self.next().await.unwrap() {
                Event::Frame(frame) => {
                    assert_eq!(frame.after, cursor.0, "no gap, no repetition");
                    assert!(frame.to >= frame.after);
                    *cursor = Revision(frame.to);
                    changes.extend(frame.changes);
                }
                Event::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
        changes
    }
}

fn opening(cursor: Option<&Position>) -> Step {
    let cursor = cursor.map(wire);
    Step::Open(WatchOpen {
        subscriber: "supervision-policy/1".to_owned(),
        cursor,
        ..Default::default()
    })
}

fn wire(position: &Position) -> common::Position {
    common::Position {
        epoch: position.epoch.to_string(),
        revision: position.revision.0,
    }
}

fn states(changes: &[FlagChange]) -> Vec<(u64, FlagState)> {
    let state = |change: &FlagChange| match change.row.clone().unwrap().row.unwrap() {
        Row::Flag(flag) => {
            assert_eq!(
                (
                    flag.proposer.as_str(),
                    flag.confirmer.as_str(),
                    flag.lifter.as_str()
                ),
                ("", "", "")
            );
            (change.revision, flag.state())
        }
        Row::Catalogue(_) => panic!("no edition changed"),
    };
    changes.iter().map(state).collect()
}

#[tokio::test]
async fn a_follower_gets_what_binds_then_every_change_and_never_a_proposal() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let standing = server.flagged(penalty("standing")).await;
        let (withdrawn, token) = server.raise("enforcement", penalty("withdrawn")).await.unwrap();
        let start = position(&token);

        let mut watch = Watch::open(&server, None).await;
        let (begin, rows) = watch.snapshot().await;
        assert_eq!(begin, Some(wire(&start)));
        assert_eq!(rows.len(), 2);
        assert!(matches!(&rows[0], Row::Catalogue(catalogue) if catalogue.name == "catalogues/2026-1"));
        assert!(
            matches!(&rows[1], Row::Flag(flag) if flag.name == standing.name && flag.proposer.is_empty())
        );

        let mut cursor = start.revision;
        let (flag, token) = server.raise("enforcement", penalty("new")).await.unwrap();
        let raised = position(&token).revision;
        assert_eq!(states(&watch.changes(&mut cursor, raised).await), []);
        let (_, token) = server.confirm("enforcement/2", &flag.name).await.unwrap();
        let confirmed = position(&token).revision;
        assert_eq!(
            states(&watch.changes(&mut cursor, confirmed).await),
            [(confirmed.0, FlagState::InForce)]
        );
        let (_, token) = server.lift("enforcement", &withdrawn.name).await.unwrap();
        assert_eq!(
            states(&watch.changes(&mut cursor, position(&token).revision).await),
            []
        );
        let (_, token) = server.lift("enforcement", &flag.name).await.unwrap();
        let lifted = position(&token);
        assert_eq!(
            states(&watch.changes(&mut cursor, lifted.revision).await),
            [(lifted.revision.0, FlagState::Lifted)]
        );

        watch
            .send(Step::Acknowledgement(Acknowledgement {
                revision: cursor.0,
                ..Default::default()
            }))
            .await;
        watch.send(Step::Ping(Ping { nonce: 7 })).await;
        let pong = loop {
            match watch.next().await.unwrap() {
                Event::Pong(pong) => break pong,
                Event::Frame(frame) => assert!(frame.changes.is_empty()),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((pong.nonce, pong.head), (7, Some(wire(&lifted))));

        // Another follower that knows everything up to the proposal goes on from there.
        let resumed = Position {
            epoch: start.epoch.clone(),
            revision: raised,
        };
        let mut watch = Watch::open(&server, Some(&resumed)).await;
        let mut cursor = raised;
        let changes = watch.changes(&mut cursor, lifted.revision).await;
        assert_eq!(
            states(&changes),
            [
                (confirmed.0, FlagState::InForce),
                (lifted.revision.0, FlagState::Lifted)
            ]
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn followers_are_told_of_a_lapse_at_its_instant_and_of_every_other_end() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let lapsing = server
            .flagged(RaiseFlagRequest {
                kind: "ordinary-penalty".to_owned(),
                ..penalty("1")
            })
            .await;
        let revoked = server.flagged(penalty("2")).await;
        let start = server.head().await;
        let mut watch = Watch::open(&server, Some(&start)).await;
        let mut cursor = start.revision;

        let token = server.revoke("enforcement", &revoked.name).await.unwrap().1;
        let to = position(&token).revision;
        assert_eq!(
            states(&watch.changes(&mut cursor, to).await),
            [(to.0, FlagState::Revoked)]
        );

        server.clock.set(midnight("2027-04-02"));
        let lapsed = to.next();
        let changes = watch.changes(&mut cursor, lapsed).await;
        assert_eq!(states(&changes), [(lapsed.0, FlagState::Lapsed)]);
        let Some(Row::Flag(flag)) = changes[0].row.clone().unwrap().row else {
            panic!("{changes:?}")
        };
        assert_eq!((flag.name, flag.end_time), (lapsing.name, lapsing.end_time));
        // Nothing more is written, and what has ended is in no snapshot.
        let (_, rows) = Watch::open(&server, None).await.snapshot().await;
        assert_eq!(rows.len(), 1, "the catalogue only");
        assert_eq!(server.head().await.revision, lapsed);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_follower_learns_of_no_appeal_and_of_no_proposal_behind_a_correction() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let wrong = server.flagged(penalty("1")).await;
    let appealed = server
        .flagged(RaiseFlagRequest {
            kind: "online-exceedance".to_owned(),
            ..penalty("2")
        })
        .await;
    let start = server.head().await;
    let mut watch = Watch::open(&server, Some(&start)).await;
    let answer = server
        .correct("enforcement", &wrong.name, OTHER_FIRM)
        .await
        .unwrap();
    let proposal = answer.flag.unwrap();
    let filing = FileAppealRequest {
        parent: format!("enterprises/{FIRM}"),
        flag: appealed.name.clone(),
        grounds: "the meter was broken".to_owned(),
        ..Default::default()
    };
    let filed = server.appeals(&filing.parent).file_appeal(filing.clone()).await;
    let filed = filed.unwrap().into_inner();
    let confirmed = server.confirm("enforcement/2", &proposal.name).await.unwrap().1;
    let changes = watch
        .changes(&mut start.revision.clone(), position(&confirmed).revision)
        .await;
    let flags: Vec<_> = changes
        .into_iter()
        .map(|change| match change.row.unwrap().row.unwrap() {
            Row::Flag(flag) => flag,
            Row::Catalogue(law) => panic!("{law:?}"),
        })
        .collect();
    let seen: Vec<_> = flags
        .iter()
        .map(|flag| (flag.name.as_str(), flag.state()))
        .collect();
    assert_eq!(
        seen,
        [
            (wrong.name.as_str(), FlagState::Revoked),
            (appealed.name.as_str(), FlagState::Suspended),
            (proposal.name.as_str(), FlagState::InForce),
        ]
    );
    for flag in &flags {
        assert_eq!(
            (&*flag.appeal, &*flag.superseded_by, &*flag.corrects),
            ("", "", "")
        );
    }
    assert!(!filed.appeal.unwrap().name.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn a_cursor_that_cannot_be_is_refused() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let head = server.head().await;
    let ahead = Position {
        revision: head.revision.next(),
        ..head.clone()
    };
    let foreign = Position {
        epoch: greenstar_kernel::Epoch::parse("another").unwrap(),
        ..head.clone()
    };
    for (cursor, code, reason) in [
        (&ahead, Code::InvalidArgument, "TOKEN_AHEAD"),
        (&foreign, Code::FailedPrecondition, "TOKEN_FOREIGN"),
    ] {
        let mut watch = Watch::open(&server, Some(cursor)).await;
        refused(watch.next().await, code, reason);
        let request = SyncFlagsRequest {
            position: Some(wire(cursor)),
        };
        refused(
            server.flags("supervision-policy").sync_flags(request).await,
            code,
            reason,
        );
    }
    for step in [Some(Step::Ping(Ping { nonce: 1 })), None] {
        let mut watch = Watch::start(&server, "supervision-policy", step).await.unwrap();
        refused(watch.next().await, Code::InvalidArgument, "WATCH_MALFORMED");
    }
    let mut twice = Watch::open(&server, Some(&head)).await;
    twice.send(opening(None)).await;
    let refusal = loop {
        match twice.next().await {
            Ok(Event::Frame(_)) => {}
            other => break other,
        }
    };
    refused(refusal, Code::InvalidArgument, "WATCH_MALFORMED");
    server.stop().await;
}

#[tokio::test]
async fn only_a_subscriber_follows() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let outcome = match Watch::start(&server, "enforcement", Some(opening(None))).await {
        Ok(mut watch) => watch.next().await.map(|_| ()),
        Err(status) => Err(status),
    };
    refused(outcome, Code::PermissionDenied, "ROLE_NOT_ALLOWED");
    let sync = server
        .flags("enforcement")
        .sync_flags(SyncFlagsRequest { position: None })
        .await;
    refused(sync, Code::PermissionDenied, "ROLE_NOT_ALLOWED");

    let (_, token) = server.raise("enforcement", penalty("1")).await.unwrap();
    let answer = server
        .flags("supervision-policy")
        .sync_flags(SyncFlagsRequest { position: None })
        .await;
    assert_eq!(answer.unwrap().into_inner().head, Some(wire(&position(&token))));
    server.stop().await;
}

#[tokio::test]
async fn a_replica_tells_its_followers_what_another_one_wrote() {
    let scratch = Scratch::postgres().await;
    let (left, right) = (Server::start(&scratch).await, Server::start(&scratch).await);
    let start = left.head().await;
    let mut watch = Watch::open(&left, Some(&start)).await;
    right.flagged(penalty("1")).await;
    let mut cursor = start.revision;
    let end = Revision(start.revision.0 + 2);
    let changes = watch.changes(&mut cursor, end).await;
    assert_eq!(states(&changes), [(end.0, FlagState::InForce)]);
    left.stop().await;
    right.stop().await;
}

#[tokio::test]
async fn a_new_edition_reaches_followers_as_a_change() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let start = server.head().await;
    server.stop().await;
    let server = Server::start_with(&scratch, crate::server::edition("2026-2")).await;
    let mut watch = Watch::open(&server, Some(&start)).await;
    let mut cursor = start.revision;
    let changes = watch.changes(&mut cursor, start.revision.next()).await;
    let [change] = changes.as_slice() else {
        panic!("{changes:?}")
    };
    let row = change.row.clone().unwrap().row.unwrap();
    assert!(matches!(row, Row::Catalogue(catalogue) if catalogue.name == "catalogues/2026-2"));
    server.stop().await;
}
