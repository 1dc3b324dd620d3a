//! Who sees what of a flag (P11).

use greenstar_kernel::{Department, Uscc};

use super::flag::Flag;

/// Who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    Department(Department),
    /// The firm itself.
    Enterprise(Uscc),
}

impl Viewer {
    /// A flag that was never confirmed is its department's own business; a firm sees only its own.
    pub fn sees(&self, flag: &Flag) -> bool {
        match self {
            Viewer::Department(department) => flag.is_known() || flag.department == *department,
            Viewer::Enterprise(uscc) => flag.is_known() && flag.identity.enterprise == *uscc,
        }
    }

    /// A repair or an appeal is between the firm and the body that recognised the fault.
    pub fn sees_case(&self, enterprise: &Uscc, body: &Department) -> bool {
        match self {
            Viewer::Department(department) => department == body,
            Viewer::Enterprise(uscc) => uscc == enterprise,
        }
    }

    /// Officers are named to their own department only.
    pub fn sees_officers(&self, flag: &Flag) -> bool {
        match self {
            Viewer::Department(department) => flag.department == *department,
            Viewer::Enterprise(_) => false,
        }
    }
}
