use std::sync::{Mutex, MutexGuard};

use futures::StreamExt as _;
use greenstar_kernel::{Epoch, ManualClock};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::*;

const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// One watch, seen from the source.
struct Watch {
    steps: mpsc::Receiver<Step>,
    events: UnboundedSender<Result<Event<u64>, Broken>>,
}

impl Watch {
    fn say(&self, event: Event<u64>) {
        self.events.send(Ok(event)).unwrap();
    }

    fn frame(&self, after: u64, to: u64) {
        let rows = (after + 1..=to).collect();
        let (after, to) = (Revision(after), Revision(to));
        self.say(Event::Frame { after, to, rows });
    }

    async fn opened(&mut self) -> Option<Position> {
        match self.steps.recv().await.unwrap() {
            Step::Open(open) => {
                assert_eq!(&*open.subscriber, "reader/1");
                assert_eq!(open.fences_after, Some(Duration::from_secs(7)));
                open.cursor
            }
            other => panic!("{other:?}"),
        }
    }

    /// The next acknowledgement; pings are passed over.
    async fn acknowledged(&mut self) -> (u64, Option<Rejection>) {
        loop {
            match self.steps.recv().await.unwrap() {
                Step::Acknowledge { revision, rejection } => return (revision.0, rejection),
                Step::Ping(_) => {}
                Step::Open(open) => panic!("{open:?}"),
            }
        }
    }
}

struct Door(UnboundedSender<Watch>);

#[async_trait]
impl Source for Door {
    type Row = u64;

    async fn open(&mut self, steps: mpsc::Receiver<Step>) -> Result<Events<u64>, Broken> {
        let (events, mut told) = unbounded_channel();
        self.0.send(Watch { steps, events }).unwrap();
        let told = futures::stream::poll_fn(move |context| told.poll_recv(context));
        Ok(told.boxed())
    }
}

#[derive(Debug, Default)]
struct Kept {
    at: Option<Position>,
    rows: Vec<u64>,
    /// Another replica has applied up to here.
    sibling: u64,
    /// Cannot be applied.
    refused: Option<u64>,
    failing: bool,
    age: Option<Duration>,
}

#[derive(Clone, Debug, Default)]
struct Shelf(Arc<Mutex<Kept>>);

impl Shelf {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap()
    }
}

#[async_trait]
impl Sink for Shelf {
    type Row = u64;
    type Snapshot = Vec<u64>;

    async fn cursor(&mut self) -> Result<Option<Position>, Refusal> {
        Ok(self.kept().at.clone())
    }

    fn begin(&mut self) -> Vec<u64> {
        Vec::new()
    }

    async fn put(&mut self, snapshot: &mut Vec<u64>, rows: Vec<u64>) -> Result<(), Refusal> {
        snapshot.extend(rows);
        Ok(())
    }

    async fn replace(&mut self, at: Position, snapshot: Vec<u64>) -> Result<(), Refusal> {
        let mut kept = self.kept();
        (kept.at, kept.rows) = (Some(at), snapshot);
        Ok(())
    }

    async fn apply(&mut self, _: Revision, to: Revision, rows: Vec<u64>) -> Result<Revision, Refusal> {
        let mut kept = self.kept();
        if kept.failing {
            return Err(Refusal::Failed("the database is away".into()));
        }
        let refused = kept.refused;
        let fit = rows.iter().copied().take_while(|row| Some(*row) != refused);
        let fit: Vec<u64> = fit.collect();
        let applied = refused
            .filter(|row| rows.contains(row))
            .map_or(to.0, |row| row - 1);
        kept.rows.extend(fit);
        let applied = Revision(applied.max(kept.sibling));
        if let Some(at) = &mut kept.at {
            at.revision = applied;
        }
        match refused {
            Some(row) if rows.contains(&row) => Err(Refusal::Rejected {
                applied,
                rejection: Rejection {
                    revision: Revision(row),
                    reason: "no such document".to_owned(),
                },
            }),
            Some(_) | None => Ok(applied),
        }
    }

    fn set_age(&self, age: Option<Duration>, _: Duration) {
        self.kept().age = age;
    }
}

