//! How every question is answered: reach the level, look once, decide, record, answer.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use greenstar_kernel::{Caller, Clock, Department, LocalizedText, Timestamp, Uscc};
use greenstar_proto::common::v1 as common;
use greenstar_proto::supervision::v1 as pb;
use greenstar_rpc::{Call, Client};
use greenstar_store::{Database, Writer};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tonic::Status;

use super::authority::Authority;
use super::convert::{self, Arguments};
use super::pins::{Pin, Pins};
use super::siblings::Siblings;
use super::status;
use super::told::{Answer, Kept, Told};
use crate::consistency::{Freshness, Level, Reached, Unreached};
use crate::domain::caution::decide_cautiously;
use crate::domain::decide::decide;
use crate::domain::facts::Facts;
use crate::domain::matter::{Handling, Matter, RecordMode};
use crate::domain::policy::{EVALUATOR, Policy};
use crate::domain::regime::InspectionRegime;
use crate::follow::replicas::Reporter;
use crate::follow::wire;
use crate::record::{DecisionId, RecordLog, ship};
use crate::shadow::{Seen, Shadows};
use crate::signing::Signer;
use crate::store::lifecycle::PolicyJournal;
use crate::view::{Look, View};

/// What it takes to answer. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) view: Arc<View>,
    pub(crate) freshness: Freshness,
    pub(crate) records: RecordLog,
    pub(crate) database: Database,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) siblings: Siblings,
    pub(crate) pins: Arc<Pins>,
    /// Carries out what officers do with policies.
    pub(crate) writer: Writer<PolicyJournal>,
    pub(crate) reporter: Reporter,
    pub(crate) shadows: Shadows,
    /// One simulation at a time.
    pub(crate) simulations: Arc<Semaphore>,
    /// To the rating service; a caller's own credential goes before ours.
    pub(crate) rating: Client,
    pub(crate) signer: Signer,
}

/// One matter asked for one enterprise.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) uscc: Uscc,
    pub(super) department: Department,
    pub(super) matter: String,
    /// What to say if the policies have no such matter.
    pub(super) unknown: fn(&Policy, &Question) -> Status,
    pub(super) arguments: Arguments,
    pub(super) consistency: Option<common::Consistency>,
    pub(super) request_id: String,
    /// Decide by this version of the department's policy.
    pub(super) pin: Option<Pin>,
    /// By what right is asked.
    pub(super) authority: Option<Authority>,
    /// Whether the figures of an inspection regime are wanted.
    pub(super) regime: bool,
}

/// Computed and not yet recorded: nothing of it may leave.
#[derive(Debug)]
pub(super) struct Computed {
    pub(super) answer: Answer,
    /// What to record, and how; `None`: it is not one of those that are kept.
    record: Option<(RecordMode, Vec<u8>)>,
    /// For drafts that are evaluated beside live traffic; `None`: none answers this matter.
    seen: Option<Box<Seen>>,
}

/// With its place in a group of records, and whether the database must have it, too.
struct Placed {
    answer: Answer,
    place: Option<(usize, RecordMode)>,
    seen: Option<Box<Seen>>,
}

/// A question of a batch, with the position of its level and the caller's own bound of staleness.
type Asked = (Question, usize, Option<Duration>);

/// What a question wants of the view.
#[derive(Debug)]
struct Wanted {
    level: Level,
    /// The caller's own bound of staleness.
    limit: Option<Duration>,
}

impl Wanted {
    fn of(call: &Call, question: &Question) -> Result<Wanted, Status> {
        if call.caller.department() != Some(&question.department) {
            return Err(status::matter_not_yours(&question.department));
        }
        let consistency = question.consistency.as_ref();
        let level = Level::read(consistency).map_err(|error| status::unreached(&error))?;
        let limit = staleness_limit(consistency)?;
        Ok(Wanted { level, limit })
    }
}

impl Desk {
    /// Answers, and records what it answers before the answer leaves.
    pub(super) async fn ask(&self, call: &Call, question: Question) -> Result<Answer, Status> {
        let Wanted { level, limit } = Wanted::of(call, &question)?;
        let reached = self.freshness.reach(level, deadline(call)).await;
        let reached = reached.map_err(|error| status::unreached(&error))?;
        let look = self.view.look(&*self.clock).ok_or_else(status::not_ready)?;
        let computed = self.compute(&look, call, &question, limit, &reached)?;
        self.record(computed).await
    }

