//! Values that many rows share, each kept once: sectors, districts, schemes, causes of transitions.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// No value.
pub(super) const NONE: u16 = u16::MAX;
/// The value stands in the row's side, because the table is full.
pub(super) const ASIDE: u16 = u16::MAX - 1;
const CHUNK: usize = 256;

type Slot<T> = OnceLock<Arc<T>>;

/// Grows only. Readers take no lock.
#[derive(Debug)]
pub(super) struct Names<T: ?Sized> {
    chunks: Vec<OnceLock<Vec<Slot<T>>>>,
    known: Mutex<HashMap<Arc<T>, u16>>,
}

impl<T: ?Sized + Eq + Hash> Names<T> {
    pub(super) fn new() -> Names<T> {
        Names {
            chunks: (0..CHUNK).map(|_| OnceLock::new()).collect(),
            known: Mutex::default(),
        }
    }

    /// The number of a value, given once and for all; `None` when all numbers are taken.
    pub(super) fn number(&self, value: &Arc<T>) -> Option<u16> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known.get(value) {
            return Some(*number);
        }
        let number = u16::try_from(known.len()).ok().filter(|number| *number < ASIDE)?;
        let (chunk, at) = place(number);
        let chunk = self
            .chunks
            .get(chunk)?
            .get_or_init(|| (0..CHUNK).map(|_| OnceLock::new()).collect());
        chunk.get(at)?.get_or_init(|| value.clone());
        known.insert(value.clone(), number);
        Some(number)
    }

    /// Gives the value the next number; `None` if it has one, or there is none left.
    pub(super) fn add(&self, value: &Arc<T>) -> Option<u16> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let next = known.len();
        drop(known);
        self.number(value).filter(|number| usize::from(*number) == next)
    }

    /// All values, by number.
    pub(super) fn all(&self) -> Vec<&Arc<T>> {
        (0..NONE).map_while(|number| self.value(number)).collect()
    }

    pub(super) fn value(&self, number: u16) -> Option<&Arc<T>> {
        let (chunk, at) = place(number);
        self.chunks.get(chunk)?.get()?.get(at)?.get()
    }
}

fn place(number: u16) -> (usize, usize) {
    let number = usize::from(number);
    (number / CHUNK, number % CHUNK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_number_and_a_full_table_says_so() {
        let names = Names::<str>::new();
        for at in 0..u32::from(ASIDE) {
            assert_eq!(names.number(&at.to_string().into()).map(u32::from), Some(at));
        }
        assert_eq!(names.number(&"one too many".into()), None);
        assert_eq!(names.number(&"300".into()), Some(300));
        assert_eq!(names.value(300).map(|text| &**text), Some("300"));
        assert_eq!(names.value(NONE), None);
    }
}
