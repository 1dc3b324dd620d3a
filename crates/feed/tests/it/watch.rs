//! One watch: snapshot, frames, pongs, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use greenstar_feed::{Ack, FeedError, Inbound, Open, Outbound};
use greenstar_kernel::{Epoch, Position, Revision, Uscc};
use greenstar_testkit::Scratch;
use tokio::sync::Semaphore;

use crate::notes::{Follower, NoteSource, Set, World};

async fn sqlite() -> World {
    World::on(Scratch::sqlite()).await
}

fn at(world: &World, revision: u64) -> Position {
    Position {
        epoch: world.database.epoch().clone(),
        revision: Revision(revision),
    }
}

/// Pitfall #4: no change falls between a snapshot and what follows it.
#[tokio::test]
async fn snapshot_and_tail_join_at_one_revision() {
    let world = sqlite().await;
    let names: Vec<String> = (0..20).map(|n| format!("n{n}")).collect();
    world
        .set(&names.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let mut follower = world.follow(None).await;
    assert_eq!(
        follower.next().await.unwrap().unwrap(),
        Outbound::SnapshotBegin { at: at(&world, 20) }
    );
    // A change in the middle of the snapshot is not in it, and comes right after it.
    let head = world.set(&["n0", "n1"]).await;
    follower.reach(head.revision).await;
    assert_eq!(follower.notes, world.notes().await);
    assert_eq!(
        (follower.frames[0].after, follower.frames[0].to),
        (Revision(20), Revision(22))
    );
}

#[tokio::test]
async fn subscribers_that_do_not_take_their_snapshots_hold_up_nobody_else() {
    let world = sqlite().await;
    let names: Vec<String> = (0..40).map(|n| format!("n{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let head = world.set(&names).await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut follower = world.follow(None).await;
        assert!(follower.glance(1).await.is_none());
        slow.push(follower);
    }
    // The tail and other reads go on.
    let read = tokio::time::timeout(Duration::from_secs(6), world.feed.sync(None));
    assert_eq!(read.await.unwrap().unwrap(), head);
    // Those that had to wait have their turn when the first ones are gone.
    let mut last = slow.pop().unwrap();
    drop(slow);
    last.reach(head.revision).await;
    assert_eq!(last.notes, world.notes().await);
}

/// A follower takes two seconds of silence for a loss, and would begin again for ever.
#[tokio::test]
async fn a_source_that_reads_for_long_or_is_busy_with_others_is_not_silent() {
    let world = sqlite().await;
    let head = world.set(&["a", "b", "c", "d", "e", "f", "g", "h"]).await;
    let gate = Arc::new(Semaphore::new(1));
    let open = || {
        let pages = Some(gate.clone());
        world.follow_only(
            None,
            NoteSource {
                pages,
                ..NoteSource::default()
            },
        )
    };
    let (mut first, mut second, mut third) = (open(), open(), open());
    let patience = Duration::from_millis(1_900);
    for follower in [&mut first, &mut second] {
        let told = tokio::time::timeout(patience, follower.next()).await;
        assert!(matches!(told.unwrap(), Some(Ok(Outbound::SnapshotBegin { at })) if at == head));
    }
    // The third has no turn yet.
    for _ in 0..2 {
        for follower in [&mut first, &mut second, &mut third] {
            let told = tokio::time::timeout(patience, follower.next()).await.unwrap();
            assert!(matches!(told, Some(Ok(Outbound::SnapshotRows(rows))) if rows.is_empty()));
        }
    }
    gate.add_permits(100);
    for follower in [&mut first, &mut second, &mut third] {
        follower.reach(head.revision).await;
        assert_eq!(follower.notes, world.notes().await);
    }
}

#[tokio::test]
async fn a_snapshot_is_read_before_its_subscriber_takes_it() {
    let world = World::on(Scratch::postgres().await).await;
    let head = world.set(&["a", "b", "c", "d", "e", "f", "g", "h"]).await;
    let mut follower = world.follow(None).await;
    follower.next().await.unwrap().unwrap();
    // The server itself would end one that idles for five seconds.
    let ended = tokio::time::timeout(Duration::from_secs(4), async {
        let idle = "SELECT COUNT(*) AS n FROM pg_stat_activity \
                    WHERE datname = current_database() AND state = 'idle in transaction'";
        loop {
            let mut tx = world.database.read().await.unwrap();
            let row = tx.row(idle, &[]).await.unwrap().unwrap();
            if row.get::<i64>("n").unwrap() == 0 {
                break;
            }
        }
    });
    ended.await.expect("no transaction waits for the subscriber");
    follower.reach(head.revision).await;
    assert_eq!(follower.notes, world.notes().await);
}

#[tokio::test]
async fn a_commit_of_this_replica_is_told_before_the_next_poll() {
    let world = sqlite().await;
    let mut follower = world.follow(Some(at(&world, 0))).await;
    // Fifty times the poll's period would be over twelve seconds.
    let told = tokio::time::timeout(Duration::from_secs(6), async {
        for _ in 0..50 {
            let head = world.set(&["a"]).await;
            follower.reach(head.revision).await;
        }
    });
    told.await.unwrap();
}

#[tokio::test]
async fn a_frame_is_a_whole_batch_however_long() {
    let world = sqlite().await;
    let many: Vec<String> = (0..5_000).map(|n| format!("n{n:05}")).collect();
    world.set(&["first"]).await;
    let head = world
        .set(&many.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    world.set(&["last"]).await;
    // From the table: this feed's ring is filled, another's is not.
    for feed in [world.feed.clone(), restarted(&world).await] {
        let mut follower = Follower::open(&feed, Some(at(&world, 0)), NoteSource::default());
        follower.reach(Revision(5_002)).await;
        let ends: Vec<_> = follower
            .frames
            .iter()
            .map(|frame| (frame.after.0, frame.to.0))
            .collect();
        assert_eq!(ends, [(0, 1), (1, head.revision.0), (5_001, 5_002)]);
        assert_eq!(follower.frames[1].entries.len(), 5_000);
    }
}

/// The feed as after a restart: its ring is empty.
async fn restarted(world: &World) -> greenstar_feed::Feed {
    let batches = world.writer.batches();
    greenstar_feed::Feed::start(world.database.clone(), batches, crate::notes::clock(), None)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_cursor_inside_a_batch_gets_the_rest_of_it() {
    let world = sqlite().await;
    world.set(&["a", "b", "c"]).await;
    for feed in [world.feed.clone(), restarted(&world).await] {
        feed.sync(None).await.unwrap();
        let mut follower = Follower::open(&feed, Some(at(&world, 1)), NoteSource::default());
        follower.reach(Revision(3)).await;
        let names: Vec<String> = follower.notes.into_keys().collect();
        assert_eq!(names, ["b", "c"]);
    }
}

#[tokio::test]
async fn a_filtered_subscriber_gets_empty_frames_and_hears_who_left() {
    let world = sqlite().await;
    let mine: Uscc = "91350100M000100Y43".parse().unwrap();
    let source = NoteSource {
        only: Some(mine),
        ..NoteSource::default()
    };
    let mut follower = world.follow_only(Some(at(&world, 0)), source);
    world.set(&["theirs"]).await;
    for name in ["mine", "gone"] {
        world
            .writer
            .submit(Set {
                names: vec![name.to_owned()],
                enterprise: Some(mine),
            })
            .await
            .unwrap();
    }
    follower.reach(Revision(3)).await;
    let got: Vec<_> = follower
        .frames
        .iter()
        .map(|frame| (frame.entries.len(), frame.left.clone()))
        .collect();
    assert_eq!(got, [(0, vec![]), (1, vec![]), (0, vec![mine])]);
}

/// Pitfall #6: cursors move, and age can be measured, when nothing happens.
#[tokio::test]
async fn an_idle_subscriber_is_told_that_nothing_happened() {
    let world = sqlite().await;
    let head = world.set(&["a"]).await;
    let mut follower = world.follow(Some(head.clone())).await;
    let Outbound::Frame(frame) = follower.next().await.unwrap().unwrap() else {
        panic!("no frame")
    };
    assert_eq!(
        (frame.after, frame.to, frame.entries.len()),
        (head.revision, head.revision, 0)
    );
}

#[tokio::test]
async fn a_pong_comes_behind_every_frame_up_to_its_head() {
    let world = sqlite().await;
    let mut follower = world.follow(Some(at(&world, 0))).await;
    for _ in 0..10 {
        world.set(&["a"]).await;
    }
    world.feed.sync(None).await.unwrap();
    follower.say.send(Inbound::Ping { nonce: 7 }).unwrap();
    loop {
        if let Outbound::Pong {
            nonce,
            head,
            head_age,
            ..
        } = follower.next().await.unwrap().unwrap()
        {
            assert_eq!((nonce, head.revision), (7, Revision(10)));
            assert!(follower.revision() >= head.revision);
            assert!(head_age < Duration::from_secs(5));
            break;
        }
    }
}

/// Pitfall #5.
#[tokio::test]
async fn a_subscriber_too_far_behind_is_cut_off_and_its_cursor_stays_valid() {
    let world = sqlite().await;
    world.set(&["a"]).await;
    let mut follower = world.follow(Some(at(&world, 0))).await;
    follower.reach(Revision(1)).await;
    world.flood(4_097).await;
    world.feed.sync(None).await.unwrap();
    let FeedError::CutOff { cursor } = follower.error().await else {
        panic!("not cut off")
    };
    assert_eq!(cursor, at(&world, 1));
    follower.reopen(&world.feed);
    follower.reach(Revision(4_098)).await;
    assert_eq!(follower.frames.len(), 4_097, "each batch a frame, none twice");
}

/// Pitfall #4: a gap is never silent.
#[tokio::test]
async fn a_cursor_that_the_log_no_longer_keeps_is_too_old_and_a_snapshot_helps() {
    let world = sqlite().await;
    for _ in 0..3 {
        world.set(&["a"]).await;
    }
    let feed = restarted(&world).await;
    let mut tx = world.database.write().await.unwrap();
    tx.run("DELETE FROM change_log WHERE revision <= 2", &[])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut late = Follower::open(&feed, Some(at(&world, 1)), NoteSource::default());
    assert!(matches!(late.error().await, FeedError::CursorTooOld));
    let mut just = Follower::open(&feed, Some(at(&world, 2)), NoteSource::default());
    just.reach(Revision(3)).await;
    late.cursor = None;
    late.reopen(&feed);
    late.reach(Revision(3)).await;
    assert_eq!(late.notes, world.notes().await);
}

#[tokio::test]
async fn positions_of_another_life_or_beyond_the_head_are_refused() {
    let world = sqlite().await;
    world.set(&["a"]).await;
    let foreign = Position {
        epoch: Epoch::parse("another").unwrap(),
        revision: Revision(1),
    };
    assert!(matches!(
        world.follow(Some(foreign.clone())).await.error().await,
        FeedError::Foreign
    ));
    assert!(matches!(
        world.feed.sync(Some(&foreign)).await,
        Err(FeedError::Foreign)
    ));
    let ahead = at(&world, 2);
    assert!(matches!(
        world.follow(Some(ahead.clone())).await.error().await,
        FeedError::Ahead
    ));
    assert!(matches!(
        world.feed.sync(Some(&ahead)).await,
        Err(FeedError::Ahead)
    ));
    assert_eq!(
        world.feed.sync(Some(&at(&world, 1))).await.unwrap(),
        at(&world, 1)
    );
}

#[tokio::test]
async fn a_restore_ends_every_watch_as_foreign() {
    let world = sqlite().await;
    world.set(&["a"]).await;
    world.set(&["b"]).await;
    let mut follower = world.follow(Some(at(&world, 0))).await;
    follower.reach(Revision(2)).await;
    let mut tx = world.database.write().await.unwrap();
    tx.run("DELETE FROM change_log WHERE revision = 2", &[])
        .await
        .unwrap();
    tx.run("UPDATE change_head SET epoch = 'restored', revision = 1", &[])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let head = world.feed.sync(None).await.unwrap();
    world.set(&["c"]).await;
    assert!(matches!(follower.error().await, FeedError::Foreign));
    let mut anew = world.follow(Some(head)).await;
    anew.reach(Revision(2)).await;
    assert!(anew.notes.contains_key("c"));
}

#[tokio::test]
async fn a_watch_out_of_order_is_malformed() {
    let world = sqlite().await;
    world.set(&["a"]).await;
    let mut follower = Follower::silent(&world.feed, NoteSource::default());
    follower.say.send(Inbound::Ping { nonce: 1 }).unwrap();
    assert!(matches!(follower.error().await, FeedError::Malformed(_)));
    let mut follower = world.follow(Some(at(&world, 1))).await;
    let acknowledge = |revision| Inbound::Ack(Ack::up_to(Revision(revision)));
    follower.say.send(acknowledge(1)).unwrap();
    follower.say.send(Inbound::Open(Open::default())).unwrap();
    assert!(matches!(follower.error().await, FeedError::Malformed(_)));
    let mut follower = world.follow(Some(at(&world, 1))).await;
    follower.say.send(acknowledge(2)).unwrap();
    assert!(matches!(
        follower.error().await,
        FeedError::AcknowledgementAhead { sent } if sent == Revision(1)
    ));
}

#[tokio::test]
async fn a_closed_feed_ends_its_watches() {
    let world = sqlite().await;
    let mut follower = world.follow(Some(at(&world, 0))).await;
    world.feed.close().await;
    assert!(follower.next().await.is_none());
    assert!(matches!(world.feed.sync(None).await, Err(FeedError::Store(_))));
}
