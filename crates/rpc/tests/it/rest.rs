//! REST as `/openapi.json` promises it, and what is said where a call does not keep to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use greenstar_proto::{METHODS, Method};
use greenstar_rpc::{Door, Grpc, Limits};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;
use tonic::Status;
use tonic::body::Body;

use crate::fixture::{SUBSCRIBER, USCC, stack};
use crate::web::bearer;

/// A door to every method. What stands behind it refuses all and tells which method was called.
fn door() -> (Door, Arc<Mutex<Option<String>>>) {
    let called = Arc::new(Mutex::new(None));
    let seen = called.clone();
    let behind = tower::service_fn(move |request: Request<Body>| {
        *seen.lock().unwrap() = Some(request.uri().path().to_owned());
        std::future::ready(Ok::<_, std::convert::Infallible>(
            Status::unimplemented("reached").into_http::<Body>(),
        ))
    });
    let packages = [
        "greenstar.rating.v1",
        "greenstar.sanctions.v1",
        "greenstar.supervision.v1",
    ];
    let door = Door::new(Grpc::new(behind), &packages, Limits::default());
    (door, called)
}

async fn ask(door: &Door, verb: &str, target: &str, language: &str, body: &str) -> Response<Bytes> {
    let request = Request::builder()
        .method(verb)
        .uri(target)
        .header("accept-language", language)
        .body(Body::new(Full::new(Bytes::from(body.to_owned()))))
        .unwrap();
    let (parts, body) = door.answer(request).await.into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

fn json(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

/// `FlagService_RemoveSubscriber`
fn qualified(method: &Method) -> String {
    let service = method.service.rsplit('.').next().unwrap();
    format!("{service}_{}", method.path.rsplit('/').next().unwrap())
}

#[tokio::test]
async fn every_method_with_a_rule_is_described_at_a_path_that_reaches_it() {
    let (door, called) = door();
    let document = json(&ask(&door, "GET", "/openapi.json", "", "").await);
    assert_eq!(document["security"], Value::Null);
    // A name that two services have is told apart by the service's.
    let mut expected: BTreeMap<String, &Method> = BTreeMap::new();
    let mut shared = BTreeSet::new();
    for method in METHODS.iter().filter(|method| method.route.is_some()) {
        let name = method.path.rsplit('/').next().unwrap();
        if let Some(other) = expected.insert(name.to_owned(), method) {
            shared.insert(name);
            expected.insert(qualified(other), other);
        }
        if shared.contains(name) {
            expected.remove(name);
            expected.insert(qualified(method), method);
        }
    }
    let mut described = BTreeSet::new();
    let mut forms = BTreeSet::new();
    for (path, verbs) in document["paths"].as_object().unwrap() {
        let form: Vec<&str> = path.split(['{', '}']).step_by(2).collect();
        assert!(
            forms.insert(form.join("{}")),
            "{path} stands there under another name"
        );
        for (verb, operation) in verbs.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let method = expected[id];
            assert!(described.insert(id.to_owned()), "{id} is described twice");
            // Every segment to fill in is described, and nothing else is said to be in the path.
            let in_path: Vec<&str> = operation["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .inspect(|parameter| {
                    assert_eq!(parameter["required"], true);
                    assert!(
                        parameter["description"]
                            .as_str()
                            .unwrap()
                            .contains("the request's field"),
                        "{parameter}"
                    );
                })
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            let to_fill: Vec<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
            assert_eq!(in_path, to_fill, "{id}");
            let mut target = path.clone();
            for name in to_fill {
                target = target.replace(&format!("{{{name}}}"), &format!("some-{name}"));
            }
            *called.lock().unwrap() = None;
            ask(
                &door,
                &verb.to_uppercase(),
                &target,
                "",
                if verb == "get" { "" } else { "{}" },
            )
            .await;
            assert_eq!(
                called.lock().unwrap().as_deref(),
                Some(method.path),
                "{verb} {target}"
            );
            let nobody = operation["security"]
                .as_array()
                .unwrap()
                .iter()
                .any(|way| way.get("bearer").is_none());
            assert_eq!(nobody, method.access.public, "{id}");
        }
    }
    assert_eq!(described, expected.into_keys().collect());
}

