//! Cohorts, findings, service lists and plans, both ways.

use std::collections::BTreeMap;

use greenstar_kernel::{Code, Date, LocalizedText, Timestamp, Uscc};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::rating::v1 as pb;
use greenstar_rpc::names;
use tonic::Status;

use super::convert::{evidence, text, time};
use super::{parse, status};
use crate::domain::assistance::{
    Area, Assistance, Cohort, CohortList, Facts, Finding, HelpRequest, Measure, MeasureState, Photo, Plan,
    PlanState, Progress, Proof, Proofs, Service, ServiceList,
};
use crate::domain::command::StoredRules;
use crate::domain::error::Refusal;
use crate::domain::firm::Firm;

fn refuse(field: &'static str, said: (&'static str, &'static str)) -> Status {
    status::refused(&Refusal::field(field, said))
}

pub(super) fn list(raw: i32) -> Result<CohortList, Status> {
    match pb::CohortList::try_from(raw) {
        Ok(pb::CohortList::KeyPolluters) => Ok(CohortList::KeyPolluters),
        Ok(pb::CohortList::DailySupervision) => Ok(CohortList::DailySupervision),
        Ok(pb::CohortList::Unspecified) | Err(_) => Err(refuse(
            "list",
            (
                "KEY_POLLUTERS 或 DAILY_SUPERVISION",
                "KEY_POLLUTERS or DAILY_SUPERVISION",
            ),
        )),
    }
}

pub(super) fn area(raw: i32) -> Result<Area, Status> {
    match pb::FindingArea::try_from(raw) {
        Ok(pb::FindingArea::Procedures) => Ok(Area::Procedures),
        Ok(pb::FindingArea::Facilities) => Ok(Area::Facilities),
        Ok(pb::FindingArea::Emissions) => Ok(Area::Emissions),
        Ok(pb::FindingArea::HiddenRisks) => Ok(Area::HiddenRisks),
        Ok(pb::FindingArea::Unspecified) | Err(_) => Err(refuse(
            "finding.area",
            ("合同中列出的类别", "one of the contract's areas"),
        )),
    }
}

/// At least one piece of evidence or one photo.
pub(super) fn proofs(
    field: &'static str,
    pieces: Vec<pb::Evidence>,
    photos: Vec<pb::Photo>,
) -> Result<Proofs, Status> {
    if pieces.is_empty() && photos.is_empty() {
        return Err(refuse(
            field,
            (
                "至少一项证据或者一张照片",
                "at least one piece of evidence or one photo",
            ),
        ));
    }
    let evidence = pieces
        .into_iter()
        .map(|piece| parse::evidence("evidence.kind", piece));
    let photos = photos.into_iter().map(|photo| {
        Ok(Photo {
            sha256: parse::sha256("photos.sha256", &photo.sha256)?,
            caption: photo.caption,
        })
    });
    Ok(Proofs {
        evidence: evidence.collect::<Result<_, Status>>()?,
        photos: photos.collect::<Result<_, Status>>()?,
    })
}

pub(super) fn date(field: &'static str, raw: &str) -> Result<Date, Status> {
    raw.parse().map_err(|_| {
        let said = LocalizedText::new(
            "日期应写作 YYYY-MM-DD，在 1970 年至 2200 年之间，请更正",
            "a date is written YYYY-MM-DD, between the years 1970 and 2200; correct it",
        );
        greenstar_rpc::field(field, ErrorReason::DateInvalid, &said, &[])
    })
}

pub(super) fn facts(raw: pb::ServiceFacts) -> Result<Facts, Status> {
    let codes = |field: &'static str, raw: Vec<String>| {
        let each = raw.iter().map(|raw| parse::code(field, raw));
        each.collect::<Result<Vec<Code>, Status>>()
    };
    Ok(Facts {
        processes: codes("facts.processes", raw.processes)?,
        treatments: codes("facts.treatments", raw.treatments)?,
        pollutants: codes("facts.pollutants", raw.pollutants)?,
    })
}

/// What the author of a plan gives of a measure; the rest follows.
pub(super) fn measure(uscc: &Uscc, raw: pb::PlanMeasure) -> Result<Measure, Status> {
    let own = |field: &'static str, collection: &str, names: &[String]| {
        let each = names.iter().map(|name| {
            let (of, id) = names::of_enterprise(field, name, collection)?;
            if of != *uscc {
                return Err(refuse(field, ("本企业的", "this enterprise's")));
            }
            parse::code(field, id)
        });
        each.collect::<Result<Vec<Code>, Status>>()
    };
    Ok(Measure {
        code: parse::code("plan.measures.code", &raw.code)?,
        text: raw.text,
        owner: raw.owner,
        due: date("plan.measures.due_date", &raw.due_date)?,
        findings: own("plan.measures.findings", "findings", &raw.findings)?,
        events: own("plan.measures.events", "events", &raw.events)?,
        proofs: Vec::new(),
    })
}

