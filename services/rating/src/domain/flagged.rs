//! What the sanctions log says of documents. Events and flags share one identity (protocol.md §5), so what ends a
//! flag because of its document ends every event recorded of it.
//!
//! A flag without a site is on all sites. One with a site is on that site, and on the events of the document that name
//! none. An ending does not act on an event on which another flag still stands: while its document holds, it counts.

use greenstar_kernel::{Code, Document, Epoch, Revision, Timestamp, Uscc};
use serde::{Deserialize, Serialize};

use super::event::Event;

/// A flag as the sanctions log tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The change that tells of it.
    pub revision: Revision,
    /// On whom.
    pub uscc: Uscc,
    /// Its id: `enterprises/{uscc}/flags/{flag}`.
    pub flag: Code,
    /// The document behind it.
    pub document: Document,
    /// Code of the site, absent for the whole enterprise.
    pub site: Option<String>,
    /// Where it stands from then on.
    pub state: FlagState,
    /// When its term ends; from then on it stands no more, before anybody writes that down.
    pub ends_at: Option<Timestamp>,
}

/// Where a flag stands, as far as events are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagState {
    /// It binds.
    InForce,
    /// An appeal suspends its effect on others. The document holds until that is decided, and so do its events.
    Suspended,
    /// Its document was repaired.
    Repaired,
    /// Its document was annulled, or is another enterprise's.
    Revoked,
    /// Its term ended, or its department took it back, or the log no longer has it: says nothing of the document.
    Over,
}

/// What is kept of a flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flagged {
    /// Its id.
    pub flag: Code,
    /// The document behind it.
    pub document: Document,
    /// Code of the site, absent for the whole enterprise.
    pub site: Option<String>,
    /// What it does to events.
    pub mark: Mark,
    /// When its term ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// The log that told of it.
    pub epoch: Epoch,
    /// The change that told of it last.
    pub revision: Revision,
}

/// What a flag that is kept does to the events of its document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// They can be repaired by nothing but its repair.
    Standing {
        /// An appeal suspends it.
        under_appeal: bool,
    },
    /// They are repaired, also those recorded later.
    Repaired(Beside),
    /// They never counted, also those recorded later.
    Revoked(Beside),
}

/// Sites of the flags that stood on the same document when one ended: it did not act on their events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Beside(Vec<Option<String>>);

impl Beside {
    fn covers(&self, site: Option<&String>) -> bool {
        self.0.iter().any(|other| overlap(other.as_ref(), site))
    }
}

/// All that is kept of one enterprise's flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documents {
    /// By id, in no order.
    pub flags: Vec<Flagged>,
}

/// What came of a change for the events of an enterprise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Changed.
    pub changed: Vec<Code>,
    /// Of a repaired document, but no repair ends them.
    pub kept: Vec<Code>,
}

fn overlap(one: Option<&String>, other: Option<&String>) -> bool {
    one.is_none() || other.is_none() || one == other
}

impl Flagged {
    /// Whether it is on a document at a site.
    fn is_on(&self, document: &Document, site: Option<&String>) -> bool {
        self.document == *document && overlap(self.site.as_ref(), site)
    }

    fn stands(&self) -> bool {
        match self.mark {
            Mark::Standing { .. } => true,
            Mark::Repaired(_) | Mark::Revoked(_) => false,
        }
    }

    /// Whether it stands, and its term has not ended.
    fn stands_at(&self, at: Timestamp) -> bool {
        self.stands() && self.ends_at.is_none_or(|ends_at| at < ends_at)
    }

    /// What an ending does to an event of its document; a standing flag does nothing.
    fn act(&self, event: &mut Event, repairable: bool, at: Timestamp) {
        let site = event.site.as_ref();
        match &self.mark {
            Mark::Repaired(beside) if repairable && !beside.covers(site) => event.repair(self.revision, at),
            Mark::Revoked(beside) if !beside.covers(site) => event.revoke(self.revision, at),
            Mark::Repaired(_) | Mark::Revoked(_) | Mark::Standing { .. } => {}
        }
    }

    /// Whether it repairs events of a site, where a repair ends them.
    fn repairs(&self, site: Option<&String>) -> bool {
        match &self.mark {
            Mark::Repaired(beside) => !beside.covers(site),
            Mark::Revoked(_) | Mark::Standing { .. } => false,
        }
    }
}

