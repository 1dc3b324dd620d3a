//! Whom a policy would hit.

mod candidate;
mod convert;
mod recorded;
mod shadow;
mod simulate;

pub(super) use shadow::{list_shadow_differences, start_shadow, stop_shadow};
pub(super) use simulate::{SimulatePolicyStream, simulate_policy};

use greenstar_kernel::{Caller, Role};

use super::decisions::RATING;

/// The department that owns the floor of all others.
const BASELINE: &str = "baseline";

/// Whom the caller may be told of by name: those about whom its department decides.
#[derive(Clone, Debug)]
enum Sees {
    /// Matters of the department of this code.
    Own(String),
    All,
}

impl Sees {
    fn of(caller: &Caller) -> Sees {
        match caller {
            Caller::Department {
                department, roles, ..
            } => {
                let department_of_all = [RATING, BASELINE].contains(&department.as_str());
                if department_of_all || roles.contains(&Role::Operator) {
                    Sees::All
                } else {
                    Sees::Own(department.to_string())
                }
            }
            Caller::Enterprise(_) | Caller::Public => Sees::Own(String::new()),
        }
    }

    /// Whether every enterprise may be named.
    fn all(&self) -> bool {
        match self {
            Sees::Own(_) => false,
            Sees::All => true,
        }
    }

    fn department(&self, department: &str) -> bool {
        match self {
            Sees::Own(own) => own == department,
            Sees::All => true,
        }
    }

    /// `departments/{department}/matters/{matter}`
    fn matter(&self, name: &str) -> bool {
        let department = name
            .strip_prefix("departments/")
            .and_then(|rest| rest.split('/').next());
        department.is_some_and(|department| self.department(department))
    }
}
