//! What a recorded decision was made by: the versions that it names and no others.

use std::sync::Arc;

use greenstar_kernel::{LocalizedText, Timestamp};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::supervision::v1 as pb;
use greenstar_rpc::{fault, names};
use serde_json::Value;
use tonic::{Code, Status};

use super::convert;
use super::desk::{Desk, Sound, handled};
use super::status;
use crate::domain::catalogue::Catalogue;
use crate::domain::dossier::{self, Beside, Nearness};
use crate::domain::facts::Facts;
use crate::domain::matter::{Arguments, Handling, Matter};
use crate::domain::policy::{Policy, evaluates};
use crate::domain::replay;
use crate::follow::{catalogue, wire};
use crate::store::retold::{self, Numbered};

/// What this replica has of the versions that a record names.
#[derive(Debug)]
pub(super) struct Sources {
    /// The department's policy; `None` where it has no table, or the version is not here.
    table: Option<Numbered>,
    baseline: Option<Numbered>,
    catalogue: Option<Arc<Catalogue>>,
    /// Where the department has no table: all policies in force at that instant, one of which declares the matter.
    others: Vec<Numbered>,
}

impl Sources {
    pub(super) async fn find(desk: &Desk, decision: &pb::Decision) -> Result<Sources, Status> {
        let versions = decision.versions.clone().unwrap_or_default();
        let mut tx = desk
            .database
            .read()
            .await
            .map_err(|error| status::store(&error))?;
        let mut found = Vec::with_capacity(2);
        for tag in [&versions.table, &versions.baseline] {
            found.push(match version(tag) {
                Some((name, number)) => {
                    let policy = retold::policy(&mut tx, name, number).await;
                    policy.map_err(|error| status::store(&error))?
                }
                None => None,
            });
        }
        let baseline = found.pop().flatten();
        let table = found.pop().flatten();
        let others = if versions.table.is_empty() {
            let in_force = retold::policies_at(&mut tx, as_of(decision)).await;
            let mut in_force = in_force.map_err(|error| status::store(&error))?;
            in_force.retain(|(other, _)| {
                baseline
                    .as_ref()
                    .is_none_or(|(baseline, _)| baseline.name != other.name)
            });
            in_force
        } else {
            Vec::new()
        };
        let kept = retold::edition(&mut tx, &versions.catalogue).await;
        let kept = kept.map_err(|error| status::store(&error))?;
        let name = format!("catalogues/{}", versions.catalogue);
        let edition = match kept.and_then(|source| catalogue::again(&source)) {
            Some(edition) => Some(edition),
            None => desk
                .view
                .editions()
                .into_iter()
                .find(|known| *known.name == *name),
        };
        Ok(Sources {
            table,
            baseline,
            catalogue: edition.and_then(|edition| edition.catalogue),
            others,
        })
    }

    /// Of the department's policy and of the baseline; empty where they are not here.
    pub(super) fn texts(&self) -> (String, String) {
        let text = |numbered: &Option<Numbered>| {
            let text = numbered.as_ref().map(|(document, _)| document.text.clone());
            text.unwrap_or_default()
        };
        (text(&self.table), text(&self.baseline))
    }
}

/// `{policy}@{version}`
fn version(tag: &str) -> Option<(&str, u32)> {
    let (name, number) = tag.rsplit_once('@')?;
    Some((name, number.parse().ok()?))
}

fn as_of(decision: &pb::Decision) -> Timestamp {
    decision
        .as_of_time
        .as_ref()
        .map_or(Timestamp::default(), wire::instant)
}

/// A recorded decision, ready to be made again.
#[derive(Debug)]
pub(super) struct Case {
    policy: Policy,
    matter: Matter,
    facts: Facts,
    /// The same as if it had never been rated.
    unrated: Facts,
    arguments: Arguments,
    as_of: Timestamp,
    handling: Handling,
    /// Whether the policies in force fitted the catalogue in force.
    fits: bool,
}