impl Documents {
    /// A flag that stands on a document at a site, at an instant.
    pub fn standing(&self, document: &Document, site: Option<&String>, at: Timestamp) -> Option<&Flagged> {
        let mut standing = self.flags.iter().filter(|flag| flag.stands_at(at));
        standing.find(|flag| flag.is_on(document, site))
    }

    /// Takes what the log says, and lets it act on events. `repairable` says of which a repair ends.
    /// The same again changes nothing.
    pub fn take(
        &mut self,
        told: &Told,
        epoch: &Epoch,
        events: &mut [Event],
        repairable: impl Fn(&Event) -> bool,
        at: Timestamp,
    ) -> Outcome {
        let stood = self
            .flags
            .iter()
            .any(|flag| flag.flag == told.flag && flag.stands());
        self.flags.retain(|flag| flag.flag != told.flag);
        let mark = match told.state {
            FlagState::InForce => Some(Mark::Standing { under_appeal: false }),
            FlagState::Suspended => Some(Mark::Standing { under_appeal: true }),
            FlagState::Repaired => Some(Mark::Repaired(self.beside(&told.document, at))),
            FlagState::Revoked => Some(Mark::Revoked(self.beside(&told.document, at))),
            FlagState::Over => None,
        };
        let flag = mark.map(|mark| Flagged {
            flag: told.flag.clone(),
            document: told.document.clone(),
            site: told.site.clone(),
            mark,
            ends_at: told.ends_at,
            epoch: epoch.clone(),
            revision: told.revision,
        });
        let site = told.site.as_ref();
        if !stood && flag.as_ref().is_some_and(Flagged::stands) {
            // Whoever flags a document anew says that it holds: what ended before says nothing of events to come.
            self.flags
                .retain(|known| known.stands() || !known.is_on(&told.document, site));
        }

        let mut outcome = Outcome::default();
        self.flags.extend(flag.clone());
        let on = |event: &&mut Event| event.document == told.document && overlap(event.site.as_ref(), site);
        for event in events.iter_mut().filter(on) {
            let before = event.clone();
            if let Some(flag) = &flag {
                let ends = repairable(event);
                flag.act(event, ends, at);
                if !ends && !event.is_struck() && flag.repairs(event.site.as_ref()) {
                    outcome.kept.push(event.id.clone());
                }
            }
            event.under_appeal = self.under_appeal(event);
            if *event != before {
                outcome.changed.push(event.id.clone());
            }
        }
        outcome
    }

    /// Does to an event that is being recorded what it would have met, had it been recorded before.
    pub fn meet(&self, event: &mut Event, repairable: bool, at: Timestamp) {
        event.under_appeal = self.under_appeal(event);
        let mut flags: Vec<&Flagged> = self.flags.iter().collect();
        flags.retain(|flag| flag.is_on(&event.document, event.site.as_ref()));
        flags.sort_by_key(|flag| flag.revision);
        for flag in flags {
            flag.act(event, repairable, at);
        }
    }

    fn beside(&self, document: &Document, at: Timestamp) -> Beside {
        let standing = self
            .flags
            .iter()
            .filter(|flag| flag.stands_at(at) && flag.document == *document);
        Beside(standing.map(|flag| flag.site.clone()).collect())
    }

    fn under_appeal(&self, event: &Event) -> bool {
        let on = |flag: &&Flagged| flag.is_on(&event.document, event.site.as_ref());
        let mut marks = self.flags.iter().filter(on).map(|flag| &flag.mark);
        marks.any(|mark| *mark == Mark::Standing { under_appeal: true })
    }
}

impl Event {
    fn repair(&mut self, revision: Revision, at: Timestamp) {
        if !self.is_struck() {
            self.repaired_at = Some(at);
            self.cause = Some(revision);
        }
    }

    /// What was repaired can be annulled still.
    fn revoke(&mut self, revision: Revision, at: Timestamp) {
        if self.revoked_at.is_none() {
            self.revoked_at = Some(at);
            self.cause = Some(revision);
        }
    }
}

/// `sanctions:{revision}`: as causes are written in the log, in ratings' histories and in answers.
pub fn cause_of(revision: Revision) -> String {
    format!("sanctions:{}", revision.0)
}
