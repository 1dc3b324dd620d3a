//! How a policy comes into force: written, validated, approved by another officer of its department, published with
//! an instant; and how an earlier text is brought back.

use std::collections::{BTreeMap, BTreeSet};

use greenstar_kernel::{Code, Department, Officer, Revision, Timestamp};
use serde::{Deserialize, Serialize};

use super::draft_refusal::Refusal;
use super::policy::EVALUATOR;
use super::version::{Issued, Line, Published, horizon, noticed};

/// Where a draft is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftState {
    /// Being written. Any change leads back here.
    Draft,
    Validated,
    Approved,
    /// It changes no more.
    Published,
    /// It changes no more.
    Withdrawn,
}

impl DraftState {
    pub fn as_str(self) -> &'static str {
        match self {
            DraftState::Draft => "DRAFT",
            DraftState::Validated => "VALIDATED",
            DraftState::Approved => "APPROVED",
            DraftState::Published => "PUBLISHED",
            DraftState::Withdrawn => "WITHDRAWN",
        }
    }
}

/// A policy in the making, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub id: Code,
    pub policy: Code,
    pub department: Department,
    pub state: DraftState,
    /// Who wrote the text as it is now.
    pub author: Officer,
    pub approver: Option<Officer>,
    /// Why it was written.
    pub note: String,
    /// SHA-256 of the text, hex.
    pub source_hash: String,
    /// Revision of the policy log at which it changed last.
    pub etag: Revision,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// The version that was made of it.
    pub published: Option<u32>,
}

impl Draft {
    /// The number of the version that it is or will be, in the line of its policy.
    pub fn number(&self, line: Option<&Line>) -> u32 {
        self.published.unwrap_or_else(|| line.map_or(1, Line::next))
    }
}

/// Who acts.
#[derive(Clone, Debug)]
pub struct Actor {
    pub department: Department,
    pub officer: Officer,
}

/// A policy's text, with what it says about whose it is.
#[derive(Clone, Debug)]
pub struct Manuscript {
    pub policy: Code,
    pub department: Department,
    /// YAML.
    pub source: String,
    /// SHA-256 of it, hex.
    pub hash: String,
}

/// Which draft, as the actor saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub id: Code,
    pub etag: String,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Step {
    Create {
        id: Code,
        text: Manuscript,
        note: String,
    },
    Update {
        seen: Seen,
        text: Manuscript,
        /// `None`: the earlier one stays.
        note: Option<String>,
    },
    /// The text was checked and is sound.
    Validated(Seen),
    Approve(Seen),
    Withdraw(Seen),
    Publish(Publication),
    Rollback(Rollback),
}

/// Asks to make a version of a draft.
#[derive(Clone, Debug)]
pub struct Publication {
    pub seen: Seen,
    /// `None`: as soon as can be.
    pub effective_at: Option<Timestamp>,
    pub checked: Option<Checked>,
}

/// Asks to make the text of an earlier version the next one.
#[derive(Clone, Debug)]
pub struct Rollback {
    pub policy: Code,
    pub version: u32,
    /// The version that the actor believes to be in force.
    pub expected: Option<u32>,
    pub reason: String,
    pub checked: Option<Checked>,
}

/// A text that was found sound among all policies that were published up to a revision.
#[derive(Clone, Debug)]
pub struct Checked {
    pub source: String,
    pub through: Revision,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// As it stands now, with the number of the version that it is or will be.
    Draft {
        draft: Draft,
        version: u32,
    },
    Version(Published),
}

/// The drafts and the lines of versions that steps look at and change.
#[derive(Debug, Default)]
pub struct Workshop {
    drafts: BTreeMap<Code, Draft>,
    lines: BTreeMap<Code, Line>,
    /// The revision that published last, any policy.
    newest: Revision,
    changed: BTreeSet<Code>,
    /// Texts of drafts that were written.
    texts: BTreeMap<Code, String>,
    published: Vec<(Revision, Published)>,
}

/// What a batch of steps left to be written.
#[derive(Debug)]
pub struct Changes {
    /// Drafts with their texts, where those were written anew.
    pub drafts: Vec<(Draft, Option<String>)>,
    pub published: Vec<(Revision, Published)>,
}

impl Workshop {
    pub fn new(drafts: Vec<Draft>, lines: BTreeMap<Code, Line>, newest: Revision) -> Workshop {
        Workshop {
            drafts: drafts
                .into_iter()
                .map(|draft| (draft.id.clone(), draft))
                .collect(),
            lines,
            newest,
            ..Workshop::default()
        }
    }

