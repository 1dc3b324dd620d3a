//! Whom a policy would hit: simulated over everybody and over what was recorded, and beside live traffic.

use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1::RatingFact;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::policy_content::Form;
use greenstar_proto::supervision::v1::policy_service_client::PolicyServiceClient;
use greenstar_proto::supervision::v1::simulate_policy_request::Candidate;
use greenstar_proto::supervision::v1::simulate_policy_response::Event;
use greenstar_rpc::Client;
use greenstar_testkit::Scratch;
use tonic::{Code, Status};

use crate::server::{Ask, FIRM, OTHER, Server, Sources, client, refusal, refused};

const LICENSING: &str = include_str!("../../data/licensing.yaml");
const BASELINE: &str = include_str!("../../data/baseline.yaml");

/// Four stars no longer give the fast track, and no case says that they do.
fn stricter() -> String {
    let four = "outcome: FAST_TRACK\n      measures: { fast-track: }\n";
    assert!(LICENSING.contains(four));
    let text = LICENSING.replace(four, "outcome: STANDARD\n");
    let (text, _) = text.split_once("\ncases:").unwrap();
    format!("{text}\n")
}

fn content(source: String) -> pb::PolicyContent {
    pb::PolicyContent {
        form: Some(Form::Source(source)),
    }
}

fn of(source: String) -> pb::SimulatePolicyRequest {
    pb::SimulatePolicyRequest {
        candidate: Some(Candidate::Content(content(source))),
        ..Default::default()
    }
}

fn policies(server: &Server, caller: &str) -> PolicyServiceClient<Client> {
    PolicyServiceClient::new(client(server.address, caller))
}

/// All that is said, progress before the result.
async fn simulate(
    server: &Server,
    caller: &str,
    request: pb::SimulatePolicyRequest,
) -> Result<(Vec<pb::SimulationProgress>, pb::SimulationResult), Status> {
    let mut said = policies(server, caller)
        .simulate_policy(request)
        .await?
        .into_inner();
    let (mut progress, mut result) = (Vec::new(), None);
    while let Some(event) = said.message().await? {
        assert!(result.is_none(), "something after the result");
        match event.event.unwrap() {
            Event::Progress(at) => progress.push(at),
            Event::Result(found) => result = Some(found),
        }
    }
    Ok((progress, result.unwrap()))
}

fn moved<'r>(
    result: &'r pb::SimulationResult,
    matter: &str,
    from: &str,
    to: &str,
) -> Option<&'r pb::OutcomeMove> {
    let of = |one: &&pb::OutcomeMove| one.matter.ends_with(matter) && one.from == from && one.to == to;
    result.moves.iter().find(of)
}

fn name(uscc: &str) -> String {
    format!("enterprises/{uscc}")
}

#[tokio::test]
async fn a_candidate_is_counted_over_everybody_and_the_changed_are_named() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    sources.star(FIRM, 4).await;
    let token = sources.star(OTHER, 5).await;
    server
        .permit(FIRM, "eia-approval", Ask::token(&token))
        .await
        .unwrap();

    let (progress, result) = simulate(&server, "licensing", of(stricter())).await.unwrap();
    assert_eq!(progress.first().map(|at| (at.done, at.total)), Some((0, 2)));
    assert_eq!(progress.last().map(|at| (at.done, at.total)), Some((2, 2)));
    assert_eq!(
        (result.evaluated, result.outcome_changed, result.measures_changed),
        (2, 1, 0)
    );
    let hit = moved(&result, "/eia-approval", "FAST_TRACK", "STANDARD").unwrap();
    assert_eq!((hit.count, &hit.sample), (1, &vec![name(FIRM)]));
    let same = moved(&result, "/eia-approval", "FAST_TRACK", "FAST_TRACK").unwrap();
    assert_eq!((same.count, same.sample.len()), (1, 0));
    let groups: Vec<_> = result
        .groups
        .iter()
        .map(|group| {
            (
                group.grouping(),
                group.group.as_str(),
                group.milder,
                group.severer,
            )
        })
        .collect();
    assert_eq!(
        groups,
        [
            (pb::Grouping::Department, "licensing", 0, 1),
            (pb::Grouping::District, "110115", 0, 1),
            (pb::Grouping::Sector, "C27", 0, 1),
            (pb::Grouping::Star, "4", 0, 1),
        ]
    );
    assert!(!result.token.is_empty() && result.as_of_time.is_some());
    assert_ne!(result.policy_version_before, "");
    // Nothing was changed by it.
    let answer = server.permit(FIRM, "eia-approval", Ask::LATEST).await.unwrap();
    assert_eq!(answer.outcome, "FAST_TRACK");

    // Another department sees how many, and not whom.
    let (_, told) = simulate(&server, "finance", of(stricter())).await.unwrap();
    let hit = moved(&told, "/eia-approval", "FAST_TRACK", "STANDARD").unwrap();
    assert_eq!((hit.count, hit.sample.len()), (1, 0));
    server.stop().await;
}

