//! What a batch of commands works on, and what it changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use greenstar_kernel::{Caller, Code, Officer, Points, Standing, Timestamp, Uscc};

use super::{Cursor, Notice, StoredRules};
use crate::domain::activation::Activation;
use crate::domain::assistance::{Assistance, Cohort};
use crate::domain::course::{Comment, Step, StepKind};
use crate::domain::error::Refusal;
use crate::domain::event::{Event, Meaning};
use crate::domain::firm::{Firm, Rated};
use crate::domain::flagged::Documents;
use crate::domain::history::{self, Explained, Side};
use crate::domain::notice::{self, RatingNotice, Told};
use crate::domain::objection::Objection;
use crate::domain::quality::{DataError, SourceCutoff, SourceId};
use crate::domain::round::{DirectoryLine, Enrolment, Round};
use crate::domain::scheme::{Scheme, SchemeKey};
use crate::domain::score::{ActiveVeto, Assessment, Award, ItemLine};
use crate::domain::snapshot::{Snapshot, StagedEntry};

/// A scheme as it is stored.
#[derive(Debug)]
pub struct StoredScheme {
    /// As it was read.
    pub scheme: Scheme,
    /// As it was written.
    pub source: String,
    /// When it was stored.
    pub created_at: Timestamp,
    /// Who stored it; `None`: it was shipped.
    pub author: Option<Officer>,
}

/// The loaded part of the state. What a command names and is absent here does not exist.
#[derive(Debug, Default)]
pub struct World {
    /// All schemes, oldest first.
    pub schemes: Vec<Arc<StoredScheme>>,
    /// Which version of which scheme is in use since when.
    pub activations: Vec<Activation>,
    /// Enterprises by code.
    pub firms: BTreeMap<Uscc, Firm>,
    /// Rounds by id.
    pub rounds: BTreeMap<Code, Round>,
    /// Who takes part in the loaded rounds.
    pub enrolments: BTreeMap<(Code, Uscc), Enrolment>,
    /// What the sanctions log told of their documents.
    pub documents: BTreeMap<Uscc, Documents>,
    /// Up to where that log was taken.
    pub cursor: Option<Cursor>,
    /// Loaded notices to firms.
    pub notices: BTreeMap<(Uscc, String), RatingNotice>,
    /// Loaded snapshots.
    pub snapshots: BTreeMap<Code, Snapshot>,
    /// What sources say of themselves.
    pub sources: BTreeMap<SourceId, SourceCutoff>,
    /// Loaded claims against data.
    pub data_errors: BTreeMap<(Uscc, Code), DataError>,
    /// When the command is decided that is decided now.
    pub at: Timestamp,
    /// Cohorts of assistance by id.
    pub cohorts: BTreeMap<Code, Cohort>,
    /// What was found, asked, offered and planned, by enterprise.
    pub assistance: BTreeMap<Uscc, Assistance>,
    /// The newest rules of service lists, where they matter.
    pub rules: Option<StoredRules>,
    /// Comments of the public, by round and id.
    pub comments: BTreeMap<(Code, Code), Comment>,
    /// Objections of the loaded enterprises.
    pub objections: BTreeMap<(Uscc, Code), Objection>,
    /// What was changed so far.
    pub changes: Changes,
}

/// Names of what a batch changed, and the rows that it only adds.
#[derive(Debug, Default)]
pub struct Changes {
    /// New schemes.
    pub schemes: BTreeSet<SchemeKey>,
    /// Versions that come into use.
    pub activations: Vec<Activation>,
    /// New or changed enterprises and their ratings.
    pub firms: BTreeSet<Uscc>,
    /// New or changed events.
    pub events: BTreeSet<(Uscc, Code)>,
    /// New or changed rounds.
    pub rounds: BTreeSet<Code>,
    /// New or changed enrolments.
    pub enrolments: BTreeSet<(Code, Uscc)>,
    /// Enterprises of whose documents something else is known.
    pub documents: BTreeSet<Uscc>,
    /// New or changed cohorts.
    pub cohorts: BTreeSet<Code>,
    /// Enterprises whose assistance went on.
    pub assistance: BTreeSet<Uscc>,
    /// New rules of service lists.
    pub rules: Vec<StoredRules>,
    /// The cursor in the sanctions log moved.
    pub cursor: bool,
    /// Versions to append to the ratings' history.
    pub versions: Vec<Version>,
    /// Lines of directories that were published.
    pub directory: Vec<(Code, DirectoryLine)>,
    /// New or acknowledged notices.
    pub notices: BTreeSet<(Uscc, String)>,
    /// Entries of snapshots that are prepared.
    pub staged: Vec<StagedEntry>,
    /// New snapshots.
    pub snapshots: BTreeSet<Code>,
    /// Sources that said how far they are.
    pub sources: BTreeSet<SourceId>,
    /// New or answered claims.
    pub data_errors: BTreeSet<(Uscc, Code)>,
    /// How much came in from each source.
    pub received: BTreeMap<SourceId, u32>,
    /// Steps of rounds to append.
    pub steps: Vec<(Code, Step)>,
    /// New or changed comments.
    pub comments: BTreeSet<(Code, Code)>,
    /// New or changed objections.
    pub objections: BTreeSet<(Uscc, Code)>,
}

