//! Who has applied a flag, asked of one replica or of several.

use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::{Clock, ManualClock, SystemClock};
use greenstar_proto::common::v1 as common;
use greenstar_proto::common::v1::{Acknowledgement, ConvergenceScope, Rejection, SubscriberState, WatchOpen};
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::watch_flags_request::Step;
use greenstar_testkit::Scratch;
use tonic::Code;

use crate::server::{engines, noon, position, refused};
use crate::source::{Source, last, named, policy, standing, up_to};

#[tokio::test]
async fn everybody_who_has_not_applied_a_flag_is_named_with_the_reason() {
    for scratch in engines().await {
        let clock = Arc::new(ManualClock::at(noon("2026-05-10")));
        let source = Source::alone(&scratch, clock.clone()).await;
        let mut quick = source
            .open("supervision-policy", policy("supervision-policy/1"))
            .await;
        let mut gone = source
            .open("supervision-policy", policy("supervision-policy/2"))
            .await;
        let mut silent = source
            .open("licensing/subscriber", named("licensing/registry"))
            .await;
        let mut rejecting = source.open("finance/subscriber", named("finance/ledger")).await;
        for watch in [&mut quick, &mut gone, &mut silent, &mut rejecting] {
            watch.next().await.unwrap();
        }
        let (_, token, _) = source.flag("1", None).await;
        let revision = position(&token).revision.0;
        for watch in [&mut quick, &mut gone, &mut silent, &mut rejecting] {
            watch.take(revision).await;
        }
        quick.acknowledge(revision).await;
        let rejection = Rejection {
            revision,
            reason: "no such kind in the ledger".to_owned(),
        };
        rejecting
            .say(Step::Acknowledgement(Acknowledgement {
                revision: revision - 1,
                rejection: Some(rejection.clone()),
            }))
            .await;
        drop(gone);

        // It ends when time is up, and says so.
        let answers = source.wait(&token, 700).await;
        assert!(!answers.last().unwrap().converged);
        let convergence = last(&answers);
        assert_eq!(
            standing(convergence),
            [
                ("finance/ledger", SubscriberState::Rejected),
                ("licensing/registry", SubscriberState::Laggard),
                ("supervision-policy/2", SubscriberState::Disconnected),
            ]
        );
        assert_eq!(convergence.outstanding[0].rejection, Some(rejection));
        assert_eq!(
            (convergence.log.as_str(), convergence.converged_count),
            ("sanctions", 1)
        );
        assert_eq!(
            convergence.converged_subscribers[0].subscriber,
            "supervision-policy/1"
        );
        assert!(convergence.took_p50.is_some() && convergence.took_p99.is_some());

        // Silence makes the one fenced that promised to answer nothing as fresh; the others come after.
        clock.advance(Duration::from_secs(9));
        rejecting.acknowledge(revision).await;
        silent.acknowledge(revision).await;
        let answers = source.wait(&token, 20_000).await;
        assert!(answers.last().unwrap().converged);
        let convergence = last(&answers);
        assert!(convergence.converged);
        assert_eq!(
            standing(convergence),
            [("supervision-policy/2", SubscriberState::Fenced)]
        );
        assert_eq!(convergence.converged_count, 3);

        // A department's own system that never comes back stays a laggard until it is removed.
        drop(silent);
        let (_, token, _) = source.flag("2", None).await;
        let revision = position(&token).revision.0;
        for watch in [&mut quick, &mut rejecting] {
            watch.take(revision).await;
            watch.acknowledge(revision).await;
        }
        let answers = source.wait(&token, 500).await;
        assert_eq!(
            standing(last(&answers))[0],
            ("licensing/registry", SubscriberState::Disconnected)
        );
        let remove = |subscriber: &str| pb::RemoveSubscriberRequest {
            subscriber: subscriber.to_owned(),
        };
        let mut officer = source.flags("enforcement");
        let by_officer = officer.remove_subscriber(remove("licensing/registry"));
        refused(by_officer.await, Code::PermissionDenied, "ROLE_NOT_ALLOWED");
        let mut operator = source.flags("operator");
        operator
            .remove_subscriber(remove("licensing/registry"))
            .await
            .unwrap();
        let again = operator.remove_subscriber(remove("licensing/registry")).await;
        refused(again, Code::NotFound, "SUBSCRIBER_UNKNOWN");
        assert!(source.wait(&token, 20_000).await.last().unwrap().converged);
        source.stop().await;
    }
}

