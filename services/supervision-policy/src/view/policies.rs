//! The policies, compiled against the catalogue: what is in force and what is to come, so that time alone switches
//! from one to the next at its instant, on every replica alike. All of it is swapped as one, so that no answer
//! mixes two versions.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwapOption, Guard};
use greenstar_kernel::{Code, Position, Timestamp};

use crate::domain::analysis::{Examination, examine, unfair_under};
use crate::domain::catalogue::Catalogue;
use crate::domain::policy::{Document, Policy, PolicyErrors, evaluates};

/// So many switches are compiled ahead; those behind them when time has come closer.
const AHEAD: usize = 8;

/// One version of a policy. Of those whose instant has come the last counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// By the name of its policy.
    pub(crate) document: Document,
    /// Counts up with every version of the policy.
    pub(crate) number: u32,
    /// The rules of evaluation that it is pinned to.
    pub(crate) evaluator: String,
    pub(crate) effective_at: Timestamp,
}

/// One edition of the catalogue. Of those whose instant has come the one with the latest counts.
#[derive(Clone, Debug)]
pub(crate) struct Edition {
    /// `catalogues/{edition}`
    pub(crate) name: Arc<str>,
    pub(crate) from: Timestamp,
    /// As it came, to keep and to compare.
    pub(crate) source: Arc<[u8]>,
    /// `None`: it cannot be read.
    pub(crate) catalogue: Option<Arc<Catalogue>>,
}

/// What decisions are computed by from an instant on.
#[derive(Clone, Debug)]
pub(crate) struct Ruling {
    from: Timestamp,
    /// The policies in force.
    pub(crate) versions: Vec<Version>,
    /// `None`: nothing could be compiled yet.
    pub(crate) policy: Option<Arc<Policy>>,
    /// False: `policy` is an earlier one, because what is in force could not be compiled. It says
    /// which matters there are; it decides nothing (P10).
    pub(crate) sound: bool,
}

/// Rulings in the order of time.
#[derive(Debug)]
pub(crate) struct Rulings {
    /// Of the policy log.
    pub(crate) applied: Position,
    first: Ruling,
    later: Vec<Ruling>,
}

impl Rulings {
    /// What decides at this instant.
    pub(crate) fn at(&self, instant: Timestamp) -> &Ruling {
        let come = self.later.iter().rev().find(|ruling| ruling.from <= instant);
        come.unwrap_or(&self.first)
    }

    /// False: there is nothing to decide by yet.
    pub(super) fn is_usable(&self) -> bool {
        self.first.policy.is_some()
    }
}

#[derive(Debug, Default)]
struct Inputs {
    versions: Option<(Position, Arc<[Version]>)>,
    /// In the order of their coming.
    editions: Vec<Edition>,
}

impl Inputs {
    /// The edition that counts at this instant; the first there will be if none does.
    fn edition(&self, instant: Timestamp) -> Option<&Edition> {
        let come = self.editions.iter().filter(|edition| edition.from <= instant);
        let first = || self.editions.iter().min_by_key(|edition| edition.from);
        come.max_by_key(|edition| edition.from).or_else(first)
    }

    /// Instants after `now` at which something else counts, the next ones only.
    fn switches(&self, now: Timestamp) -> Vec<Timestamp> {
        let versions = self.versions.iter().flat_map(|(_, versions)| versions.iter());
        let versions = versions.map(|version| version.effective_at);
        let editions = self.editions.iter().map(|edition| edition.from);
        let mut instants: Vec<_> = versions.chain(editions).filter(|from| *from > now).collect();
        instants.sort_unstable();
        instants.dedup();
        instants.truncate(AHEAD);
        instants
    }
}

#[derive(Debug)]
pub(super) struct Policies {
    rulings: ArcSwapOption<Rulings>,
    inputs: Mutex<Inputs>,
}

impl Policies {
    pub(super) fn new() -> Policies {
        Policies {
            rulings: ArcSwapOption::empty(),
            inputs: Mutex::default(),
        }
    }

