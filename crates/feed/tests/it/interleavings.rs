//! Any interleaving of commits, polls, slow readers and lost connections: cursors move forward, nothing
//! is missed and nothing comes twice. `Follower` refuses a frame that does not follow its cursor.

use greenstar_feed::Feed;
use greenstar_kernel::Revision;
use greenstar_store::Writer;
use greenstar_testkit::Scratch;
use proptest::prelude::*;

use crate::notes::{Book, Follower, NoteSource, World, clock, set};

#[derive(Clone, Debug)]
enum Step {
    /// By the writer that tells the feed, or by one that does not.
    Commit {
        told: bool,
        names: Vec<u8>,
    },
    /// More than a ring holds.
    Flood,
    Poll,
    Read {
        who: usize,
        count: usize,
    },
    Reopen {
        who: usize,
    },
    Join {
        snapshot: bool,
    },
    /// The replica restarts: its ring is empty again.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (any::<bool>(), prop::collection::vec(0..6u8, 1..4)).prop_map(|(told, names)| Step::Commit { told, names }),
        3 => Just(Step::Poll),
        6 => (0..4usize, 1..6usize).prop_map(|(who, count)| Step::Read { who, count }),
        2 => (0..4usize).prop_map(|who| Step::Reopen { who }),
        1 => any::<bool>().prop_map(|snapshot| Step::Join { snapshot }),
        1 => Just(Step::Restart),
    ];
    // A flood is slow to write and to read, so few runs have one.
    let flood = prop::option::weighted(0.15, 0..40usize);
    (prop::collection::vec(step, 1..40), flood).prop_map(|(mut steps, flood)| {
        if let Some(place) = flood {
            steps.insert(place.min(steps.len()), Step::Flood);
        }
        steps
    })
}

async fn run(steps: Vec<Step>) {
    let world = World::on(Scratch::sqlite()).await;
    let silent = Writer::start(world.database.clone(), Book, clock());
    let mut feed = world.feed.clone();
    let mut followers = vec![
        Follower::open(&feed, None, NoteSource::default()),
        Follower::open(&feed, Some(feed.head()), NoteSource::default()),
    ];
    for step in steps {
        match step {
            Step::Commit { told, names } => {
                let names: Vec<String> = names.iter().map(|name| format!("n{name}")).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let writer = if told { &world.writer } else { &silent };
                writer.submit(set(&names)).await.unwrap();
            }
            Step::Flood => world.flood(5_000).await,
            Step::Poll => drop(feed.sync(None).await.unwrap()),
            Step::Read { who, count } => {
                let who = who % followers.len();
                // Cut off is the only error there is; the cursor stays good.
                if followers[who].glance(count).await.is_some() {
                    followers[who].reopen(&feed);
                }
            }
            Step::Reopen { who } => {
                let who = who % followers.len();
                followers[who].reopen(&feed);
            }
            Step::Join { snapshot } => {
                let from = (!snapshot).then(|| {
                    let mut from = feed.head();
                    from.revision = Revision::ZERO;
                    from
                });
                followers.push(Follower::open(&feed, from, NoteSource::default()));
            }
            Step::Restart => {
                feed = Feed::start(world.database.clone(), world.writer.batches(), clock(), None)
                    .await
                    .unwrap();
            }
        }
    }
    let head = feed.sync(None).await.unwrap();
    let notes = world.notes().await;
    for mut follower in followers {
        loop {
            let ended = loop {
                if follower.cursor.is_some() && follower.revision() >= head.revision {
                    break true;
                }
                match follower.next().await {
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break false,
                }
            };
            if ended {
                break;
            }
            follower.reopen(&feed);
        }
        assert_eq!(follower.revision(), head.revision);
        for frame in &follower.frames {
            let expected = frame.after.0 + 1..=frame.to.0;
            assert!(
                frame.entries.iter().map(|entry| entry.revision.0).eq(expected),
                "a hole in a frame"
            );
        }
        // The flood is in the log alone.
        follower.notes.remove("flood");
        assert_eq!(follower.notes, notes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Pitfall #3.
    #[test]
    fn no_interleaving_misses_repeats_or_goes_backwards(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
