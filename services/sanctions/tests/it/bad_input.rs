//! Each bad input has its reason and changes nothing.

use greenstar_proto::common::v1::Severity;
use greenstar_proto::sanctions::v1::{LiftFlagRequest, ListFlagsRequest, RaiseFlagRequest};
use greenstar_rpc::said_of;
use greenstar_testkit::Scratch;
use tonic::Code;

use crate::server::{FIRM, Server, penalty, refused};

fn dated(date: &str, request: RaiseFlagRequest) -> RaiseFlagRequest {
    let mut document = request.document.clone().unwrap();
    document.date = date.to_owned();
    RaiseFlagRequest {
        document: Some(document),
        ..request
    }
}

fn of_kind(kind: &str) -> RaiseFlagRequest {
    RaiseFlagRequest {
        kind: kind.to_owned(),
        ..penalty("1")
    }
}

#[tokio::test]
async fn a_bad_proposal_is_refused_by_the_rule_it_breaks() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let before = server.head().await;
    let parent = |parent: &str| RaiseFlagRequest {
        parent: parent.to_owned(),
        ..penalty("1")
    };
    let deceit = |scope: &str| RaiseFlagRequest {
        scope: scope.to_owned(),
        ..of_kind("permit-by-deceit")
    };
    let mut blank = penalty("1");
    blank.document = blank
        .document
        .map(|document| greenstar_proto::common::v1::Document {
            number: " ".into(),
            ..document
        });
    let cases = [
        (
            parent("enterprises/91310115MA1G4L1WXK"),
            Code::InvalidArgument,
            "USCC_MALFORMED",
        ),
        // The check character alone fails: a slip of the pen, unless the licence says so.
        (
            parent("enterprises/91110115MAX000015K"),
            Code::InvalidArgument,
            "USCC_MALFORMED",
        ),
        (
            parent("enterprises/9111O115MAX000015J"),
            Code::InvalidArgument,
            "USCC_MALFORMED",
        ),
        (
            parent(&format!("firms/{FIRM}")),
            Code::InvalidArgument,
            "NAME_MALFORMED",
        ),
        (of_kind("bad-manners"), Code::InvalidArgument, "FLAG_KIND_UNKNOWN"),
        (of_kind("坏"), Code::InvalidArgument, "FLAG_KIND_UNKNOWN"),
        (of_kind(""), Code::InvalidArgument, "FIELD_INVALID"),
        (
            RaiseFlagRequest {
                document: None,
                ..penalty("1")
            },
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (blank, Code::InvalidArgument, "FIELD_INVALID"),
        (
            RaiseFlagRequest {
                site: "7".into(),
                ..penalty("1")
            },
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            RaiseFlagRequest {
                severity: Severity::Minor.into(),
                ..penalty("1")
            },
            Code::InvalidArgument,
            "SEVERITY_NOT_ALLOWED",
        ),
        (
            RaiseFlagRequest {
                severity: 9,
                ..penalty("1")
            },
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (deceit(""), Code::InvalidArgument, "SCOPE_INVALID"),
        (deceit("fishing-permit"), Code::InvalidArgument, "SCOPE_INVALID"),
        (
            RaiseFlagRequest {
                scope: "eia-approval".into(),
                ..penalty("1")
            },
            Code::InvalidArgument,
            "SCOPE_INVALID",
        ),
        (
            dated("2026-05-11", penalty("1")),
            Code::InvalidArgument,
            "DATE_INVALID",
        ),
        (
            dated("2026-02-30", penalty("1")),
            Code::InvalidArgument,
            "DATE_INVALID",
        ),
        (
            dated("2014-12-31", of_kind("complaint-verified")),
            Code::FailedPrecondition,
            "BASIS_MISSING",
        ),
        (
            dated("2023-05-09", penalty("1")),
            Code::FailedPrecondition,
            "TERM_ENDED",
        ),
    ];
    for (request, code, reason) in cases {
        let status = refused(server.raise("enforcement", request).await, code, reason);
        let said = said_of(&status);
        assert!(
            !said.en.is_empty() && !said.zh.is_ascii(),
            "{reason} speaks both languages"
        );
    }
    let foreign = server.raise("finance", penalty("1")).await;
    refused(foreign, Code::PermissionDenied, "FLAG_KIND_NOT_YOURS");
    let firm = server.raise(&format!("enterprises/{FIRM}"), penalty("1")).await;
    refused(firm, Code::PermissionDenied, "DEPARTMENT_NOT_ALLOWED");
    refused(
        server.anonymous().raise_flag(penalty("1")).await,
        Code::Unauthenticated,
        "CREDENTIAL_MISSING",
    );
    assert_eq!(server.head().await, before);
    server.stop().await;
}

#[tokio::test]
async fn codes_in_lower_case_and_full_width_mean_the_same_firm() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let wide: String = FIRM
        .to_lowercase()
        .chars()
        .map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap())
        .collect();
    let request = RaiseFlagRequest {
        parent: format!("enterprises/{wide}"),
        ..penalty("1")
    };
    let (flag, _) = server.raise("enforcement", request).await.unwrap();
    assert!(flag.name.starts_with(&format!("enterprises/{FIRM}/flags/")));
    server.stop().await;
}

