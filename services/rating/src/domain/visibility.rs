//! Who may see what (design.md §9, P11). An honour must not become a blacklist: who is not listed, and why, is
//! for the rating department and the firm itself.

use greenstar_kernel::{Caller, Department, Standing, Uscc};

use super::error::Refusal;
use super::firm::{Fact, RatingView};
use super::round::{Round, RoundState};

/// The department that rates.
pub const RATING: &str = "rating";
/// The department that records events beside it.
pub const ENFORCEMENT: &str = "enforcement";

/// The service that decides.
pub const POLICY: &str = "supervision-policy";

/// Whether the caller is an officer of the rating department.
pub fn is_rating(caller: &Caller) -> bool {
    caller
        .department()
        .is_some_and(|department| department.as_str() == RATING)
}

/// A rating: any department's officer, or the firm itself.
///
/// # Errors
/// [`Refusal::NotYours`]
pub fn rating(caller: &Caller, uscc: &Uscc) -> Result<(), Refusal> {
    match caller {
        Caller::Department { .. } => Ok(()),
        Caller::Enterprise(own) if own == uscc => Ok(()),
        Caller::Enterprise(_) | Caller::Public => Err(Refusal::NotYours),
    }
}

/// How a rating came about, and what blocked the next star: the rating department, or the firm itself.
///
/// # Errors
/// [`Refusal::NotYours`]
pub fn assessment(caller: &Caller, uscc: &Uscc) -> Result<(), Refusal> {
    if is_rating(caller) || *caller == Caller::Enterprise(*uscc) {
        Ok(())
    } else {
        Err(Refusal::NotYours)
    }
}

/// The recorded events: the departments that record them, or the firm itself.
///
/// # Errors
/// [`Refusal::NotYours`]
pub fn events(caller: &Caller, uscc: &Uscc) -> Result<(), Refusal> {
    let records = caller
        .department()
        .is_some_and(|department| department.as_str() == ENFORCEMENT);
    if records { Ok(()) } else { assessment(caller, uscc) }
}

/// A rating among many, for a caller who may see each. Many at once are a list, and no list says who was not
/// listed to anyone but the rating department and the firm itself (docs/adr/0003-who-sees-a-missing-star.md).
pub fn among_many(caller: &Caller, view: RatingView) -> RatingView {
    if view.standing == Standing::NotListed && assessment(caller, &view.uscc).is_err() {
        // As a registered firm that no round has rated; nothing else may give it away.
        return RatingView {
            name: view.name,
            ..RatingView::unknown(view.uscc, view.as_of)
        };
    }
    view
}

/// Whether a follower's rows are whole: those of the rating department and of the policy service, which decides by
/// them for all departments.
pub fn follows_whole(caller: &Caller) -> bool {
    let policy = |department: &Department| department.as_str() == POLICY;
    is_rating(caller) || caller.department().is_some_and(policy)
}

/// Whether a follower must not be told that the firm was not listed: its log is a list of all firms.
pub fn conceals(caller: &Caller, fact: &Fact) -> bool {
    fact.standing == Standing::NotListed && !follows_whole(caller)
}

/// A row for a follower. Departments are told of each firm what they are told of it among many; what was recorded,
/// those that may list events.
pub fn followed(caller: &Caller, fact: Fact) -> Fact {
    if follows_whole(caller) {
        return fact;
    }
    let concealed = conceals(caller, &fact);
    let records = events(caller, &fact.uscc).is_ok();
    Fact {
        standing: if concealed {
            Standing::NotRated
        } else {
            fact.standing
        },
        rating: fact.rating.filter(|_| !concealed),
        open_rectification: records && fact.open_rectification,
        objection_open: fact.objection_open && fact.standing.star().is_some(),
        recent_events: if records { fact.recent_events } else { Vec::new() },
        ..fact
    }
}

/// A round: for others than the rating department from its proposal on, unless it was given up.
pub fn round(caller: &Caller, round: &Round) -> bool {
    match round.state {
        RoundState::PublicComment
        | RoundState::Deliberation
        | RoundState::GovApproval
        | RoundState::Published => true,
        RoundState::Draft | RoundState::Declaring | RoundState::Verifying | RoundState::Withdrawn => {
            is_rating(caller)
        }
    }
}
