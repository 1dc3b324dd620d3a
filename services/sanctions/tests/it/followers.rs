//! What a follower may say, and what a filter narrows.

use std::sync::Arc;

use greenstar_kernel::{Log, ManualClock, Token};
use greenstar_proto::common::v1::{ConvergenceScope, WatchFilter, WatchOpen};
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::watch_flags_response::Event;
use greenstar_testkit::Scratch;
use tonic::Code;

use crate::server::{OTHER_FIRM, engines, noon, penalty, position, refused};
use crate::source::{Source, named, up_to};

#[tokio::test]
async fn nobody_poses_as_another_department_or_speaks_of_what_was_not_sent() {
    let scratch = Scratch::sqlite();
    let source = Source::alone(&scratch, Arc::new(ManualClock::at(noon("2026-05-10")))).await;
    let (_, token, _) = source.flag("1", None).await;
    let head = position(&token);
    for name in ["supervision-policy/1", "licensing2", "licens"] {
        let mut watch = source.open("licensing/subscriber", named(name)).await;
        let status = watch.refused().await;
        refused(
            Err::<(), _>(status),
            Code::PermissionDenied,
            "DEPARTMENT_NOT_ALLOWED",
        );
    }
    let mut early = source
        .open("licensing/subscriber", named("licensing/registry"))
        .await;
    early.next().await.unwrap();
    early.acknowledge(head.revision.0 + 1).await;
    let status = early.refused().await;
    refused(
        Err::<(), _>(status),
        Code::InvalidArgument,
        "ACKNOWLEDGEMENT_AHEAD",
    );

    let filtered = |filter: WatchFilter| WatchOpen {
        filter: Some(filter),
        ..named("licensing/registry")
    };
    for filter in [
        WatchFilter {
            kinds: vec!["misspelt-penalty".to_owned()],
            ..WatchFilter::default()
        },
        WatchFilter {
            districts: vec!["11011x".to_owned()],
            ..WatchFilter::default()
        },
        WatchFilter {
            enterprises: vec!["enterprises/1".to_owned()],
            ..WatchFilter::default()
        },
    ] {
        let mut watch = source.open("licensing/subscriber", filtered(filter)).await;
        let status = watch.refused().await;
        refused(
            Err::<(), _>(status),
            Code::InvalidArgument,
            "WATCH_FILTER_INVALID",
        );
    }

    let ahead = greenstar_kernel::Position {
        revision: head.revision.next(),
        ..head.clone()
    };
    let foreign = greenstar_kernel::Position {
        epoch: greenstar_kernel::Epoch::parse("another").unwrap(),
        ..head.clone()
    };
    for (token, code, reason) in [
        (
            Token::of(Log::Sanctions, ahead).to_string(),
            Code::InvalidArgument,
            "TOKEN_AHEAD",
        ),
        (
            Token::of(Log::Sanctions, foreign).to_string(),
            Code::FailedPrecondition,
            "TOKEN_FOREIGN",
        ),
        (
            Token::of(Log::Rating, head.clone()).to_string(),
            Code::InvalidArgument,
            "TOKEN_MALFORMED",
        ),
        ("nonsense".to_owned(), Code::InvalidArgument, "TOKEN_MALFORMED"),
    ] {
        let asked = async {
            source
                .ask(&token, ConvergenceScope::Direct, 500)
                .await?
                .message()
                .await
        };
        refused(asked.await, code, reason);
    }
    let request = pb::AcknowledgeFlagsRequest {
        subscriber: "licensing/registry".to_owned(),
        acknowledgement: Some(up_to(1)),
    };
    let nobody = source
        .flags("licensing/subscriber")
        .acknowledge_flags(request)
        .await;
    refused(nobody, Code::NotFound, "SUBSCRIBER_UNKNOWN");
    source.stop().await;
}

#[tokio::test]
async fn a_filter_narrows_snapshot_and_frames_and_the_cursor_moves_all_the_same() {
    for scratch in engines().await {
        let source = Source::alone(&scratch, Arc::new(ManualClock::at(noon("2026-05-10")))).await;
        source.flag("1", None).await;
        let followed = WatchOpen {
            filter: Some(WatchFilter {
                kinds: vec!["serious-penalty".to_owned()],
                enterprises: vec![format!("enterprises/{OTHER_FIRM}")],
                ..WatchFilter::default()
            }),
            ..named("licensing/registry")
        };
        let mut watch = source.open("licensing/subscriber", followed).await;
        watch.next().await.unwrap();
        let Event::Rows(rows) = watch.next().await.unwrap() else {
            panic!("no rows")
        };
        assert!(
            rows.rows
                .iter()
                .all(|row| matches!(row.row, Some(pb::flag_row::Row::Catalogue(_))))
        );
        let (_, token, _) = source.flag("2", None).await;
        assert_eq!(watch.take(position(&token).revision.0).await, []);
        let other = pb::RaiseFlagRequest {
            parent: format!("enterprises/{OTHER_FIRM}"),
            ..penalty("3")
        };
        let raised = source
            .flags("enforcement")
            .raise_flag(other)
            .await
            .unwrap()
            .into_inner();
        let request = pb::ConfirmFlagRequest {
            name: raised.flag.unwrap().name,
            ..pb::ConfirmFlagRequest::default()
        };
        let confirmed = source
            .flags("enforcement/2")
            .confirm_flag(request)
            .await
            .unwrap()
            .into_inner();
        let changes = watch.take(position(&confirmed.token).revision.0).await;
        assert_eq!(changes.len(), 1);
        source.stop().await;
    }
}
