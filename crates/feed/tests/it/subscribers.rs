//! Who follows, and who has applied what.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, Stream, StreamExt as _};
use greenstar_feed::follow::{Cause, Rejection};
use greenstar_feed::{
    Ack, Convergence, Feed, FeedError, Filter, Inbound, Known, Open, Outbound, Replica, Report, Siblings,
    State, Subscriber, Subscribers,
};
use greenstar_kernel::{Epoch, ManualClock, Position, Revision, Timestamp};
use greenstar_testkit::Scratch;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::notes::{NoteSource, World};

pub(crate) type Told = Result<Outbound<(String, Revision)>, FeedError>;

/// A replica of the source, whose clock stands.
pub(crate) struct Source {
    feed: Feed,
    pub(crate) subscribers: Subscribers,
    clock: Arc<ManualClock>,
}

impl Source {
    pub(crate) async fn start(world: &World, id: &str, siblings: Option<Arc<dyn Siblings>>) -> Source {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000)));
        let batches = world.writer.batches();
        let feed = Feed::start(world.database.clone(), batches, clock.clone(), None)
            .await
            .unwrap();
        let replica = Replica {
            id: id.to_owned(),
            url: Some(format!("memory://{id}")),
        };
        let subscribers = Subscribers::start(&feed, replica, siblings).await.unwrap();
        Source {
            feed,
            subscribers,
            clock,
        }
    }

    pub(crate) fn open(&self, open: Open) -> Watch {
        let (say, mut said) = mpsc::unbounded_channel();
        let inbound = futures::stream::poll_fn(move |context| said.poll_recv(context)).map(Ok::<_, ()>);
        say.send(Inbound::Open(open)).unwrap();
        Watch {
            say,
            told: Box::pin(self.subscribers.watch(Arc::new(NoteSource::default()), inbound)),
        }
    }

    fn follow(&self, name: &str, from: &Position, fences_after: Option<Duration>) -> Watch {
        self.open(named(name, Some(from.clone()), fences_after))
    }

    pub(crate) async fn wait(&self, position: &Position, millis: u64) -> Convergence {
        let deadline = Instant::now() + Duration::from_millis(millis);
        let mut answers = Box::pin(self.subscribers.converge(position.clone(), deadline));
        let mut last = None;
        while let Some(answer) = answers.next().await {
            let answer = answer.unwrap();
            assert!(last.as_ref().is_none_or(|before: &Convergence| !before.last));
            last = Some(answer);
        }
        let last = last.unwrap();
        assert!(last.last);
        last
    }
}

pub(crate) fn named(name: &str, from: Option<Position>, fences_after: Option<Duration>) -> Open {
    let name = name.into();
    Open {
        from,
        subscriber: Some(Subscriber { name, fences_after }),
        filter: Filter::default(),
        claims: true,
    }
}

pub(crate) struct Watch {
    say: mpsc::UnboundedSender<Inbound>,
    told: Pin<Box<dyn Stream<Item = Told> + Send>>,
}

impl Watch {
    pub(crate) async fn next(&mut self) -> Told {
        let next = tokio::time::timeout(Duration::from_secs(20), self.told.next());
        next.await.unwrap().unwrap()
    }

    /// Takes what it is told up to `to`.
    pub(crate) async fn take(&mut self, to: &Position) {
        while !matches!(self.next().await.unwrap(), Outbound::Frame(frame) if frame.to >= to.revision) {}
    }

    /// Takes the frames of it, acknowledges, and takes the next idle frame, before which that was heard.
    async fn apply(&mut self, to: &Position) {
        self.take(to).await;
        self.ack(Ack::up_to(to.revision)).await;
    }

    async fn ack(&mut self, ack: Ack) {
        self.say.send(Inbound::Ack(ack)).unwrap();
        self.next().await.unwrap();
    }

    async fn error(&mut self) -> FeedError {
        loop {
            if let Err(error) = self.next().await {
                return error;
            }
        }
    }
}

pub(crate) fn states(convergence: &Convergence) -> Vec<(&str, State)> {
    let states = convergence.subscribers.iter();
    states.map(|standing| (&*standing.name, standing.state)).collect()
}

