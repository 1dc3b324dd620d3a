//! Policies in the joined transaction (protocol.md §1).

use std::collections::BTreeSet;

use async_trait::async_trait;
use greenstar_kernel::{Code, Revision};
use greenstar_store::{Journal, Request, StoreError, Turn, Tx, Value};
use serde::{Deserialize, Serialize};

use super::{draft, policy};
use crate::domain::draft::{Actor, Done, Draft, Step, Workshop};
use crate::domain::draft_refusal::Refusal;
use crate::domain::policy::{Document, EVALUATOR, Head, PolicyErrors};
use crate::domain::version::Published;

/// What the writer carries out.
#[derive(Debug)]
pub(crate) enum Command {
    /// Publishes documents where no policy was ever published; else it changes nothing.
    Seed(Seed),
    Step {
        step: Box<Step>,
        actor: Actor,
        request: Option<Request>,
    },
}

/// The policies to begin with.
#[derive(Debug)]
pub(crate) struct Seed(Vec<(Head, String)>);

impl Seed {
    /// # Errors
    /// A document that does not say which policy it is.
    pub(crate) fn of(documents: Vec<Document>) -> Result<Seed, PolicyErrors> {
        let head = |document: Document| Ok((Head::read(&document)?, document.text));
        documents
            .into_iter()
            .map(head)
            .collect::<Result<_, _>>()
            .map(Seed)
    }
}

/// What the writer answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Seeded,
    /// As the step left it, with the number of the version that it is or will be.
    Draft {
        draft: Box<Draft>,
        version: u32,
    },
    Version(Box<Published>),
}

/// The policy log's commands.
#[derive(Debug)]
pub(crate) struct PolicyJournal;

#[derive(Debug)]
pub(crate) struct State {
    /// Whether any policy was ever published.
    any: bool,
    seeded: Vec<(Revision, Published)>,
    workshop: Workshop,
}

/// What steps look at.
pub(crate) async fn workshop(tx: &mut Tx, steps: &[&Step]) -> Result<Workshop, StoreError> {
    let (mut drafts, mut policies) = (BTreeSet::new(), BTreeSet::new());
    for step in steps {
        match step {
            Step::Create { text, .. } => {
                policies.insert(text.policy.clone());
            }
            Step::Update { seen, .. }
            | Step::Validated(seen)
            | Step::Approve(seen)
            | Step::Withdraw(seen) => {
                drafts.insert(&seen.id);
            }
            Step::Publish(asked) => {
                drafts.insert(&asked.seen.id);
            }
            Step::Rollback(asked) => {
                policies.insert(asked.policy.clone());
            }
        }
    }
    let drafts = drafts.into_iter().map(|id: &Code| Value::from(id.as_str()));
    let drafts = draft::by_id(tx, drafts.collect()).await?;
    policies.extend(drafts.iter().map(|draft| draft.policy.clone()));
    let lines = policy::lines(tx, &policies).await?;
    Ok(Workshop::new(drafts, lines, policy::newest(tx).await?))
}

#[async_trait]
impl Journal for PolicyJournal {
    type Command = Command;
    type Answer = Answer;
    type Refusal = Refusal;
    type State = State;

    fn request(&self, command: &Command) -> Option<Request> {
        match command {
            Command::Seed(_) => None,
            Command::Step { request, .. } => request.clone(),
        }
    }

    async fn load(&self, tx: &mut Tx, commands: &[&Command]) -> Result<State, StoreError> {
        let any = tx.row("SELECT name FROM policy LIMIT 1", &[]).await?.is_some();
        let steps: Vec<&Step> = commands
            .iter()
            .filter_map(|command| match command {
                Command::Seed(_) => None,
                Command::Step { step, .. } => Some(&**step),
            })
            .collect();
        Ok(State {
            any,
            seeded: Vec::new(),
            workshop: workshop(tx, &steps).await?,
        })
    }

    fn decide(&self, state: &mut State, command: &Command, turn: &mut Turn) -> Result<Answer, Refusal> {
        match command {
            Command::Seed(Seed(documents)) => {
                if std::mem::replace(&mut state.any, true) {
                    return Ok(Answer::Seeded);
                }
                for (head, source) in documents {
                    let published = Published {
                        name: head.policy.clone(),
                        version: head.version,
                        department: head.department.clone(),
                        source: source.clone(),
                        // Nothing was in force before them, so they need not wait for other replicas (protocol.md §3).
                        effective_at: turn.now(),
                        published_at: turn.now(),
                        author: None,
                        approver: None,
                        publisher: None,
                        note: String::new(),
                        rollback_of: None,
                        evaluator: EVALUATOR.to_owned(),
                    };
                    let revision = turn.push("policy", None, &published, None);
                    state.seeded.push((revision, published));
                }
                Ok(Answer::Seeded)
            }
            Command::Step { step, actor, .. } => {
                let (now, revision) = (turn.now(), turn.next());
                let done = state.workshop.take(step, actor, now, revision)?;
                Ok(match done {
                    Done::Draft { draft, version } => {
                        // A step that changed nothing tells of nothing.
                        if draft.etag == revision {
                            turn.push("draft", None, &draft, None);
                        }
                        let draft = Box::new(draft);
                        Answer::Draft { draft, version }
                    }
                    Done::Version(published) => {
                        turn.push("policy", None, &published, None);
                        state.any = true;
                        Answer::Version(Box::new(published))
                    }
                })
            }
        }
    }

    async fn write(&self, tx: &mut Tx, state: State) -> Result<(), StoreError> {
        let changes = state.workshop.changes();
        policy::insert(tx, state.seeded).await?;
        policy::insert(tx, changes.published).await?;
        draft::write(tx, changes.drafts).await
    }
}