/// One version of a rating, for the history: appended, never updated.
#[derive(Debug)]
pub struct Version {
    /// Whose.
    pub uscc: Uscc,
    /// The rating without its awards.
    pub rated: Rated,
    /// Items that gave or took something.
    pub lines: Vec<ItemLine>,
    /// What it came from.
    pub cause: String,
    /// Since when it is known.
    pub recorded_at: Timestamp,
    /// Vetoes and gates.
    pub explained: Explained,
    /// What was awarded, if that is not as in the version before.
    pub awards: Option<Vec<Award>>,
}

impl World {
    /// A scheme by name.
    ///
    /// # Errors
    /// [`Refusal::SchemeUnknown`]
    pub fn scheme(&self, key: &SchemeKey) -> Result<Arc<StoredScheme>, Refusal> {
        let found = self.schemes.iter().find(|stored| stored.scheme.key == *key);
        found
            .cloned()
            .ok_or_else(|| Refusal::SchemeUnknown(key.to_string()))
    }

    /// The scheme by which an enterprise is rated; of one that never was, the newest that knows the kind, of those made
    /// most closely for its district.
    ///
    /// # Errors
    /// [`Refusal::KindUnknown`]
    pub(super) fn scheme_for(&self, firm: &Firm, kind: &Code) -> Result<Arc<StoredScheme>, Refusal> {
        let rated = firm.rated.as_ref();
        let unknown = || {
            let mut schemes = self.schemes.iter().rev();
            let asked = schemes.find(|stored| rated.is_none_or(|rated| stored.scheme.key == rated.scheme));
            Refusal::KindUnknown {
                kind: kind.clone(),
                known: asked.map(|stored| stored.scheme.kinds()).unwrap_or_default(),
            }
        };
        let knows = |stored: &&Arc<StoredScheme>| Meaning::of(&stored.scheme, kind).is_some();
        let found = match &firm.rated {
            Some(rated) => self
                .schemes
                .iter()
                .find(|stored| stored.scheme.key == rated.scheme)
                .filter(knows),
            None => {
                let district = firm.enterprise.profile.district.as_str();
                let known = self.schemes.iter().filter(knows);
                // Of equals the last is taken: the newest.
                known.max_by_key(|stored| stored.scheme.covers(district))
            }
        };
        found.cloned().ok_or_else(unknown)
    }

    /// # Errors
    /// [`Refusal::EnterpriseUnknown`]
    pub(super) fn firm(&self, uscc: &Uscc) -> Result<&Firm, Refusal> {
        self.firms.get(uscc).ok_or(Refusal::EnterpriseUnknown(*uscc))
    }

    /// # Errors
    /// [`Refusal::RoundUnknown`]
    pub(super) fn round(&self, id: &Code) -> Result<&Round, Refusal> {
        self.rounds
            .get(id)
            .ok_or_else(|| Refusal::RoundUnknown(id.to_string()))
    }

    /// The row of a firm for followers.
    pub(super) fn fact(&self, firm: &Firm) -> Notice {
        let schemes = self.schemes.iter().map(|stored| &stored.scheme);
        Notice::Fact(Box::new(firm.fact(schemes)))
    }

    /// The same for followers, with what brought it about.
    pub(super) fn caused(&self, firm: &Firm, cause: String) -> Notice {
        let schemes = self.schemes.iter().map(|stored| &stored.scheme);
        Notice::Caused(Box::new(firm.fact(schemes)), cause)
    }

    pub(super) fn put_activation(&mut self, activation: Activation) {
        self.changes.activations.push(activation.clone());
        self.activations.push(activation);
    }

    pub(super) fn put_rules(&mut self, rules: StoredRules) {
        self.changes.rules.push(rules.clone());
        self.rules = Some(rules);
    }

    pub(super) fn put_documents(&mut self, uscc: Uscc, documents: Documents) {
        self.changes.documents.insert(uscc);
        self.documents.insert(uscc, documents);
    }

    pub(super) fn put_cursor(&mut self, cursor: Cursor) {
        self.changes.cursor = true;
        self.cursor = Some(cursor);
    }

    pub(super) fn put_firm(&mut self, firm: Firm) {
        self.changes.firms.insert(firm.enterprise.uscc);
        self.firms.insert(firm.enterprise.uscc, firm);
    }

    pub(super) fn put_round(&mut self, round: Round) {
        self.changes.rounds.insert(round.id.clone());
        self.rounds.insert(round.id.clone(), round);
    }

    pub(super) fn put_enrolment(&mut self, round: &Code, uscc: Uscc, enrolment: Enrolment) {
        self.changes.enrolments.insert((round.clone(), uscc));
        self.enrolments.insert((round.clone(), uscc), enrolment);
    }