#[tokio::test]
async fn whoever_is_silent_rejects_or_is_fenced_is_named_and_only_the_fenced_one_is_passed_over() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let world = World::on(scratch).await;
        let source = Source::start(&world, "one", None).await;
        let start = world.database.head().await.unwrap();
        let promise = Some(Duration::from_secs(7));
        let mut quick = source.follow("policy/1", &start, promise);
        let mut silent = source.follow("licensing/silent", &start, None);
        let mut rejecting = source.follow("finance/rejecting", &start, None);
        let mut gone = source.follow("policy/2", &start, promise);
        let head = world.set(&["a"]).await;
        for watch in [&mut silent, &mut rejecting, &mut gone] {
            watch.take(&head).await;
        }
        quick.apply(&head).await;
        let refusal = Rejection {
            revision: head.revision,
            reason: "it knows no such kind".to_owned(),
        };
        let rejection = Some(refusal.clone());
        let revision = start.revision;
        rejecting.ack(Ack { revision, rejection }).await;
        drop(gone);

        let waited = source.wait(&head, 300).await;
        assert!(!waited.converged);
        assert_eq!(
            states(&waited),
            [
                ("finance/rejecting", State::Rejected),
                ("licensing/silent", State::Laggard),
                ("policy/1", State::Converged),
                ("policy/2", State::Disconnected),
            ]
        );
        assert_eq!(waited.subscribers[0].rejection, Some(refusal));
        assert_eq!((waited.subscribers[1].lag, waited.subscribers[1].took), (1, None));
        assert!(waited.took.is_some() && waited.subscribers[2].took.is_some());

        // The one that promised to answer nothing as fresh is fenced by its own silence.
        source.clock.advance(Duration::from_secs(9));
        silent.ack(Ack::up_to(head.revision)).await;
        rejecting.ack(Ack::up_to(head.revision)).await;
        let waited = source.wait(&head, 20_000).await;
        assert!(waited.converged, "{waited:?}");
        let fenced = &waited.subscribers[3];
        assert_eq!((&*fenced.name, fenced.state), ("policy/2", State::Fenced));
        let census = source.subscribers.census();
        assert_eq!(
            (census.live, census.silent, census.fenced, census.lag),
            (3, 0, 1, 0)
        );
        let all = waited.subscribers[..3].iter();
        assert!(all.into_iter().all(|standing| standing.state == State::Converged));
        source.feed.close().await;
    }
}

#[tokio::test]
async fn a_second_watch_of_a_name_ends_the_first_here_and_at_a_sibling() {
    let world = World::on(Scratch::postgres().await).await;
    let (one, two) = (
        Source::start(&world, "one", None).await,
        Source::start(&world, "two", None).await,
    );
    let head = world.set(&["a"]).await;
    let mut first = one.follow("policy/1", &head, None);
    first.next().await.unwrap();
    let mut second = one.follow("policy/1", &head, None);
    second.next().await.unwrap();
    assert!(matches!(first.error().await, FeedError::Replaced));
    let mut third = two.follow("policy/1", &head, None);
    third.next().await.unwrap();
    assert!(matches!(second.error().await, FeedError::Replaced));
    third.next().await.unwrap();
}

#[tokio::test]
async fn a_registration_outlives_the_program_and_ends_when_it_is_removed() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let world = World::on(scratch).await;
        let source = Source::start(&world, "one", None).await;
        let head = world.set(&["a"]).await;
        let mut watch = source.follow("licensing/1", &head, None);
        watch.next().await.unwrap();
        source.feed.close().await;
        drop(watch);

        let source = Source::start(&world, "one", None).await;
        let listed = source.subscribers.list().await.unwrap();
        let [(standing, filter)] = listed.subscribers.as_slice() else {
            panic!("{listed:?}")
        };
        assert_eq!(
            (&*standing.name, standing.state),
            ("licensing/1", State::Disconnected)
        );
        assert_eq!(
            (standing.lag, filter),
            (1, &Filter::default()),
            "nobody knows what it has"
        );
        // It comes back and says where it stands.
        let mut watch = source.follow("licensing/1", &head, None);
        watch.next().await.unwrap();
        assert!(source.wait(&head, 5_000).await.converged);

        assert!(matches!(
            source.subscribers.remove("licensing/1").await,
            Err(FeedError::SubscriberConnected)
        ));
        drop(watch);
        source.subscribers.remove("licensing/1").await.unwrap();
        assert!(source.subscribers.list().await.unwrap().subscribers.is_empty());
        assert!(matches!(
            source.subscribers.remove("licensing/1").await,
            Err(FeedError::SubscriberUnknown)
        ));
        source.feed.close().await;
    }
}

