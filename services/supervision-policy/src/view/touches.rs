//! Who changed, for those who follow some enterprises. Unlike [`super::compared`] it is told after the change: whoever
//! hears of one sees it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use greenstar_kernel::Uscc;

/// Beyond so many it is everybody.
const MANY: usize = 100_000;

/// Since it was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Whose flags changed.
    pub(crate) flags: HashSet<Uscc>,
    /// Whose rating, or what else the register knows, changed.
    pub(crate) ratings: HashSet<Uscc>,
    /// Anybody may have.
    pub(crate) all: bool,
}

/// What one listener heard.
#[derive(Debug, Default)]
pub(crate) struct Touches(Mutex<Touched>);

impl Touches {
    /// What changed since the last call.
    pub(crate) fn take(&self) -> Touched {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// All of them; one that is dropped is forgotten.
#[derive(Debug, Default)]
pub(super) struct Listeners(Mutex<Vec<Weak<Touches>>>);

impl Listeners {
    pub(super) fn listen(&self) -> Arc<Touches> {
        let listener = Arc::new(Touches::default());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Arc::downgrade(&listener));
        listener
    }

    pub(super) fn tell(&self, note: impl Fn(&mut Touched)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|listener| {
            let Some(listener) = listener.upgrade() else {
                return false;
            };
            let mut touched = listener.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !touched.all {
                note(&mut touched);
            }
            if touched.all || touched.flags.len() + touched.ratings.len() > MANY {
                *touched = Touched {
                    all: true,
                    ..Touched::default()
                };
            }
            true
        });
    }
}
