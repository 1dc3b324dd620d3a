//! Why a call has no answer, as the contract says it. No `_` arm: a new variant must choose its code here.

use std::fmt;

use greenstar_kernel::{Caller, Code as CodeWord, Date, Department, LocalizedText, Said};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_rpc::{fault, field, fields, hidden, status};
use tonic::{Code, Status};

use crate::consistency::Unreached;
use crate::domain::decide::DecideError;
use crate::domain::matter::{ArgumentError, Stale};
use crate::record::RecordError;
use crate::view::Unreadable;

pub(super) use greenstar_rpc::stored::store;

fn say(code: Code, reason: ErrorReason, zh: &str, en: &str, metadata: &[(&str, String)]) -> Status {
    status(code, reason, &LocalizedText::new(zh, en), metadata)
}

pub(super) fn unreached(error: &Unreached) -> Status {
    let said = error.said();
    let revision =
        |revision: &Option<greenstar_kernel::Revision>| revision.map_or_else(String::new, |r| r.to_string());
    match error {
        Unreached::Malformed(_) => field(
            "consistency.at_least_as_fresh",
            ErrorReason::TokenMalformed,
            &said,
            &[],
        ),
        Unreached::Foreign(log) => {
            let metadata = [("log", log.as_str().to_owned())];
            status(
                Code::FailedPrecondition,
                ErrorReason::TokenForeign,
                &said,
                &metadata,
            )
        }
        Unreached::Ahead { log, head } => {
            let metadata = [("log", log.as_str().to_owned()), ("head", revision(head))];
            status(Code::InvalidArgument, ErrorReason::TokenAhead, &said, &metadata)
        }
        Unreached::NotFresh { log, applied, wanted } => {
            let metadata = [
                ("log", log.as_str().to_owned()),
                ("applied", revision(applied)),
                ("wanted", wanted.to_string()),
            ];
            status(Code::Unavailable, ErrorReason::ViewNotFresh, &said, &metadata)
        }
        Unreached::Source { .. } => fault(Code::Unavailable, ErrorReason::ViewNotFresh, &said, error),
    }
}

pub(super) fn stale(stale: &Stale) -> Status {
    let seconds = |span: std::time::Duration| format!("{:.3}s", span.as_secs_f64());
    let metadata = [
        ("age", stale.age.map_or_else(|| "unknown".to_owned(), seconds)),
        ("bound", seconds(stale.bound)),
    ];
    status(
        Code::Unavailable,
        ErrorReason::ViewStale,
        &stale.said(),
        &metadata,
    )
}

pub(super) fn record(error: &RecordError) -> Status {
    fault(
        Code::Unavailable,
        ErrorReason::RecordUnavailable,
        &error.said(),
        error,
    )
}

pub(super) fn arguments(error: &ArgumentError) -> Status {
    let argument = match error {
        ArgumentError::Unknown(name) => name.clone(),
        ArgumentError::Missing(name) | ArgumentError::Malformed { name, .. } => name.to_string(),
    };
    field(
        "arguments",
        ErrorReason::ArgumentInvalid,
        &error.said(),
        &[("argument", argument)],
    )
}

pub(super) fn undecided(error: &DecideError) -> Status {
    match error {
        DecideError::FlagKindUnknown(_) => {
            fault(Code::Unavailable, ErrorReason::ViewNotFresh, &error.said(), error)
        }
        DecideError::Arguments(_) => fault(Code::Internal, ErrorReason::Internal, &error.said(), error),
    }
}

pub(super) fn unreadable(error: Unreadable) -> Status {
    let said = LocalizedText::new(
        "该企业的评价或标记数据无法读取，不得据此认定无不良记录；请人工核查并通知运维人员",
        "what is known about this enterprise cannot be read, which is no clean record: check by hand and tell the operator",
    );
    fault(Code::DataLoss, ErrorReason::StoreCorrupt, &said, &error)
}

pub(super) fn not_ready() -> Status {
    say(
        Code::Unavailable,
        ErrorReason::NotReady,
        "服务正在启动，尚未取得全部数据；请稍后重试",
        "the service is starting and has not all data yet; try again shortly",
        &[],
    )
}

pub(super) fn batch_size(sizes: &std::ops::RangeInclusive<usize>) -> Status {
    let (least, most) = (sizes.start(), sizes.end());
    let said = LocalizedText::new(
        format!("一批应有 {least} 至 {most} 个问题，请分批提交"),
        format!("a batch holds {least} to {most} questions; send more in several"),
    );
    field("requests", ErrorReason::FieldInvalid, &said, &[])
}

pub(super) fn matter_unknown(department: &str, matter: &str) -> Status {
    say(
        Code::NotFound,
        ErrorReason::MatterUnknown,
        "没有这个事项；可用事项见 GET /v1/matters",
        "there is no such matter; GET /v1/matters lists those there are",
        &[("matter", format!("departments/{department}/matters/{matter}"))],
    )
}

pub(super) fn matter_not_yours(owner: &Department) -> Status {
    say(
        Code::PermissionDenied,
        ErrorReason::MatterNotYours,
        "该事项属于其他部门；请由该部门查询",
        "the matter belongs to another department; let that department ask",
        &[("department", owner.to_string())],
    )
}

