//! Drafts that are evaluated beside live traffic: after an answer, off its path, and only what differs is kept. Where
//! there is more than can be looked at or written, the rest is dropped and counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use greenstar_kernel::{Clock, Code, Department, Timestamp, Uscc};
use greenstar_store::{Database, StoreError};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::domain::decide::decide;
use crate::domain::facts::Facts;
use crate::domain::matter::Matter;
use crate::domain::policy::{Document, Policy};
use crate::record::DecisionId;
use crate::store::shadow::{self as rows, Counts, Difference};

/// Decisions that wait to be looked at.
const QUEUE: usize = 4_096;
/// Decisions that are looked at before others get a turn.
const TURN: usize = 64;
/// How often what was found is written, and the database asked which drafts there are.
const EVERY: Duration = Duration::from_millis(250);
/// Differences of one draft that wait to be written.
const UNWRITTEN: usize = 2_000;
/// Differences of one draft that are kept at all.
const MOST: u64 = 100_000;

/// A decision that was made.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) uscc: Uscc,
    pub(crate) department: Department,
    pub(crate) matter: Code,
    pub(crate) arguments: Vec<(String, String)>,
    pub(crate) facts: Facts,
    pub(crate) as_of: Timestamp,
    pub(crate) policy: Arc<Policy>,
}

/// Where answers are handed on. Clones share the queue.
#[derive(Clone, Debug)]
pub(crate) struct Shadows(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: mpsc::Sender<(Seen, Option<DecisionId>)>,
    waiting: Mutex<mpsc::Receiver<(Seen, Option<DecisionId>)>>,
    /// Matters that drafts answer; `None`: no draft is evaluated.
    wanted: ArcSwapOption<Wanted>,
    /// Since it was last written.
    dropped: AtomicU64,
    /// A draft began or ended here.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Wanted {
    /// A baseline is among the drafts.
    all: bool,
    matters: Vec<(Department, Code)>,
}

impl Shadows {
    pub(crate) fn new() -> Shadows {
        let (queue, waiting) = mpsc::channel(QUEUE);
        Shadows(Arc::new(Inner {
            queue,
            waiting: Mutex::new(waiting),
            wanted: ArcSwapOption::empty(),
            dropped: AtomicU64::new(0),
            changed: Notify::new(),
        }))
    }

    /// Whether a draft answers this matter. Costs next to nothing while there is none.
    pub(crate) fn wants(&self, matter: &Matter) -> bool {
        let wanted = self.0.wanted.load();
        wanted.as_ref().is_some_and(|wanted| {
            let same = |(department, code): &(Department, Code)| {
                department == matter.department() && code == matter.code()
            };
            wanted.all || wanted.matters.iter().any(same)
        })
    }