    /// Answers several from one look at the view, and records them as one group. Each level that is asked for is
    /// reached once. What is wrong with one question is its own business.
    pub(super) async fn ask_all(
        &self,
        call: &Call,
        questions: impl Iterator<Item = Result<Question, Status>>,
    ) -> Vec<Result<Answer, Status>> {
        let mut levels: Vec<Level> = Vec::new();
        let asked: Vec<Result<Asked, Status>> = questions
            .map(|question| {
                let question = question?;
                let Wanted { level, limit } = Wanted::of(call, &question)?;
                let known = levels.iter().position(|known| *known == level);
                let at = known.unwrap_or_else(|| {
                    levels.push(level);
                    levels.len() - 1
                });
                Ok((question, at, limit))
            })
            .collect();
        let until = deadline(call);
        let reached = levels.into_iter().map(|level| self.freshness.reach(level, until));
        let reached: Vec<Result<Reached, Unreached>> = join_all(reached).await;
        let look = self.view.look(&*self.clock);
        let computed = asked.into_iter().map(|asked| {
            let (question, at, limit) = asked?;
            let reached = match reached.get(at) {
                Some(Ok(reached)) => reached,
                Some(Err(error)) => return Err(status::unreached(error)),
                None => return Err(status::not_ready()),
            };
            let look = look.as_ref().ok_or_else(status::not_ready)?;
            self.compute(look, call, &question, limit, reached)
        });
        let computed = computed.collect();
        // Not held over the wait for the disk.
        drop(look);
        self.record_all(computed).await
    }

    pub(super) fn compute(
        &self,
        look: &Look,
        call: &Call,
        question: &Question,
        limit: Option<Duration>,
        reached: &Reached,
    ) -> Result<Computed, Status> {
        let Look {
            reading,
            age: known,
            now,
            as_of,
        } = look;
        let as_of = *as_of;
        if let Some(log) = reading.misses(&reached.token) {
            // The source began another life between waiting and looking.
            return Err(status::unreached(&self.freshness.missed(log, &reached.token)));
        }
        if let Some(authority) = &question.authority {
            authority.holds_on(as_of.date())?;
        }
        let age = reached.age(*known, *now);
        let facts = reading.facts(&question.uscc).map_err(status::unreadable)?;
        let ruling = reading.ruling(as_of).ok_or_else(status::not_ready)?;
        let today = ruling.policy.as_ref().ok_or_else(status::not_ready)?;
        let department = question.department.as_str();
        let pinned = match &question.pin {
            None => None,
            Some(pin) => {
                let asked = (department, question.matter.as_str());
                Some(self.pins.policy(pin, today, asked, &self.view, as_of)?)
            }
        };
        let policy = pinned.as_ref().unwrap_or(today);
        let matter = policy
            .matter(department, &question.matter)
            .ok_or_else(|| (question.unknown)(policy, question))?;
        let given = question
            .arguments
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let arguments = matter
            .parse_arguments(given)
            .map_err(|error| status::arguments(&error))?;
        let sound = Sound::of(&facts, policy, ruling.sound, as_of);
        let handling = match matter
            .handling(age, limit)
            .map_err(|stale| status::stale(&stale))?
        {
            Handling::Fresh | Handling::Caveat if sound != Sound::Yes => Handling::ManualReview,
            handling @ (Handling::Fresh | Handling::ManualReview | Handling::Caveat) => handling,
        };

        let unrated;
        let decision = match handling {
            Handling::Fresh | Handling::Caveat => decide(policy, matter, &facts, &arguments, as_of),
            Handling::ManualReview => {
                unrated = facts.unrated();
                decide_cautiously(policy, matter, &facts, &unrated, &arguments, as_of)
            }
        };
        let decision = decision.map_err(|error| status::undecided(&error))?;
        let decided = match handling {
            Handling::Fresh | Handling::Caveat => question.pin.is_none(),
            Handling::ManualReview => false,
        };
        let seen = (decided && self.shadows.wants(matter)).then(|| {
            Box::new(Seen {
                uscc: question.uscc,
                department: question.department.clone(),
                matter: matter.code().clone(),
                arguments: question.arguments.clone().into_iter().collect(),
                facts: facts.clone(),
                as_of,
                policy: policy.clone(),
            })
        });
        let token = self.view.token(reading);
        let told = Told {
            decision: &decision,
            caveat: handled(handling, sound),
            known: facts.known,
            as_of,
            age,
            token: &token,
            handling,
        };
        let mut answer = told.answer(policy.version(), question.uscc.verdict());
        if question.regime {
            let regime = InspectionRegime::of(&decision, &arguments);
            let regime = regime.map_err(|error| status::undecided(&error))?;
            answer.with_regime(&convert::regime(&regime));
        }
        let mode = self.records.mode(matter.record());
        let keeps = match mode {
            RecordMode::Durable | RecordMode::Store => true,
            RecordMode::Sampled => self.records.samples_next(),
        };
        // What the record says beyond the answer is made for those that are kept only.
        let record = if keeps {
            let (department, officer) = who(&call.caller);
            let pinned_version = question.pin.as_ref().map_or_else(String::new, Pin::to_string);
            let body = told.record(&Kept {
                enterprise: &format!("enterprises/{}", question.uscc),
                matter: &matter.name(),
                arguments: &matter.mask(&question.arguments),
                department,
                officer: &officer,
                request_id: &question.request_id,
                facts: &recorded(&facts)?,
                versions: versions(policy, matter, &facts),
                max_staleness: matter.bound(limit),
                policies_unfit: !ruling.sound,
                authority: question.authority.as_ref(),
                pinned_version: &pinned_version,
            });
            Some((mode, body))
        } else {
            None
        };
        Ok(Computed { answer, record, seen })
    }

