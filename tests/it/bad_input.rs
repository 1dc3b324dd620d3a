//! Bad input gets a clear error, in both languages, and changes nothing.

use hyper::Method;
use serde_json::{Value, json};

use crate::door::{Door, recent_date};

const FIRM: &str = "914403001922038216";

/// What is wrong, who asks, how, and the HTTP status and reason that must come.
type Case = (
    &'static str,
    &'static str,
    Method,
    String,
    Option<Value>,
    u16,
    &'static str,
);

fn flag_body(kind: &str) -> Value {
    json!({
        "kind": kind,
        "document": {"issuer": "北京市大兴区生态环境局", "number": "京兴环罚〔2026〕1号", "date": recent_date()},
    })
}

#[tokio::test]
async fn each_bad_request_has_its_own_reason() {
    let door = Door::open().await;
    let permit = |uscc: &str| format!("/v1/enterprises/{uscc}:checkPermit");
    let kind = json!({"permitKind": "pollutant-permit"});
    let flags = format!("/v1/enterprises/{FIRM}/flags");
    let post = Method::POST;
    let get = Method::GET;
    #[rustfmt::skip]
    let cases: Vec<Case> = vec![
        ("a short code", "licensing", post.clone(), permit("12345"), Some(kind.clone()), 400, "USCC_MALFORMED"),
        ("both checks fail", "licensing", post.clone(), permit("91310115MA1G4L1WXK"), Some(kind.clone()), 400, "USCC_MALFORMED"),
        ("letter O for zero", "licensing", post.clone(), permit("9144030O1922038216"), Some(kind.clone()), 400, "USCC_MALFORMED"),
        ("an unknown permit kind", "licensing", post.clone(), permit(FIRM), Some(json!({"permitKind": "moon-landing"})), 404, "PERMIT_KIND_UNKNOWN"),
        ("no permit kind", "licensing", post.clone(), permit(FIRM), Some(json!({})), 400, "FIELD_INVALID"),
        ("an unknown matter", "licensing", post.clone(), format!("/v1/enterprises/{FIRM}:decide"), Some(json!({"matter": "departments/licensing/matters/moon-landing"})), 404, "MATTER_UNKNOWN"),
        ("another's matter", "licensing", post.clone(), format!("/v1/enterprises/{FIRM}:decide"), Some(json!({"matter": "departments/finance/matters/green-loan"})), 403, "MATTER_NOT_YOURS"),
        ("an unknown round", "rating", get.clone(), "/v1/rounds/nowhere/directory".into(), None, 404, "ROUND_UNKNOWN"),
        ("a sixth star", "rating", get.clone(), "/v1/rounds/daxing-2021-sample/directory?star=6".into(), None, 400, "STAR_OUT_OF_RANGE"),
        ("a foreign page token", "rating", get.clone(), "/v1/rounds/daxing-2021-sample/directory?pageToken=zzz".into(), None, 400, "PAGE_TOKEN_INVALID"),
        ("an unreadable token", "licensing", post.clone(), permit(FIRM), Some(json!({"permitKind": "pollutant-permit", "consistency": {"atLeastAsFresh": ["zzz"]}})), 400, "TOKEN_MALFORMED"),
        ("an unknown flag kind", "enforcement", post.clone(), flags.clone(), Some(flag_body("bad-hair")), 400, "FLAG_KIND_UNKNOWN"),
        ("a flag without its document", "enforcement", post.clone(), flags.clone(), Some(json!({"kind": "serious-penalty"})), 400, "FIELD_INVALID"),
        ("a deceit without its permit kind", "enforcement", post.clone(), flags.clone(), Some(flag_body("permit-by-deceit")), 400, "SCOPE_INVALID"),
        ("no JSON", "enforcement", post.clone(), flags.clone(), Some(json!("text")), 400, "BODY_MALFORMED"),
        ("an unknown field", "licensing", post.clone(), permit(FIRM), Some(json!({"permitKinds": "x"})), 400, "BODY_MALFORMED"),
        ("no such path", "licensing", get.clone(), "/v1/nothing".into(), None, 404, "ROUTE_UNKNOWN"),
        ("an unknown enterprise", "rating", get.clone(), format!("/v1/enterprises/{FIRM}"), None, 404, "ENTERPRISE_UNKNOWN"),
        ("an unknown decision", "licensing", get.clone(), "/v1/decisions/nobody-1".into(), None, 404, "DECISION_UNKNOWN"),
        ("an unknown flag", "enforcement", get.clone(), format!("{flags}/nothing"), None, 404, "FLAG_UNKNOWN"),
        ("another department's door", "finance", post.clone(), permit(FIRM), Some(kind.clone()), 403, "DEPARTMENT_NOT_ALLOWED"),
    ];
    let before = door.get("enforcement", &flags).await["token"].clone();
    for (what, caller, method, path, body, status, reason) in cases {
        let refused = door.refused(Some(caller), method, &path, body).await;
        assert_eq!(refused, (status, reason.to_owned()), "{what}");
    }
    assert_eq!(
        door.get("enforcement", &flags).await["token"],
        before,
        "a refusal wrote something"
    );
}

