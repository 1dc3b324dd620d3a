//! Why a command or question is refused, for the caller: what is wrong, and what to do next.

mod round;

use greenstar_kernel::{Code, Date, Department, LocalizedText, Officer, Said, Timestamp, Uscc};

use super::assistance::AssistanceRefusal;
use super::quality::ClaimState;
use super::round::{MAX_ENROLLED, RoundState};
use super::scheme::{Scheme, SchemeFaults, SchemeKey};
use super::score::{GrantError, ScoreError};

pub use round::RoundRefusal;

/// A refusal. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A field breaks its form.
    #[error("{field} must be {en}")]
    Field {
        /// The field, as the contract names it.
        field: &'static str,
        /// Its form, in Chinese.
        zh: &'static str,
        /// Its form, in English.
        en: &'static str,
    },
    /// Not registered.
    #[error("no enterprise {0} is registered")]
    EnterpriseUnknown(Uscc),
    /// Registered already.
    #[error("enterprise {0} is registered already")]
    EnterpriseExists(Uscc),
    /// Somebody else changed it.
    #[error("the enterprise was changed meanwhile; its etag is {current}")]
    EtagMismatch {
        /// The etag in force.
        current: String,
    },
    /// A change does not say which version it changes.
    #[error("a change takes the etag that was read; the current one is {current}")]
    EtagMissing {
        /// The etag in force.
        current: String,
    },
    /// No such scheme.
    #[error("no scheme has the name {0}")]
    SchemeUnknown(String),
    /// The scheme contradicts itself.
    #[error(transparent)]
    Scheme(#[from] SchemeFaults),
    /// This version is stored.
    #[error("scheme {0} is stored already")]
    SchemeExists(SchemeKey),
    /// It is in use, or will be.
    #[error("scheme {0} is in use already, or will be")]
    SchemeActive(SchemeKey),
    /// Rounds that begin now use another version.
    #[error("version {in_force} is in use, and rounds that begin now use it")]
    SchemeNotInForce {
        /// The version in use.
        in_force: SchemeKey,
    },
    /// In the past, or not after another version.
    #[error("a version cannot come into use before {earliest}")]
    ActivationTime {
        /// The first instant that is possible.
        earliest: Timestamp,
    },
    /// No such round, or not for this caller.
    #[error("no round has the name {0}")]
    RoundUnknown(String),
    /// The id is taken.
    #[error("round {0} exists already")]
    RoundExists(Code),
    /// The round is in another state.
    #[error("the round is {}; this step needs {needed}", state.as_str())]
    RoundState {
        /// The state it is in.
        state: RoundState,
        /// The states in which the step is possible.
        needed: &'static str,
    },
    /// The round would outgrow its limit.
    #[error("a round takes {MAX_ENROLLED} enterprises, and {enrolled} take part already")]
    RoundTooLarge {
        /// How many take part now.
        enrolled: u32,
    },
    /// Takes no part.
    #[error("enterprise {0} takes no part in the round")]
    NotEnrolled(Uscc),
    /// The declaration does not claim the item.
    #[error("the declaration does not claim item {0}")]
    NotClaimed(Code),
    /// One item named twice in one request.
    #[error("item {0} is named twice")]
    ItemTwice(Code),
    /// The points or conditions do not fit the item.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The proof is of another kind.
    #[error("evidence {evidence} is not accepted here; accepted: {allowed:?}")]
    EvidenceNotAccepted {
        /// What was given.
        evidence: Code,
        /// What the item or veto takes.
        allowed: Vec<Code>,
    },
    /// The scheme has no such event or veto.
    #[error("the scheme has no event or veto {kind}")]
    KindUnknown {
        /// What was given.
        kind: Code,
        /// What the scheme has; empty where that does not help.
        known: Vec<Code>,
    },
    /// No event has this id.
    #[error("no event has this name")]
    EventUnknown,
    /// The document is recorded with this kind.
    #[error("the document is recorded with this kind already, as event {event}")]
    EventExists {
        /// The recorded event.
        event: Code,
    },
    /// No repair ends it.
    #[error("{0} cannot be repaired")]
    NotRepairable(Code),
    /// A flag stands on the same document: its repair ends the event as well.
    #[error("flag {flag} stands on the same document")]
    RepairByDocument {
        /// `enterprises/{uscc}/flags/{flag}`.
        flag: String,
    },
    /// The least window of publicity has not passed.
    #[error("order 36 allows no repair before {earliest}")]
    RepairTooEarly {
        /// First day on which it is possible.
        earliest: Date,
    },
    /// Who recognises, repairs.
    #[error("{0} recorded the document, and only it repairs")]
    NotTheRecognisingBody(Department),
    /// Repaired, confirmed or lapsed.
    #[error("the event is repaired or ended already, or nothing of it is open")]
    EventEnded,
    /// The enterprise has no such site.
    #[error("the enterprise has no site {site}")]
    SiteUnknown {
        /// What was given.
        site: String,
        /// What is registered.
        known: Vec<String>,
    },
    /// Never took part.
    #[error("enterprise {0} has no assessment")]
    AssessmentUnknown(Uscc),
    /// The firm was told nothing under this name.
    #[error("no notice has this name")]
    NoticeUnknown,
    /// It is suspended already, or it is not.
    #[error("the rating is {}suspended", if *suspended { "" } else { "not " })]
    SuspensionState {
        /// How it is.
        suspended: bool,
    },
    /// A snapshot is frozen once.
    #[error("snapshot {0} exists already")]
    SnapshotExists(Code),
    /// No such snapshot.
    #[error("no snapshot has the name {0}")]
    SnapshotUnknown(String),
    /// Neither a day nor an instant, or in the future.
    #[error("{field} must be a day YYYY-MM-DD or an instant of RFC 3339, and not in the future")]
    Instant {
        /// The field.
        field: &'static str,
    },
    /// No such source.
    #[error("no source has the name {0}")]
    SourceUnknown(String),
    /// The enterprise has no such datum.
    #[error("the enterprise has no datum {0}")]
    DatumUnknown(String),
    /// The same caller's claim is open.
    #[error("your claim {0} against this datum is open")]
    DataErrorExists(Code),
    /// No such claim.
    #[error("no claim has this name")]
    DataErrorUnknown,
    /// It is answered.
    #[error("the claim is {} already", .0.as_str())]
    DataErrorState(ClaimState),
    /// Two steps, two people.
    #[error("officer {0} did the step before; another officer must do this one")]
    SameOfficer(Officer),
    /// An enterprise sees only itself, a department only its part.
    #[error("this concerns another enterprise, or is not for your department")]
    NotYours,
    /// The date lies where it cannot.
    #[error("{field} must not lie in the future")]
    DateInFuture {
        /// The field.
        field: &'static str,
    },
    /// The date lies where it cannot.
    #[error("{field} must not lie in the past")]
    DateInPast {
        /// The field.
        field: &'static str,
    },
    /// A step of assistance.
    #[error(transparent)]
    Assistance(#[from] AssistanceRefusal),
    /// A step of a round, or an objection.
    #[error(transparent)]
    Round(#[from] RoundRefusal),
    /// The filter cannot be read.
    #[error("the filter cannot be read at character {position}: {problem}")]
    Filter {
        /// The filter as written, cut to 64 characters.
        filter: String,
        /// Place of the first wrong character, counted from 1.
        position: usize,
        /// What is wrong.
        problem: &'static str,
    },
}

impl Refusal {
    /// A field of another form; `said` is its form in Chinese and English.
    pub fn field(field: &'static str, said: (&'static str, &'static str)) -> Refusal {
        Refusal::Field {
            field,
            zh: said.0,
            en: said.1,
        }
    }

    /// A kind that the scheme does not have, with those that it has.
    pub fn kind(scheme: &Scheme, kind: &Code) -> Refusal {
        Refusal::KindUnknown {
            kind: kind.clone(),
            known: scheme.kinds(),
        }
    }
}

impl From<ScoreError> for Refusal {
    fn from(error: ScoreError) -> Refusal {
        match error {
            ScoreError::KindUnknown(kind) => Refusal::KindUnknown {
                kind,
                known: Vec::new(),
            },
            ScoreError::Grant(error) => Refusal::Grant(error),
        }
    }
}

fn list(codes: &[Code]) -> String {
    codes.iter().map(Code::as_str).collect::<Vec<_>>().join(", ")
}

impl Said for Refusal {
    fn said(&self) -> LocalizedText {
        let both = |zh: String, en: String| LocalizedText { zh, en };
        match self {
            Refusal::Field { field, zh, en } => both(
                format!("字段 {field} 应为{zh}，请更正。"),
                format!("Field {field} must be {en}. Correct it."),
            ),
            Refusal::EnterpriseUnknown(uscc) => both(
                format!("没有登记代码为 {uscc} 的企业，请先登记或核对代码。"),
                format!("No enterprise {uscc} is registered. Register it first, or check the code."),
            ),
            Refusal::EnterpriseExists(uscc) => both(
                format!("企业 {uscc} 已登记，如需变更请用更新操作。"),
                format!("Enterprise {uscc} is registered already. Update it instead."),
            ),
            Refusal::EtagMismatch { current } => both(
                format!("该企业信息已被他人修改，现 etag 为 {current}。请重新读取后再提交。"),
                format!(
                    "Somebody changed the enterprise; its etag is {current}. Read it again, then submit."
                ),
            ),
            Refusal::EtagMissing { .. } => both(
                "修改企业信息须带上读取时得到的 etag。请先读取该企业，再连同其 etag 提交。".to_owned(),
                "A change of an enterprise takes the etag that was read. Read the enterprise, then submit with \
                 its etag."
                    .to_owned(),
            ),
            Refusal::SchemeUnknown(name) => both(
                format!("没有名为 {name} 的评价办法，请从列表中选择。"),
                format!("No scheme has the name {name}. Choose one of the list."),
            ),
            Refusal::Scheme(error) => error.said(),
            Refusal::SchemeActive(key) => both(
                format!("评价办法 {key} 已启用或者已定启用时间，无需再次办理。"),
                format!("Scheme {key} is in use, or will be. There is nothing to do."),
            ),
            Refusal::SchemeNotInForce { in_force } => both(
                format!("现行版本为 {in_force}，新批次应使用现行版本；如需使用其他版本，请先由另一名工作人员启用。"),
                format!(
                    "Version {in_force} is in use, and rounds that begin now use it. Name it, or let another officer \
                     activate the version you want first."
                ),
            ),
            Refusal::ActivationTime { earliest } => both(
                format!("启用时间不能早于 {earliest}，请更正或者留空（立即启用）。"),
                format!("A version cannot come into use before {earliest}. Correct the time, or leave it out for now."),
            ),
            Refusal::SchemeExists(key) => both(
                format!("评价办法 {key} 已存在，且不可更改。请使用新的版本号。"),
                format!("Scheme {key} is stored and never changes. Use a new version."),
            ),
            Refusal::RoundUnknown(name) => both(
                format!("没有名为 {name} 的批次，请核对。"),
                format!("No round has the name {name}. Check it."),
            ),
            Refusal::RoundExists(id) => both(
                format!("批次 {id} 已存在，请换用其他编号。"),
                format!("Round {id} exists already. Choose another id."),
            ),
            Refusal::RoundState { state, needed } => both(
                format!("批次现处于 {}，本步骤要求处于 {needed}。", state.as_str()),
                format!("The round is {}; this step needs {needed}.", state.as_str()),
            ),
            Refusal::RoundTooLarge { enrolled } => both(
                format!(
                    "每个批次至多纳入 {MAX_ENROLLED} 家企业，现已有 {enrolled} 家。请另建批次纳入其余企业。"
                ),
                format!(
                    "A round takes {MAX_ENROLLED} enterprises, and {enrolled} take part already. \
                     Begin another round for the rest."
                ),
            ),
            Refusal::NotEnrolled(uscc) => both(
                format!("企业 {uscc} 未参加该批次，请先纳入。"),
                format!("Enterprise {uscc} takes no part in the round. Enrol it first."),
            ),
            Refusal::NotClaimed(item) => both(
                format!("申报材料中没有小项 {item}，只能核定已申报的小项。"),
                format!("The declaration does not claim item {item}. Only claimed items can be awarded."),
            ),
            Refusal::ItemTwice(item) => both(
                format!("小项 {item} 重复，每项只能提交一次。"),
                format!("Item {item} is named twice. Name each once."),
            ),
            Refusal::Grant(GrantError::ItemUnknown(item)) => both(
                format!("评价办法中没有可申报的小项 {item}。"),
                format!("The scheme has no bonus item {item}. See the scheme's items."),
            ),
            Refusal::Grant(GrantError::Points { item, max, step }) => both(
                format!("小项 {item} 的分值应在 0 与 {max} 之间，且为 {step} 的整数倍。"),
                format!("Item {item} takes 0 to {max} points in steps of {step}."),
            ),
            Refusal::Grant(GrantError::Tier { item, allowed }) if allowed.is_empty() => both(
                format!("小项 {item} 没有档次，请填写分值。"),
                format!("Item {item} has no tiers; give points."),
            ),
            Refusal::Grant(GrantError::Tier { item, allowed }) => both(
                format!("小项 {item} 只接受以下档次：{}。", list(allowed)),
                format!("Item {item} takes these tiers only: {}.", list(allowed)),
            ),
            Refusal::EvidenceNotAccepted { evidence, allowed } => both(
                format!("证据种类 {evidence} 不适用，可用：{}。", list(allowed)),
                format!(
                    "Evidence {evidence} is not accepted here. Accepted: {}.",
                    list(allowed)
                ),
            ),
            Refusal::KindUnknown { kind, known } if known.is_empty() => both(
                format!("评价办法中没有事件或否决情形 {kind}，请核对代码。"),
                format!("The scheme has no event or veto {kind}. Check the code."),
            ),
            Refusal::KindUnknown { kind, known } => both(
                format!("评价办法中没有事件或否决情形 {kind}，请从以下代码中选择：{}。", list(known)),
                format!("The scheme has no event or veto {kind}. Use one of: {}.", list(known)),
            ),
            Refusal::EventUnknown => both(
                "没有该事件，请核对名称。".to_owned(),
                "No event has this name. Check it.".to_owned(),
            ),
            Refusal::EventExists { event } => both(
                format!("该文书已按此情形记录，事件编号 {event}。"),
                format!("The document is recorded with this kind already, as event {event}."),
            ),
            Refusal::NotRepairable(kind) => both(
                format!("{kind} 不可修复，只能待期限届满且整改确认。"),
                format!("{kind} cannot be repaired; it ends with its term and the confirmed rectification."),
            ),
            Refusal::RepairByDocument { flag } => both(
                format!(
                    "同一文书上的失信标记 {flag} 仍然有效。请由认定部门在信用修复中办理，准予修复后本事件随之修复。"
                ),
                format!(
                    "Flag {flag} stands on the same document. Apply for its repair (RepairService) with the department \
                     that recognised it; once that is granted, this event is repaired as well."
                ),
            ),
            Refusal::RepairTooEarly { earliest } => both(
                format!("最短公示期未满，{earliest} 起方可修复。请届时再办理，其间完成整改并保存证明。"),
                format!(
                    "The least window of publicity has not passed. Repair it on {earliest} or later; until then correct \
                     the fault and keep the proof."
                ),
            ),
            Refusal::NotTheRecognisingBody(department) => both(
                format!("谁认定、谁修复：该文书由 {department} 记录，请转由该部门办理。"),
                format!("Who recognises, repairs: {department} recorded the document. Hand the matter to it."),
            ),
            Refusal::EventEnded => both(
                "该事件已修复或已终止，或没有待办整改，无需再操作。".to_owned(),
                "The event is repaired or ended, or nothing of it is open. There is nothing to do."
                    .to_owned(),
            ),
            Refusal::SiteUnknown { site, known } if known.is_empty() => both(
                format!("企业没有编号为 {site} 的场所，也未登记任何场所。请先登记场所，或不填场所。"),
                format!(
                    "The enterprise has no site {site}, nor any other. Register the site first, or leave it out."
                ),
            ),
            Refusal::SiteUnknown { site, known } => both(
                format!(
                    "企业没有编号为 {site} 的场所，已登记：{}。请核对或先登记场所。",
                    known.join("、")
                ),
                format!(
                    "The enterprise has no site {site}; it has {}. Check it, or register the site first.",
                    known.join(", ")
                ),
            ),
            Refusal::NoticeUnknown => both(
                "没有该告知书，请核对名称。".to_owned(),
                "No notice has this name. Check it.".to_owned(),
            ),
            Refusal::SuspensionState { suspended: true } => both(
                "该评级已处于暂停状态，无需再次暂停；如已有结论，请恢复。".to_owned(),
                "The rating is suspended already. Resume it once the authority has decided.".to_owned(),
            ),
            Refusal::SuspensionState { suspended: false } => both(
                "该评级未处于暂停状态，无需恢复。".to_owned(),
                "The rating is not suspended. There is nothing to resume.".to_owned(),
            ),
            Refusal::SnapshotExists(id) => both(
                format!("快照 {id} 已冻结，不可更改。如需新的名单请换用其他编号。"),
                format!("Snapshot {id} is frozen and never changes. Choose another id for another list."),
            ),
            Refusal::SnapshotUnknown(name) => both(
                format!("没有名为 {name} 的快照，请从列表中选择。"),
                format!("No snapshot has the name {name}. Choose one of the list."),
            ),
            Refusal::SourceUnknown(name) => both(
                format!(
                    "没有数据来源 {name}。可用：sources/register、sources/declarations、sources/events-部门代码。"
                ),
                format!(
                    "No source has the name {name}. Use sources/register, sources/declarations or \
                     sources/events-{{department}}."
                ),
            ),
            Refusal::DatumUnknown(datum) => both(
                format!(
                    "该企业没有数据 {datum}。请写作 events/事件编号、items/小项代码或 register/字段名。"
                ),
                format!(
                    "The enterprise has no datum {datum}. Write events/{{event}}, items/{{item}} or register/{{field}}."
                ),
            ),
            Refusal::DataErrorExists(id) => both(
                format!("您对该数据的更正申请 {id} 正在处理，请等待答复。"),
                format!("Your claim {id} against this datum is open. Wait for its answer."),
            ),
            Refusal::DataErrorUnknown => both(
                "没有该数据更正申请，请核对名称。".to_owned(),
                "No claim has this name. Check it.".to_owned(),
            ),
            Refusal::DataErrorState(state) => both(
                format!("该申请已答复（{}），不可再次答复。", state.as_str()),
                format!("The claim is answered ({}). A new fact takes a new claim.", state.as_str()),
            ),
            Refusal::Instant { field } => both(
                format!("{field} 应为日期 YYYY-MM-DD 或 RFC 3339 时刻，且不晚于现在，请更正。"),
                format!(
                    "{field} must be a day YYYY-MM-DD or an instant of RFC 3339, and not in the future. Correct it."
                ),
            ),
            Refusal::AssessmentUnknown(uscc) => both(
                format!("企业 {uscc} 未参加过任何已发布批次，没有评价明细。"),
                format!("Enterprise {uscc} took part in no published round, so there is no assessment."),
            ),
            Refusal::SameOfficer(officer) => both(
                format!("上一步由 {officer} 办理，本步骤须由另一名工作人员办理。"),
                format!("Officer {officer} did the step before. Another officer must do this one."),
            ),
            Refusal::NotYours => both(
                "只能查看与本企业或本部门有关的内容。".to_owned(),
                "You can see only what concerns your own enterprise or department.".to_owned(),
            ),
            Refusal::DateInFuture { field } => both(
                format!("{field} 不能晚于今天，请更正。"),
                format!("{field} must not lie in the future. Correct it."),
            ),
            Refusal::DateInPast { field } => both(
                format!("{field} 不能早于今天，请更正。"),
                format!("{field} must not lie in the past. Correct it."),
            ),
            Refusal::Assistance(refusal) => refusal.said(),
            Refusal::Round(refusal) => refusal.said(),
            Refusal::Filter { position, problem, .. } => both(
                format!(
                    "筛选条件在第 {position} 个字符处无法识别（{problem}），请按 字段 = \"值\" 的形式书写。"
                ),
                format!(
                    "The filter cannot be read at character {position}: {problem}. Write field = \"value\"."
                ),
            ),
        }
    }
}
