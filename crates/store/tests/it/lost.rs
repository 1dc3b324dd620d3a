//! Connections that break at the worst moment, on a real PostgreSQL behind a proxy.

use greenstar_kernel::Revision;
use greenstar_store::{Database, StoreError, SubmitError, Writer};
use greenstar_testkit::{Cut, Proxy, Scratch, postgres};

use crate::book::{Book, MIGRATIONS, World, clock, pay};

/// The world as seen directly, a proxy, and a writer behind it that has written once.
async fn behind_proxy() -> (World, Proxy, Writer<Book>) {
    let world = World::on(Scratch::postgres().await).await;
    let (proxy, url) = Proxy::before(world.scratch.url()).await;
    let database = Database::open(&url.parse().unwrap(), &MIGRATIONS).await.unwrap();
    let writer = Writer::start(database, Book::default(), clock());
    writer.submit(pay("a", 1)).await.unwrap();
    (world, proxy, writer)
}

async fn written_once_in_spite_of(trap: &[u8], cut: Cut) {
    let (world, proxy, writer) = behind_proxy().await;
    proxy.trap(trap, cut);
    let paid = writer.submit(pay("a", 10)).await.unwrap();
    assert_eq!(*proxy.sprung().borrow(), 1, "the connection broke");
    assert_eq!((paid.answer.balance, paid.position.revision), (11, Revision(2)));
    assert_eq!(world.balance("a").await, Some(11));
    assert_eq!(world.log().await, [r#"["a",1]"#, r#"["a",11]"#]);
    assert_eq!(
        writer.submit(pay("a", 1)).await.unwrap().position.revision,
        Revision(3)
    );
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_and_not_repeated() {
    written_once_in_spite_of(b"COMMIT", Cut::AfterTheAnswer).await;
}

#[tokio::test]
async fn a_commit_that_never_arrived_is_run_again() {
    written_once_in_spite_of(b"COMMIT", Cut::Before).await;
}

#[tokio::test]
async fn a_commit_on_a_half_open_connection_is_run_again() {
    written_once_in_spite_of(b"COMMIT", Cut::Silently).await;
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_commit_is_replaced() {
    written_once_in_spite_of(b"BEGIN", Cut::AfterTheAnswer).await;
    written_once_in_spite_of(b"BEGIN", Cut::Before).await;
}

#[tokio::test]
async fn a_half_open_connection_never_hangs_the_writer() {
    written_once_in_spite_of(b"BEGIN", Cut::Silently).await;
}

#[tokio::test]
async fn half_open_readers_are_replaced() {
    let world = World::on(Scratch::postgres().await).await;
    let (proxy, url) = Proxy::before(world.scratch.url()).await;
    let database = Database::open(&url.parse().unwrap(), &MIGRATIONS).await.unwrap();
    let mut tx = database.read().await.unwrap();
    tx.head().await.unwrap();
    proxy.silence();
    assert!(matches!(tx.head().await, Err(StoreError::Unavailable(_))));
    drop(tx);
    database.head().await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_to_a_batch_that_changed_nothing_repeats_only_the_question() {
    let (world, proxy, writer) = behind_proxy().await;
    proxy.trap(b"COMMIT", Cut::AfterTheAnswer);
    assert!(matches!(
        writer.submit(pay("a", -5)).await,
        Err(SubmitError::Refused(_))
    ));
    assert_eq!(world.log().await.len(), 1);
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_crash_of_the_server() {
    let server = postgres::Server::start().await;
    let at = server.database().await.parse().unwrap();
    let database = Database::migrate(&at, &MIGRATIONS).await.unwrap();
    let world = World {
        scratch: Scratch::sqlite(),
        database,
    };
    let writer = world.writer();
    for _ in 0..20 {
        writer.submit(pay("a", 1)).await.unwrap();
    }
    server.crash_and_restart();
    assert_eq!(
        writer.submit(pay("a", 1)).await.unwrap().position.revision,
        Revision(21)
    );
    assert_eq!(world.log().await.len(), 21);
}
