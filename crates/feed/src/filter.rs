//! What a subscriber wants to hear of.

use std::collections::BTreeSet;

use greenstar_kernel::{Code, Revision, Uscc};
use serde::{Deserialize, Serialize};

/// Empty sets do not narrow; several narrow together. What is narrowed away arrives as an empty frame, so that
/// cursors always move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Kinds of what is published, e.g. of flags.
    pub kinds: BTreeSet<Code>,
    /// GB/T 2260, six digits.
    pub districts: BTreeSet<String>,
    /// The followed enterprises.
    pub enterprises: BTreeSet<Uscc>,
}

impl Filter {
    /// Whether it lets everything pass.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.districts.is_empty() && self.enterprises.is_empty()
    }

    pub fn has_kind(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|wanted| wanted.as_str() == kind)
    }

    pub fn has_district(&self, district: &str) -> bool {
        self.districts.is_empty() || self.districts.contains(district)
    }

    pub fn has_enterprise(&self, enterprise: &Uscc) -> bool {
        self.enterprises.is_empty() || self.enterprises.contains(enterprise)
    }
}

/// What a subscriber wants to hear of, and from where on a cursor of it was reached so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    #[serde(flatten)]
    pub(crate) filter: Filter,
    /// None: not before it was told the end of a snapshot by this filter. Rows of before this was kept have no such
    /// field.
    #[serde(default = "from_the_beginning")]
    pub(crate) since: Option<Revision>,
}

#[expect(clippy::unnecessary_wraps, reason = "it is the default of an option")]
fn from_the_beginning() -> Option<Revision> {
    Some(Revision::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_sets_do_not_narrow_and_several_narrow_together() {
        let mine: Uscc = "91350100M000100Y43".parse().unwrap();
        let other: Uscc = "914403001922038216".parse().unwrap();
        let all = Filter::default();
        assert!(
            all.is_empty() && all.has_kind("x") && all.has_district("110115") && all.has_enterprise(&mine)
        );
        let narrow = Filter {
            kinds: [Code::parse("serious-penalty").unwrap()].into(),
            districts: ["350100".to_owned()].into(),
            enterprises: [mine].into(),
        };
        assert!(!narrow.is_empty());
        assert!(narrow.has_kind("serious-penalty") && !narrow.has_kind("permit-by-deceit"));
        assert!(narrow.has_district(mine.area()) && !narrow.has_district("440300"));
        assert!(narrow.has_enterprise(&mine) && !narrow.has_enterprise(&other));
        let kept = serde_json::to_string(&narrow).unwrap();
        assert_eq!(serde_json::from_str::<Filter>(&kept).unwrap(), narrow);
        let of_before: Held = serde_json::from_str(&kept).unwrap();
        assert_eq!(of_before.since, Some(Revision::ZERO));
        let held = Held {
            filter: narrow.clone(),
            since: None,
        };
        let kept = serde_json::to_string(&held).unwrap();
        assert_eq!(serde_json::from_str::<Held>(&kept).unwrap(), held);
        assert_eq!(serde_json::from_str::<Filter>(&kept).unwrap(), narrow);
    }
}
