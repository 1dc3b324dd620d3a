//! Feeds of several replicas on one PostgreSQL.

use greenstar_feed::Feed;
use greenstar_kernel::Revision;
use greenstar_store::{Database, Writer};
use greenstar_testkit::{Proxy, Scratch};

use crate::notes::{Book, Follower, MIGRATIONS, NoteSource, World, clock, set};

#[tokio::test]
async fn commits_of_a_sibling_arrive_in_order_and_without_gaps() {
    let one = World::on(Scratch::postgres().await).await;
    let database = Database::open(&one.scratch.url().parse().unwrap(), &MIGRATIONS)
        .await
        .unwrap();
    let sibling = Writer::start(database, Book, clock());
    let mut follower = one.follow(None).await;
    let writers = [one.writer.clone(), sibling];
    let submitted: Vec<_> = (0..60)
        .map(|n| {
            let writer = writers[n % 2].clone();
            tokio::spawn(async move { writer.submit(set(&[&format!("n{n}"), "shared"])).await.unwrap() })
        })
        .collect();
    for handle in submitted {
        handle.await.unwrap();
    }
    follower.reach(Revision(120)).await;
    assert_eq!(follower.notes, one.notes().await);
}

/// Pitfall #11: a replica that is behind looks at the primary before it says that there is no such thing.
#[tokio::test]
async fn a_cursor_from_a_sibling_that_is_ahead_is_no_lie() {
    let one = World::on(Scratch::postgres().await).await;
    let database = Database::open(&one.scratch.url().parse().unwrap(), &MIGRATIONS)
        .await
        .unwrap();
    let sibling = Writer::start(database, Book, clock());
    for _ in 0..20 {
        // This replica was not told; its own look at the log decides.
        let position = sibling.submit(set(&["a"])).await.unwrap().position;
        let mut follower = one.follow(Some(position.clone())).await;
        let next = sibling.submit(set(&["a"])).await.unwrap().position;
        follower.reach(next.revision).await;
        assert_eq!(one.feed.sync(Some(&next)).await.unwrap(), next);
    }
}

#[tokio::test]
async fn a_feed_that_lost_its_database_catches_up_when_it_is_back() {
    let one = World::on(Scratch::postgres().await).await;
    let (proxy, url) = Proxy::before(one.scratch.url()).await;
    let database = Database::open(&url.parse().unwrap(), &MIGRATIONS).await.unwrap();
    let (_untold, batches) = tokio::sync::broadcast::channel(1);
    let feed = Feed::start(database, batches, clock(), None).await.unwrap();
    let mut follower = Follower::open(&feed, None, NoteSource::default());
    follower.next().await.unwrap().unwrap();
    follower.next().await.unwrap().unwrap();
    for _ in 0..5 {
        proxy.cut();
        let head = one.set(&["a", "b"]).await;
        follower.reach(head.revision).await;
    }
    assert_eq!(follower.notes, one.notes().await);
}
