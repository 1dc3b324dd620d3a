//! What is needed to compare a half of the view with its source while both go on: which enterprises changed meanwhile.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use greenstar_kernel::Uscc;

/// A log of another service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    Rating,
    Sanctions,
}

/// Changes since a comparison began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) enterprises: HashSet<Uscc>,
    /// Something else changed, e.g. an edition of the catalogue.
    pub(crate) other: bool,
    /// A snapshot took the place of all there was.
    pub(crate) replaced: bool,
}

/// Notes changes while somebody compares.
#[derive(Debug, Default)]
pub(super) struct Notes {
    touched: Mutex<Option<Touched>>,
    replacements: AtomicU64,
    differed: AtomicU64,
}

impl Notes {
    pub(super) fn begin(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Some(Touched::default());
    }

    /// What was noted, and the end of noting.
    pub(super) fn end(&self) -> Touched {
        let noted = self.touched.lock().unwrap_or_else(PoisonError::into_inner).take();
        noted.unwrap_or_default()
    }

    /// A snapshot took the place of all there was.
    pub(super) fn replaced(&self) {
        self.replacements.fetch_add(1, Ordering::Release);
        self.note(|touched| touched.replaced = true);
    }

    /// How often that was.
    pub(super) fn replacements(&self) -> u64 {
        self.replacements.load(Ordering::Acquire)
    }

    /// It was found to be other than its source.
    pub(super) fn differs(&self) {
        self.differed.fetch_add(1, Ordering::Relaxed);
    }

    /// How often that was.
    pub(super) fn differed(&self) -> u64 {
        self.differed.load(Ordering::Relaxed)
    }

    /// Before the change is made, so that whoever sees it finds the note.
    pub(super) fn note(&self, note: impl FnOnce(&mut Touched)) {
        if let Some(touched) = self
            .touched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
        {
            note(touched);
        }
    }
}
