//! Flags in the joined transaction (protocol.md §1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use greenstar_kernel::{Code, Date, Revision};
use greenstar_store::{Journal, Request, StoreError, Turn, Tx, Value};
use serde::{Deserialize, Serialize};

use super::catalogue::{self, Shelf};
use super::{entry, flag, remedy};
use crate::domain::catalogue::{Catalogue, Edition, InForce};
use crate::domain::flag::Flag;
use crate::domain::ledger::{Actor, Corrected, Correction, Ledger, Step};
use crate::domain::refusal::Refusal;
use crate::domain::remedies::{Case, Done, Remedies, Remedy};

/// What the writer carries out.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Step {
        step: Step,
        actor: Actor,
        request: Option<Request>,
    },
    /// Moves a flag from the wrong enterprise to the right one.
    Correct {
        correction: Box<Correction>,
        actor: Actor,
        request: Option<Request>,
    },
    /// Writes down that the term of the flag with this id has ended.
    Lapse(Code),
    /// Brings the shipped edition into force, if its number is higher than the newest.
    Enact(Catalogue),
    /// A step of a repair or an appeal, with what it does to flags.
    Remedy {
        remedy: Remedy,
        request: Option<Request>,
    },
    /// Enacts an edition, from a day on.
    Create {
        catalogue: Box<Catalogue>,
        effective: Option<Date>,
        request: Option<Request>,
    },
}

/// What the writer answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// As the step left it.
    Flag(Box<Flag>),
    /// As the correction left them.
    Corrected { revoked: Box<Flag>, proposed: Box<Flag> },
    /// Whether it was this command that wrote the lapse down.
    Lapsed { written: bool },
    /// As the step left it.
    Remedy(Case),
    /// What was asked to be enacted; of the shipped editions, an older one than the newest changes nothing.
    Asked(Edition),
}

/// The flags and editions that a batch of commands looks at and changes.
#[derive(Debug)]
pub(crate) struct Work {
    ledger: Ledger,
    remedies: Remedies,
    enacted: Vec<(Arc<InForce>, Revision)>,
    /// The changed flags as their last entries carry them.
    told: BTreeMap<Code, String>,
}

impl Work {
    fn enact(&mut self, law: Arc<InForce>, turn: &mut Turn) {
        let revision = turn.push(entry::CATALOGUE, None, &*law, None);
        self.enacted.push((law, revision));
    }

    /// Tells of a flag. Its row will hold the very text of its entry.
    fn tell(&mut self, flag: &Flag, turn: &mut Turn) {
        turn.push(entry::of(flag), Some(flag.identity.enterprise), flag, None);
        if let Some(body) = turn.last_body() {
            self.told.insert(flag.id.clone(), body.to_owned());
        }
    }
}

/// Loads, decides and writes for [`greenstar_store::Writer`].
#[derive(Clone, Debug)]
pub(crate) struct SanctionsJournal {
    shelf: Shelf,
}

impl SanctionsJournal {
    pub(crate) fn new(shelf: Shelf) -> SanctionsJournal {
        SanctionsJournal { shelf }
    }
}

#[async_trait]
impl Journal for SanctionsJournal {
    type Command = Command;
    type Answer = Answer;
    type Refusal = Refusal;
    type State = Work;

    fn request(&self, command: &Command) -> Option<Request> {
        match command {
            Command::Step { request, .. }
            | Command::Correct { request, .. }
            | Command::Remedy { request, .. }
            | Command::Create { request, .. } => request.clone(),
            Command::Lapse(_) | Command::Enact(_) => None,
        }
    }

