//! Why a step was not taken: for people in both languages, and what to do next.

use greenstar_kernel::{Code, Date, Department, LocalizedText, Officer, Said, Timestamp, Uscc};

use super::catalogue::{Edition, Severity};
use super::flag::FlagName;
use super::remedies::RemedyRefusal;
use super::stage::FlagState;

/// Why a step was not taken. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the catalogue has no flag kind {kind}; choose one of its kinds")]
    KindUnknown { kind: Code },
    #[error("{kind} is raised by {}; hand the document to one of them", list(.departments))]
    KindNotYours {
        kind: Code,
        departments: Vec<Department>,
    },
    #[error("{kind} has the severities {}; name one of them", severities(.allowed))]
    SeverityNotAllowed { kind: Code, allowed: Vec<Severity> },
    #[error("{}", scope_en(.kind, .allowed))]
    ScopeInvalid { kind: Code, allowed: Vec<Code> },
    #[error("the document is dated {date}, but today is {today}; correct the date")]
    DateInFuture { date: Date, today: Date },
    #[error("on {day} none of the bases of {kind} ({}) was law; a flag cannot stand without one", list(.bases))]
    BasisMissing { kind: Code, bases: Vec<Code>, day: Date },
    #[error("the term ended on {end}; nothing is left to bind")]
    TermEnded { end: Timestamp },
    #[error("this document is flagged already with this kind and scope; use that flag")]
    FlagExists { flag: FlagName },
    #[error(
        "{flag} of this document was repaired, or annulled on appeal; the document is not flagged so again"
    )]
    Settled { flag: FlagName },
    #[error("no flag is named {flag}; check the name")]
    FlagUnknown { flag: FlagName },
    /// Another department's proposal. The caller is told the same as of a flag that is not there.
    #[error("no flag is named {flag}; check the name")]
    FlagHidden { flag: FlagName },
    #[error("the flag is {}, this step needs {}; read it again", .state.as_str(), states(.needed))]
    FlagState {
        state: FlagState,
        needed: &'static [FlagState],
    },
    #[error("department {department} did not raise this flag; only the one that did can move it on")]
    DepartmentNotAllowed { department: Department },
    #[error("{officer} raised this flag; another officer of the department must confirm it")]
    SameOfficer { officer: Officer },
    #[error("the catalogue has no type of penalty {penalty}; choose one of {}", list(.known))]
    PenaltyUnknown { penalty: Code, known: Vec<Code> },
    #[error("{enterprise} is the enterprise that the flag is on; name the right one, or revoke the flag")]
    CorrectionInvalid { enterprise: Uscc },
    #[error("the law leaves no repair for {kind}; appeal if it is wrong, or wait for the end of its term")]
    NotRepairable { kind: Code },
    #[error("the newest edition is {newest}, so {edition} is taken or too old; give a higher number")]
    EditionExists { edition: Edition, newest: Edition },
    #[error("edition {edition} cannot take effect on {effective}; name {earliest} or a later day")]
    EditionNotAllowed {
        edition: Edition,
        effective: Date,
        earliest: Date,
    },
    #[error("edition {edition} misses the kinds {}, of which flags may stand; keep them and end their bases instead", list(.kinds))]
    KindsDropped { edition: Edition, kinds: Vec<Code> },
    #[error(transparent)]
    Remedy(#[from] RemedyRefusal),
}

impl Said for Refusal {
    fn said(&self) -> LocalizedText {
        let zh = match self {
            Refusal::Remedy(refusal) => return refusal.said(),
            Refusal::KindUnknown { kind } => format!("目录中没有失信标记种类 {kind}，请选用目录中的种类"),
            Refusal::KindNotYours { kind, departments } => {
                format!("{kind} 只能由 {} 提出，请将文书移交其中之一", list(departments))
            }
            Refusal::SeverityNotAllowed { kind, allowed } => {
                format!("{kind} 的严重程度只能是 {}，请注明其一", severities(allowed))
            }
            Refusal::ScopeInvalid { kind, allowed } if allowed.is_empty() => {
                format!("{kind} 不分范围，请去掉范围")
            }
            Refusal::ScopeInvalid { kind, allowed } => {
                format!("{kind} 须注明范围，取值为 {} 之一", list(allowed))
            }
            Refusal::DateInFuture { date, today } => {
                format!("文书日期 {date} 晚于今天 {today}，请更正日期")
            }
            Refusal::BasisMissing { kind, bases, day } => {
                format!(
                    "{kind} 的法律依据（{}）在 {day} 均未生效或者已经失效，没有依据不得标记",
                    list(bases)
                )
            }
            Refusal::TermEnded { end } => format!("期限已于 {end} 届满，不再产生约束"),
            Refusal::FlagExists { .. } => "该文书已按同一种类和范围标记，请使用已有的标记".to_owned(),
            Refusal::Settled { flag } => {
                format!("该文书的标记 {flag} 已经修复，或者经异议撤销，不得就同一文书再次标记")
            }
            Refusal::FlagUnknown { flag } | Refusal::FlagHidden { flag } => {
                format!("没有名为 {flag} 的失信标记，请核对名称")
            }
            Refusal::FlagState { state, needed } => {
                format!(
                    "标记当前状态为 {}，此步骤要求 {}，请重新读取",
                    state.as_str(),
                    states(needed)
                )
            }
            Refusal::DepartmentNotAllowed { department } => {
                format!("该标记不是由 {department} 提出的，只有提出部门可以办理")
            }
            Refusal::SameOfficer { officer } => {
                format!("该标记由 {officer} 提出，须由本部门另一名工作人员确认")
            }
            Refusal::PenaltyUnknown { penalty, known } => {
                format!("目录中没有处罚种类 {penalty}，请选用 {} 之一", list(known))
            }
            Refusal::CorrectionInvalid { enterprise } => {
                format!("{enterprise} 就是现在被标记的企业，请填写正确的企业，或者撤销该标记")
            }
            Refusal::NotRepairable { kind } => {
                format!("法律没有为 {kind} 规定信用修复；认为有误的可以提出异议，否则待期限届满")
            }
            Refusal::EditionExists { edition, newest } => {
                format!("最新版目录为 {newest}，{edition} 已被使用或者过旧，请使用更大的版次")
            }
            Refusal::EditionNotAllowed {
                edition,
                effective,
                earliest,
            } => {
                format!("目录 {edition} 不能自 {effective} 起生效，请填写 {earliest} 或者更晚的日期")
            }
            Refusal::KindsDropped { edition, kinds } => {
                format!(
                    "目录 {edition} 缺少标记种类 {}，其标记可能仍然有效：请保留这些种类，改为终止其法律依据",
                    list(kinds)
                )
            }
        };
        LocalizedText::new(zh, self.to_string())
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

fn severities(allowed: &[Severity]) -> String {
    allowed
        .iter()
        .map(|severity| severity.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

fn states(needed: &[FlagState]) -> String {
    needed
        .iter()
        .map(|state| state.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

fn scope_en(kind: &Code, allowed: &[Code]) -> String {
    if allowed.is_empty() {
        format!("{kind} has no scope; leave it out")
    } else {
        format!("{kind} needs a scope out of {}", list(allowed))
    }
}
