//! How many streams are open at once, and whose.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Places for streams. No principal has more than half of them, so that none can keep all others out.
#[derive(Debug)]
pub(crate) struct Room {
    places: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by: HashMap<String, usize>,
}

/// A place of a principal, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    taken: Arc<Mutex<Taken>>,
    principal: String,
}

impl Room {
    pub(crate) fn new(places: usize) -> Room {
        Room {
            places,
            taken: Arc::default(),
        }
    }

    /// None: there is no room, or not for this principal.
    pub(crate) fn enter(&self, principal: String) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.by.get(&principal).copied().unwrap_or_default();
        if taken.all >= self.places || own >= self.places.div_ceil(2) {
            return None;
        }
        taken.all += 1;
        taken.by.insert(principal.clone(), own + 1);
        Some(Place {
            taken: Arc::clone(&self.taken),
            principal,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        match taken.by.get_mut(&self.principal) {
            Some(own) if *own > 1 => *own -= 1,
            Some(_) | None => {
                taken.by.remove(&self.principal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_more_than_half_and_a_place_is_free_once_it_is_left() {
        let room = Room::new(4);
        let enter = |principal: &str| room.enter(principal.to_owned());
        let (first, second) = (enter("licensing"), enter("licensing"));
        assert!(first.is_some() && second.is_some());
        assert!(enter("licensing").is_none(), "half is taken");
        drop(first);
        let again = enter("licensing");
        assert!(again.is_some());
        let others = [enter("finance"), enter("finance/2")];
        assert!(others.iter().all(Option::is_some));
        assert!(enter("enforcement").is_none(), "it is full");
        drop((second, again, others));
        assert!(room.taken.lock().unwrap().by.is_empty());
    }
}
