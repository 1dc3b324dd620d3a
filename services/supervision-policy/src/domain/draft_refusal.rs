//! Why a step on the way of a policy is refused. Nothing changed.

use greenstar_kernel::{Code, Department, LocalizedText, Officer, Revision, Said, Timestamp};

use super::draft::DraftState;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `hidden`: another department's.
    #[error("no draft of your department has this name; list the drafts")]
    DraftUnknown { hidden: bool },
    #[error("the draft is {}, this step needs {}; take the steps in their order", .state.as_str(), .needed.as_str())]
    State { state: DraftState, needed: DraftState },
    #[error("the draft is {} and changes no more; write a new one", .state.as_str())]
    Closed { state: DraftState },
    #[error("the draft was changed since you read it; read it again, and send the etag that it has now")]
    EtagMismatch { current: Revision },
    #[error(
        "the draft is {}: another officer of the department than its author has to approve it first", .state.as_str()
    )]
    NotApproved { state: DraftState },
    #[error("{officer} wrote the draft; let another officer of the department approve it")]
    SameOfficer { officer: Officer },
    #[error(
        "this is a draft of the policy {policy} of the department {department}, and stays one; write a new draft for another"
    )]
    OtherPolicy { policy: Code, department: Department },
    #[error(
        "a department writes, publishes and rolls back its own policies; the text names another department, or the policy is another's"
    )]
    NotYours { department: Department },
    #[error(
        "the version would take effect too soon, or not after one that is scheduled; the first possible instant is {earliest}"
    )]
    TooSoon { earliest: Timestamp },
    #[error("the version would take effect later than {latest}; nobody schedules so far ahead on purpose")]
    TooLate { earliest: Timestamp, latest: Timestamp },
    #[error("no policy has this name; list the policies")]
    PolicyUnknown { policy: Code },
    #[error("the policy has no version {version}; list its versions")]
    VersionUnknown { version: u32 },
    #[error(
        "version {version} has never been in force, so there is nothing to go back to; publish it by a draft of its own"
    )]
    NeverInForce { version: u32 },
    #[error("another version is in force than you believe; look at the versions and decide again")]
    VersionMismatch { in_force: Option<u32> },
    /// For the service itself: check again, among all that was published up to `newest`.
    #[error("other policies are being published; nothing was changed, try again")]
    Unchecked { newest: Revision },
}

impl Said for Refusal {
    fn said(&self) -> LocalizedText {
        let zh = match self {
            Refusal::DraftUnknown { .. } => "本部门没有这个名称的草案，请列出草案核对".to_owned(),
            Refusal::State { state, needed } => format!(
                "草案状态为 {}，此步骤要求 {}，请按顺序办理",
                state.as_str(),
                needed.as_str()
            ),
            Refusal::Closed { state } => {
                format!("草案状态为 {}，不再改变，请另写草案", state.as_str())
            }
            Refusal::EtagMismatch { .. } => {
                "草案在您读取之后已被修改，请重新读取并使用当前的 etag".to_owned()
            }
            Refusal::NotApproved { state } => {
                format!("草案状态为 {}，须先由作者以外的本部门人员批准", state.as_str())
            }
            Refusal::SameOfficer { officer } => {
                format!("草案由 {officer} 撰写，须由本部门另一名人员批准")
            }
            Refusal::OtherPolicy { policy, department } => {
                format!("这是部门 {department} 政策 {policy} 的草案，不得改为其他政策，请另写草案")
            }
            Refusal::NotYours { .. } => {
                "各部门只能起草、发布和回退本部门的政策；文件所写部门或者该政策属于其他部门".to_owned()
            }
            Refusal::TooSoon { earliest } => {
                format!("生效时间过早，或者不晚于已排定的版本；最早可为 {earliest}")
            }
            Refusal::TooLate { latest, .. } => format!("生效时间过晚，最晚可为 {latest}"),
            Refusal::PolicyUnknown { .. } => "没有这个名称的政策，请列出政策核对".to_owned(),
            Refusal::VersionUnknown { version } => {
                format!("该政策没有版本 {version}，请列出版本核对")
            }
            Refusal::NeverInForce { version } => {
                format!("版本 {version} 从未生效，无从回退；如需采用，请另写草案发布")
            }
            Refusal::VersionMismatch { .. } => "现行版本与您所述不一致，请核对版本后再决定".to_owned(),
            Refusal::Unchecked { .. } => "其他政策正在发布，系统未作任何更改，请重试".to_owned(),
        };
        LocalizedText::new(zh, self.to_string())
    }
}
