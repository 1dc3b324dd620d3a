//! What is refused on the way, and that it changes nothing.

use greenstar_proto::supervision::v1 as pb;
use greenstar_testkit::Scratch;
use tonic::Code;

use super::{BASELINE, FINANCE, LICENSING, approved, content, officer, publication, stricter};
use crate::server::{Server, Sources, refusal, refused};

#[tokio::test]
async fn a_department_writes_its_own_policies_and_nobody_else_sees_its_drafts() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let (finance, licensing) = (officer(&server, "finance"), officer(&server, "licensing"));
    let not_allowed = refused(Code::PermissionDenied, "DEPARTMENT_NOT_ALLOWED");
    assert_eq!(refusal(licensing.write(FINANCE).await), not_allowed);
    // Under its own department, but by a name that another has.
    let taken = LICENSING.replace("policy: licensing-default", "policy: finance-default");
    assert_eq!(refusal(licensing.write(&taken).await), not_allowed);
    assert_eq!(refusal(finance.write(BASELINE).await), not_allowed);
    assert_eq!(
        refusal(licensing.roll_back("finance-default", 1, 0).await),
        not_allowed
    );

    let draft = finance.write(FINANCE).await.unwrap();
    let unknown = refused(Code::NotFound, "DRAFT_UNKNOWN");
    assert_eq!(refusal(licensing.read(&draft.name).await), unknown);
    assert_eq!(refusal(licensing.validate(&draft).await), unknown);
    assert_eq!(refusal(licensing.approve(&draft).await), unknown);
    assert_eq!(refusal(licensing.publish(&draft, None).await), unknown);
    assert_eq!(refusal(licensing.withdraw(&draft).await), unknown);
    assert_eq!(licensing.drafts().await, []);
    assert_eq!(refusal(finance.read("drafts/none").await), unknown);
    let listed = finance.drafts().await;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].name.as_str(), listed[0].source.as_str()),
        (draft.name.as_str(), "")
    );

    // It stays a draft of its policy.
    let other = FINANCE.replace("policy: finance-default", "policy: finance-other");
    let kept = refused(Code::InvalidArgument, "FIELD_INVALID");
    assert_eq!(refusal(finance.rewrite(&draft, &other).await), kept);

    // The floor has officers of its own.
    let floor = approved(&server, "baseline", BASELINE).await;
    let published = officer(&server, "baseline").publish(&floor, None).await.unwrap();
    assert_eq!(published.version.unwrap().name, "policies/baseline/versions/2");
    server.stop().await;
}

