//! Who follows a log (protocol.md §5). Registrations are rows, so that a subscriber which is away is still named;
//! what each has applied is known to the replica that holds its watch, and to nobody else.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use greenstar_kernel::{Clock, Epoch, Revision};
use greenstar_store::{Database, StoreError, Value};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

use crate::books::{self, Books, Row, renewal};
use crate::converge::{Report, Siblings};
use crate::filter::Held;
use crate::seat::{Ack, Known, Seat};
use crate::tail::{Live, Shared};
use crate::{Feed, FeedError, Filter, Inbound, Outbound, Source, session};

/// Between two renewals.
const RENEW: Duration = Duration::from_secs(1);
/// Between two reports to a sibling; what moves meanwhile is one report (at most 50 a second).
const REPORT: Duration = Duration::from_millis(20);
/// Rows renewed by one statement.
const RENEWED: usize = 256;

/// Who opens a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Its name; a second watch of the same name ends the first.
    pub name: Arc<str>,
    /// It promises to answer nothing as fresh once it has heard nothing for so long. None: a department's own
    /// system, which never counts as fenced.
    pub fences_after: Option<Duration>,
}

/// How a replica is known to its siblings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Its name among the replicas of its service.
    pub id: String,
    /// Where siblings reach it; none: it is alone.
    pub url: Option<String>,
}

/// The subscribers of one log, as one replica of its service knows them. Clones share it.
#[derive(Clone, Debug)]
pub struct Subscribers {
    pub(crate) feed: Feed,
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    shared: Arc<Shared>,
    replica: Replica,
    pub(crate) siblings: Option<Arc<dyn Siblings>>,
    books: Mutex<Books>,
    /// Counts up whenever something was acknowledged, opened, ended or renewed.
    moved: watch::Sender<u64>,
    failing: AtomicBool,
    /// [`Clock::monotonic`] in microseconds when the last renewal that succeeded began.
    renewed: AtomicU64,
}

/// How a subscriber opens a watch.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    pub(crate) subscriber: &'a Subscriber,
    pub(crate) filter: &'a Arc<Filter>,
    /// Where it stands; none: it is to have a snapshot.
    pub(crate) at: Option<Revision>,
    /// It has applied everything up to there.
    pub(crate) claims: bool,
    /// The life of the log to which `at` belongs.
    pub(crate) history: u64,
}

/// A subscriber as this replica knows it at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    pub(crate) row: Arc<Row>,
    /// Its watch here, if it has or had one.
    pub(crate) seat: Option<Arc<Seat>>,
}

impl Subscribers {
    /// Starts to keep the books of `feed`, which ends it. `siblings` asks other replicas; none: there are none.
    pub async fn start(
        feed: &Feed,
        replica: Replica,
        siblings: Option<Arc<dyn Siblings>>,
    ) -> Result<Subscribers, StoreError> {
        let inner = Arc::new(Inner {
            shared: feed.shared.clone(),
            replica,
            siblings,
            books: Mutex::new(Books::new()),
            moved: watch::Sender::new(0),
            failing: AtomicBool::new(false),
            renewed: AtomicU64::new(0),
        });
        inner.renew().await?;
        let (books, stop) = (Arc::downgrade(&inner), feed.stop.clone());
        feed.task.spawn(async move {
            let mut tick = tokio::time::interval(RENEW);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stop.run_until_cancelled(tick.tick()).await.is_some() {
                let Some(inner) = books.upgrade() else { return };
                inner.keep_up().await;
            }
            if let Some(inner) = books.upgrade() {
                // Siblings need not wait for the lease to end; if this fails they do.
                let _ = tokio::time::timeout(RENEW, inner.leave()).await;
            }
        });
        Ok(Subscribers {
            feed: feed.clone(),
            inner,
        })
    }

