//! Commands and their decisions. Pure: the state is handed in, the changes are left in it.

mod activate;
mod assess;
mod assist;
mod comments;
mod deliberation;
mod follow;
mod living;
mod objections;
mod proceed;
mod quality;
mod register;
mod rounds;
mod verification;
mod world;

use greenstar_kernel::{Caller, Code, Document, Timestamp, Uscc};
use serde::{Deserialize, Serialize};

pub use assist::{Assist, AtFirm, OfPlan, StoredRules};
pub use follow::{Cursor, Followed, Frame};
pub use living::Recorded;
pub use objections::Objecting;
pub use proceed::{Said, Step};
pub use quality::Claimed;
pub use rounds::NewRound;
pub use world::{Changes, StoredScheme, Version, World};

use super::assistance::{Assistance, Cohort};
use super::course::Comment;
use super::enterprise::{Change, Enterprise, Profile};
use super::error::Refusal;
use super::event::{Event, Evidence};
use super::firm::{Fact, RatingView};
use super::notice::RatingNotice;
use super::objection::Objection;
use super::quality::{DataError, SourceCutoff, SourceId};
use super::round::{Claim, Round, RoundState};
use super::scheme::SchemeKey;
use super::score::Grant;
use super::snapshot::{Snapshot, StagedEntry};

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Command {
    /// Store a version of a scheme.
    CreateScheme {
        /// The file.
        source: String,
    },
    /// Bring a version of a scheme into use.
    ActivateScheme {
        /// The version.
        key: SchemeKey,
        /// From when on; `None`: now.
        from: Option<Timestamp>,
    },
    /// Register an enterprise.
    CreateEnterprise {
        /// Its code.
        uscc: Uscc,
        /// The register's part.
        profile: Profile,
    },
    /// Change an enterprise.
    UpdateEnterprise {
        /// Its code.
        uscc: Uscc,
        /// What the caller last read.
        etag: String,
        /// The new values.
        changes: Vec<Change>,
    },
    /// Begin a round.
    CreateRound(NewRound),
    /// Take enterprises into a round.
    Enrol {
        /// The round.
        round: Code,
        /// Who takes part.
        enterprises: Vec<Uscc>,
    },
    /// Hand in a declaration.
    Declare {
        /// The round.
        round: Code,
        /// Whose.
        uscc: Uscc,
        /// One an item.
        claims: Vec<Claim>,
    },
    /// Award points for items.
    Verify {
        /// The round.
        round: Code,
        /// Whose.
        uscc: Uscc,
        /// Item, what it is awarded, and the note.
        verdicts: Vec<(Code, Grant, String)>,
    },
    /// Publish a round.
    Publish {
        /// The round.
        round: Code,
        /// Record of the government's approval.
        approval: String,
    },
    /// Take a round a step further.
    Proceed {
        /// The round.
        round: Code,
        /// The step.
        step: Step,
    },
    /// File or decide an objection.
    Objection {
        /// Whose.
        uscc: Uscc,
        /// Its id; of a new one made at the edge.
        id: Code,
        /// What is done.
        what: Objecting,
    },
    /// Record an event.
    RecordEvent(NewEvent),
    /// Record several events, each for itself, in one transaction.
    RecordEvents(Vec<NewEvent>),
    /// Set a rating aside.
    SuspendRating {
        /// Whose.
        uscc: Uscc,
        /// Which authority decides what.
        reason: String,
    },
    /// End a suspension.
    ResumeRating {
        /// Whose.
        uscc: Uscc,
        /// What was decided.
        reason: String,
    },
    /// Note that a firm has read a notice.
    AcknowledgeNotice {
        /// Whose.
        uscc: Uscc,
        /// The notice.
        notice: String,
    },
    /// Prepare entries of a snapshot.
    StageSnapshot {
        /// The snapshot to come.
        id: Code,
        /// Some of its entries.
        entries: Vec<StagedEntry>,
    },
    /// Freeze a snapshot whose entries are prepared.
    FreezeSnapshot(Snapshot),
    /// Note up to when a source is complete.
    SetCutoff {
        /// Which.
        source: SourceId,
        /// Everything of it up to here is in.
        cutoff: Timestamp,
        /// How many days it may be behind; 0: as before.
        promise_days: u16,
    },
    /// Track a claim that a datum is wrong.
    ReportDataError(Claimed),
    /// Answer a claim.
    DecideDataError {
        /// Whose datum.
        uscc: Uscc,
        /// The claim.
        id: Code,
        /// The datum was wrong.
        accepted: bool,
        /// What was found.
        answer: String,
    },
    /// Confirm a rectification.
    ConfirmRectification {
        /// Whose.
        uscc: Uscc,
        /// The event.
        event: Code,
    },
    /// Repair an event, and with it everything of the same document.
    RepairEvent {
        /// Whose.
        uscc: Uscc,
        /// The event.
        event: Code,
        /// The decision to repair.
        reason: String,
    },
    /// A step of assistance.
    Assist(Assist),
    /// Take what the sanctions log tells. Idempotent by epoch and revision.
    Follow(Frame),
    /// Write down what time has changed. Idempotent by enterprise and instant.
    Lapse {
        /// Whose.
        uscc: Uscc,
        /// The transition that fell due.
        due: Timestamp,
    },
}

/// An event to record.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// At which enterprise.
    pub uscc: Uscc,
    /// Its id, made at the edge.
    pub id: Code,
    /// Event or veto code.
    pub kind: Code,
    /// The document behind it.
    pub document: Document,
    /// What proves it.
    pub evidence: Evidence,
    /// At which site.
    pub site: Option<String>,
    /// Something must be put right.
    pub rectification_required: bool,
}

