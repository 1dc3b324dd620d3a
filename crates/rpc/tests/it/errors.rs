//! Every error has a code, a reason, both languages, and says nothing internal.

use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::sanctions::v1::{
    ConfirmFlagRequest, LiftFlagRequest, RaiseFlagRequest, SyncFlagsRequest,
};
use greenstar_rpc::{Limits, channel, reason_of, said_of, with_credential};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::fixture::{LICENSING, Server, USCC, stack};
use crate::web::{self, bearer, reason};

#[tokio::test]
async fn a_broken_rule_names_its_field_in_both_languages() {
    let server = Server::start(stack(Limits::default())).await;
    let mut client =
        FlagServiceClient::new(with_credential(channel(&server.address).unwrap(), LICENSING).unwrap());
    let request = RaiseFlagRequest {
        parent: format!("enterprises/{USCC}"),
        ..RaiseFlagRequest::default()
    };
    let status = client.raise_flag(request).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).unwrap().as_str()),
        (Code::InvalidArgument, "FIELD_INVALID")
    );
    let details = status.get_error_details();
    let fields: Vec<&str> = details
        .bad_request()
        .unwrap()
        .field_violations
        .iter()
        .map(|one| one.field.as_str())
        .collect();
    assert_eq!(fields, ["kind", "document"]);
    assert!(said_of(&status).zh.contains("kind 不得为空") && said_of(&status).en.contains("is required"));
    server.stop().await;
}

#[tokio::test]
async fn a_panic_and_a_fault_show_an_incident_and_nothing_else() {
    let server = Server::start(stack(Limits::default())).await;
    let mut client =
        FlagServiceClient::new(with_credential(channel(&server.address).unwrap(), LICENSING).unwrap());
    let panicked = client
        .confirm_flag(ConfirmFlagRequest::default())
        .await
        .unwrap_err();
    let failed = client.lift_flag(LiftFlagRequest::default()).await.unwrap_err();
    for (status, code, expected) in [
        (panicked, Code::Internal, "INTERNAL"),
        (failed, Code::Unavailable, "STORE_UNAVAILABLE"),
    ] {
        assert_eq!(
            (status.code(), reason_of(&status).unwrap().as_str()),
            (code, expected)
        );
        assert!(!format!("{status:?}").contains("hunter2"));
        assert_eq!(
            status.get_details_error_info().unwrap().metadata["incident"].len(),
            16
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn bytes_that_are_no_message_and_paths_that_are_none_have_a_reason_too() {
    let server = Server::start(stack(Limits::default())).await;
    let credential = with_credential(channel(&server.address).unwrap(), LICENSING).unwrap();
    let mut grpc = tonic::client::Grpc::new(credential);
    // As a position's field 1, the text `rounds` is no message.
    let codec =
        tonic_prost::ProstCodec::<greenstar_proto::common::v1::LocalizedText, SyncFlagsRequest>::default();
    let garbage = greenstar_proto::common::v1::LocalizedText {
        zh: String::new(),
        en: "\u{1}".repeat(7),
    };
    let path = PathAndQuery::from_static("/greenstar.sanctions.v1.FlagService/RaiseFlag");
    grpc.ready().await.unwrap();
    let sent = greenstar_proto::common::v1::LocalizedText {
        zh: "x".to_owned(),
        ..garbage
    };
    let status = grpc
        .unary(Request::new(sent), path, codec.clone())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static("/greenstar.sanctions.v1.FlagService/Nothing");
    let status = grpc
        .unary(Request::new(Default::default()), path, codec)
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).unwrap().as_str()),
        (Code::Unimplemented, "ROUTE_UNKNOWN")
    );
    server.stop().await;
}

#[tokio::test]
async fn rest_errors_have_one_shape() {
    let server = Server::start(stack(Limits::default())).await;
    let secret = bearer(LICENSING);
    let check = format!("/v1/enterprises/{USCC}:checkPermit");
    let cases: [(&str, &str, &str, u16, &str, &str); 8] = [
        (
            "POST",
            "/v1/enterprises/9144030O192317458F:checkPermit",
            r#"{"permitKind": "a"}"#,
            400,
            "INVALID_ARGUMENT",
            "USCC_MALFORMED",
        ),
        (
            "POST",
            &check,
            r#"{"permitKind": ""}"#,
            400,
            "INVALID_ARGUMENT",
            "FIELD_INVALID",
        ),
        (
            "POST",
            &check,
            r#"{"permitKind": "#,
            400,
            "INVALID_ARGUMENT",
            "BODY_MALFORMED",
        ),
        (
            "POST",
            &check,
            r#"{"permitKind": "a", "surprise": 1}"#,
            400,
            "INVALID_ARGUMENT",
            "BODY_MALFORMED",
        ),
        (
            "POST",
            &check,
            r#"{"permitKind": 7}"#,
            400,
            "INVALID_ARGUMENT",
            "BODY_MALFORMED",
        ),
        ("GET", &check, "", 405, "UNIMPLEMENTED", "ROUTE_UNKNOWN"),
        ("GET", "/v2/anything", "", 404, "NOT_FOUND", "ROUTE_UNKNOWN"),
        (
            "POST",
            "/v1/enterprises/x/flags/f:lift",
            r#"{"reason": "x"}"#,
            503,
            "UNAVAILABLE",
            "STORE_UNAVAILABLE",
        ),
    ];
    for (method, path, body, http, code, expected) in cases {
        let url = format!("{}{path}", server.address);
        let (status, answer) = web::call(method, &url, &[("authorization", &secret)], body.to_owned()).await;
        let error = &answer["error"];
        assert_eq!(
            (status, error["status"].as_str(), reason(&answer)),
            (http, Some(code), expected),
            "{path} {answer}"
        );
        assert_eq!(error["code"], http);
        let locales: Vec<&str> = error["details"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|detail| detail["locale"].as_str())
            .collect();
        assert_eq!(locales, ["zh-CN", "en"]);
        assert!(!answer.to_string().contains("hunter2"));
    }
    server.stop().await;
}

#[tokio::test]
async fn an_unknown_field_is_named_and_a_code_is_explained() {
    let server = Server::start(stack(Limits::default())).await;
    let secret = bearer(LICENSING);
    let url = format!("{}/v1/enterprises/{USCC}:checkPermit", server.address);
    let (_, answer) = web::call("POST", &url, &[("authorization", &secret)], r#"{"surprise": 1}"#).await;
    assert_eq!(
        answer["error"]["details"][0]["metadata"]["field"], "surprise",
        "{answer}"
    );

    let url = format!("{}/v1/enterprises/9144030O192317458F:checkPermit", server.address);
    let ask = r#"{"permitKind": "a"}"#;
    let headers = [
        ("authorization", secret.as_str()),
        ("accept-language", "zh-CN,zh;q=0.9,en;q=0.5"),
    ];
    let (_, answer) = web::call("POST", &url, &headers, ask).await;
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("是否应为 0"),
        "{answer}"
    );
    assert_eq!(answer["error"]["details"][0]["metadata"]["suggestion"], "0");
    server.stop().await;
}
