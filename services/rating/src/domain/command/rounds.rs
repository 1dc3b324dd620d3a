//! Rounds from enrolment to the published directory.

use std::collections::{BTreeMap, BTreeSet};

use greenstar_kernel::{Caller, Code, Date, LocalizedText, Standing, Star, Timestamp, Uscc};

use super::proceed::{self, open, store};
use super::{Answer, Notice, World};
use crate::domain::activation::in_force;
use crate::domain::course::{Course, StepKind};
use crate::domain::error::{Refusal, RoundRefusal};
use crate::domain::event::Evidence;
use crate::domain::outcome;
use crate::domain::round::{
    Claim, Declaration, DirectoryLine, Enrolment, MAX_ENROLLED, Publication, Round, RoundState, Verdict,
};
use crate::domain::scheme::{Item, Scheme, SchemeKey};
use crate::domain::score::{Grant, GrantError};

/// What a round is begun with.
#[derive(Clone, Debug)]
pub struct NewRound {
    /// Its id.
    pub id: Code,
    /// Its title.
    pub title: LocalizedText,
    /// Its scheme.
    pub scheme: SchemeKey,
    /// The published round whose yearly review it is.
    pub review_of: Option<Code>,
    /// Last day on which enterprises declare.
    pub declare_by: Option<Date>,
}

pub(super) fn create(
    world: &mut World,
    by: &Caller,
    new: &NewRound,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    world.scheme(&new.scheme)?;
    // Until a scheme is activated for the first time, any of its versions may be tried.
    let in_force = in_force(&world.activations, &new.scheme.id, at);
    if let Some(in_force) = in_force.filter(|in_force| in_force.key != new.scheme) {
        return Err(Refusal::SchemeNotInForce {
            in_force: in_force.key.clone(),
        });
    }
    if world.rounds.contains_key(&new.id) {
        return Err(Refusal::RoundExists(new.id.clone()));
    }
    if let Some(reviewed) = &new.review_of {
        let reviewed = world.round(reviewed)?;
        if reviewed.state != RoundState::Published {
            return Err(Refusal::RoundState {
                state: reviewed.state,
                needed: "PUBLISHED",
            });
        }
    }
    if new.declare_by.is_some_and(|day| day < at.date()) {
        return Err(Refusal::field(
            "declare_by_date",
            ("今天或以后的日期", "today or later"),
        ));
    }
    let mut round = Round {
        id: new.id.clone(),
        title: new.title.clone(),
        scheme: new.scheme.clone(),
        state: RoundState::Draft,
        created_at: at,
        enrolled: 0,
        publication: None,
        course: Box::new(Course {
            review_of: new.review_of.clone(),
            declare_by: new.declare_by,
            ..Course::default()
        }),
    };
    let basis = new.scheme.to_string();
    world.step(&mut round, StepKind::Created, by, None, basis, at);
    Ok(store(world, round))
}

pub(super) fn enrol(
    world: &mut World,
    by: &Caller,
    id: &Code,
    enterprises: &[Uscc],
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut round = open(
        world,
        id,
        &[RoundState::Draft, RoundState::Declaring],
        "DRAFT or DECLARING",
    )?;
    for uscc in enterprises {
        world.firm(uscc)?;
    }
    // Named twice is enrolled once.
    let new: BTreeSet<Uscc> = enterprises
        .iter()
        .filter(|uscc| !world.enrolments.contains_key(&(id.clone(), **uscc)))
        .copied()
        .collect();
    // Two rounds at once would publish one after the other what neither knew of the other.
    let elsewhere = world.enrolments.keys().find(|(other, uscc)| {
        let open = || world.rounds.get(other).is_some_and(Round::is_open);
        other != id && new.contains(uscc) && open()
    });
    if let Some((other, uscc)) = elsewhere {
        return Err(Refusal::Round(RoundRefusal::EnrolledElsewhere {
            uscc: *uscc,
            round: other.clone(),
        }));
    }
    let enrolled = u32::try_from(new.len())
        .unwrap_or(u32::MAX)
        .saturating_add(round.enrolled);
    if enrolled > MAX_ENROLLED {
        return Err(Refusal::RoundTooLarge {
            enrolled: round.enrolled,
        });
    }
    round.enrolled = enrolled;
    let basis = format!("{} enterprises", new.len());
    for uscc in new {
        world.put_enrolment(id, uscc, Enrolment::default());
    }
    world.step(&mut round, StepKind::Enrolled, by, None, basis, at);
    Ok(store(world, round))
}

