//! What this replica knows (protocol.md §10): every enterprise's rating and flags, the catalogue and the
//! policies, how far each log is applied and how old that is. Readers take no lock.
//!
//! Ratings and flags come from two logs that nothing orders against each other, so each half has its own
//! position; within a half, rows stand before the position that names them is published.

mod base;
mod compared;
mod flags;
mod index;
mod look;
mod names;
mod policies;
mod population;
mod ratings;
mod row;
mod saved;
mod touches;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use greenstar_kernel::{Clock, Code, Log, Position, Ratchet, Revision, Timestamp, Token, Uscc};
use tokio::sync::Notify;

use self::look::Applied;
use crate::domain::analysis::Examination;
use crate::domain::policy::{Document, PolicyErrors};

pub(crate) use compared::{Followed, Touched};
pub(crate) use flags::{FlagRow, Source as FlagSource};
pub(crate) use look::{Look, Reading};
pub(crate) use policies::{Edition, Ruling, Rulings, Version};
pub(crate) use population::Population;
pub(crate) use ratings::{RatingRow, Snapshot};
pub(crate) use row::Unreadable;
pub(crate) use saved::{Saved, Unusable};
pub(crate) use touches::{Touched as Touch, Touches};

/// Who measures how long a change takes through the suite listens to this target.
const PASSAGE: &str = "greenstar::passage";

/// Everything that a decision is computed from.
#[derive(Debug)]
pub(crate) struct View {
    ratings: ratings::Ratings,
    flags: flags::Flags,
    policies: policies::Policies,
    ages: [Anchor; 3],
    as_of: Ratchet,
    /// Wall minus monotonic clock, in microseconds, when a source last agreed with the wall clock.
    wall: AtomicI64,
    /// Something was applied.
    moved: Notify,
    folding: AtomicBool,
    /// Of the rating and the sanctions log.
    notes: [compared::Notes; 2],
    /// Held while the copy on disk takes its place or goes.
    copy: Mutex<()>,
    /// Of those who follow some enterprises.
    touches: touches::Listeners,
    /// The token that was told last: it changes far more seldom than it is told.
    told: ArcSwapOption<Told>,
}

#[derive(Debug)]
struct Told {
    token: Token,
    text: String,
}

/// The instant, in microseconds on the monotonic clock, as of which a log is known to be complete. May lie
/// before the clock's start.
#[derive(Debug)]
struct Anchor(AtomicI64);

impl Anchor {
    /// Nothing was measured yet.
    const NEVER: i64 = i64::MIN;
    /// It was, and the clocks do not agree.
    const CLOCK_OFF: i64 = i64::MIN + 1;
}

/// All anchors at one time.
#[derive(Debug)]
struct Measured {
    anchors: [i64; 3],
    /// As [`View::wall`].
    wall: i64,
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

fn offset(now: Duration, wall: Timestamp) -> i64 {
    wall.micros().saturating_sub(micros(now))
}

impl View {
    pub(crate) fn new() -> View {
        View {
            ratings: ratings::Ratings::new(),
            flags: flags::Flags::new(),
            policies: policies::Policies::new(),
            ages: [(); 3].map(|()| Anchor(AtomicI64::new(Anchor::NEVER))),
            as_of: Ratchet::new(),
            wall: AtomicI64::new(Anchor::NEVER),
            moved: Notify::new(),
            folding: AtomicBool::new(false),
            notes: Default::default(),
            copy: Mutex::new(()),
            touches: touches::Listeners::default(),
            told: ArcSwapOption::empty(),
        }
    }

    /// One consistent look and its age; `None` until every log was caught up with once. In this order: what was
    /// measured, then the rows that it speaks of, then the instant, which is so not before anything that was seen.
    /// Measured later, the age could be that of rows which came after those that were read.
    pub(crate) fn look(&self, clock: &dyn Clock) -> Option<Look> {
        let measured = self.measured();
        let reading = self.read()?;
        let (now, wall) = (clock.monotonic(), clock.now());
        let age = self.age_by(&measured, now, wall);
        Some(Look {
            reading,
            age,
            now,
            as_of: self.as_of(wall, age.is_some()),
        })
    }