#[tokio::test]
async fn input_that_cannot_be_read_is_named_in_chinese_only_and_in_clean_english() {
    let (door, called) = door();
    let check = format!("/v1/enterprises/{USCC}:checkPermit");
    let flags = format!("/v1/enterprises/{USCC}/flags");
    let cases: &[(&str, &str, &str, &str)] = &[
        ("GET", "/v1/rounds/2026/directory?star=abc", "", "star"),
        ("GET", "/v1/rounds/2026/directory?star=5.5", "", "star"),
        ("GET", "/v1/rounds?pageSize=99999999999", "", "pageSize"),
        ("GET", "/v1/rounds?surprise=1", "", "surprise"),
        ("POST", &check, r#"{"permitKind":1}"#, "permitKind"),
        ("POST", &check, r#"{"surprise":1}"#, "surprise"),
        ("POST", &flags, r#"{"severity":"WORST"}"#, "severity"),
        (
            "POST",
            &flags,
            r#"{"document":{"date":20260131}}"#,
            "document.date",
        ),
        ("POST", &flags, r#"{"document":[]}"#, "document"),
        ("POST", "/v1/ratings:batchGet", r#"{"names":["a",7]}"#, "names[1]"),
        ("POST", "/v1/ratings:batchGet", r#"{"names":"a"}"#, "names"),
        (
            "POST",
            &check,
            r#"{"permitKind":"a","permitKind":"b"}"#,
            "permitKind",
        ),
        ("POST", &check, r#"{"permitKind": "#, ""),
        ("POST", &check, "[]", ""),
    ];
    for (verb, target, body, field) in cases {
        let answer = json(&ask(&door, verb, target, "zh-CN", body).await);
        assert_eq!(called.lock().unwrap().take(), None, "{target} {body}");
        let error = &answer["error"];
        let info = &error["details"][0];
        assert_eq!(
            (&error["code"], &info["reason"]),
            (&400.into(), &"BODY_MALFORMED".into()),
            "{answer}"
        );
        assert_eq!(
            info["metadata"]["field"].as_str().unwrap_or_default(),
            *field,
            "{answer}"
        );
        let zh = error["message"].as_str().unwrap();
        assert!(zh.contains(field), "{zh}");
        for english in ["invalid", "expected", "line", "match", "digit"] {
            assert!(!zh.contains(english), "{zh}");
        }
        let en = error["details"][2]["message"].as_str().unwrap();
        for inner in ["untagged", "Content", "enum ", "struct ", "::"] {
            assert!(!en.contains(inner), "{en}");
        }
    }
}

#[tokio::test]
async fn a_known_path_tells_its_verbs_and_head_answers_as_get_without_a_body() {
    let (door, called) = door();
    for (verb, target, allow) in [
        ("GET", "/v1/decisions:batchDecide", "POST"),
        ("DELETE", "/v1/enterprises/x", "GET, PATCH, HEAD"),
        ("HEAD", "/v1/enterprises/x:decide", "POST"),
        ("POST", "/openapi.json", "GET, HEAD"),
    ] {
        let answer = ask(&door, verb, target, "", "").await;
        assert_eq!(answer.status(), 405, "{verb} {target}");
        let allowed: BTreeSet<&str> = answer.headers()["allow"].to_str().unwrap().split(", ").collect();
        assert_eq!(allowed, allow.split(", ").collect(), "{target}");
        if verb != "HEAD" {
            assert_eq!(json(&answer)["error"]["details"][0]["reason"], "ROUTE_UNKNOWN");
            assert_eq!(json(&answer)["error"]["code"], 405);
        }
    }
    assert_eq!(called.lock().unwrap().take(), None);
    assert_eq!(ask(&door, "PUT", "/v2/nothing", "", "").await.status(), 404);

    for target in ["/openapi.json", "/v1/catalogue"] {
        let get = ask(&door, "GET", target, "", "").await;
        let head = ask(&door, "HEAD", target, "", "").await;
        assert_eq!(head.status(), get.status());
        assert_eq!(head.headers()["content-type"], get.headers()["content-type"]);
        assert_eq!(
            head.headers()["content-length"].to_str().unwrap(),
            get.body().len().to_string()
        );
        assert!(head.body().is_empty());
    }
    assert_eq!(
        called.lock().unwrap().take().as_deref(),
        Some("/greenstar.sanctions.v1.CatalogueService/GetCatalogue")
    );
}

#[tokio::test]
async fn a_body_or_query_that_contradicts_the_path_is_refused_and_an_equal_one_is_not() {
    let (door, called) = door();
    let flags = format!("/v1/enterprises/{USCC}/flags");
    let own = format!("enterprises/{USCC}");
    let flag = format!("/v1/{own}/flags/f1:confirm");
    let declare = format!("/v1/rounds/2026/enterprises/{USCC}:declare");
    let refused: &[(&str, &str, &str, &str)] = &[
        ("POST", &flags, r#"{"parent":"enterprises/other"}"#, "parent"),
        ("POST", &flag, r#"{"name":"enterprises/other/flags/f1"}"#, "name"),
        ("POST", &flag, &format!(r#"{{"name":"{own}"}}"#), "name"),
        ("POST", &declare, r#"{"round":"rounds/2025"}"#, "round"),
        (
            "POST",
            &declare,
            r#"{"enterprise":"enterprises/other"}"#,
            "enterprise",
        ),
        (
            "PATCH",
            &format!("/v1/{own}"),
            r#"{"enterprise":{"name":"enterprises/other"}}"#,
            "enterprise.name",
        ),
        (
            "GET",
            &format!("{flags}?parent=enterprises%2Fother"),
            "",
            "parent",
        ),
    ];
    for (verb, target, body, field) in refused {
        let answer = ask(&door, verb, target, "", body).await;
        assert_eq!(called.lock().unwrap().take(), None, "{verb} {target} {body}");
        let error = &json(&answer)["error"];
        let info = &error["details"][0];
        assert_eq!(
            (&error["code"], &info["reason"], &info["metadata"]["field"]),
            (&400.into(), &"FIELD_INVALID".into(), &(*field).into()),
            "{error}"
        );
    }
    let taken: &[(&str, &str, &str)] = &[
        ("POST", &flags, &format!(r#"{{"parent":"{own}"}}"#)),
        ("POST", &flags, r#"{"parent":"","reason":"enterprises/other"}"#),
        ("POST", &flag, &format!(r#"{{"name":"{own}/flags/f1"}}"#)),
        (
            "POST",
            &declare,
            &format!(r#"{{"round":"rounds/2026","enterprise":"{own}"}}"#),
        ),
        (
            "PATCH",
            &format!("/v1/{own}"),
            &format!(r#"{{"enterprise":{{"name":"{own}"}}}}"#),
        ),
        ("GET", &format!("{flags}?pageSize=5"), ""),
    ];
    for (verb, target, body) in taken {
        ask(&door, verb, target, "", body).await;
        assert!(called.lock().unwrap().take().is_some(), "{verb} {target} {body}");
    }
}

#[tokio::test]
async fn a_stream_is_an_array_or_lines_as_the_caller_accepts() {
    let door = Door::new(
        stack(Limits::default()).grpc(),
        &["greenstar.sanctions.v1"],
        Limits::default(),
    );
    let (first, second) = (r#"{"cursor":""}"#, r#"{"cursor":"e.7"}"#);
    for (kind, text) in [
        ("application/json", format!("[{first},{second}]")),
        ("application/x-ndjson", format!("{first}\n{second}\n")),
        (
            "text/event-stream",
            format!("id:\ndata: {first}\n\nid: e.7\ndata: {second}\n\n"),
        ),
    ] {
        let request = Request::get("/v1/flags:stream")
            .header("authorization", bearer(SUBSCRIBER))
            .header("accept", kind)
            .body(Body::empty())
            .unwrap();
        let answer = door.answer(request).await;
        assert_eq!(
            (
                answer.status().as_u16(),
                answer.headers()["content-type"].to_str().unwrap()
            ),
            (200, kind)
        );
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(String::from_utf8_lossy(&body), text);
    }
    // A refusal comes before the stream, with its own status.
    let answer = ask(&door, "GET", "/v1/flags:stream", "", "").await;
    assert_eq!(answer.status(), 401);
}
