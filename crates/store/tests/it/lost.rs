//! Connections that break at the worst moment, on a real PostgreSQL behind a proxy.

use greenstar_kernel::Revision;
use greenstar_store::{Database, StoreError, SubmitError, Writer};
use greenstar_testkit::{Cut, Proxy, Scratch, postgres};

use crate::book::{Book, MIGRATIONS, World, clock, pay};

/// To its end: BEGIN says READ COMMITTED.
const COMMIT: &[u8] = b"COMMIT\0";

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
    let mut batches = writer.batches();
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
    // Handed over as committed: once each, in order, and as the log has them.
    for after in [1, 2] {
        let batch = batches.try_recv().unwrap();
        assert_eq!((batch.after, batch.to()), (Revision(after), Revision(after + 1)));
        let entries = world.database.changes(batch.after, 1).await.unwrap();
        assert_eq!(*batch.entries[0], entries[0]);
    }
    assert!(batches.try_recv().is_err());
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_and_not_repeated() {
    written_once_in_spite_of(COMMIT, Cut::AfterTheAnswer).await;
}

#[tokio::test]
async fn a_commit_that_never_arrived_is_run_again() {
    written_once_in_spite_of(COMMIT, Cut::Before).await;
}

#[tokio::test]
async fn a_commit_on_a_half_open_connection_is_run_again() {
    written_once_in_spite_of(COMMIT, Cut::Silently).await;
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
    proxy.trap(COMMIT, Cut::AfterTheAnswer);
    assert!(matches!(
        writer.submit(pay("a", -5)).await,
        Err(SubmitError::Refused(_))
    ));
    assert_eq!(world.log().await.len(), 1);
}

#[tokio::test]
async fn an_outcome_that_cannot_be_looked_up_is_said_to_be_unknown_and_a_repeat_is_safe() {
    let (world, proxy, writer) = behind_proxy().await;
    proxy.trap(COMMIT, Cut::AfterTheAnswer);
    let mut sprung = proxy.sprung();
    let asked = tokio::spawn(async move { writer.submit(pay("a", 10).id("r")).await });
    sprung.changed().await.unwrap();
    // Nobody to ask any more.
    drop(proxy);
    let answer = asked.await.unwrap();
    assert!(
        matches!(answer, Err(SubmitError::Store(StoreError::OutcomeUnknown(_)))),
        "{answer:?}"
    );
    let again = world.writer().submit(pay("a", 10).id("r")).await.unwrap();
    assert_eq!((again.answer.balance, again.position.revision), (11, Revision(2)));
    assert_eq!(world.log().await.len(), 2);
}

#[tokio::test]
async fn a_session_has_the_limits_of_the_protocol() {
    let world = World::on(Scratch::postgres().await).await;
    let limits = "SELECT current_setting('lock_timeout') AS lock, \
         current_setting('idle_in_transaction_session_timeout') AS idle, \
         current_setting('tcp_user_timeout') AS tcp, current_setting('synchronous_commit') AS durable";
    for tx in [world.database.read().await, world.database.write().await] {
        let row = tx.unwrap().row(limits, &[]).await.unwrap().unwrap();
        let limits = ["lock", "idle", "tcp", "durable"].map(|name| row.get::<String>(name).unwrap());
        assert_eq!(limits, ["2s", "5s", "5000", "on"]);
    }
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
