//! Rounds from enrolment to the published directory.

use std::collections::{BTreeMap, BTreeSet};

use greenstar_kernel::{Caller, Code, LocalizedText, Points, Standing, Star, Timestamp, Uscc};

use super::{Answer, Notice, World};
use crate::domain::activation::in_force;
use crate::domain::error::Refusal;
use crate::domain::event::Evidence;
use crate::domain::firm::Rated;
use crate::domain::round::{
    Claim, Declaration, DirectoryLine, Enrolment, MAX_ENROLLED, Publication, Round, RoundState, Verdict,
};
use crate::domain::scheme::{Item, Scheme, SchemeKey};
use crate::domain::score::{Grant, GrantError};

pub(super) fn create(
    world: &mut World,
    id: &Code,
    title: &LocalizedText,
    scheme: &SchemeKey,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    world.scheme(scheme)?;
    // Until a scheme is activated for the first time, any of its versions may be tried.
    let in_force = in_force(&world.activations, &scheme.id, at);
    if let Some(in_force) = in_force.filter(|in_force| in_force.key != *scheme) {
        return Err(Refusal::SchemeNotInForce {
            in_force: in_force.key.clone(),
        });
    }
    if world.rounds.contains_key(id) {
        return Err(Refusal::RoundExists(id.clone()));
    }
    let round = Round {
        id: id.clone(),
        title: title.clone(),
        scheme: scheme.clone(),
        state: RoundState::Draft,
        created_at: at,
        enrolled: 0,
        publication: None,
    };
    Ok(store(world, round))
}

pub(super) fn enrol(
    world: &mut World,
    id: &Code,
    enterprises: &[Uscc],
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
    let enrolled = u32::try_from(new.len())
        .unwrap_or(u32::MAX)
        .saturating_add(round.enrolled);
    if enrolled > MAX_ENROLLED {
        return Err(Refusal::RoundTooLarge {
            enrolled: round.enrolled,
        });
    }
    round.enrolled = enrolled;
    for uscc in new {
        world.put_enrolment(id, uscc, Enrolment::default());
    }
    Ok(store(world, round))
}

pub(super) fn declare(
    world: &mut World,
    by: &Caller,
    id: &Code,
    uscc: &Uscc,
    claims: &[Claim],
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut round = open(
        world,
        id,
        &[RoundState::Draft, RoundState::Declaring],
        "DRAFT or DECLARING",
    )?;
    let mut enrolment = enrolment(world, id, uscc)?;
    let stored = world.scheme(&round.scheme)?;
    once(claims.iter().map(|claim| &claim.item))?;
    for claim in claims {
        fits(&stored.scheme, claim)?;
    }
    let (by, claims) = (by.principal(), claims.to_vec());
    let items = u32::try_from(claims.len()).unwrap_or(u32::MAX);
    enrolment.declaration = Some(Declaration {
        by,
        at,
        claims,
        verdicts: BTreeMap::new(),
    });
    world.put_enrolment(id, *uscc, enrolment);
    let mut notices = vec![Notice::Declaration(id.clone(), *uscc)];
    if round.state != RoundState::Declaring {
        round.state = RoundState::Declaring;
        notices.extend(store(world, round).1);
    }
    Ok((Answer::Items(items), notices))
}

pub(super) fn verify(
    world: &mut World,
    by: &Caller,
    id: &Code,
    uscc: &Uscc,
    verdicts: &[(Code, Grant, String)],
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
    once(verdicts.iter().map(|(item, _, _)| item))?;
    let items = {
        let claimed = |item: &Code| {
            let declared = enrolment.declaration.as_ref();
            declared.is_some_and(|declaration| declaration.claims.iter().any(|claim| claim.item == *item))
        };
        for (item, grant, _) in verdicts {
            grant.worth(&stored.scheme, item)?;
            if !claimed(item) {
                return Err(Refusal::NotClaimed(item.clone()));
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
            };
            declaration.verdicts.insert(item.clone(), verdict);
        }
        u32::try_from(declaration.verdicts.len()).unwrap_or(u32::MAX)
    };
    world.put_enrolment(id, *uscc, enrolment);
    let mut notices = vec![Notice::Declaration(id.clone(), *uscc)];
    if round.state != RoundState::Verifying {
        round.state = RoundState::Verifying;
        notices.extend(store(world, round).1);
    }
    Ok((Answer::Items(items), notices))
}