struct Rig {
    shelf: Shelf,
    clock: Arc<ManualClock>,
    watches: UnboundedReceiver<Watch>,
    asked: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Rig {
    fn start(kept: Kept) -> Rig {
        let (door, watches) = unbounded_channel();
        let shelf = Shelf(Arc::new(Mutex::new(kept)));
        let clock = Arc::new(ManualClock::at(START));
        let subscriber = Subscriber {
            name: "reader/1".into(),
            fences_after: Some(Duration::from_secs(7)),
        };
        let follower = Follower::new(
            Log::Sanctions,
            Door(door),
            shelf.clone(),
            clock.clone(),
            subscriber,
        );
        let asked = follower.starts_over();
        let task = tokio::spawn(follower.run(CancellationToken::new()));
        Rig {
            shelf,
            clock,
            watches,
            asked,
            task,
        }
    }

    async fn watch(&mut self) -> Watch {
        self.watches.recv().await.unwrap()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn at(revision: u64) -> Position {
    Position {
        epoch: Epoch::parse("e").unwrap(),
        revision: Revision(revision),
    }
}

fn standing(revision: u64) -> Kept {
    Kept {
        at: Some(at(revision)),
        ..Kept::default()
    }
}

#[tokio::test]
async fn a_snapshot_and_the_frames_behind_it_are_applied_and_acknowledged() {
    let mut rig = Rig::start(Kept::default());
    let mut watch = rig.watch().await;
    assert_eq!(watch.opened().await, None);
    watch.say(Event::Begin(at(3)));
    watch.say(Event::Rows(vec![1, 2]));
    watch.say(Event::End(2));
    assert_eq!(watch.acknowledged().await, (3, None));
    watch.frame(3, 5);
    watch.frame(5, 5);
    assert_eq!(watch.acknowledged().await, (5, None));
    assert_eq!(rig.shelf.kept().rows, [1, 2, 4, 5]);
}

#[tokio::test]
async fn a_source_that_is_still_at_its_snapshot_sends_no_rows_and_is_waited_for() {
    let mut rig = Rig::start(Kept::default());
    let mut watch = rig.watch().await;
    watch.opened().await;
    watch.say(Event::Rows(vec![]));
    watch.say(Event::Begin(at(3)));
    watch.say(Event::Rows(vec![]));
    watch.say(Event::Rows(vec![1]));
    watch.say(Event::End(1));
    assert_eq!(watch.acknowledged().await, (3, None));
    assert_eq!(rig.shelf.kept().rows, [1]);
}

#[tokio::test]
async fn a_snapshot_with_a_row_missing_is_not_taken() {
    let mut rig = Rig::start(Kept::default());
    let mut watch = rig.watch().await;
    watch.opened().await;
    watch.say(Event::Begin(at(3)));
    watch.say(Event::Rows(vec![1]));
    watch.say(Event::End(2));
    assert_eq!(rig.watch().await.opened().await, None);
    assert_eq!(rig.shelf.kept().at, None);
}

#[tokio::test]
async fn at_most_fifty_acknowledgements_a_second_and_the_last_tells_all() {
    let mut rig = Rig::start(standing(0));
    let mut watch = rig.watch().await;
    watch.opened().await;
    let began = Instant::now();
    let (mut sent, mut told) = (0, 0);
    for _ in 0..10 {
        // Several at once, so that one acknowledgement has to speak for all.
        for revision in sent + 1..=sent + 5 {
            watch.frame(revision - 1, revision);
        }
        sent += 5;
        let before = told;
        told = watch.acknowledged().await.0;
        assert!(told > before && told <= sent, "{told} of {sent}");
    }
    assert!(began.elapsed() >= ACKNOWLEDGE * 9, "{:?}", began.elapsed());
    while told < sent {
        told = watch.acknowledged().await.0;
    }
}

#[tokio::test]
async fn a_gap_opens_the_watch_again_from_where_the_sink_stands() {
    let mut rig = Rig::start(standing(5));
    let mut watch = rig.watch().await;
    assert_eq!(watch.opened().await, Some(at(5)));
    watch.frame(5, 6);
    watch.frame(7, 8);
    assert_eq!(rig.watch().await.opened().await, Some(at(6)));
    assert_eq!(rig.shelf.kept().rows, [6]);
}

#[tokio::test]
async fn a_cursor_too_old_is_dropped_and_what_is_there_stays_until_the_snapshot_is_whole() {
    let mut rig = Rig::start(standing(5));
    let mut watch = rig.watch().await;
    watch.opened().await;
    let broken = Broken {
        wants_snapshot: true,
        source: "CURSOR_TOO_OLD".into(),
    };
    watch.events.send(Err(broken)).unwrap();
    // Also when the snapshot breaks off.
    for _ in 0..2 {
        let mut watch = rig.watch().await;
        assert_eq!(watch.opened().await, None);
        watch.say(Event::Begin(at(9)));
        assert_eq!(rig.shelf.kept().at, Some(at(5)));
    }
    let mut watch = rig.watch().await;
    watch.opened().await;
    watch.say(Event::Begin(at(9)));
    watch.say(Event::End(0));
    assert_eq!(watch.acknowledged().await, (9, None));
    drop(watch);
    assert_eq!(rig.watch().await.opened().await, Some(at(9)));
}

#[tokio::test]
async fn whoever_asks_gets_a_fresh_snapshot_but_none_that_is_older_than_what_is_there() {
    let mut rig = Rig::start(Kept {
        age: Some(Duration::ZERO),
        ..standing(5)
    });
    rig.watch().await.opened().await;
    rig.asked.notify_one();
    let mut watch = rig.watch().await;
    watch.opened().await;
    let mut watch = rig.watch().await;
    assert_eq!(watch.opened().await, None);
    watch.say(Event::Begin(at(4)));
    watch.say(Event::End(0));
    let mut watch = rig.watch().await;
    assert_eq!(watch.opened().await, None);
    assert_eq!(rig.shelf.kept().at, Some(at(5)));
    assert_eq!(rig.shelf.kept().age, None, "nobody trusts what is there");
}

#[tokio::test]
async fn what_could_not_be_applied_is_not_acknowledged_and_comes_again() {
    let mut rig = Rig::start(standing(5));
    rig.shelf.kept().failing = true;
    let mut watch = rig.watch().await;
    watch.opened().await;
    assert_eq!(watch.acknowledged().await, (5, None));
    watch.frame(5, 7);
    let mut again = rig.watch().await;
    assert_eq!(again.opened().await, Some(at(5)));
    while let Some(step) = watch.steps.recv().await {
        assert!(matches!(step, Step::Ping(_)), "{step:?}");
    }
    rig.shelf.kept().failing = false;
    again.frame(5, 7);
    while again.acknowledged().await.0 < 7 {}
    assert_eq!(rig.shelf.kept().rows, [6, 7]);
}

#[tokio::test]
async fn a_refused_change_is_named_with_its_reason_and_tried_again_later() {
    let mut rig = Rig::start(standing(5));
    rig.shelf.kept().refused = Some(8);
    let mut watch = rig.watch().await;
    watch.opened().await;
    assert_eq!(watch.acknowledged().await, (5, None));
    watch.frame(5, 9);
    watch.frame(9, 10);
    let rejection = Rejection {
        revision: Revision(8),
        reason: "no such document".to_owned(),
    };
    assert_eq!(watch.acknowledged().await, (7, Some(rejection)));
    rig.shelf.kept().refused = None;
    let mut watch = rig.watch().await;
    assert_eq!(watch.opened().await, Some(at(7)));
    watch.frame(7, 10);
    while watch.acknowledged().await != (10, None) {}
    assert_eq!(
        rig.shelf.kept().rows,
        [6, 7, 8, 9, 10],
        "nothing jumped the queue"
    );
}

#[tokio::test]
async fn what_a_sibling_was_quicker_to_apply_is_acknowledged_only_when_it_was_sent_here() {
    let mut rig = Rig::start(standing(5));
    rig.shelf.kept().sibling = 9;
    let mut watch = rig.watch().await;
    watch.opened().await;
    watch.frame(5, 7);
    let (mut last, _) = watch.acknowledged().await;
    while last < 7 {
        last = watch.acknowledged().await.0;
    }
    assert_eq!(last, 7);
    watch.frame(7, 9);
    assert_eq!(watch.acknowledged().await, (9, None));
}

#[tokio::test]
async fn a_source_that_answers_nothing_is_left_and_the_age_goes_on_growing() {
    let mut rig = Rig::start(standing(5));
    let mut watch = rig.watch().await;
    watch.opened().await;
    let nonce = loop {
        if let Step::Ping(nonce) = watch.steps.recv().await.unwrap() {
            break nonce;
        }
    };
    watch.say(Event::Pong {
        nonce,
        head: Revision(5),
        head_age: Duration::from_millis(40),
        wall: rig.clock.now(),
    });
    while rig.shelf.kept().age.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.shelf.kept().age, Some(Duration::from_millis(40)));
    // Nothing measured in the next session takes the last measure back.
    assert_eq!(rig.watch().await.opened().await, Some(at(5)));
    assert_eq!(rig.shelf.kept().age, Some(Duration::from_millis(40)));
}
