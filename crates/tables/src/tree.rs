//! Links between codes that their spelling does not show, e.g. a department's own group of sectors.
//!
//! Codes contain one another by prefix. A tree adds parents: whatever lies under a code lies under its parent too. A
//! cell is widened by it once, when the table is built, so that an evaluation only ever compares prefixes.

use crate::cell::{Cell, Test};
use crate::source::{CellText, Pairs};

/// Links of one tree; a circle is looked for along each.
const MAX_LINKS: usize = 1000;

/// The parent of what lies under nothing.
const NOTHING: &str = "-";

/// Child → parent, without a circle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    links: Vec<Link>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    child: String,
    parent: String,
    /// The parent is a code of the standard and so lies under its own beginnings; a group has none.
    coded: bool,
}

/// Why links are no tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTree {
    /// The first is repeated as the last.
    #[error("the codes run in a circle: {}", .0.join(" > "))]
    Cyclic(Vec<String>),
    #[error("a tree has at most 1000 links, this one has {0}")]
    TooLarge(usize),
    #[error("{child} lies under {parent}, which is neither a code nor a group of this tree")]
    UnknownParent { child: String, parent: String },
    #[error("{0} is neither a code nor a group of which anything is a part")]
    UnknownChild(String),
}

impl Tree {
    /// Reads links, child → parent. A group that lies under nothing has the parent `-`. `is_code` says whether a text is
    /// a code of the standard, whose beginnings are codes as well.
    ///
    /// # Errors
    /// A circle, or the first link that is none.
    pub fn new(links: &Pairs<CellText>, is_code: impl Fn(&str) -> bool) -> Result<Tree, BadTree> {
        let Pairs(named) = links;
        if named.len() > MAX_LINKS {
            return Err(BadTree::TooLarge(named.len()));
        }
        let linked = named.iter().filter(|(_, parent)| parent.0 != NOTHING);
        let links = linked.map(|(child, CellText(parent))| Link {
            child: child.clone(),
            parent: parent.clone(),
            coded: is_code(parent),
        });
        let tree = Tree {
            links: links.collect(),
        };
        if let Some(circle) = tree.circle() {
            return Err(BadTree::Cyclic(circle));
        }
        for Link { child, parent, coded } in &tree.links {
            if !coded && !named.iter().any(|(name, _)| name == parent) {
                let (child, parent) = (child.clone(), parent.clone());
                return Err(BadTree::UnknownParent { child, parent });
            }
        }
        let has_parts = |name: &str| tree.links.iter().any(|link| link.parent == name);
        match named.iter().find(|(name, _)| !is_code(name) && !has_parts(name)) {
            Some((name, _)) => Err(BadTree::UnknownChild(name.clone())),
            None => Ok(tree),
        }
    }

    /// Lets each test of a code hold for everything that the tree puts under it.
    pub(crate) fn widen(&self, cell: &mut Cell) {
        let Cell::Tests { tests, .. } = cell else {
            return;
        };
        let mut next = 0;
        while let Some(test) = tests.get(next) {
            next += 1;
            let Test::Under(node) = test else {
                continue;
            };
            let parts = self.links.iter().filter(|link| link.is_under(node));
            let parts: Vec<Test> = parts.map(|link| Test::Under(link.child.clone())).collect();
            for part in parts {
                if !tests.contains(&part) {
                    tests.push(part);
                }
            }
        }
    }

    /// A way from a code to itself.
    fn circle(&self) -> Option<Vec<String>> {
        let mut done = vec![false; self.links.len()];
        (0..self.links.len()).find_map(|start| self.climb(start, &mut Vec::new(), &mut done))
    }

    /// Depth first; `done` are links from which no circle can be reached.
    fn climb(&self, at: usize, path: &mut Vec<usize>, done: &mut [bool]) -> Option<Vec<String>> {
        if let Some(begin) = path.iter().position(|seen| *seen == at) {
            let around = path.iter().skip(begin).filter_map(|index| self.links.get(*index));
            let mut names: Vec<String> = Vec::new();
            for link in around {
                for name in [&link.child, &link.parent] {
                    if names.last() != Some(name) {
                        names.push(name.clone());
                    }
                }
            }
            let first = names.first().cloned();
            names.extend(first.filter(|first| names.last() != Some(first) || names.len() == 1));
            return Some(names);
        }
        let link = self.links.get(at).filter(|_| done.get(at) == Some(&false))?;
        path.push(at);
        let above = self.links.iter().enumerate();
        for (index, _) in above.filter(|(_, upper)| link.is_under(&upper.child)) {
            if let Some(circle) = self.climb(index, path, done) {
                return Some(circle);
            }
        }
        path.pop();
        if let Some(done) = done.get_mut(at) {
            *done = true;
        }
        None
    }
}