    /// Takes a step at `now`, which will be told at `revision` of the policy log.
    ///
    /// # Errors
    /// It is refused, and nothing changed.
    pub fn take(
        &mut self,
        step: &Step,
        actor: &Actor,
        now: Timestamp,
        revision: Revision,
    ) -> Result<Done, Refusal> {
        let draft = match step {
            Step::Create { id, text, note } => {
                self.owns(actor, text)?;
                self.texts.insert(id.clone(), text.source.clone());
                Draft {
                    id: id.clone(),
                    policy: text.policy.clone(),
                    department: text.department.clone(),
                    state: DraftState::Draft,
                    author: actor.officer.clone(),
                    approver: None,
                    note: note.clone(),
                    source_hash: text.hash.clone(),
                    etag: revision,
                    created_at: now,
                    updated_at: now,
                    published: None,
                }
            }
            Step::Update { seen, text, note } => {
                let mut draft = self.open(actor, seen)?.clone();
                if (&draft.policy, &draft.department) != (&text.policy, &text.department) {
                    return Err(Refusal::OtherPolicy {
                        policy: draft.policy,
                        department: draft.department,
                    });
                }
                self.texts.insert(draft.id.clone(), text.source.clone());
                draft.state = DraftState::Draft;
                draft.author = actor.officer.clone();
                draft.approver = None;
                draft.source_hash.clone_from(&text.hash);
                if let Some(note) = note {
                    draft.note.clone_from(note);
                }
                draft
            }
            Step::Validated(seen) => {
                let draft = self.open(actor, seen)?.clone();
                if draft.state == DraftState::Approved {
                    // It is validated and more.
                    return Ok(self.as_it_is(draft));
                }
                Draft {
                    state: DraftState::Validated,
                    ..draft
                }
            }
            Step::Approve(seen) => {
                let draft = self.open(actor, seen)?.clone();
                if draft.state != DraftState::Validated {
                    return Err(Refusal::State {
                        state: draft.state,
                        needed: DraftState::Validated,
                    });
                }
                if draft.author == actor.officer {
                    return Err(Refusal::SameOfficer {
                        officer: draft.author,
                    });
                }
                Draft {
                    state: DraftState::Approved,
                    approver: Some(actor.officer.clone()),
                    ..draft
                }
            }
            Step::Withdraw(seen) => Draft {
                state: DraftState::Withdrawn,
                ..self.open(actor, seen)?.clone()
            },
            Step::Publish(asked) => {
                let version = self.version_of(asked, actor, now)?;
                self.is_checked(asked.checked.as_ref())?;
                let draft = self.open(actor, &asked.seen)?.clone();
                let published = Draft {
                    state: DraftState::Published,
                    published: Some(version.version),
                    ..draft
                };
                self.keep(published, now, revision);
                return Ok(self.publish(version, revision));
            }
            Step::Rollback(asked) => {
                let version = self.brought_back(asked, actor, now)?;
                self.is_checked(asked.checked.as_ref())?;
                return Ok(self.publish(version, revision));
            }
        };
        let draft = self.keep(draft, now, revision);
        Ok(self.as_it_is(draft))
    }

