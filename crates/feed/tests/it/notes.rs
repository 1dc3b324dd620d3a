//! A log of notes, and a follower that keeps a copy of them.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{Stream, StreamExt as _};
use greenstar_feed::{Cursor, Feed, FeedError, Filter, Frame, Inbound, Open, Outbound, Relevance, Source};
use greenstar_kernel::{Clock, Position, Revision, SystemClock, Uscc};
use greenstar_store::{Database, Entry, Journal, Migrations, Request, Row, StoreError, Turn, Tx, Writer};
use greenstar_testkit::Scratch;
use tokio::sync::{Semaphore, mpsc};

pub(crate) static MIGRATIONS: Migrations = Migrations {
    files: &[(
        1,
        "note",
        "CREATE TABLE note (name text NOT NULL, revision bigint NOT NULL, CONSTRAINT note_pkey PRIMARY KEY (name));",
    )],
};

/// Sets notes; each entry of the log is one of them. A note holds the revision that set it.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) names: Vec<String>,
    pub(crate) enterprise: Option<Uscc>,
}

pub(crate) fn set(names: &[&str]) -> Set {
    Set {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        enterprise: None,
    }
}

pub(crate) type Notes = BTreeMap<String, Revision>;

#[derive(Debug)]
pub(crate) struct Book;

#[async_trait]
impl Journal for Book {
    type Command = Set;
    type Answer = ();
    type Refusal = ();
    type State = Notes;

    fn request(&self, _: &Set) -> Option<Request> {
        None
    }

    async fn load(&self, _: &mut Tx, _: &[&Set]) -> Result<Notes, StoreError> {
        Ok(Notes::new())
    }

    fn decide(&self, state: &mut Notes, command: &Set, turn: &mut Turn) -> Result<(), ()> {
        for name in &command.names {
            let revision = turn.push("set", command.enterprise, name, None);
            state.insert(name.clone(), revision);
        }
        Ok(())
    }

