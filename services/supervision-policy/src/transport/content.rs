//! A policy as it is handed in, YAML or workbook, and where its faults lie in the form that its author sees.

use greenstar_kernel::{LocalizedText, Said as _};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::policy_content::Form;
use greenstar_tables::Defect;
use tonic::Status;

use super::convert::text;
use super::{findings, status};
use crate::domain::document::PolicySource;
use crate::domain::policy::{Document, Policy, PolicyDefect, PolicyErrors};
use crate::workbook::{self, Places, SheetFault, SheetTrouble, from_workbook};

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
    sheets: workbook::Unread,
    /// Cells that can be read and mean nothing, as `table!C7`.
    cells: Vec<(String, ErrorReason, LocalizedText)>,
}

impl Unread {
    /// Looks at the cells of what could be read too, so that everything is mended at once.
    pub(super) fn checked(mut self, in_force: &Policy) -> Unread {
        let Some((source, places)) = self.sheets.partial.as_deref() else {
            return self;
        };
        let Ok(document) = document(source) else {
            return self;
        };
        let errors = match in_force.with(&document) {
            Ok(_) => return self,
            Err(PolicyErrors(errors)) => errors,
        };
        let outcomes_whole = self.sheets.outcomes_whole;
        let cells = errors.iter().filter_map(|error| {
            let PolicyDefect::Table(table) = &error.defect else {
                return None;
            };
            // Whatever else is wrong may come from what could not be read.
            let of_the_cell = matches!(
                table.defect,
                Defect::Cell(_)
                    | Defect::Parameter { .. }
                    | Defect::NoParameter(_)
                    | Defect::UnknownMeasure(_)
                    | Defect::MeasureWithoutBasis
                    | Defect::ReasonMissing
            ) || (outcomes_whole && matches!(table.defect, Defect::UnknownOutcome { .. }));
            let place = places.of(table)?;
            of_the_cell.then(|| (place.to_owned(), findings::reason(&error.defect), table.said()))
        });
        self.cells = cells
            // A cell that could not be read is empty here.
            .filter(|(place, ..)| {
                self.sheets
                    .faults
                    .iter()
                    .all(|fault| fault.place.to_string() != *place)
            })
            .collect();
        self
    }

    /// As findings of a report, all of them and in full.
    pub(super) fn findings(&self) -> Vec<pb::Finding> {
        let finding = |(place, reason, said): (String, ErrorReason, LocalizedText)| pb::Finding {
            kind: pb::FindingKind::Malformed.into(),
            fault: true,
            reason: reason
                .as_str_name()
                .trim_start_matches("ERROR_REASON_")
                .to_owned(),
            text: Some(text(&said)),
            place,
            ..pb::Finding::default()
        };
        self.all().into_iter().map(finding).collect()
    }

    /// What is never read comes first: it is the reason of the refusal.
    fn all(&self) -> Vec<(String, ErrorReason, LocalizedText)> {
        let mut all: Vec<_> = self.faults().into_iter().map(told).collect();
        let cell = |(place, reason, said): &(String, ErrorReason, LocalizedText)| {
            let with_place =
                LocalizedText::new(format!("{place}：{}", said.zh), format!("{place}: {}", said.en));
            (place.clone(), *reason, with_place)
        };
        all.extend(self.cells.iter().map(cell));
        all
    }

    fn faults(&self) -> Vec<&SheetFault> {
        let mut faults: Vec<&SheetFault> = self.sheets.faults.iter().collect();
        faults.sort_by_key(|fault| !fault.what.is_unsafe());
        faults
    }
}

fn told(fault: &SheetFault) -> (String, ErrorReason, LocalizedText) {
    let reason = if fault.what.is_unsafe() {
        ErrorReason::WorkbookUnsafe
    } else {
        ErrorReason::WorkbookMalformed
    };
    let place = match fault.place.to_string() {
        place if place.is_empty() => "workbook".to_owned(),
        place => place,
    };
    (place, reason, fault.said())
}

impl From<Unread> for Status {
    fn from(unread: Unread) -> Status {
        let first = unread.faults().first().map(|fault| fault.place.clone());
        let metadata = first.map(|place| {
            [
                ("sheet", place.sheet_name().to_owned()),
                ("cell", place.cell_name()),
            ]
        });
        let metadata: Vec<(&str, String)> = metadata
            .into_iter()
            .flatten()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        status::several(unread.all(), &metadata)
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
        Form::Workbook(bytes) => {
            let unread = |sheets| Unread {
                sheets,
                cells: Vec::new(),
            };
            let (source, places) = from_workbook(&bytes).map_err(unread)?;
            let document = document(&source).map_err(|why| {
                let file = greenstar_workbook::Trouble::Damaged(why);
                unread(workbook::Unread {
                    faults: vec![SheetFault {
                        place: greenstar_workbook::Place::Book,
                        what: SheetTrouble::File(file),
                    }],
                    partial: None,
                    outcomes_whole: false,
                })
            })?;
            Ok(Content { document, places })
        }
    }
}

fn document(source: &PolicySource) -> Result<Document, String> {
    Ok(Document {
        name: SOURCE.to_owned(),
        text: source.to_yaml()?,
    })
}