impl Case {
    /// Takes long: not for an async thread.
    ///
    /// Errors: FAILED_PRECONDITION REPLAY_VERSION_UNKNOWN, naming the first version that is not here.
    pub(super) fn of(sources: Sources, decision: &pb::Decision) -> Result<Case, Status> {
        let versions = decision
            .versions
            .as_ref()
            .ok_or_else(|| status::damaged(&status::Damaged))?;
        let Sources {
            table,
            baseline,
            catalogue,
            others,
        } = sources;
        if !evaluates(&versions.evaluator) {
            return Err(unknown(&format!("evaluator@{}", versions.evaluator)));
        }
        let baseline = baseline.ok_or_else(|| unknown(&versions.baseline))?;
        let mut documents = vec![baseline];
        if versions.table.is_empty() {
            documents.extend(others);
        } else {
            documents.push(table.ok_or_else(|| unknown(&versions.table))?);
        }
        let catalogue = catalogue.ok_or_else(|| unknown(&format!("catalogues/{}", versions.catalogue)))?;
        let numbered = documents
            .iter()
            .map(|(document, number)| (document, Some(*number)));
        let policy = Policy::of_versions(numbered, catalogue).map_err(|error| {
            let said = LocalizedText::new(
                "作出该决定时所依据的政策在本版本软件中无法编译；请联系运维人员",
                "the policies that the decision was made by cannot be compiled by this program; call the operator",
            );
            fault(Code::Internal, ErrorReason::Internal, &said, &error)
        })?;
        if policy.baseline_version() != versions.baseline {
            return Err(unknown(&versions.baseline));
        }
        let (department, code) = names::matter("matter", &decision.matter)?;
        let matter = policy.matter(department.as_str(), code.as_str()).cloned();
        let declared = match versions.table.as_str() {
            "" => &decision.matter,
            table => table,
        };
        let matter = matter.ok_or_else(|| unknown(declared))?;
        if !versions.table.is_empty() && matter.policy() != versions.table {
            return Err(unknown(&versions.table));
        }
        let facts: Facts = serde_json::from_str(&decision.facts).map_err(|error| status::damaged(&error))?;
        let given = decision.arguments.iter();
        let given = given.map(|(name, value)| (name.as_str(), value.as_str()));
        let arguments = matter
            .recorded_arguments(given)
            .map_err(|error| status::damaged(&error))?;
        let handling = match decision.handling() {
            pb::Handling::Fresh => Handling::Fresh,
            pb::Handling::ManualReview => Handling::ManualReview,
            pb::Handling::Caveat => Handling::Caveat,
            pb::Handling::Unspecified => return Err(status::damaged(&status::Damaged)),
        };
        Ok(Case {
            policy,
            matter,
            unrated: facts.unrated(),
            facts,
            arguments,
            as_of: as_of(decision),
            handling,
            fits: !decision.policies_unfit,
        })
    }

    /// What comes out otherwise than it was recorded.
    pub(super) fn differences(&self, recorded: &pb::Decision) -> Result<Vec<pb::ReplayDifference>, Status> {
        let facts = (&self.facts, &self.unrated);
        let again = replay::again(
            &self.policy,
            &self.matter,
            facts,
            &self.arguments,
            self.as_of,
            self.handling,
        );
        let mut again = convert::decided(&again.map_err(|error| status::undecided(&error))?);
        let sound = Sound::of(&self.facts, &self.policy, self.fits, self.as_of);
        again
            .reasons
            .extend(handled(self.handling, sound).map(convert::staleness));
        again.manual_review = self.handling == Handling::ManualReview;
        let recorded = recorded.clone();
        let recorded = pb::Decision {
            outcome: recorded.outcome,
            measures: recorded.measures,
            reasons: recorded.reasons,
            star: recorded.star,
            state: recorded.state,
            known: recorded.known,
            flags: recorded.flags,
            manual_review: recorded.manual_review,
            ..pb::Decision::default()
        };
        let differences = replay::differences(&json(&recorded)?, &json(&again)?);
        let told = differences.into_iter().map(|difference| pb::ReplayDifference {
            field: difference.field,
            recorded: difference.recorded,
            replayed: difference.replayed,
        });
        Ok(told.collect())
    }

    /// Rows of the department's table and of the baseline. `whole`: also what says why a firm has no star.
    pub(super) fn rows(&self, whole: bool) -> Result<(Vec<pb::DossierRow>, Vec<pb::DossierRow>), Status> {
        let unrated = match self.handling {
            Handling::Fresh | Handling::Caveat => None,
            Handling::ManualReview => Some(&self.unrated),
        };
        let rows = dossier::rows(
            &self.policy,
            &self.matter,
            &self.facts,
            unrated,
            &self.arguments,
            self.as_of,
        );
        let rows = rows.map_err(|error| status::undecided(&error))?;
        let told = |rows: Vec<Beside<'_>>| rows.into_iter().map(|row| self.row(row, whole)).collect();
        Ok((told(rows.table), told(rows.baseline)))
    }

    fn row(&self, beside: Beside<'_>, whole: bool) -> pb::DossierRow {
        let (nearness, unmet) = match beside.nearness {
            Nearness::Decided => (pb::Nearness::Decided, None),
            Nearness::Preceded => (pb::Nearness::Preceded, None),
            Nearness::Nearly(unmet) => {
                let shown = whole || unmet.is_no_reason_for_a_missing_star(&self.matter);
                let unmet = pb::UnmetCondition {
                    column: unmet.column,
                    wanted: unmet.wanted,
                    found: if shown { unmet.found } else { String::new() },
                };
                (pb::Nearness::Nearly, Some(unmet))
            }
        };
        pb::DossierRow {
            row: u32::try_from(beside.number).unwrap_or(u32::MAX),
            nearness: nearness.into(),
            reason: Some(convert::text(&beside.row.reason)),
            outcome: beside.outcome.to_owned(),
            unmet: unmet.into_iter().collect(),
        }
    }
}

fn unknown(version: &str) -> Status {
    status::replay_version_unknown(version)
}

fn json(decision: &pb::Decision) -> Result<Value, Status> {
    serde_json::to_value(decision).map_err(|error| status::damaged(&error))
}