/// Everyone enrolled is scored before anything is changed, so a refusal publishes nothing. Publishing approves
/// what was verified: whoever wrote a verdict that stands leaves it to another officer (protocol.md §9).
pub(super) fn publish(
    world: &mut World,
    by: &Caller,
    id: &Code,
    approval: &str,
    at: Timestamp,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut round = open(world, id, &[RoundState::Verifying], "VERIFYING")?;
    let officer = by.officer().ok_or(Refusal::NotYours)?;
    let cohort = || world.enrolments.iter().filter(|((round, _), _)| round == id);
    let verified = |enrolment: &Enrolment| {
        let declared = enrolment.declaration.as_ref();
        declared.is_some_and(|declaration| {
            declaration
                .verdicts
                .values()
                .any(|verdict| verdict.by == *officer)
        })
    };
    if cohort().any(|(_, enrolment)| verified(enrolment)) {
        return Err(Refusal::SameOfficer(officer.clone()));
    }
    let stored = world.scheme(&round.scheme)?;
    let scheme = &stored.scheme;
    let valid_until = at.date().term_end(scheme.valid);
    let mut firms = Vec::new();
    for ((_, uscc), enrolment) in cohort() {
        let mut firm = world.firm(uscc)?.clone();
        let before = firm.rated.as_ref().map_or(0, |rated| rated.version);
        // An authority that has not decided yet is not overtaken by a round.
        let suspended = firm.rated.as_ref().and_then(|rated| rated.suspended.clone());
        firm.rated = Some(Rated {
            version: before,
            round: id.clone(),
            scheme: round.scheme.clone(),
            awards: enrolment
                .declaration
                .as_ref()
                .map(Declaration::awards)
                .unwrap_or_default(),
            valid_until,
            rated_at: at,
            standing: Standing::NotRated,
            total: Points::ZERO,
            categories: Vec::new(),
            next: None,
            suspended,
        });
        let assessment = firm.rate(scheme, at)?;
        firms.push((firm, assessment));
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
    round.state = RoundState::Published;
    round.publication = Some(Publication {
        at,
        valid_until,
        approval: approval.to_owned(),
        listed,
    });
    let (answer, moved) = store(world, round);
    notices.extend(moved);
    Ok((answer, notices))
}

fn open(world: &World, id: &Code, states: &[RoundState], needed: &'static str) -> Result<Round, Refusal> {
    let round = world.round(id)?;
    if states.contains(&round.state) {
        Ok(round.clone())
    } else {
        Err(Refusal::RoundState {
            state: round.state,
            needed,
        })
    }
}

fn enrolment(world: &World, id: &Code, uscc: &Uscc) -> Result<Enrolment, Refusal> {
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

fn store(world: &mut World, round: Round) -> (Answer, Vec<Notice>) {
    let answer = Answer::Round(round.clone());
    let notice = Notice::Round(round.id.clone(), round.state);
    world.put_round(round);
    (answer, vec![notice])
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
        };
        let firms = ["91110115MAX000015J", "91110115MAX000023D"].map(registered);
        let codes = firms.each_ref().map(|firm| firm.enterprise.uscc);
        let mut world = World::default();
        world.rounds.insert(id.clone(), round);
        world.firms.extend(firms.map(|firm| (firm.enterprise.uscc, firm)));

        let over = enrol(&mut world, &id, &codes);
        let enrolled = MAX_ENROLLED - 1;
        assert_eq!(over.unwrap_err(), Refusal::RoundTooLarge { enrolled });
        assert!(world.enrolments.is_empty());
        // Named twice, and again: it takes one place.
        for _ in 0..2 {
            enrol(&mut world, &id, &[codes[0], codes[0]]).unwrap();
            assert_eq!(world.round(&id).unwrap().enrolled, MAX_ENROLLED);
        }
        let enrolled = MAX_ENROLLED;
        assert_eq!(
            enrol(&mut world, &id, &codes[1..]).unwrap_err(),
            Refusal::RoundTooLarge { enrolled }
        );
    }
}
