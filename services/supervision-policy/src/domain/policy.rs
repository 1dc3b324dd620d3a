//! One version of all policies: the baseline, the departments' matters and their tables, compiled
//! against one edition of the catalogue. Immutable: a change makes another, and no answer mixes two.

use std::sync::Arc;

use greenstar_kernel::{Code, Department};
use greenstar_tables::Table;
use serde::Deserialize;

use super::catalogue::Catalogue;
use super::document::{BASELINE, PolicySource};
use super::loader::Loader;
use super::matter::Matter;
pub use super::policy_error::{PolicyDefect, PolicyError, PolicyErrors};

/// One policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Where it comes from, for messages.
    pub name: String,
    /// YAML.
    pub text: String,
}

/// What a document holds, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyInfo {
    pub name: Code,
    pub version: u32,
    pub department: Department,
    /// `departments/{department}/matters/{matter}`
    pub matters: Vec<String>,
    pub rows: usize,
    pub source: Document,
}

/// All policies in force together.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) baseline: Table,
    matters: Vec<Matter>,
    infos: Vec<PolicyInfo>,
    baseline_version: String,
    version: String,
}

/// Names the rules by which tables are evaluated and outcomes composed; recorded with each decision.
/// 2: under manual review both answers join, with the rating and without it.
/// 3: events count to the end of their last day; what blocked a better outcome is decided again, not guessed by rows.
pub const EVALUATOR: &str = "3";

/// Whether this program evaluates a version as the rules say that it is pinned to. Whoever adds rules keeps the earlier
/// ones for the versions that were published under them.
pub fn evaluates(evaluator: &str) -> bool {
    evaluator == EVALUATOR
}

/// What a document says about whose it is; all that has to be readable before it is sound.
#[derive(Clone, Debug, Deserialize)]
pub struct Head {
    pub policy: Code,
    pub department: Department,
    /// As its author counts; what is published is counted by the log.
    pub version: u32,
}

impl Head {
    /// # Errors
    /// Not even this can be read.
    pub fn read(document: &Document) -> Result<Head, PolicyErrors> {
        parse(document)
    }
}

impl Policy {
    /// Reads and checks a bundle as a whole; each document is of the version that it says. All faults are named at
    /// once.
    pub fn load(documents: &[Document], catalogue: Arc<Catalogue>) -> Result<Policy, PolicyErrors> {
        Policy::of_versions(documents.iter().map(|document| (document, None)), catalogue)
    }

    /// As [`Policy::load`], of published versions: their numbers are the log's, whatever the documents say.
    pub fn of_versions<'a>(
        documents: impl IntoIterator<Item = (&'a Document, Option<u32>)>,
        catalogue: Arc<Catalogue>,
    ) -> Result<Policy, PolicyErrors> {
        let mut loader = Loader {
            catalogue: &catalogue,
            errors: Vec::new(),
            matters: Vec::new(),
            infos: Vec::new(),
        };
        let mut baseline = None;
        for (document, number) in documents {
            loader.document(document, number, &mut baseline);
        }
        if baseline.is_none() && loader.errors.is_empty() {
            loader.report("", PolicyDefect::NoBaseline);
        }
        let Loader {
            errors,
            matters,
            infos,
            ..
        } = loader;
        match baseline {
            Some((baseline, baseline_version)) if errors.is_empty() => {
                let versions: Vec<String> = infos
                    .iter()
                    .map(|info| format!("{}@{}", info.name, info.version))
                    .collect();
                let version = format!(
                    "{} catalogue@{} evaluator@{EVALUATOR}",
                    versions.join(" "),
                    catalogue.edition()
                );
                Ok(Policy {
                    catalogue,
                    baseline,
                    matters,
                    infos,
                    baseline_version,
                    version,
                })
            }
            Some(_) | None => Err(PolicyErrors(errors)),
        }
    }

    /// The bundle with one document put in the place of the one with the same policy name, or added.
    pub fn with(&self, document: &Document) -> Result<Policy, PolicyErrors> {
        self.with_version(document, None)
    }

    /// As [`Policy::with`], as the version `number` of its policy, whatever the document says.
    pub fn with_version(&self, document: &Document, number: Option<u32>) -> Result<Policy, PolicyErrors> {
        let name = read(document)?.policy;
        let kept = self.infos.iter().filter(|info| info.name != name);
        let kept = kept.map(|info| (&info.source, Some(info.version)));
        let documents = kept.chain(std::iter::once((document, number)));
        Policy::of_versions(documents, Arc::clone(&self.catalogue))
    }

    /// The same documents against another edition of the catalogue.
    pub fn under(&self, catalogue: Arc<Catalogue>) -> Result<Policy, PolicyErrors> {
        let documents = self.infos.iter().map(|info| (&info.source, Some(info.version)));
        Policy::of_versions(documents, catalogue)
    }

    /// Versions of all that decides, in one text.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `{policy}@{version}` of the baseline.
    pub fn baseline_version(&self) -> &str {
        &self.baseline_version
    }

    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    pub fn infos(&self) -> &[PolicyInfo] {
        &self.infos
    }

    pub fn matters(&self) -> &[Matter] {
        &self.matters
    }

    /// The name that a document gives its policy, if that much can be read.
    pub(crate) fn name_in(document: &Document) -> Option<Code> {
        read(document).ok().map(|source| source.policy)
    }

    /// Whether a document is a jurisdiction's baseline.
    pub(crate) fn is_baseline(document: &Document) -> bool {
        read(document).is_ok_and(|source| source.department.as_str() == BASELINE)
    }

    /// The document of a policy of this bundle, as it was read.
    pub(super) fn source_of(&self, name: &Code) -> Option<PolicySource> {
        let info = self.infos.iter().find(|info| info.name == *name)?;
        read(&info.source).ok()
    }

    /// The document that declares a matter.
    pub(super) fn source_for(&self, matter: &Matter) -> Option<PolicySource> {
        self.source_of(self.policy_of(matter)?)
    }

    pub(super) fn policy_of(&self, matter: &Matter) -> Option<&Code> {
        let name = matter.name();
        let info = self.infos.iter().find(|info| info.matters.contains(&name))?;
        Some(&info.name)
    }

    pub(super) fn baseline_source(&self) -> Option<PolicySource> {
        let info = self
            .infos
            .iter()
            .find(|info| info.department.as_str() == BASELINE)?;
        read(&info.source).ok()
    }

    pub fn matter(&self, department: &str, code: &str) -> Option<&Matter> {
        self.matters
            .iter()
            .find(|matter| matter.code.as_str() == code && matter.department.as_str() == department)
    }
}

pub(super) fn read(document: &Document) -> Result<PolicySource, PolicyErrors> {
    parse(document)
}

fn parse<T: serde::de::DeserializeOwned>(document: &Document) -> Result<T, PolicyErrors> {
    serde_yaml_ng::from_str(&document.text).map_err(|error| {
        let defect = PolicyDefect::Unreadable(error.to_string());
        PolicyErrors(vec![PolicyError {
            policy: document.name.clone(),
            defect,
        }])
    })
}