/// A command with its caller and instant.
#[derive(Clone, Debug)]
pub struct Order {
    /// Who asks.
    pub by: Caller,
    /// When it is decided.
    pub at: Timestamp,
    /// What to do.
    pub command: Command,
}

/// What a command answers; remembered for repeats of its request id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The stored scheme.
    Scheme(SchemeKey),
    /// The enterprise as it stands now.
    Enterprise(Enterprise),
    /// The round as it stands now.
    Round(Round),
    /// Number of items.
    Items(u32),
    /// The cohort as it stands now.
    Cohort(Box<Cohort>),
    /// Everything of the three steps at an enterprise, as it stands now.
    Assistance(Box<Assistance>),
    /// Version of the stored service rules.
    Rules(u32),
    /// The event, and the rating from now on.
    Event(Box<(Event, RatingView)>),
    /// What became of several events.
    Events(Vec<Recorded>),
    /// The rating from now on.
    Rating(Box<RatingView>),
    /// The notice as it stands now.
    Notice(Box<RatingNotice>),
    /// The frozen snapshot.
    Snapshot(Box<Snapshot>),
    /// What a source says of itself now.
    Cutoff(SourceCutoff),
    /// The claim as it stands now.
    DataError(Box<DataError>),
    /// The comment, and of which round.
    Comment(Code, Box<Comment>),
    /// The objection, and the rating from now on.
    Objection(Box<(Objection, RatingView)>),
    /// What came of a frame of the sanctions log.
    Followed(Followed),
    /// Whether the transition was written; otherwise it had been before, or is not due by the writer's clock.
    Lapsed {
        /// Something changed.
        written: bool,
    },
}

/// What followers are told of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The whole row of an enterprise.
    Fact(Box<Fact>),
    /// The same, and the change of another log that brought it about.
    Caused(Box<Fact>, String),
    /// A scheme was stored.
    Scheme(SchemeKey),
    /// A round moved.
    Round(Code, RoundState),
    /// A declaration of a round changed.
    Declaration(Code, Uscc),
    /// A firm has read a notice.
    Acknowledged(Uscc, String),
    /// So many entries of a snapshot were prepared.
    Staged(Code, u32),
    /// A snapshot was frozen, with its digest.
    Snapshot(Code, String),
    /// A source said how far it is.
    Source(String),
    /// A claim was made or answered.
    DataError(Uscc, Code),
}

/// Decides one command. When it refuses, `world` is as before.
///
/// # Errors
/// [`Refusal`]
pub fn decide(world: &mut World, order: &Order) -> Result<(Answer, Vec<Notice>), Refusal> {
    let Order { by, at, command } = order;
    world.at = *at;
    let outcome = match command {
        Command::CreateScheme { source } => activate::create(world, by, source, *at),
        Command::ActivateScheme { key, from } => activate::activate(world, by, key, *from, *at),
        Command::CreateEnterprise { uscc, profile } => register::create(world, uscc, profile),
        Command::UpdateEnterprise { uscc, etag, changes } => register::update(world, uscc, etag, changes),
        Command::CreateRound(new) => rounds::create(world, by, new, *at),
        Command::Enrol { round, enterprises } => rounds::enrol(world, by, round, enterprises, *at),
        Command::Declare { round, uscc, claims } => rounds::declare(world, by, round, uscc, claims, *at),
        Command::Verify {
            round,
            uscc,
            verdicts,
        } => rounds::verify(world, by, round, uscc, verdicts, *at),
        Command::Publish { round, approval } => rounds::publish(world, by, round, approval, *at),
        Command::Proceed { round, step } => proceed::proceed(world, by, round, step, *at),
        Command::Objection { uscc, id, what } => match what {
            Objecting::File {
                version,
                round,
                points,
            } => objections::file(world, by, uscc, id, (*version, round.as_ref(), points), *at),
            Objecting::Decide { findings } => objections::decide(world, by, uscc, id, findings, *at),
        },
        Command::RecordEvent(new) => assess::record(world, by, new, *at),
        Command::RecordEvents(new) => living::record_all(world, by, new, *at),
        Command::SuspendRating { uscc, reason } => living::suspend(world, by, uscc, reason, *at),
        Command::ResumeRating { uscc, reason } => living::resume(world, by, uscc, reason, *at),
        Command::AcknowledgeNotice { uscc, notice } => living::acknowledge(world, by, uscc, notice, *at),
        Command::StageSnapshot { id, entries } => living::stage(world, id, entries),
        Command::FreezeSnapshot(snapshot) => living::freeze(world, snapshot, *at),
        Command::SetCutoff {
            source,
            cutoff,
            promise_days,
        } => quality::set_cutoff(world, by, source, *cutoff, *promise_days, *at),
        Command::ReportDataError(claimed) => quality::report(world, by, claimed, *at),
        Command::DecideDataError {
            uscc,
            id,
            accepted,
            answer,
        } => quality::decide_claim(world, by, (uscc, id), *accepted, answer, *at),
        Command::ConfirmRectification { uscc, event } => assess::confirm(world, by, uscc, event, *at),
        Command::RepairEvent { uscc, event, reason } => assess::repair(world, by, uscc, event, reason, *at),
        Command::Assist(step) => assist::assist(world, by, step, *at),
        Command::Follow(frame) => follow::follow(world, frame, *at),
        Command::Lapse { uscc, due } => assess::lapse(world, uscc, *due, *at),
    }?;
    quality::received(world, by, command, &outcome.0);
    Ok(outcome)
}