    /// Hands a decision on, with its id if it was kept. Never waits.
    pub(crate) fn offer(&self, seen: Seen, id: Option<DecisionId>) {
        if self.0.queue.try_send((seen, id)).is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A draft began or ended: whoever evaluates looks at once. Everything is wanted until then.
    pub(crate) fn changed(&self) {
        let all = Wanted {
            all: true,
            ..Wanted::default()
        };
        self.0.wanted.store(Some(Arc::new(all)));
        self.0.changed.notify_one();
    }

    /// Evaluates until `stop`, then writes what was found.
    pub(crate) async fn run(self, database: Database, clock: Arc<dyn Clock>, stop: CancellationToken) {
        let mut waiting = self.0.waiting.lock().await;
        let mut drafts = Drafts::default();
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = Vec::with_capacity(TURN);
        let mut failing = false;
        loop {
            let stopped = tokio::select! {
                // What was decided after a draft began finds it here.
                biased;
                () = self.0.changed.notified() => false,
                () = stop.cancelled() => {
                    while let Ok((seen, id)) = waiting.try_recv() {
                        drafts.look(seen, id).await;
                    }
                    true
                }
                _ = waiting.recv_many(&mut seen, TURN) => {
                    for (seen, id) in seen.drain(..) {
                        drafts.look(seen, id).await;
                    }
                    tokio::task::yield_now().await;
                    if drafts.unwritten() < UNWRITTEN && !drafts.is_due() {
                        continue;
                    }
                    false
                }
                _ = every.tick() => false,
            };
            let dropped = self.0.dropped.swap(0, Ordering::Relaxed);
            drafts.dropped(dropped);
            let written = self.refresh(&mut drafts, &database, &*clock).await;
            match (&written, failing) {
                (Err(error), false) => {
                    tracing::warn!(%error, "drafts beside live traffic wait for the database")
                }
                (Ok(()), true) => tracing::info!("drafts beside live traffic are written again"),
                (Ok(()), false) | (Err(_), true) => {}
            }
            failing = written.is_err();
            if stopped {
                return;
            }
        }
    }

    /// Writes what was found, and takes up what is to be evaluated.
    async fn refresh(
        &self,
        drafts: &mut Drafts,
        database: &Database,
        clock: &dyn Clock,
    ) -> Result<(), StoreError> {
        drafts.write(database).await?;
        let running = rows::running(database, clock.now()).await?;
        drafts.take(running);
        let wanted = drafts.wanted();
        self.0.wanted.store(wanted.map(Arc::new));
        Ok(())
    }
}

/// The drafts that are evaluated here.
#[derive(Debug, Default)]
struct Drafts {
    running: BTreeMap<String, Draft>,
    /// Ended, and not written to the end.
    ended: Vec<(String, Draft)>,
    written: Option<std::time::Instant>,
}

#[derive(Debug)]
struct Draft {
    document: Document,
    ends_at: Timestamp,
    /// Compiled among these policies; `None` there: it does not fit them.
    compiled: Option<(Arc<Policy>, Option<Arc<Policy>>)>,
    /// Kept before, by all replicas.
    kept: u64,
    counts: Counts,
    found: Vec<Difference>,
}

impl Drafts {
    fn take(&mut self, running: Vec<rows::Shadow>) {
        let mut before = std::mem::take(&mut self.running);
        for shadow in running {
            let kept = shadow.counts.different.saturating_sub(shadow.counts.dropped);
            let known = before.remove(&shadow.draft);
            let same = |draft: &Draft| draft.document.text == shadow.source;
            let draft = match known {
                Some(known) if same(&known) => Draft {
                    ends_at: shadow.ends_at,
                    kept,
                    ..known
                },
                other => {
                    self.ended
                        .extend(other.map(|draft| (shadow.draft.clone(), draft)));
                    Draft {
                        document: Document {
                            name: format!("drafts/{}", shadow.draft),
                            text: shadow.source,
                        },
                        ends_at: shadow.ends_at,
                        compiled: None,
                        kept,
                        counts: Counts::default(),
                        found: Vec::new(),
                    }
                }
            };
            self.running.insert(shadow.draft, draft);
        }
        self.ended.extend(before);
    }

    /// Before a draft was compiled nobody knows what it answers, so everything is wanted.
    fn wanted(&self) -> Option<Wanted> {
        let mut wanted = Wanted::default();
        for draft in self.running.values() {
            match &draft.compiled {
                Some((_, Some(candidate))) => match own(candidate, &draft.document) {
                    Own::All => wanted.all = true,
                    Own::These(names) => {
                        let own = candidate
                            .matters()
                            .iter()
                            .filter(|matter| names.contains(&matter.name()));
                        let own = own.map(|matter| (matter.department().clone(), matter.code().clone()));
                        wanted.matters.extend(own);
                    }
                },
                Some((_, None)) => {}
                None => wanted.all = true,
            }
        }
        (!self.running.is_empty()).then_some(wanted)
    }

    fn unwritten(&self) -> usize {
        self.running.values().map(|draft| draft.found.len()).sum()
    }

    fn is_due(&self) -> bool {
        self.written.is_none_or(|written| written.elapsed() >= EVERY)
    }

    fn dropped(&mut self, count: u64) {
        for draft in self.running.values_mut() {
            draft.counts.dropped += count;
        }
    }

    async fn look(&mut self, seen: Seen, id: Option<DecisionId>) {
        for draft in self.running.values_mut() {
            if seen.as_of < draft.ends_at {
                draft.look(&seen, id).await;
            }
        }
    }