pub(super) fn permit_kind_unknown(kind: &str, known: &[&CodeWord]) -> Status {
    let known: Vec<&str> = known.iter().map(|code| code.as_str()).collect();
    let known = known.join(", ");
    let said = LocalizedText::new(
        format!("没有这个许可种类；可用种类：{known}"),
        format!("no permit kind has this code; known are {known}"),
    );
    let metadata = [("permit_kind", kind.to_owned()), ("known", known)];
    status(Code::NotFound, ErrorReason::PermitKindUnknown, &said, &metadata)
}

pub(super) fn staleness_invalid() -> Status {
    let said = LocalizedText::new("时效上限不能为负", "a bound of staleness is not negative");
    field("consistency.max_staleness", ErrorReason::FieldInvalid, &said, &[])
}

pub(super) fn decision_unknown() -> Status {
    say(
        Code::NotFound,
        ErrorReason::DecisionUnknown,
        "没有贵部门的这份决定；请核对决定名称",
        "no decision of yours has this name; check the name",
        &[],
    )
}

pub(super) fn department_not_allowed(caller: &Caller) -> Status {
    let department = caller
        .department()
        .map_or_else(|| caller.principal(), ToString::to_string);
    say(
        Code::PermissionDenied,
        ErrorReason::DepartmentNotAllowed,
        "贵部门只能报告和查看本部门的措施落实情况；各部门情况由评价部门和运维人员查看",
        "a department reports and sees what it applied itself; the rating department and operators see everybody's",
        &[("department", department)],
    )
}

pub(super) fn flag_unknown(flag: &str) -> Status {
    say(
        Code::NotFound,
        ErrorReason::FlagUnknown,
        "没有这一生效中的标记；请核对名称",
        "no flag in force has this name; check the name",
        &[("flag", shortened(flag))],
    )
}

pub(super) fn measure_not_due(measure: &str) -> Status {
    say(
        Code::InvalidArgument,
        ErrorReason::MeasureNotDue,
        "该决定或标记对贵部门没有这项措施；请按决定所列措施或措施落实缺口清单填报",
        "the decision or flag carries no such measure for your department; report on those that it lists, or on gaps",
        &[("measure", shortened(measure))],
    )
}

pub(super) fn writer_unknown() -> Status {
    say(
        Code::NotFound,
        ErrorReason::WriterUnknown,
        "没有这个记录写入者；可用名称见 GET /v1/recordWriters",
        "no writer of records has this name; GET /v1/recordWriters lists those there are",
        &[],
    )
}

/// Its retention has ended.
pub(super) fn record_erased() -> Status {
    say(
        Code::FailedPrecondition,
        ErrorReason::RecordErased,
        "该决定记录的保存期已满，内容已删除；请使用当时留存的回执或者副本",
        "the record's retention has ended and its content was deleted; use the receipt or copy that was kept at the time",
        &[],
    )
}

pub(super) fn replay_version_unknown(version: &str) -> Status {
    say(
        Code::FailedPrecondition,
        ErrorReason::ReplayVersionUnknown,
        "作出该决定时所依据的版本在本系统中不存在，无法复算；请运维人员在作出该决定的系统中查找",
        "a version that the decision was made by is not here, so it cannot be evaluated again; ask the operator to look in the system in which it was made",
        &[("version", shortened(version))],
    )
}

pub(super) fn decisions_not_yours(caller: &Caller) -> Status {
    let department = caller
        .department()
        .map_or_else(|| caller.principal(), ToString::to_string);
    say(
        Code::PermissionDenied,
        ErrorReason::DepartmentNotAllowed,
        "部门只能查看本部门的决定；企业请以 departments/- 查看涉及本企业的决定",
        "a department lists its own decisions; an enterprise lists those about itself with departments/-",
        &[("department", department)],
    )
}

fn invalid(name: &str, zh: &str, en: &str) -> Status {
    field(name, ErrorReason::FieldInvalid, &LocalizedText::new(zh, en), &[])
}

pub(super) fn subject_missing() -> Status {
    invalid(
        "subject",
        "请写明所报告的决定（decision）或标记（flag）",
        "say what the report is about: a decision or a flag",
    )
}

pub(super) fn measure_twice(index: usize) -> Status {
    invalid(
        &format!("measures[{index}].measure"),
        "同一措施在一次报告中只能出现一次",
        "a measure comes once in a report",
    )
}

pub(super) fn application_missing(index: usize) -> Status {
    invalid(
        &format!("measures[{index}].application"),
        "请写明该措施是否已落实",
        "say whether the measure was applied",
    )
}

pub(super) fn note_missing(index: usize) -> Status {
    invalid(
        &format!("measures[{index}].note"),
        "未落实或不适用的，请在 note 中说明原因",
        "say in the note why it was not applied, or why there was nothing to apply it to",
    )
}

pub(super) fn page_token_invalid() -> Status {
    say(
        Code::InvalidArgument,
        ErrorReason::PageTokenInvalid,
        "page_token 无效：请从第一页重新开始",
        "the page token is not one of ours: start at the first page",
        &[],
    )
}

