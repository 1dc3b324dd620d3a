//! The model's actions at random, on the real code: several replicas, a PostgreSQL, a Redis behind a proxy.

use greenstar_feed::{Ack, FeedError, Inbound};
use greenstar_kernel::{Position, Revision};
use greenstar_testkit::{Scratch, redis};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::fleet::{Replica, client, key, proxied, restore};
use crate::notes::{Follower, NoteSource, notes_in, set};

const REPLICAS: usize = 3;

#[derive(Clone, Debug)]
enum Action {
    Commit {
        at: usize,
        names: Vec<u8>,
    },
    /// By a replica that dies before it publishes.
    CommitUnheard {
        name: u8,
    },
    Poll(usize),
    /// The subscriber takes what is there, and acknowledges it.
    Read {
        at: usize,
        count: usize,
    },
    /// The last commit's token is shown to a view, which answers when it has applied it.
    Ask(usize),
    Reopen(usize),
    Crash(usize),
    Cut,
    Silence,
    Flush,
    Trim {
        keep: usize,
    },
    Restore {
        lost: u64,
    },
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let at = 0..REPLICAS;
    let action = prop_oneof![
        10 => (at.clone(), prop::collection::vec(0..6u8, 1..4)).prop_map(|(at, names)| Action::Commit { at, names }),
        2 => (0..6u8).prop_map(|name| Action::CommitUnheard { name }),
        1 => at.clone().prop_map(Action::Poll),
        6 => (at.clone(), 1..6usize).prop_map(|(at, count)| Action::Read { at, count }),
        4 => at.clone().prop_map(Action::Ask),
        1 => at.clone().prop_map(Action::Reopen),
        1 => at.prop_map(Action::Crash),
        1 => Just(Action::Cut),
        1 => Just(Action::Silence),
        1 => Just(Action::Flush),
        1 => (0..4usize).prop_map(|keep| Action::Trim { keep }),
        1 => (1..4u64).prop_map(|lost| Action::Restore { lost }),
    ];
    prop::collection::vec(action, 1..50)
}

fn names(of: &[u8]) -> Vec<String> {
    of.iter().map(|name| format!("n{name}")).collect()
}

/// Takes the next message. A subscriber whose cursor is of no more use takes a snapshot; any other goes on.
async fn next(replica: &mut Replica) {
    match replica.follower.next().await {
        Some(Ok(_)) => {}
        Some(Err(FeedError::Foreign | FeedError::Ahead)) => {
            replica.follower = Follower::open(&replica.feed, None, NoteSource::default());
        }
        Some(Err(_)) | None => replica.follower.reopen(&replica.feed),
    }
}

/// P1: the view has applied all that the token tells of before it answers.
async fn ask(replica: &mut Replica, (token, told): &(Position, Vec<String>)) {
    let read = |replica: &Replica| {
        let cursor = replica.follower.cursor.as_ref();
        cursor.is_some_and(|cursor| *cursor.epoch() == token.epoch && cursor.revision() >= token.revision)
    };
    while !read(replica) {
        next(replica).await;
    }
    let first = token.revision.0 + 1 - told.len() as u64;
    for (revision, name) in (first..).zip(told) {
        assert!(
            replica.follower.notes[name] >= Revision(revision),
            "{name} at {revision}"
        );
    }
}

async fn run(redis: &redis::Server, actions: Vec<Action>) {
    let (proxy, url) = proxied(redis).await;
    let scratch = Scratch::postgres().await;
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        replicas.push(Replica::start(scratch.url(), Some(&url)).await);
    }
    let mute = Replica::start(scratch.url(), None).await;
    let mut wipe = client(redis).await;
    let mut last: Option<(Position, Vec<String>)> = None;
    for action in actions {
        match action {
            Action::Commit { at, names: of } => {
                let told = names(&of);
                let refs: Vec<&str> = told.iter().map(String::as_str).collect();
                let position = replicas[at].writer.submit(set(&refs)).await.unwrap().position;
                last = Some((position, told));
            }
            Action::CommitUnheard { name } => {
                let told = names(&[name]);
                let position = mute.writer.submit(set(&[&told[0]])).await.unwrap().position;
                last = Some((position, told));
            }
            Action::Poll(at) => drop(replicas[at].feed.sync(None).await.unwrap()),
            Action::Read { at, count } => {
                for _ in 0..count {
                    if replicas[at].follower.cursor.is_some() {
                        let applied = replicas[at].follower.revision();
                        // P5: it tells the truth, so nobody objects.
                        replicas[at]
                            .follower
                            .say
                            .send(Inbound::Ack(Ack::up_to(applied)))
                            .unwrap();
                    }
                    let wait = std::time::Duration::from_millis(10);
                    drop(tokio::time::timeout(wait, next(&mut replicas[at])).await);
                }
            }
            Action::Ask(at) => {
                if let Some(last) = &last {
                    ask(&mut replicas[at], last).await;
                }
            }
            Action::Reopen(at) => {
                let Replica { follower, feed, .. } = &mut replicas[at];
                follower.reopen(feed);
            }
            Action::Crash(at) => replicas[at].restart(Some(&url)).await,
            Action::Cut => proxy.cut(),
            Action::Silence => proxy.silence(),
            Action::Flush => ::redis::cmd("FLUSHALL").exec_async(&mut wipe).await.unwrap(),
            Action::Trim { keep } => {
                let mut trim = ::redis::cmd("XTRIM");
                trim.arg(key(&replicas[0])).arg("MAXLEN").arg(keep);
                trim.exec_async(&mut wipe).await.unwrap();
            }
            Action::Restore { lost } => {
                let head = mute.database.head().await.unwrap();
                let to = Revision(head.revision.0.saturating_sub(lost));
                restore(&mute.database, to, Some(&format!("{}r", head.epoch))).await;
                last = None;
            }
        }
    }
    let head = mute.database.head().await.unwrap();
    let notes = notes_in(&mute.database).await;
    for replica in &mut replicas {
        ask(replica, &(head.clone(), Vec::new())).await;
        assert_eq!(replica.follower.revision(), head.revision);
        assert_eq!(replica.follower.notes, notes);
        for frame in &replica.follower.frames {
            let expected = frame.after.0 + 1..=frame.to.0;
            assert!(
                frame.entries.iter().map(|entry| entry.revision.0).eq(expected),
                "a hole in a frame"
            );
        }
    }
    for replica in replicas {
        replica.feed.close().await;
    }
}

/// `Follower` refuses a frame that does not follow its cursor, so P4 is asked at every step.
#[test]
fn p1_p4_and_p5_hold_on_the_real_code_under_the_models_actions() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let redis = runtime().block_on(redis::Server::start());
    let config = ProptestConfig {
        cases: 16,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&actions(), |actions| {
            runtime().block_on(run(&redis, actions));
            Ok(())
        })
        .unwrap();
}
