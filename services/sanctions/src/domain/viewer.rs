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

    /// How close this viewer is to a flag that it sees.
    pub fn sight(&self, flag: &Flag) -> Sight {
        match self {
            Viewer::Department(department) if flag.department == *department => Sight::Body,
            Viewer::Enterprise(uscc) if flag.identity.enterprise == *uscc => Sight::Firm,
            Viewer::Department(_) | Viewer::Enterprise(_) => Sight::Other,
        }
    }
}

/// How close a reader is to a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The department that raised it: officers are named to it alone, and only it learns of a correction, whose other
    /// end may be a proposal.
    Body,
    /// The firm that it is on: it knows of its appeal.
    Firm,
    /// Other departments, and whoever follows the log.
    Other,
}