#[tokio::test]
async fn a_watch_at_another_replica_counts_and_a_replica_that_dies_is_no_convergence() {
    let scratch = Scratch::postgres().await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let left = Source::start(&scratch, clock.clone(), "sanctions/1").await;
    let right = Source::start(&scratch, clock.clone(), "sanctions/2").await;
    let mut watch = right
        .open("supervision-policy", policy("supervision-policy/1"))
        .await;
    watch.next().await.unwrap();
    let (_, token, _) = left.flag("1", None).await;
    let revision = position(&token).revision.0;
    let applying = async {
        watch.take(revision).await;
        watch.acknowledge(revision).await;
    };
    let (answers, ()) = tokio::join!(left.wait(&token, 20_000), applying);
    assert!(answers.last().unwrap().converged, "{answers:?}");
    assert_eq!(
        last(&answers).converged_subscribers[0].subscriber,
        "supervision-policy/1"
    );
    let listed = left.subscribers().await;
    assert_eq!(listed.unreachable, Vec::<String>::new());
    assert_eq!(listed.subscribers[0].lag, 0);

    // One that streams from the one replica may acknowledge at the other.
    let request = pb::StreamFlagsRequest {
        subscriber: "licensing/registry".to_owned(),
        ..pb::StreamFlagsRequest::default()
    };
    let mut streamer = right.flags("licensing/subscriber");
    let mut stream = streamer.stream_flags(request).await.unwrap().into_inner();
    while stream.message().await.unwrap().unwrap().cursor.is_empty() {}
    let acknowledge = |revision| pb::AcknowledgeFlagsRequest {
        subscriber: "licensing/registry".to_owned(),
        acknowledgement: Some(up_to(revision)),
    };
    // The other replica reads who is registered where once a second; asking makes it look.
    left.subscribers().await;
    let mut caller = left.flags("licensing/subscriber");
    let early = caller.acknowledge_flags(acknowledge(revision + 99)).await;
    refused(early, Code::InvalidArgument, "ACKNOWLEDGEMENT_AHEAD");
    caller.acknowledge_flags(acknowledge(revision)).await.unwrap();
    assert!(left.wait(&token, 20_000).await.last().unwrap().converged);
    let mut operator = left.flags("operator");
    let remove = pb::RemoveSubscriberRequest {
        subscriber: "licensing/registry".to_owned(),
    };
    let connected = operator.remove_subscriber(remove.clone()).await;
    refused(connected, Code::FailedPrecondition, "SUBSCRIBER_CONNECTED");
    drop(stream);
    // The other replica notices.
    while let Err(status) = operator.remove_subscriber(remove.clone()).await {
        assert_eq!(status.code(), Code::FailedPrecondition);
    }

    // Killed: nobody said goodbye, and what it knew is gone.
    right.task.abort();
    drop(right.task);
    let (_, token, _) = left.flag("2", None).await;
    let answers = left.wait(&token, 500).await;
    assert!(!answers.last().unwrap().converged, "{answers:?}");
    // The subscriber goes over to the other replica and says where it stands.
    let cursor = common::Position {
        epoch: position(&token).epoch.to_string(),
        revision,
    };
    let mut watch = left
        .open(
            "supervision-policy",
            WatchOpen {
                cursor: Some(cursor),
                ..policy("supervision-policy/1")
            },
        )
        .await;
    watch.revision = revision;
    let revision = position(&token).revision.0;
    assert_eq!(watch.take(revision).await.len(), 1);
    watch.acknowledge(revision).await;
    assert!(left.wait(&token, 30_000).await.last().unwrap().converged);
    left.stop().await;
}

