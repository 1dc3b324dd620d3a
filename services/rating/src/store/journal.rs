//! The rating commands in the joined transaction (protocol.md §1).

use std::collections::BTreeSet;

use async_trait::async_trait;
use greenstar_kernel::{Caller, Code, Timestamp, Uscc};
use greenstar_store::{Journal, Request, StoreError, Turn, Tx, Value};

use super::rows::{self, json};
use super::schemes::{Schemes, activations};
use super::{assistance, course, followed, notices, quality, snapshots};
use crate::domain::command::{
    Answer, Assist, AtFirm, Command, Frame, NewEvent, Notice, Objecting, Order, Step, World, decide,
};
use crate::domain::error::Refusal;
use crate::domain::snapshot::Snapshot;

/// Kind of the log entries that carry an enterprise's whole row.
pub(crate) const FACT: &str = "fact";

/// A command on its way to the writer.
#[derive(Debug)]
pub(crate) struct Submission {
    /// Who asks.
    pub(crate) by: Caller,
    /// What to do.
    pub(crate) command: Command,
    /// The caller's request id, if one was given.
    pub(crate) request: Option<RequestId>,
    /// Pins the instant, for the sample round; otherwise it is the batch's.
    pub(crate) at: Option<Timestamp>,
}

/// A request id with what it is bound to.
#[derive(Debug)]
pub(crate) struct RequestId {
    /// The method.
    pub(crate) method: &'static str,
    /// The id.
    pub(crate) id: String,
    /// The encoded request without the id.
    pub(crate) body: Vec<u8>,
}

/// Loads and writes what rating commands work on.
#[derive(Debug)]
pub(crate) struct RatingJournal {
    schemes: Schemes,
}

impl RatingJournal {
    pub(crate) fn new(schemes: Schemes) -> RatingJournal {
        RatingJournal { schemes }
    }
}

/// What a batch names.
#[derive(Default)]
struct Named<'a> {
    firms: BTreeSet<Uscc>,
    rounds: BTreeSet<Code>,
    /// Rounds whose whole cohort is needed.
    cohorts: BTreeSet<Code>,
    /// Enterprises whose parts in rounds are needed.
    enrolments: BTreeSet<Uscc>,
    /// Enterprises of whose documents it matters what was told.
    documents: BTreeSet<Uscc>,
    /// What is told now.
    frames: Vec<&'a Frame>,
    /// Which version of a scheme is in use matters.
    activations: bool,
    notices: Vec<(Uscc, String)>,
    snapshots: BTreeSet<Code>,
    /// Sources are named.
    sources: bool,
    /// Enterprises against whose data somebody claims.
    claimed: BTreeSet<Uscc>,
    claims: Vec<(Uscc, Code)>,
    /// Cohorts that are helped together.
    cohorts_of_assistance: BTreeSet<Code>,
    /// Enterprises of whose assistance it matters what was done.
    assistance: BTreeSet<Uscc>,
    /// The rules of service lists are needed.
    rules: bool,
    /// Comments, by round.
    comments: Vec<(Code, Code)>,
    /// Enterprises of whose objections it matters which there are.
    objections: BTreeSet<Uscc>,
}

