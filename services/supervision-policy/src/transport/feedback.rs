//! What departments did with what they were told, and what nobody has done yet.

use std::collections::BTreeSet;

use greenstar_kernel::{Caller, Role, Timestamp};
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::report_application_request::Subject as Asked;
use greenstar_rpc::{Call, names, pages, stored};
use greenstar_store::{SubmitError, Value};
use prost::Message as _;
use tonic::Status;

use super::decisions::{DecisionRpc, Found, RATING};
use super::siblings::Asker;
use super::{convert, desk, status};
use crate::consistency::Level;
use crate::domain::decide::DecideError;
use crate::domain::facts::Flag;
use crate::due;
use crate::follow::wire;
use crate::record::ship;
use crate::store::feedback::{self, After, Application, Due, Gap, Kept, Repeatable, Report};
use crate::view::Look;

/// Flags whose reports are read together.
const FLAGS: usize = 200;

/// What a report is about, at the caller's department.
#[derive(Debug)]
struct Subject {
    name: String,
    is_decision: bool,
    /// Measures that it carries.
    carried: BTreeSet<String>,
    /// Those of them that are to be applied.
    due: Vec<Due>,
}

impl DecisionRpc {
    pub(super) async fn report(
        &self,
        call: &Call,
        asker: &Asker,
        request: pb::ReportApplicationRequest,
    ) -> Result<pb::ReportApplicationResponse, Status> {
        let Caller::Department {
            department, officer, ..
        } = &call.caller
        else {
            return Err(status::department_not_allowed(&call.caller));
        };
        let body_hash = hash(&request);
        let subject = match request.subject {
            Some(Asked::Decision(name)) => self.decision(call, asker, &name).await?,
            Some(Asked::Flag(name)) => self.flag(call, department.as_str(), &name).await?,
            None => return Err(status::subject_missing()),
        };
        let mut said: Vec<Report> = Vec::with_capacity(request.measures.len());
        for (index, measure) in request.measures.into_iter().enumerate() {
            if !subject.carried.contains(&measure.measure) {
                return Err(status::measure_not_due(&measure.measure));
            }
            if said.iter().any(|other| other.measure == measure.measure) {
                return Err(status::measure_twice(index));
            }
            let application =
                application(measure.application()).ok_or_else(|| status::application_missing(index))?;
            if application != Application::Applied && measure.note.trim().is_empty() {
                return Err(status::note_missing(index));
            }
            said.push(Report {
                subject: subject.name.clone(),
                department: department.to_string(),
                measure: measure.measure,
                application,
                note: measure.note,
            });
        }
        let principal = call.caller.principal();
        let repeatable = Repeatable {
            principal: &principal,
            request_id: &request.request_id,
            body_hash: &body_hash,
        };
        let now = self.0.clock.now();
        let answer = |gaps: Vec<Gap>| {
            let response = pb::ReportApplicationResponse {
                report_time: Some(wire::to_instant(now)),
                gaps: gaps.into_iter().map(gap).collect(),
            };
            response.encode_to_vec()
        };
        let kept = feedback::report(
            &self.0.database,
            &repeatable,
            &officer.0,
            now,
            (subject.due, subject.is_decision),
            said,
            answer,
        );
        match kept.await.map_err(|error| status::store(&error))? {
            Kept::Answer(encoded) => {
                pb::ReportApplicationResponse::decode(&*encoded).map_err(|error| status::damaged(&error))
            }
            Kept::Reused => Err(stored::submitted(
                SubmitError::<std::convert::Infallible>::RequestIdReused,
                &request.request_id,
                |never| match *never {},
            )),
        }
    }

    async fn decision(&self, call: &Call, asker: &Asker, name: &str) -> Result<Subject, Status> {
        let (Found::Recorded(decision) | Found::Told(decision)) =
            self.own(call, asker, "decision", name).await?;
        Ok(Subject {
            is_decision: true,
            carried: decision
                .measures
                .iter()
                .map(|measure| measure.code.clone())
                .collect(),
            due: due::by_decision(&self.0.view, &decision.name, &decision),
            name: decision.name,
        })
    }

