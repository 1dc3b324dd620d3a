//! Editions of the law: an edition never changes, and never makes the past another one.

use std::sync::Arc;

use greenstar_kernel::{Code, Date, Timestamp};

use super::Ledger;
use crate::domain::catalogue::{Catalogue, InForce};
use crate::domain::refusal::Refusal;

impl Ledger {
    /// Brings an edition into force if its number is higher than that of the newest: at once, or together with the
    /// newest if that is still to come. Not if it misses a kind of the newest: its flags could not be judged.
    pub fn enact(&mut self, catalogue: &Catalogue, now: Timestamp) -> Option<Arc<InForce>> {
        let newest = self.law.newest();
        if newest.is_some_and(|newest| catalogue.edition() <= newest.catalogue.edition()) {
            return None;
        }
        if !self.dropped(catalogue).is_empty() {
            return None;
        }
        let since = newest.map_or(now, |newest| newest.since.max(now));
        Some(self.put_in_force(catalogue, since))
    }

    /// Enacts an edition from 00:00 Asia/Shanghai of a day on; `None`, or today: at once.
    ///
    /// # Errors
    /// [`Refusal::EditionExists`] for a number that is not higher than the newest, [`Refusal::EditionNotAllowed`] for a
    /// day that lies in the past or before an edition to come, [`Refusal::KindsDropped`] if it misses a kind of the
    /// newest.
    pub fn create_edition(
        &mut self,
        catalogue: &Catalogue,
        effective: Option<Date>,
        now: Timestamp,
    ) -> Result<Arc<InForce>, Refusal> {
        let edition = *catalogue.edition();
        let since = effective.map_or(now, |day| day.start().max(now));
        if let Some(newest) = self.law.newest() {
            let newest_edition = *newest.catalogue.edition();
            if edition <= newest_edition {
                return Err(Refusal::EditionExists {
                    edition,
                    newest: newest_edition,
                });
            }
            if since < newest.since {
                return Err(Refusal::EditionNotAllowed {
                    edition,
                    effective: since.date(),
                    earliest: newest.since.date(),
                });
            }
        }
        let today = now.date();
        if let Some(day) = effective.filter(|day| *day < today) {
            return Err(Refusal::EditionNotAllowed {
                edition,
                effective: day,
                earliest: today,
            });
        }
        let kinds = self.dropped(catalogue);
        if !kinds.is_empty() {
            return Err(Refusal::KindsDropped { edition, kinds });
        }
        Ok(self.put_in_force(catalogue, since))
    }

    /// Kinds of the newest edition that this one misses. Flags of them may stand, or come until it takes effect.
    fn dropped(&self, catalogue: &Catalogue) -> Vec<Code> {
        let newest = self.law.newest();
        let kinds = newest
            .into_iter()
            .flat_map(|law| &law.catalogue.parts().flag_kinds);
        kinds
            .map(|kind| &kind.code)
            .filter(|code| catalogue.kind(code).is_none())
            .cloned()
            .collect()
    }

    fn put_in_force(&mut self, catalogue: &Catalogue, since: Timestamp) -> Arc<InForce> {
        let edition = Arc::new(InForce {
            catalogue: catalogue.clone(),
            since,
        });
        self.law.append(edition.clone());
        edition
    }
}