    async fn write(&mut self, database: &Database) -> Result<(), StoreError> {
        self.written = Some(std::time::Instant::now());
        let mut due: Vec<(&String, &mut Draft)> = self.running.iter_mut().collect();
        due.extend(self.ended.iter_mut().map(|(name, draft)| (&*name, draft)));
        due.retain(|(_, draft)| draft.counts != Counts::default());
        if !due.is_empty() {
            let mut tx = database.write().await?;
            for (name, draft) in &due {
                rows::keep(
                    &mut tx,
                    name,
                    &draft.document.text,
                    draft.counts,
                    draft.found.clone(),
                )
                .await?;
            }
            tx.commit().await?;
            for (_, draft) in due {
                draft.counts = Counts::default();
                draft.found.clear();
            }
        }
        self.ended.clear();
        Ok(())
    }
}

impl Draft {
    async fn look(&mut self, seen: &Seen, id: Option<DecisionId>) {
        let Some(candidate) = self.among(&seen.policy).await else {
            return;
        };
        let (Some(given), Some(shadow)) = (told(&seen.policy, seen), told(&candidate, seen)) else {
            return;
        };
        let matter = format!("departments/{}/matters/{}", seen.department, seen.matter);
        match own(&candidate, &self.document) {
            Own::These(names) if !names.contains(&matter) => return,
            Own::These(_) | Own::All => {}
        }
        self.counts.evaluated += 1;
        if given == shadow {
            return;
        }
        self.counts.different += 1;
        if self.found.len() >= UNWRITTEN || self.kept + self.found.len() as u64 >= MOST {
            self.counts.dropped += 1;
            return;
        }
        self.found.push(Difference {
            id: Uuid::now_v7().to_string(),
            decision: id.map_or_else(String::new, |id| format!("decisions/{id}")),
            enterprise: format!("enterprises/{}", seen.uscc),
            matter,
            measures_dropped: only(&given.1, &shadow.1),
            measures_added: only(&shadow.1, &given.1),
            outcome: given.0,
            shadow_outcome: shadow.0,
            as_of: seen.as_of,
        });
    }

    /// The policies that decided, with the draft in its place.
    async fn among(&mut self, policy: &Arc<Policy>) -> Option<Arc<Policy>> {
        if let Some((known, compiled)) = &self.compiled
            && Arc::ptr_eq(known, policy)
        {
            return compiled.clone();
        }
        let (base, document) = (policy.clone(), self.document.clone());
        let compiled = spawn_blocking(move || base.with(&document)).await;
        let compiled = match compiled {
            Ok(Ok(compiled)) => Some(Arc::new(compiled)),
            Ok(Err(errors)) => {
                tracing::warn!(draft = self.document.name, %errors, "a draft does not fit the policies in force and is not evaluated beside them");
                None
            }
            Err(error) => {
                tracing::error!(%error, "compiling a draft failed");
                None
            }
        };
        self.compiled = Some((policy.clone(), compiled.clone()));
        compiled
    }
}

/// Which matters a draft answers.
enum Own<'p> {
    /// It is a baseline, which has none of its own.
    All,
    These(&'p [String]),
}

fn own<'p>(candidate: &'p Policy, document: &Document) -> Own<'p> {
    let info = candidate.infos().iter().find(|info| info.source == *document);
    match info.map(|info| info.matters.as_slice()) {
        Some([]) => Own::All,
        Some(names) => Own::These(names),
        None => Own::These(&[]),
    }
}

/// Measures with their values.
type Measures = BTreeMap<String, Option<i64>>;

/// Outcome and measures; `None`: it cannot be asked so.
fn told(policy: &Policy, seen: &Seen) -> Option<(String, Measures)> {
    let matter = policy.matter(seen.department.as_str(), seen.matter.as_str())?;
    let given = seen.arguments.iter();
    let given = given.map(|(name, value)| (name.as_str(), value.as_str()));
    let arguments = matter.parse_arguments(given).ok()?;
    let decision = decide(policy, matter, &seen.facts, &arguments, seen.as_of).ok()?;
    let measures = decision.measures.iter();
    let measures = measures.map(|measure| (measure.entry.code.to_string(), measure.value));
    Some((decision.outcome.code.to_string(), measures.collect()))
}

/// Measures of the one that the other has not, by code; with its value where the other has another value.
fn only(one: &Measures, other: &Measures) -> Vec<String> {
    let told = |(code, value): (&String, &Option<i64>)| match (other.get(code), value) {
        (None, _) => Some(code.clone()),
        (Some(same), _) if same == value => None,
        (Some(_), Some(value)) => Some(format!("{code}={value}")),
        (Some(_), None) => Some(code.clone()),
    };
    one.iter().filter_map(told).collect()
}