    /// `None` before the policies were read.
    pub(super) fn read(&self) -> Guard<Option<Arc<Rulings>>> {
        self.rulings.load()
    }

    /// The policy log has moved on to `at` and published nothing.
    pub(super) fn move_to(&self, at: Position) {
        let mut inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((applied, _)) = &mut inputs.versions {
            applied.clone_from(&at);
        }
        if let Some(Rulings { first, later, .. }) = self.read().as_deref() {
            self.rulings.store(Some(Arc::new(Rulings {
                applied: at,
                first: first.clone(),
                later: later.clone(),
            })));
        }
    }

    /// A text as the version `number` of its policy among what counts at `instant`, examined: with how far the policy
    /// log is applied. `None` before policies and catalogue were read.
    ///
    /// # Errors
    /// Faults of this text. Those of others that do not fit the catalogue of that instant are theirs to put right; while
    /// there are some, nothing can be said about what all answer together.
    pub(super) fn candidate(
        &self,
        name: &Code,
        text: String,
        number: u32,
        instant: Timestamp,
    ) -> Option<Result<(Position, Examination), PolicyErrors>> {
        let document = Document {
            name: name.to_string(),
            text,
        };
        let (applied, others, catalogue) = {
            let inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
            let (applied, versions) = inputs.versions.as_ref()?;
            let catalogue = inputs.edition(instant)?.catalogue.clone()?;
            (applied.clone(), in_force(versions, instant), catalogue)
        };
        let before = self.read().as_deref().and_then(|rulings| {
            let ruling = rulings.at(instant);
            let same = ruling.sound && ruling.versions == others;
            ruling.policy.clone().filter(|_| same)
        });
        let others = others.iter().filter(|other| other.document.name != document.name);
        let bundle = others.map(|other| (&other.document, Some(other.number)));
        let bundle = bundle.chain(std::iter::once((&document, Some(number))));
        let examination = match Policy::of_versions(bundle, catalogue) {
            Ok(policy) => {
                let examination = examine(&policy, name, before.as_deref(), instant);
                examination.sound(name).map(|()| examination)
            }
            Err(PolicyErrors(mut errors)) => {
                errors.retain(|error| error.is_of(name.as_str()));
                if errors.is_empty() {
                    Ok(Examination::default())
                } else {
                    Err(PolicyErrors(errors))
                }
            }
        };
        Some(examination.map(|examination| (applied, examination)))
    }

    /// All versions of all policies, by name and version.
    pub(super) fn put_versions(&self, at: Position, versions: Arc<[Version]>, now: Timestamp) {
        self.change(now, |inputs| inputs.versions = Some((at, versions)));
    }

    pub(super) fn put_edition(&self, edition: Edition, now: Timestamp) {
        self.change(now, |inputs| {
            inputs.editions.retain(|other| other.name != edition.name);
            inputs.editions.push(edition);
        });
    }

    pub(super) fn replace_editions(&self, editions: Vec<Edition>, now: Timestamp) {
        self.change(now, |inputs| inputs.editions = editions);
    }

    pub(super) fn editions(&self) -> Vec<Edition> {
        let inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        inputs.editions.clone()
    }