#[tokio::test]
async fn who_is_refused_is_not_registered() {
    let world = World::on(Scratch::sqlite()).await;
    let source = Source::start(&world, "one", None).await;
    let head = world.set(&["a"]).await;
    let foreign = Position {
        epoch: Epoch::parse("another").unwrap(),
        revision: Revision(1),
    };
    assert!(matches!(
        source.follow("licensing/1", &foreign, None).error().await,
        FeedError::Foreign
    ));
    let ahead = Position {
        revision: head.revision.next(),
        ..head.clone()
    };
    assert!(matches!(
        source.follow("licensing/1", &ahead, None).error().await,
        FeedError::Ahead
    ));
    assert!(source.subscribers.list().await.unwrap().subscribers.is_empty());
    // Nor is an acknowledgement believed that cannot be.
    let mut watch = source.follow("licensing/1", &head, None);
    watch.next().await.unwrap();
    let early = Inbound::Ack(Ack::up_to(Revision(99)));
    watch.say.send(early).unwrap();
    assert!(matches!(
        watch.error().await,
        FeedError::AcknowledgementAhead { sent } if sent == head.revision
    ));
    let gone = source
        .subscribers
        .acknowledge("licensing/1", Ack::up_to(head.revision), false)
        .await;
    assert!(matches!(gone, Err(FeedError::SubscriberUnknown)));
}

#[tokio::test]
async fn a_replica_that_may_still_answer_as_fresh_cannot_be_removed() {
    let world = World::on(Scratch::sqlite()).await;
    let source = Source::start(&world, "one", None).await;
    let head = world.set(&["a"]).await;
    let mut watch = source.follow("policy/1", &head, Some(Duration::from_secs(7)));
    watch.next().await.unwrap();
    let remove = || source.subscribers.remove("policy/1");
    assert!(matches!(remove().await, Err(FeedError::SubscriberConnected)));
    drop(watch);
    assert!(matches!(remove().await, Err(FeedError::SubscriberConnected)));
    source.clock.advance(Duration::from_secs(9));
    remove().await.unwrap();
}

/// Its subscribers would be fenced by its siblings, and answer as fresh all the same.
#[tokio::test]
async fn a_replica_that_reads_and_cannot_renew_speaks_of_no_fresher_head_than_that() {
    let world = World::on(Scratch::sqlite()).await;
    let source = Source::start(&world, "one", None).await;
    let head = world.set(&["a"]).await;
    let mut watch = source.follow("policy/1", &head, Some(Duration::from_secs(7)));
    let mut nameless = source.open(Open::at(Some(head.clone())));
    watch.next().await.unwrap();
    let mut tx = world.database.write().await.unwrap();
    tx.run("ALTER TABLE replica RENAME TO lost", &[]).await.unwrap();
    tx.commit().await.unwrap();
    source.clock.advance(Duration::from_secs(3));
    source.feed.sync(None).await.unwrap();
    for (watch, age) in [(&mut watch, 3), (&mut nameless, 0)] {
        watch.say.send(Inbound::Ping { nonce: 1 }).unwrap();
        let head_age = loop {
            if let Outbound::Pong { head_age, .. } = watch.next().await.unwrap() {
                break head_age;
            }
        };
        assert_eq!(head_age, Duration::from_secs(age));
    }
}

