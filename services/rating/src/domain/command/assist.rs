//! The steps of assistance: what is found and asked, what is offered, and the plan that suspends points while it runs.

use greenstar_kernel::{Caller, Code, Date, LocalizedText, Officer, Timestamp, Uscc};

use super::{Answer, Notice, World};
use crate::domain::assistance::{
    Answered, ApplicationHelp, Area, Assistance, AssistanceRefusal as Wrong, Cohort, CohortList, Ending,
    Facts, Finding, HelpRequest, MAX_MEMBERS, Measure, MeasureState, Member, Plan, PlanState, Proof, Proofs,
    Recheck, ServiceList, ServiceRules, Step, Visit,
};
use crate::domain::error::Refusal;
use crate::domain::event::Suspension;
use crate::domain::firm::Firm;

/// One step.
#[derive(Clone, Debug)]
pub enum Assist {
    /// Draw a cohort; who is named was on the list when it was read.
    Draw {
        /// Its id.
        id: Code,
        /// Its title.
        title: LocalizedText,
        /// Where it is drawn from.
        list: CohortList,
        /// Who is in it.
        members: Vec<Uscc>,
    },
    /// Say who accompanies members.
    Assign {
        /// The cohort.
        cohort: Code,
        /// The members.
        enterprises: Vec<Uscc>,
        /// `None`: as it is.
        street: Option<String>,
        /// `None`: as it is.
        officer: Option<Officer>,
    },
    /// Store rules.
    Rules {
        /// The file.
        source: String,
    },
    /// A step at one enterprise.
    At(Uscc, AtFirm),
}

/// A step at one enterprise. Ids are made at the edge.
#[derive(Clone, Debug)]
pub enum AtFirm {
    /// Record a finding.
    Find {
        /// Its id.
        id: Code,
        /// What it is about.
        area: Area,
        /// What was found.
        text: String,
        /// At which site.
        site: Option<String>,
        /// What proves it.
        proofs: Proofs,
    },
    /// Ask for help.
    Ask {
        /// Its id.
        id: Code,
        /// What is needed.
        text: String,
    },
    /// Answer a request.
    Reply {
        /// The request.
        request: Code,
        /// The answer.
        text: String,
    },
    /// Generate a list of services.
    List {
        /// Its id.
        id: Code,
        /// What the firm does.
        facts: Facts,
    },
    /// Write a plan.
    Draft {
        /// Its id.
        id: Code,
        /// What is to be done; without proofs.
        measures: Vec<Measure>,
        /// Its last day.
        until: Date,
    },
    /// A step of a plan.
    Plan(Code, OfPlan),
}

/// A step of a plan.
#[derive(Clone, Debug)]
pub enum OfPlan {
    /// The firm agrees.
    Agree,
    /// Another officer starts it.
    Start,
    /// Record a visit.
    Visit(Date, String),
    /// Record help with an application: subject and note.
    Help(String, String),
    /// Hand in a proof of a measure.
    Prove(Code, Proofs),
    /// Look at it again: measure, passed, note.
    Recheck(Code, bool, String),
    /// Everything was done.
    Close(String),
    /// Give it up.
    Fail(String),
}

pub(super) fn assist(
    world: &mut World,
    by: &Caller,
    step: &Assist,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    match step {
        Assist::Draw {
            id,
            title,
            list,
            members,
        } => draw(world, by, (id, title, *list), members, at),
        Assist::Assign {
            cohort,
            enterprises,
            street,
            officer,
        } => assign(world, cohort, enterprises, street.as_ref(), officer.as_ref()),
        Assist::Rules { source } => {
            ServiceRules::parse(source)?;
            let author = officer(by)?.clone();
            let version = world
                .rules
                .as_ref()
                .map_or(1, |rules| rules.version)
                .saturating_add(1);
            world.put_rules(StoredRules {
                version,
                source: source.clone(),
                author: Some(author),
                created_at: Some(at),
            });
            Ok((Answer::Rules(version), Vec::new()))
        }
        Assist::At(uscc, step) => at_firm(world, by, uscc, step, at),
    }
}

/// Rules as they are stored; of the shipped ones nobody is the author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRules {
    /// Counts up from 1, the shipped ones.
    pub version: u32,
    /// The file.
    pub source: String,
    /// Who stored them.
    pub author: Option<Officer>,
    /// When.
    pub created_at: Option<Timestamp>,
}

