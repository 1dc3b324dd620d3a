//! The only place that builds a `tonic::Status`: canonical code, reason, text in both languages, and the
//! page that explains it. What is internal is logged here and shown nowhere.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;

use greenstar_kernel::LocalizedText;
use greenstar_proto::common::v1::{ErrorReason, ItemError};
use greenstar_proto::{Violations, reason_name};
use greenstar_telemetry::code_name;
use http::HeaderMap;
use tonic::{Code, Status};
use tonic_types::{
    BadRequest, ErrorDetail, ErrorInfo, FieldViolation, Help, HelpLink, LocalizedMessage, StatusExt,
};

use crate::audit;

/// Domain of every `ErrorInfo`.
pub const DOMAIN: &str = "greenstar";
/// Locale of the Chinese `LocalizedMessage`.
pub const ZH: &str = "zh-CN";
/// Locale of the English `LocalizedMessage`.
pub const EN: &str = "en";

/// A refusal that a caller can act on. `metadata` carries the keys that the reason documents.
pub fn status(code: Code, reason: ErrorReason, said: &LocalizedText, metadata: &[(&str, String)]) -> Status {
    build(code, reason, said, metadata, Vec::new())
}

/// INVALID_ARGUMENT about one field, named as in the contract (`enterprise.sites[0].code`).
pub fn field(name: &str, reason: ErrorReason, said: &LocalizedText, metadata: &[(&str, String)]) -> Status {
    let mut metadata = metadata.to_vec();
    if metadata.iter().all(|(key, _)| *key != "field") {
        metadata.push(("field", name.to_owned()));
    }
    build(
        Code::InvalidArgument,
        reason,
        said,
        &metadata,
        vec![violation(name, reason_name(reason), said)],
    )
}

/// INVALID_ARGUMENT about several places of what was sent, each with its own reason. Details travel in a
/// header: keep the texts within 3 KiB in all.
pub fn fields(
    reason: ErrorReason,
    said: &LocalizedText,
    metadata: &[(&str, String)],
    places: &[(String, ErrorReason, LocalizedText)],
) -> Status {
    let violations = places
        .iter()
        .map(|(place, reason, said)| violation(place, reason_name(*reason), said))
        .collect();
    build(Code::InvalidArgument, reason, said, metadata, violations)
}

/// A failure of ours or of something we need. The chain of sources is logged once, here, under an id that
/// the caller gets as `incident`; the caller is shown only `said`.
pub fn fault(code: Code, reason: ErrorReason, said: &LocalizedText, error: &dyn Error) -> Status {
    let incident = format!("{:016x}", rand::random::<u64>());
    tracing::error!(incident, reason = reason_name(reason), code = ?code, error = %Chain(error), "call failed");
    build(code, reason, said, &[("incident", incident)], Vec::new())
}

/// INVALID_ARGUMENT for all that breaks the contract's rules.
pub(crate) fn violations(found: &Violations) -> Status {
    let list = |text: &dyn Fn(&greenstar_proto::Rule) -> String, separator: &str| {
        let parts: Vec<String> = found
            .0
            .iter()
            .map(|one| format!("{} {}", one.field, text(&one.rule)))
            .collect();
        parts.join(separator)
    };
    let said = LocalizedText::new(
        format!("请求不符合约定，请更正后重试：{}", list(&|rule| rule.zh(), "；")),
        format!(
            "the request breaks the contract; correct it and try again: {}",
            list(&|rule| rule.en(), "; ")
        ),
    );
    let details = found
        .0
        .iter()
        .map(|one| {
            violation(
                &one.field,
                "FIELD_INVALID",
                &LocalizedText::new(one.rule.zh(), one.rule.en()),
            )
        })
        .collect();
    let first = found.0.first().map(|one| one.field.clone()).unwrap_or_default();
    build(
        Code::InvalidArgument,
        ErrorReason::FieldInvalid,
        &said,
        &[("field", first)],
        details,
    )
}

fn violation(field: &str, reason: &str, said: &LocalizedText) -> FieldViolation {
    let mut one = FieldViolation::new(field, said.en.clone());
    one.reason = reason.to_owned();
    one.localized_message = Some(LocalizedMessage::new(ZH, said.zh.clone()));
    one
}