/// `whole`: with its members.
pub(super) fn cohort(cohort: Cohort, whole: bool) -> pb::Cohort {
    let list = match cohort.list {
        CohortList::KeyPolluters => pb::CohortList::KeyPolluters,
        CohortList::DailySupervision => pb::CohortList::DailySupervision,
    };
    let count = i32::try_from(cohort.members.len()).unwrap_or(i32::MAX);
    let members = cohort
        .members
        .into_iter()
        .filter(|_| whole)
        .map(|member| pb::CohortMember {
            enterprise: format!("enterprises/{}", member.uscc),
            street: member.street.unwrap_or_default(),
            officer: member.officer.map(|officer| officer.0).unwrap_or_default(),
        });
    pb::Cohort {
        name: format!("cohorts/{}", cohort.id),
        display_name: Some(text(cohort.title)),
        list: list.into(),
        members: members.collect(),
        member_count: count,
        create_time: Some(time(cohort.created_at)),
        creator: cohort.creator.0,
    }
}

/// As of an instant. `firm` says which points rest.
pub(super) fn assistance(
    one: Assistance,
    firm: &Firm,
    suspendable: &[Code],
    at: Timestamp,
) -> pb::Assistance {
    let uscc = one.uscc;
    pb::Assistance {
        name: format!("enterprises/{uscc}/assistance"),
        findings: one
            .findings
            .into_iter()
            .map(|found| finding(&uscc, found))
            .collect(),
        help_requests: one
            .requests
            .into_iter()
            .map(|request| help_request(&uscc, request))
            .collect(),
        service_lists: one
            .lists
            .into_iter()
            .map(|list| service_list(&uscc, list))
            .collect(),
        plans: one
            .plans
            .into_iter()
            .map(|one| plan(&uscc, one, firm, suspendable, at))
            .collect(),
    }
}

pub(super) fn finding(uscc: &Uscc, finding: Finding) -> pb::Finding {
    let area = match finding.area {
        Area::Procedures => pb::FindingArea::Procedures,
        Area::Facilities => pb::FindingArea::Facilities,
        Area::Emissions => pb::FindingArea::Emissions,
        Area::HiddenRisks => pb::FindingArea::HiddenRisks,
    };
    pb::Finding {
        name: format!("enterprises/{uscc}/findings/{}", finding.id),
        area: area.into(),
        text: finding.text,
        site: finding.site.unwrap_or_default(),
        evidence: finding.proofs.evidence.into_iter().map(evidence).collect(),
        photos: finding.proofs.photos.into_iter().map(photo).collect(),
        officer: finding.by.0,
        find_time: Some(time(finding.at)),
        resolve_time: finding.resolved_at.map(time),
    }
}

fn photo(photo: Photo) -> pb::Photo {
    pb::Photo {
        sha256: photo.sha256,
        caption: photo.caption,
    }
}

pub(super) fn help_request(uscc: &Uscc, request: HelpRequest) -> pb::HelpRequest {
    let mut out = pb::HelpRequest {
        name: format!("enterprises/{uscc}/helpRequests/{}", request.id),
        text: request.text,
        ask_time: Some(time(request.at)),
        asker: request.by,
        ..pb::HelpRequest::default()
    };
    if let Some(answer) = request.answer {
        out.answer = answer.text;
        out.answerer = answer.by.0;
        out.answer_time = Some(time(answer.at));
    }
    out
}

pub(super) fn service_list(uscc: &Uscc, list: ServiceList) -> pb::ServiceList {
    let codes = |codes: Vec<Code>| codes.into_iter().map(String::from).collect();
    pb::ServiceList {
        name: format!("enterprises/{uscc}/serviceLists/{}", list.id),
        rules: format!("serviceRules/{}", list.rules),
        facts: Some(pb::ServiceFacts {
            processes: codes(list.facts.processes),
            treatments: codes(list.facts.treatments),
            pollutants: codes(list.facts.pollutants),
        }),
        services: list.services.into_iter().map(service).collect(),
        create_time: Some(time(list.at)),
        officer: list.by.0,
    }
}

fn service(service: Service) -> pb::Service {
    pb::Service {
        code: service.code.to_string(),
        title: Some(text(service.title)),
        urgency: service.urgency.as_str().to_owned(),
        reasons: service.reasons.into_iter().map(text).collect(),
        basis: service.basis.into_iter().map(text).collect(),
    }
}

pub(super) fn rules(rules: StoredRules) -> pb::ServiceRules {
    pb::ServiceRules {
        name: format!("serviceRules/{}", rules.version),
        source: rules.source,
        author: rules.author.map(|author| author.0).unwrap_or_default(),
        create_time: rules.created_at.map(time),
    }
}