    /// Serves one watch as [`Feed::watch`], and keeps the books of it if its opening names a subscriber.
    pub fn watch<S: Source, E: Send + 'static>(
        &self,
        source: Arc<S>,
        inbound: impl Stream<Item = Result<Inbound, E>> + Send + 'static,
    ) -> impl Stream<Item = Result<Outbound<S::Row>, FeedError>> + Send + 'static {
        session::run(&self.feed, Some(self.inner.clone()), source, inbound)
    }

    /// Takes an acknowledgement that came by another way than the watch. If that is open on another replica and
    /// `pass_on` says so, it is handed on to it.
    pub async fn acknowledge(&self, name: &str, ack: Ack, pass_on: bool) -> Result<(), FeedError> {
        let seat = self.inner.seat(name);
        let Some(seat) = seat.filter(|seat| seat.known().connected) else {
            let elsewhere = self.inner.books().elsewhere(name, &self.inner.replica.id);
            let elsewhere = elsewhere.filter(|_| pass_on);
            let (url, siblings) = elsewhere
                .zip(self.inner.siblings.as_ref())
                .ok_or(FeedError::SubscriberUnknown)?;
            return siblings.acknowledge(&url, name, ack).await;
        };
        let now = self.inner.clock().monotonic();
        seat.heard(now);
        seat.acknowledge(ack, now)?;
        self.inner.moves();
        Ok(())
    }

    /// Forgets a subscriber that has gone. One that comes back in this very moment loses its watch, wherever that is,
    /// within a second or two.
    ///
    /// Errors: it is connected, or was heard so lately that it may still answer as fresh; nobody has the name.
    pub async fn remove(&self, name: &str) -> Result<(), FeedError> {
        if self.lives(name).await? {
            return Err(FeedError::SubscriberConnected);
        }
        let mut tx = self.inner.database().write().await?;
        let gone = tx
            .run("DELETE FROM subscriber WHERE name = $1", &[name.into()])
            .await?;
        tx.commit().await?;
        if gone == 0 {
            return Err(FeedError::SubscriberUnknown);
        }
        self.inner.read().await?;
        Ok(())
    }

    /// For a sibling: who is connected here and how far each is; first all of them, then whoever moves or is not spoken
    /// for any more. All of them again in another life of the log.
    pub fn reports(&self) -> impl Stream<Item = Report> + Send + 'static {
        let (inner, moved) = (self.inner.clone(), self.inner.moved.subscribe());
        let begun = futures::stream::unfold(
            (inner, moved, None::<(Epoch, BTreeMap<Arc<str>, Known>)>),
            |(inner, mut moved, told)| async move {
                loop {
                    moved.borrow_and_update();
                    let (epoch, known) = inner.known();
                    let told_of = told.as_ref().filter(|(of, _)| *of == epoch);
                    let before = told_of.map(|(_, before)| before);
                    let news = known
                        .iter()
                        .filter(|(name, known)| before.and_then(|before| before.get(*name)) != Some(known))
                        .map(|(name, known)| (name.clone(), known.clone()));
                    let gone = before
                        .into_iter()
                        .flat_map(BTreeMap::keys)
                        .filter(|name| !known.contains_key(*name))
                        .map(|name| (name.clone(), Known::default()));
                    let news: Vec<_> = news.chain(gone).collect();
                    let whole = before.is_none();
                    if whole || !news.is_empty() {
                        let report = Report {
                            epoch: epoch.clone(),
                            whole,
                            known: news,
                        };
                        return Some((report, (inner, moved, Some((epoch, known)))));
                    }
                    moved.changed().await.ok()?;
                    tokio::time::sleep(REPORT).await;
                }
            },
        );
        begun.take_until(self.feed.stop.clone().cancelled_owned())
    }
}