fn build(
    code: Code,
    reason: ErrorReason,
    said: &LocalizedText,
    metadata: &[(&str, String)],
    fields: Vec<FieldViolation>,
) -> Status {
    let reason = reason_name(reason);
    let metadata: HashMap<String, String> = metadata
        .iter()
        .map(|(key, value)| ((*key).to_owned(), shortened(value)))
        .collect();
    let mut details = vec![
        ErrorDetail::ErrorInfo(ErrorInfo::new(reason, DOMAIN, metadata)),
        ErrorDetail::LocalizedMessage(LocalizedMessage::new(ZH, said.zh.clone())),
        ErrorDetail::LocalizedMessage(LocalizedMessage::new(EN, said.en.clone())),
    ];
    if !fields.is_empty() {
        details.push(ErrorDetail::BadRequest(BadRequest::new(fields)));
    }
    let page = format!("docs/errors/{reason}.md");
    details.push(ErrorDetail::Help(Help::new(vec![HelpLink::new(reason, page)])));
    Status::with_error_details_vec(code, said.en.clone(), details)
}

/// Details travel in a header: a caller's own input is echoed only in part.
fn shortened(value: &str) -> String {
    const MOST: usize = 256;
    match value.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

/// The reason's name, if the status is one of ours.
pub fn reason_of(status: &Status) -> Option<String> {
    status
        .get_details_error_info()
        .filter(|info| info.domain == DOMAIN)
        .map(|info| info.reason)
}

/// What the status says in both languages; its message where it does not.
pub fn said_of(status: &Status) -> LocalizedText {
    let mut said = LocalizedText::new(status.message(), status.message());
    for detail in status.get_error_details_vec() {
        match detail {
            ErrorDetail::LocalizedMessage(one) if one.locale == ZH => said.zh = one.message,
            ErrorDetail::LocalizedMessage(one) if one.locale == EN => said.en = one.message,
            _ => {}
        }
    }
    said
}

/// The same refusal as one item of a batch; made in the handler's own task, so that the log can name the call.
pub fn item_error(status: &Status) -> ItemError {
    let said = said_of(status);
    let reason = reason_of(status).unwrap_or_default();
    if audit::is_refusal(status.code()) {
        audit::refused(&reason, status.code());
    }
    ItemError {
        code: code_name(status.code()).to_owned(),
        reason,
        message_zh: said.zh,
        message_en: said.en,
    }
}

/// The error that headers or trailers say, if they say one.
pub(crate) fn error_of(headers: &HeaderMap) -> Option<Status> {
    headers
        .get("grpc-status")
        .filter(|code| code.as_bytes() != b"0")?;
    Status::from_header_map(headers)
}

/// An error and its sources, for one line of the log.
struct Chain<'a>(&'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_its_reason_in_both_languages_and_names_its_page() {
        let said = LocalizedText::new("没有这个批次", "no round has this name");
        let status = status(
            Code::NotFound,
            ErrorReason::RoundUnknown,
            &said,
            &[("round", "rounds/x".to_owned())],
        );
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("ROUND_UNKNOWN", "greenstar")
        );
        assert_eq!(info.metadata["round"], "rounds/x");
        assert_eq!(
            details.help().unwrap().links[0].url,
            "docs/errors/ROUND_UNKNOWN.md"
        );
        assert_eq!(said_of(&status), said);
        assert_eq!(item_error(&status).code, "NOT_FOUND");
    }

    #[test]
    fn a_fault_shows_nothing_of_its_source() {
        let said = LocalizedText::new("数据库暂不可用", "the database cannot be reached; try again");
        let source = std::io::Error::other("password of host db-1");
        let status = fault(Code::Unavailable, ErrorReason::StoreUnavailable, &said, &source);
        assert!(!format!("{status:?}").contains("db-1"));
        assert_eq!(
            status.get_details_error_info().unwrap().metadata["incident"].len(),
            16
        );
    }

    #[test]
    fn long_input_is_echoed_in_part() {
        let said = LocalizedText::new("", "");
        let status = status(
            Code::InvalidArgument,
            ErrorReason::FilterInvalid,
            &said,
            &[("filter", "字".repeat(9000))],
        );
        assert_eq!(
            status.get_details_error_info().unwrap().metadata["filter"]
                .chars()
                .count(),
            257
        );
    }
}
