//! Where a watch begins, and what its opening proves.

use greenstar_feed::{Ack, Filter, Open, Outbound, State};
use greenstar_kernel::{Position, Revision, Uscc};
use greenstar_testkit::Scratch;

use crate::notes::{Set, World};
use crate::subscribers::{Source, Told, named, states};

#[tokio::test]
async fn another_filter_begins_with_a_snapshot_that_honours_it() {
    let world = World::on(Scratch::sqlite()).await;
    let mine: Uscc = "91350100M000100Y43".parse().unwrap();
    world.set(&["theirs", "others"]).await;
    let set = Set {
        names: vec!["mine".to_owned()],
        enterprise: Some(mine),
    };
    let head = world.writer.submit(set).await.unwrap().position;
    let source = Source::start(&world, "one", None).await;
    let opening = |filter: Filter| Open {
        filter,
        ..named("licensing/1", Some(head.clone()), None)
    };
    let narrow = Filter {
        enterprises: [mine].into(),
        ..Filter::default()
    };
    let mut watch = source.open(opening(Filter::default()));
    assert!(matches!(watch.next().await.unwrap(), Outbound::Frame(_)));
    // Its cursor was reached by another filter.
    let mut watch = source.open(opening(narrow.clone()));
    assert!(matches!(watch.next().await.unwrap(), Outbound::SnapshotBegin { at } if at == head));
    let Outbound::SnapshotRows(rows) = watch.next().await.unwrap() else {
        panic!("no rows")
    };
    let names: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["mine"]);
    assert_eq!(watch.next().await.unwrap(), Outbound::SnapshotEnd { rows: 1 });
    // The same again goes on.
    let mut watch = source.open(opening(narrow));
    assert!(matches!(watch.next().await.unwrap(), Outbound::Frame(_)));
}

/// A snapshot that did not end is no reason to believe the cursor that was there before it.
#[tokio::test]
async fn a_cursor_counts_for_a_filter_only_after_a_snapshot_by_it_has_ended() {
    let world = World::on(Scratch::sqlite()).await;
    let mine: Uscc = "91350100M000100Y43".parse().unwrap();
    let head = world.set(&["mine"]).await;
    let source = Source::start(&world, "one", None).await;
    let narrow = Filter {
        enterprises: [mine].into(),
        ..Filter::default()
    };
    let opening = |filter: &Filter| Open {
        filter: filter.clone(),
        ..named("licensing/1", Some(head.clone()), None)
    };
    let begins = |told: Told| matches!(told.unwrap(), Outbound::SnapshotBegin { at } if at == head);
    let mut watch = source.open(opening(&Filter::default()));
    assert!(matches!(watch.next().await.unwrap(), Outbound::Frame(_)));
    for _ in 0..3 {
        // Its link breaks in the middle, each time.
        let mut watch = source.open(opening(&narrow));
        assert!(begins(watch.next().await));
    }
    let mut watch = source.open(opening(&narrow));
    while !matches!(watch.next().await.unwrap(), Outbound::SnapshotEnd { .. }) {}
    let mut watch = source.open(opening(&narrow));
    assert!(matches!(watch.next().await.unwrap(), Outbound::Frame(_)));
    // A cursor of before the snapshot is of another filter, or of a copy that was put back.
    let early = Position {
        revision: Revision::ZERO,
        ..head.clone()
    };
    let mut watch = source.open(Open {
        from: Some(early),
        ..opening(&narrow)
    });
    assert!(begins(watch.next().await));
    drop(watch);
    // Who was forgotten, and who has no name, cannot say by which filter it came there.
    source.subscribers.remove("licensing/1").await.unwrap();
    assert!(begins(source.open(opening(&narrow)).next().await));
    let mut nameless = source.open(Open {
        subscriber: None,
        ..opening(&narrow)
    });
    assert!(begins(nameless.next().await));
}

#[tokio::test]
async fn where_a_plain_stream_goes_on_is_no_acknowledgement() {
    let world = World::on(Scratch::sqlite()).await;
    let source = Source::start(&world, "one", None).await;
    let start = world.database.head().await.unwrap();
    let head = world.set(&["a"]).await;
    let plain = |from: &Position| Open {
        claims: false,
        ..named("licensing/1", Some(from.clone()), None)
    };
    let mut stream = source.open(plain(&start));
    stream.take(&head).await;
    // It received the frame, and may not have applied it when its connection breaks.
    let mut stream = source.open(plain(&head));
    stream.next().await.unwrap();
    let waited = source.wait(&head, 200).await;
    assert_eq!(states(&waited), [("licensing/1", State::Laggard)]);
    let ack = Ack::up_to(head.revision);
    source
        .subscribers
        .acknowledge("licensing/1", ack, false)
        .await
        .unwrap();
    assert!(source.wait(&head, 5_000).await.converged);
    // What it has acknowledged it has, also behind its next connection; unless that goes back.
    let mut stream = source.open(plain(&head));
    stream.next().await.unwrap();
    assert!(source.wait(&head, 5_000).await.converged);
    let mut stream = source.open(plain(&start));
    stream.take(&head).await;
    assert!(!source.wait(&head, 200).await.converged);
}
