//! P11: who was refused what stands in the log, however the answer puts it.

use greenstar_kernel::LocalizedText;
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::sanctions::v1::catalogue_service_client::CatalogueServiceClient;
use greenstar_proto::sanctions::v1::catalogue_service_server::{CatalogueService, CatalogueServiceServer};
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::sanctions::v1::{
    CreateCatalogueRequest, CreateCatalogueResponse, GetCatalogueRequest, GetCatalogueResponse,
    ListCataloguesRequest, ListCataloguesResponse, RaiseFlagRequest,
};
use greenstar_rpc::{Client, Limits, Stack, channel, hidden, item_error, status, with_credential};
use greenstar_testkit::Logs;
use tonic::{Code, Request, Response, Status};

use crate::fixture::{ENFORCEMENT, LICENSING, SUBSCRIBER, Server, credentials, stack};

fn caller(server: &Server, secret: &str) -> Client {
    with_credential(channel(&server.address).unwrap(), secret).unwrap()
}

fn refusal(code: Code, reason: ErrorReason) -> Status {
    status(code, reason, &LocalizedText::new("不可以", "no"), &[])
}

/// A department's matter is refused as one item, anybody else's is hidden.
#[derive(Debug)]
struct Matters;

#[tonic::async_trait]
impl CatalogueService for Matters {
    async fn get_catalogue(
        &self,
        request: Request<GetCatalogueRequest>,
    ) -> Result<Response<GetCatalogueResponse>, Status> {
        let call = greenstar_rpc::call(&request);
        if call.caller.principal() == "enforcement" {
            let unknown = refusal(Code::NotFound, ErrorReason::FlagUnknown);
            return Err(hidden(ErrorReason::DepartmentNotAllowed, unknown));
        }
        let denied = refusal(Code::PermissionDenied, ErrorReason::DepartmentNotAllowed);
        let unknown = refusal(Code::NotFound, ErrorReason::FlagUnknown);
        Ok(Response::new(GetCatalogueResponse {
            catalogue: None,
            token: [item_error(&denied), item_error(&unknown)]
                .map(|item| item.code)
                .join(" "),
        }))
    }

    async fn list_catalogues(
        &self,
        _: Request<ListCataloguesRequest>,
    ) -> Result<Response<ListCataloguesResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn create_catalogue(
        &self,
        _: Request<CreateCatalogueRequest>,
    ) -> Result<Response<CreateCatalogueResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }
}

#[tokio::test]
async fn a_refusal_is_logged_as_an_answer_as_an_item_and_in_disguise() {
    let logs = Logs::keep();
    let server = Server::start(stack(Limits::default())).await;
    let mut subscriber = FlagServiceClient::new(caller(&server, SUBSCRIBER));
    subscriber
        .raise_flag(RaiseFlagRequest::default())
        .await
        .unwrap_err();
    server.stop().await;

    let matters = Stack::builder(credentials()).with(CatalogueServiceServer::new(Matters));
    let server = Server::start(matters.build()).await;
    let mut licensing = CatalogueServiceClient::new(caller(&server, LICENSING));
    let answer = licensing
        .get_catalogue(GetCatalogueRequest::default())
        .await
        .unwrap();
    assert_eq!(answer.into_inner().token, "PERMISSION_DENIED NOT_FOUND");
    let mut enforcement = CatalogueServiceClient::new(caller(&server, ENFORCEMENT));
    let answer = enforcement.get_catalogue(GetCatalogueRequest::default()).await;
    assert_eq!(answer.unwrap_err().code(), Code::NotFound);
    server.stop().await;

    let flags = r#"method="/greenstar.sanctions.v1.FlagService/RaiseFlag""#;
    let catalogue = r#"method="/greenstar.sanctions.v1.CatalogueService/GetCatalogue""#;
    let not_allowed = r#"reason="DEPARTMENT_NOT_ALLOWED""#;
    for expected in [
        [
            flags,
            r#"principal="supervision-policy""#,
            r#"reason="ROLE_NOT_ALLOWED""#,
            r#"code="PERMISSION_DENIED""#,
        ],
        [
            catalogue,
            r#"principal="licensing""#,
            not_allowed,
            r#"code="PERMISSION_DENIED""#,
        ],
        [
            catalogue,
            r#"principal="enforcement""#,
            not_allowed,
            r#"code="NOT_FOUND""#,
        ],
    ] {
        assert_eq!(
            logs.lines(&expected).len(),
            1,
            "{expected:?} in {:?}",
            logs.lines(&[])
        );
    }
    assert_eq!(
        logs.lines(&["call refused"]).len(),
        3,
        "what nobody has is no refusal"
    );
}