#[tokio::test]
async fn a_code_in_lower_case_or_full_width_is_the_same_code() {
    let door = Door::open().await;
    let firm = &door.listed(5).await[0];
    let wide: String = firm
        .chars()
        .map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap())
        .collect();
    let wide: String = wide.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for written in [firm.to_lowercase(), wide] {
        let permit = door.permit(&written, "pollutant-permit", None).await;
        assert_eq!(permit["outcome"], "FAST_TRACK", "{permit}");
    }
    let warned = door.permit("91350211M0000XUF46", "pollutant-permit", None).await;
    assert_eq!(warned["usccVerdict"], "USCC_VERDICT_CHECK_FAILED_ORG_OK");
}

#[tokio::test]
async fn nobody_confirms_a_proposal_of_their_own() {
    let door = Door::open().await;
    let flag = door.raise(FIRM, "serious-penalty", "").await;
    let path = format!("/v1/{flag}:confirm");
    let refused = door
        .refused(Some("enforcement"), Method::POST, &path, Some(json!({})))
        .await;
    assert_eq!(refused, (403, "SAME_OFFICER".to_owned()));
    let permit = door.permit(FIRM, "pollutant-permit", None).await;
    assert_eq!(permit["outcome"], "STANDARD");
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_and_a_reused_id_is_refused() {
    let door = Door::open().await;
    let path = format!("/v1/enterprises/{FIRM}/flags");
    let mut body = flag_body("serious-penalty");
    body["requestId"] = json!("7f9c");
    let first = door.post("enforcement", &path, body.clone()).await;
    let again = door.post("enforcement", &path, body.clone()).await;
    assert_eq!(first, again);
    body["reason"] = json!("something else");
    let refused = door
        .refused(Some("enforcement"), Method::POST, &path, Some(body))
        .await;
    assert_eq!(refused, (409, "REQUEST_ID_REUSED".to_owned()));
    let flags = door.get("enforcement", &path).await;
    assert_eq!(flags["flags"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_of_another_suite_or_from_the_future_is_refused() {
    let door = Door::open().await;
    let other = Door::open().await;
    let foreign = other
        .get("enforcement", &format!("/v1/enterprises/{FIRM}/flags"))
        .await;
    let path = format!("/v1/enterprises/{FIRM}:checkPermit");
    let ask = |token: &str| {
        Some(json!({"permitKind": "pollutant-permit", "consistency": {"atLeastAsFresh": [token]}}))
    };
    let refused = door
        .refused(
            Some("licensing"),
            Method::POST,
            &path,
            ask(foreign["token"].as_str().unwrap()),
        )
        .await;
    assert_eq!(refused, (400, "TOKEN_FOREIGN".to_owned()));

    let ours: greenstar_kernel::Token = door
        .get("enforcement", &format!("/v1/enterprises/{FIRM}/flags"))
        .await["token"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let mut position = ours.get(greenstar_kernel::Log::Sanctions).unwrap().clone();
    position.revision = greenstar_kernel::Revision(position.revision.0 + 1_000);
    let ahead = greenstar_kernel::Token::of(greenstar_kernel::Log::Sanctions, position).to_string();
    let refused = door
        .refused(Some("licensing"), Method::POST, &path, ask(&ahead))
        .await;
    assert_eq!(refused, (400, "TOKEN_AHEAD".to_owned()));
}

#[tokio::test]
async fn ten_megabytes_are_refused() {
    let door = Door::open().await;
    let body = json!({"permitKind": "x".repeat(10 << 20)});
    let path = format!("/v1/enterprises/{FIRM}:checkPermit");
    let refused = door
        .refused(Some("licensing"), Method::POST, &path, Some(body))
        .await;
    assert_eq!(refused, (413, "REQUEST_TOO_LARGE".to_owned()));
}

#[tokio::test]
async fn a_stale_etag_changes_nothing() {
    let door = Door::open().await;
    let firm = &door.listed(4).await[0];
    let path = format!("/v1/enterprises/{firm}");
    let mut enterprise = door.get("rating", &path).await["enterprise"].clone();
    enterprise["displayName"]["en"] = json!("Renamed Ltd");
    let body = json!({"enterprise": enterprise, "updateMask": "displayName"});
    let reply = door
        .call(Some("rating"), Method::PATCH, &path, Some(body.clone()))
        .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let refused = door
        .refused(Some("rating"), Method::PATCH, &path, Some(body))
        .await;
    assert_eq!(refused, (409, "ETAG_MISMATCH".to_owned()));
}

#[tokio::test]
async fn unsound_tables_are_refused_with_their_fault() {
    let door = Door::open().await;
    let policies = door.get("licensing", "/v1/policies").await;
    let source = policies["policies"]
        .as_array()
        .unwrap()
        .iter()
        .find(|policy| policy["department"] == "licensing")
        .and_then(|policy| policy["source"].as_str())
        .expect("licensing has a table")
        .to_owned();
    let validated = door
        .post("licensing", "/v1/policies:validate", json!({"source": source}))
        .await;
    assert_eq!(validated["policy"]["department"], "licensing", "{validated}");
    for (what, broken) in [
        ("cut", &source[..source.len() / 2]),
        ("no YAML", "{{{"),
        ("empty", "x"),
    ] {
        let (status, _) = door
            .refused(
                Some("licensing"),
                Method::POST,
                "/v1/policies:validate",
                Some(json!({"source": broken})),
            )
            .await;
        assert_eq!(status, 400, "{what}");
    }
}