/// While enterprises declare, or when one was sent back; not after its last day.
pub(super) fn declare(
    world: &mut World,
    by: &Caller,
    id: &Code,
    uscc: &Uscc,
    claims: &[Claim],
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let known = world.enrolments.get(&(id.clone(), *uscc));
    let returned = known.and_then(|enrolment| enrolment.returned.clone());
    let (states, needed): (&[RoundState], _) = match returned {
        Some(_) => (
            &[RoundState::Declaring, RoundState::Verifying],
            "DECLARING or VERIFYING",
        ),
        None => (&[RoundState::Draft, RoundState::Declaring], "DRAFT or DECLARING"),
    };
    let mut round = open(world, id, states, needed)?;
    let mut enrolment = enrolment(world, id, uscc)?;
    let deadline = match &returned {
        Some(returned) => Some(returned.due),
        None => round.course.declare_by.map(|day| day.plus_days(1).start()),
    };
    if let Some(deadline) = deadline.filter(|deadline| at >= *deadline) {
        return Err(Refusal::Round(RoundRefusal::DeadlinePassed { deadline }));
    }
    let stored = world.scheme(&round.scheme)?;
    once(claims.iter().map(|claim| &claim.item))?;
    for claim in claims {
        fits(&stored.scheme, claim)?;
    }
    let claims = claims.to_vec();
    let items = u32::try_from(claims.len()).unwrap_or(u32::MAX);
    round.course.declared += u32::from(enrolment.declaration.is_none());
    round.course.returned.retain(|due| due.uscc != *uscc);
    enrolment.returned = None;
    enrolment.declaration = Some(Declaration {
        by: by.principal(),
        at,
        claims,
        verdicts: BTreeMap::new(),
    });
    world.put_enrolment(id, *uscc, enrolment);
    let basis = format!("{items} items");
    world.step(&mut round, StepKind::Declared, by, Some(*uscc), basis, at);
    let moved = round.state == RoundState::Draft;
    if moved {
        round.state = RoundState::Declaring;
    }
    let mut notices = vec![Notice::Declaration(id.clone(), *uscc)];
    let (_, told) = store(world, round);
    notices.extend(told.into_iter().filter(|_| moved));
    Ok((Answer::Items(items), notices))
}

