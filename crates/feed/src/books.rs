//! The rows of who follows and of the replicas, as one replica remembers them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::Timestamp;
use greenstar_store::{StoreError, Tx, Value};
use tokio::time::Instant;

use crate::seat::Seat;

/// A replica that did not renew its row for so long is gone, and is not asked any more.
const LEASE: Duration = Duration::from_secs(5);
/// A read that comes so late says nothing about who was silent meanwhile.
const LATE: Duration = Duration::from_secs(3);

/// A subscriber's row, and since when it has not changed. Wall clocks of replicas differ, so silence is measured
/// by this replica's own clock.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) session: String,
    /// On which it was opened.
    pub(crate) replica: String,
    pub(crate) fences_after: Option<Duration>,
    pub(crate) registered_at: Timestamp,
    pub(crate) renewed_at: Timestamp,
    /// [`greenstar_kernel::Clock::monotonic`] when `renewed_at` was first seen.
    pub(crate) seen: Duration,
    /// [`greenstar_kernel::Clock::monotonic`] when it was last seen.
    pub(crate) looked: Duration,
}

impl Row {
    /// For how long nobody has heard of the subscriber, as far as the row tells.
    pub(crate) fn silent(&self) -> Duration {
        self.looked.saturating_sub(self.seen)
    }
}

/// A replica's row.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) url: String,
    renewed_at: Timestamp,
    seen: Duration,
    looked: Duration,
}

/// The rows as they were last read, and the watches of this replica.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) rows: BTreeMap<Arc<str>, Arc<Row>>,
    pub(crate) seats: HashMap<Arc<str>, Arc<Seat>>,
    replicas: BTreeMap<String, Lease>,
    read_at: Instant,
    /// When the reading of these rows began.
    began: Option<Instant>,
}

/// Who is registered, and which replicas there are, as seen at `mono`.
pub(crate) async fn read(
    tx: &mut Tx,
    mono: Duration,
) -> Result<(BTreeMap<Arc<str>, Row>, BTreeMap<String, Lease>), StoreError> {
    const ROWS: &str = "SELECT name, session, replica, fences_after_ms, registered_at, renewed_at \
         FROM subscriber ORDER BY name";
    const REPLICAS: &str = "SELECT id, url, renewed_at FROM replica ORDER BY id";
    let subscribers = tx.rows(ROWS, &[]).await?;
    let replicas = tx.rows(REPLICAS, &[]).await?;
    let mut rows = BTreeMap::new();
    for row in &subscribers {
        let fences: Option<i64> = row.get("fences_after_ms")?;
        let read = Row {
            session: row.get("session")?,
            replica: row.get("replica")?,
            fences_after: fences.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or_default())),
            registered_at: row.get("registered_at")?,
            renewed_at: row.get("renewed_at")?,
            seen: mono,
            looked: mono,
        };
        rows.insert(Arc::<str>::from(row.get::<String>("name")?), read);
    }
    let mut leases = BTreeMap::new();
    for row in &replicas {
        let lease = Lease {
            url: row.get("url")?,
            renewed_at: row.get("renewed_at")?,
            seen: mono,
            looked: mono,
        };
        leases.insert(row.get::<String>("id")?, lease);
    }
    Ok((rows, leases))
}

impl Books {
    pub(crate) fn new() -> Books {
        Books {
            rows: BTreeMap::new(),
            seats: HashMap::new(),
            replicas: BTreeMap::new(),
            read_at: Instant::now(),
            began: None,
        }
    }

    /// The replicas that live, but for `own`: id, and where they are reached.
    pub(crate) fn others(&self, own: &str) -> Vec<(String, String)> {
        let live = self
            .replicas
            .iter()
            .filter(|(id, lease)| *id != own && lease.looked.saturating_sub(lease.seen) <= LEASE);
        live.map(|(id, lease)| (id.clone(), lease.url.clone())).collect()
    }

    /// Where the replica is reached that last opened a watch for this name, unless that is `own`.
    pub(crate) fn elsewhere(&self, name: &str, own: &str) -> Option<String> {
        let replica = &self.rows.get(name)?.replica;
        let lease = self.replicas.get(replica)?;
        (replica != own && !lease.url.is_empty()).then(|| lease.url.clone())
    }

    /// Takes what was read; `began`: when the reading did. A watch that no longer speaks for its name ends. Of two
    /// reads that overlap the later one is kept: the earlier one may not show who has come since.
    pub(crate) fn replace(
        &mut self,
        began: Instant,
        mut rows: BTreeMap<Arc<str>, Row>,
        mut replicas: BTreeMap<String, Lease>,
    ) {
        if self.began.is_some_and(|last| began < last) {
            return;
        }
        self.began = Some(began);
        // While nobody could write, nobody was renewed: that is no silence.
        let late = self.read_at.elapsed() > LATE;
        self.read_at = Instant::now();
        for (name, row) in &mut rows {
            if let Some(known) = self.rows.get(name)
                && known.renewed_at == row.renewed_at
                && !late
            {
                row.seen = known.seen;
            }
        }
        for (id, lease) in &mut replicas {
            if let Some(known) = self.replicas.get(id)
                && known.renewed_at == lease.renewed_at
                && !late
            {
                lease.seen = known.seen;
            }
        }
        for (name, seat) in &self.seats {
            // Opened since: the rows may not show it yet.
            if seat.opened >= began
                && let Some(known) = self.rows.get(name)
            {
                rows.insert(name.clone(), Row::clone(known));
            }
        }
        self.seats.retain(|name, seat| {
            let speaks = rows.get(name).is_some_and(|row| row.session == seat.session);
            if !speaks {
                seat.ended.cancel();
            }
            speaks
        });
        self.rows = rows
            .into_iter()
            .map(|(name, row)| (name, Arc::new(row)))
            .collect();
        self.replicas = replicas;
    }
}

/// `UPDATE … IN ($2, …)`, padded with its last value so that few texts are prepared.
pub(crate) fn renewal(now: Timestamp, seats: &[Arc<Seat>]) -> (String, Vec<Value>) {
    let mut values = vec![now.into()];
    let mut text = "UPDATE subscriber SET renewed_at = $1 WHERE session IN (".to_owned();
    let padding = seats.len().next_power_of_two() - seats.len();
    for seat in seats.iter().chain(seats.last().into_iter().cycle().take(padding)) {
        values.push(seat.session.clone().into());
        let comma = if values.len() == 2 { "" } else { ", " };
        // Writing to a text cannot fail.
        let _ = write!(text, "{comma}${}", values.len());
    }
    text.push(')');
    (text, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_read_does_not_take_back_what_a_newer_one_saw() {
        let row = Row {
            session: "s".to_owned(),
            replica: "one".to_owned(),
            fences_after: None,
            registered_at: Timestamp::from_micros(0),
            renewed_at: Timestamp::from_micros(0),
            seen: Duration::ZERO,
            looked: Duration::ZERO,
        };
        let earlier = Instant::now();
        let later = earlier + Duration::from_millis(1);
        let mut books = Books::new();
        let rows = BTreeMap::from([(Arc::from("licensing/1"), row)]);
        books.replace(later, rows, BTreeMap::new());
        books.replace(earlier, BTreeMap::new(), BTreeMap::new());
        assert!(books.rows.contains_key("licensing/1"));
        books.replace(later, BTreeMap::new(), BTreeMap::new());
        assert!(books.rows.is_empty());
    }
}
