//! Enterprises.

use greenstar_kernel::Uscc;

use super::{Answer, Notice, World};
use crate::domain::enterprise::{Change, Enterprise, Profile};
use crate::domain::error::Refusal;
use crate::domain::firm::Firm;

pub(super) fn create(
    world: &mut World,
    uscc: &Uscc,
    profile: &Profile,
) -> Result<(Answer, Vec<Notice>), Refusal> {
    if world.firms.contains_key(uscc) {
        return Err(Refusal::EnterpriseExists(*uscc));
    }
    let enterprise = Enterprise {
        uscc: *uscc,
        profile: profile.clone(),
        etag: 1,
    };
    Ok(store(world, Firm::new(enterprise)))
}

pub(super) fn update(
    world: &mut World,
    uscc: &Uscc,
    etag: &str,
    changes: &[Change],
) -> Result<(Answer, Vec<Notice>), Refusal> {
    let mut firm = world.firm(uscc)?.clone();
    let current = firm.enterprise.etag.to_string();
    if etag.is_empty() {
        return Err(Refusal::EtagMissing { current });
    }
    if current != etag {
        return Err(Refusal::EtagMismatch { current });
    }
    let before = firm.enterprise.profile.district.clone();
    for change in changes {
        firm.enterprise.profile.apply(change.clone());
    }
    firm.enterprise.etag += 1;
    // A site with events cannot go: they happened there.
    let sites = &firm.enterprise.profile.sites;
    let lost = firm
        .events
        .iter()
        .filter_map(|event| event.site.as_ref())
        .find(|site| !sites.iter().any(|kept| kept.code == **site));
    if let Some(site) = lost {
        return Err(Refusal::SiteUnknown {
            site: site.clone(),
            known: sites.iter().map(|kept| kept.code.clone()).collect(),
        });
    }
    let moved = (firm.enterprise.profile.district != before).then_some(before);
    let (answer, mut notices) = store(world, firm);
    for notice in &mut notices {
        if let Notice::Fact(fact) = notice {
            fact.moved_from = moved.clone();
        }
    }
    Ok((answer, notices))
}

fn store(world: &mut World, firm: Firm) -> (Answer, Vec<Notice>) {
    let answer = Answer::Enterprise(firm.enterprise.clone());
    let notice = world.fact(&firm);
    world.put_firm(firm);
    (answer, vec![notice])
}
