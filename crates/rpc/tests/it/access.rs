//! P11: everyone in their place.

use greenstar_proto::METHODS;
use greenstar_proto::sanctions::v1::catalogue_service_client::CatalogueServiceClient;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::sanctions::v1::{
    GetCatalogueRequest, GetFlagRequest, RaiseFlagRequest, SyncFlagsRequest,
};
use greenstar_proto::supervision::v1::CheckPermitRequest;
use greenstar_proto::supervision::v1::licensing_service_client::LicensingServiceClient;
use greenstar_rpc::{Client, Limits, Stack, channel, reason_of, with_credential};
use tonic::codegen::tokio_stream;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::fixture::{ENFORCEMENT, FIRM, LICENSING, OTHER, SUBSCRIBER, Server, USCC, credentials, stack};
use crate::web;

fn known(server: &Server, secret: &str) -> Client {
    with_credential(channel(&server.address).unwrap(), secret).unwrap()
}

/// Calls any method with an empty message, as bytes.
async fn raw(channel: Channel, path: &'static str) -> Status {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<SyncFlagsRequest, SyncFlagsRequest>::default();
    let request = Request::new(tokio_stream::once(SyncFlagsRequest::default()));
    match grpc
        .streaming(request, http::uri::PathAndQuery::from_static(path), codec)
        .await
    {
        Ok(answer) => answer
            .into_inner()
            .message()
            .await
            .err()
            .unwrap_or_else(|| Status::ok("")),
        Err(status) => status,
    }
}

#[tokio::test]
async fn every_method_refuses_a_caller_without_credentials_unless_it_is_public() {
    let server = Server::start(Stack::builder(credentials()).build()).await;
    let channel = channel(&server.address).unwrap();
    for method in METHODS {
        let status = raw(channel.clone(), method.path).await;
        let refused = status.code() == Code::Unauthenticated
            && reason_of(&status).as_deref() == Some("CREDENTIAL_MISSING");
        assert_eq!(refused, !method.access.public, "{}: {status:?}", method.path);
    }
    assert!(METHODS.iter().any(|method| method.access.public) && METHODS.len() > 30);
    server.stop().await;
}

#[tokio::test]
async fn a_credential_that_nobody_has_is_refused_even_where_all_may_call() {
    let server = Server::start(stack(Limits::default())).await;
    let mut client = CatalogueServiceClient::new(known(&server, "not-a-secret-of-anyone"));
    let status = client
        .get_catalogue(GetCatalogueRequest::default())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(reason_of(&status).unwrap(), "CREDENTIAL_UNKNOWN");
    let mut public = CatalogueServiceClient::new(channel(&server.address).unwrap());
    assert_eq!(
        public
            .get_catalogue(GetCatalogueRequest::default())
            .await
            .unwrap()
            .into_inner()
            .token,
        "public"
    );
    server.stop().await;
}

#[tokio::test]
async fn only_the_departments_and_roles_of_the_contract_may_call() {
    let server = Server::start(stack(Limits::default())).await;
    let ask = CheckPermitRequest {
        enterprise: format!("enterprises/{USCC}"),
        permit_kind: "pollutant-permit".to_owned(),
        ..CheckPermitRequest::default()
    };
    let mut licensing = LicensingServiceClient::new(known(&server, LICENSING));
    assert_eq!(
        licensing
            .check_permit(ask.clone())
            .await
            .unwrap()
            .into_inner()
            .token,
        "licensing"
    );

    let mut enforcement = LicensingServiceClient::new(known(&server, ENFORCEMENT));
    let status = enforcement.check_permit(ask.clone()).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).unwrap().as_str()),
        (Code::PermissionDenied, "DEPARTMENT_NOT_ALLOWED")
    );

    let mut subscriber = FlagServiceClient::new(known(&server, SUBSCRIBER));
    subscriber.sync_flags(SyncFlagsRequest::default()).await.unwrap();
    let status = subscriber
        .raise_flag(RaiseFlagRequest::default())
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).unwrap().as_str()),
        (Code::PermissionDenied, "ROLE_NOT_ALLOWED")
    );
    let mut officer = FlagServiceClient::new(known(&server, LICENSING));
    let status = officer.sync_flags(SyncFlagsRequest::default()).await.unwrap_err();
    assert_eq!(reason_of(&status).unwrap(), "ROLE_NOT_ALLOWED");
    server.stop().await;
}

#[tokio::test]
async fn an_enterprise_asks_only_about_itself() {
    let server = Server::start(stack(Limits::default())).await;
    let mut firm = FlagServiceClient::new(known(&server, FIRM));
    let of = |uscc: &str| GetFlagRequest {
        name: format!("enterprises/{uscc}/flags/f1"),
    };
    firm.get_flag(of(USCC)).await.unwrap();
    let status = firm.get_flag(of(OTHER)).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).unwrap().as_str()),
        (Code::PermissionDenied, "NOT_YOUR_ENTERPRISE")
    );
    let status = firm.raise_flag(RaiseFlagRequest::default()).await.unwrap_err();
    assert_eq!(reason_of(&status).unwrap(), "DEPARTMENT_NOT_ALLOWED");
    server.stop().await;
}

#[tokio::test]
async fn no_header_but_the_credential_says_who_calls() {
    let server = Server::start(stack(Limits::default())).await;
    let url = format!("{}/v1/enterprises/{USCC}/flags/f1", server.address);
    for smuggled in [
        "x-greenstar-caller",
        "x-caller",
        "x-forwarded-user",
        "grpc-metadata-authorization",
    ] {
        let (status, body) = web::call("GET", &url, &[(smuggled, "enforcement")], "").await;
        assert_eq!(
            (status, web::reason(&body)),
            (401, "CREDENTIAL_MISSING"),
            "{smuggled}"
        );
    }
    let (_, body) = web::call(
        "GET",
        &url,
        &[
            ("authorization", &web::bearer(LICENSING)),
            ("x-greenstar-caller", "operator"),
        ],
        "",
    )
    .await;
    assert_eq!(body["token"], "licensing");
    server.stop().await;
}

#[tokio::test]
async fn rest_and_grpc_have_the_same_rules() {
    let server = Server::start(stack(Limits::default())).await;
    let url = format!("{}/v1/enterprises/{USCC}:checkPermit", server.address);
    let ask = r#"{"permitKind": "pollutant-permit"}"#;
    for (secret, expected, reason) in [
        (LICENSING, 200, "no reason"),
        (ENFORCEMENT, 403, "DEPARTMENT_NOT_ALLOWED"),
        ("not-a-secret-of-anyone", 401, "CREDENTIAL_UNKNOWN"),
    ] {
        let (status, body) = web::call("POST", &url, &[("authorization", &web::bearer(secret))], ask).await;
        assert_eq!((status, web::reason(&body)), (expected, reason));
    }
    let (status, body) = web::call("POST", &url, &[("authorization", "Basic abc")], ask).await;
    assert_eq!((status, web::reason(&body)), (401, "CREDENTIAL_UNKNOWN"));
    server.stop().await;
}
