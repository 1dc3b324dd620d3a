//! Policies checked as files, without a service: for the repository of a department. What is said is what the service
//! would say.

use std::sync::Arc;

use greenstar_kernel::{LocalizedText, Said as _, Timestamp};
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::policy_content::Form;
use tonic::Status;

use super::content::{self, Content};
use super::{checking, findings, policies};
use crate::domain::analysis::diff::differences;
use crate::domain::analysis::{Examination, examine};
use crate::domain::catalogue::Catalogue;
use crate::domain::policy::{Document, Policy, PolicyErrors};
use crate::domain::shipped;
use crate::workbook::Places;

/// A policy as a file has it.
#[derive(Clone, Debug)]
pub struct File {
    /// For messages.
    pub name: String,
    pub form: Form,
}

/// What was found about one file.
#[derive(Clone, Debug)]
pub struct Report {
    pub file: String,
    pub findings: Vec<pb::Finding>,
    pub cases: Vec<pb::CaseResult>,
    pub coverage: Option<pb::Coverage>,
}

impl Report {
    fn of_findings(file: &str, findings: Vec<pb::Finding>) -> Report {
        Report {
            file: file.to_owned(),
            findings,
            cases: Vec::new(),
            coverage: None,
        }
    }

    /// Whether nothing stands in the way of publishing.
    pub fn is_sound(&self) -> bool {
        !self.findings.iter().any(|finding| finding.fault)
    }
}

/// Checks files as one bundle under a catalogue, in the form in which the sanctions service ships it, as of an instant.
/// Where none of them is the baseline, the shipped one is.
///
/// # Errors
/// The catalogue cannot be read, or the shipped baseline does not fit it.
pub fn check(files: &[File], catalogue: &str, at: Timestamp) -> Result<Vec<Report>, LocalizedText> {
    let catalogue = Catalogue::from_yaml(catalogue).map_err(|errors| errors.said())?;
    let mut reports = Vec::new();
    let mut read: Vec<(Document, Places)> = Vec::new();
    for file in files {
        match content::read(file.form.clone()) {
            Ok(Content { mut document, places }) => {
                document.name.clone_from(&file.name);
                read.push((document, places));
            }
            Err(unread) => reports.push(Report::of_findings(&file.name, unread.findings())),
        }
    }
    let catalogue = Arc::new(catalogue);
    let policy = loop {
        let documents = with_baseline(read.iter().map(|(document, _)| document.clone()).collect());
        let PolicyErrors(errors) = match Policy::load(&documents, Arc::clone(&catalogue)) {
            Ok(policy) => break policy,
            Err(errors) => errors,
        };
        // A fault belongs to the file whose policy it names, one of the bundle to each. The others are checked without.
        let before = read.len();
        read.retain(|(document, places)| {
            let name = Policy::name_in(document);
            let own = errors.iter().filter(|error| match &name {
                Some(name) => error.policy.is_empty() || error.policy == name.as_str(),
                None => error.policy == document.name,
            });
            let found: Vec<pb::Finding> = own.map(|error| findings::of_error(error, places)).collect();
            let sound = found.is_empty();
            if !sound {
                reports.push(Report::of_findings(&document.name, found));
            }
            sound
        });
        if read.len() == before {
            // The shipped baseline does not fit the catalogue.
            return Err(PolicyErrors(errors).said());
        }
    };
    for (document, places) in &read {
        let info = policy.infos().iter().find(|info| info.source == *document);
        let Some(info) = info else {
            continue;
        };
        let Examination {
            findings: found,
            cases,
            coverage,
        } = examine(&policy, &info.name, None, at);
        reports.push(Report {
            file: document.name.clone(),
            findings: found
                .iter()
                .map(|finding| findings::of(finding, places))
                .collect(),
            cases: cases.iter().map(findings::case).collect(),
            coverage: Some(findings::coverage(&coverage)),
        });
    }
    let position = |report: &Report| files.iter().position(|file| file.name == report.file);
    reports.sort_by_key(position);
    Ok(reports)
}

/// Compares two files of a policy, each with the baseline.
///
/// # Errors
/// One of them, or the catalogue, cannot be read, as the service would say it.
pub fn compare(
    from: File,
    to: File,
    baseline: Option<File>,
    catalogue: &str,
    at: Timestamp,
) -> Result<pb::DiffPoliciesResponse, Status> {
    let catalogue = Catalogue::from_yaml(catalogue).map_err(|errors| checking::catalogue_unread(&errors))?;
    let catalogue = Arc::new(catalogue);
    let baseline = baseline.map(|file| content::read(file.form)).transpose()?;
    let load = |file: File| {
        let document = content::read(file.form)?.document;
        let others = baseline.iter().map(|content| content.document.clone());
        let documents = with_baseline(others.chain([document.clone()]).collect());
        let policy = Policy::load(&documents, Arc::clone(&catalogue));
        let policy = policy.map_err(|errors| policies::faults(&errors))?;
        let name = checking::name_of(&policy, &document).map_err(|errors| policies::faults(&errors))?;
        Ok::<_, Status>((policy, name))
    };
    let (old, new) = (load(from)?, load(to)?);
    checking::told(differences((&old.0, &old.1), (&new.0, &new.1), at))
}

/// The shipped baseline joins where there is none.
fn with_baseline(mut documents: Vec<Document>) -> Vec<Document> {
    if !documents.iter().any(Policy::is_baseline) {
        documents.extend(shipped::documents().into_iter().find(Policy::is_baseline));
    }
    documents
}
