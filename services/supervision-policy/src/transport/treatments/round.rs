//! One look at those who may be treated otherwise by now.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::{Date, LocalizedText, Timestamp, Uscc};
use greenstar_proto::supervision::v1 as pb;
use prost::Message as _;
use tonic::Status;

use super::follow::Following;
use crate::consistency::Reached;
use crate::domain::facts::Facts;
use crate::domain::matter::Handling;
use crate::domain::policy::Policy;
use crate::follow::wire;
use crate::transport::convert;
use crate::transport::desk::{self, Computed, Question};
use crate::transport::status;
use crate::view::{Look, Reading, Touch};

/// What the last look decided by.
#[derive(Debug, Default)]
pub(super) struct Seen {
    policy: Option<(Arc<Policy>, bool)>,
    day: Option<Date>,
}

/// What a look found.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) changed: Vec<Changed>,
    pub(super) as_of: Timestamp,
    pub(super) token: String,
    pub(super) age: Option<Duration>,
    /// The data is older than the matter allows, so nobody was looked at.
    pub(super) stale: bool,
}

/// A member that is treated otherwise.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) place: usize,
    pub(super) after: pb::DecideResponse,
    pub(super) causes: Vec<pb::TreatmentCause>,
    /// To be recorded; `None`: nobody decided, for nobody could read.
    pub(super) computed: Option<Box<Computed>>,
}

/// Why a member is looked at.
#[derive(Clone, Copy, Debug)]
struct Why<'t> {
    touched: &'t Touch,
    policy: bool,
}

impl Following {
    /// `None`: there is nothing to look at yet. What cannot be looked at stays in `touched`.
    pub(super) fn look(&mut self, seen: &mut Seen, touched: &mut Touch) -> Result<Option<Round>, Status> {
        let (view, clock) = (self.desk.view.clone(), self.desk.clock.clone());
        let Some(look) = view.look(&*clock) else {
            return Ok(None);
        };
        let (as_of, token) = (look.as_of, view.token(&look.reading));
        if let Some(authority) = &self.authority {
            authority.holds_on(as_of.date())?;
        }
        let ruling = look.reading.ruling(as_of).ok_or_else(status::not_ready)?;
        let policy = ruling.policy.as_ref().ok_or_else(status::not_ready)?;
        let (department, code) = (self.department.as_str(), self.matter.as_str());
        let unknown = || status::matter_unknown(department, &status::shortened(code));
        let matter = policy.matter(department, code).ok_or_else(unknown)?;
        let mut round = Round {
            changed: Vec::new(),
            as_of,
            token,
            age: look.age,
            stale: true,
        };
        // Relief is never assumed: what is old says nothing, not even that a term has ended.
        if !matches!(matter.handling(look.age, None), Ok(Handling::Fresh)) {
            return Ok(Some(round));
        }
        round.stale = false;
        let before = seen.policy.replace((policy.clone(), ruling.sound));
        let switched =
            before.is_none_or(|(known, sound)| !Arc::ptr_eq(&known, policy) || sound != ruling.sound);
        let another_day = seen.day.replace(as_of.date()) != Some(as_of.date());
        let touched = std::mem::take(touched);
        let why = Why {
            touched: &touched,
            policy: switched,
        };
        let everybody = touched.all || switched || another_day;
        for place in self.places(&touched, everybody, &look.reading, as_of) {
            let changed = self.look_at(place, &look, why);
            round.changed.extend(changed);
        }
        Ok(Some(round))
    }

    /// Places of those who may be treated otherwise.
    fn places(
        &mut self,
        touched: &Touch,
        everybody: bool,
        reading: &Reading,
        as_of: Timestamp,
    ) -> BTreeSet<usize> {
        if touched.all
            && self.members.portfolio.is_hashed()
            && let Some(population) = reading.population()
        {
            for uscc in (0..population.end()).filter_map(|position| population.uscc(position)) {
                self.members.recognise(uscc);
            }
        }
        let mut places = BTreeSet::new();
        for uscc in touched.flags.iter().chain(&touched.ratings) {
            places.extend(self.members.recognise(*uscc));
        }
        let all = self.members.all.iter().enumerate();
        let due = all.filter(|(_, member)| everybody || member.due.is_some_and(|due| due <= as_of));
        places.extend(due.map(|(place, _)| place));
        places
    }

