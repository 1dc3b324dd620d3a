//! What cannot be answered says why, by code and reason, and is not recorded.

use std::time::Duration;

use greenstar_kernel::{Epoch, Log, Position, Revision, Token};
use greenstar_proto::common::v1 as common;
use greenstar_proto::supervision::v1 as pb;
use greenstar_testkit::Scratch;
use tonic::Code;

use crate::server::{Ask, FIRM, Server, Sources, refusal, refused};

#[tokio::test]
async fn codes_are_read_kindly_and_refused_precisely() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 4).await;
    let server = Server::start(&sources, &scratch).await;
    let wide: String = FIRM
        .chars()
        .map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap())
        .collect();
    for code in [FIRM.to_lowercase(), wide] {
        let permit = server.permit(&code, "eia-approval", Ask::LATEST).await.unwrap();
        assert_eq!(
            (permit.star, permit.uscc_verdict()),
            (Some(4), common::UsccVerdict::Valid),
            "{code}"
        );
    }
    let permit = server
        .permit("91350211M0000XUF46", "eia-approval", Ask::LATEST)
        .await
        .unwrap();
    assert_eq!(permit.uscc_verdict(), common::UsccVerdict::CheckFailedOrgOk);
    for code in ["91310115MA1G4L1WXK", "9111O115MAX000015J", "", "911"] {
        let answer = server.permit(code, "eia-approval", Ask::LATEST).await;
        let (status, reason) = refusal(answer);
        assert_eq!(status, Code::InvalidArgument, "{code}");
        assert!(
            ["USCC_MALFORMED", "NAME_MALFORMED"].contains(&reason.as_str()),
            "{code}: {reason}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn unknown_matters_kinds_and_arguments_are_refused() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let kind = server
        .permit(FIRM, "fishing-permit", Ask::LATEST)
        .await
        .unwrap_err();
    let known = greenstar_rpc::said_of(&kind).en;
    assert!(
        known.contains("hazardous-waste-permit") && known.contains("eia-approval"),
        "{known}"
    );
    assert_eq!(
        refusal(Err::<(), _>(kind)),
        refused(Code::NotFound, "PERMIT_KIND_UNKNOWN")
    );

    let ask = |matter: &str, argument: Option<(&str, &str)>| pb::DecideRequest {
        enterprise: format!("enterprises/{FIRM}"),
        matter: matter.to_owned(),
        arguments: argument
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect(),
        ..pb::DecideRequest::default()
    };
    let cases = [
        (
            "licensing",
            ask("departments/licensing/matters/fishing-permit", None),
            Code::NotFound,
            "MATTER_UNKNOWN",
        ),
        (
            "licensing",
            ask("departments/finance/matters/green-loan", None),
            Code::PermissionDenied,
            "MATTER_NOT_YOURS",
        ),
        (
            "licensing",
            ask("departments/finance/matters/none", None),
            Code::PermissionDenied,
            "MATTER_NOT_YOURS",
        ),
        (
            "licensing",
            ask("matters/eia-approval", None),
            Code::InvalidArgument,
            "NAME_MALFORMED",
        ),
        ("licensing", ask("", None), Code::InvalidArgument, "FIELD_INVALID"),
        (
            "licensing",
            ask(
                "departments/licensing/matters/eia-approval",
                Some(("colour", "red")),
            ),
            Code::InvalidArgument,
            "ARGUMENT_INVALID",
        ),
    ];
    for (department, request, code, reason) in cases {
        let answer = server.decisions(department).decide(request.clone()).await;
        assert_eq!(refusal(answer), refused(code, reason), "{request:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn tokens_that_cannot_be_met_are_told_apart() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let head = sources.sanctions.head().await;
    let of = |log, epoch: &str, revision| {
        let epoch = Epoch::parse(epoch).unwrap();
        Token::of(
            log,
            Position {
                epoch,
                revision: Revision(revision),
            },
        )
        .to_string()
    };
    let ours = head.epoch.as_str();
    let cases = [
        ("no token".to_owned(), Code::InvalidArgument, "TOKEN_MALFORMED"),
        (
            of(Log::Sanctions, "another-life", 1),
            Code::FailedPrecondition,
            "TOKEN_FOREIGN",
        ),
        (
            of(Log::Rating, "another-life", 1),
            Code::FailedPrecondition,
            "TOKEN_FOREIGN",
        ),
        (
            of(Log::Policy, "another-life", 1),
            Code::FailedPrecondition,
            "TOKEN_FOREIGN",
        ),
        (
            of(Log::Sanctions, ours, head.revision.0 + 1),
            Code::InvalidArgument,
            "TOKEN_AHEAD",
        ),
    ];
    for (token, code, reason) in cases {
        let answer = server.permit(FIRM, "eia-approval", Ask::token(&token)).await;
        assert_eq!(refusal(answer), refused(code, reason), "{token}");
    }
    let negative = Ask(Some(common::Consistency {
        max_staleness: Some(pbjson_types::Duration {
            seconds: -1,
            nanos: 0,
        }),
        ..common::Consistency::default()
    }));
    let answer = server.permit(FIRM, "eia-approval", negative).await;
    assert_eq!(refusal(answer), refused(Code::InvalidArgument, "FIELD_INVALID"));
    let answer = server
        .permit(FIRM, "eia-approval", Ask::within(Duration::from_secs(60)))
        .await
        .unwrap();
    assert!(
        !answer.manual_review,
        "a looser bound than the matter's changes nothing"
    );
    server.stop().await;
}