    /// The version that would be published now.
    ///
    /// # Errors
    /// It would be refused.
    pub fn version_of(
        &self,
        asked: &Publication,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Published, Refusal> {
        let draft = self.open(actor, &asked.seen)?;
        if draft.state != DraftState::Approved {
            return Err(Refusal::NotApproved { state: draft.state });
        }
        let line = self.line(&draft.policy);
        if line.owner().is_some_and(|owner| *owner != draft.department) {
            return Err(Refusal::NotYours {
                department: actor.department.clone(),
            });
        }
        let (earliest, latest) = (line.earliest(now), horizon(now).max(line.earliest(now)));
        let effective_at = asked.effective_at.unwrap_or(earliest);
        if effective_at < earliest {
            return Err(Refusal::TooSoon { earliest });
        }
        if effective_at > latest {
            return Err(Refusal::TooLate { earliest, latest });
        }
        Ok(Published {
            name: draft.policy.clone(),
            version: line.next(),
            department: draft.department.clone(),
            source: asked
                .checked
                .as_ref()
                .map_or_else(String::new, |checked| checked.source.clone()),
            effective_at,
            published_at: now,
            author: Some(draft.author.clone()),
            approver: draft.approver.clone(),
            publisher: Some(actor.officer.clone()),
            note: draft.note.clone(),
            rollback_of: None,
            evaluator: EVALUATOR.to_owned(),
        })
    }

    /// The version by which an earlier text would be brought back now.
    ///
    /// # Errors
    /// It would be refused.
    pub fn brought_back(
        &self,
        asked: &Rollback,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Published, Refusal> {
        let line = self.line(&asked.policy);
        let Some(owner) = line.owner() else {
            return Err(Refusal::PolicyUnknown {
                policy: asked.policy.clone(),
            });
        };
        if *owner != actor.department {
            return Err(Refusal::NotYours {
                department: actor.department.clone(),
            });
        }
        if line.find(asked.version).is_none() {
            return Err(Refusal::VersionUnknown {
                version: asked.version,
            });
        }
        let in_force = line.at(now);
        if asked.expected.is_some() && asked.expected != in_force {
            return Err(Refusal::VersionMismatch { in_force });
        }
        if !line.was_in_force(asked.version, now) {
            return Err(Refusal::NeverInForce {
                version: asked.version,
            });
        }
        Ok(Published {
            name: asked.policy.clone(),
            version: line.next(),
            department: owner.clone(),
            source: asked
                .checked
                .as_ref()
                .map_or_else(String::new, |checked| checked.source.clone()),
            // What is scheduled behind it is overtaken.
            effective_at: noticed(now),
            published_at: now,
            author: None,
            approver: None,
            publisher: Some(actor.officer.clone()),
            note: asked.reason.clone(),
            rollback_of: Some(asked.version),
            evaluator: EVALUATOR.to_owned(),
        })
    }

    pub fn changes(mut self) -> Changes {
        let drafts = self.changed.iter().filter_map(|id| self.drafts.remove(id));
        Changes {
            drafts: drafts
                .map(|draft| {
                    let text = self.texts.remove(&draft.id);
                    (draft, text)
                })
                .collect(),
            published: self.published,
        }
    }

    fn line(&self, policy: &Code) -> &Line {
        static NEVER: Line = Line::NEVER;
        self.lines.get(policy).unwrap_or(&NEVER)
    }

    /// A department writes its own policies, under names that no other has taken.
    fn owns(&self, actor: &Actor, text: &Manuscript) -> Result<(), Refusal> {
        let owner = self.line(&text.policy).owner().unwrap_or(&actor.department);
        if *owner == actor.department && text.department == actor.department {
            Ok(())
        } else {
            Err(Refusal::NotYours {
                department: actor.department.clone(),
            })
        }
    }

    /// A draft of the actor's department that may still change, if nobody changed it since it was seen.
    fn open(&self, actor: &Actor, seen: &Seen) -> Result<&Draft, Refusal> {
        let draft = self.drafts.get(&seen.id);
        let Some(draft) = draft.filter(|draft| draft.department == actor.department) else {
            return Err(Refusal::DraftUnknown {
                hidden: draft.is_some(),
            });
        };
        match draft.state {
            DraftState::Draft | DraftState::Validated | DraftState::Approved => {}
            DraftState::Published | DraftState::Withdrawn => {
                return Err(Refusal::Closed { state: draft.state });
            }
        }
        if draft.etag.to_string() != seen.etag {
            return Err(Refusal::EtagMismatch { current: draft.etag });
        }
        Ok(draft)
    }

    /// What was checked was checked among everything that is published.
    fn is_checked(&self, checked: Option<&Checked>) -> Result<(), Refusal> {
        match checked {
            Some(checked) if checked.through >= self.newest => Ok(()),
            Some(_) | None => Err(Refusal::Unchecked { newest: self.newest }),
        }
    }

    fn keep(&mut self, draft: Draft, now: Timestamp, revision: Revision) -> Draft {
        let draft = Draft {
            etag: revision,
            updated_at: now,
            ..draft
        };
        self.changed.insert(draft.id.clone());
        self.drafts.insert(draft.id.clone(), draft.clone());
        draft
    }

    fn publish(&mut self, version: Published, revision: Revision) -> Done {
        let line = self.lines.entry(version.name.clone()).or_default();
        line.push(Issued {
            version: version.version,
            department: version.department.clone(),
            effective_at: version.effective_at,
        });
        self.newest = revision;
        self.published.push((revision, version.clone()));
        Done::Version(version)
    }

    fn as_it_is(&self, draft: Draft) -> Done {
        let version = draft.number(self.lines.get(&draft.policy));
        Done::Draft { draft, version }
    }
}