#[tokio::test]
async fn what_is_unsound_is_kept_but_not_validated_and_a_change_takes_validation_and_approval_back() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let finance = officer(&server, "finance");
    for unreadable in [
        "nothing",
        "policy: finance-default",
        "policy: [a]\nversion: 1\ndepartment: finance",
    ] {
        let answer = finance.write(unreadable).await;
        assert_eq!(
            refusal(answer),
            refused(Code::InvalidArgument, "TABLE_MALFORMED"),
            "{unreadable}"
        );
    }
    assert_eq!(finance.drafts().await, []);
    let wrong = FINANCE.replace("outcome: PRIORITY", "outcome: GRAND");
    let draft = finance.write(&wrong).await.unwrap();
    let unsound = refused(Code::InvalidArgument, "OUTCOME_UNKNOWN");
    assert_eq!(refusal(finance.validate(&draft).await), unsound);
    assert_eq!(finance.read(&draft.name).await.unwrap(), draft);

    let draft = finance.rewrite(&draft, &stricter("改")).await.unwrap();
    let validated = finance.validate(&draft).await.unwrap();
    let ready = officer(&server, "finance/2").approve(&validated).await.unwrap();
    // Whoever writes it anew is its author.
    let draft = officer(&server, "finance/2")
        .rewrite(&ready, &stricter("再改"))
        .await
        .unwrap();
    assert_eq!(
        (
            draft.state(),
            draft.author.as_str(),
            draft.approver.as_str(),
            draft.note.as_str()
        ),
        (pb::DraftState::Draft, "finance/2", "", "why")
    );
    let validated = finance.validate(&draft).await.unwrap();
    let same = officer(&server, "finance/2").approve(&validated).await;
    assert_eq!(refusal(same), refused(Code::PermissionDenied, "SAME_OFFICER"));
    let withdrawn = finance.withdraw(&validated).await.unwrap();
    assert_eq!(withdrawn.state(), pb::DraftState::Withdrawn);
    let state = refused(Code::FailedPrecondition, "DRAFT_STATE");
    assert_eq!(refusal(finance.validate(&withdrawn).await), state);
    assert_eq!(refusal(finance.withdraw(&withdrawn).await), state);
    assert_eq!(finance.versions("finance-default").await.unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_and_publishes_once() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let finance = officer(&server, "finance");
    let draft = finance.write_as(FINANCE, "a").await.unwrap();
    assert_eq!(finance.write_as(FINANCE, "a").await.unwrap(), draft);
    let reused = refused(Code::AlreadyExists, "REQUEST_ID_REUSED");
    assert_eq!(refusal(finance.write_as(&stricter("改"), "a").await), reused);
    assert_eq!(finance.drafts().await.len(), 1);

    let ready = approved(&server, "finance", &stricter("甲")).await;
    let request = pb::PublishPolicyRequest {
        request_id: "b".to_owned(),
        ..publication(&ready, None)
    };
    let published = finance.ask_to_publish(request.clone()).await.unwrap();
    assert_eq!(finance.ask_to_publish(request).await.unwrap(), published);
    assert_eq!(finance.versions("finance-default").await.unwrap().len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn a_list_of_drafts_is_read_in_pages_the_newest_first() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let finance = officer(&server, "finance");
    let mut written = Vec::new();
    for text in ["甲", "乙", "丙"] {
        sources.clock.advance(std::time::Duration::from_millis(1));
        written.insert(0, finance.write(&stricter(text)).await.unwrap().name);
    }
    let page = async |page_token: String| {
        let request = pb::ListDraftsRequest {
            page_size: 2,
            page_token,
        };
        let answer = server.policies_of("finance").list_drafts(request).await;
        answer.map(tonic::Response::into_inner)
    };
    let first = page(String::new()).await.unwrap();
    let second = page(first.next_page_token.clone()).await.unwrap();
    let read: Vec<String> = first
        .drafts
        .into_iter()
        .chain(second.drafts)
        .map(|draft| draft.name)
        .collect();
    assert_eq!((read, second.next_page_token.as_str()), (written, ""));
    let wrong = page("x".to_owned()).await;
    assert_eq!(
        refusal(wrong),
        refused(Code::InvalidArgument, "PAGE_TOKEN_INVALID")
    );
    server.stop().await;
}

#[tokio::test]
async fn only_officers_write_policies() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    for name in ["operator", "supervision-policy"] {
        let request = pb::CreateDraftRequest {
            content: content(FINANCE),
            ..pb::CreateDraftRequest::default()
        };
        let answer = server.policies_of(name).create_draft(request).await;
        assert_eq!(
            refusal(answer),
            refused(Code::PermissionDenied, "ROLE_NOT_ALLOWED")
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_draft_is_compared_with_what_was_published_and_its_remarks_are_told() {
    use greenstar_proto::supervision::v1::policy_reference::Reference;

    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let finance = officer(&server, "finance");
    let draft = finance.write(&stricter("改")).await.unwrap();
    let compare = async |officer: &str, from: &str, to: &str| {
        let side = |reference| {
            Some(pb::PolicyReference {
                reference: Some(reference),
            })
        };
        let request = pb::DiffPoliciesRequest {
            from: side(Reference::Version(from.to_owned())),
            to: side(Reference::Draft(to.to_owned())),
        };
        let answer = server.policies_of(officer).diff_policies(request).await;
        answer.map(tonic::Response::into_inner)
    };
    let first = "policies/finance-default/versions/1";
    let told = compare("finance", first, &draft.name).await.unwrap();
    let changed = |change: &pb::BehaviourChange| {
        (change.outcome_before.as_str(), change.outcome_after.as_str()) == ("ELIGIBLE", "STANDARD")
    };
    assert!(told.behaviour.iter().any(changed), "{told:?}");
    let in_force = compare("finance", "policies/finance-default", &draft.name).await;
    assert_eq!(in_force.unwrap(), told);
    let hidden = compare("licensing", first, &draft.name).await;
    assert_eq!(refusal(hidden), refused(Code::NotFound, "DRAFT_UNKNOWN"));
    let none = compare("finance", "policies/finance-default/versions/9", &draft.name).await;
    assert_eq!(refusal(none), refused(Code::NotFound, "POLICY_VERSION_UNKNOWN"));

    let request = pb::ValidateDraftRequest {
        name: draft.name,
        etag: draft.etag,
        ..pb::ValidateDraftRequest::default()
    };
    let answer = server
        .policies_of("finance")
        .validate_draft(request)
        .await
        .unwrap();
    assert!(answer.into_inner().coverage.unwrap().rows > 0);
    server.stop().await;
}
