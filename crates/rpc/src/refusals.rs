//! What the layers in front of every handler say when they refuse.

use greenstar_kernel::LocalizedText;
use greenstar_proto::common::v1::{ErrorReason, Role};
use tonic::{Code, Status};

use crate::misread::Misread;
use crate::status::{self, fault};

fn say(code: Code, reason: ErrorReason, zh: &str, en: &str, metadata: &[(&str, String)]) -> Status {
    status::status(code, reason, &LocalizedText::new(zh, en), metadata)
}

pub(crate) fn credential_missing() -> Status {
    say(
        Code::Unauthenticated,
        ErrorReason::CredentialMissing,
        "请先表明身份：在请求中附上 authorization: Bearer <凭据>",
        "say who you are: send `authorization: Bearer <secret>`",
        &[],
    )
}

pub(crate) fn credential_unknown() -> Status {
    say(
        Code::Unauthenticated,
        ErrorReason::CredentialUnknown,
        "凭据无效：请核对后重试，或向管理员索取新的凭据",
        "the credential is not known: check it, or ask the operator for a new one",
        &[],
    )
}

pub(crate) fn department_not_allowed(department: &str) -> Status {
    say(
        Code::PermissionDenied,
        ErrorReason::DepartmentNotAllowed,
        "本部门无权办理此项：请由有权部门提出",
        "your department may not do this: ask a department that may",
        &[("department", department.to_owned())],
    )
}

pub(crate) fn role_not_allowed(needed: &[Role]) -> Status {
    let names: Vec<&str> = needed
        .iter()
        .map(|role| role.as_str_name().trim_start_matches("ROLE_"))
        .collect();
    say(
        Code::PermissionDenied,
        ErrorReason::RoleNotAllowed,
        "您的角色无权办理此项：请换用具备相应角色的凭据",
        "your role may not do this: use a credential with a role that may",
        &[("roles", names.join(","))],
    )
}

pub(crate) fn not_your_enterprise() -> Status {
    say(
        Code::PermissionDenied,
        ErrorReason::NotYourEnterprise,
        "企业只能查询自身信息",
        "an enterprise sees only itself: ask with your own code",
        &[],
    )
}

pub(crate) fn too_large(limit: usize) -> Status {
    say(
        Code::ResourceExhausted,
        ErrorReason::RequestTooLarge,
        "请求过大：请拆分为多次提交",
        "the request is too large: send it in parts",
        &[("limit_bytes", limit.to_string())],
    )
}

/// `what` is the decoder's own text: shown in English only, and not where it speaks of Rust types. A field that it
/// names is told apart.
pub(crate) fn body_malformed(what: &str) -> Status {
    const INNER: [&str; 4] = ["::", "untagged", "struct ", "enum "];
    let after = |mark: &str| {
        let (_, rest) = what.split_once(mark)?;
        rest.split_once('`').map(|(name, _)| name)
    };
    let field = after("unknown field `").or_else(|| after("duplicate field `"));
    let metadata: Vec<(&str, String)> = field.map(|name| ("field", name.to_owned())).into_iter().collect();
    let zh = field.map_or_else(
        || "请求内容无法解析，请对照接口约定更正".to_owned(),
        |name| format!("请求内容无法解析，请对照接口约定更正字段 {name}"),
    );
    let en = if INNER.iter().any(|inner| what.contains(inner)) {
        "the request cannot be read; correct it by the contract".to_owned()
    } else {
        format!("the request cannot be read; correct it by the contract: {what}")
    };
    say(
        Code::InvalidArgument,
        ErrorReason::BodyMalformed,
        &zh,
        &en,
        &metadata,
    )
}

/// REST input that does not fit the contract at a known place.
pub(crate) fn misread(found: &Misread) -> Status {
    match &found.field {
        Some(field) => status::field(field, ErrorReason::BodyMalformed, &found.said, &[]),
        None => status::status(
            Code::InvalidArgument,
            ErrorReason::BodyMalformed,
            &found.said,
            &[],
        ),
    }
}

/// UNIMPLEMENTED: no service of ours has this path.
pub fn route_unknown(path: &str) -> Status {
    say(
        Code::Unimplemented,
        ErrorReason::RouteUnknown,
        "没有这个地址或方法：请查阅 /openapi.json 或服务反射",
        "no such path or method: see /openapi.json or server reflection",
        &[("path", path.to_owned())],
    )
}

/// NOT_FOUND: nobody reports health under this name.
pub fn health_unknown(name: &str) -> Status {
    say(
        Code::NotFound,
        ErrorReason::RouteUnknown,
        "没有这个健康检查名称：可用名称为空、各服务全名和 fresh",
        "no such health name: there are the empty one, each service's full name, and `fresh`",
        &[("name", name.to_owned())],
    )
}

/// As [`route_unknown`], for REST: 404.
pub(crate) fn path_unknown(method: &str, path: &str) -> Status {
    say(
        Code::NotFound,
        ErrorReason::RouteUnknown,
        "没有这个地址：请查阅 /openapi.json",
        "no such path: see /openapi.json",
        &[("method", method.to_owned()), ("path", path.to_owned())],
    )
}

/// The path is there and takes other verbs, `allow`: HTTP 405.
pub(crate) fn verb_not_allowed(method: &str, path: &str, allow: &str) -> Status {
    say(
        Code::Unimplemented,
        ErrorReason::RouteUnknown,
        &format!("该地址不接受 {method}，请改用 {allow}"),
        &format!("this path does not take {method}: use {allow}"),
        &[("method", method.to_owned()), ("path", path.to_owned())],
    )
}

pub(crate) fn deadline_exceeded() -> Status {
    say(
        Code::DeadlineExceeded,
        ErrorReason::DeadlineExceeded,
        "超过时限，结果未知：写操作请用同一 request_id 重试",
        "the deadline passed and the outcome is not known: try again, a write with the same request_id",
        &[],
    )
}

pub(crate) fn overloaded() -> Status {
    say(
        Code::ResourceExhausted,
        ErrorReason::Overloaded,
        "当前请求过多，请稍后重试",
        "too many calls at once: try again later",
        &[],
    )
}

/// A failure whose details are in the log only.
pub(crate) fn internal(error: &dyn std::error::Error) -> Status {
    let said = LocalizedText::new(
        "系统内部错误：请把 incident 编号告知管理员",
        "our fault: give the incident number to the operator",
    );
    fault(Code::Internal, ErrorReason::Internal, &said, error)
}

/// A service of the suite that cannot be reached.
pub fn service_unavailable(service: &str) -> Status {
    say(
        Code::Unavailable,
        ErrorReason::ServiceUnavailable,
        "服务暂时无法访问，请稍后重试",
        "a service of the suite cannot be reached: try again later",
        &[("service", service.to_owned())],
    )
}