/// `suspendable`: kinds of event whose points may rest, by the firm's scheme.
pub(super) fn plan(uscc: &Uscc, plan: Plan, firm: &Firm, suspendable: &[Code], at: Timestamp) -> pb::Plan {
    let state = match plan.state(at) {
        PlanState::Drafted => pb::PlanState::Drafted,
        PlanState::Agreed => pb::PlanState::Agreed,
        PlanState::Running => pb::PlanState::Running,
        PlanState::Closed => pb::PlanState::Closed,
        PlanState::Failed => pb::PlanState::Failed,
        PlanState::Lapsed => pb::PlanState::Lapsed,
    };
    let resting = firm.events.iter().filter(|event| {
        let by_this =
            |one: &crate::domain::event::Suspension| one.plan == plan.id && one.from <= at && at < one.until;
        suspendable.contains(&event.kind) && event.suspensions.iter().any(by_this)
    });
    let mut out = pb::Plan {
        name: format!("enterprises/{uscc}/plans/{}", plan.id),
        state: state.into(),
        suspended_events: resting
            .map(|event| format!("enterprises/{uscc}/events/{}", event.id))
            .collect(),
        end_date: plan.until.to_string(),
        author: plan.author.0,
        create_time: Some(time(plan.created_at)),
        agree_time: plan.agreed.map(|step| time(step.at)),
        ..pb::Plan::default()
    };
    out.measures = plan
        .measures
        .into_iter()
        .map(|one| shown_measure(uscc, one, at))
        .collect();
    out.visits = plan
        .visits
        .into_iter()
        .map(|visit| pb::Visit {
            date: visit.date.to_string(),
            note: visit.note,
            officer: visit.by.0,
            record_time: Some(time(visit.at)),
        })
        .collect();
    out.application_helps = plan
        .helps
        .into_iter()
        .map(|help| pb::ApplicationHelp {
            subject: help.subject,
            note: help.note,
            officer: help.by.0,
            record_time: Some(time(help.at)),
        })
        .collect();
    if let Some(started) = plan.started {
        out.starter = started.by;
        out.start_time = Some(time(started.at));
    }
    if let Some(ended) = plan.ended {
        out.ender = ended.by.0;
        out.end_time = Some(time(ended.at));
        out.end_note = ended.note;
    }
    out
}

fn shown_measure(uscc: &Uscc, measure: Measure, at: Timestamp) -> pb::PlanMeasure {
    let state = match measure.state() {
        MeasureState::Open => pb::MeasureState::Open,
        MeasureState::Proved => pb::MeasureState::Proved,
        MeasureState::Done => pb::MeasureState::Done,
    };
    let overdue = measure.overdue(at);
    let named = |collection: &str, ids: Vec<Code>| {
        let each = ids
            .into_iter()
            .map(|id| format!("enterprises/{uscc}/{collection}/{id}"));
        each.collect()
    };
    pb::PlanMeasure {
        code: measure.code.to_string(),
        text: measure.text,
        owner: measure.owner,
        due_date: measure.due.to_string(),
        findings: named("findings", measure.findings),
        events: named("events", measure.events),
        state: state.into(),
        overdue,
        proofs: measure.proofs.into_iter().map(proof).collect(),
    }
}

fn proof(proof: Proof) -> pb::Proof {
    let mut out = pb::Proof {
        evidence: proof.proofs.evidence.into_iter().map(evidence).collect(),
        photos: proof.proofs.photos.into_iter().map(photo).collect(),
        submitter: proof.submitted.by,
        submit_time: Some(time(proof.submitted.at)),
        ..pb::Proof::default()
    };
    if let Some(recheck) = proof.recheck {
        out.checker = recheck.by.0;
        out.check_time = Some(time(recheck.at));
        out.passed = recheck.passed;
        out.note = recheck.note;
    }
    out
}

pub(super) fn groups(groups: BTreeMap<String, Progress>) -> Vec<pb::Progress> {
    groups
        .into_iter()
        .map(|(group, one)| progress(group, one))
        .collect()
}

pub(super) fn progress(group: String, one: Progress) -> pb::Progress {
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    pb::Progress {
        group,
        enterprises: count(one.enterprises),
        examined: count(one.examined),
        findings: count(one.findings),
        findings_resolved: count(one.findings_resolved),
        help_requests: count(one.requests),
        help_answered: count(one.requests_answered),
        listed: count(one.listed),
        planned: count(one.planned),
        plans_running: count(one.running),
        plans_closed: count(one.closed),
        plans_failed: count(one.failed),
        measures: count(one.measures),
        measures_done: count(one.measures_done),
        measures_overdue: count(one.overdue),
    }
}
