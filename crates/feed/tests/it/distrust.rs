//! A stream and a table that are not of one life: restores, and lies.

use greenstar_feed::{Feed, FeedError};
use greenstar_kernel::Revision;
use greenstar_testkit::{Scratch, redis};

use crate::fleet::{client, fleet, heard_again, in_stream, key, restore, take_turns};
use crate::notes::{Follower, NoteSource, World, clock, notes_in};

/// Pitfall #17: the stream is ahead of a table that was restored while all replicas were down, whether it
/// still holds what it was told or not.
#[tokio::test]
async fn a_stream_beyond_a_restored_table_begins_anew() {
    for trimmed in [false, true] {
        let redis = redis::Server::start().await;
        let (_scratch, mut replicas) = fleet(2, &redis.url()).await;
        take_turns(&mut replicas, 5).await;
        for replica in &replicas {
            replica.feed.close().await;
        }
        restore(&replicas[0].database, Revision(4), None).await;
        if trimmed {
            let mut trim = ::redis::cmd("XTRIM");
            trim.arg(key(&replicas[0])).arg("MAXLEN").arg(0);
            trim.exec_async(&mut client(&redis).await).await.unwrap();
        }
        for replica in &mut replicas {
            // Its subscriber has seen what is no longer true; it is told, and takes a snapshot.
            replica.restart(Some(&redis.url())).await;
            assert!(matches!(replica.follower.error().await, FeedError::Ahead));
            replica.follower = Follower::open(&replica.feed, None, NoteSource::default());
            replica.connected().await;
        }
        heard_again(&mut replicas).await;
        for replica in &mut replicas {
            assert_eq!(replica.follower.notes, notes_in(&replica.database).await);
        }
        let rotations: u64 = replicas.iter().map(|replica| replica.figures().rotations).sum();
        assert!(rotations > 0);
        let stream = in_stream(&redis, &replicas[0]).await;
        assert!(
            !stream.is_empty() && stream.iter().all(|(after, _)| *after >= 4),
            "{stream:?}"
        );
    }
}

/// The same under replicas that run, with and without a new epoch; then the log grows past where it was.
#[tokio::test]
async fn a_restore_under_running_replicas_is_seen_by_all_of_them() {
    for epoch in [None, Some("restored")] {
        let redis = redis::Server::start().await;
        let (_scratch, mut replicas) = fleet(2, &redis.url()).await;
        take_turns(&mut replicas, 5).await;
        restore(&replicas[0].database, Revision(4), epoch).await;
        for replica in &mut replicas {
            replica.until(|figures| figures.head == Revision(4)).await;
            assert!(matches!(replica.follower.error().await, FeedError::Foreign));
            replica.follower = Follower::open(&replica.feed, None, NoteSource::default());
            replica.connected().await;
        }
        take_turns(&mut replicas, 10).await;
        let stream = in_stream(&redis, &replicas[0]).await;
        assert!(stream.iter().all(|(after, _)| *after >= 4), "{stream:?}");
    }
}

/// Found by the model: a subscriber behind the ring reads on in the table, and that one has another life's rows.
#[tokio::test]
async fn a_subscriber_that_catches_up_in_a_replaced_log_is_told() {
    let world = World::on(Scratch::sqlite()).await;
    let start = world.feed.head();
    for _ in 0..3 {
        world.set(&["a"]).await;
    }
    let (_untold, batches) = tokio::sync::broadcast::channel(1);
    let feed = Feed::start(world.database.clone(), batches, clock(), None)
        .await
        .unwrap();
    let mut follower = Follower::open(&feed, Some(start), NoteSource::default());
    restore(&world.database, Revision(1), Some("restored")).await;
    world.set(&["b"]).await;
    // Whether the tail has seen it yet or not.
    assert!(matches!(follower.next().await, Some(Err(FeedError::Foreign))));
}

/// As is one whose snapshot is of a life that the tail has not seen yet.
#[tokio::test]
async fn a_snapshot_of_a_replaced_log_is_followed_by_its_own_changes() {
    let world = World::on(Scratch::sqlite()).await;
    for _ in 0..5 {
        world.set(&["a"]).await;
    }
    restore(&world.database, Revision(2), Some("restored")).await;
    let mut follower = world.follow(None).await;
    while follower.cursor.is_none() {
        follower.next().await.unwrap().unwrap();
    }
    assert_eq!(follower.revision(), Revision(2));
    let to = world.set(&["b"]).await.revision;
    follower.reach(to).await;
    assert_eq!(follower.notes, world.notes().await);
}

/// A restore that kept the epoch, and a log that has gone on past its old head before anybody looked.
#[tokio::test]
async fn a_log_that_was_replaced_by_a_longer_one_is_seen_too() {
    let one = World::on(Scratch::sqlite()).await;
    let mut follower = one.follow(Some(one.feed.head())).await;
    for _ in 0..5 {
        let to = one.set(&["a"]).await.revision;
        follower.reach(to).await;
    }
    // The tail looks at the table every 250 ms; this is done in one commit.
    let mut tx = one.database.write().await.unwrap();
    tx.run("UPDATE change_log SET batch = 'other' WHERE revision > 3", &[])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(follower.error().await, FeedError::Foreign));
}

/// What stands in the stream is not believed: neither its place nor its content.
#[tokio::test]
async fn lies_in_the_stream_lead_nobody_astray_for_long() {
    let redis = redis::Server::start().await;
    let (_scratch, mut replicas) = fleet(2, &redis.url()).await;
    let mut liar = client(&redis).await;
    let entry = r#"[{"at":1,"kind":"set","enterprise":null,"body":"\"lie\"","cause":null}]"#;
    for n in 0..4 {
        take_turns(&mut replicas, 2).await;
        let head = replicas[0].feed.head().revision.0;
        let (id, after, entries) = match n {
            // Far ahead; its place right and its content not to be read; another number behind the dash.
            0 => ("999999-0".to_owned(), "999998".to_owned(), entry),
            1 => (format!("{}-0", head + 2), head.to_string(), "[{"),
            2 => (format!("{}-7", head + 1), head.to_string(), entry),
            _ => (
                "18446744073709551615-18446744073709551615".to_owned(),
                "?".to_owned(),
                entry,
            ),
        };
        let mut lie = ::redis::cmd("XADD");
        lie.arg(key(&replicas[0])).arg(id).arg("after").arg(after);
        lie.arg("batch").arg("none").arg("entries").arg(entries);
        lie.exec_async(&mut liar).await.unwrap();
        take_turns(&mut replicas, 6).await;
        for replica in &replicas {
            replica.connected().await;
        }
    }
    heard_again(&mut replicas).await;
    for replica in &replicas {
        assert!(!replica.follower.notes.contains_key("lie"));
    }
    // One that fits exactly is taken, for as long as until the next look at the table.
    let head = replicas[0].feed.head().revision.0;
    let mut lie = ::redis::cmd("XADD");
    lie.arg(key(&replicas[0]))
        .arg(format!("{}-0", head + 1))
        .arg("after")
        .arg(head);
    lie.arg("batch").arg("none").arg("entries").arg(entry);
    lie.exec_async(&mut liar).await.unwrap();
    for replica in &mut replicas {
        assert!(matches!(replica.follower.error().await, FeedError::Foreign));
        replica.until(|figures| figures.head.0 == head).await;
        replica.follower = Follower::open(&replica.feed, None, NoteSource::default());
    }
    take_turns(&mut replicas, 10).await;
}