    /// A flag that the view does not have is asked for at its source before it is said not to be.
    async fn flag(&self, call: &Call, department: &str, raw: &str) -> Result<Subject, Status> {
        let (uscc, id) = names::of_enterprise("flag", raw, "flags")?;
        let name = format!("enterprises/{uscc}/flags/{id}");
        let look = || {
            let Look { reading, as_of, .. } = self.look()?;
            let facts = reading.facts(&uscc).map_err(status::unreadable)?;
            let of_name = |flag: &&Flag| *flag.name == *name && flag.in_force(as_of);
            let Some(flag) = facts.flags.iter().find(of_name) else {
                return Ok(None);
            };
            let policy = reading.ruling(as_of).and_then(|ruling| ruling.policy.clone());
            let policy = policy.ok_or_else(status::not_ready)?;
            let due = due::by_flag(&policy, &uscc, flag, as_of);
            due.map(Some).map_err(|error| status::undecided(&error))
        };
        let mut found = look()?;
        if found.is_none() {
            let reached = self.0.freshness.reach(Level::Full, desk::deadline(call)).await;
            reached.map_err(|error| status::unreached(&error))?;
            found = look()?;
        }
        let mut due = found.ok_or_else(|| status::flag_unknown(&name))?;
        due.retain(|due| due.department == department);
        Ok(Subject {
            name,
            is_decision: false,
            carried: due.iter().map(|due| due.measure.clone()).collect(),
            due,
        })
    }

    fn look(&self) -> Result<Look, Status> {
        self.0.view.look(&*self.0.clock).ok_or_else(status::not_ready)
    }

    pub(super) async fn gaps(
        &self,
        call: &Call,
        request: &pb::ListApplicationGapsRequest,
    ) -> Result<pb::ListApplicationGapsResponse, Status> {
        let whose = match names::single("parent", &request.parent, "departments")? {
            "-" => None,
            department => Some(department),
        };
        if !sees(&call.caller, whose) {
            return Err(status::department_not_allowed(&call.caller));
        }
        let query = ["ListApplicationGaps", &request.parent];
        let page = pages::page(request.page_size, &request.page_token, &query)?;
        let after = match &page.after {
            Some(key) => Some(Key::parse(key).ok_or_else(status::page_token_invalid)?),
            None => None,
        };
        ship::flush(&self.0.records, &self.0.database, &self.0.view).await;
        let mut tx = self
            .0
            .database
            .read()
            .await
            .map_err(|error| status::store(&error))?;
        let wanted = page.size + 1;
        let from = Key::of_decisions(after.as_ref());
        let decided = feedback::gaps(&mut tx, whose, &from, wanted).await;
        let mut gaps = decided.map_err(|error| status::store(&error))?;
        let last = gaps.get(page.size).map(|gap| gap.due.due_at);
        gaps.extend(
            self.of_flags(&mut tx, whose, after.as_ref(), last, wanted)
                .await?,
        );
        // Both are in order; at the same instant decisions come first.
        gaps.sort_by_key(|gap| (gap.due.due_at, of_flag(&gap.due)));
        let more = gaps.len() > page.size;
        gaps.truncate(page.size);
        let next = gaps
            .last()
            .filter(|_| more)
            .map(|gap| Key::of(&gap.due).to_string());
        Ok(pb::ListApplicationGapsResponse {
            gaps: gaps.into_iter().map(gap).collect(),
            next_page_token: next.map_or_else(String::new, |key| pages::next_token(&query, &key)),
        })
    }