impl Inner {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn database(&self) -> &Database {
        &self.shared.database
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    pub(crate) fn movement(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    fn moves(&self) {
        self.moved.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The life of the log that this replica serves. What a subscriber had of another one says nothing of this.
    fn history(&self) -> u64 {
        self.shared.live().borrow().history
    }

    fn seat(&self, name: &str) -> Option<Arc<Seat>> {
        let history = self.history();
        let seat = self.books().seats.get(name).cloned();
        seat.filter(|seat| seat.history == history)
    }

    /// Who is or was connected here, in the life of the log that this replica serves.
    fn known(&self) -> (Epoch, BTreeMap<Arc<str>, Known>) {
        let live = self.shared.live();
        let Live { history, head, .. } = live.borrow().clone();
        let books = self.books();
        let seats = books.seats.iter().filter(|(_, seat)| seat.history == history);
        let known = seats.map(|(name, seat)| (name.clone(), seat.known()));
        (head.epoch, known.collect())
    }

    /// Everybody who is registered, by name.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let history = self.history();
        let books = self.books();
        let entries = books.rows.iter().map(|(name, row)| Entry {
            name: name.clone(),
            row: row.clone(),
            seat: books
                .seats
                .get(name)
                .filter(|seat| seat.history == history)
                .cloned(),
        });
        entries.collect()
    }

    /// The other replicas that live: id, and where they are reached.
    pub(crate) fn others(&self) -> Vec<(String, String)> {
        self.books().others(&self.replica.id)
    }

    /// Takes a subscriber's opening into the books. Answers its seat, and where it goes on: nowhere if its cursor was,
    /// or may have been, reached by another filter, so that it is to have a snapshot.
    pub(crate) async fn register(
        self: &Arc<Inner>,
        opening: Opening<'_>,
    ) -> Result<(Ticket, Option<Revision>), StoreError> {
        const BEFORE: &str = "SELECT filter, registered_at FROM subscriber WHERE name = $1";
        const COLUMNS: [&str; 7] = [
            "name",
            "session",
            "replica",
            "fences_after_ms",
            "filter",
            "registered_at",
            "renewed_at",
        ];
        let Subscriber { name, fences_after } = opening.subscriber.clone();
        let session = Uuid::new_v4().to_string();
        let now = self.clock().now();
        let fences = fences_after.map(|span| i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
        let mut tx = self.database().write().await?;
        let before = tx.row(BEFORE, &[Value::from(&*name)]).await?;
        let (since, registered_at) = match &before {
            Some(row) => {
                let held: Held = row.json("filter")?;
                let same = held.filter == **opening.filter;
                (held.since.filter(|_| same), row.get("registered_at")?)
            }
            // Who wants everything may say where it stands; nobody knows how another one came there.
            None => {
                let all = opening.at.filter(|_| opening.filter.is_empty());
                (all.map(|_| Revision::ZERO), now)
            }
        };
        let row = vec![
            Value::from(&*name),
            session.clone().into(),
            self.replica.id.clone().into(),
            fences.into(),
            held(opening.filter, since)?,
            registered_at.into(),
            now.into(),
        ];
        tx.upsert("subscriber", &COLUMNS, &["name"], vec![row]).await?;
        tx.commit().await?;

        let mono = self.clock().monotonic();
        let from = opening.at.filter(|at| since.is_some_and(|since| since <= *at));
        let seat = Seat::new(
            session.clone(),
            opening.history,
            from.unwrap_or_default(),
            opening.claims,
            mono,
        );
        let seat = Arc::new(seat);
        let row = Row {
            session,
            replica: self.replica.id.clone(),
            fences_after,
            registered_at,
            renewed_at: now,
            seen: mono,
            looked: mono,
        };
        {
            let mut books = self.books();
            if let Some(old) = books.seats.insert(name.clone(), seat.clone()) {
                if seat.history == old.history {
                    seat.goes_on_from(&old);
                }
                old.ended.cancel();
            }
            books.rows.insert(name.clone(), Arc::new(row));
        }
        self.moves();
        let ticket = Ticket {
            inner: self.clone(),
            seat,
            unheld: since.is_none().then(|| opening.filter.clone()),
        };
        Ok((ticket, from))
    }

    /// One renewal, and what it costs when the database cannot be reached: time.
    async fn keep_up(&self) {
        let renewed = self.renew().await;
        let failed = renewed.is_err();
        if self.failing.swap(failed, Ordering::Relaxed) != failed {
            match renewed {
                Ok(()) => tracing::info!("registrations are renewed again"),
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "registrations cannot be renewed"
                ),
            }
        }
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let (now, began) = (self.clock().now(), self.clock().monotonic());
        let heard: Vec<Arc<Seat>> = {
            let books = self.books();
            let heard = books.seats.values().filter(|seat| seat.is_unrenewed());
            heard.cloned().collect()
        };
        let replica = vec![
            self.replica.id.clone().into(),
            self.replica.url.clone().unwrap_or_default().into(),
            now.into(),
        ];
        let mut tx = self.database().write().await?;
        tx.upsert("replica", &["id", "url", "renewed_at"], &["id"], vec![replica])
            .await?;
        for part in heard.chunks(RENEWED) {
            let (text, values) = renewal(now, part);
            tx.run(&text, &values).await?;
        }
        tx.commit().await?;
        let began = u64::try_from(began.as_micros()).unwrap_or(u64::MAX);
        self.renewed.store(began, Ordering::Relaxed);
        heard.iter().for_each(|seat| seat.renewed());
        self.read().await
    }

    /// How long ago this replica last could say who is heard: its siblings know of nobody later than that.
    pub(crate) fn unrenewed(&self) -> Duration {
        let renewed = Duration::from_micros(self.renewed.load(Ordering::Relaxed));
        self.clock().monotonic().saturating_sub(renewed)
    }

    /// Reads who is registered. A watch here that no longer speaks for its name ends.
    pub(crate) async fn read(&self) -> Result<(), StoreError> {
        let (began, mono) = (Instant::now(), self.clock().monotonic());
        let mut tx = self.database().read().await?;
        let (rows, leases) = books::read(&mut tx, mono).await?;
        drop(tx);
        self.books().replace(began, rows, leases);
        self.moves();
        Ok(())
    }

    async fn leave(&self) -> Result<(), StoreError> {
        let mut tx = self.database().write().await?;
        tx.run(
            "DELETE FROM replica WHERE id = $1",
            &[self.replica.id.clone().into()],
        )
        .await?;
        tx.commit().await
    }

    /// What each subscriber wants to hear of.
    pub(crate) async fn filters(&self) -> Result<HashMap<String, Filter>, StoreError> {
        let mut tx = self.database().read().await?;
        let rows = tx.rows("SELECT name, filter FROM subscriber", &[]).await?;
        rows.iter()
            .map(|row| Ok((row.get("name")?, row.json("filter")?)))
            .collect()
    }
}

/// A watch's place in the books; given back when it ends.
#[derive(Debug)]
pub(crate) struct Ticket {
    inner: Arc<Inner>,
    seat: Arc<Seat>,
    /// By what its first snapshot is taken; until that ends no cursor was reached so.
    unheld: Option<Arc<Filter>>,
}

impl Ticket {
    /// Done when another watch took the name, or an operator removed it.
    pub(crate) async fn ended(&self) {
        self.seat.ended.cancelled().await;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.seat.ended.is_cancelled()
    }

