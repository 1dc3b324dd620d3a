//! Which matters a candidate is compared on, and with what arguments.

use std::collections::BTreeMap;

use greenstar_kernel::{Code, Department};

use super::super::document::BASELINE;
use super::super::matter::{ArgumentError, Arguments, Matter};
use super::super::policy::Policy;

/// Two sets of policies under one edition of the catalogue, and the matters to compare them on.
#[derive(Debug)]
pub struct Comparison<'p> {
    pub(super) before: &'p Policy,
    pub(super) after: &'p Policy,
    /// By name.
    pub(super) departments: Vec<&'p Department>,
    pub(super) pairs: Vec<Pair<'p>>,
    /// Matters that are not compared and answer alike before and after: their measures may meet new ones.
    pub(super) others: Vec<(&'p Matter, Arguments)>,
    /// Measures that exclude one another, by position in the catalogue.
    pub(super) excluding: Vec<(usize, usize)>,
}

/// Matters that share a table on either side.
#[derive(Debug)]
pub(super) struct Pair<'p> {
    /// Position in the comparison's departments.
    pub(super) department: usize,
    /// `departments/{department}/matters/{matter}`, each.
    pub(super) names: Vec<String>,
    /// `None`: there is no such matter.
    pub(super) before: Option<Side<'p>>,
    pub(super) after: Option<Side<'p>>,
    pub(super) arguments: [Arguments; 2],
    pub(super) is_regime: bool,
}

/// The matters of a pair on one side, in the order of their names.
#[derive(Debug)]
pub(super) struct Side<'p> {
    pub(super) matters: Vec<&'p Matter>,
}

/// Why there is nothing to compare.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComparisonError {
    #[error("the policy answers no such matter")]
    MatterUnknown,
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
}

/// What is compared, beside the policies.
#[derive(Debug)]
struct Asked<'r> {
    /// By its code; `None`: all that the candidate answers.
    matter: Option<&'r str>,
    arguments: &'r BTreeMap<String, String>,
}

impl<'p> Comparison<'p> {
    /// `after` is `before` with the candidate, which is the policy of this name: compared are the matters that it
    /// answers in either, all matters of all departments if it is the baseline. Matters that cannot be asked with
    /// these arguments are left out unless one was named.
    ///
    /// # Errors
    /// The named matter is none of them, or nothing can be asked with these arguments.
    pub fn new(
        before: &'p Policy,
        after: &'p Policy,
        candidate: &Code,
        matter: Option<&str>,
        arguments: &BTreeMap<String, String>,
    ) -> Result<Comparison<'p>, ComparisonError> {
        let asked = Asked { matter, arguments };
        let infos = before.infos().iter().chain(after.infos());
        let own: Vec<_> = infos.filter(|info| info.name == *candidate).collect();
        let everybody = own.iter().any(|info| info.department.as_str() == BASELINE);
        let is_own =
            |matter: &Matter| everybody || own.iter().any(|info| info.matters.contains(&matter.name()));

        let mut by_name: BTreeMap<String, [Option<&'p Matter>; 2]> = BTreeMap::new();
        for (side, policy) in [before, after].into_iter().enumerate() {
            for matter in policy.matters() {
                let sides = by_name.entry(matter.name()).or_default();
                if let Some(slot) = sides.get_mut(side) {
                    *slot = Some(matter);
                }
            }
        }
        let mut comparison = Comparison {
            before,
            after,
            departments: Vec::new(),
            pairs: Vec::new(),
            others: Vec::new(),
            excluding: excluding(before),
        };
        let (mut refused, mut groups) = (None, BTreeMap::<[&str; 2], usize>::new());
        for (name, sides) in by_name {
            let Some(one) = sides.iter().flatten().next() else {
                continue;
            };
            if !sides.iter().flatten().any(|matter| is_own(matter)) {
                if let Some(arguments) = asked.other(one) {
                    comparison.others.push((*one, arguments));
                }
                continue;
            }
            if !asked.names(one) {
                continue;
            }
            let arguments = match asked.read(sides) {
                Ok(arguments) => arguments,
                Err(error) => {
                    refused = Some(error);
                    continue;
                }
            };
            let tags = sides.map(|matter| matter.map_or("", Matter::policy));
            match groups.get(&tags).and_then(|at| comparison.pairs.get_mut(*at)) {
                Some(pair) => pair.add(name, sides),
                None => {
                    groups.insert(tags, comparison.pairs.len());
                    let department = comparison.department(one.department());
                    comparison
                        .pairs
                        .push(Pair::new(department, name, sides, arguments));
                }
            }
        }
        asked.all_taken(&comparison)?;
        match refused {
            Some(error) if comparison.pairs.is_empty() || matter.is_some() => Err(error.into()),
            _ if comparison.pairs.is_empty() => Err(ComparisonError::MatterUnknown),
            Some(_) | None => Ok(comparison),
        }
    }

