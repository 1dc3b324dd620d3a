//! Long cases are decided by the version of the department's policy under which they began, if the caller says so.
//! Baseline and law are today's.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use greenstar_kernel::{Code, Timestamp};
use greenstar_rpc::names;
use tonic::Status;

use super::status;
use crate::domain::policy::Policy;
use crate::view::View;

/// So many pinned versions are kept compiled.
const KEPT: usize = 64;

/// A version that a caller names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pin {
    policy: Code,
    version: u32,
}

impl Pin {
    /// `None`: nothing is pinned.
    ///
    /// Errors: INVALID_ARGUMENT PIN_INVALID when it is no name of a version.
    pub(super) fn read(raw: &str) -> Result<Option<Pin>, Status> {
        if raw.is_empty() {
            return Ok(None);
        }
        let invalid = || status::pin_invalid(raw);
        let (policy, version) =
            names::nested("policy_version", raw, "policies", "versions").map_err(|_| invalid())?;
        let plain = !version.starts_with('0') && version.bytes().all(|byte| byte.is_ascii_digit());
        let policy = Code::parse(policy).map_err(|_| invalid())?;
        let version = version.parse().ok().filter(|_| plain).ok_or_else(invalid)?;
        Ok(Some(Pin { policy, version }))
    }
}

/// `policies/{policy}/versions/{version}`
impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policies/{}/versions/{}", self.policy, self.version)
    }
}

/// Pinned versions, each compiled with what else is in force. Readers take no lock.
#[derive(Debug, Default)]
pub(crate) struct Pins(ArcSwap<Vec<Compiled>>);

#[derive(Clone, Debug)]
struct Compiled {
    pin: Pin,
    /// What else was in force: the same for as long as nothing is published.
    today: Arc<Policy>,
    policy: Arc<Policy>,
}

impl Pins {
    /// `today` with the pinned version in the place of the one in force, to answer the matter `asked`: its department
    /// and code. A version that was in force before may be pinned, not one that is still to come.
    ///
    /// Errors: INVALID_ARGUMENT PIN_INVALID, also where the version does not fit the catalogue in force.
    pub(super) fn policy(
        &self,
        pin: &Pin,
        today: &Arc<Policy>,
        asked: (&str, &str),
        view: &View,
        as_of: Timestamp,
    ) -> Result<Arc<Policy>, Status> {
        let (department, matter) = asked;
        // Another policy of the bundle cannot answer this matter, in no version.
        let is_its_own = |policy: &Policy| {
            let of_matter = policy.matter(department, matter).map(|matter| matter.policy());
            of_matter.map(|tag| tag.rsplit_once('@').map_or(tag, |(name, _)| name) == pin.policy.as_str())
        };
        if is_its_own(today) == Some(false) {
            return Err(status::pin_invalid(pin));
        }
        let kept = self.0.load();
        let same = |kept: &&Compiled| kept.pin == *pin && Arc::ptr_eq(&kept.today, today);
        let policy = match kept.iter().find(same) {
            Some(kept) => kept.policy.clone(),
            None => self.compile(pin, today, view, as_of)?,
        };
        // The matter may be younger than the version.
        if is_its_own(&policy) == Some(true) {
            Ok(policy)
        } else {
            Err(status::pin_invalid(pin))
        }
    }

    fn compile(
        &self,
        pin: &Pin,
        today: &Arc<Policy>,
        view: &View,
        as_of: Timestamp,
    ) -> Result<Arc<Policy>, Status> {
        let document = view
            .once_in_force(pin.policy.as_str(), pin.version, as_of)
            .ok_or_else(|| status::pin_invalid(pin))?;
        let policy = today
            .with_version(&document, Some(pin.version))
            .map_err(|errors| {
                tracing::info!(%errors, %pin, "a pinned version does not fit what is in force");
                status::pin_unfit(pin)
            })?;
        let made = Compiled {
            pin: pin.clone(),
            today: today.clone(),
            policy: Arc::new(policy),
        };
        self.0.rcu(|kept| {
            let of_today = kept.iter().filter(|kept| Arc::ptr_eq(&kept.today, today));
            let newest: Vec<Compiled> = of_today.cloned().collect();
            let spare = (newest.len() + 1).saturating_sub(KEPT);
            let mut newest: Vec<Compiled> = newest.into_iter().skip(spare).collect();
            newest.push(made.clone());
            newest
        });
        Ok(made.policy)
    }
}

#[cfg(test)]
mod tests {
    use greenstar_rpc::reason_of;

    use super::*;

    #[test]
    fn a_pin_is_written_one_way_only() {
        let pin = Pin::read("policies/licensing-default/versions/12")
            .unwrap()
            .unwrap();
        assert_eq!(pin.to_string(), "policies/licensing-default/versions/12");
        assert_eq!(Pin::read("").unwrap(), None);
        for raw in [
            "licensing-default@1",
            "policies/licensing-default",
            "policies/licensing-default/versions/",
            "policies/licensing-default/versions/0",
            "policies/licensing-default/versions/+1",
            "policies/licensing-default/versions/4294967296",
            "policies//versions/1",
        ] {
            let refused = Pin::read(raw).unwrap_err();
            assert_eq!(reason_of(&refused).as_deref(), Some("PIN_INVALID"), "{raw}");
        }
    }
}
