//! Web pages that call: those that are named may, by REST and gRPC-Web; from others browsers keep the answers.

use greenstar_rpc::{Door, Limits, Origin};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tonic::body::Body;

use crate::fixture::{LICENSING, USCC, stack};
use crate::web::bearer;

const CONSOLE: &str = "https://console.example.cn";
const STRANGER: &str = "https://stranger.example.cn";

fn door(origins: &[&str]) -> Door {
    let origins: Vec<Origin> = origins.iter().map(|origin| origin.parse().unwrap()).collect();
    let packages = ["greenstar.sanctions.v1", "greenstar.supervision.v1"];
    Door::new(stack(Limits::default()).grpc(), &packages, Limits::default()).open_to(&origins)
}

async fn ask(door: &Door, verb: &str, path: &str, headers: &[(&str, &str)], body: Body) -> Response<Body> {
    let mut request = Request::builder().method(verb).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    door.answer(request.body(body).unwrap()).await
}

fn header<'a>(answer: &'a Response<Body>, name: &str) -> &'a str {
    answer
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

async fn preflight(door: &Door, origin: &str) -> Response<Body> {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    let path = format!("/v1/enterprises/{USCC}:checkPermit");
    ask(door, "OPTIONS", &path, &headers, Body::empty()).await
}

#[tokio::test]
async fn a_named_page_may_call_by_rest_and_grpc_web() {
    let door = door(&["http://127.0.0.1:5173", CONSOLE]);
    let answer = preflight(&door, CONSOLE).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "access-control-allow-origin"), CONSOLE);
    let allowed = header(&answer, "access-control-allow-headers");
    assert!(
        allowed.contains("authorization") && allowed.contains("x-grpc-web"),
        "{allowed}"
    );
    assert!(
        allowed.contains("last-event-id"),
        "a page's stream goes on: {allowed}"
    );
    let verbs = header(&answer, "access-control-allow-methods");
    for verb in ["GET", "POST", "PATCH"] {
        assert!(verbs.contains(verb), "{verbs}");
    }
    assert_eq!(
        header(&answer, "access-control-allow-credentials"),
        "",
        "cookies stay at home"
    );

    let secret = bearer(LICENSING);
    let headers = [("origin", CONSOLE), ("authorization", &secret)];
    let answer = ask(&door, "GET", "/v1/catalogue", &headers, Body::empty()).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "access-control-allow-origin"), CONSOLE);
    assert!(header(&answer, "vary").contains("origin"));

    // A refusal can be read as well, with its status among the headers.
    let headers = [
        ("origin", CONSOLE),
        ("content-type", "application/grpc-web+proto"),
    ];
    let path = "/greenstar.supervision.v1.LicensingService/CheckPermit";
    let answer = ask(&door, "POST", path, &headers, Body::empty()).await;
    assert_eq!(header(&answer, "access-control-allow-origin"), CONSOLE);
    assert!(header(&answer, "access-control-expose-headers").contains("grpc-status-details-bin"));
}

#[tokio::test]
async fn from_any_other_page_browsers_keep_the_answer() {
    let door = door(&[CONSOLE]);
    for origin in [STRANGER, "null", "https://console.example.cn.evil.cn"] {
        let answer = preflight(&door, origin).await;
        assert_eq!(header(&answer, "access-control-allow-origin"), "", "{origin}");
        let answer = ask(
            &door,
            "GET",
            "/v1/catalogue",
            &[("origin", origin)],
            Body::empty(),
        )
        .await;
        assert_eq!(header(&answer, "access-control-allow-origin"), "", "{origin}");
    }
}

#[tokio::test]
async fn where_no_page_is_named_none_may_call_and_other_clients_do_not_notice() {
    let door = door(&[]);
    let answer = preflight(&door, CONSOLE).await;
    assert_eq!(answer.status(), 405);
    let answer = ask(
        &door,
        "GET",
        "/v1/catalogue",
        &[("origin", CONSOLE)],
        Body::empty(),
    )
    .await;
    assert_eq!(answer.status(), 200);
    assert!(
        answer
            .headers()
            .keys()
            .all(|name| !name.as_str().starts_with("access-control"))
    );
    assert!(!answer.into_body().collect().await.unwrap().to_bytes().is_empty());
}