impl StoredRules {
    /// The rules until officers store their own.
    pub fn shipped() -> StoredRules {
        StoredRules {
            version: 1,
            source: ServiceRules::shipped().to_owned(),
            author: None,
            created_at: None,
        }
    }
}

fn officer(by: &Caller) -> Result<&Officer, Refusal> {
    by.officer().ok_or(Refusal::NotYours)
}

fn other_than(by: &Caller, first: &str) -> Result<Officer, Refusal> {
    let officer = officer(by)?;
    if officer.0 == first {
        Err(Refusal::SameOfficer(officer.clone()))
    } else {
        Ok(officer.clone())
    }
}

fn draw(
    world: &mut World,
    by: &Caller,
    (id, title, list): (&Code, &LocalizedText, CohortList),
    members: &[Uscc],
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    if world.cohorts.contains_key(id) {
        return Err(Wrong::CohortExists(id.clone()).into());
    }
    let mut drawn: Vec<Uscc> = Vec::with_capacity(members.len());
    for uscc in members {
        let class = world.firm(uscc)?.enterprise.profile.polluter_class;
        if !list.holds(class) {
            let said = ("名录中的企业", "enterprises of the list");
            return Err(Refusal::field("enterprises", said));
        }
        drawn.push(*uscc);
    }
    drawn.sort();
    drawn.dedup();
    if drawn.is_empty() {
        return Err(Wrong::CohortEmpty.into());
    }
    if drawn.len() > MAX_MEMBERS {
        let said = (
            "至多 2000 家企业，请分批",
            "at most 2000 enterprises; draw several cohorts",
        );
        return Err(Refusal::field("filter", said));
    }
    let member = |uscc| Member {
        uscc,
        street: None,
        officer: None,
    };
    let cohort = Cohort {
        id: id.clone(),
        title: title.clone(),
        list,
        created_at: at,
        creator: officer(by)?.clone(),
        members: drawn.into_iter().map(member).collect(),
    };
    Ok(put_cohort(world, cohort))
}

fn put_cohort(world: &mut World, cohort: Cohort) -> (Answer, Vec<Notice>) {
    let answer = Answer::Cohort(Box::new(cohort.clone()));
    world.changes.cohorts.insert(cohort.id.clone());
    world.cohorts.insert(cohort.id.clone(), cohort);
    (answer, Vec::new())
}

fn assign(
    world: &mut World,
    id: &Code,
    enterprises: &[Uscc],
    street: Option<&String>,
    officer: Option<&Officer>,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let cohort = world.cohorts.get(id).cloned();
    let mut cohort = cohort.ok_or_else(|| Wrong::CohortUnknown(format!("cohorts/{id}")))?;
    for uscc in enterprises {
        let member = cohort.members.iter_mut().find(|member| member.uscc == *uscc);
        let member = member.ok_or(Wrong::NotInCohort(*uscc))?;
        if let Some(street) = street {
            member.street = Some(street.clone());
        }
        if let Some(officer) = officer {
            member.officer = Some(officer.clone());
        }
    }
    Ok(put_cohort(world, cohort))
}