/// Whether it exists is nobody else's business; that somebody tried is the log's.
pub(super) fn decision_not_yours() -> Status {
    hidden(ErrorReason::MatterNotYours, decision_unknown())
}

/// It is a sample that waits for the disk, or another replica has it and did not ship it yet.
pub(super) fn decision_not_yet() -> Status {
    say(
        Code::Unavailable,
        ErrorReason::ServiceUnavailable,
        "该决定可能尚未写入；请稍后重试",
        "the decision may not be written yet; try again shortly",
        &[("service", "supervision-policy".to_owned())],
    )
}

pub(super) fn pin_invalid(pin: impl fmt::Display) -> Status {
    say(
        Code::InvalidArgument,
        ErrorReason::PinInvalid,
        "所指定的政策版本不属于本事项，或者从未生效；请改用曾经生效的版本，或不指定版本",
        "the pinned version is none of this matter's, or was never in force; pin one that was, or none",
        &[("version", shortened(pin))],
    )
}

/// Of a version that was in force.
pub(super) fn pin_unfit(pin: impl fmt::Display) -> Status {
    say(
        Code::InvalidArgument,
        ErrorReason::PinInvalid,
        "所指定的政策版本与现行措施目录不相符，不能再据以作出决定；请改用较新的版本，或不指定版本",
        "the pinned version does not fit the catalogue in force any more, so nothing is decided by it; pin a newer one, or none",
        &[("version", shortened(pin))],
    )
}

fn authority(zh: &str, en: &str, valid_until: &str) -> Status {
    let metadata = [("valid_until", shortened(valid_until))];
    let said = LocalizedText::new(zh, en);
    field("authority", ErrorReason::AuthorityInvalid, &said, &metadata)
}

pub(super) fn consent_day(valid_until: &str) -> Status {
    authority(
        "授权的截止日期无法识别，应为 YYYY-MM-DD",
        "the consent's last day is none; write YYYY-MM-DD",
        valid_until,
    )
}

pub(super) fn consent_hash(valid_until: &str) -> Status {
    authority(
        "授权文件的摘要应为 SHA-256 的 64 位十六进制数，或留空",
        "the hash of the consent's document is 64 hexadecimal digits of SHA-256, or left out",
        valid_until,
    )
}

pub(super) fn consent_ended(last: Date) -> Status {
    authority(
        "企业的授权已到期；请取得新的授权后再查询",
        "the firm's consent has ended; obtain a new one, then ask again",
        &last.to_string(),
    )
}

/// `part` is empty, or nothing but blanks.
pub(super) fn authority_blank(part: &str, valid_until: &str) -> Status {
    let zh = format!("查询依据不完整：请填写 {part}");
    let en = format!("the authority to ask is not complete: say its {part}");
    authority(&zh, &en, valid_until)
}

/// A record that is there and cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("a decision record is damaged")]
pub(super) struct Damaged;

pub(super) fn damaged(error: &(dyn std::error::Error + 'static)) -> Status {
    let said = LocalizedText::new(
        "该决定的记录已损坏，无法读取；请联系运维人员",
        "the record of this decision is damaged and cannot be read; call the operator",
    );
    fault(Code::DataLoss, ErrorReason::StoreCorrupt, &said, error)
}

/// Several faults of what was sent in one status, under the reason of the first; as many in full as a header carries.
pub(super) fn several(all: Vec<(String, ErrorReason, LocalizedText)>, metadata: &[(&str, String)]) -> Status {
    const BYTES: usize = 2_500;
    let count = all.len();
    let mut places: Vec<(String, ErrorReason, LocalizedText)> = Vec::new();
    let mut bytes = 0;
    for (place, reason, said) in all {
        bytes += said.zh.len() + said.en.len();
        if bytes > BYTES && !places.is_empty() {
            break;
        }
        places.push((place, reason, said));
    }
    let join = |separator: &str, part: fn(&LocalizedText) -> &str| {
        let parts: Vec<&str> = places.iter().map(|(_, _, said)| part(said)).collect();
        parts.join(separator)
    };
    let mut said = LocalizedText::new(join("；", |said| &said.zh), join("; ", |said| &said.en));
    let more = count - places.len();
    if more > 0 {
        said.zh.push_str(&format!("；另有 {more} 处问题"));
        said.en.push_str(&format!("; and {more} more"));
    }
    let first = places
        .first()
        .map_or(ErrorReason::TableMalformed, |(_, reason, _)| *reason);
    fields(first, &said, metadata, &places)
}

/// A task of ours ended without an answer.
pub(super) fn failed(error: &(dyn std::error::Error + 'static)) -> Status {
    let said = LocalizedText::new(
        "计算未能完成，请稍后重试；如仍如此，请联系运维人员",
        "the computation did not come to its end; try again, and call the operator if it stays so",
    );
    fault(Code::Internal, ErrorReason::Internal, &said, error)
}

/// Bound on what is echoed.
pub(super) fn shortened(value: impl fmt::Display) -> String {
    value.to_string().chars().take(64).collect()
}