pub(super) fn verify(
    world: &mut World,
    by: &Caller,
    id: &Code,
    uscc: &Uscc,
    verdicts: &[(Code, Grant, String)],
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut round = open(
        world,
        id,
        &[RoundState::Declaring, RoundState::Verifying],
        "DECLARING or VERIFYING",
    )?;
    let mut enrolment = enrolment(world, id, uscc)?;
    let Some(officer) = by.officer() else {
        return Err(Refusal::NotYours);
    };
    let stored = world.scheme(&round.scheme)?;
    let scheme = &stored.scheme;
    // The first verdict ends the time to declare for everyone, so it waits for that time or for the last of them.
    let declaring = round.state == RoundState::Declaring;
    let until = round.course.declare_by.map(|day| day.plus_days(1).start());
    if let Some(earliest) = until.filter(|until| declaring && at < *until)
        && round.course.declared < round.enrolled
    {
        return Err(Refusal::Round(RoundRefusal::TooEarly { earliest }));
    }
    if let Some(returned) = enrolment.returned.as_ref().filter(|returned| at < returned.due) {
        return Err(Refusal::Round(RoundRefusal::TooEarly {
            earliest: returned.due,
        }));
    }
    once(verdicts.iter().map(|(item, _, _)| item))?;
    let items = {
        for (item, grant, _) in verdicts {
            let worth = grant.worth(scheme, item)?;
            let declared = enrolment.declaration.as_ref();
            let claim = declared.and_then(|known| known.claims.iter().find(|claim| claim.item == *item));
            let claim = claim.ok_or_else(|| Refusal::NotClaimed(item.clone()))?;
            if let Some(most) = outcome::most(scheme, claim).filter(|most| worth > *most) {
                return Err(Refusal::Round(RoundRefusal::EvidenceTooWeak {
                    item: item.clone(),
                    most,
                }));
            }
        }
        let Some(declaration) = &mut enrolment.declaration else {
            return Err(Refusal::NotEnrolled(*uscc));
        };
        if declaration.by == officer.0 {
            return Err(Refusal::SameOfficer(officer.clone()));
        }
        for (item, grant, note) in verdicts {
            let verdict = Verdict {
                grant: grant.clone(),
                note: note.clone(),
                by: officer.clone(),
                confirmed_by: None,
            };
            declaration.verdicts.insert(item.clone(), verdict);
        }
        u32::try_from(declaration.verdicts.len()).unwrap_or(u32::MAX)
    };
    // Not handed in again in time: what there is was verified.
    enrolment.returned = None;
    world.put_enrolment(id, *uscc, enrolment);
    let course = &mut round.course;
    course.returned.retain(|due| due.uscc != *uscc);
    course.verifiers.insert(officer.clone());
    // Whoever was told before was told of other points.
    course.noticed = None;
    let mut notices = vec![Notice::Declaration(id.clone(), *uscc)];
    if declaring {
        round.state = RoundState::Verifying;
        round.course.verify_by = Some(scheme.procedure.verification.deadline(at.date()));
    }
    let basis = format!("{} items", verdicts.len());
    world.step(&mut round, StepKind::Verified, by, Some(*uscc), basis, at);
    let (_, told) = store(world, round);
    notices.extend(told.into_iter().filter(|_| declaring));
    Ok((Answer::Items(items), notices))
}

/// Everyone enrolled is scored before anything is changed, so a refusal publishes nothing. Publishing approves
/// what was verified: whoever wrote or confirmed a verdict leaves it to another officer (protocol.md §9).
pub(super) fn publish(
    world: &mut World,
    by: &Caller,
    id: &Code,
    approval: &str,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut round = world.round(id)?.clone();
    let stored = world.scheme(&round.scheme)?;
    let scheme = &stored.scheme;
    proceed::may_publish(&round, &scheme.procedure, by, approval, at)?;
    let cohort = || world.enrolments.iter().filter(|((round, _), _)| round == id);
    let valid_until = at.date().term_end(scheme.valid);
    let mut firms = Vec::new();
    for ((_, uscc), enrolment) in cohort() {
        firms.push(outcome::rated_anew(
            world.firm(uscc)?,
            &round,
            enrolment,
            scheme,
            at,
        )?);
    }

    let mut notices = Vec::with_capacity(firms.len() + 1);
    let mut counts: BTreeMap<Star, u32> = BTreeMap::new();
    for (firm, assessment) in firms {
        let profile = &firm.enterprise.profile;
        if let Standing::Rated(star) = firm.standing() {
            *counts.entry(star).or_default() += 1;
            let line = DirectoryLine {
                uscc: firm.enterprise.uscc,
                name: profile.name.clone(),
                star,
                district: profile.district.clone(),
                sector: profile.sector.clone(),
            };
            world.changes.directory.push((id.clone(), line));
        }
        world.append(&firm, assessment, format!("rounds/{id}"));
        notices.push(world.fact(&firm));
        world.put_firm(firm);
    }
    let listed = counts.into_iter().rev().collect();
    let recorded = round.course.approval.as_ref();
    let approval = recorded.map_or_else(|| approval.to_owned(), |known| known.document.number.clone());
    round.state = RoundState::Published;
    round.publication = Some(Publication {
        at,
        valid_until,
        approval: approval.clone(),
        listed,
    });
    world.step(&mut round, StepKind::Published, by, None, approval, at);
    let (answer, moved) = store(world, round);
    notices.extend(moved);
    Ok((answer, notices))
}

