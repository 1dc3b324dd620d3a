//! The whole way, through the public door.

use std::time::Duration;

use greenstar_kernel::Clock as _;
use greenstar_proto::supervision::v1 as pb;
use greenstar_testkit::Scratch;
use tonic::Code;

use super::{FINANCE, after, answered_by, approved, decided, micros, officer, publication, stricter};
use crate::server::{Ask, FIRM, Server, Sources, refusal, refused};

const MINUTE: Duration = Duration::from_secs(60);
const INSTANT: Duration = Duration::from_micros(1);

#[tokio::test]
async fn a_policy_takes_effect_at_its_instant_after_a_second_officer_approved_it_and_is_rolled_back() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let sources = Sources::start().await;
        sources.star(FIRM, 4).await;
        let server = Server::start(&sources, &scratch).await;
        let (first, second) = (officer(&server, "finance"), officer(&server, "finance/2"));
        assert_eq!(decided(&server, Ask::full()).await, ("ELIGIBLE".to_owned(), 1));

        let source = stricter("四星");
        let draft = first.write(&source).await.unwrap();
        assert_eq!(
            (
                draft.policy.as_str(),
                draft.department.as_str(),
                draft.author.as_str()
            ),
            ("policies/finance-default", "finance", "finance")
        );
        assert_eq!((draft.state(), draft.version), (pb::DraftState::Draft, 2));
        assert_eq!((&draft.source, draft.note.as_str()), (&source, "why"));
        assert_eq!(first.read(&draft.name).await.unwrap(), draft);

        // Not before its turn, not by one alone, not on what one has not seen.
        let unapproved = refused(Code::FailedPrecondition, "DRAFT_NOT_APPROVED");
        assert_eq!(refusal(first.publish(&draft, None).await), unapproved);
        let state = refused(Code::FailedPrecondition, "DRAFT_STATE");
        assert_eq!(refusal(second.approve(&draft).await), state);
        let validated = first.validate(&draft).await.unwrap();
        assert_eq!(validated.state(), pb::DraftState::Validated);
        assert_ne!(validated.etag, draft.etag);
        let same = refused(Code::PermissionDenied, "SAME_OFFICER");
        assert_eq!(refusal(first.approve(&validated).await), same);
        let stale = refused(Code::Aborted, "ETAG_MISMATCH");
        assert_eq!(refusal(second.approve(&draft).await), stale);
        let ready = second.approve(&validated).await.unwrap();
        assert_eq!(
            (ready.state(), ready.approver.as_str()),
            (pb::DraftState::Approved, "finance/2")
        );
        assert_eq!(refusal(first.publish(&validated, None).await), stale);
        let soon = Some(after(&sources, Duration::from_secs(4)));
        let invalid = refused(Code::InvalidArgument, "EFFECTIVE_TIME_INVALID");
        assert_eq!(refusal(first.publish(&ready, soon).await), invalid);
        let never = Some(after(&sources, Duration::from_secs(20 * 366 * 86_400)));
        assert_eq!(refusal(first.publish(&ready, never).await), invalid);

        // Asking changes nothing.
        let instant = after(&sources, MINUTE);
        let only_asked = pb::PublishPolicyRequest {
            validate_only: true,
            ..publication(&ready, Some(instant))
        };
        let would_be = first.ask_to_publish(only_asked).await.unwrap();
        assert_eq!(would_be.token, "");
        assert_eq!(first.versions("finance-default").await.unwrap().len(), 1);
        assert_eq!(first.read(&ready.name).await.unwrap(), ready);

        let published = first.publish(&ready, Some(instant)).await.unwrap();
        let version = published.version.unwrap();
        assert_eq!(Some(&version), would_be.version.as_ref());
        assert_eq!(version.name, "policies/finance-default/versions/2");
        assert_eq!(version.state(), pb::VersionState::Scheduled);
        assert_eq!(micros(version.effective_time.as_ref()), instant.micros());
        let by = (
            version.author.as_str(),
            version.approver.as_str(),
            version.publisher.as_str(),
        );
        assert_eq!(by, ("finance", "finance/2", "finance"));
        assert_eq!((&version.source, version.evaluator.is_empty()), (&source, false));
        let done = first.read(&ready.name).await.unwrap();
        assert_eq!(
            (done.state(), &done.published_version),
            (pb::DraftState::Published, &version.name)
        );
        assert_eq!(refusal(first.rewrite(&done, FINANCE).await), state);
        assert_eq!(refusal(first.publish(&done, None).await), state);

        // At the instant and not before, although everybody knows it.
        assert_eq!(answered_by(&server, &published.token).await, 1);
        sources.clock.advance(MINUTE - INSTANT);
        assert_eq!(decided(&server, Ask::full()).await, ("ELIGIBLE".to_owned(), 1));
        sources.clock.advance(INSTANT);
        assert_eq!(decided(&server, Ask::full()).await, ("STANDARD".to_owned(), 2));

        // Back within seconds, by one officer.
        let other = refused(Code::Aborted, "POLICY_VERSION_MISMATCH");
        assert_eq!(refusal(second.roll_back("finance-default", 1, 1).await), other);
        let back = second.roll_back("finance-default", 1, 2).await.unwrap();
        let version = back.version.unwrap();
        assert_eq!(
            (version.name.as_str(), version.rollback_of.as_str()),
            (
                "policies/finance-default/versions/3",
                "policies/finance-default/versions/1"
            )
        );
        assert_eq!(
            (version.source.as_str(), version.publisher.as_str()),
            (FINANCE, "finance/2")
        );
        let notice = micros(version.effective_time.as_ref()) - micros(version.publish_time.as_ref());
        assert!((5_000_000..6_000_000).contains(&notice), "{notice}");
        let instant = Duration::from_micros(notice.try_into().unwrap());
        assert_eq!(answered_by(&server, &back.token).await, 2);
        sources.clock.advance(instant);
        assert_eq!(decided(&server, Ask::full()).await, ("ELIGIBLE".to_owned(), 3));

        // Every version stands, also after a restart, by number and text.
        let listed = first.versions("finance-default").await.unwrap();
        let states: Vec<_> = listed
            .iter()
            .map(|one| (one.name.as_str(), one.state()))
            .collect();
        use pb::VersionState::{InForce, Superseded};
        assert_eq!(
            states,
            [
                ("policies/finance-default/versions/3", InForce),
                ("policies/finance-default/versions/2", Superseded),
                ("policies/finance-default/versions/1", Superseded),
            ]
        );
        assert!(
            listed
                .iter()
                .all(|one| one.source.is_empty() && !one.source_hash.is_empty())
        );
        server.stop().await;
        let server = Server::start(&sources, &scratch).await;
        let first = officer(&server, "finance");
        assert_eq!(first.versions("finance-default").await.unwrap(), listed);
        let second = first
            .version("policies/finance-default/versions/2")
            .await
            .unwrap();
        assert_eq!((second.source, second.note.as_str()), (source, "why"));
        assert_eq!(first.read(&done.name).await.unwrap(), done);
        assert_eq!(decided(&server, Ask::full()).await, ("ELIGIBLE".to_owned(), 3));
        let unknown = refused(Code::NotFound, "POLICY_VERSION_UNKNOWN");
        let none = first.version("policies/finance-default/versions/9").await;
        assert_eq!(refusal(none), unknown);
        assert_eq!(refusal(first.roll_back("finance-default", 9, 0).await), unknown);
        let unknown = refused(Code::NotFound, "POLICY_UNKNOWN");
        assert_eq!(refusal(first.versions("nobodys").await), unknown);
        assert_eq!(
            refusal(first.version("policies/nobodys/versions/1").await),
            unknown
        );
        assert_eq!(refusal(first.roll_back("nobodys", 1, 0).await), unknown);
        server.stop().await;
    }
}