    /// `None`: nobody knows who it is, or it is treated as before.
    fn look_at(&mut self, place: usize, look: &Look, why: Why<'_>) -> Option<Changed> {
        let uscc = self.members.all.get(place)?.uscc?;
        let question = self.question(uscc);
        let computed = self
            .desk
            .compute(look, &self.call, &question, None, &Reached::default());
        let facts = look.reading.facts(&uscc).ok();
        let hashed = self.members.portfolio.is_hashed();
        let member = self.members.all.get_mut(place)?;
        let decoded = computed.and_then(|computed| {
            let answer = computed.answer.bytes();
            let answer = pb::DecideResponse::decode(answer).map_err(|error| status::damaged(&error))?;
            Ok((answer, computed))
        });
        let (mut after, computed) = match decoded {
            Ok((answer, computed)) => (answer, Some(Box::new(computed))),
            // Unknown is never clear.
            Err(status) => {
                tracing::warn!(code = ?status.code(), "a followed enterprise cannot be decided about");
                (unread(member.held.as_ref(), look.as_of), None)
            }
        };
        member.due = match (&facts, &computed) {
            (Some(facts), Some(_)) => due(facts, &after, look.as_of),
            (Some(_) | None, _) => Some(look.as_of),
        };
        if hashed {
            conceal(&mut after);
        }
        let before = member.held.as_ref();
        if before.is_some_and(|before| same(before, &after)) {
            return None;
        }
        let causes = before.map_or_else(Vec::new, |before| causes(before, &after, &uscc, why));
        Some(Changed {
            place,
            after,
            causes,
            computed,
        })
    }

    fn question(&self, uscc: Uscc) -> Question {
        Question {
            uscc,
            department: self.department.clone(),
            matter: self.matter.to_string(),
            unknown: desk::no_matter,
            arguments: self.arguments.clone(),
            consistency: None,
            request_id: self.stream.id.clone(),
            pin: None,
            authority: self.authority.clone(),
            regime: false,
        }
    }
}

/// Outcome, measures, and whether somebody decided: that is a treatment.
fn same(before: &pb::DecideResponse, after: &pb::DecideResponse) -> bool {
    let measure = |left: &pb::Measure, right: &pb::Measure| {
        left.code == right.code
            && left.measure_class == right.measure_class
            && left.parameters == right.parameters
            && left.end_time == right.end_time
    };
    let (left, right) = (&before.measures, &after.measures);
    before.outcome == after.outcome
        && before.manual_review == after.manual_review
        && left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| measure(left, right))
}

fn causes(
    before: &pb::DecideResponse,
    after: &pb::DecideResponse,
    uscc: &Uscc,
    why: Why<'_>,
) -> Vec<pb::TreatmentCause> {
    let names = |answer: &pb::DecideResponse| -> BTreeSet<String> {
        answer.flags.iter().map(|flag| flag.name.clone()).collect()
    };
    // Nobody heard what happened meanwhile.
    let unheard = why.touched.all;
    let flags = unheard && names(before) != names(after);
    let rating = unheard && (before.star != after.star || before.state != after.state);
    let mut causes = Vec::new();
    if why.policy && before.policy_version != after.policy_version {
        causes.push(pb::TreatmentCause::Policy);
    }
    if why.touched.flags.contains(uscc) || flags {
        causes.push(pb::TreatmentCause::Flag);
    }
    if why.touched.ratings.contains(uscc) || rating {
        causes.push(pb::TreatmentCause::Rating);
    }
    if before.manual_review != after.manual_review {
        causes.push(pb::TreatmentCause::ManualReview);
    }
    if causes.is_empty() {
        causes.push(pb::TreatmentCause::Time);
    }
    causes
}

/// The next instant at which something that is known about it begins or ends. What changes by days is looked at every
/// midnight.
fn due(facts: &Facts, answer: &pb::DecideResponse, as_of: Timestamp) -> Option<Timestamp> {
    let flags = facts.flags.iter().flat_map(|flag| [Some(flag.start), flag.end]);
    let rating = [
        facts.rating.valid_until,
        facts.rating.next.as_ref().map(|next| next.at),
    ];
    let measures = answer
        .measures
        .iter()
        .map(|measure| measure.end_time.as_ref().map(wire::instant));
    let all = flags.chain(rating).chain(measures).flatten();
    all.filter(|instant| *instant > as_of).min()
}

/// Nobody could decide; the outcome is the one that was told.
fn unread(held: Option<&pb::DecideResponse>, as_of: Timestamp) -> pb::DecideResponse {
    let said = LocalizedText::new(
        "该企业的数据目前无法读取，未作出决定，不得据此认定无不良记录；请人工审查",
        "what is known about this enterprise cannot be read, so nobody decided, which is no clean record: an officer has to",
    );
    pb::DecideResponse {
        outcome: held.map_or_else(String::new, |held| held.outcome.clone()),
        reasons: vec![convert::staleness(said)],
        as_of: Some(wire::to_instant(as_of)),
        manual_review: true,
        ..pb::DecideResponse::default()
    }
}

/// Takes the code out of the names of flags.
fn conceal(answer: &mut pb::DecideResponse) {
    let hide = |name: &mut String| {
        if let Some((_, flag)) = name.split_once("/flags/") {
            *name = format!("enterprises/-/flags/{flag}");
        }
    };
    answer.flags.iter_mut().for_each(|flag| hide(&mut flag.name));
    let measures = answer.measures.iter_mut();
    measures.flat_map(|measure| &mut measure.flags).for_each(hide);
}
