//! What a flag makes due at every department: the restrictive measures of its matters that the flag carries.

use std::collections::BTreeSet;

use greenstar_kernel::{Code, Department, Timestamp};

use super::catalogue::{MeasureClass, MeasureEntry, Support};
use super::columns::Reading;
use super::decide::DecideError;
use super::facts::{Facts, Flag};
use super::matter::{Arguments, Matter};
use super::policy::Policy;

impl MeasureEntry {
    /// Of class 1 or 2 and not part of the ordinary regime: to be applied. Favours are a right of the firm's, and
    /// advice is left to who is advised.
    pub fn is_restrictive(&self) -> bool {
        match self.class {
            MeasureClass::Rights | MeasureClass::Management => !self.supports.contains(&Support::Always),
            MeasureClass::Favour | MeasureClass::Advice => false,
        }
    }
}

impl Matter {
    /// Measures, by position in the catalogue, that an answer of it may name.
    fn measures<'a>(&'a self, policy: &'a Policy) -> impl Iterator<Item = usize> + 'a {
        let outcomes = self.outcomes().iter();
        let named = outcomes.flat_map(|outcome| {
            let floor = outcome.floor.iter().map(|used| used.measure);
            outcome.carrier.into_iter().chain(floor)
        });
        let tables = self.table.iter().chain([&policy.baseline]);
        let rows = tables.flat_map(|table| table.rows().iter().chain(table.default_row()));
        named.chain(rows.flat_map(|row| row.measures.iter().map(|used| used.measure)))
    }
}

/// Departments and measures, each pair once and in order. Nothing if the flag is not in force at `as_of`.
///
/// # Errors
/// The flag's kind is unknown to the catalogue in use.
pub fn due_by_flag(
    policy: &Policy,
    flag: &Flag,
    as_of: Timestamp,
) -> Result<BTreeSet<(Department, Code)>, DecideError> {
    // The flag alone: what the standing carries is not its.
    let facts = Facts {
        flags: [flag.clone()].into(),
        ..Facts::unknown()
    };
    let arguments = Arguments::default();
    let mut due = BTreeSet::new();
    for matter in policy.matters() {
        let reading = Reading::of(&facts, &arguments, matter, &policy.catalogue, as_of)?;
        for position in matter.measures(policy) {
            let Some((entry, gate)) = policy.catalogue.measure(position) else {
                continue;
            };
            if entry.is_restrictive() && gate.pass(&reading).is_ok_and(|ground| !ground.flags.is_empty()) {
                due.insert((matter.department().clone(), entry.code.clone()));
            }
        }
    }
    Ok(due)
}
