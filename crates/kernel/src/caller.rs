//! Who asks: a department's officer, an enterprise about itself, or a program of the suite (protocol.md §9).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Uscc;

/// A department's code, e.g. `licensing`. Departments are data, so any well-formed code is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Department(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a department's code is lower-case letters, digits and hyphens, at most 40: {0:?}")]
pub struct NotADepartment(pub String);

impl Department {
    pub fn parse(raw: &str) -> Result<Department, NotADepartment> {
        let fits = (1..=40).contains(&raw.len())
            && raw
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if fits {
            Ok(Department(raw.to_owned()))
        } else {
            Err(NotADepartment(raw.chars().take(48).collect()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Department {
    type Error = NotADepartment;

    fn try_from(raw: String) -> Result<Self, NotADepartment> {
        Department::parse(&raw)
    }
}

impl From<Department> for String {
    fn from(department: Department) -> String {
        department.0
    }
}

impl fmt::Display for Department {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One person of a department, e.g. `enforcement/2`. Two officers are the same person when their names are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Officer(pub String);

impl fmt::Display for Officer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a caller may do beyond asking; declared per method in the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An officer of a department: asks, proposes, decides.
    Officer,
    /// A program that follows a feed.
    Subscriber,
    /// Runs the suite.
    Operator,
}

/// The authenticated caller of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    Department {
        department: Department,
        officer: Officer,
        roles: Vec<Role>,
    },
    /// The firm's owner: sees what concerns this enterprise, and nothing else.
    Enterprise(Uscc),
    /// Nobody in particular: sees what is published.
    Public,
}

impl Caller {
    /// Names the principal in logs, records and request ids.
    pub fn principal(&self) -> String {
        match self {
            Caller::Department { officer, .. } => officer.0.clone(),
            Caller::Enterprise(uscc) => format!("enterprises/{uscc}"),
            Caller::Public => "public".to_owned(),
        }
    }

    pub fn officer(&self) -> Option<&Officer> {
        match self {
            Caller::Department { officer, .. } => Some(officer),
            Caller::Enterprise(_) | Caller::Public => None,
        }
    }

    pub fn department(&self) -> Option<&Department> {
        match self {
            Caller::Department { department, .. } => Some(department),
            Caller::Enterprise(_) | Caller::Public => None,
        }
    }
}
