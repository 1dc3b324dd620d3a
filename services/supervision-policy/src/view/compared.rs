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
    /// One more than [`Notes::replacements`] when it was last found to differ; 0: never.
    doubted: AtomicU64,
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

    /// A snapshot takes the place of all there is, by `replace`.
    pub(super) fn replaced(&self, replace: impl FnOnce()) {
        self.note(|touched| touched.replaced = true);
        replace();
        // Afterwards, so that whoever counts it sees the new rows.
        self.replacements.fetch_add(1, Ordering::AcqRel);
    }

    /// How often that was.
    pub(super) fn replacements(&self) -> u64 {
        self.replacements.load(Ordering::Acquire)
    }

    /// It was found to be other than its source.
    pub(super) fn differs(&self) {
        self.doubted.store(self.replacements() + 1, Ordering::Release);
        self.differed.fetch_add(1, Ordering::Relaxed);
    }

    /// It was, and no snapshot has taken its place since.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Acquire) == self.replacements() + 1
    }

    /// How often it was.
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
