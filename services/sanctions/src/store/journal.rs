//! Flags in the joined transaction (protocol.md §1).

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use greenstar_kernel::Revision;
use greenstar_store::{Journal, Request, StoreError, Turn, Tx, Value};
use serde::{Deserialize, Serialize};

use super::catalogue::{self, Shelf};
use super::{entry, flag};
use crate::domain::catalogue::{Catalogue, Edition, InForce};
use crate::domain::flag::{Flag, Stage};
use crate::domain::ledger::{Actor, Ledger, Step};
use crate::domain::refusal::Refusal;

/// What the writer carries out.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Step {
        step: Step,
        actor: Actor,
        request: Option<Request>,
    },
    /// Brings an edition into force, if it is newer than the one that is.
    Enact(Catalogue),
}

/// What the writer answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// As the step left it.
    Flag(Box<Flag>),
    /// What was asked to be enacted; an older edition than the one in force changes nothing.
    Asked(Edition),
}

/// The flags and editions that a batch of commands looks at and changes.
#[derive(Debug)]
pub(crate) struct Work {
    ledger: Ledger,
    enacted: Vec<(Arc<InForce>, Revision)>,
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
            Command::Step { request, .. } => request.clone(),
            Command::Enact(_) => None,
        }
    }

    async fn load(&self, tx: &mut Tx, commands: &[&Command]) -> Result<Work, StoreError> {
        let law = self.shelf.in_force(tx).await?;
        let (mut ids, mut enterprises) = (BTreeSet::new(), BTreeSet::new());
        for command in commands {
            match command {
                Command::Step {
                    step: Step::Raise(proposal),
                    ..
                } => {
                    enterprises.insert(proposal.identity.enterprise);
                }
                Command::Step {
                    step: Step::Confirm(name) | Step::Lift { name, .. },
                    ..
                } => {
                    ids.insert(name.id.as_str());
                    enterprises.insert(name.enterprise);
                }
                Command::Enact(_) => {}
            }
        }
        let mut flags = flag::by_id(tx, ids.into_iter().map(Value::from).collect()).await?;
        flags.extend(flag::standing(tx, enterprises.into_iter().map(Value::from).collect()).await?);
        Ok(Work {
            ledger: Ledger::new(law, flags),
            enacted: Vec::new(),
        })
    }

    fn decide(&self, work: &mut Work, command: &Command, turn: &mut Turn) -> Result<Answer, Refusal> {
        match command {
            Command::Enact(catalogue) => {
                if let Some(law) = work.ledger.enact(catalogue, turn.now()) {
                    let revision = turn.push(entry::CATALOGUE, None, &*law, None);
                    work.enacted.push((law, revision));
                }
                Ok(Answer::Asked(*catalogue.edition()))
            }
            Command::Step { step, actor, .. } => {
                let flag = work.ledger.decide(step, actor, turn.now())?;
                let kind = match &flag.stage {
                    Stage::Proposed => entry::PROPOSED,
                    Stage::Withdrawn { .. } => entry::WITHDRAWN,
                    Stage::InForce { .. } => entry::CONFIRMED,
                    Stage::Lifted { .. } => entry::LIFTED,
                };
                turn.push(kind, Some(flag.identity.enterprise), &flag, None);
                Ok(Answer::Flag(Box::new(flag)))
            }
        }
    }

    async fn write(&self, tx: &mut Tx, work: Work) -> Result<(), StoreError> {
        catalogue::insert(tx, work.enacted).await?;
        flag::upsert(tx, work.ledger.changed()).await
    }
}