#[tokio::test]
async fn one_document_is_flagged_once_at_a_time() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let (flag, _) = server.raise("enforcement", penalty("1")).await.unwrap();
    let mut spaced = penalty(" 1 ");
    spaced.reason = "typed again".to_owned();
    let status = refused(
        server.raise("enforcement/2", spaced).await,
        Code::AlreadyExists,
        "FLAG_EXISTS",
    );
    assert!(format!("{status:?}").contains(&flag.name));
    server.confirm("enforcement/2", &flag.name).await.unwrap();
    refused(
        server.raise("enforcement", penalty("1")).await,
        Code::AlreadyExists,
        "FLAG_EXISTS",
    );
    server
        .raise("enforcement", of_kind("ordinary-penalty"))
        .await
        .unwrap();
    server.lift("enforcement", &flag.name).await.unwrap();
    server.raise("enforcement", penalty("1")).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn names_of_nothing_are_refused() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let flag = server.flagged(penalty("1")).await;
    let id = flag.name.rsplit('/').next().unwrap().to_owned();
    for (name, code, reason) in [
        (
            format!("enterprises/{FIRM}/flags/none"),
            Code::NotFound,
            "FLAG_UNKNOWN",
        ),
        (
            format!("enterprises/91110115MAX000023D/flags/{id}"),
            Code::NotFound,
            "FLAG_UNKNOWN",
        ),
        (
            format!("enterprises/91310115MA1G4L1WXK/flags/{id}"),
            Code::InvalidArgument,
            "USCC_MALFORMED",
        ),
        (
            format!("enterprises/{FIRM}/marks/{id}"),
            Code::InvalidArgument,
            "NAME_MALFORMED",
        ),
        (
            format!("enterprises/{FIRM}/flags/旗"),
            Code::InvalidArgument,
            "NAME_MALFORMED",
        ),
        (String::new(), Code::InvalidArgument, "NAME_MALFORMED"),
    ] {
        refused(server.confirm("enforcement/2", &name).await, code, reason);
        refused(server.lift("enforcement/2", &name).await, code, reason);
        let get = greenstar_proto::sanctions::v1::GetFlagRequest { name };
        refused(server.flags("enforcement").get_flag(get).await, code, reason);
    }
    for reason in ["", "  "] {
        let (name, reason) = (flag.name.clone(), reason.to_owned());
        let lift = LiftFlagRequest {
            name,
            reason,
            request_id: String::new(),
        };
        refused(
            server.flags("enforcement").lift_flag(lift).await,
            Code::InvalidArgument,
            "FIELD_INVALID",
        );
    }
    let empty = ListFlagsRequest {
        parent: String::new(),
        ..Default::default()
    };
    refused(
        server.flags("finance").list_flags(empty).await,
        Code::InvalidArgument,
        "NAME_MALFORMED",
    );
    server.stop().await;
}
