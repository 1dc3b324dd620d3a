//! Why a step of a round, or an objection, is refused.

use greenstar_kernel::{Code, LocalizedText, Officer, Points, Said, Timestamp, Uscc};

/// A refusal. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoundRefusal {
    /// The scheme's procedure has no such step.
    #[error("the round's scheme has no such step")]
    StepNotAsked,
    /// A time given to others has not passed.
    #[error("this step is possible from {earliest} on")]
    TooEarly {
        /// From when it is possible.
        earliest: Timestamp,
    },
    /// A time has passed.
    #[error("the time for this ended at {deadline}")]
    DeadlinePassed {
        /// When it ended.
        deadline: Timestamp,
    },
    /// There is no declaration.
    #[error("enterprise {0} has not declared")]
    NotDeclared(Uscc),
    /// There is no verdict.
    #[error("item {0} has no verdict to confirm")]
    NotVerified(Code),
    /// Something declared has no verdict, or none that is confirmed.
    #[error("{items} items of enterprise {uscc} are not verified and confirmed")]
    VerificationOpen {
        /// The first such enterprise.
        uscc: Uscc,
        /// How many of its items.
        items: u32,
    },
    /// The firm's own word alone is not worth so much.
    #[error("item {item} is awarded {most} at most on the enterprise's own papers alone")]
    EvidenceTooWeak {
        /// The item.
        item: Code,
        /// The most that it is awarded.
        most: Points,
    },
    /// One open round at a time.
    #[error("enterprise {uscc} takes part in round {round}, which is not over")]
    EnrolledElsewhere {
        /// Who.
        uscc: Uscc,
        /// The other round.
        round: Code,
    },
    /// Who would lose was not told of what stands now.
    #[error("notices to who would lose have not been issued since the last verdict")]
    NoticesMissing,
    /// It was told of no loss.
    #[error("enterprise {0} has no notice to answer")]
    NoticeUnknown(Uscc),
    /// The public may still comment.
    #[error("the public may comment until {until}")]
    CommentOpen {
        /// When the period ends.
        until: Timestamp,
    },
    /// Comments wait for an answer.
    #[error("{0} comments are not answered")]
    CommentsUnanswered(u32),
    /// No comment has this id.
    #[error("no comment has this name")]
    CommentUnknown,
    /// The department has no vote.
    #[error("your department is no member of the joint deliberation")]
    NotAMember,
    /// The officer stands back in this matter.
    #[error("officer {officer} is recused from enterprise {uscc}")]
    Recused {
        /// Who.
        officer: Officer,
        /// In whose matter.
        uscc: Uscc,
    },
    /// A vote confirms or lowers.
    #[error("a vote on enterprise {uscc} may only confirm what is proposed, or lower it")]
    VoteCannotRaise {
        /// On whom.
        uscc: Uscc,
    },
    /// Too few votes.
    #[error("enterprise {uscc} has {votes} votes, and {quorum} are needed")]
    QuorumMissing {
        /// The first such enterprise.
        uscc: Uscc,
        /// Its votes.
        votes: usize,
        /// Votes needed.
        quorum: u16,
    },
    /// Nothing says that the government approved.
    #[error("the government's approval is not recorded")]
    ApprovalMissing,
    /// It is recorded.
    #[error("the approval is recorded already")]
    ApprovalExists,
    /// No objection has this id.
    #[error("no objection has this name")]
    ObjectionUnknown,
    /// The same was contested before.
    #[error("the same is contested in objection {objection}")]
    ObjectionExists {
        /// That objection.
        objection: Code,
    },
    /// It was decided.
    #[error("the objection is decided")]
    ObjectionDecided,
    /// A flag stands on the document: whether that holds is for its department.
    #[error("flag {flag} stands on the event's document")]
    ObjectionByDocument {
        /// `enterprises/{uscc}/flags/{flag}`.
        flag: String,
    },
    /// A decision finds on every point that is contested, and on nothing else.
    #[error("a decision finds on each contested point once, and on nothing else")]
    FindingsIncomplete,
    /// The rating has no such version.
    #[error("the rating has no version {version}; the newest is {newest}")]
    VersionUnknown {
        /// What was asked for.
        version: u32,
        /// The newest.
        newest: u32,
    },
}

