//! Who may see what (design.md §9, P11). An honour must not become a blacklist: who is not listed, and why, is
//! for the rating department and the firm itself.

use greenstar_kernel::{Caller, Standing, Uscc};

use super::error::Refusal;
use super::firm::RatingView;
use super::round::{Round, RoundState};

/// The department that rates.
pub const RATING: &str = "rating";
/// The department that records events beside it.
pub const ENFORCEMENT: &str = "enforcement";

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

/// A round: unpublished ones are for the rating department only.
pub fn round(caller: &Caller, round: &Round) -> bool {
    is_rating(caller) || round.state == RoundState::Published
}
