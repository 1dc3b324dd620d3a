//! A policy as it is handed in, YAML or workbook, and where its faults lie in the form that its author sees.

use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::policy_content::Form;
use tonic::Status;

use super::status;
use crate::domain::policy::Document;
use crate::workbook::Places;

/// Where a policy that is only checked comes from, for messages.
pub(super) const SOURCE: &str = "source";

/// A policy that was handed in, as YAML whatever its form was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) document: Document,
    /// Cells of the workbook; of YAML it knows none.
    pub(super) places: Places,
}

/// Why a workbook is not even a document.
#[derive(Clone, Debug)]
pub(super) struct Unread {
    status: Status,
}

impl Unread {
    /// As findings of a report, all of them and in full.
    pub(super) fn findings(&self) -> Vec<pb::Finding> {
        Vec::new()
    }
}

/// All in one status, as many in full as a header carries.
impl From<Unread> for Status {
    fn from(unread: Unread) -> Status {
        unread.status
    }
}

/// Reads a content of the contract. The rule of its message makes sure that there is a form.
pub(super) fn of(content: Option<pb::PolicyContent>) -> Result<Content, Unread> {
    let form = content.and_then(|content| content.form);
    read(form.unwrap_or_else(|| Form::Source(String::new())))
}

/// Reads either form. A text is not looked at yet: whether it is a policy, its checker says.
pub(super) fn read(form: Form) -> Result<Content, Unread> {
    match form {
        Form::Source(text) => Ok(Content {
            document: Document {
                name: SOURCE.to_owned(),
                text,
            },
            places: Places::default(),
        }),
        Form::Workbook(_) => Err(Unread {
            status: status::not_ready(),
        }),
    }
}
