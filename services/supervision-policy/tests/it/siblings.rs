//! Several replicas of the service over one database.

use greenstar_store::Database;
use greenstar_supervision_policy::{MIGRATIONS, RecordSettings};
use greenstar_testkit::Scratch;
use tokio::net::TcpListener;
use tonic::Code;

use crate::server::{Ask, FIRM, Server, Sources, refusal, refused};

async fn replica(sources: &Sources, scratch: &Scratch, name: &str) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let record = RecordSettings::in_folder(scratch.dir().join(name).join("records"));
    let server = Server::start_on(listener, sources, scratch, record).await;
    server.supervision.caught_up().await;
    server
}

#[tokio::test]
async fn a_replica_asks_the_writer_of_a_decision_and_knows_not_only_when_the_writer_does() {
    let (sources, scratch) = (Sources::start().await, Scratch::postgres().await);
    sources.star(FIRM, 5).await;
    let one = replica(&sources, &scratch, "one").await;
    let two = replica(&sources, &scratch, "two").await;
    // Nothing can be shipped.
    let database = Database::open(&scratch.url().parse().unwrap(), &MIGRATIONS)
        .await
        .unwrap();
    let mut held = database.write().await.unwrap();
    held.run("LOCK TABLE decision IN EXCLUSIVE MODE", &[])
        .await
        .unwrap();

    let permit = one.permit(FIRM, "eia-approval", Ask::LATEST).await.unwrap();
    let name = permit.decision;
    let at_writer = one.recorded("licensing", &name).await.unwrap();
    assert_eq!(two.recorded("licensing", &name).await.unwrap(), at_writer);
    let unknown = refused(Code::NotFound, "DECISION_UNKNOWN");
    assert_eq!(refusal(two.recorded("finance", &name).await), unknown);
    let (writer, _) = name.rsplit_once('-').unwrap();
    assert_eq!(
        refusal(two.recorded("licensing", &format!("{writer}-2")).await),
        unknown
    );

    // The writer is away, and nobody else can say.
    one.stop().await;
    let away = refused(Code::Unavailable, "SERVICE_UNAVAILABLE");
    assert_eq!(refusal(two.recorded("licensing", &name).await), away);
    assert_eq!(
        refusal(two.recorded("licensing", &format!("{writer}-2")).await),
        away
    );

    drop(held);
    let one = replica(&sources, &scratch, "one").await;
    one.stop().await;
    assert_eq!(two.recorded("licensing", &name).await.unwrap(), at_writer);
    assert_eq!(
        refusal(two.recorded("licensing", &format!("{writer}-2")).await),
        unknown
    );
    two.stop().await;
    database.close().await;
}
