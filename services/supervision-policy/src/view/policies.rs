//! The policies in force, compiled against the catalogue in force. Both change rarely and are swapped as one,
//! so that no answer mixes two versions.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwapOption, Guard};
use greenstar_kernel::{Position, Timestamp};

use crate::domain::catalogue::Catalogue;
use crate::domain::policy::{Document, Policy};

/// A policy document and since when it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InForce {
    pub(crate) document: Document,
    pub(crate) effective_at: Timestamp,
}

/// What decisions are computed by.
#[derive(Debug)]
pub(crate) struct Ruling {
    /// Of the policy log.
    pub(crate) applied: Position,
    pub(crate) documents: Arc<[InForce]>,
    /// `None`: nothing could be compiled yet.
    pub(crate) policy: Option<Arc<Policy>>,
    /// False: `policy` is an earlier one, because what is in force now could not be compiled. It says
    /// which matters there are; it decides nothing (P10).
    pub(crate) sound: bool,
}

#[derive(Debug, Default)]
struct Inputs {
    documents: Option<(Position, Arc<[InForce]>)>,
    catalogue: Option<Arc<Catalogue>>,
}

#[derive(Debug)]
pub(super) struct Policies {
    ruling: ArcSwapOption<Ruling>,
    inputs: Mutex<Inputs>,
}

impl Policies {
    pub(super) fn new() -> Policies {
        Policies {
            ruling: ArcSwapOption::empty(),
            inputs: Mutex::default(),
        }
    }

    /// `None` before the policies were read.
    pub(super) fn read(&self) -> Guard<Option<Arc<Ruling>>> {
        self.ruling.load()
    }

    pub(super) fn put_documents(&self, at: Position, documents: Arc<[InForce]>) {
        self.change(|inputs| inputs.documents = Some((at, documents)));
    }

    /// `None`: the edition in force cannot be read.
    pub(super) fn put_catalogue(&self, catalogue: Option<Arc<Catalogue>>) {
        self.change(|inputs| inputs.catalogue = catalogue);
    }

    fn change(&self, change: impl FnOnce(&mut Inputs)) {
        let mut inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut inputs);
        let Some((applied, in_force)) = inputs.documents.clone() else {
            return;
        };
        let before = self.ruling.load_full();
        let compiled = inputs
            .catalogue
            .clone()
            .and_then(|catalogue| compile(&in_force, catalogue));
        let sound = compiled.is_some();
        let policy = compiled.or_else(|| before.and_then(|before| before.policy.clone()));
        self.ruling.store(Some(Arc::new(Ruling {
            applied,
            documents: in_force,
            policy,
            sound,
        })));
    }
}

fn compile(in_force: &[InForce], catalogue: Arc<Catalogue>) -> Option<Arc<Policy>> {
    let documents: Vec<Document> = in_force.iter().map(|policy| policy.document.clone()).collect();
    let edition = catalogue.edition().to_owned();
    match Policy::load(&documents, catalogue) {
        Ok(policy) => Some(Arc::new(policy)),
        Err(errors) => {
            tracing::error!(%errors, edition, "the policies in force do not fit the catalogue in force; decisions go to manual review");
            None
        }
    }
}
