//! What happened at an enterprise and counts in its rating.

use greenstar_kernel::{Code, Department, Document, LocalizedText, Officer, Revision, Timestamp};
use serde::{Deserialize, Serialize};

use super::scheme::{Item, Rule, Scheme, Severity, Veto};

/// A piece of proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Evidence kind of the scheme.
    pub kind: Code,
    /// Where it is found: number, file or address.
    pub reference: String,
    /// SHA-256 of the file in hexadecimal, if it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// One recorded event. The document is its identity: recorded in several items it counts once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Made by the caller of the domain; unique within the enterprise.
    pub id: Code,
    /// Event or veto code of the scheme, as recorded; what it counts as is for [`super::repeat::Repeats`].
    pub kind: Code,
    /// Its severity when it was recorded.
    pub severity: Severity,
    /// The document behind it.
    pub document: Document,
    /// Code of the site, absent for the whole enterprise.
    pub site: Option<String>,
    /// What proves it.
    pub evidence: Evidence,
    /// Whether something must be put right.
    pub rectification_required: bool,
    /// When it was confirmed that it was put right.
    pub rectified_at: Option<Timestamp>,
    /// When it was repaired; it does not count from then on.
    pub repaired_at: Option<Timestamp>,
    /// The decision to repair.
    pub repair_reason: Option<String>,
    /// When it was told that its document is annulled, or another enterprise's: it never counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// The change of the sanctions log that repaired or annulled it; absent if an officer repaired it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Revision>,
    /// An appeal suspends a flag on its document. A marker: it counts all the same.
    #[serde(default)]
    pub under_appeal: bool,
    /// When agreed plans of rectification that name it ran, in order; the scheme says whether its points rest meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspensions: Vec<Suspension>,
    /// Who recorded it.
    pub recorder: Officer,
    /// The recorder's department.
    pub department: Department,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// A time in which a plan ran: `[from, until)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// The plan.
    pub plan: Code,
    /// Since when.
    pub from: Timestamp,
    /// Until when; earlier if the plan is closed or fails before.
    pub until: Timestamp,
}

/// What a kind of event means in a scheme.
#[derive(Clone, Copy, Debug)]
pub enum Meaning<'a> {
    /// It deducts in an item.
    Rule(&'a Item, &'a Rule),
    /// It is a veto.
    Veto(&'a Veto),
}

impl<'a> Meaning<'a> {
    /// `None`: the scheme has no such event or veto.
    pub fn of(scheme: &'a Scheme, kind: &Code) -> Option<Meaning<'a>> {
        scheme
            .rule(kind)
            .map(|(item, rule)| Meaning::Rule(item, rule))
            .or_else(|| scheme.veto(kind).map(Meaning::Veto))
    }

    /// Kinds of evidence that it takes. A veto's own list holds, whatever item names the veto.
    pub fn evidence(self) -> &'a [Code] {
        match self {
            Meaning::Rule(item, _) => &item.evidence,
            Meaning::Veto(veto) => &veto.evidence,
        }
    }

    /// A veto is a serious matter; a rule says what it is.
    pub fn severity(self) -> Severity {
        match self {
            Meaning::Rule(_, rule) => rule.severity,
            Meaning::Veto(_) => Severity::Serious,
        }
    }

    /// Whether its rectification stays open until confirmed, whatever the recorder says.
    pub fn always_rectified(self) -> bool {
        match self {
            Meaning::Rule(_, rule) => rule.rectify,
            Meaning::Veto(_) => true,
        }
    }

    /// Whether a repair ends it.
    pub fn repairable(self) -> bool {
        match self {
            Meaning::Rule(..) => true,
            Meaning::Veto(veto) => veto.repairable,
        }
    }

    /// Its code in the scheme.
    pub fn code(self) -> &'a Code {
        match self {
            Meaning::Rule(_, rule) => &rule.event,
            Meaning::Veto(veto) => &veto.code,
        }
    }

    /// For people.
    pub fn title(self) -> &'a LocalizedText {
        match self {
            Meaning::Rule(_, rule) => &rule.title,
            Meaning::Veto(veto) => &veto.name,
        }
    }
}

impl Event {
    /// Whether both speak of the same document at the same site.
    pub fn same_document(&self, other: &Event) -> bool {
        self.document == other.document && self.site == other.site
    }

    /// Repaired or annulled: no gate, window or repeat counts it any more.
    pub fn is_struck(&self) -> bool {
        self.repaired_at.is_some() || self.revoked_at.is_some()
    }

    /// Whether an agreed plan that names it runs at an instant.
    pub fn suspended(&self, at: Timestamp) -> bool {
        self.suspended_until(at).is_some()
    }

    /// Until when such a plan runs.
    pub fn suspended_until(&self, at: Timestamp) -> Option<Timestamp> {
        let running = self
            .suspensions
            .iter()
            .filter(|one| one.from <= at && at < one.until);
        running.map(|one| one.until).max()
    }

    /// When it stops to count in the score. For a veto without confirmed rectification the earliest
    /// instant; see [`Event::counts`].
    pub fn end(&self, meaning: Meaning<'_>) -> Timestamp {
        let by_time = match meaning {
            Meaning::Rule(_, rule) => rule.window.end(self.document.date),
            Meaning::Veto(veto) => {
                let least = self.document.date.term_end(veto.min);
                self.rectified_at.map_or(least, |rectified| rectified.max(least))
            }
        };
        let repaired = self.repaired_at.filter(|_| meaning.repairable());
        let early = [repaired, self.revoked_at].into_iter().flatten();
        early.fold(by_time, Timestamp::min)
    }

    /// Whether it counts at an instant. A veto lasts until its months have passed *and* its rectification is
    /// confirmed, or until its repair where one is possible.
    pub fn counts(&self, meaning: Meaning<'_>, at: Timestamp) -> bool {
        if self.revoked_at.is_some() {
            return false;
        }
        let waits = match meaning {
            Meaning::Rule(..) => false,
            Meaning::Veto(veto) => {
                self.rectified_at.is_none() && !(veto.repairable && self.repaired_at.is_some())
            }
        };
        waits || at < self.end(meaning)
    }

    /// Whether something must still be put right. A repair presupposes that it was.
    pub fn open(&self) -> bool {
        self.rectification_required && self.rectified_at.is_none() && !self.is_struck()
    }
}