#[tokio::test]
async fn a_replica_says_whom_it_does_not_speak_for_any_more() {
    let world = World::on(Scratch::postgres().await).await;
    let (one, two) = (
        Source::start(&world, "one", None).await,
        Source::start(&world, "two", None).await,
    );
    let head = world.set(&["a"]).await;
    let mut watch = two.follow("policy/1", &head, None);
    watch.next().await.unwrap();
    let mut reports = Box::pin(two.subscribers.reports());
    let first = reports.next().await.unwrap();
    assert!(first.whole && first.known[0].1.connected);
    assert_eq!(first.epoch, head.epoch);
    let mut watch = one.follow("policy/1", &head, None);
    watch.next().await.unwrap();
    loop {
        let report = reports.next().await.unwrap();
        assert!(!report.whole);
        if report.known == [("policy/1".into(), Known::default())] {
            break;
        }
    }
}

/// The other replicas, in this process. One that was taken out cannot be asked.
#[derive(Debug, Default)]
struct Neighbours(Mutex<std::collections::BTreeMap<String, Subscribers>>);

impl Siblings for Neighbours {
    fn reports(&self, url: &str) -> BoxStream<'static, Result<Report, Cause>> {
        match self.0.lock().unwrap().get(url) {
            Some(other) => other.reports().map(Ok).boxed(),
            None => futures::stream::once(async { Err(Cause::from("it is gone")) }).boxed(),
        }
    }

    fn acknowledge(&self, url: &str, name: &str, ack: Ack) -> BoxFuture<'static, Result<(), FeedError>> {
        let (other, name) = (self.0.lock().unwrap()[url].clone(), name.to_owned());
        async move { other.acknowledge(&name, ack, false).await }.boxed()
    }
}

#[tokio::test]
async fn who_is_connected_to_another_replica_is_asked_for_there() {
    let world = World::on(Scratch::postgres().await).await;
    let neighbours = Arc::new(Neighbours::default());
    let one = Source::start(&world, "one", Some(neighbours.clone())).await;
    let two = Source::start(&world, "two", Some(neighbours.clone())).await;
    let url = "memory://two".to_owned();
    neighbours
        .0
        .lock()
        .unwrap()
        .insert(url.clone(), two.subscribers.clone());
    let start = world.database.head().await.unwrap();
    let mut watch = two.follow("policy/1", &start, None);
    let head = world.set(&["a"]).await;
    watch.take(&head).await;
    let waiting = one.wait(&head, 20_000);
    let applying = async {
        let early = one.wait(&head, 200).await;
        assert_eq!(states(&early), [("policy/1", State::Laggard)]);
        // By a call of its own, which comes to the other replica.
        let ack = Ack::up_to(head.revision);
        one.subscribers.acknowledge("policy/1", ack, true).await.unwrap();
    };
    let (waited, ()) = tokio::join!(waiting, applying);
    assert!(waited.converged, "{waited:?}");
    assert!(waited.took.is_some(), "late when it was asked for");

    // A replica that holds a lease and does not answer may hold a laggard: that is no convergence.
    neighbours.0.lock().unwrap().remove(&url);
    let waited = one.wait(&head, 500).await;
    assert!(!waited.converged);
    assert_eq!(waited.unreachable, ["two"]);
    // It stops, and its subscriber comes over.
    two.feed.close().await;
    drop(watch);
    let mut watch = one.follow("policy/1", &head, None);
    watch.next().await.unwrap();
    assert!(one.wait(&head, 10_000).await.converged);
}

#[tokio::test]
async fn what_was_rejected_comes_again_and_is_named_until_it_is_acknowledged() {
    let world = World::on(Scratch::sqlite()).await;
    let source = Source::start(&world, "one", None).await;
    let start = world.database.head().await.unwrap();
    let head = world.set(&["a"]).await;
    let refusal = Rejection {
        revision: head.revision,
        reason: "it knows no such kind".to_owned(),
    };
    let mut watch = source.follow("policy/1", &start, None);
    watch.take(&head).await;
    let (revision, rejection) = (start.revision, Some(refusal.clone()));
    watch.ack(Ack { revision, rejection }).await;
    // It reconnects from where it stands, and has not changed its mind yet.
    let mut watch = source.follow("policy/1", &start, None);
    watch.take(&head).await;
    let waited = source.wait(&head, 200).await;
    assert_eq!(states(&waited), [("policy/1", State::Rejected)]);
    assert_eq!(waited.subscribers[0].rejection, Some(refusal));
    watch.ack(Ack::up_to(head.revision)).await;
    let waited = source.wait(&head, 5_000).await;
    assert!(waited.converged && waited.subscribers[0].rejection.is_none());
}