    fn department(&mut self, department: &'p Department) -> usize {
        let known = self.departments.iter().position(|known| *known == department);
        known.unwrap_or_else(|| {
            self.departments.push(department);
            self.departments.len() - 1
        })
    }

    /// Pair and place in it of a matter.
    pub(super) fn place(&self, matter: &str) -> Option<(usize, usize)> {
        let mut pairs = self.pairs.iter().enumerate();
        pairs.find_map(|(at, pair)| Some((at, pair.names.iter().position(|name| name == matter)?)))
    }
}

impl<'p> Pair<'p> {
    fn new(
        department: usize,
        name: String,
        sides: [Option<&'p Matter>; 2],
        arguments: [Arguments; 2],
    ) -> Pair<'p> {
        let [before, after] = sides.map(|matter| {
            matter.map(|matter| Side {
                matters: vec![matter],
            })
        });
        Pair {
            department,
            names: vec![name],
            is_regime: sides.iter().flatten().any(|matter| matter.triggers.is_some()),
            before,
            after,
            arguments,
        }
    }

    /// Both sides are there, or the same one is missing: the tags say so.
    fn add(&mut self, name: String, [before, after]: [Option<&'p Matter>; 2]) {
        self.names.push(name);
        for (side, matter) in [(&mut self.before, before), (&mut self.after, after)] {
            if let (Some(side), Some(matter)) = (side, matter) {
                side.matters.push(matter);
            }
        }
    }
}

impl Asked<'_> {
    fn names(&self, matter: &Matter) -> bool {
        self.matter.is_none_or(|code| matter.code().as_str() == code)
    }

    fn given<'s>(&'s self, matter: &'s Matter) -> impl Iterator<Item = (&'s str, &'s str)> {
        let declared = |name: &str| matter.arguments.iter().any(|known| known.name.as_str() == name);
        let all = self
            .arguments
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(move |(name, _)| declared(name))
    }

    fn read(&self, sides: [Option<&Matter>; 2]) -> Result<[Arguments; 2], ArgumentError> {
        let [before, after] = sides.map(|matter| match matter {
            Some(matter) => matter.parse_arguments(self.given(matter)),
            None => Ok(Arguments::NONE),
        });
        Ok([before?, after?])
    }

    /// Of a matter that is not compared; `None`: it cannot be asked without arguments.
    fn other(&self, matter: &Matter) -> Option<Arguments> {
        matter.parse_arguments(std::iter::empty()).ok()
    }

    /// An argument that no compared matter takes is a mistake.
    fn all_taken(&self, comparison: &Comparison<'_>) -> Result<(), ArgumentError> {
        let matters = || {
            let sides = comparison
                .pairs
                .iter()
                .flat_map(|pair| [&pair.before, &pair.after]);
            sides.flatten().flat_map(|side| &side.matters)
        };
        let taken = |name: &str| {
            let mut declared = matters().flat_map(|matter| &matter.arguments);
            declared.any(|argument| argument.name.as_str() == name)
        };
        match self.arguments.keys().find(|name| !taken(name)) {
            Some(name) if matters().next().is_some() => {
                Err(ArgumentError::Unknown(name.chars().take(64).collect()))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Each pair once, the lower position first.
fn excluding(policy: &Policy) -> Vec<(usize, usize)> {
    let catalogue = policy.catalogue();
    let mut pairs = Vec::new();
    for (one, entry) in catalogue.measures().iter().enumerate() {
        let others = entry
            .excludes
            .iter()
            .filter_map(|code| catalogue.measure_position(code));
        pairs.extend(others.map(|other| (one.min(other), one.max(other))));
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}