    /// Gaps of flags in force behind `after`, none that lies behind `last`.
    async fn of_flags(
        &self,
        tx: &mut greenstar_store::Tx,
        whose: Option<&str>,
        after: Option<&Key>,
        last: Option<Timestamp>,
        wanted: usize,
    ) -> Result<Vec<Gap>, Status> {
        let (flagged, policy, as_of) = {
            let Look { reading, as_of, .. } = self.look()?;
            let policy = reading.ruling(as_of).and_then(|ruling| ruling.policy.clone());
            (reading.flagged(), policy.ok_or_else(status::not_ready)?, as_of)
        };
        let mut flags: Vec<_> = flagged
            .iter()
            .flat_map(|(uscc, flags)| flags.iter().map(move |flag| (flag, uscc)))
            .filter(|(flag, _)| {
                flag.in_force(as_of)
                    && after.is_none_or(|after| flag.start >= after.due_at)
                    && last.is_none_or(|last| flag.start <= last)
            })
            .collect();
        flags.sort_by_key(|(flag, _)| (flag.start, &flag.name));
        let (mut gaps, mut unknown) = (Vec::new(), 0);
        for some in flags.chunks(FLAGS) {
            let mut open = Vec::new();
            for (flag, uscc) in some {
                let due = match due::by_flag(&policy, uscc, flag, as_of) {
                    Ok(due) => due.into_iter(),
                    // Nobody can say what it makes due; that hides no other gap.
                    Err(DecideError::FlagKindUnknown(_)) => {
                        unknown += 1;
                        continue;
                    }
                    Err(error @ DecideError::Arguments(_)) => return Err(status::undecided(&error)),
                };
                open.extend(due.filter(|due| {
                    whose.is_none_or(|whose| due.department == whose)
                        && after.is_none_or(|after| *after < Key::of(due))
                }));
            }
            let subjects = some.iter().map(|(flag, _)| Value::from(&*flag.name)).collect();
            let reports = feedback::reports(tx, subjects).await;
            let reports = reports.map_err(|error| status::store(&error))?;
            gaps.extend(open.into_iter().filter_map(|due| Gap::of(due, &reports)));
            if gaps.len() >= wanted {
                break;
            }
        }
        if unknown > 0 {
            tracing::warn!(
                flags = unknown,
                "flags of kinds that the catalogue in force does not have are left out of the gaps"
            );
        }
        Ok(gaps)
    }
}

/// Where a gap stands in the list. The database compares texts of decisions, and this program those of flags; nobody
/// compares the one with the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    due_at: Timestamp,
    of_flag: bool,
    subject: String,
    department: String,
    measure: String,
}

fn of_flag(due: &Due) -> bool {
    due.subject.starts_with("enterprises/")
}

impl Key {
    fn of(due: &Due) -> Key {
        Key {
            due_at: due.due_at,
            of_flag: of_flag(due),
            subject: due.subject.clone(),
            department: due.department.clone(),
            measure: due.measure.clone(),
        }
    }

    fn parse(raw: &str) -> Option<Key> {
        let mut parts = raw.split('|');
        let mut next = || parts.next();
        Some(Key {
            due_at: Timestamp::from_micros(next()?.parse().ok()?),
            of_flag: next()? == "flag",
            subject: next()?.to_owned(),
            department: next()?.to_owned(),
            measure: next()?.to_owned(),
        })
    }

    fn of_decisions(after: Option<&Key>) -> After {
        match after.cloned() {
            None => After::Instant(Timestamp::from_micros(i64::MIN)),
            Some(Key {
                due_at,
                of_flag: true,
                ..
            }) => After::Instant(due_at),
            Some(Key {
                due_at,
                of_flag: false,
                subject,
                department,
                measure,
            }) => After::Due {
                due_at,
                subject,
                department,
                measure,
            },
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.of_flag { "flag" } else { "decision" };
        let Key {
            due_at,
            subject,
            department,
            measure,
            ..
        } = self;
        write!(f, "{}|{kind}|{subject}|{department}|{measure}", due_at.micros())
    }
}

/// A department sees its own gaps, the rating department and operators everybody's.
fn sees(caller: &Caller, whose: Option<&str>) -> bool {
    match caller {
        Caller::Department {
            department, roles, ..
        } => {
            whose == Some(department.as_str())
                || department.as_str() == RATING
                || roles.contains(&Role::Operator)
        }
        Caller::Enterprise(_) | Caller::Public => false,
    }
}

fn application(raw: pb::Application) -> Option<Application> {
    match raw {
        pb::Application::Unspecified => None,
        pb::Application::Applied => Some(Application::Applied),
        pb::Application::NotApplied => Some(Application::NotApplied),
        pb::Application::NotApplicable => Some(Application::NotApplicable),
    }
}

fn gap(gap: Gap) -> pb::ApplicationGap {
    let Gap { due, not_applied } = gap;
    let application = match &not_applied {
        Some(_) => pb::Application::NotApplied,
        None => pb::Application::Unspecified,
    };
    pb::ApplicationGap {
        department: format!("departments/{}", due.department),
        enterprise: due.enterprise,
        subject: due.subject,
        measure: due.measure,
        due_time: Some(wire::to_instant(due.due_at)),
        application: application.into(),
        note: not_applied.unwrap_or_default(),
    }
}

/// Of the request without its id.
fn hash(request: &pb::ReportApplicationRequest) -> String {
    let bare = pb::ReportApplicationRequest {
        request_id: String::new(),
        ..request.clone()
    };
    convert::sha256(bare.encode_to_vec())
}