impl<'a> Named<'a> {
    fn of(commands: &[&'a Submission]) -> Named<'a> {
        let mut named = Named::default();
        for submission in commands {
            match &submission.command {
                Command::CreateScheme { .. } => {}
                Command::ActivateScheme { .. } => named.activations = true,
                Command::CreateEnterprise { uscc, .. }
                | Command::UpdateEnterprise { uscc, .. }
                | Command::ConfirmRectification { uscc, .. }
                | Command::Lapse { uscc, .. } => {
                    named.firms.insert(*uscc);
                }
                Command::RecordEvent(NewEvent { uscc, .. }) | Command::RepairEvent { uscc, .. } => {
                    named.firms.insert(*uscc);
                    named.documents.insert(*uscc);
                }
                Command::RecordEvents(events) => {
                    let codes = || events.iter().map(|event| event.uscc);
                    named.firms.extend(codes());
                    named.documents.extend(codes());
                }
                Command::SuspendRating { uscc, .. } | Command::ResumeRating { uscc, .. } => {
                    named.firms.insert(*uscc);
                }
                Command::AcknowledgeNotice { uscc, notice } => {
                    named.notices.push((*uscc, notice.clone()));
                }
                Command::StageSnapshot { id, .. } | Command::FreezeSnapshot(Snapshot { id, .. }) => {
                    named.snapshots.insert(id.clone());
                }
                Command::SetCutoff { .. } => named.sources = true,
                Command::ReportDataError(claimed) => {
                    named.firms.insert(claimed.uscc);
                    named.claimed.insert(claimed.uscc);
                }
                Command::DecideDataError { uscc, id, .. } => {
                    named.firms.insert(*uscc);
                    named.claims.push((*uscc, id.clone()));
                }
                Command::Assist(Assist::Draw { id, members, .. }) => {
                    named.cohorts_of_assistance.insert(id.clone());
                    named.firms.extend(members);
                }
                Command::Assist(Assist::Assign { cohort, .. }) => {
                    named.cohorts_of_assistance.insert(cohort.clone());
                }
                Command::Assist(Assist::Rules { .. }) => named.rules = true,
                Command::Assist(Assist::At(uscc, step)) => {
                    named.firms.insert(*uscc);
                    named.assistance.insert(*uscc);
                    named.rules |= matches!(step, AtFirm::List { .. });
                }
                Command::Follow(frame) => {
                    named.frames.push(frame);
                    let codes = || frame.told.iter().map(|told| told.uscc);
                    named.firms.extend(codes());
                    named.documents.extend(codes());
                }
                Command::CreateRound(new) => {
                    named.activations = true;
                    named.rounds.insert(new.id.clone());
                    named.rounds.extend(new.review_of.clone());
                }
                Command::Proceed { round, step } => {
                    named.rounds.insert(round.clone());
                    named.step(round, step);
                }
                Command::Objection { uscc, what, .. } => {
                    named.firms.insert(*uscc);
                    named.documents.insert(*uscc);
                    named.enrolments.insert(*uscc);
                    named.objections.insert(*uscc);
                    if let Objecting::File { round, .. } = what {
                        named.rounds.extend(round.clone());
                    }
                }
                Command::Enrol { round, enterprises } => {
                    named.rounds.insert(round.clone());
                    named.firms.extend(enterprises);
                    named.enrolments.extend(enterprises);
                }
                Command::Declare { round, uscc, .. } | Command::Verify { round, uscc, .. } => {
                    named.rounds.insert(round.clone());
                    named.enrolments.insert(*uscc);
                }
                Command::Publish { round, .. } => {
                    named.rounds.insert(round.clone());
                    named.cohorts.insert(round.clone());
                }
            }
        }
        named
    }

    fn step(&mut self, round: &Code, step: &Step) {
        match step {
            Step::Return { uscc, .. } | Step::Confirm { uscc, .. } | Step::AnswerNotice { uscc, .. } => {
                self.enrolments.insert(*uscc);
            }
            Step::Comment { uscc, .. } => self.enrolments.extend(uscc),
            Step::AnswerComment { id, .. } => self.comments.push((round.clone(), id.clone())),
            Step::Recuse { enterprises, .. } => self.enrolments.extend(enterprises),
            Step::Vote { votes, .. } => self.enrolments.extend(votes.iter().map(|(uscc, _)| uscc)),
            Step::IssueNotices
            | Step::OpenComment { .. }
            | Step::OpenDeliberation
            | Step::CloseDeliberation { .. } => {
                self.cohorts.insert(round.clone());
            }
            Step::Approve { .. } | Step::Withdraw { .. } => {}
        }
    }
}

fn codes(ids: &BTreeSet<Code>) -> Vec<Value> {
    ids.iter().map(|id| id.as_str().into()).collect()
}

fn usccs(ids: &BTreeSet<Uscc>) -> Vec<Value> {
    ids.iter().map(Value::from).collect()
}

#[async_trait]
impl Journal for RatingJournal {
    type Command = Submission;
    type Answer = Answer;
    type Refusal = Refusal;
    type State = World;

    fn request(&self, submission: &Submission) -> Option<Request> {
        let request = submission.request.as_ref()?;
        Some(Request::new(
            submission.by.principal(),
            request.method,
            &request.id,
            &request.body,
        ))
    }

    async fn load(&self, tx: &mut Tx, commands: &[&Submission]) -> Result<World, StoreError> {
        let mut named = Named::of(commands);
        let mut world = World {
            schemes: self.schemes.all(tx).await?,
            ..World::default()
        };
        if named.activations {
            world.activations = activations(tx).await?;
        }
        world.cohorts = assistance::cohorts(tx, codes(&named.cohorts_of_assistance)).await?;
        world.assistance = assistance::assistance(tx, usccs(&named.assistance)).await?;
        if named.rules {
            world.rules = assistance::rules(tx, None).await?;
        }
        world.rounds = rows::rounds(tx, codes(&named.rounds)).await?;
        const ENROLMENT: &str = "SELECT round, uscc, body FROM enrolment WHERE";
        let whole = tx
            .rows_in(&format!("{ENROLMENT} round"), codes(&named.cohorts), "")
            .await?;
        let parts = tx
            .rows_in(&format!("{ENROLMENT} uscc"), usccs(&named.enrolments), "")
            .await?;
        // Of who is named its parts in all rounds, since it sits in one open round at a time.
        let mut elsewhere = BTreeSet::new();
        for row in whole.iter().chain(&parts) {
            let (key, enrolment) = rows::enrolment(row)?;
            if named.cohorts.contains(&key.0) {
                named.firms.insert(key.1);
            }
            if !named.rounds.contains(&key.0) {
                elsewhere.insert(key.0.clone());
            }
            world.enrolments.insert(key, enrolment);
        }
        world.rounds.extend(rows::rounds(tx, codes(&elsewhere)).await?);
        world.comments = course::comments(tx, &named.comments).await?;
        world.objections = course::objections_of(tx, usccs(&named.objections)).await?;
        if !named.frames.is_empty() {
            world.cursor = followed::cursor(tx).await?;
            for frame in &named.frames {
                if frame.settles(world.cursor.as_ref()) {
                    let others = followed::of_other_epochs(tx, &frame.epoch).await?;
                    named.firms.extend(&others);
                    named.documents.extend(&others);
                }
            }
        }
        world.firms = rows::firms(tx, usccs(&named.firms)).await?;
        world.documents = followed::documents(tx, usccs(&named.documents)).await?;
        world.notices = notices::load(tx, &named.notices).await?;
        world.snapshots = snapshots::snapshots(tx, codes(&named.snapshots)).await?;
        if named.sources {
            world.sources = quality::cutoffs(tx).await?;
        }
        world.data_errors = quality::load(tx, usccs(&named.claimed), &named.claims).await?;
        Ok(world)
    }

    fn decide(&self, world: &mut World, submission: &Submission, turn: &mut Turn) -> Result<Answer, Refusal> {
        let order = Order {
            by: submission.by.clone(),
            at: submission.at.unwrap_or_else(|| turn.now()),
            command: submission.command.clone(),
        };
        let (answer, notices) = decide(world, &order)?;
        for notice in notices {
            match notice {
                Notice::Fact(fact) => turn.push(FACT, Some(fact.uscc), &fact, None),
                Notice::Caused(fact, cause) => turn.push(FACT, Some(fact.uscc), &fact, Some(cause)),
                Notice::Scheme(key) => turn.push("scheme", None, &key, None),
                Notice::Round(id, state) => turn.push("round", None, &(id, state), None),
                Notice::Declaration(round, uscc) => turn.push("declaration", Some(uscc), &round, None),
                Notice::Acknowledged(uscc, notice) => turn.push("notice", Some(uscc), &notice, None),
                Notice::Staged(id, entries) => turn.push("staged", None, &(id, entries), None),
                Notice::Snapshot(id, digest) => turn.push("snapshot", None, &(id, digest), None),
                Notice::Source(id) => turn.push("source", None, &id, None),
                Notice::DataError(uscc, id) => turn.push("data_error", Some(uscc), &id, None),
            };
        }
        Ok(answer)
    }

    async fn write(&self, tx: &mut Tx, world: World) -> Result<(), StoreError> {
        let changes = &world.changes;
        let mut schemes = Vec::new();
        for stored in world
            .schemes
            .iter()
            .filter(|stored| changes.schemes.contains(&stored.scheme.key))
        {
            let key = &stored.scheme.key;
            let source = stored.source.as_str();
            let row = vec![
                key.id.as_str().into(),
                (&key.version).into(),
                source.into(),
                stored.created_at.into(),
                stored.author.as_ref().map(|author| author.0.clone()).into(),
            ];
            schemes.push(row);
        }
        let columns = ["id", "version", "source", "created_at", "author"];
        tx.insert("scheme", &columns, schemes).await?;
        let activations = changes.activations.iter().map(|activation| {
            vec![
                activation.key.id.as_str().into(),
                (&activation.key.version).into(),
                activation.at.into(),
                activation.by.0.clone().into(),
                activation.decided_at.into(),
            ]
        });
        let columns = ["id", "version", "activate_at", "officer", "decided_at"];
        tx.insert("scheme_activation", &columns, activations.collect())
            .await?;

        let firms = changes.firms.iter().filter_map(|uscc| world.firms.get(uscc));
        let enterprises = firms.map(rows::enterprise_row).collect::<Result<_, _>>()?;
        tx.upsert("enterprise", &rows::ENTERPRISE, &["uscc"], enterprises)
            .await?;

        let mut events = Vec::new();
        for (uscc, id) in &changes.events {
            if let Some(event) = world.firms.get(uscc).and_then(|firm| firm.event(id)) {
                events.push(vec![uscc.into(), id.as_str().into(), json(event)?]);
            }
        }
        tx.upsert("event", &["uscc", "id", "body"], &["uscc", "id"], events)
            .await?;

        let versions = changes
            .versions
            .iter()
            .map(rows::rating_row)
            .collect::<Result<_, _>>()?;
        tx.insert("rating", &rows::RATING, versions).await?;

        let mut rounds = Vec::new();
        for round in changes.rounds.iter().filter_map(|id| world.rounds.get(id)) {
            let state = round.state.as_str();
            rounds.push(vec![
                round.id.as_str().into(),
                state.into(),
                round.created_at.into(),
                json(round)?,
            ]);
        }
        tx.upsert(
            "evaluation_round",
            &["id", "state", "created_at", "body"],
            &["id"],
            rounds,
        )
        .await?;

        let mut enrolments = Vec::new();
        for key in &changes.enrolments {
            if let Some(enrolment) = world.enrolments.get(key) {
                enrolments.push(vec![key.0.as_str().into(), key.1.into(), json(enrolment)?]);
            }
        }
        tx.upsert(
            "enrolment",
            &["round", "uscc", "body"],
            &["round", "uscc"],
            enrolments,
        )
        .await?;

        let lines = changes
            .directory
            .iter()
            .map(|(round, line)| rows::directory_row(round, line))
            .collect();
        tx.insert("directory", &rows::DIRECTORY, lines).await?;
        notices::write(tx, &world).await?;
        snapshots::write(tx, &world).await?;
        quality::write(tx, &world).await?;
        assistance::write(tx, &world).await?;
        course::write(tx, &world).await?;
        followed::write(tx, &world).await
    }
}