#[tokio::test]
async fn a_registration_outlives_a_restart_of_the_service() {
    for scratch in engines().await {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let source = Source::alone(&scratch, clock.clone()).await;
        let mut watch = source
            .open("licensing/subscriber", named("licensing/registry"))
            .await;
        watch.next().await.unwrap();
        source.stop().await;
        let source = Source::alone(&scratch, clock).await;
        let listed = source.subscribers().await;
        let [one] = listed.subscribers.as_slice() else {
            panic!("{listed:?}")
        };
        assert_eq!(
            (one.subscriber.as_str(), one.log.as_str()),
            ("licensing/registry", "sanctions")
        );
        assert_eq!(
            (one.state(), one.acknowledged),
            (SubscriberState::Disconnected, 0)
        );
        let (_, token, _) = source.flag("1", None).await;
        assert!(!source.wait(&token, 300).await.last().unwrap().converged);
        source.stop().await;
    }
}

#[tokio::test]
async fn a_confirmation_can_wait_until_everybody_has_applied_it() {
    let scratch = Scratch::sqlite();
    let source = Source::alone(&scratch, Arc::new(ManualClock::at(noon("2026-05-10")))).await;
    // With nobody there it has converged at once.
    let (_, _, convergence) = source.flag("1", Some(Duration::from_secs(30))).await;
    assert!(convergence.unwrap().converged);
    let mut watch = source
        .open("supervision-policy", policy("supervision-policy/1"))
        .await;
    watch.next().await.unwrap();
    // One that does not answer does not undo it: it binds, and the answer says who is missing.
    let (flag, token, convergence) = source.flag("2", Some(Duration::from_millis(200))).await;
    assert_eq!(flag.state(), pb::FlagState::InForce);
    let convergence = convergence.unwrap();
    assert!(!convergence.converged);
    assert_eq!(
        standing(&convergence),
        [("supervision-policy/1", SubscriberState::Laggard)]
    );
    let answering = async {
        let head = position(&token).revision.0 + 2;
        watch.take(head).await;
        watch.acknowledge(head).await;
    };
    let ((_, _, convergence), ()) = tokio::join!(source.flag("3", Some(Duration::from_secs(8))), answering);
    assert!(convergence.unwrap().converged);
    // A repeat waits anew; how long is no part of what was done.
    let request = pb::ConfirmFlagRequest {
        name: flag.name.clone(),
        request_id: "2".to_owned(),
        wait_converged: None,
    };
    let repeated = source
        .flags("enforcement/2")
        .confirm_flag(request.clone())
        .await
        .unwrap();
    assert_eq!(repeated.into_inner().convergence, None);
    let too_long = pb::ConfirmFlagRequest {
        wait_converged: Some(Duration::from_secs(61).into()),
        ..request
    };
    let answer = source.flags("enforcement/2").confirm_flag(too_long).await;
    refused(answer, Code::InvalidArgument, "FIELD_INVALID");
    source.stop().await;
}

#[tokio::test]
async fn what_follows_in_rating_is_not_known_without_rating() {
    let scratch = Scratch::sqlite();
    let source = Source::alone(&scratch, Arc::new(ManualClock::at(noon("2026-05-10")))).await;
    let (_, token, _) = source.flag("1", None).await;
    let mut answers = source.ask(&token, ConvergenceScope::All, 600).await.unwrap();
    let mut last = None;
    while let Some(answer) = answers.message().await.unwrap() {
        last = Some(answer);
    }
    let last = last.unwrap();
    assert!(last.convergence.unwrap().converged && !last.converged);
    let caused = last.caused.unwrap();
    assert_eq!((caused.log.as_str(), caused.converged), ("rating", false));
    assert_eq!(standing(&caused), [("rating", SubscriberState::Laggard)]);
    assert_eq!(caused.unreachable, ["rating"]);
    source.stop().await;
}