    /// The text of a version that was in force at some instant up to this one. A version whose instant comes after a
    /// later one's never is.
    pub(super) fn once_in_force(&self, policy: &str, number: u32, instant: Timestamp) -> Option<Document> {
        let inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, versions) = inputs.versions.as_ref()?;
        let mut of_policy = versions.iter().filter(|version| version.document.name == policy);
        let found = of_policy.find(|version| version.number == number)?;
        let overtaken = of_policy.any(|later| later.effective_at <= found.effective_at);
        (found.effective_at <= instant && !overtaken).then(|| found.document.clone())
    }

    /// Lets go of rulings whose time is over, and compiles those that have come closer. Takes them back if it was
    /// a clock that has run back since.
    pub(super) fn forget_passed(&self, now: Timestamp) {
        let due = |rulings: &Rulings| {
            let next = rulings.later.first();
            next.is_some_and(|next| next.from <= now) || now < rulings.first.from
        };
        if self.read().as_deref().is_some_and(due) {
            self.change(now, |_| {});
        }
    }

    fn change(&self, now: Timestamp, change: impl FnOnce(&mut Inputs)) {
        let mut inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut inputs);
        let Some((applied, versions)) = inputs.versions.clone() else {
            return;
        };
        let known = self.rulings.load_full();
        let known: Vec<&Ruling> = known
            .iter()
            .flat_map(|known| std::iter::once(&known.first).chain(&known.later))
            .collect();
        let before = self.rulings.load_full();
        let before = before.and_then(|before| before.at(now).policy.clone());
        let first = ruling(&versions, inputs.edition(now), now, before, &known);
        let mut later: Vec<Ruling> = Vec::new();
        for from in inputs.switches(now) {
            let before = later.last().unwrap_or(&first).policy.clone();
            later.push(ruling(&versions, inputs.edition(from), from, before, &known));
        }
        self.rulings.store(Some(Arc::new(Rulings {
            applied,
            first,
            later,
        })));
    }
}

/// Of each policy the version that counts at this instant. `versions` in the order of their numbers.
fn in_force(versions: &[Version], instant: Timestamp) -> Vec<Version> {
    let mut in_force: Vec<Version> = Vec::new();
    for version in versions.iter().filter(|version| version.effective_at <= instant) {
        in_force.retain(|other| other.document.name != version.document.name);
        in_force.push(version.clone());
    }
    in_force
}

/// `before` names the matters if what counts at this instant cannot be compiled. What `known` has compiled already is
/// not compiled again.
fn ruling(
    versions: &[Version],
    edition: Option<&Edition>,
    from: Timestamp,
    before: Option<Arc<Policy>>,
    known: &[&Ruling],
) -> Ruling {
    let in_force = in_force(versions, from);
    let catalogue = edition.and_then(|edition| edition.catalogue.clone());
    let compiled = catalogue.and_then(|catalogue| {
        let same = |policy: &&Arc<Policy>| Arc::ptr_eq(policy.catalogue(), &catalogue);
        let known = known
            .iter()
            .filter(|known| known.sound && known.versions == in_force)
            .find_map(|known| known.policy.as_ref().filter(same));
        known.cloned().or_else(|| {
            let edition = |policy: &Arc<Policy>| policy.catalogue().edition() != catalogue.edition();
            let is_new = before.as_ref().is_some_and(edition);
            let compiled = compile(&in_force, Arc::clone(&catalogue))?;
            if is_new {
                tell_unfairness(Arc::clone(&compiled), from);
            }
            Some(compiled)
        })
    });
    Ruling {
        from,
        versions: in_force,
        sound: compiled.is_some(),
        policy: compiled.or(before),
    }
}

/// A new edition may make a published table unfair. It still answers lawfully, so that only its department has to be
/// told; the analysis takes longer than an answer may wait.
fn tell_unfairness(policy: Arc<Policy>, from: Timestamp) {
    let look = move || {
        let edition = policy.catalogue().edition();
        for (name, finding) in unfair_under(&policy, from) {
            tracing::warn!(
                policy = name.as_str(),
                edition,
                finding = finding.text.en,
                "a published policy is at fault under a new edition of the catalogue; its department has to mend it"
            );
        }
    };
    if let Err(error) = std::thread::Builder::new()
        .name("fairness".to_owned())
        .spawn(look)
    {
        tracing::error!(%error, "nobody looks whether the policies are fair under a new edition of the catalogue");
    }
}

