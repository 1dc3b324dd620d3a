//! Versions while everybody decides, at one replica and at several.

use std::time::Duration;

use greenstar_proto::supervision::v1 as pb;
use greenstar_supervision_policy::RecordSettings;
use greenstar_testkit::Scratch;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{LICENSING, after, answered_by, approved, decided, finance_version, officer, stricter};
use crate::server::{Ask, FIRM, Server, Sources};

const VERSIONS: u32 = 5;
const STEP: Duration = Duration::from_secs(10);

fn text(version: u32) -> String {
    format!("文本{version}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_mixes_two_versions_while_versions_take_effect() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 4).await;
    let server = Server::start(&sources, &scratch).await;
    let finance = officer(&server, "finance");
    let done = CancellationToken::new();
    let hammering = async || {
        let mut answers = 0;
        while !done.is_cancelled() {
            let answer = server.finance(FIRM, Ask::full()).await;
            if answer.manual_review {
                // The clock was moved under it.
                continue;
            }
            let version = finance_version(&answer.policy_version);
            let (outcome, reason) = match version {
                1 => ("ELIGIBLE", "四星企业，符合绿色信贷支持条件".to_owned()),
                version => ("STANDARD", text(version)),
            };
            let said: Vec<&str> = answer
                .reasons
                .iter()
                .filter_map(|reason| Some(reason.text.as_ref()?.zh.as_str()))
                .collect();
            assert!(
                answer.outcome == outcome && said.iter().any(|text| text.starts_with(&reason)),
                "{answer:?}"
            );
            answers += 1;
        }
        answers
    };
    let publishing = async {
        for version in 2..=VERSIONS {
            let ready = approved(&server, "finance", &stricter(&text(version))).await;
            let published = finance
                .publish(&ready, Some(after(&sources, STEP)))
                .await
                .unwrap();
            assert_eq!(answered_by(&server, &published.token).await, version - 1);
            sources.clock.advance(STEP);
            assert_eq!(decided(&server, Ask::full()).await.1, version);
        }
        done.cancel();
    };
    let ((), one, two, three) = tokio::join!(publishing, hammering(), hammering(), hammering());
    assert!(one + two + three >= VERSIONS, "{one}, {two} and {three} answers");
    server.stop().await;
}

async fn replica(sources: &Sources, scratch: &Scratch, name: &str) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let record = RecordSettings::in_folder(scratch.dir().join(name).join("records"));
    let name = format!("supervision-policy/{name}");
    let server = Server::start_as(&name, listener, sources, scratch, record).await;
    server.supervision.caught_up().await;
    server
}

/// Asks until `wanted` holds.
async fn replicas(
    server: &Server,
    wanted: impl Fn(&pb::ListPolicyReplicasResponse) -> bool,
) -> pb::ListPolicyReplicasResponse {
    let asking = async {
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        loop {
            pause.tick().await;
            let request = pb::ListPolicyReplicasRequest {};
            let answer = server.policies_of("operator").list_policy_replicas(request).await;
            let answer = answer.unwrap().into_inner();
            if wanted(&answer) {
                return answer;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asking)
        .await
        .unwrap()
}

#[tokio::test]
async fn all_replicas_converge_on_a_version_and_say_so() {
    let (sources, scratch) = (Sources::start().await, Scratch::postgres().await);
    sources.star(FIRM, 4).await;
    let one = replica(&sources, &scratch, "1").await;
    let two = replica(&sources, &scratch, "2").await;
    let draft = officer(&one, "finance").write(&stricter("改")).await.unwrap();
    // Each step at another replica.
    let draft = officer(&two, "finance").validate(&draft).await.unwrap();
    let draft = officer(&one, "finance/2").approve(&draft).await.unwrap();
    let instant = after(&sources, STEP);
    let published = officer(&two, "finance")
        .publish(&draft, Some(instant))
        .await
        .unwrap();
    for server in [&one, &two] {
        assert_eq!(answered_by(server, &published.token).await, 1);
    }
    sources.clock.advance(STEP);
    for server in [&one, &two] {
        assert_eq!(decided(server, Ask::full()).await, ("STANDARD".to_owned(), 2));
    }
    let all = replicas(&one, |answer| {
        let agree = |replica: &pb::PolicyReplica| {
            replica.converged && replica.fit && finance_version(&replica.policy_version) == 2
        };
        answer.replicas.len() == 2 && answer.replicas.iter().all(agree)
    });
    let all = all.await;
    let names: Vec<&str> = all.replicas.iter().map(|replica| replica.name.as_str()).collect();
    assert_eq!(names, ["supervision-policy/1", "supervision-policy/2"]);
    assert!(
        all.replicas
            .iter()
            .all(|replica| replica.applied_revision == all.head_revision)
    );

    // One that stops is no longer among them.
    two.stop().await;
    replicas(&one, |answer| answer.replicas.len() == 1).await;
    one.stop().await;
}

#[tokio::test]
async fn two_departments_that_publish_at_once_are_both_checked_against_what_stands() {
    let (sources, scratch) = (Sources::start().await, Scratch::postgres().await);
    let one = replica(&sources, &scratch, "1").await;
    let two = replica(&sources, &scratch, "2").await;
    let finance = approved(&one, "finance", &stricter("改")).await;
    let licensing = approved(&two, "licensing", LICENSING).await;
    let (by_finance, by_licensing) = (officer(&one, "finance"), officer(&two, "licensing"));
    let both = tokio::join!(
        by_finance.publish(&finance, None),
        by_licensing.publish(&licensing, None)
    );
    let (finance, licensing) = (both.0.unwrap(), both.1.unwrap());
    assert_eq!(
        finance.version.unwrap().name,
        "policies/finance-default/versions/2"
    );
    assert_eq!(
        licensing.version.unwrap().name,
        "policies/licensing-default/versions/2"
    );
    sources.clock.advance(STEP);
    for server in [&one, &two] {
        let version = server.finance(FIRM, Ask::full()).await.policy_version;
        assert!(
            version.contains("finance-default@2") && version.contains("licensing-default@2"),
            "{version}"
        );
    }
    one.stop().await;
    two.stop().await;
}
