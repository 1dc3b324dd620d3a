//! Who may see what (design.md §9, P11). An honour must not become a blacklist: who is not listed, and why, is
//! for the rating department and the firm itself.

use greenstar_kernel::{Caller, Timestamp, Uscc};

use super::error::Refusal;
use super::event::Event;
use super::round::{Round, RoundState};
use super::scheme::Scheme;

/// The department that rates.
pub const RATING: &str = "rating";

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

/// One event, for a caller who may see the enterprise. The rating department and the firm see all; others what
/// their own department recorded, what is still to be put right, and what is shown to the public.
pub fn event(caller: &Caller, uscc: &Uscc, event: &Event, scheme: &Scheme, at: Timestamp) -> bool {
    if assessment(caller, uscc).is_ok() {
        return true;
    }
    let publicity = scheme.publicity(event.severity);
    let shown =
        publicity.publish && event.repaired_at.is_none() && at < event.document.date.term_end(publicity.max);
    shown || event.open() || caller.department() == Some(&event.department)
}

/// A round: unpublished ones are for the rating department only.
pub fn round(caller: &Caller, round: &Round) -> bool {
    is_rating(caller) || round.state == RoundState::Published
}