fn compile(in_force: &[Version], catalogue: Arc<Catalogue>) -> Option<Arc<Policy>> {
    let edition = catalogue.edition().to_owned();
    if let Some(version) = in_force.iter().find(|version| !evaluates(&version.evaluator)) {
        let Version {
            document,
            number,
            evaluator,
            ..
        } = version;
        tracing::error!(
            policy = document.name,
            version = number,
            evaluator,
            "a policy is pinned to rules of evaluation that this program does not have; decisions go to manual review while it is in force"
        );
        return None;
    }
    let documents = in_force
        .iter()
        .map(|version| (&version.document, Some(version.number)));
    match Policy::of_versions(documents, catalogue) {
        Ok(policy) => Some(Arc::new(policy)),
        Err(errors) => {
            tracing::error!(%errors, edition, "the policies do not fit the catalogue; decisions go to manual review while both are in force");
            None
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use greenstar_kernel::{Epoch, Revision};

    use super::*;
    use crate::domain::policy::EVALUATOR;
    use crate::domain::shipped;

    pub(in crate::view) const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    /// The shipped catalogue under another name.
    pub(in crate::view) fn edition(name: &str, from: Timestamp) -> Edition {
        let text = include_str!("../../../sanctions/data/catalogue.yaml");
        let lines = text.lines().map(|line| match line.strip_prefix("edition:") {
            Some(_) => format!("edition: \"{name}\"\n"),
            None => format!("{line}\n"),
        });
        Edition {
            name: format!("catalogues/{name}").into(),
            from,
            source: name.as_bytes().into(),
            catalogue: Some(Arc::new(
                Catalogue::from_yaml(&lines.collect::<String>()).unwrap(),
            )),
        }
    }

    fn at(revision: u64) -> Position {
        Position {
            epoch: Epoch::parse("e").unwrap(),
            revision: Revision(revision),
        }
    }

    pub(in crate::view) fn shipped_at(effective_at: Timestamp) -> Vec<Version> {
        let version = |document| Version {
            document,
            number: 1,
            evaluator: EVALUATOR.to_owned(),
            effective_at,
        };
        shipped::documents().into_iter().map(version).collect()
    }

    fn edition_at(policies: &Policies, instant: Timestamp) -> Option<String> {
        let rulings = policies.read();
        let ruling = rulings.as_ref().unwrap().at(instant);
        let policy = ruling.policy.as_ref().filter(|_| ruling.sound)?;
        Some(policy.catalogue().edition().to_owned())
    }

    fn after(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn an_edition_to_come_takes_over_at_its_instant_and_not_before() {
        let policies = Policies::new();
        policies.put_versions(at(1), shipped_at(NOW).into(), NOW);
        policies.put_edition(edition("one", NOW), NOW);
        policies.put_edition(edition("three", after(20)), NOW);
        policies.put_edition(edition("two", after(10)), NOW);
        let told = |instant| edition_at(&policies, instant).unwrap();
        let just_before = Timestamp::from_micros(after(10).micros() - 1);
        for (instant, name) in [
            (NOW, "one"),
            (just_before, "one"),
            (after(10), "two"),
            (after(20), "three"),
            (after(9_999), "three"),
        ] {
            assert_eq!(told(instant), name);
        }
        policies.forget_passed(after(15));
        assert_eq!((told(after(15)), told(after(20))), ("two".into(), "three".into()));
        assert_eq!(policies.read().as_ref().unwrap().later.len(), 1);
    }

    #[test]
    fn an_edition_that_cannot_be_read_spoils_its_own_time_only() {
        let policies = Policies::new();
        policies.put_versions(at(1), shipped_at(NOW).into(), NOW);
        policies.put_edition(edition("one", NOW), NOW);
        let mut unread = edition("two", after(10));
        unread.catalogue = None;
        policies.put_edition(unread, NOW);
        policies.put_edition(edition("three", after(20)), NOW);
        let told = |instant| edition_at(&policies, instant);
        assert_eq!(told(after(9)).as_deref(), Some("one"));
        assert_eq!(told(after(10)), None);
        let rulings = policies.read();
        assert!(
            rulings.as_ref().unwrap().at(after(10)).policy.is_some(),
            "the matters are known"
        );
        assert_eq!(told(after(20)).as_deref(), Some("three"));
    }

    #[test]
    fn a_version_of_a_policy_takes_effect_at_its_instant_although_it_was_told_before() {
        let policies = Policies::new();
        policies.put_edition(edition("one", NOW), NOW);
        let mut versions = shipped_at(NOW);
        let first = versions.first().cloned().unwrap();
        versions.insert(
            1,
            Version {
                number: 2,
                effective_at: after(5),
                ..first.clone()
            },
        );
        policies.put_versions(at(2), versions.into(), NOW);
        let since = |instant| {
            let rulings = policies.read();
            let ruling = rulings.as_ref().unwrap().at(instant);
            let of_name = |version: &&Version| version.document.name == first.document.name;
            let mut found = ruling.versions.iter().filter(of_name);
            let since = found.next().unwrap().effective_at;
            assert!(found.next().is_none(), "one version at a time");
            since
        };
        assert_eq!(since(after(4)), NOW);
        assert_eq!(since(after(5)), after(5));
    }

    #[test]
    fn a_version_that_was_overtaken_before_its_instant_was_never_in_force() {
        let policies = Policies::new();
        let mut versions = Vec::new();
        for (number, seconds) in [(1, 0), (2, 20), (3, 10), (4, 40)] {
            versions.extend(
                shipped_at(after(seconds))
                    .into_iter()
                    .take(1)
                    .map(|version| Version { number, ..version }),
            );
        }
        let name = versions.first().unwrap().document.name.clone();
        policies.put_versions(at(4), versions.into(), NOW);
        let once = |number, seconds| policies.once_in_force(&name, number, after(seconds)).is_some();
        assert!(once(1, 0) && once(1, 99), "the past stays");
        assert!(!once(3, 9) && once(3, 10), "not before its instant");
        assert!(!once(2, 99), "the third had taken its place");
        assert!(!once(4, 30) && !once(5, 99));
        assert!(policies.once_in_force("nobody's", 1, after(99)).is_none());
    }

    #[test]
    fn a_version_that_is_pinned_to_other_rules_of_evaluation_decides_nothing() {
        let policies = Policies::new();
        policies.put_edition(edition("one", NOW), NOW);
        let mut versions = shipped_at(NOW);
        versions.push(Version {
            number: 2,
            evaluator: "rules of another program".to_owned(),
            effective_at: after(5),
            ..versions.last().cloned().unwrap()
        });
        policies.put_versions(at(2), versions.into(), NOW);
        assert!(edition_at(&policies, after(4)).is_some());
        assert!(edition_at(&policies, after(5)).is_none());
    }

    #[test]
    fn a_candidate_answers_for_its_own_faults_only() {
        let policies = Policies::new();
        let mut versions = shipped_at(NOW);
        for version in &mut versions {
            version.document.name = version.document.name.replace(".yaml", "-default");
        }
        let find = |name: &str| {
            let of_name = |version: &&Version| version.document.name == name;
            versions.iter().find(of_name).unwrap().document.clone()
        };
        let (sound, mut other) = (find("finance-default"), find("licensing-default"));
        other.text = other
            .text
            .replace("carried_by: strict-review", "carried_by: gone");
        let mut unsound = sound.clone();
        unsound.text = unsound.text.replace("outcome: PRUDENT", "outcome: GRIM");
        let name = Code::parse("finance-default").unwrap();
        let candidate = |document: &Document| policies.candidate(&name, document.text.clone(), 2, NOW);
        let check = |document: &Document| {
            let (applied, examination) = candidate(document).unwrap()?;
            assert_eq!(applied, at(1));
            Ok::<_, PolicyErrors>(examination.coverage.rows)
        };
        policies.put_edition(edition("one", NOW), NOW);
        assert!(candidate(&sound).is_none(), "there are no policies yet");
        policies.put_versions(at(1), versions.clone().into(), NOW);
        assert!(check(&sound).unwrap() > 0, "it was examined among the others");
        let faults = check(&unsound).unwrap_err();
        assert!(faults.0.iter().all(|fault| fault.is_of("finance-default")));
        // Another's does not fit; nobody is kept from putting his own right.
        for version in &mut versions {
            if version.document.name == other.name {
                version.document.clone_from(&other);
            }
        }
        policies.put_versions(at(1), versions.into(), NOW);
        assert!(edition_at(&policies, NOW).is_none());
        assert_eq!(check(&sound), Ok(0));
        assert_eq!(check(&unsound).unwrap_err(), faults);
    }
}