#[tokio::test]
async fn versions_take_effect_in_their_order_and_a_rollback_overtakes_what_is_scheduled() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 4).await;
    let server = Server::start(&sources, &scratch).await;
    let first = officer(&server, "finance");
    let [one, two] = [stricter("甲"), stricter("乙")];
    let one = approved(&server, "finance", &one).await;
    let two = approved(&server, "finance", &two).await;
    let instant = after(&sources, MINUTE);
    first.publish(&one, Some(instant)).await.unwrap();
    let invalid = refused(Code::InvalidArgument, "EFFECTIVE_TIME_INVALID");
    let before = Some(after(&sources, MINUTE / 2));
    assert_eq!(refusal(first.publish(&two, before).await), invalid);
    assert_eq!(refusal(first.publish(&two, Some(instant)).await), invalid);
    // Left out it is the first instant that is possible.
    let third = first.publish(&two, None).await.unwrap().version.unwrap();
    assert_eq!(micros(third.effective_time.as_ref()), instant.micros() + 1);

    // Neither has come yet, so there is nothing to go back to but the first.
    let never = refused(Code::InvalidArgument, "FIELD_INVALID");
    assert_eq!(refusal(first.roll_back("finance-default", 2, 1).await), never);
    let fourth = first.roll_back("finance-default", 1, 1).await.unwrap();
    let fourth = fourth.version.unwrap();
    assert!(micros(fourth.effective_time.as_ref()) < instant.micros());
    let listed = first.versions("finance-default").await.unwrap();
    let states: Vec<_> = listed.iter().map(pb::PolicyVersion::state).collect();
    use pb::VersionState::{InForce, Scheduled, Superseded};
    assert_eq!(states, [Scheduled, Superseded, Superseded, InForce]);
    sources.clock.advance(2 * MINUTE);
    assert_eq!(decided(&server, Ask::full()).await, ("ELIGIBLE".to_owned(), 4));
    assert!(sources.clock.now() > instant);
    server.stop().await;
}
