//! Several writers on one PostgreSQL: one log, gapless, in commit order.

use std::collections::BTreeSet;

use greenstar_kernel::Revision;
use greenstar_store::Database;
use greenstar_testkit::Scratch;

use crate::book::{MIGRATIONS, World, pay};

async fn sibling(of: &World) -> World {
    let database = Database::open(&of.location(), &MIGRATIONS).await.unwrap();
    // The scratch folder of a server's database holds nothing; a second one keeps the types simple.
    World {
        scratch: Scratch::sqlite(),
        database,
    }
}

/// Pitfalls #1 and #2: one order for all, and nobody decides on what another has changed meanwhile.
#[tokio::test]
async fn two_replicas_that_race_for_the_head_write_one_gapless_log() {
    let one = World::on(Scratch::postgres().await).await;
    let other = sibling(&one).await;
    let writers = [one.writer(), other.writer()];
    let submitted: Vec<_> = (0..200)
        .map(|n| {
            let writer = writers[n % 2].clone();
            tokio::spawn(async move { writer.submit(pay("shared", 1)).await.unwrap() })
        })
        .collect();
    let mut revisions = BTreeSet::new();
    let mut balances = BTreeSet::new();
    for handle in submitted {
        let paid = handle.await.unwrap();
        revisions.insert(paid.position.revision);
        balances.insert(paid.answer.balance);
    }
    assert_eq!(revisions, (1..=200).map(Revision).collect());
    assert_eq!(
        balances,
        (1..=200).collect(),
        "nobody decided on an outdated balance"
    );
    assert_eq!(one.log().await.len(), 200);
}

/// Pitfall #1: revisions are taken under the head's lock, so none is committed behind a later one.
#[tokio::test]
async fn a_writer_that_is_held_open_across_polls_is_never_skipped() {
    let one = World::on(Scratch::postgres().await).await;
    let other = sibling(&one).await;
    let (held, gate) = one.gated();
    let slow = tokio::spawn(async move { held.submit(pay("slow", 1)).await.unwrap() });
    gate.entered.notified().await;
    let quick_writer = other.writer();
    let mut quick = tokio::spawn(async move { quick_writer.submit(pay("quick", 1)).await.unwrap() });
    // A reader that polls meanwhile sees neither: the quick one waits for the head.
    for _ in 0..20 {
        assert!(
            other
                .database
                .changes(Revision::ZERO, 10)
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(other.database.head().await.unwrap().revision, Revision::ZERO);
    }
    assert!(futures_now(&mut quick).await.is_none());
    gate.open.notify_one();
    assert_eq!(slow.await.unwrap().position.revision, Revision(1));
    assert_eq!(quick.await.unwrap().position.revision, Revision(2));
    assert_eq!(other.log().await, [r#"["slow",1]"#, r#"["quick",1]"#]);
}

/// What a task has answered by now.
async fn futures_now<T>(task: &mut tokio::task::JoinHandle<T>) -> Option<T> {
    tokio::select! {
        biased;
        done = task => Some(done.unwrap()),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test]
async fn a_repeated_request_is_known_to_every_replica() {
    let one = World::on(Scratch::postgres().await).await;
    let other = sibling(&one).await;
    let first = one.writer().submit(pay("a", 5).id("r")).await.unwrap();
    assert_eq!(other.writer().submit(pay("a", 5).id("r")).await.unwrap(), first);
    assert_eq!(one.log().await.len(), 1);
}

#[tokio::test]
async fn a_session_that_falls_silent_with_the_head_loses_it() {
    let world = World::on(Scratch::postgres().await).await;
    let mut silent = world.database.write().await.unwrap();
    silent
        .run("UPDATE change_head SET locked_by = 'silent', revision = 99", &[])
        .await
        .unwrap();
    // Outlasts two lock timeouts; then the server ends the silent session.
    let paid = world.writer().submit(pay("a", 1)).await.unwrap();
    assert_eq!(paid.position.revision, Revision(1));
    assert!(silent.commit().await.is_err());
    assert_eq!(world.log().await.len(), 1);
}
