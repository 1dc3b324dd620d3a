//! Replicas that tell one another by Redis, and a Redis that fails them in every way it can.

use std::time::Duration;

use greenstar_feed::{FanOut, Feed};
use greenstar_kernel::Revision;
use greenstar_store::{Database, Writer};
use greenstar_testkit::{Cut, Logs, Proxy, Scratch, redis};
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::fleet::{Replica, client, fleet, heard_again, in_stream, key, proxied, take_turns};
use crate::notes::{Book, Follower, MIGRATIONS, NoteSource, World, clock, set};

/// Far more rounds than the poll could serve in time.
const ROUNDS: usize = 60;
/// What that many polls would take on average, at the very least.
const POLLED: Duration = Duration::from_secs(6);

/// Pitfalls #13 and #14: a change through one replica reaches all others, without their asking.
#[tokio::test]
async fn siblings_hear_of_every_commit_before_they_ask() {
    let redis = redis::Server::start().await;
    let (_scratch, mut replicas) = fleet(3, &redis.url()).await;
    let began = Instant::now();
    take_turns(&mut replicas, ROUNDS).await;
    assert!(began.elapsed() < POLLED, "{:?}", began.elapsed());
    for replica in &replicas {
        let figures = replica.figures();
        assert_eq!(
            figures.handed + figures.heard + figures.read,
            ROUNDS as u64,
            "{figures:?}"
        );
        assert!(figures.handed > 0 && figures.heard > 20, "{figures:?}");
        assert_eq!((figures.failures, figures.rotations), (0, 0));
    }
    assert_eq!(in_stream(&redis, &replicas[0]).await.len(), ROUNDS);
}

/// Pitfalls #1 and #3: replicas that race for the head, and every one's cursor goes forward only.
#[tokio::test]
async fn replicas_that_all_write_at_once_have_one_order_without_gaps() {
    let redis = redis::Server::start().await;
    let (_scratch, mut replicas) = fleet(3, &redis.url()).await;
    let submitted: Vec<_> = (0..240)
        .map(|n| {
            let writer = replicas[n % 3].writer.clone();
            tokio::spawn(async move { writer.submit(set(&[&format!("n{n}"), "shared"])).await.unwrap() })
        })
        .collect();
    for handle in submitted {
        handle.await.unwrap();
    }
    for replica in &mut replicas {
        replica.reach(Revision(480)).await;
    }
    // Each batch once, from whomever, and each where the one before it ended.
    let last = replicas[0].set(&["last"]).await;
    replicas[1].until(|figures| figures.head == last).await;
    let stream = in_stream(&redis, &replicas[0]).await;
    assert!(stream.windows(2).all(|pair| pair[0].1 == pair[1].0), "{stream:?}");
    assert_eq!(
        replicas
            .iter()
            .map(|replica| replica.figures().failures)
            .sum::<u64>(),
        0
    );
}

