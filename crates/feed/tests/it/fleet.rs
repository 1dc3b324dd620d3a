//! Several replicas of one service on one PostgreSQL, with a Redis between them.

use std::time::Duration;

use greenstar_feed::{FanOut, Feed, Figures};
use greenstar_kernel::{Position, Revision};
use greenstar_store::{Database, Writer};
use greenstar_testkit::{Proxy, Scratch, redis};

use crate::notes::{Book, Follower, MIGRATIONS, NoteSource, clock, notes_in, set};

/// Long enough for a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);

/// One replica: its writer, its feed, and a subscriber that reads from the beginning of the log.
pub(crate) struct Replica {
    pub(crate) database: Database,
    pub(crate) writer: Writer<Book>,
    pub(crate) feed: Feed,
    pub(crate) follower: Follower,
}

impl Replica {
    /// Without `redis_url` it hears of its siblings by polling.
    pub(crate) async fn start(database_url: &str, redis_url: Option<&str>) -> Replica {
        let database = Database::migrate(&database_url.parse().unwrap(), &MIGRATIONS)
            .await
            .unwrap();
        let writer = Writer::start(database.clone(), Book, clock());
        let feed = start_feed(&database, &writer, redis_url).await;
        let from = Position {
            epoch: feed.head().epoch,
            revision: Revision::ZERO,
        };
        let follower = Follower::open(&feed, Some(from), NoteSource::default());
        Replica {
            database,
            writer,
            feed,
            follower,
        }
    }

    pub(crate) async fn set(&self, names: &[&str]) -> Revision {
        self.writer.submit(set(names)).await.unwrap().position.revision
    }

    pub(crate) fn figures(&self) -> Figures {
        self.feed.figures()
    }

    /// Waits until Redis is in use, as after a start.
    pub(crate) async fn connected(&self) {
        self.until(|figures| figures.connected).await;
    }

    /// Waits for something that happens without being asked for.
    pub(crate) async fn until(&self, met: impl Fn(&Figures) -> bool) {
        let mut look = tokio::time::interval(Duration::from_millis(2));
        let waited = tokio::time::timeout(PATIENCE, async {
            while !met(&self.figures()) {
                look.tick().await;
            }
        });
        assert!(waited.await.is_ok(), "waited in vain: {:?}", self.figures());
    }

    /// The subscriber reads up to `to`, and then knows what the database knows.
    pub(crate) async fn reach(&mut self, to: Revision) {
        tokio::time::timeout(PATIENCE, self.follower.reach(to))
            .await
            .unwrap();
        if self.database.head().await.unwrap().revision == to {
            assert_eq!(self.follower.notes, notes_in(&self.database).await);
        }
    }

    /// As after a restart of the process: what the feed held in memory is gone, its subscribers come again.
    pub(crate) async fn restart(&mut self, redis_url: Option<&str>) {
        self.feed.close().await;
        self.feed = start_feed(&self.database, &self.writer, redis_url).await;
        self.follower.reopen(&self.feed);
    }
}

async fn start_feed(database: &Database, writer: &Writer<Book>, redis_url: Option<&str>) -> Feed {
    let fan_out = redis_url.map(|url| FanOut::new(url, "notes").unwrap());
    Feed::start(database.clone(), writer.batches(), clock(), fan_out)
        .await
        .unwrap()
}

/// Replicas on a database of their own, all connected.
pub(crate) async fn fleet(count: usize, redis_url: &str) -> (Scratch, Vec<Replica>) {
    let scratch = Scratch::postgres().await;
    let mut replicas = Vec::new();
    for _ in 0..count {
        replicas.push(Replica::start(scratch.url(), Some(redis_url)).await);
    }
    for replica in &replicas {
        replica.connected().await;
    }
    (scratch, replicas)
}

/// One after the other commits, and all subscribers read it.
pub(crate) async fn take_turns(replicas: &mut [Replica], rounds: usize) {
    for n in 0..rounds {
        let to = replicas[n % replicas.len()].set(&["a", "b"]).await;
        for replica in &mut *replicas {
            replica.reach(to).await;
        }
    }
}

/// Redis is in use again without help: before long each hears of the others by it.
pub(crate) async fn heard_again(replicas: &mut [Replica]) {
    let heard = |replicas: &[Replica]| -> Vec<u64> {
        replicas.iter().map(|replica| replica.figures().heard).collect()
    };
    let before = heard(replicas);
    let waited = tokio::time::timeout(PATIENCE, async {
        while heard(replicas)
            .iter()
            .zip(&before)
            .any(|(now, before)| *now < before + 5)
        {
            take_turns(replicas, 4).await;
        }
    });
    assert!(
        waited.await.is_ok(),
        "{:?}",
        replicas.iter().map(Replica::figures).collect::<Vec<_>>()
    );
}

/// A client of the test's own.
pub(crate) async fn client(server: &redis::Server) -> ::redis::aio::MultiplexedConnection {
    let client = ::redis::Client::open(server.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// The frames that the stream of `replica`'s log holds: `(after, to]`.
pub(crate) async fn in_stream(server: &redis::Server, replica: &Replica) -> Vec<(u64, u64)> {
    type Entries = Vec<std::collections::HashMap<String, std::collections::HashMap<String, Vec<u8>>>>;
    let mut range = ::redis::cmd("XRANGE");
    range.arg(key(replica)).arg("-").arg("+");
    let found: Entries = range.query_async(&mut client(server).await).await.unwrap();
    let frame = |(id, fields): (String, std::collections::HashMap<String, Vec<u8>>)| {
        let after = std::str::from_utf8(&fields["after"]).unwrap().parse().unwrap();
        (after, id.strip_suffix("-0").unwrap().parse().unwrap())
    };
    found.into_iter().flatten().map(frame).collect()
}

pub(crate) fn key(replica: &Replica) -> String {
    format!("feed:notes:{}", replica.feed.head().epoch)
}

/// Takes revisions beyond `head` out of the log, as a restore of an older copy does.
pub(crate) async fn restore(database: &Database, head: Revision, epoch: Option<&str>) {
    let mut tx = database.write().await.unwrap();
    for sql in [
        "DELETE FROM change_log WHERE revision > $1",
        "DELETE FROM note WHERE revision > $1",
        "UPDATE change_head SET revision = $1",
    ] {
        tx.run(sql, &[head.into()]).await.unwrap();
    }
    if let Some(epoch) = epoch {
        tx.run("UPDATE change_head SET epoch = $1", &[epoch.into()])
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

/// A proxy before `redis`, and the URL through it.
pub(crate) async fn proxied(redis: &redis::Server) -> (Proxy, String) {
    let url = redis.url();
    let port = url.rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::start(std::net::SocketAddr::from(([127, 0, 0, 1], port))).await;
    let url = format!("redis://{}", proxy.address());
    (proxy, url)
}