    /// The life of the log of which it speaks.
    pub(crate) fn history(&self) -> u64 {
        self.seat.history
    }

    pub(crate) fn unrenewed(&self) -> Duration {
        self.inner.unrenewed()
    }

    /// It is told the end of its snapshot as of `at`: from there on it goes on by its filter.
    pub(crate) async fn holds(&mut self, at: Revision) -> Result<(), StoreError> {
        const HOLDS: &str = "UPDATE subscriber SET filter = $1 WHERE session = $2";
        if let Some(filter) = self.unheld.take() {
            let held = held(&filter, Some(at))?;
            let mut tx = self.inner.database().write().await?;
            tx.run(HOLDS, &[held, self.seat.session.clone().into()]).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    pub(crate) fn heard(&self) {
        self.seat.heard(self.inner.clock().monotonic());
    }

    pub(crate) fn sent(&self, after: Revision, to: Revision) {
        self.seat.sent(after, to, self.inner.clock().monotonic());
    }

    pub(crate) fn acknowledge(&self, ack: Ack) -> Result<(), FeedError> {
        self.seat.acknowledge(ack, self.inner.clock().monotonic())?;
        self.inner.moves();
        Ok(())
    }
}

fn held(filter: &Filter, since: Option<Revision>) -> Result<Value, StoreError> {
    let held = Held {
        filter: filter.clone(),
        since,
    };
    Ok(serde_json::to_string(&held).map_err(StoreError::corrupt)?.into())
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.seat.disconnect();
        self.inner.moves();
    }
}
