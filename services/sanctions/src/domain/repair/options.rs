//! What a firm can do about each document that counts against it.

use std::collections::BTreeMap;

use greenstar_kernel::{Department, Document, LocalizedText, Timestamp, Uscc};

use super::{Condition, Repair, RepairName, conditions};
use crate::domain::catalogue::Severity;
use crate::domain::flag::{Flag, Site};
use crate::domain::ledger::Ledger;
use crate::domain::remedies::{Remedies, last_day, stands};

/// What can be done about the flags that one body has on one document and site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairOption {
    pub document: Document,
    pub site: Option<Site>,
    /// Not empty.
    pub flags: Vec<Flag>,
    /// To whom to apply.
    pub department: Department,
    /// The gravest; the longest window holds.
    pub severity: Severity,
    /// `None`: the law leaves no repair for one of them.
    pub earliest_at: Option<Timestamp>,
    /// Without a repair it binds until here.
    pub ends_at: Timestamp,
    pub conditions: Vec<Condition>,
    /// What to do next, or why nothing can be done.
    pub why: LocalizedText,
    /// The application that is being reviewed.
    pub open: Option<RepairName>,
}

/// One for each document, site and body, by the document's date. `ledger` and `remedies` have all that counts for
/// the enterprise and that the reader may know.
pub fn options(ledger: &Ledger, remedies: &Remedies, enterprise: Uscc, now: Timestamp) -> Vec<RepairOption> {
    let mut groups: BTreeMap<_, Vec<&Flag>> = BTreeMap::new();
    for flag in ledger.flags() {
        if flag.identity.enterprise == enterprise && stands(flag, now) {
            let document = &flag.identity.document;
            let key = (document.date, document, &flag.identity.site, &flag.department);
            groups.entry(key).or_default().push(flag);
        }
    }
    let mut found = Vec::new();
    for ((_, document, site, department), flags) in groups {
        let ends_at = flags.iter().map(|flag| flag.ends_at).max();
        let severity = flags.iter().map(|flag| flag.severity).max();
        // A group begins with a flag, so it has both.
        let (Some(ends_at), Some(severity)) = (ends_at, severity) else {
            continue;
        };
        let open = flags.iter().find_map(|flag| remedies.open_repair(flag));
        let appealed = flags
            .iter()
            .any(|flag| remedies.open_appeal(&flag.name()).is_some());
        let earliest_at = longest_window(ledger, &flags, now);
        found.push(RepairOption {
            document: document.clone(),
            site: site.clone(),
            department: department.clone(),
            severity,
            earliest_at,
            ends_at,
            conditions: earliest_at.map_or_else(Vec::new, |earliest| conditions::of(earliest, None, now)),
            why: next_step(department, earliest_at, ends_at, open, appealed, now),
            open: open.map(Repair::name),
            flags: flags.into_iter().cloned().collect(),
        });
    }
    found
}

/// When the last of the flags can be repaired; `None` if one of them never can.
pub(super) fn longest_window(ledger: &Ledger, flags: &[&Flag], now: Timestamp) -> Option<Timestamp> {
    let window = |flag: &&Flag| flag.repair_from().filter(|_| ledger.is_repairable(flag, now));
    let windows: Option<Vec<Timestamp>> = flags.iter().map(window).collect();
    windows?.into_iter().max()
}

fn next_step(
    department: &Department,
    earliest: Option<Timestamp>,
    ends_at: Timestamp,
    open: Option<&Repair>,
    appealed: bool,
    now: Timestamp,
) -> LocalizedText {
    let last = last_day(ends_at);
    let Some(earliest) = earliest else {
        return LocalizedText::new(
            format!("法律没有规定可以修复，约束至 {last} 届满自动终止；认为认定有误的，可以在期限内提出异议"),
            format!(
                "the law leaves no repair: it ends by itself after {last}; if it is wrong, appeal in time"
            ),
        );
    };
    let first = earliest.date();
    match open {
        Some(open) if open.overdue(now) => LocalizedText::new(
            format!(
                "修复申请已超过审核期限（{}），请向 {department} 催办",
                last_day(open.due_at)
            ),
            format!(
                "the review is late, it was due on {}: remind {department}",
                last_day(open.due_at)
            ),
        ),
        Some(open) => LocalizedText::new(
            format!(
                "修复申请正在审核，{department} 应于 {} 前作出决定",
                last_day(open.due_at)
            ),
            format!(
                "a repair is being reviewed; {department} decides by {}",
                last_day(open.due_at)
            ),
        ),
        None if appealed => LocalizedText::new(
            "异议正在审查：请等待决定，或者撤回异议后再申请修复",
            "an appeal is open: wait for its decision, or withdraw it before you apply for a repair",
        ),
        None if now < earliest => LocalizedText::new(
            format!(
                "最短公示期未满，自 {first} 起可以向 {department} 申请修复；请先纠正并履行义务，备好信用承诺和证明材料"
            ),
            format!(
                "its least window runs: apply to {department} from {first} on; until then correct the fault, meet \
                 all duties, and prepare the commitment and the proof"
            ),
        ),
        None => LocalizedText::new(
            format!("现在可以向 {department} 申请修复：请提交公开的信用承诺和纠正、履行义务的证明材料"),
            format!(
                "apply to {department} now, with a public commitment and proof that the fault is corrected"
            ),
        ),
    }
}
