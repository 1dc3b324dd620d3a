//! The words of the domain. No I/O, no proto, no SQL, no clock of its own.

mod calendar;
mod caller;
mod enterprise;
mod points;
mod revision;
mod star;
mod text;
mod time;
mod trust;
mod uscc;

pub use calendar::WorkingDays;
pub use caller::{Caller, Department, NotADepartment, Officer, Role};
pub use enterprise::{Code, Document, MalformedCode};
pub use points::{MalformedPoints, Points};
pub use revision::{Epoch, Log, MalformedToken, Position, Revision, Token};
pub use star::{RatingState, Standing, Star, StarOutOfRange};
pub use text::{LocalizedText, Said};
pub use time::{Clock, Date, MalformedDate, ManualClock, Month, Ratchet, SystemClock, Timestamp, shanghai};
pub use trust::Trust;
pub use uscc::{MalformedUscc, Uscc, Verdict};
