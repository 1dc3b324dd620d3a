//! What a subscriber wants to hear of.

use std::collections::BTreeSet;

use greenstar_kernel::{Code, Uscc};
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
    }
}