#[tokio::test]
async fn a_subscriber_that_never_acknowledges_neither_keeps_the_log_nor_is_forgotten() {
    let world = World::on(Scratch::sqlite()).await;
    let source = Source::start(&world, "one", None).await;
    let start = world.database.head().await.unwrap();
    let mut silent = source.follow("licensing/silent", &start, None);
    for _ in 0..3 {
        world.set(&["a"]).await;
    }
    let head = world.database.head().await.unwrap();
    silent.take(&head).await;
    let mut tx = world.database.write().await.unwrap();
    tx.run("DELETE FROM change_log WHERE revision <= 2", &[])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let after = world.set(&["b"]).await;
    silent.take(&after).await;
    let listed = source.subscribers.list().await.unwrap();
    let (standing, _) = &listed.subscribers[0];
    // The lag is counted by the log's own revisions, whatever is kept of it.
    assert_eq!(
        (standing.state, standing.lag),
        (State::Laggard, after.revision.0 - start.revision.0)
    );
}

#[tokio::test]
async fn acknowledgements_that_come_faster_than_they_count_are_merged_and_none_is_refused() {
    let world = World::on(Scratch::sqlite()).await;
    let source = Source::start(&world, "one", None).await;
    let start = world.database.head().await.unwrap();
    let mut watch = source.follow("policy/1", &start, None);
    let names: Vec<String> = (0..2_000).map(|n| format!("n{n}")).collect();
    let head = world
        .set(&names.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    watch.take(&head).await;
    let mut reports = Box::pin(source.subscribers.reports());
    assert!(reports.next().await.unwrap().whole);
    for revision in start.revision.0 + 1..=head.revision.0 {
        let ack = Ack::up_to(Revision(revision));
        watch.say.send(Inbound::Ack(ack)).unwrap();
    }
    let hearing = async { while watch.next().await.is_ok() {} };
    let counting = async {
        for count in 1.. {
            let report = reports.next().await.unwrap();
            if report.known[0].1.acknowledged == head.revision {
                return count;
            }
        }
        unreachable!("reports go on")
    };
    let count = tokio::select! {
        count = counting => count,
        () = hearing => panic!("the watch ended"),
    };
    assert!(count < 1_000, "{count} reports of 2,000 acknowledgements");
}

#[tokio::test]
async fn what_was_applied_of_a_lost_life_of_the_log_counts_for_nothing() {
    let world = World::on(Scratch::sqlite()).await;
    let source = Source::start(&world, "one", None).await;
    let start = world.database.head().await.unwrap();
    let mut watch = source.follow("policy/1", &start, None);
    world.set(&["a"]).await;
    let head = world.set(&["b"]).await;
    watch.apply(&head).await;
    assert!(source.wait(&head, 5_000).await.converged);
    let mut reports = Box::pin(source.subscribers.reports());
    assert_eq!(
        reports.next().await.unwrap().known[0].1.acknowledged,
        head.revision
    );
    // A backup is put back, and the log goes on from there.
    let mut tx = world.database.write().await.unwrap();
    tx.run("DELETE FROM change_log WHERE revision = 2", &[])
        .await
        .unwrap();
    tx.run("UPDATE change_head SET epoch = 'restored', revision = 1", &[])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    source.feed.sync(None).await.unwrap();
    let again = world.set(&["c"]).await;
    assert_eq!(again.revision, head.revision);
    // Its siblings are told all of this life, which is nothing.
    while reports.next().await.unwrap().epoch != again.epoch {}
    let waited = source.wait(&again, 300).await;
    assert_eq!(states(&waited), [("policy/1", State::Disconnected)]);
    assert!(matches!(watch.error().await, FeedError::Foreign));
    let mut watch = source.open(named("policy/1", None, None));
    while !matches!(watch.next().await.unwrap(), Outbound::SnapshotEnd { .. }) {}
    watch.ack(Ack::up_to(again.revision)).await;
    assert!(source.wait(&again, 5_000).await.converged);
}