    /// Rows without an age. What is applied is read before all that it vouches for: rows, and the catalogue in the
    /// ruling, which is a fact of the sanctions log.
    fn read(&self) -> Option<Reading> {
        let (ratings, flags) = (self.ratings.read(), self.flags.read());
        let (rating, sanctions) = (ratings.as_ref()?.revision(), flags.as_ref()?.revision());
        let rulings = self.policies.read();
        if !rulings.as_ref()?.is_usable() {
            return None;
        }
        let applied = Applied {
            rating,
            sanctions,
            policy: rulings.as_ref()?.applied.revision,
        };
        Some(Reading {
            ratings,
            flags,
            rulings,
            applied,
        })
    }

    /// What `reading` has applied, as callers hand it on.
    pub(crate) fn token(&self, reading: &Reading) -> String {
        let token = reading.token();
        if let Some(told) = self.told.load().as_ref().filter(|told| told.token == token) {
            return told.text.clone();
        }
        let text = token.to_string();
        self.told.store(Some(Arc::new(Told {
            token,
            text: text.clone(),
        })));
        text
    }

    /// The policies, also before the other logs are caught up with.
    pub(crate) fn rulings(&self) -> Guard<Option<Arc<Rulings>>> {
        self.policies.read()
    }

    /// The text of a policy's version that was in force at some instant up to this one. Takes a lock: for what is
    /// kept afterwards.
    pub(crate) fn once_in_force(&self, policy: &str, number: u32, instant: Timestamp) -> Option<Document> {
        self.policies.once_in_force(policy, number, instant)
    }

    /// How far a log is applied; `None` before the first snapshot.
    pub(crate) fn applied(&self, log: Log) -> Option<Position> {
        match log {
            Log::Rating => self
                .ratings
                .read()
                .as_ref()
                .map(|generation| generation.applied()),
            Log::Sanctions => self.flags.read().as_ref().map(|generation| generation.applied()),
            Log::Policy => self
                .policies
                .read()
                .as_ref()
                .map(|rulings| rulings.applied.clone()),
        }
    }

    /// Returns after the next change of any position. Make it before looking at a position.
    pub(crate) fn moved(&self) -> tokio::sync::futures::Notified<'_> {
        self.moved.notified()
    }

    /// The instant to decide for, with a wall clock that is `known` or not. Never earlier than any that was given
    /// by a known clock; an unknown one moves nothing, so no term ends by it.
    fn as_of(&self, wall: Timestamp, known: bool) -> Timestamp {
        if known {
            self.as_of.advance(wall)
        } else {
            self.as_of.held(wall)
        }
    }

    /// How old what is known of the most behind log may be at `now`, which is `wall` by the wall clock; `None`:
    /// nobody can say. A wall clock that jumped since a source agreed with it is unknown until one agrees
    /// again; so is one that has yet to catch up with [`View::as_of`]. Of rows, only [`View::look`] tells the age.
    pub(crate) fn age(&self, now: Duration, wall: Timestamp) -> Option<Duration> {
        self.age_by(&self.measured(), now, wall)
    }

    /// Acquired, so that rows which are read afterwards are at least as new as this says.
    fn measured(&self) -> Measured {
        Measured {
            anchors: self
                .ages
                .each_ref()
                .map(|anchor| anchor.0.load(Ordering::Acquire)),
            wall: self.wall.load(Ordering::Acquire),
        }
    }

