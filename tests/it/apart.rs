//! The services as they run in production: each behind a port of its own, on PostgreSQL, a gateway in front.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use greenstar_gateway::{Gateway, Upstream};
use greenstar_kernel::{Clock, SystemClock};
use greenstar_rating::Rating;
use greenstar_rpc::{Client, Credentials, Limits, channel, credentials, with_credential};
use greenstar_sanctions::Sanctions;
use greenstar_standalone::Places;
use greenstar_store::{Database, Migrations};
use greenstar_supervision_policy::{Deps, RecordSettings, Supervision};
use greenstar_testkit::Logs;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::door::Door;
use crate::everywhere::the_headline;

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn database(migrations: &Migrations) -> Database {
    let url = greenstar_testkit::postgres::database().await;
    Database::migrate(&url.parse().unwrap(), migrations)
        .await
        .unwrap()
}

async fn supervision(folder: &Path, rating: SocketAddr, sanctions: SocketAddr) -> Supervision {
    let secret = Places::new(folder).secret("supervision-policy").unwrap();
    let follow = |address: SocketAddr| -> Client {
        with_credential(channel(&format!("http://{address}")).unwrap(), &secret).unwrap()
    };
    Supervision::start(Deps {
        database: database(&greenstar_supervision_policy::MIGRATIONS).await,
        clock: clock(),
        rating: follow(rating),
        sanctions: follow(sanctions),
        record: RecordSettings::in_folder(folder.join("records")),
        snapshot: Some(folder.join("view")),
        compare_every: Duration::from_millis(300),
        subscriber: "supervision-policy/1".to_owned(),
        advertise: None,
    })
    .await
    .unwrap()
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

/// Three services and a gateway, each on its own port.
async fn apart() -> (Door, DropGuard) {
    let folder = tempfile::tempdir().unwrap();
    let names = [
        "licensing",
        "licensing/2",
        "finance",
        "enforcement",
        "enforcement/2",
        "rating",
        "rating/2",
        "supervision-policy",
    ];
    credentials::create(&Places::new(folder.path()).credentials(), &names).unwrap();
    let known = Arc::new(Credentials::read(&Places::new(folder.path()).credentials()).unwrap());
    let stop = CancellationToken::new();

    let rating = Rating::start(database(&greenstar_rating::MIGRATIONS).await, clock())
        .await
        .unwrap();
    rating.load_sample(None).await.unwrap();
    let (listener, rating_at) = listen().await;
    tokio::spawn(greenstar_rating::serve(
        rating,
        known.clone(),
        listener,
        stop.clone(),
    ));

    let sanctions = Sanctions::start(database(&greenstar_sanctions::MIGRATIONS).await, clock())
        .await
        .unwrap();
    let (listener, sanctions_at) = listen().await;
    tokio::spawn(greenstar_sanctions::serve(
        sanctions,
        known.clone(),
        listener,
        stop.clone(),
    ));

    let policies = supervision(folder.path(), rating_at, sanctions_at).await;
    let (listener, supervision_at) = listen().await;
    tokio::spawn(greenstar_supervision_policy::serve(
        policies.clone(),
        known,
        listener,
        stop.clone(),
    ));
    policies.caught_up().await;

    let upstreams = [
        ("rating", "greenstar.rating.v1", rating_at),
        ("sanctions", "greenstar.sanctions.v1", sanctions_at),
        ("supervision-policy", "greenstar.supervision.v1", supervision_at),
    ];
    let upstreams = upstreams
        .into_iter()
        .map(|(name, package, at)| Upstream::remote(name, package, &format!("http://{at}")).unwrap())
        .collect();
    let (listener, door_at) = listen().await;
    let gateway = Gateway::new(upstreams, Limits::default());
    let serving = stop.clone();
    tokio::spawn(async move { gateway.serve(listener, serving).await });
    (
        Door::at(&format!("http://{door_at}"), folder, Box::new(())),
        stop.drop_guard(),
    )
}

#[tokio::test]
async fn services_apart_on_postgresql_answer_as_one_process_does() {
    let (door, _running) = apart().await;
    for (star, count) in [(5, 8), (4, 60), (3, 5)] {
        assert_eq!(door.listed(star).await.len(), count);
    }
    the_headline(&door).await;
}

#[tokio::test]
async fn what_is_followed_is_row_by_row_what_a_snapshot_says() {
    let logs = Logs::keep();
    let (door, _running) = apart().await;
    let compared = |log: &str| {
        let log = format!("log=\"{log}\"");
        logs.lines(&["the view is what its source says", &log]).len()
    };
    // Flags come and go, and stars with them.
    the_headline(&door).await;
    let before = [compared("rating"), compared("sanctions")];
    let again = async {
        while compared("rating") == before[0] || compared("sanctions") == before[1] {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), again).await.unwrap();
    assert_eq!(logs.lines(&["ALARM"]), Vec::<String>::new());
}
