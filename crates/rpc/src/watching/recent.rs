//! What an entry of the log becomes on the wire, made once for all who watch.

use std::sync::{Arc, Mutex, PoisonError};

use greenstar_kernel::Revision;
use greenstar_store::{Entry, StoreError};

/// Entries kept: watchers of the same moment are rarely further apart.
const KEPT: usize = 64;

/// The latest entries in another form. Clones share them.
#[derive(Debug)]
pub struct Recent<T>(Arc<Mutex<Vec<Option<Kept<T>>>>>);

#[derive(Debug)]
struct Kept<T> {
    /// The entry itself: after a restore another one has its revision.
    entry: Arc<Entry>,
    made: T,
}

impl<T> Clone for Recent<T> {
    fn clone(&self) -> Self {
        Recent(Arc::clone(&self.0))
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        let kept = std::iter::repeat_with(|| None).take(KEPT);
        Recent(Arc::new(Mutex::new(kept.collect())))
    }
}

impl<T: Clone> Recent<T> {
    /// What `make` made of this entry, now or before. A failure is not kept.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn of(
        &self,
        entry: &Arc<Entry>,
        make: impl FnOnce(&Entry) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let slot = slot(entry.revision);
        let known = {
            let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let same = kept.get(slot).and_then(Option::as_ref);
            same.filter(|kept| Arc::ptr_eq(&kept.entry, entry))
                .map(|kept| kept.made.clone())
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let made = make(entry)?;
        let kept = Kept {
            entry: Arc::clone(entry),
            made: made.clone(),
        };
        if let Some(slot) = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_mut(slot)
        {
            *slot = Some(kept);
        }
        Ok(made)
    }
}

fn slot(revision: Revision) -> usize {
    usize::try_from(revision.0 % KEPT as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use greenstar_kernel::Timestamp;

    use super::*;

    fn entry(revision: u64, body: &str) -> Arc<Entry> {
        Arc::new(Entry {
            revision: Revision(revision),
            batch: "batch".into(),
            at: Timestamp::from_micros(0),
            kind: "kind".to_owned(),
            enterprise: None,
            body: body.to_owned(),
            cause: None,
        })
    }

    #[test]
    fn an_entry_is_made_once_and_another_of_its_revision_or_slot_anew() {
        let recent = Recent::default();
        let of = |entry: &Arc<Entry>| {
            let mut made = false;
            let body = recent.of(entry, |entry| {
                made = true;
                Ok(entry.body.clone())
            });
            (body.unwrap(), made)
        };
        let first = entry(7, "one");
        assert_eq!(of(&first), ("one".to_owned(), true));
        assert_eq!(of(&first), ("one".to_owned(), false));
        // Another life of the database.
        let other = entry(7, "two");
        assert_eq!(of(&other), ("two".to_owned(), true));
        assert_eq!(of(&first), ("one".to_owned(), true));
        let far = entry(7 + KEPT as u64, "three");
        assert_eq!(of(&far), ("three".to_owned(), true));
        assert_eq!(of(&first), ("one".to_owned(), true));
    }

    #[test]
    fn a_failure_is_not_kept() {
        let recent: Recent<String> = Recent::default();
        let first = entry(1, "one");
        assert!(recent.of(&first, |_| Err(StoreError::corrupt("no"))).is_err());
        assert_eq!(recent.of(&first, |entry| Ok(entry.body.clone())).unwrap(), "one");
    }
}
