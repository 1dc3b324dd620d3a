//! Rounds: one evaluation cycle of a cohort, from enrolment to the published directory.

use std::collections::BTreeMap;

use greenstar_kernel::{Code, Department, LocalizedText, Officer, Standing, Star, Timestamp, Uscc};
use serde::{Deserialize, Serialize};

use super::course::{Course, Limit, LossNotice, Returned, Vote};
use super::enterprise::{District, Sector, uscc_text};
use super::event::Evidence;
use super::scheme::SchemeKey;
use super::score::{Award, Grant};

/// Enterprises that one round takes. Publishing scores and writes all of them in one joined transaction and tells
/// followers in one frame, so this bounds the lock and the frame (docs/adr/0010-rounds-are-small-for-now.md).
pub const MAX_ENROLLED: u32 = 2_000;

/// How far a round is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RoundState {
    /// Enterprises are enrolled.
    Draft,
    /// Enterprises declare.
    Declaring,
    /// Officers verify.
    Verifying,
    /// The public may comment.
    PublicComment,
    /// Member departments deliberate.
    Deliberation,
    /// The government decides.
    GovApproval,
    /// The directory is out.
    Published,
    /// Given up.
    Withdrawn,
}

impl RoundState {
    /// In the order of the procedure.
    pub const ALL: [RoundState; 8] = [
        RoundState::Draft,
        RoundState::Declaring,
        RoundState::Verifying,
        RoundState::PublicComment,
        RoundState::Deliberation,
        RoundState::GovApproval,
        RoundState::Published,
        RoundState::Withdrawn,
    ];

    /// As stored and as the scheme names it.
    pub fn as_str(self) -> &'static str {
        match self {
            RoundState::Draft => "DRAFT",
            RoundState::Declaring => "DECLARING",
            RoundState::Verifying => "VERIFYING",
            RoundState::PublicComment => "PUBLIC_COMMENT",
            RoundState::Deliberation => "DELIBERATION",
            RoundState::GovApproval => "GOV_APPROVAL",
            RoundState::Published => "PUBLISHED",
            RoundState::Withdrawn => "WITHDRAWN",
        }
    }

    /// The reverse of [`RoundState::as_str`].
    pub fn parse(raw: &str) -> Option<RoundState> {
        RoundState::ALL.into_iter().find(|state| state.as_str() == raw)
    }
}

/// A round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Its id.
    pub id: Code,
    /// Its title.
    pub title: LocalizedText,
    /// The scheme that it rates by.
    pub scheme: SchemeKey,
    /// How far it is.
    pub state: RoundState,
    /// When it was begun.
    pub created_at: Timestamp,
    /// How many take part.
    pub enrolled: u32,
    /// What publishing added.
    pub publication: Option<Publication>,
    /// What lay between.
    #[serde(default)]
    pub course: Box<Course>,
}

/// The end of a round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// When the directory was published.
    pub at: Timestamp,
    /// When the ratings of the round end.
    pub valid_until: Timestamp,
    /// Record of the government's approval.
    pub approval: String,
    /// How many have each star, highest first. Who is not listed is not counted.
    pub listed: Vec<(Star, u32)>,
}

/// An enterprise's part in a round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// What it declared, if it did.
    pub declaration: Option<Declaration>,
    /// It was sent back and is not in again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<Returned>,
    /// What it was told that it would lose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<LossNotice>,
    /// What the public is shown, and what members deliberate on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<Standing>,
    /// A department each; those that confirm everyone are in the round.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub votes: BTreeMap<Department, Vote>,
    /// What deliberation decided, if it lowered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowered: Option<Limit>,
}

/// What an enterprise says of the scheme's items, and what officers found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declaration {
    /// Who handed it in: an officer's name or `enterprises/{uscc}`.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// One an item.
    pub claims: Vec<Claim>,
    /// By item.
    pub verdicts: BTreeMap<Code, Verdict>,
}

/// What an enterprise says of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The item.
    pub item: Code,
    /// Points or conditions claimed.
    pub grant: Grant,
    /// What proves it.
    pub evidence: Vec<Evidence>,
}

/// What an officer found of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Points or conditions awarded.
    pub grant: Grant,
    /// Why it differs from the claim.
    pub note: String,
    /// Who found it.
    pub by: Officer,
    /// The second officer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<Officer>,
}

impl Declaration {
    /// What counts: claims with a verdict; where the scheme asks for a second officer, with a confirmed one.
    pub fn awards(&self, second_officer: bool) -> Vec<Award> {
        self.claims
            .iter()
            .filter_map(|claim| {
                let verdict = self.verdicts.get(&claim.item)?;
                let stands = !second_officer || verdict.confirmed_by.is_some();
                stands.then(|| Award {
                    item: claim.item.clone(),
                    grant: verdict.grant.clone(),
                    claimed: claim.grant.clone(),
                    evidence: claim.evidence.clone(),
                    note: verdict.note.clone(),
                })
            })
            .collect()
    }
}

/// A line of a published directory; frozen with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryLine {
    /// The enterprise.
    #[serde(with = "uscc_text")]
    pub uscc: Uscc,
    /// Its name then.
    pub name: LocalizedText,
    /// Its star then.
    pub star: Star,
    /// Its district then.
    pub district: District,
    /// Its sector then.
    pub sector: Sector,
}
