//! Commands and their decisions. Pure: the state is handed in, the changes are left in it.

mod activate;
mod assess;
mod follow;
mod register;
mod rounds;
mod world;

use greenstar_kernel::{Caller, Code, Document, LocalizedText, Timestamp, Uscc};
use serde::{Deserialize, Serialize};

pub use follow::{Cursor, Followed, Frame};
pub use world::{Changes, StoredScheme, Version, World};

use super::enterprise::{Change, Enterprise, Profile};
use super::error::Refusal;
use super::event::{Event, Evidence};
use super::firm::{Fact, RatingView};
use super::round::{Claim, Round, RoundState};
use super::scheme::SchemeKey;
use super::score::Grant;

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
    CreateRound {
        /// Its id.
        id: Code,
        /// Its title.
        title: LocalizedText,
        /// Its scheme.
        scheme: SchemeKey,
    },
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
    /// Record an event.
    RecordEvent(NewEvent),
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
    /// The event, and the rating from now on.
    Event(Box<(Event, RatingView)>),
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
}

/// Decides one command. When it refuses, `world` is as before.
///
/// # Errors
/// [`Refusal`]
pub fn decide(world: &mut World, order: &Order) -> Result<(Answer, Vec<Notice>), Refusal> {
    let Order { by, at, command } = order;
    match command {
        Command::CreateScheme { source } => activate::create(world, by, source, *at),
        Command::ActivateScheme { key, from } => activate::activate(world, by, key, *from, *at),
        Command::CreateEnterprise { uscc, profile } => register::create(world, uscc, profile),
        Command::UpdateEnterprise { uscc, etag, changes } => register::update(world, uscc, etag, changes),
        Command::CreateRound { id, title, scheme } => rounds::create(world, id, title, scheme, *at),
        Command::Enrol { round, enterprises } => rounds::enrol(world, round, enterprises),
        Command::Declare { round, uscc, claims } => rounds::declare(world, by, round, uscc, claims, *at),
        Command::Verify {
            round,
            uscc,
            verdicts,
        } => rounds::verify(world, by, round, uscc, verdicts),
        Command::Publish { round, approval } => rounds::publish(world, by, round, approval, *at),
        Command::RecordEvent(new) => assess::record(world, by, new, *at),
        Command::ConfirmRectification { uscc, event } => assess::confirm(world, by, uscc, event, *at),
        Command::RepairEvent { uscc, event, reason } => assess::repair(world, by, uscc, event, reason, *at),
        Command::Follow(frame) => follow::follow(world, frame, *at),
        Command::Lapse { uscc, due } => assess::lapse(world, uscc, *due, *at),
    }
}