    async fn write(&self, tx: &mut Tx, state: Notes) -> Result<(), StoreError> {
        let rows = state
            .into_iter()
            .map(|(name, revision)| vec![name.into(), revision.into()])
            .collect();
        tx.upsert("note", &["name", "revision"], &["name"], rows).await
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct NoteSource {
    /// Follows this enterprise's notes only; a note named `gone` means that it leaves.
    pub(crate) only: Option<Uscc>,
    /// Each page waits until one more may be read.
    pub(crate) pages: Option<Arc<Semaphore>>,
}

#[async_trait]
impl Source for NoteSource {
    type Row = (String, Revision);

    async fn page(
        &self,
        tx: &mut Tx,
        last: Option<&(String, Revision)>,
    ) -> Result<Vec<(String, Revision)>, StoreError> {
        if let Some(pages) = &self.pages {
            pages.acquire().await.unwrap().forget();
        }
        let after = last.map_or("", |(name, _)| name.as_str());
        let sql = "SELECT name, revision FROM note WHERE name > $1 ORDER BY name LIMIT 7";
        let rows = tx.rows(sql, &[after.into()]).await?;
        rows.iter()
            .map(|row: &Row| Ok((row.get("name")?, row.get("revision")?)))
            .collect()
    }

    fn covers(&self, (name, _): &(String, Revision), filter: &Filter) -> bool {
        filter.is_empty() || name == "mine"
    }

    fn relevance(&self, entry: &Entry, _: &Filter) -> Relevance {
        match self.only {
            None => Relevance::Inside,
            Some(_) if entry.enterprise != self.only => Relevance::Outside,
            Some(_) if entry.json::<String>().unwrap() == "gone" => Relevance::Left,
            Some(_) => Relevance::Inside,
        }
    }
}

pub(crate) async fn notes_in(database: &Database) -> Notes {
    let mut tx = database.read().await.unwrap();
    let rows = tx.rows("SELECT name, revision FROM note", &[]).await.unwrap();
    rows.iter()
        .map(|row| (row.get("name").unwrap(), row.get("revision").unwrap()))
        .collect()
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) scratch: Scratch,
    pub(crate) database: Database,
    pub(crate) writer: Writer<Book>,
    pub(crate) feed: Feed,
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

impl World {
    pub(crate) async fn on(scratch: Scratch) -> World {
        let database = Database::migrate(&scratch.url().parse().unwrap(), &MIGRATIONS)
            .await
            .unwrap();
        let writer = Writer::start(database.clone(), Book, clock());
        let feed = Feed::start(database.clone(), writer.batches(), clock(), None)
            .await
            .unwrap();
        World {
            scratch,
            database,
            writer,
            feed,
        }
    }

    pub(crate) async fn set(&self, names: &[&str]) -> Position {
        self.writer.submit(set(names)).await.unwrap().position
    }

    /// Writes `count` batches of one entry each past the writer, at once.
    pub(crate) async fn flood(&self, count: u64) {
        let mut tx = self.database.write().await.unwrap();
        let head = tx.head().await.unwrap().revision.0;
        let columns = ["revision", "batch", "at", "kind", "body"];
        let rows = (head + 1..=head + count).map(|n| {
            vec![
                Revision(n).into(),
                format!("flood-{n}").into(),
                0.into(),
                "set".into(),
                r#""flood""#.into(),
            ]
        });
        tx.insert("change_log", &columns, rows.collect()).await.unwrap();
        tx.run(
            "UPDATE change_head SET revision = $1",
            &[Revision(head + count).into()],
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn notes(&self) -> Notes {
        notes_in(&self.database).await
    }

    pub(crate) async fn follow(&self, from: Option<Position>) -> Follower {
        self.follow_only(from, NoteSource::default())
    }

    pub(crate) fn follow_only(&self, from: Option<Position>, source: NoteSource) -> Follower {
        Follower::open(&self.feed, from, source)
    }
}

type Told = Result<Outbound<(String, Revision)>, FeedError>;

/// A subscriber: applies what it is told and refuses what does not follow.
pub(crate) struct Follower {
    pub(crate) say: mpsc::UnboundedSender<Inbound>,
    stream: Pin<Box<dyn Stream<Item = Told> + Send>>,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) notes: Notes,
    rows: u64,
    begun: Option<Position>,
    pub(crate) frames: Vec<Arc<Frame>>,
}

impl Follower {
    pub(crate) fn open(feed: &Feed, from: Option<Position>, source: NoteSource) -> Follower {
        let mut follower = Follower::silent(feed, source);
        follower.cursor = from.clone().map(Cursor::at);
        follower.say.send(Inbound::Open(Open::at(from))).unwrap();
        follower
    }

    /// Connected, and has not said anything.
    pub(crate) fn silent(feed: &Feed, source: NoteSource) -> Follower {
        let (say, mut said) = mpsc::unbounded_channel();
        let inbound = futures::stream::poll_fn(move |context| said.poll_recv(context)).map(Ok::<_, ()>);
        let stream = Box::pin(feed.watch(Arc::new(source), inbound));
        Follower {
            say,
            stream,
            cursor: None,
            notes: Notes::new(),
            rows: 0,
            begun: None,
            frames: Vec::new(),
        }
    }

    /// Loses its connection and opens the watch again from where it stands.
    pub(crate) fn reopen(&mut self, feed: &Feed) {
        let from = self.cursor.as_ref().map(|cursor| cursor.position().clone());
        let notes = std::mem::take(&mut self.notes);
        *self = Follower::open(feed, from.clone(), NoteSource::default());
        // Without a cursor a snapshot comes, whole.
        self.notes = if from.is_some() { notes } else { Notes::new() };
    }

    pub(crate) fn revision(&self) -> Revision {
        self.cursor.as_ref().unwrap().revision()
    }

    /// The next message, applied; none when the watch is over.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        let told = self.stream.next().await?;
        match &told {
            Ok(Outbound::SnapshotBegin { at }) => {
                assert!(self.notes.is_empty() && self.frames.is_empty());
                self.begun = Some(at.clone());
            }
            Ok(Outbound::SnapshotRows(rows)) => {
                self.rows += rows.len() as u64;
                self.notes.extend(rows.iter().cloned());
            }
            Ok(Outbound::SnapshotEnd { rows }) => {
                assert_eq!(*rows, self.rows);
                // Not earlier: half a snapshot is nothing to go on from.
                self.cursor = self.begun.take().map(Cursor::at);
            }
            Ok(Outbound::Frame(frame)) => {
                let mut expected = frame.after;
                for entry in &frame.entries {
                    assert!(entry.revision > expected && entry.revision <= frame.to);
                    expected = entry.revision;
                    self.notes.insert(entry.json().unwrap(), entry.revision);
                }
                self.cursor
                    .as_mut()
                    .unwrap()
                    .advance(frame.after, frame.to)
                    .unwrap();
                self.frames.push(frame.clone());
            }
            Ok(Outbound::Pong { .. }) | Err(_) => {}
        }
        Some(told)
    }

    /// Reads until its cursor is `to`.
    pub(crate) async fn reach(&mut self, to: Revision) {
        while self.cursor.is_none() || self.revision() < to {
            self.next().await.unwrap().unwrap();
        }
        assert_eq!(self.revision(), to);
    }

    /// Reads up to `count` messages, as far as they are there already.
    pub(crate) async fn glance(&mut self, count: usize) -> Option<FeedError> {
        for _ in 0..count {
            match tokio::time::timeout(Duration::from_millis(10), self.next()).await {
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(error))) => return Some(error),
                Ok(None) | Err(_) => return None,
            }
        }
        None
    }

    pub(crate) async fn error(&mut self) -> FeedError {
        loop {
            if let Err(error) = self.next().await.unwrap() {
                assert!(self.next().await.is_none(), "an error is the last word");
                return error;
            }
        }
    }
}