    fn age_by(&self, measured: &Measured, now: Duration, wall: Timestamp) -> Option<Duration> {
        let jumped = offset(now, wall).abs_diff(measured.wall);
        if u128::from(jumped) > Ratchet::SLACK.as_micros() || self.as_of.ahead_of(wall) > Ratchet::SLACK {
            return None;
        }
        let mut oldest = Duration::ZERO;
        for anchor in measured.anchors {
            match anchor {
                Anchor::NEVER | Anchor::CLOCK_OFF => return None,
                at => {
                    let age = micros(now).saturating_sub(at);
                    oldest = oldest.max(Duration::from_micros(u64::try_from(age).unwrap_or(0)));
                }
            }
        }
        Some(oldest)
    }

    /// Whether every log was caught up with once and its age measured, whatever came of it.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.read().is_some()
            && self
                .ages
                .iter()
                .all(|anchor| anchor.0.load(Ordering::Acquire) != Anchor::NEVER)
    }

    /// A log is known to be applied as it was `age` before `now`; `None`: the clocks do not agree. Released, after the
    /// rows that it speaks of.
    pub(crate) fn set_age(&self, log: Log, age: Option<Duration>, now: Duration) {
        let anchor = age.map_or(Anchor::CLOCK_OFF, |age| micros(now).saturating_sub(micros(age)));
        let [rating, sanctions, policy] = &self.ages;
        let slot = match log {
            Log::Rating => rating,
            Log::Sanctions => sanctions,
            Log::Policy => policy,
        };
        slot.0.store(anchor, Ordering::Release);
    }

    /// A source agrees with `wall`, which is `now` by the monotonic clock.
    pub(crate) fn set_clock(&self, now: Duration, wall: Timestamp) {
        self.wall.store(offset(now, wall), Ordering::Release);
    }

    /// A snapshot that grows beside what is served.
    pub(crate) fn begin_ratings(&self) -> Snapshot {
        self.ratings.begin()
    }

    pub(crate) fn replace_ratings(&self, at: Position, snapshot: Snapshot) {
        let notes = self.notes(Followed::Rating);
        notes.replaced(|| self.ratings.replace(at, snapshot));
        self.touches.tell(|touched| touched.all = true);
        self.moved.notify_waiters();
    }

    /// Rows of a frame, and the revision that is applied with them.
    pub(crate) fn apply_ratings(&self, rows: &[RatingRow], to: Revision) {
        let notes = self.notes(Followed::Rating);
        notes.note(|touched| touched.enterprises.extend(rows.iter().map(|(uscc, _)| *uscc)));
        self.ratings.apply(rows, to);
        self.touches
            .tell(|touched| touched.ratings.extend(rows.iter().map(|(uscc, _)| *uscc)));
        self.moved.notify_waiters();
    }

    /// Folds what is due for it, if nobody does already. Takes long: not for an async thread.
    pub(crate) fn fold_if_due(&self) {
        if self.is_due_for_folding() && !self.folding.swap(true, Ordering::AcqRel) {
            if self.ratings.is_due_for_folding() {
                self.ratings.fold();
            }
            if self.flags.is_due_for_folding() {
                self.flags.fold();
            }
            self.folding.store(false, Ordering::Release);
        }
    }

    pub(crate) fn is_due_for_folding(&self) -> bool {
        let due = self.ratings.is_due_for_folding() || self.flags.is_due_for_folding();
        due && !self.folding.load(Ordering::Acquire)
    }

    pub(crate) fn replace_flags(
        &self,
        at: Position,
        editions: Vec<Edition>,
        mut rows: Vec<FlagRow>,
        now: Timestamp,
    ) {
        let notes = self.notes(Followed::Sanctions);
        notes.replaced(|| {
            self.follow_starts(&mut rows, now);
            self.policies.replace_editions(editions, now);
            self.flags.replace(at, rows);
        });
        self.touches.tell(|touched| touched.all = true);
        self.moved.notify_waiters();
    }

    /// A new edition, in force or to come. Applied before the revision that brought it is.
    pub(crate) fn put_edition(&self, edition: Edition, now: Timestamp) {
        let notes = self.notes(Followed::Sanctions);
        notes.note(|touched| touched.other = true);
        self.policies.put_edition(edition, now);
    }

    pub(crate) fn apply_flags(&self, mut rows: Vec<FlagRow>, to: Revision, now: Timestamp) {
        let notes = self.notes(Followed::Sanctions);
        notes.note(|touched| touched.enterprises.extend(rows.iter().map(|row| row.uscc)));
        self.follow_starts(&mut rows, now);
        self.flags.apply(&rows, to);
        self.touches
            .tell(|touched| touched.flags.extend(rows.iter().map(|row| row.uscc)));
        tracing::trace!(target: PASSAGE, step = "applied", to = to.0);
        self.moved.notify_waiters();
    }

    /// What the source says is in force is in force here, whatever its clock says (P1): up to the slack `as_of`
    /// follows the start; beyond it the clock is unknown, and the flag starts when it came.
    fn follow_starts(&self, rows: &mut [FlagRow], now: Timestamp) {
        for flag in rows.iter_mut().filter_map(|row| row.flag.as_mut().ok()?.as_mut()) {
            if flag.start > now.plus(Ratchet::SLACK) {
                tracing::warn!(flag = &*flag.name, start = %flag.start, "a flag starts ahead of this replica's clock");
                flag.start = now;
            }
            self.as_of.advance(flag.start);
        }
    }

    /// From now on it hears who changed, each after the change can be seen.
    pub(crate) fn listen(&self) -> Arc<Touches> {
        self.touches.listen()
    }

    /// Notes from now on which enterprises change; one at a time for each log.
    pub(crate) fn note(&self, log: Followed) {
        self.notes(log).begin();
    }

    /// What was noted since, and the end of it.
    pub(crate) fn noted(&self, log: Followed) -> Touched {
        self.notes(log).end()
    }

    /// How often a snapshot has taken the place of all there was.
    pub(crate) fn replacements(&self, log: Followed) -> u64 {
        self.notes(log).replacements()
    }

    /// This half was found to be other than its source.
    pub(crate) fn differs(&self, log: Followed) {
        self.notes(log).differs();
    }

    /// How often that was.
    pub(crate) fn differed(&self, log: Followed) -> u64 {
        self.notes(log).differed()
    }

    fn notes(&self, log: Followed) -> &compared::Notes {
        let [rating, sanctions] = &self.notes;
        match log {
            Followed::Rating => rating,
            Followed::Sanctions => sanctions,
        }
    }

    /// Whether the view holds exactly this row.
    pub(crate) fn has_rating(&self, row: &RatingRow) -> bool {
        self.ratings.has(row)
    }

    /// Number of enterprises with a rating row.
    pub(crate) fn rated(&self) -> usize {
        self.ratings
            .read()
            .as_ref()
            .map_or(0, |generation| generation.count())
    }

    /// Bytes that ratings and flags take, without what is not folded yet.
    pub(crate) fn bytes(&self) -> [usize; 2] {
        let ratings = self.ratings.read().as_ref().map(|ratings| ratings.bytes());
        let flags = self.flags.read().as_ref().map(|flags| flags.bytes());
        [ratings.unwrap_or(0), flags.unwrap_or(0)]
    }

    /// Folds, whether it is due or not.
    pub(crate) fn fold(&self) {
        self.ratings.fold();
        self.flags.fold();
    }

    /// Enterprises whose flags are others here than there, in either direction.
    pub(crate) fn flags_unlike(&self, source: &FlagSource) -> Vec<Uscc> {
        let flags = self.flags.read();
        flags
            .as_ref()
            .map(|flags| flags.unlike(source))
            .unwrap_or_default()
    }

    /// Editions of the catalogue, as they came.
    pub(crate) fn editions(&self) -> Vec<Edition> {
        self.policies.editions()
    }

    /// Writes a copy to the disk; the number of its rows. Takes long: not for an async thread. `None`: there is
    /// nothing to keep, or it is known to be wrong, or something in it cannot be read, which a later program may be
    /// able to.
    pub(crate) fn save(&self, folder: &Path) -> io::Result<Option<u64>> {
        let Some(taken) = self.undoubted() else {
            return Ok(None);
        };
        // Positions first: the rows are at least that new, and what comes again behind a cursor changes nothing.
        let (ratings, flags) = (self.ratings.read(), self.flags.read());
        let (Some(ratings), Some(flags)) = (ratings.as_ref(), flags.as_ref()) else {
            return Ok(None);
        };
        let (rating, sanctions) = (ratings.applied(), flags.applied());
        let editions = self.policies.editions();
        let (rated, flagged) = (ratings.rows(), flags.all());
        if rated.iter().any(|(packed, _)| packed.is_unreadable())
            || flagged.iter().any(|(_, flags)| flags.is_err())
        {
            return Ok(None);
        }
        // After the rows, so that every name that they use is among them.
        let shared = ratings.shared();
        let content = saved::Content {
            rating,
            sanctions,
            texts: shared.texts.all(),
            causes: shared.causes.all(),
            editions: editions.into_iter().map(|edition| edition.source).collect(),
        };
        let written = saved::write(folder, &content, |rows| {
            for (packed, side) in rated.iter() {
                rows.rating(&packed, side.as_ref())?;
            }
            for (uscc, flags) in &flagged {
                rows.flags(*uscc, flags.as_deref().unwrap_or_default())?;
            }
            Ok(())
        })?;
        let _turn = self.copy.lock().unwrap_or_else(PoisonError::into_inner);
        // What was found to be wrong meanwhile, or has been replaced for that, must not come back with a start.
        if self.undoubted() != Some(taken) {
            return Ok(None);
        }
        saved::publish(folder)?;
        Ok(Some(written))
    }

    /// Takes away the copy on disk, durably: it is known to be wrong. Until a snapshot has taken the place of what is
    /// here, none is written again.
    pub(crate) fn forget_saved(&self, folder: &Path) -> io::Result<()> {
        let _turn = self.copy.lock().unwrap_or_else(PoisonError::into_inner);
        saved::remove(folder)
    }

    /// How often each half was replaced; `None`: one of them was found to be wrong and was not replaced yet.
    fn undoubted(&self) -> Option<[u64; 2]> {
        let taken = self.notes.each_ref().map(compared::Notes::replacements);
        let doubted = self.notes.iter().any(compared::Notes::is_doubted);
        (!doubted).then_some(taken)
    }

    /// Reads what [`View::save`] wrote; this view has to be new. Takes long: not for an async thread.
    pub(crate) fn saved(&self, folder: &Path) -> Result<Saved, Unusable> {
        saved::read(folder, self.begin_ratings())
    }

    /// All versions of all policies, by name and version.
    pub(crate) fn put_policies(&self, at: Position, versions: Arc<[Version]>, now: Timestamp) {
        self.policies.put_versions(at, versions, now);
        self.moved.notify_waiters();
    }

    /// The policy log has moved on to `at` and published nothing.
    pub(crate) fn move_policies(&self, at: Position) {
        self.policies.move_to(at);
        self.moved.notify_waiters();
    }

    /// A text, examined as the version `number` of its policy among what counts at `instant`, with how far the policy
    /// log is applied; `None` before policies and catalogue were read. It takes a while.
    ///
    /// # Errors
    /// Faults of this text.
    pub(crate) fn candidate(
        &self,
        name: &Code,
        text: String,
        number: u32,
        instant: Timestamp,
    ) -> Option<Result<(Position, Examination), PolicyErrors>> {
        self.policies.candidate(name, text, number, instant)
    }

    /// Lets go of rulings whose time is over. Which one decides follows from the instant alone.
    pub(crate) fn forget_rulings(&self, now: Timestamp) {
        self.policies.forget_passed(now);
    }
}

#[cfg(test)]
mod tests;