/// A table may ask for any fact: who is named by it has told the fact.
#[tokio::test]
async fn a_department_is_named_nobody_who_was_not_listed() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    sources.star(FIRM, 4).await;
    let below = RatingFact {
        star: None,
        state: common::RatingState::NotListed.into(),
        points: "68".to_owned(),
        ..sources.fact(OTHER, 1)
    };
    let token = sources.rating.rate(vec![below]).await;
    server
        .permit(FIRM, "eia-approval", Ask::token(&token))
        .await
        .unwrap();
    let five = "    - when: { star: 5,";
    let asking = "    - when: { state: '\"NOT_LISTED\"', points: '>=68' }\n      outcome: FAST_TRACK\n      measures: { fast-track: }\n      \
                  reason: { zh: 试, en: try }\n      basis:\n        - { zh: 国发〔2016〕33号, en: \"Guofa [2016] No. 33\" }\n";
    let source = stricter().replacen(five, &format!("{asking}{five}"), 1);
    for (caller, names) in [("licensing", 0), ("rating", 1)] {
        let (_, result) = simulate(&server, caller, of(source.clone())).await.unwrap();
        let hit = moved(&result, "/eia-approval", "STANDARD", "FAST_TRACK").unwrap();
        assert_eq!((hit.count, hit.sample.len()), (1, names), "{caller}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_baseline_is_tried_on_all_matters_of_all_departments() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    sources.star(FIRM, 4).await;
    let flag = sources.confirmed(FIRM, "serious-penalty", "", 36);
    let token = sources.sanctions.flag(flag).await;
    server
        .permit(FIRM, "eia-approval", Ask::token(&token))
        .await
        .unwrap();
    let stricter = BASELINE.replace("outcome: WATCH", "outcome: BAR");
    let (_, result) = simulate(&server, "rating", of(stricter)).await.unwrap();
    let mut departments: Vec<&str> = result
        .moves
        .iter()
        .filter_map(|moved| moved.matter.split('/').nth(1))
        .collect();
    departments.dedup();
    for department in ["enforcement", "finance", "licensing"] {
        assert!(
            departments.contains(&department),
            "{department} in {departments:?}"
        );
    }
    // What the law does not carry falls again.
    assert_eq!(result.outcome_changed, 0, "{result:?}");
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_tried_is_refused_before_the_first_word() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let refused_with = async |request| refusal(simulate(&server, "licensing", request).await);
    let version = |name: &str| pb::SimulatePolicyRequest {
        candidate: Some(Candidate::Version(name.to_owned())),
        ..Default::default()
    };
    let matter = pb::SimulatePolicyRequest {
        matter: "green-loan".to_owned(),
        ..of(stricter())
    };
    let arguments = pb::SimulatePolicyRequest {
        arguments: [("colour".to_owned(), "green".to_owned())].into(),
        ..of(stricter())
    };
    let draft = pb::SimulatePolicyRequest {
        candidate: Some(Candidate::Draft("drafts/none".to_owned())),
        ..Default::default()
    };
    let bad = LICENSING.replace("outcome: FAST_TRACK", "outcome: GRAND");
    for (request, code, reason) in [
        (
            of("no: policy".to_owned()),
            Code::InvalidArgument,
            "TABLE_MALFORMED",
        ),
        (of(bad), Code::InvalidArgument, "OUTCOME_UNKNOWN"),
        (
            version("policies/licensing-default/versions/99"),
            Code::NotFound,
            "POLICY_VERSION_UNKNOWN",
        ),
        (version("licensing"), Code::InvalidArgument, "NAME_MALFORMED"),
        (draft, Code::NotFound, "DRAFT_UNKNOWN"),
        (matter, Code::NotFound, "MATTER_UNKNOWN"),
        (arguments, Code::InvalidArgument, "ARGUMENT_INVALID"),
        (
            pb::SimulatePolicyRequest::default(),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
    ] {
        assert_eq!(refused_with(request).await, refused(code, reason));
    }
    server.stop().await;
}

#[tokio::test]
async fn recorded_decisions_are_decided_again_each_with_its_own_facts() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let sources = Sources::start().await;
        let server = Server::start(&sources, &scratch).await;
        let token = sources.star(FIRM, 4).await;
        let first = server
            .permit(FIRM, "eia-approval", Ask::token(&token))
            .await
            .unwrap();
        // It has five stars now; what was decided then was decided about four.
        let token = sources.star(FIRM, 5).await;
        server
            .permit(FIRM, "eia-approval", Ask::token(&token))
            .await
            .unwrap();
        server.finance(FIRM, Ask::LATEST).await;
        let request = pb::SimulatePolicyRequest {
            recorded_days: 30,
            ..of(stricter())
        };
        let (progress, result) = simulate(&server, "licensing", request.clone()).await.unwrap();
        assert_eq!(progress.last().map(|at| (at.done, at.total)), Some((3, 3)));
        assert_eq!(
            (result.evaluated, result.outcome_changed, result.skipped),
            (2, 1, 0)
        );
        let hit = moved(&result, "/eia-approval", "FAST_TRACK", "STANDARD").unwrap();
        assert_eq!((hit.count, &hit.sample), (1, &vec![first.decision.clone()]));

        server.stop().await;

        // One that was erased is counted as that.
        let url = scratch.url().parse().unwrap();
        let database = greenstar_store::Database::open(&url, &greenstar_supervision_policy::MIGRATIONS);
        let database = database.await.unwrap();
        let mut tx = database.write().await.unwrap();
        tx.run(
            "UPDATE decision SET salt = NULL, body = NULL WHERE sequence = 1",
            &[],
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        database.close().await;
        drop(database);
        let server = Server::start(&sources, &scratch).await;
        let (_, result) = simulate(&server, "licensing", request).await.unwrap();
        assert_eq!(
            (result.evaluated, result.outcome_changed, result.skipped),
            (1, 0, 1)
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_makes_room_for_the_next() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    sources.star(FIRM, 4).await;
    for _ in 0..20 {
        let said = policies(&server, "licensing")
            .simulate_policy(of(stricter()))
            .await
            .unwrap();
        drop(said);
    }
    let (_, result) = simulate(&server, "licensing", of(stricter())).await.unwrap();
    assert!(result.evaluated <= 1);
    server.stop().await;
}

async fn drafted(server: &Server, source: String) -> pb::Draft {
    let request = pb::CreateDraftRequest {
        content: Some(content(source)),
        ..Default::default()
    };
    let kept = policies(server, "licensing").create_draft(request).await.unwrap();
    kept.into_inner().draft.unwrap()
}

async fn validated(server: &Server, source: String) -> String {
    let draft = drafted(server, source).await;
    let request = pb::ValidateDraftRequest {
        name: draft.name.clone(),
        etag: draft.etag,
        ..Default::default()
    };
    policies(server, "licensing")
        .validate_draft(request)
        .await
        .unwrap();
    draft.name
}

async fn start(server: &Server, caller: &str, draft: &str) -> Result<pb::Shadow, Status> {
    let request = pb::StartShadowRequest {
        draft: draft.to_owned(),
        request_id: "begin".to_owned(),
        ..Default::default()
    };
    let begun = policies(server, caller).start_shadow(request).await?;
    Ok(begun.into_inner().shadow.unwrap())
}

async fn found(server: &Server, draft: &str) -> pb::ListShadowDifferencesResponse {
    let request = pb::ListShadowDifferencesRequest {
        draft: draft.to_owned(),
        ..Default::default()
    };
    let found = policies(server, "licensing")
        .list_shadow_differences(request)
        .await;
    found.unwrap().into_inner()
}

/// Once so many decisions were evaluated.
async fn found_of(server: &Server, draft: &str, evaluated: u64) -> pb::ListShadowDifferencesResponse {
    let reached = async {
        loop {
            let found = found(server, draft).await;
            if found
                .shadow
                .as_ref()
                .is_some_and(|shadow| shadow.evaluated >= evaluated)
            {
                return found;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), reached)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_draft_beside_live_traffic_keeps_what_differs_and_outlives_its_replica() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let sources = Sources::start().await;
        let server = Server::start(&sources, &scratch).await;
        sources.star(FIRM, 4).await;
        let token = sources.star(OTHER, 5).await;
        let draft = validated(&server, stricter()).await;
        let begun = start(&server, "licensing", &draft).await.unwrap();
        assert!(begun.running && begun.end_time != begun.start_time);
        // A repeat begins nothing anew.
        assert_eq!(start(&server, "licensing", &draft).await.unwrap(), begun);

        let given = server
            .permit(FIRM, "eia-approval", Ask::token(&token))
            .await
            .unwrap();
        assert_eq!(given.outcome, "FAST_TRACK", "nobody is answered by it");
        server.permit(OTHER, "eia-approval", Ask::LATEST).await.unwrap();
        // Another department's matter is none of its business.
        server.finance(FIRM, Ask::LATEST).await;
        let told = found_of(&server, &draft, 2).await;
        let expected = pb::ShadowDifference {
            decision: given.decision,
            enterprise: name(FIRM),
            matter: "departments/licensing/matters/eia-approval".to_owned(),
            outcome: "FAST_TRACK".to_owned(),
            shadow_outcome: "STANDARD".to_owned(),
            measures_dropped: vec!["fast-track".to_owned()],
            measures_added: Vec::new(),
            as_of_time: given.as_of,
        };
        assert_eq!(told.differences, [expected]);
        let shadow = told.shadow.unwrap();
        assert_eq!((shadow.evaluated, shadow.different, shadow.dropped), (2, 1, 0));
        server.stop().await;

        // Another life goes on with it.
        let server = Server::start(&sources, &scratch).await;
        assert_eq!(found(&server, &draft).await.differences, told.differences);
        let mut evaluated = 2;
        while found(&server, &draft).await.shadow.unwrap().evaluated == 2 {
            server.permit(FIRM, "eia-approval", Ask::LATEST).await.unwrap();
            evaluated += 1;
        }
        let request = pb::StopShadowRequest {
            draft: draft.clone(),
            ..Default::default()
        };
        let ended = policies(&server, "licensing").stop_shadow(request).await.unwrap();
        assert!(!ended.into_inner().shadow.unwrap().running);
        let told = found(&server, &draft).await;
        assert!(told.differences.len() >= 2 && told.differences.len() < evaluated);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_draft_runs_beside_live_traffic_when_it_is_ones_own_and_validated() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let written = drafted(&server, stricter()).await.name;
    assert_eq!(
        refusal(start(&server, "licensing", &written).await),
        refused(Code::FailedPrecondition, "DRAFT_STATE")
    );
    let draft = validated(&server, stricter()).await;
    assert_eq!(
        refusal(start(&server, "finance", &draft).await),
        refused(Code::NotFound, "DRAFT_UNKNOWN")
    );
    let past = pb::StartShadowRequest {
        draft: draft.clone(),
        end_time: Some(pbjson_types::Timestamp::default()),
        ..Default::default()
    };
    assert_eq!(
        refusal(policies(&server, "licensing").start_shadow(past).await),
        refused(Code::InvalidArgument, "FIELD_INVALID")
    );
    let never = found(&server, &draft).await;
    assert!(never.differences.is_empty() && !never.shadow.unwrap().running);
    // A draft can be tried over everybody before it is validated.
    let request = pb::SimulatePolicyRequest {
        candidate: Some(Candidate::Draft(draft)),
        ..Default::default()
    };
    let (_, result) = simulate(&server, "licensing", request).await.unwrap();
    assert_eq!(result.evaluated, 0);
    server.stop().await;
}