impl Said for RoundRefusal {
    fn said(&self) -> LocalizedText {
        let both = |zh: &str, en: &str| LocalizedText::new(zh, en);
        match self {
            RoundRefusal::StepNotAsked => both(
                "该批次所用办法没有这一步骤，请按办法规定的程序办理下一步。",
                "The scheme of this round has no such step. Take the next one of its procedure.",
            ),
            RoundRefusal::TooEarly { earliest } => LocalizedText::new(
                format!("期限未满，{earliest} 起方可办理，请届时再办。"),
                format!("Others still have time. Do this at {earliest} or later."),
            ),
            RoundRefusal::DeadlinePassed { deadline } => LocalizedText::new(
                format!("期限已于 {deadline} 届满，不再受理。可在下一批次申报，或对结果提出异议。"),
                format!(
                    "The time for this ended at {deadline}. Declare in the next round, or object to the result."
                ),
            ),
            RoundRefusal::NotDeclared(uscc) => LocalizedText::new(
                format!("企业 {uscc} 尚未申报，请先申报。"),
                format!("Enterprise {uscc} has not declared. Hand its declaration in first."),
            ),
            RoundRefusal::NotVerified(item) => LocalizedText::new(
                format!("小项 {item} 尚无核定结果，请先核定再由另一名人员复核。"),
                format!("Item {item} has no verdict. Verify it first, then another officer confirms."),
            ),
            RoundRefusal::VerificationOpen { uscc, items } => LocalizedText::new(
                format!("企业 {uscc} 尚有 {items} 个小项未核定或未经第二人复核，请先办结。"),
                format!(
                    "{items} items of enterprise {uscc} are not verified, or not confirmed by a second officer. Finish \
                     them first."
                ),
            ),
            RoundRefusal::EvidenceTooWeak { item, most } => LocalizedText::new(
                format!(
                    "小项 {item} 仅有企业自证材料，至多核定 {most} 分。请补充权威部门、系统或第三方证据。"
                ),
                format!(
                    "Item {item} rests on the enterprise's own papers alone, so {most} points are the most. Award no \
                     more, or send the declaration back for evidence of an authority, a system or a third party."
                ),
            ),
            RoundRefusal::EnrolledElsewhere { uscc, round } => LocalizedText::new(
                format!("企业 {uscc} 正在参加未结束的批次 {round}，请待其发布或撤销后再纳入。"),
                format!(
                    "Enterprise {uscc} takes part in round {round}, which is not over. Enrol it when that is published \
                     or withdrawn."
                ),
            ),
            RoundRefusal::NoticesMissing => both(
                "尚未就现有核定结果书面告知可能降级或不予列入的企业，请先发出告知。",
                "Who would lose has not been told of what stands now. Issue the notices first.",
            ),
            RoundRefusal::NoticeUnknown(uscc) => LocalizedText::new(
                format!("企业 {uscc} 没有待答复的告知书。"),
                format!("Enterprise {uscc} was told of no loss, so there is nothing to answer."),
            ),
            RoundRefusal::CommentOpen { until } => LocalizedText::new(
                format!("公示期至 {until} 届满，期间不得进入下一步，请届时再办。"),
                format!("The public may comment until {until}. Do this at that time or later."),
            ),
            RoundRefusal::CommentsUnanswered(count) => LocalizedText::new(
                format!("尚有 {count} 条公众意见未答复，请逐条答复后再办。"),
                format!("{count} comments of the public are not answered. Answer each of them first."),
            ),
            RoundRefusal::CommentUnknown => both(
                "没有该条意见，请核对名称。",
                "No comment has this name. Check it.",
            ),
            RoundRefusal::NotAMember => both(
                "本部门不是联合会审成员单位，不能表决。",
                "Your department is no member of the joint deliberation, so it has no vote. See the scheme's members.",
            ),
            RoundRefusal::Recused { officer, uscc } => LocalizedText::new(
                format!("{officer} 已对企业 {uscc} 回避，请由本部门其他人员表决。"),
                format!(
                    "Officer {officer} is recused from enterprise {uscc}. Another officer of the department votes."
                ),
            ),
            RoundRefusal::VoteCannotRaise { uscc } => LocalizedText::new(
                format!("对企业 {uscc} 只能同意拟定结果或说明理由予以降低，不能提高。"),
                format!("A vote on enterprise {uscc} confirms what is proposed, or lowers it with a reason."),
            ),
            RoundRefusal::QuorumMissing { uscc, votes, quorum } => LocalizedText::new(
                format!("企业 {uscc} 现有 {votes} 票，未达法定 {quorum} 票，请待其余成员单位表决。"),
                format!(
                    "Enterprise {uscc} has {votes} votes and {quorum} are needed. Wait for the other members."
                ),
            ),
            RoundRefusal::ApprovalMissing => both(
                "尚未登记政府批准文件，请先登记批准再发布。",
                "The government's approval is not recorded. Record it first (ApproveRound), then publish.",
            ),
            RoundRefusal::ApprovalExists => both(
                "批准文件已登记，无需重复登记。",
                "The approval is recorded already. There is nothing to do.",
            ),
            RoundRefusal::ObjectionUnknown => both(
                "没有该异议，请核对名称。",
                "No objection has this name. Check it.",
            ),
            RoundRefusal::ObjectionExists { objection } => LocalizedText::new(
                format!("同一版本的同一事项已提出异议 {objection}，请查看其处理结果。"),
                format!(
                    "The same point is contested in objection {objection}. See what becomes of that one."
                ),
            ),
            RoundRefusal::ObjectionDecided => both(
                "该异议已作出决定，不再变更。",
                "The objection is decided and does not change. Object to the new version if it is wrong.",
            ),
            RoundRefusal::ObjectionByDocument { flag } => LocalizedText::new(
                format!(
                    "该文书上的失信标记 {flag} 仍然有效，请对该标记提出异议（AppealService），由认定部门决定。"
                ),
                format!(
                    "Flag {flag} stands on the document. Appeal against the flag (AppealService): the department that \
                     recognised it decides, and the event follows."
                ),
            ),
            RoundRefusal::FindingsIncomplete => both(
                "须对异议的每一事项各作出一项决定，且不涉及其他事项。",
                "A decision finds on each contested point once, and on nothing else. Complete it.",
            ),
            RoundRefusal::VersionUnknown { version, newest } => LocalizedText::new(
                format!("评级没有第 {version} 版，最新为第 {newest} 版。"),
                format!("The rating has no version {version}; the newest is {newest}. Name one of those."),
            ),
        }
    }
}