pub(super) fn enrolment(world: &World, id: &Code, uscc: &Uscc) -> Result<Enrolment, Refusal> {
    let found = world.enrolments.get(&(id.clone(), *uscc));
    found.cloned().ok_or(Refusal::NotEnrolled(*uscc))
}

fn once<'a>(items: impl Iterator<Item = &'a Code>) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for item in items {
        if !seen.insert(item) {
            return Err(Refusal::ItemTwice(item.clone()));
        }
    }
    Ok(())
}

fn fits(scheme: &Scheme, claim: &Claim) -> Result<(), Refusal> {
    claim.grant.worth(scheme, &claim.item)?;
    let item: &Item = scheme
        .item(&claim.item)
        .ok_or_else(|| GrantError::ItemUnknown(claim.item.clone()))?;
    if claim.evidence.is_empty() {
        return Err(Refusal::field(
            "claims.evidence",
            ("至少一项证据", "at least one piece of evidence"),
        ));
    }
    accepted(claim.evidence.iter(), &item.evidence)
}

/// Every piece of proof is of a kind that is taken.
pub(super) fn accepted<'a>(
    evidence: impl Iterator<Item = &'a Evidence>,
    allowed: &[Code],
) -> Result<(), Refusal> {
    for piece in evidence {
        if !allowed.contains(&piece.kind) {
            return Err(Refusal::EvidenceNotAccepted {
                evidence: piece.kind.clone(),
                allowed: allowed.to_vec(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::enterprise::{District, Enterprise, PolluterClass, Profile, Sector, sites};
    use crate::domain::firm::Firm;

    fn registered(code: &str) -> Firm {
        Firm::new(Enterprise {
            uscc: code.parse().unwrap(),
            profile: Profile {
                name: LocalizedText::new("甲", "A"),
                district: District::parse("110115").unwrap(),
                sector: Sector::parse("C2319").unwrap(),
                polluter_class: PolluterClass::Key,
                sites: sites(Vec::new()).unwrap(),
            },
            etag: 1,
        })
    }

    #[test]
    fn a_round_is_filled_to_its_limit_and_not_beyond() {
        let id = Code::parse("spring").unwrap();
        let round = Round {
            id: id.clone(),
            title: LocalizedText::new("春", "Spring"),
            scheme: SchemeKey::new(Code::parse("scheme").unwrap(), "1").unwrap(),
            state: RoundState::Draft,
            created_at: Timestamp::from_micros(0),
            enrolled: MAX_ENROLLED - 1,
            publication: None,
            course: Box::default(),
        };
        let firms = ["91110115MAX000015J", "91110115MAX000023D"].map(registered);
        let codes = firms.each_ref().map(|firm| firm.enterprise.uscc);
        let (mut world, at) = (World::default(), Timestamp::from_micros(0));
        world.rounds.insert(id.clone(), round);
        world.firms.extend(firms.map(|firm| (firm.enterprise.uscc, firm)));

        let over = enrol(&mut world, &Caller::Public, &id, &codes, at);
        let enrolled = MAX_ENROLLED - 1;
        assert_eq!(over.unwrap_err(), Refusal::RoundTooLarge { enrolled });
        assert!(world.enrolments.is_empty());
        // Named twice, and again: it takes one place.
        for _ in 0..2 {
            enrol(&mut world, &Caller::Public, &id, &[codes[0], codes[0]], at).unwrap();
            assert_eq!(world.round(&id).unwrap().enrolled, MAX_ENROLLED);
        }
        let enrolled = MAX_ENROLLED;
        assert_eq!(
            enrol(&mut world, &Caller::Public, &id, &codes[1..], at).unwrap_err(),
            Refusal::RoundTooLarge { enrolled }
        );
    }
}
