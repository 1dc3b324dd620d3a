//! The history against the truth, promise by promise.
//!
//! A decision says in its token what it had applied before it read: at least that must be in it, and what is in it
//! must have been true then or later. Whatever ended meanwhile may be missing only if its end had begun before the
//! answer left.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use greenstar_kernel::{Log, Token};

use crate::history::{Decided, Deed, Seen, Write};
use crate::truth::Truth;

/// The bound of staleness that matters have by default (protocol.md §4).
pub const MAX_STALENESS: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// By promise, at most [`Findings::SHOWN`] of each in full.
    pub violations: BTreeMap<&'static str, Vec<String>>,
    pub counts: BTreeMap<&'static str, u64>,
    /// Acknowledged writes and decisions that are gone.
    pub lost: u64,
    /// Answers that were older than they may be.
    pub stale: u64,
}

impl Findings {
    const SHOWN: usize = 20;

    pub fn add(&mut self, promise: &'static str, what: String) {
        *self.counts.entry(promise).or_default() += 1;
        let shown = self.violations.entry(promise).or_default();
        if shown.len() < Findings::SHOWN {
            shown.push(what);
        }
    }

    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// Checks all that can be checked without asking anybody any more.
pub fn check(seen: &Seen, truth: &Truth) -> Findings {
    let mut found = Findings::default();
    for (promise, what) in &seen.violations {
        found.add(promise, what.clone());
    }
    for disorder in &truth.disorder {
        found.add("P4", disorder.clone());
    }
    nothing_lost(seen, truth, &mut found);
    in_order(seen, truth, &mut found);
    for decided in &seen.decisions {
        decision(decided, seen, truth, &mut found);
    }
    convergence(seen, &mut found);
    found
}

fn revision(token: &Token, log: Log) -> u64 {
    token.get(log).map_or(0, |position| position.revision.0)
}

/// P3: every acknowledged write is in the log, where its token says.
fn nothing_lost(seen: &Seen, truth: &Truth, found: &mut Findings) {
    for write in &seen.writes {
        let Some(done) = &write.done else { continue };
        let at = revision(&done.token, Log::Sanctions);
        let life = truth.flags.get(&write.flag);
        let written = life.is_some_and(|life| match write.deed {
            Deed::Confirmed => life.moves.iter().any(|(moved, binds)| *binds && *moved <= at),
            Deed::Lifted | Deed::Repaired => life.ended_by(at),
        });
        if !written {
            found.lost += 1;
            found.add(
                "P3",
                format!(
                    "{:?} of {} was acknowledged at {at} and is not in the log",
                    write.deed, write.flag
                ),
            );
        }
    }
}

/// P4: each watcher was sent the log, without a gap, a repeat or a step back.
fn in_order(seen: &Seen, truth: &Truth, found: &mut Findings) {
    let told = told(truth);
    let mut cursors: BTreeMap<usize, u64> = BTreeMap::new();
    for (watcher, epoch, at) in &seen.snapshots {
        if *epoch != truth.epoch {
            found.add(
                "P4",
                format!("watcher {watcher} was given a snapshot of the epoch {epoch}"),
            );
        }
        cursors.entry(*watcher).or_insert(*at);
    }
    for frame in &seen.frames {
        let Some(cursor) = cursors.get_mut(&frame.watcher) else {
            found.add(
                "P4",
                format!("watcher {} was sent a frame before a snapshot", frame.watcher),
            );
            continue;
        };
        if frame.after != *cursor || frame.to < frame.after {
            found.add(
                "P4",
                format!(
                    "watcher {} stood at {cursor} and was sent ({}, {}]",
                    frame.watcher, frame.after, frame.to
                ),
            );
        }
        *cursor = frame.to;
        let mut last = frame.after;
        for change in &frame.changes {
            if *change <= last || *change > frame.to {
                found.add(
                    "P4",
                    format!(
                        "watcher {} was sent {change} in ({}, {}]",
                        frame.watcher, frame.after, frame.to
                    ),
                );
            }
            last = *change;
        }
        // What binds or stopped binding in between is all there.
        for moved in told.range((
            Bound::Excluded(frame.after),
            Bound::Included(frame.to.max(frame.after)),
        )) {
            if !frame.changes.contains(moved) {
                found.add("P4", format!("watcher {} was not sent {moved}", frame.watcher));
            }
        }
    }
}

/// Revisions that everybody is told of: a flag begins to bind, or does no longer.
fn told(truth: &Truth) -> BTreeSet<u64> {
    let mut told = BTreeSet::new();
    for life in truth.flags.values() {
        let mut bound = false;
        for (moved, binds) in &life.moves {
            if *binds || bound {
                told.insert(*moved);
            }
            bound = *binds;
        }
    }
    told
}

/// P1 and P2, and that nothing is in an answer that never was.
fn decision(decided: &Decided, seen: &Seen, truth: &Truth, found: &mut Findings) {
    let at = revision(&decided.token, Log::Sanctions);
    let who = format!(
        "{} about {} at {:?}",
        decided.replica, decided.enterprise, decided.ended
    );
    if let Some(asked) = &decided.asked {
        for log in Log::ALL {
            let (asked, given) = (revision(asked, log), revision(&decided.token, log));
            if given < asked {
                found.stale += 1;
                found.add(
                    "P1",
                    format!("{who}: asked for {log:?} {asked}, answered from {given}"),
                );
            }
        }
    }
    if at > truth.head {
        found.add(
            "P1",
            format!("{who}: it has applied {at}, the log ends at {}", truth.head),
        );
    }
    // Its end may have been on its way, acknowledged or not.
    let ending = |flag: &str| {
        seen.writes
            .iter()
            .any(|write| write.flag == flag && write.deed != Deed::Confirmed && write.began < decided.ended)
    };
    let own = truth
        .flags
        .iter()
        .filter(|(_, life)| life.enterprise == decided.enterprise);
    for (name, life) in own {
        let shown = decided.flags.contains(name);
        if life.binds(at) && !shown && !(life.ended_after(at).is_some() && ending(name)) {
            found.stale += 1;
            found.add(
                "P1",
                format!("{who}: {name} binds at {at} and is not in the answer"),
            );
        }
        if shown && !life.binds(at) && !life.began_after(at) {
            found.add(
                "P1",
                format!("{who}: {name} is in the answer and did not bind at {at} or later"),
            );
        }
    }
    for flag in &decided.flags {
        if !truth.flags.contains_key(flag) {
            found.add("P1", format!("{who}: {flag} is in no log"));
        }
    }
    bounded(decided, &who, seen, truth, &ending, found);
    standing(decided, &who, truth, found);
}

/// P2: an answer that nobody has to look at is no older than its bound.
fn bounded(
    decided: &Decided,
    who: &str,
    seen: &Seen,
    truth: &Truth,
    ending: &dyn Fn(&str) -> bool,
    found: &mut Findings,
) {
    if decided.manual_review {
        return;
    }
    if decided.data_age.is_none_or(|age| age > MAX_STALENESS) {
        found.stale += 1;
        found.add(
            "P2",
            format!("{who}: an age of {:?} without manual review", decided.data_age),
        );
    }
    let at = revision(&decided.token, Log::Sanctions);
    let old = |write: &&Write| {
        let done = write.done.as_ref();
        write.deed == Deed::Confirmed
            && write.enterprise == decided.enterprise
            && done.is_some_and(|done| done.at + MAX_STALENESS < decided.began)
    };
    for write in seen.writes.iter().filter(old) {
        let ended = truth
            .flags
            .get(&write.flag)
            .is_some_and(|life| life.moves.iter().any(|(_, binds)| !binds));
        let accounted = decided.flags.contains(&write.flag) || ended && ending(&write.flag);
        if !accounted {
            found.stale += 1;
            found.add(
                "P2",
                format!(
                    "{who}: {} bound for more than 5 s and is not in the answer of {at}",
                    write.flag
                ),
            );
        }
    }
}

/// The star is one that the enterprise had at the revision, or has had since.
fn standing(decided: &Decided, who: &str, truth: &Truth, found: &mut Findings) {
    let Some(standings) = truth.standings.get(&decided.enterprise) else {
        return;
    };
    let at = revision(&decided.token, Log::Rating);
    let before = standings.iter().rev().find(|standing| standing.revision <= at);
    let mut possible = before
        .into_iter()
        .chain(standings.iter().filter(|standing| standing.revision > at));
    if !possible.any(|standing| standing.star == decided.star) {
        found.add(
            "P1",
            format!(
                "{who}: the star {:?} is none that it had at {at} or later",
                decided.star
            ),
        );
    }
}

/// P5: after a claim that all have applied a write, no fresh answer is from before it.
fn convergence(seen: &Seen, found: &mut Findings) {
    for claim in &seen.converged {
        for decided in &seen.decisions {
            if decided.began <= claim.at || decided.manual_review {
                continue;
            }
            let at = revision(&decided.token, Log::Sanctions);
            if at < claim.sanctions {
                found.add(
                    "P5",
                    format!(
                        "{} answered from {at} at {:?}; at {:?} all had applied {}",
                        decided.replica, decided.ended, claim.at, claim.sanctions
                    ),
                );
            }
            let rating = revision(&decided.token, Log::Rating);
            if claim.rating.is_some_and(|claimed| rating < claimed) {
                found.add(
                    "P5",
                    format!(
                        "{} answered from rating {rating} at {:?}; all had applied {:?}",
                        decided.replica, decided.ended, claim.rating
                    ),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use greenstar_kernel::{Epoch, Position, Revision};

    use super::*;
    use crate::history::{Converged, Done, Framed};
    use crate::truth::{FlagLife, Standing};

    const FIRM: &str = "enterprises/91110115MAX000015J";

    fn token(sanctions: u64, rating: u64) -> Token {
        let at = |revision| Position {
            epoch: Epoch::parse("0123456789abcdef").expect("an epoch"),
            revision: Revision(revision),
        };
        Token::of(Log::Sanctions, at(sanctions)).with(Log::Rating, at(rating))
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// `f` binds from 5 to 9, `g` from 7 on; the star is 5, from rating 3 on 4.
    fn truth() -> Truth {
        let life = |moves: &[(u64, bool)]| FlagLife {
            enterprise: FIRM.to_owned(),
            moves: moves.to_vec(),
            ends_at: None,
        };
        let standing = |revision, star| Standing {
            revision,
            star: Some(star),
            state: "Rated".to_owned(),
            cause: None,
        };
        Truth {
            epoch: "0123456789abcdef".to_owned(),
            head: 10,
            rating_head: 4,
            flags: BTreeMap::from([
                ("f".to_owned(), life(&[(4, false), (5, true), (9, false)])),
                ("g".to_owned(), life(&[(6, false), (7, true)])),
            ]),
            standings: BTreeMap::from([(FIRM.to_owned(), vec![standing(1, 5), standing(3, 4)])]),
            disorder: Vec::new(),
        }
    }

    fn decided(at: u64, flags: &[&str]) -> Decided {
        Decided {
            replica: "supervision-policy/1".to_owned(),
            enterprise: FIRM.to_owned(),
            asked: None,
            began: seconds(20),
            ended: seconds(21),
            token: token(at, 1),
            outcome: "STANDARD".to_owned(),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            star: Some(5),
            manual_review: false,
            data_age: Some(Duration::from_millis(300)),
            name: String::new(),
        }
    }

    fn write(deed: Deed, flag: &str, at: u64) -> Write {
        Write {
            deed,
            enterprise: FIRM.to_owned(),
            flag: flag.to_owned(),
            began: seconds(10),
            done: Some(Done {
                at: seconds(11),
                token: token(at, 1),
            }),
        }
    }

    fn promises(seen: Seen) -> Vec<&'static str> {
        check(&seen, &truth()).counts.into_keys().collect()
    }

    fn answers(decisions: Vec<Decided>, writes: Vec<Write>) -> Vec<&'static str> {
        promises(Seen {
            decisions,
            writes,
            ..Seen::default()
        })
    }

    #[test]
    fn what_was_true_then_or_later_is_no_violation() {
        let lifted = || vec![write(Deed::Lifted, "f", 9)];
        assert_eq!(answers(vec![decided(5, &["f"])], vec![]), Vec::<&str>::new());
        assert_eq!(answers(vec![decided(5, &["f", "g"])], vec![]), Vec::<&str>::new());
        // Its end was on its way.
        assert_eq!(answers(vec![decided(8, &["g"])], lifted()), Vec::<&str>::new());
        let mut later_star = decided(5, &["f"]);
        later_star.star = Some(4);
        assert_eq!(answers(vec![later_star], vec![]), Vec::<&str>::new());
    }

    #[test]
    fn p1_a_flag_that_binds_and_is_missing_is_found() {
        assert_eq!(answers(vec![decided(5, &[])], vec![]), ["P1"]);
        // Nobody had begun to end it.
        assert_eq!(answers(vec![decided(8, &["g"])], vec![]), ["P1"]);
    }

    #[test]
    fn p1_a_flag_that_has_ended_and_is_shown_is_found() {
        assert_eq!(answers(vec![decided(9, &["f", "g"])], vec![]), ["P1"]);
        assert_eq!(answers(vec![decided(9, &["g", "h"])], vec![]), ["P1"]);
    }

    #[test]
    fn p1_an_answer_older_than_its_token_is_found() {
        let mut old = decided(9, &["g"]);
        old.asked = Some(token(10, 1));
        assert_eq!(answers(vec![old], vec![]), ["P1"]);
        let mut old = decided(9, &["g"]);
        old.asked = Some(token(9, 2));
        assert_eq!(answers(vec![old], vec![]), ["P1"]);
    }

    #[test]
    fn p1_a_star_that_is_over_is_found() {
        let mut old = decided(9, &["g"]);
        old.token = token(9, 3);
        assert_eq!(answers(vec![old], vec![]), ["P1"]);
    }

    #[test]
    fn p2_an_old_answer_that_nobody_has_to_look_at_is_found() {
        let mut old = decided(9, &["g"]);
        old.data_age = Some(seconds(6));
        assert_eq!(answers(vec![old.clone()], vec![]), ["P2"]);
        old.manual_review = true;
        assert_eq!(answers(vec![old], vec![]), Vec::<&str>::new());
        // Confirmed nine seconds before it was asked.
        let confirmed = write(Deed::Confirmed, "g", 7);
        assert_eq!(answers(vec![decided(6, &["f"])], vec![confirmed]), ["P2"]);
    }

    #[test]
    fn p3_an_acknowledged_write_that_is_in_no_log_is_found() {
        assert_eq!(answers(vec![], vec![write(Deed::Confirmed, "h", 8)]), ["P3"]);
        assert_eq!(answers(vec![], vec![write(Deed::Lifted, "g", 8)]), ["P3"]);
        assert_eq!(answers(vec![], vec![write(Deed::Confirmed, "f", 4)]), ["P3"]);
        assert_eq!(
            answers(vec![], vec![write(Deed::Confirmed, "f", 5)]),
            Vec::<&str>::new()
        );
    }

    #[test]
    fn p4_gaps_repeats_and_what_was_left_out_are_found() {
        let watched = |frames: &[(u64, u64, &[u64])]| {
            let frame = |(after, to, changes): &(u64, u64, &[u64])| Framed {
                watcher: 0,
                epoch: "0123456789abcdef".to_owned(),
                after: *after,
                to: *to,
                changes: changes.to_vec(),
            };
            promises(Seen {
                snapshots: vec![(0, "0123456789abcdef".to_owned(), 4)],
                frames: frames.iter().map(frame).collect(),
                ..Seen::default()
            })
        };
        assert_eq!(
            watched(&[(4, 6, &[5]), (6, 6, &[]), (6, 10, &[7, 9])]),
            Vec::<&str>::new()
        );
        assert_eq!(watched(&[(5, 6, &[])]), ["P4"], "a gap");
        assert_eq!(watched(&[(4, 6, &[5]), (4, 6, &[5])]), ["P4"], "a repeat");
        assert_eq!(watched(&[(4, 6, &[])]), ["P4"], "left out");
        assert_eq!(watched(&[(4, 10, &[7, 5, 9])]), ["P4"], "out of order");
    }

    #[test]
    fn p5_a_fresh_answer_from_before_a_claim_of_convergence_is_found() {
        let claimed = |at: u64, sanctions, rating| {
            promises(Seen {
                decisions: vec![decided(9, &["g"])],
                converged: vec![Converged {
                    at: seconds(at),
                    sanctions,
                    rating,
                }],
                ..Seen::default()
            })
        };
        assert_eq!(claimed(19, 9, None), Vec::<&str>::new());
        assert_eq!(claimed(19, 10, None), ["P5"]);
        assert_eq!(claimed(19, 9, Some(2)), ["P5"]);
        assert_eq!(claimed(21, 10, None), Vec::<&str>::new(), "it was asked before");
    }
}