fn at_firm(
    world: &mut World,
    by: &Caller,
    uscc: &Uscc,
    step: &AtFirm,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let firm = world.firm(uscc)?.clone();
    let found = world.assistance.get(uscc).cloned();
    let mut one = found.unwrap_or_else(|| Assistance::new(*uscc));
    let mut notices = Vec::new();
    match step {
        AtFirm::Find {
            id,
            area,
            text,
            site,
            proofs,
        } => {
            let sites = || firm.enterprise.profile.sites.iter().map(|known| &known.code);
            if let Some(site) = site.as_ref().filter(|site| sites().all(|known| known != *site)) {
                return Err(Refusal::SiteUnknown {
                    site: site.clone(),
                    known: sites().cloned().collect(),
                });
            }
            one.findings.push(Finding {
                id: id.clone(),
                area: *area,
                text: text.clone(),
                site: site.clone(),
                proofs: proofs.clone(),
                by: officer(by)?.clone(),
                at,
                resolved_at: None,
            });
        }
        AtFirm::Ask { id, text } => one.requests.push(HelpRequest {
            id: id.clone(),
            text: text.clone(),
            by: by.principal(),
            at,
            answer: None,
        }),
        AtFirm::Reply { request, text } => {
            let request = one.requests.iter_mut().find(|known| known.id == *request);
            let request = request.ok_or(Wrong::RequestUnknown)?;
            if request.answer.is_some() {
                return Err(Wrong::RequestAnswered.into());
            }
            request.answer = Some(Answered {
                text: text.clone(),
                by: officer(by)?.clone(),
                at,
            });
        }
        AtFirm::List { id, facts } => {
            let stored = world.rules.clone().unwrap_or_else(StoredRules::shipped);
            let rules = ServiceRules::parse(&stored.source)?;
            let services = rules.services(&firm.enterprise.profile, facts, &one)?;
            one.lists.push(ServiceList {
                id: id.clone(),
                rules: stored.version,
                facts: facts.clone(),
                services,
                at,
                by: officer(by)?.clone(),
            });
        }
        AtFirm::Draft { id, measures, until } => {
            let plan = draft(&one, &firm, officer(by)?, (id, measures, *until), at)?;
            one.plans.push(plan);
        }
        AtFirm::Plan(id, step) => notices = of_plan(world, by, &firm, &mut one, (id, step), at)?,
    }
    let answer = Answer::Assistance(Box::new(one.clone()));
    world.changes.assistance.insert(*uscc);
    world.assistance.insert(*uscc, one);
    Ok((answer, notices))
}

fn draft(
    one: &Assistance,
    firm: &Firm,
    author: &Officer,
    (id, measures, until): (&Code, &[Measure], Date),
    at: Timestamp,
) -> Result<Plan, Refusal> {
    if let Some(open) = one.plans.iter().find(|plan| plan.state(at).is_open()) {
        return Err(Wrong::PlanExists(open.id.clone()).into());
    }
    for (position, measure) in measures.iter().enumerate() {
        let before = measures.iter().take(position);
        if before.clone().any(|other| other.code == measure.code) {
            return Err(Refusal::field(
                "plan.measures.code",
                ("互不相同", "different for each measure"),
            ));
        }
        for finding in &measure.findings {
            if !one.findings.iter().any(|known| known.id == *finding) {
                return Err(Wrong::FindingUnknown(finding.clone()).into());
            }
        }
        if measure.events.iter().any(|event| firm.event(event).is_none()) {
            return Err(Refusal::EventUnknown);
        }
        if measure.due < at.date() {
            return Err(Refusal::DateInPast {
                field: "plan.measures.due_date",
            });
        }
        if measure.due > until {
            let said = (
                "不早于各项措施的完成期限",
                "no earlier than the day of any measure",
            );
            return Err(Refusal::field("plan.end_date", said));
        }
    }
    Ok(Plan {
        id: id.clone(),
        measures: measures.to_vec(),
        until,
        author: author.clone(),
        created_at: at,
        agreed: None,
        started: None,
        ended: None,
        visits: Vec::new(),
        helps: Vec::new(),
    })
}