    async fn record(&self, computed: Computed) -> Result<Answer, Status> {
        let Computed {
            mut answer,
            record,
            seen,
        } = computed;
        let id = match record {
            Some((RecordMode::Durable, body)) => {
                let kept = self.records.durable(body).await;
                Some(kept.map_err(|error| status::record(&error))?)
            }
            Some((RecordMode::Store, body)) => {
                let kept = self.records.durable(body).await;
                let id = kept.map_err(|error| status::record(&error))?;
                self.stored(&id).await?;
                Some(id)
            }
            Some((RecordMode::Sampled, body)) => self.records.sampled(body),
            None => None,
        };
        name(&mut answer, id);
        self.beside(seen, id);
        Ok(answer)
    }

    /// Hands an answer that is recorded on to the drafts beside it.
    fn beside(&self, seen: Option<Box<Seen>>, id: Option<DecisionId>) {
        if let Some(seen) = seen {
            self.shadows.offer(*seen, id);
        }
    }

    /// What must be on the disk goes there as one group, and what must be in the database with one wait.
    pub(super) async fn record_all(
        &self,
        computed: Vec<Result<Computed, Status>>,
    ) -> Vec<Result<Answer, Status>> {
        let mut group = Vec::new();
        let mut last_stored = None;
        // With each answer its place in the group, and whether the database must have it, too.
        let answers: Vec<Result<Placed, Status>> = computed
            .into_iter()
            .map(|computed| {
                let Computed {
                    mut answer,
                    record,
                    mut seen,
                } = computed?;
                let place = match record {
                    Some((RecordMode::Sampled, body)) => {
                        let id = self.records.sampled(body);
                        name(&mut answer, id);
                        self.beside(seen.take(), id);
                        None
                    }
                    Some((mode @ (RecordMode::Durable | RecordMode::Store), body)) => {
                        let at = group.len();
                        group.push(body);
                        if mode == RecordMode::Store {
                            last_stored = Some(at);
                        }
                        Some((at, mode))
                    }
                    None => {
                        self.beside(seen.take(), None);
                        None
                    }
                };
                Ok(Placed { answer, place, seen })
            })
            .collect();
        let kept = self.records.durable_group(group).await;
        let kept: Result<Vec<DecisionId>, Status> = kept.map_err(|error| status::record(&error));
        let last = kept.as_deref().ok().zip(last_stored);
        let stored = match last.and_then(|(kept, at)| kept.get(at)) {
            // They are shipped in their order.
            Some(id) => self.stored(id).await,
            None => Ok(()),
        };
        let answers = answers.into_iter().map(|answer| {
            let Placed {
                mut answer,
                place,
                seen,
            } = answer?;
            if let Some((at, mode)) = place {
                let kept = kept.as_ref().map_err(Status::clone)?;
                if mode == RecordMode::Store {
                    stored.clone()?;
                }
                let id = kept.get(at).copied();
                name(&mut answer, id);
                self.beside(seen, id);
            }
            Ok(answer)
        });
        answers.collect()
    }

    /// Returns once the database has the record, and all before it.
    async fn stored(&self, id: &DecisionId) -> Result<(), Status> {
        let stored = ship::through(&self.records, &self.database, &self.view, id).await;
        stored.map_err(|error| status::record(&error))
    }
}

/// Says where it is recorded.
fn name(answer: &mut Answer, id: Option<DecisionId>) {
    if let Some(id) = id {
        answer.with_record(&format!("decisions/{id}"));
    }
}