#[tokio::test]
async fn own_commits_are_taken_without_a_read() {
    let mut world = World::on(Scratch::sqlite()).await;
    let mut follower = world.follow(Some(world.feed.head())).await;
    for _ in 0..50 {
        let to = world.set(&["a", "b"]).await.revision;
        follower.reach(to).await;
    }
    let figures = world.feed.figures();
    // The poll may have been quicker now and then.
    assert_eq!(figures.handed + figures.read, 50);
    assert!(figures.handed > 40, "{figures:?}");
    assert_eq!(follower.notes, world.notes().await);
    // A hand-over that skips is made up for by the table.
    let (hand, batches) = broadcast::channel(2);
    world.feed = Feed::start(world.database.clone(), batches, clock(), None)
        .await
        .unwrap();
    let mut committed = world.writer.batches();
    let mut follower = Follower::open(&world.feed, Some(world.feed.head()), NoteSource::default());
    for n in 0..40 {
        let to = world.set(&["a"]).await.revision;
        let batch = committed.recv().await.unwrap();
        if n % 3 == 0 {
            hand.send(batch).unwrap();
            follower.reach(to).await;
        }
    }
    assert!(world.feed.figures().gaps > 0);
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_heard_by_all_once() {
    let redis = redis::Server::start().await;
    let scratch = Scratch::postgres().await;
    let mut sibling = Replica::start(scratch.url(), Some(&redis.url())).await;
    let (proxy, url) = Proxy::before(scratch.url()).await;
    let mut replica = Replica::start(&url, Some(&redis.url())).await;
    sibling.connected().await;
    replica.connected().await;
    for cut in [Cut::AfterTheAnswer, Cut::Before] {
        proxy.trap(b"COMMIT\0", cut);
        let to = replica.set(&["a", "b"]).await;
        replica.reach(to).await;
        sibling.reach(to).await;
    }
    assert_eq!(in_stream(&redis, &sibling).await, [(0, 2), (2, 4)]);
}

/// Pitfall #14: a sibling died between its commit and its announcement.
#[tokio::test]
async fn what_a_dead_sibling_did_not_publish_is_added_before_the_next_commit() {
    let redis = redis::Server::start().await;
    let (scratch, mut replicas) = fleet(2, &redis.url()).await;
    let to = replicas[0].set(&["a"]).await;
    replicas[1].until(|figures| figures.head == to).await;
    // It commits, and nobody hears of it.
    let mute = Replica::start(scratch.url(), None).await;
    for _ in 0..5 {
        mute.set(&["b", "c"]).await;
    }
    let to = replicas[0].set(&["d"]).await;
    for replica in &mut replicas {
        replica.reach(to).await;
    }
    let expected = [(0, 1), (1, 3), (3, 5), (5, 7), (7, 9), (9, 11), (11, 12)];
    assert_eq!(in_stream(&redis, &replicas[0]).await, expected);
    // Nor does a feed whose ring is empty leave them out: it reads the table.
    mute.set(&["e"]).await;
    replicas[0].restart(Some(&redis.url())).await;
    replicas[0].connected().await;
    let to = replicas[0].set(&["f"]).await;
    replicas[1].reach(to).await;
    replicas[0].until(|figures| figures.published >= 2).await;
    assert_eq!(in_stream(&redis, &replicas[0]).await[7..], [(12, 13), (13, 14)]);
}

/// Pitfalls #17 and #22: Redis dies with all it had, stays away and comes back empty.
#[tokio::test]
async fn a_redis_that_is_gone_costs_time_and_nothing_else() {
    let redis = redis::Server::start().await;
    let (_scratch, mut replicas) = fleet(2, &redis.url()).await;
    take_turns(&mut replicas, 4).await;
    redis.stop();
    for replica in &replicas {
        replica.until(|figures| !figures.connected).await;
    }
    let began = Instant::now();
    for _ in 0..ROUNDS {
        let to = replicas[0].set(&["a", "c"]).await;
        replicas[0].reach(to).await;
    }
    assert!(
        began.elapsed() < POLLED,
        "neither commits nor their own subscribers wait"
    );
    take_turns(&mut replicas, 6).await;
    redis.start_again();
    for replica in &replicas {
        replica.connected().await;
    }
    heard_again(&mut replicas).await;
}

/// Pitfalls #17 and #18: nothing in Redis has to be put back.
#[tokio::test]
async fn a_wiped_redis_is_used_on() {
    let redis = redis::Server::start().await;
    let (_scratch, mut replicas) = fleet(2, &redis.url()).await;
    let mut wipe = client(&redis).await;
    let began = Instant::now();
    for _ in 0..ROUNDS / 2 {
        take_turns(&mut replicas, 2).await;
        ::redis::cmd("FLUSHALL").exec_async(&mut wipe).await.unwrap();
    }
    assert!(began.elapsed() < POLLED);
    assert!(replicas.iter().all(|replica| replica.figures().heard > 20));
}

/// Pitfalls #20 and #21: there are no groups and no pending lists, so nobody can hold up the trimming, and
/// whoever is trimmed away from reads the table.
#[tokio::test]
async fn a_trimmed_stream_is_short_and_nobody_misses_anything() {
    let redis = redis::Server::start().await;
    let (_scratch, mut replicas) = fleet(2, &redis.url()).await;
    // Its subscriber does not read meanwhile, and its feed is not told.
    replicas[1].feed.close().await;
    for n in 0..1_400 {
        replicas[0].set(&[&format!("n{}", n % 50)]).await;
    }
    replicas[0].until(|figures| figures.published == 1_400).await;
    let kept = in_stream(&redis, &replicas[0]).await.len();
    assert!((1_000..1_200).contains(&kept), "{kept}");
    replicas[1].restart(Some(&redis.url())).await;
    replicas[1].reach(Revision(1_400)).await;
    // Trimmed to nothing under everybody's feet.
    replicas[1].connected().await;
    let mut trim = client(&redis).await;
    for _ in 0..10 {
        let mut cut = ::redis::cmd("XTRIM");
        cut.arg(key(&replicas[0])).arg("MAXLEN").arg(0);
        cut.exec_async(&mut trim).await.unwrap();
        take_turns(&mut replicas, 2).await;
    }
}

/// A connection that says nothing any more, and one that takes its time.
#[tokio::test]
async fn a_half_open_or_slow_redis_delays_no_commit_and_no_local_subscriber() {
    let redis = redis::Server::start().await;
    let (proxy, url) = proxied(&redis).await;
    let (_scratch, mut replicas) = fleet(2, &url).await;
    take_turns(&mut replicas, 4).await;
    proxy.silence();
    let began = Instant::now();
    for _ in 0..ROUNDS {
        let to = replicas[0].set(&["a"]).await;
        replicas[0].reach(to).await;
    }
    assert!(began.elapsed() < POLLED);
    let head = replicas[0].feed.head().revision;
    replicas[1].reach(head).await;
    // Both find out by themselves and connect again.
    for replica in &replicas {
        replica.until(|figures| figures.failures > 0).await;
        replica.connected().await;
    }
    heard_again(&mut replicas).await;

    proxy.delay(Duration::from_millis(300));
    let began = Instant::now();
    for _ in 0..ROUNDS {
        let to = replicas[0].set(&["a"]).await;
        replicas[0].reach(to).await;
    }
    assert!(began.elapsed() < POLLED, "each would have waited for 300 ms");
    let head = replicas[0].feed.head().revision;
    replicas[1].reach(head).await;
}

#[tokio::test]
async fn connections_that_are_cut_again_and_again_lose_nothing() {
    let redis = redis::Server::start().await;
    let (proxy, url) = proxied(&redis).await;
    let (_scratch, mut replicas) = fleet(2, &url).await;
    for n in 0..30 {
        if n % 3 == 0 {
            proxy.cut();
        }
        // An announcement that may have arrived is repeated, and refused as "equal or smaller".
        proxy.trap(b"XADD", Cut::AfterTheAnswer);
        take_turns(&mut replicas, 2).await;
    }
}

#[tokio::test]
async fn a_batch_too_long_for_redis_is_announced_and_read_from_the_table() {
    let redis = redis::Server::start().await;
    let (_scratch, mut replicas) = fleet(2, &redis.url()).await;
    let names: Vec<String> = (0..20_000)
        .map(|n| format!("a rather long name {n:05}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let to = replicas[0].set(&names).await;
    replicas[1].reach(to).await;
    assert_eq!(in_stream(&redis, &replicas[0]).await, [(0, 20_000)]);
    let mut length = ::redis::cmd("MEMORY");
    length.arg("USAGE").arg(key(&replicas[0]));
    let bytes: u64 = length.query_async(&mut client(&redis).await).await.unwrap();
    assert!(bytes < 16 * 1024, "{bytes}");
    take_turns(&mut replicas, 4).await;
}

#[tokio::test]
async fn a_feed_starts_without_its_redis_and_refuses_what_is_no_address_of_one() {
    for wrong in [
        "",
        "nonsense",
        "http://127.0.0.1:1",
        "rediss://secret@127.0.0.1:1",
    ] {
        let error = FanOut::new(wrong, "notes").unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }
    let nobody = "redis://user:secret@127.0.0.1:1";
    let logs = Logs::keep();
    let scratch = Scratch::sqlite();
    let database = Database::migrate(&scratch.url().parse().unwrap(), &MIGRATIONS)
        .await
        .unwrap();
    let writer = Writer::start(database.clone(), Book, clock());
    let fan_out = FanOut::new(nobody, "notes").unwrap();
    assert!(!format!("{fan_out:?}").contains("secret"));
    let feed = Feed::start(database, writer.batches(), clock(), Some(fan_out))
        .await
        .unwrap();
    let mut follower = Follower::open(&feed, Some(feed.head()), NoteSource::default());
    let to = writer.submit(set(&["a"])).await.unwrap().position.revision;
    follower.reach(to).await;
    assert!(!feed.figures().connected);
    feed.close().await;
    assert!(logs.lines(&["secret"]).is_empty());
}