fn of_plan(
    world: &mut World,
    by: &Caller,
    firm: &Firm,
    one: &mut Assistance,
    (id, step): (&Code, &OfPlan),
    at: Timestamp,
) -> Result<Vec<Notice>, Refusal> {
    let plan = one.plan_mut(id)?;
    let needed = match step {
        OfPlan::Agree => PlanState::Drafted,
        OfPlan::Start => PlanState::Agreed,
        // A plan that nobody started can be given up as well.
        OfPlan::Fail(_) if plan.state(at).is_open() => plan.state(at),
        OfPlan::Visit(..)
        | OfPlan::Help(..)
        | OfPlan::Prove(..)
        | OfPlan::Recheck(..)
        | OfPlan::Close(_)
        | OfPlan::Fail(_) => PlanState::Running,
    };
    plan.needs(needed, at)?;
    let step_by = |by: String| Some(Step { by, at });
    match step {
        OfPlan::Agree => match by {
            Caller::Enterprise(_) => plan.agreed = step_by(by.principal()),
            Caller::Department { .. } | Caller::Public => return Err(Refusal::NotYours),
        },
        OfPlan::Start => {
            let starter = other_than(by, &plan.author.0)?;
            plan.started = step_by(starter.0);
            let plan = plan.clone();
            return rest(world, firm, &plan, true, at);
        }
        OfPlan::Visit(date, note) => {
            if *date > at.date() {
                return Err(Refusal::DateInFuture { field: "date" });
            }
            plan.visits.push(Visit {
                date: *date,
                note: note.clone(),
                by: officer(by)?.clone(),
                at,
            });
        }
        OfPlan::Help(subject, note) => plan.helps.push(ApplicationHelp {
            subject: subject.clone(),
            note: note.clone(),
            by: officer(by)?.clone(),
            at,
        }),
        OfPlan::Prove(code, proofs) => {
            let measure = plan.measure_mut(code)?;
            measure.needs(MeasureState::Open)?;
            measure.proofs.push(Proof {
                proofs: proofs.clone(),
                submitted: Step {
                    by: by.principal(),
                    at,
                },
                recheck: None,
            });
        }
        OfPlan::Recheck(code, passed, note) => {
            let checker = other_than(by, &plan.author.0)?;
            let measure = plan.measure_mut(code)?;
            measure.needs(MeasureState::Proved)?;
            if let Some(proof) = measure.proofs.last_mut() {
                other_than(by, &proof.submitted.by)?;
                proof.recheck = Some(Recheck {
                    passed: *passed,
                    note: note.clone(),
                    by: checker,
                    at,
                });
            }
        }
        OfPlan::Close(note) => {
            let open = plan
                .measures
                .iter()
                .filter(|measure| measure.state() != MeasureState::Done);
            let open: Vec<Code> = open.map(|measure| measure.code.clone()).collect();
            if !open.is_empty() {
                return Err(Wrong::MeasuresOpen(open).into());
            }
            return end(world, by, firm, one, id, (true, note), at);
        }
        OfPlan::Fail(reason) => return end(world, by, firm, one, id, (false, reason), at),
    }
    Ok(Vec::new())
}

/// Closed or failed: its points count again, and what it put right is resolved.
fn end(
    world: &mut World,
    by: &Caller,
    firm: &Firm,
    one: &mut Assistance,
    id: &Code,
    (closed, note): (bool, &str),
    at: Timestamp,
) -> Result<Vec<Notice>, Refusal> {
    let plan = one.plan_mut(id)?;
    let ran = plan.started.is_some();
    plan.ended = Some(Ending {
        closed,
        note: note.to_owned(),
        by: officer(by)?.clone(),
        at,
    });
    let plan = plan.clone();
    if closed {
        let named: Vec<&Code> = plan
            .measures
            .iter()
            .flat_map(|measure| &measure.findings)
            .collect();
        let open = one
            .findings
            .iter_mut()
            .filter(|finding| finding.resolved_at.is_none());
        for finding in open.filter(|finding| named.contains(&&finding.id)) {
            finding.resolved_at = Some(at);
        }
    }
    if ran {
        rest(world, firm, &plan, false, at)
    } else {
        Ok(Vec::new())
    }
}

/// The points of a plan's events rest from now to its end, or do so no longer. Whether the points of an event may rest is
/// the scheme's to say, whenever it is scored.
fn rest(
    world: &mut World,
    firm: &Firm,
    plan: &Plan,
    begins: bool,
    at: Timestamp,
) -> Result<Vec<Notice>, Refusal> {
    let mut firm = firm.clone();
    let mut changed = Vec::new();
    for event in &mut firm.events {
        if begins && plan.events().any(|named| *named == event.id) {
            event.suspensions.push(Suspension {
                plan: plan.id.clone(),
                from: at,
                until: plan.end(),
            });
            changed.push(event.clone());
        } else if !begins {
            let mut resting = event
                .suspensions
                .iter_mut()
                .filter(|one| one.plan == plan.id && one.until > at);
            if let Some(resting) = resting.next() {
                resting.until = at;
                changed.push(event.clone());
            }
        }
    }
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    let uscc = firm.enterprise.uscc;
    for event in &changed {
        world.changed_event(uscc, event);
    }
    let assessment = match &firm.rated {
        Some(rated) => {
            let stored = world.scheme(&rated.scheme)?;
            firm.rate(&stored.scheme, at)?
        }
        None => None,
    };
    let verb = if begins { "started" } else { "ended" };
    world.append(&firm, assessment, format!("plans/{} {verb}", plan.id));
    let notice = world.fact(&firm);
    world.put_firm(firm);
    Ok(vec![notice])
}