/// Questions of one batch, as the contract bounds them.
const BATCH: RangeInclusive<usize> = 1..=1000;

/// Errors: INVALID_ARGUMENT FIELD_INVALID for a batch of none or of too many.
pub(super) fn batch_size(questions: usize) -> Result<(), Status> {
    if BATCH.contains(&questions) {
        Ok(())
    } else {
        Err(status::batch_size(&BATCH))
    }
}

/// Of a question that names its matter.
pub(super) fn no_matter(_: &Policy, question: &Question) -> Status {
    status::matter_unknown(question.department.as_str(), &status::shortened(&question.matter))
}

fn versions(policy: &Policy, matter: &Matter, facts: &Facts) -> pb::Versions {
    let table = if matter.has_table() { matter.policy() } else { "" };
    pb::Versions {
        table: table.to_owned(),
        baseline: policy.baseline_version().to_owned(),
        catalogue: policy.catalogue().edition().to_owned(),
        evaluator: EVALUATOR.to_owned(),
        scheme: facts.rating.scheme.to_string(),
        rating: facts.rating.version,
    }
}

fn recorded(facts: &Facts) -> Result<String, Status> {
    serde_json::to_string(facts).map_err(|error| status::damaged(&error))
}

pub(super) fn who(caller: &Caller) -> (&str, String) {
    match caller {
        Caller::Department {
            department, officer, ..
        } => (department.as_str(), officer.to_string()),
        Caller::Enterprise(_) | Caller::Public => ("", caller.principal()),
    }
}

/// Whether policies, catalogue and facts speak of the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sound {
    Yes,
    /// The policies in force do not fit the catalogue in force.
    Unfit,
    /// The firm has a flag of a kind that the catalogue in force does not have.
    NoSuchKind,
}

impl Sound {
    /// `fits`: whether the policies in force fit the catalogue in force.
    pub(super) fn of(facts: &Facts, policy: &Policy, fits: bool, as_of: Timestamp) -> Sound {
        match facts.unknown_flag(policy.catalogue(), as_of) {
            Some(_) => Sound::NoSuchKind,
            None if fits => Sound::Yes,
            None => Sound::Unfit,
        }
    }
}

/// What the answer says about its own standing.
pub(super) fn handled(handling: Handling, sound: Sound) -> Option<LocalizedText> {
    match handling {
        Handling::Fresh => None,
        Handling::ManualReview if sound == Sound::NoSuchKind => Some(LocalizedText::new(
            "该企业有失信标记，其种类不在现行措施目录中，未作出决定，须人工审查；所列结论未计入该标记，仅供审查前暂用",
            "the firm has a flag of a kind that the catalogue in force does not have, so nobody decided and an officer has to; the outcome, which leaves that flag out, is the one to assume meanwhile",
        )),
        Handling::ManualReview if sound == Sound::Unfit => Some(LocalizedText::new(
            "现行政策与现行措施目录不相符，未作出决定，须人工审查；所列结论仅供审查前暂用",
            "the policies in force do not fit the catalogue in force, so nobody decided and an officer has to; the outcome is the one to assume meanwhile",
        )),
        Handling::ManualReview => Some(LocalizedText::new(
            "数据时效超过本事项允许的范围或无法确认，未作出决定，须人工审查；所列结论仅供审查前暂用",
            "the data is older than this matter allows, or its age is unknown, so nobody decided and an officer has to; the outcome is the one to assume meanwhile",
        )),
        Handling::Caveat => Some(LocalizedText::new(
            "数据时效超过本事项允许的范围，结论可能未反映最新情况",
            "the data is older than this matter allows; the answer may miss what happened last",
        )),
    }
}

pub(super) fn staleness_limit(consistency: Option<&common::Consistency>) -> Result<Option<Duration>, Status> {
    let given = consistency.and_then(|consistency| consistency.max_staleness.as_ref());
    let limit = given.map(|span| wire::span(Some(*span)).ok_or_else(status::staleness_invalid));
    limit.transpose()
}

/// Leaves the layer in front a moment to send what we say.
pub(super) fn deadline(call: &Call) -> Instant {
    const MARGIN: Duration = Duration::from_millis(50);
    let longest = Instant::now() + Freshness::DEFAULT_WAIT;
    match call.deadline.map(Instant::from_std) {
        Some(deadline) => longest.min(deadline.checked_sub(MARGIN).unwrap_or(deadline)),
        None => longest,
    }
}