    pub(super) fn put_comment(&mut self, round: &Code, comment: Comment) {
        let key = (round.clone(), comment.id.clone());
        self.changes.comments.insert(key.clone());
        self.comments.insert(key, comment);
    }

    pub(super) fn put_objection(&mut self, uscc: Uscc, objection: Objection) {
        let key = (uscc, objection.id.clone());
        self.changes.objections.insert(key.clone());
        self.objections.insert(key, objection);
    }

    /// Writes down who did what of a round, when and on what basis. The round counts its steps, so it is to be kept.
    pub(super) fn step(
        &mut self,
        round: &mut Round,
        kind: StepKind,
        by: &Caller,
        on: Option<Uscc>,
        basis: String,
        at: Timestamp,
    ) {
        round.course.steps += 1;
        let step = Step {
            number: round.course.steps,
            kind,
            at,
            by: by.principal(),
            on: on.map(|uscc| format!("enterprises/{uscc}")),
            basis,
        };
        self.changes.steps.push((round.id.clone(), step));
    }

    pub(super) fn changed_event(&mut self, uscc: Uscc, event: &Event) {
        self.changes.events.insert((uscc, event.id.clone()));
    }

    /// Keeps a version that [`Firm::rate`] just made, and tells its firm unless a round made it: what a round makes is
    /// told by the round.
    pub(super) fn append(&mut self, firm: &Firm, assessment: Option<Assessment>, cause: String) {
        let (Some(rated), Some(assessment)) = (&firm.rated, assessment) else {
            return;
        };
        let before = self.before(firm, rated.version);
        let awards = before.as_ref().is_none_or(|before| before.awards != rated.awards);
        if let Some(before) = before.filter(|_| !cause.starts_with("rounds/"))
            && let Ok(stored) = self.scheme(&rated.scheme)
        {
            let told = Told {
                scheme: &stored.scheme,
                events: &firm.events,
                before: before.stood,
                rated,
                changes: history::changes(&stored.scheme, &firm.events, before.side(), Side::of(&assessment)),
                cause: &cause,
                at: self.at,
            };
            self.put_notice(told.notice(firm.enterprise.uscc));
        }
        let explained = Explained::of(&assessment);
        let lines = assessment
            .lines
            .into_iter()
            .filter(|line| line.points.milli() != 0 || !line.deductions.is_empty())
            .collect();
        let awards = awards.then(|| rated.awards.clone());
        self.changes.versions.push(Version {
            uscc: firm.enterprise.uscc,
            rated: Rated {
                awards: Vec::new(),
                ..rated.clone()
            },
            lines,
            cause,
            recorded_at: self.at,
            explained,
            awards,
        });
    }

    /// The version before `version` of a firm: one of this batch, or what the loaded firm was last scored as.
    fn before(&self, firm: &Firm, version: u32) -> Option<Before> {
        let uscc = firm.enterprise.uscc;
        let loaded = self.firms.get(&uscc)?;
        let rated = loaded.rated.as_ref().filter(|rated| rated.version < version)?;
        let made = self.changes.versions.iter().rev();
        let mut made = made.filter(|made| made.uscc == uscc && made.rated.version + 1 == version);
        if let Some(made) = made.next() {
            return Some(Before {
                stood: (made.rated.standing, made.rated.total),
                lines: made.lines.clone(),
                vetoes: made.explained.vetoes.clone(),
                // Within a batch only a round awards, and that is compared with what was loaded.
                awards: rated.awards.clone(),
            });
        }
        let stored = self.scheme(&rated.scheme).ok()?;
        // As of the instant at which it was made: what it was made of is still there.
        let assessed = loaded.assessment(&stored.scheme, rated.rated_at).ok()??;
        Some(Before {
            stood: (rated.standing, rated.total),
            lines: assessed.lines,
            vetoes: assessed.vetoes,
            awards: rated.awards.clone(),
        })
    }

    /// Tells a firm that no round has rated what became of an event.
    pub(super) fn tell_unrated(&mut self, firm: &Firm, scheme: &Scheme, event: &Event, verb: &str) {
        if let Some((event, meaning)) = history::meaning(scheme, &firm.events, &event.id) {
            let told = notice::of_unrated(firm.enterprise.uscc, scheme, (event, meaning), verb, self.at);
            self.put_notice(told);
        }
    }

    pub(super) fn put_notice(&mut self, notice: RatingNotice) {
        let key = (notice.uscc, notice.id.clone());
        self.changes.notices.insert(key.clone());
        self.notices.insert(key, notice);
    }
}

/// What a new version is compared with.
struct Before {
    stood: (Standing, Points),
    lines: Vec<ItemLine>,
    vetoes: Vec<ActiveVeto>,
    awards: Vec<Award>,
}

impl Before {
    fn side(&self) -> Side<'_> {
        Side {
            lines: &self.lines,
            vetoes: &self.vetoes,
        }
    }
}