impl Link {
    /// Whether its parent is this node or lies under it by its spelling.
    fn is_under(&self, node: &str) -> bool {
        self.parent == node || (self.coded && self.parent.starts_with(node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(links: &[(&str, &str)]) -> Result<Tree, BadTree> {
        let links = links
            .iter()
            .map(|(child, parent)| ((*child).to_owned(), CellText((*parent).to_owned())));
        let is_code = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_uppercase())
                && text.chars().skip(1).all(|c| c.is_ascii_digit())
        };
        Tree::new(&Pairs(links.collect()), is_code)
    }

    fn circle(links: &[(&str, &str)]) -> String {
        match tree(links) {
            Err(BadTree::Cyclic(names)) => names.join(" > "),
            other => panic!("{other:?}"),
        }
    }

    fn widened(tree: &Tree, node: &str) -> Vec<String> {
        let mut cell = Cell::Tests {
            negated: false,
            tests: vec![Test::Under(node.to_owned())],
        };
        tree.widen(&mut cell);
        let Cell::Tests { tests, .. } = cell else {
            panic!("a list became {cell:?}");
        };
        let name = |test| match test {
            Test::Under(name) => name,
            other => panic!("{other:?}"),
        };
        tests.into_iter().map(name).collect()
    }

    #[test]
    fn a_group_holds_its_codes_and_those_of_its_parts() {
        let tree = tree(&[
            ("HEAVY", "-"),
            ("METAL", "HEAVY"),
            ("C31", "METAL"),
            ("C32", "METAL"),
            ("C25", "HEAVY"),
            ("F51", "C25"),
        ])
        .unwrap();
        assert_eq!(
            widened(&tree, "HEAVY"),
            ["HEAVY", "METAL", "C25", "C31", "C32", "F51"]
        );
        assert_eq!(widened(&tree, "METAL"), ["METAL", "C31", "C32"]);
        // What lies under C25 lies under C2 and C by their spelling.
        assert_eq!(widened(&tree, "C"), ["C", "F51"]);
        // H is a letter of the standard; the group only begins like it.
        assert_eq!(widened(&tree, "H"), ["H"]);
    }

    #[test]
    fn a_circle_is_named() {
        assert_eq!(circle(&[("C27", "C27")]), "C27 > C27");
        assert_eq!(circle(&[("C27", "C271")]), "C27 > C271 > C27");
        assert_eq!(circle(&[("A", "B"), ("B", "A")]), "A > B > A");
        assert_eq!(
            circle(&[("X", "A"), ("A", "B"), ("B", "C27"), ("C", "A")]),
            "A > B > C27 > C > A"
        );
    }

    #[test]
    fn long_chains_and_shared_parents_are_no_circle() {
        let names: Vec<String> = (0..300).map(|n| format!("C{n:04}")).collect();
        let chain: Vec<(&str, &str)> = names.windows(2).map(|two| (&*two[0], &*two[1])).collect();
        assert!(tree(&chain).is_ok());
        assert!(tree(&[("A1", "B"), ("A2", "B"), ("B", "D"), ("A", "D")]).is_ok());
    }

    #[test]
    fn a_name_that_means_nothing_is_refused() {
        let unknown = BadTree::UnknownParent {
            child: "C27".to_owned(),
            parent: "HEVY".to_owned(),
        };
        assert_eq!(
            tree(&[("HEAVY", "-"), ("C31", "HEAVY"), ("C27", "HEVY")]),
            Err(unknown)
        );
        assert_eq!(
            tree(&[("HEAVY", "-"), ("C31", "HEAVY"), ("C2B7", "HEAVY")]),
            Err(BadTree::UnknownChild("C2B7".to_owned()))
        );
    }
}