    async fn load(&self, tx: &mut Tx, commands: &[&Command]) -> Result<Work, StoreError> {
        let law = self.shelf.law(tx).await?;
        let mut steps = Vec::new();
        let (mut ids, mut enterprises) = (BTreeSet::new(), BTreeSet::new());
        for command in commands {
            match command {
                Command::Step { step, .. } => {
                    if let Some(name) = step.moves() {
                        ids.insert(name.id.as_str());
                    }
                    enterprises.insert(step.enterprise());
                }
                Command::Correct { correction, .. } => {
                    ids.insert(correction.name.id.as_str());
                    enterprises.extend([correction.name.enterprise, correction.enterprise]);
                }
                Command::Lapse(id) => {
                    ids.insert(id.as_str());
                }
                Command::Remedy { remedy, .. } => {
                    enterprises.insert(remedy.enterprise());
                    steps.push(remedy);
                }
                Command::Enact(_) | Command::Create { .. } => {}
            }
        }
        let (remedies, concerned) = remedy::load(tx, &steps).await?;
        ids.extend(concerned.iter().map(Code::as_str));
        let mut flags = flag::by_id(tx, ids.into_iter().map(Value::from).collect()).await?;
        flags.extend(flag::standing(tx, enterprises.into_iter().map(Value::from).collect()).await?);
        Ok(Work {
            ledger: Ledger::new(law, flags),
            remedies,
            enacted: Vec::new(),
            told: BTreeMap::new(),
        })
    }

    fn decide(&self, work: &mut Work, command: &Command, turn: &mut Turn) -> Result<Answer, Refusal> {
        match command {
            Command::Enact(catalogue) => {
                if let Some(law) = work.ledger.enact(catalogue, turn.now()) {
                    work.enact(law, turn);
                }
                Ok(Answer::Asked(*catalogue.edition()))
            }
            Command::Create {
                catalogue, effective, ..
            } => {
                let law = work.ledger.create_edition(catalogue, *effective, turn.now())?;
                work.enact(law, turn);
                Ok(Answer::Asked(*catalogue.edition()))
            }
            Command::Step { step, actor, .. } => {
                let flag = work.ledger.decide(step, actor, turn.now())?;
                work.tell(&flag, turn);
                Ok(Answer::Flag(Box::new(flag)))
            }
            Command::Correct {
                correction, actor, ..
            } => {
                let Corrected { revoked, proposed } = work.ledger.correct(correction, actor, turn.now())?;
                work.tell(&revoked, turn);
                work.tell(&proposed, turn);
                Ok(Answer::Corrected {
                    revoked: Box::new(revoked),
                    proposed: Box::new(proposed),
                })
            }
            Command::Remedy { remedy, .. } => {
                let (now, next) = (turn.now(), turn.next());
                let Done { case, flags } = work.remedies.decide(&mut work.ledger, remedy, now, next)?;
                for flag in &flags {
                    work.tell(flag, turn);
                }
                match &case {
                    Case::Repair(repair) => turn.push(entry::REPAIR, Some(repair.enterprise), repair, None),
                    Case::Appeal(appeal) => turn.push(entry::APPEAL, Some(appeal.enterprise), appeal, None),
                };
                Ok(Answer::Remedy(case))
            }
            Command::Lapse(id) => {
                let lapsed = work.ledger.lapse(id, turn.now());
                if let Some(flag) = &lapsed {
                    work.tell(flag, turn);
                }
                let written = lapsed.is_some();
                Ok(Answer::Lapsed { written })
            }
        }
    }

    async fn write(&self, tx: &mut Tx, work: Work) -> Result<(), StoreError> {
        catalogue::insert(tx, work.enacted).await?;
        remedy::write(tx, &work.remedies).await?;
        flag::upsert(tx, work.ledger.changed(), work.told).await
    }

    fn is_told(&self, answer: &Answer) -> bool {
        match answer {
            Answer::Flag(_) => true,
            Answer::Corrected { .. } | Answer::Lapsed { .. } | Answer::Remedy(_) | Answer::Asked(_) => false,
        }
    }

    fn retell(&self, body: &str) -> Result<Answer, StoreError> {
        serde_json::from_str(body)
            .map(|flag| Answer::Flag(Box::new(flag)))
            .map_err(StoreError::corrupt)
    }
}
