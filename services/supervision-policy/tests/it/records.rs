//! What was answered can be read again: at once, after a kill, and from the database.

use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::{Clock as _, Timestamp};
use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1::{PolluterClass, Transition};
use greenstar_proto::supervision::v1 as pb;
use greenstar_store::{Database, Value};
use greenstar_supervision_policy::domain::catalogue::Catalogue;
use greenstar_supervision_policy::domain::caution::decide_cautiously;
use greenstar_supervision_policy::domain::decide::decide;
use greenstar_supervision_policy::domain::facts::Facts;
use greenstar_supervision_policy::domain::policy::Policy;
use greenstar_supervision_policy::domain::shipped;
use greenstar_supervision_policy::{MIGRATIONS, RecordMode, RecordSettings};
use greenstar_testkit::{Logs, Scratch};
use tonic::Code;

use crate::server::{Ask, FIRM, OTHER, Server, Sources, refusal, refused, to_wire};

#[tokio::test]
async fn a_decision_is_recorded_with_all_it_was_computed_from_before_it_is_told() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    let server = Server::start(&sources, &scratch).await;
    let flag = sources.confirmed(FIRM, "serious-penalty", "", 36);
    let token = sources.sanctions.flag(flag.clone()).await;
    let permit = server
        .permit(FIRM, "eia-approval", Ask::token(&token))
        .await
        .unwrap();
    let recorded = server.recorded("licensing", &permit.decision).await.unwrap();
    assert_eq!(recorded.name, permit.decision);
    assert_eq!(recorded.enterprise, format!("enterprises/{FIRM}"));
    assert_eq!(recorded.matter, "departments/licensing/matters/eia-approval");
    assert_eq!(
        (recorded.department.as_str(), recorded.officer.as_str()),
        ("licensing", "licensing")
    );
    assert_eq!(recorded.request_id, "case-7");
    assert_eq!(
        (&recorded.outcome, &recorded.reasons, &recorded.measures),
        (&permit.outcome, &permit.reasons, &permit.measures)
    );
    assert_eq!(
        (recorded.as_of_time, &recorded.token),
        (permit.as_of, &permit.token)
    );
    let versions = recorded.versions.unwrap();
    assert!(versions.table.starts_with("licensing-default@"), "{versions:?}");
    assert!(!versions.baseline.is_empty() && !versions.evaluator.is_empty());
    assert_eq!(
        (
            versions.catalogue.as_str(),
            versions.scheme.as_str(),
            versions.rating
        ),
        ("2026-1", "schemes/daxing/versions/1", 3)
    );
    let facts: serde_json::Value = serde_json::from_str(&recorded.facts).unwrap();
    assert_eq!(facts["flags"][0]["name"], flag.name);
    assert_eq!(facts["rating"]["total"], "91.5");

    let again = server
        .permit(FIRM, "eia-approval", Ask::token(&token))
        .await
        .unwrap();
    assert_ne!(
        again.decision, permit.decision,
        "every call is a decision of its own"
    );
    assert!(again.as_of.unwrap().seconds >= permit.as_of.unwrap().seconds);
    server.stop().await;
}

#[tokio::test]
async fn a_department_sees_its_own_decisions_only() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let name = server.finance(FIRM, Ask::LATEST).await.decision;
    assert!(server.recorded("finance", &name).await.is_ok());
    let unknown = refused(Code::NotFound, "DECISION_UNKNOWN");
    let logs = Logs::keep();
    assert_eq!(refusal(server.recorded("licensing", &name).await), unknown);
    let logged = [
        "call refused",
        r#"principal="licensing""#,
        r#"reason="MATTER_NOT_YOURS""#,
        r#"code="NOT_FOUND""#,
    ];
    assert_eq!(logs.lines(&logged).len(), 1, "it is hidden, and logged");
    let (writer, _) = name.rsplit_once('-').unwrap();
    for other in [
        format!("{writer}-2"),
        format!("{writer}-0"),
        "decisions/none".to_owned(),
        "decisions/0198f7d0000070008000000000000000-1".to_owned(),
    ] {
        assert_eq!(
            refusal(server.recorded("finance", &other).await),
            unknown,
            "{other}"
        );
    }
    assert_eq!(
        refusal(server.recorded("finance", "green-loan").await),
        refused(Code::InvalidArgument, "NAME_MALFORMED")
    );
    server.stop().await;
}

#[tokio::test]
async fn what_will_change_a_star_is_shown_without_the_event_behind_it() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let mut fact = sources.fact(FIRM, 4);
    fact.next_transition = Some(Transition {
        time: Some(to_wire(sources.clock.now().plus(Duration::from_secs(86_400)))),
        star: Some(5),
        state: common::RatingState::Rated.into(),
        points: "95".to_owned(),
        categories: Vec::new(),
        cause: Some(common::LocalizedText {
            zh: "信访投诉查实（轻微）的计分期届满".to_owned(),
            en: "the window of a verified complaint ends".to_owned(),
        }),
    });
    let token = sources.rating.rate(vec![fact]).await;
    let server = Server::start(&sources, &scratch).await;
    let name = server.finance(FIRM, Ask::token(&token)).await.decision;
    let record = server.recorded("finance", &name).await.unwrap();
    assert!(
        !record.facts.contains("complaint") && !record.facts.contains("投诉"),
        "{}",
        record.facts
    );
    let facts: serde_json::Value = serde_json::from_str(&record.facts).unwrap();
    let next = &facts["rating"]["next"];
    assert_eq!(next["standing"]["RATED"], 5);
    assert_eq!(next["cause"]["en"], "the rating changes by time");
    // They are facts still: the answer follows from them.
    assert_eq!(replayed(&record).0, record.outcome);
    server.stop().await;
}

#[tokio::test]
async fn p3_recorded_decisions_survive_a_kill_and_reach_the_database() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let sources = Sources::start().await;
        let server = Server::start(&sources, &scratch).await;
        let asked =
            futures::future::join_all((0..60).map(|_| server.permit(FIRM, "eia-approval", Ask::LATEST)))
                .await;
        let names: Vec<String> = asked.into_iter().map(|answer| answer.unwrap().decision).collect();
        // What a kill would leave of the folder at this moment, shipped or not.
        let killed = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(scratch.dir().join("records")).unwrap() {
            let from = entry.unwrap().path();
            // A segment that was just shipped may go away meanwhile: then the database has it.
            let _ = std::fs::copy(&from, killed.path().join(from.file_name().unwrap()));
        }
        server.stop().await;
        let server = Server::start_with(&sources, &scratch, RecordSettings::in_folder(killed.path())).await;
        server.supervision.caught_up().await;
        for name in &names {
            assert_eq!(&server.recorded("licensing", name).await.unwrap().name, name);
        }
        server.stop().await;

        let database = Database::open(&scratch.url().parse().unwrap(), &MIGRATIONS)
            .await
            .unwrap();
        let mut tx = database.read().await.unwrap();
        for name in &names {
            let (writer, sequence) = name.strip_prefix("decisions/").unwrap().split_once('-').unwrap();
            let key = [Value::from(writer), sequence.parse::<i64>().unwrap().into()];
            let row = tx
                .row(
                    "SELECT department, leaf FROM decision WHERE writer = $1 AND sequence = $2",
                    &key,
                )
                .await
                .unwrap()
                .unwrap();
            assert_eq!(row.get::<String>("department").unwrap(), "licensing");
            assert_eq!(row.get::<Vec<u8>>("leaf").unwrap().len(), 32);
        }
        // Another folder knows nothing of them; the database does, and that there are no more of that life.
        drop(tx);
        database.close().await;
        drop(database);
        let server = Server::start_with(
            &sources,
            &scratch,
            RecordSettings::in_folder(scratch.dir().join("new")),
        )
        .await;
        server.supervision.caught_up().await;
        assert!(server.recorded("licensing", &names[0]).await.is_ok());
        let (writer, _) = names[0].rsplit_once('-').unwrap();
        let none = server.recorded("licensing", &format!("{writer}-61")).await;
        assert_eq!(refusal(none), refused(Code::NotFound, "DECISION_UNKNOWN"));
        server.stop().await;
    }
}

#[tokio::test]
async fn without_a_record_there_is_no_answer_and_it_comes_back_by_itself() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let (folder, moved) = (scratch.dir().join("records"), scratch.dir().join("moved"));
    std::fs::rename(&folder, &moved).unwrap();
    let answer = server.permit(FIRM, "eia-approval", Ask::LATEST).await;
    assert_eq!(refusal(answer), refused(Code::Unavailable, "RECORD_UNAVAILABLE"));
    std::fs::rename(&moved, &folder).unwrap();
    let before = sources.clock.now();
    let permit = server.permit(FIRM, "eia-approval", Ask::LATEST).await.unwrap();
    assert!(permit.as_of.unwrap().seconds >= before.micros() / 1_000_000);
    assert!(server.recorded("licensing", &permit.decision).await.is_ok());
    server.stop().await;
}

#[tokio::test]
async fn where_the_database_has_to_have_it_nothing_is_answered_before_it_does() {
    let (sources, scratch) = (Sources::start().await, Scratch::postgres().await);
    let record = RecordSettings {
        mode: Some(RecordMode::Store),
        ..RecordSettings::in_folder(scratch.dir().join("records"))
    };
    let server = Server::start_with(&sources, &scratch, record).await;
    server.supervision.caught_up().await;
    let database = Database::migrate(&scratch.url().parse().unwrap(), &MIGRATIONS)
        .await
        .unwrap();
    for round in 1..=5 {
        server.permit(FIRM, "eia-approval", Ask::LATEST).await.unwrap();
        let mut tx = database.read().await.unwrap();
        let rows = tx.rows("SELECT sequence FROM decision", &[]).await.unwrap();
        assert_eq!(rows.len(), round);
    }
    let mut tx = database.write().await.unwrap();
    tx.run("ALTER TABLE decision RENAME TO elsewhere", &[])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let answer = server.permit(FIRM, "eia-approval", Ask::LATEST).await;
    assert_eq!(refusal(answer), refused(Code::Unavailable, "RECORD_UNAVAILABLE"));
    let mut tx = database.write().await.unwrap();
    tx.run("ALTER TABLE elsewhere RENAME TO decision", &[])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    server.permit(FIRM, "eia-approval", Ask::LATEST).await.unwrap();
    database.close().await;
    server.stop().await;
}

#[tokio::test]
async fn of_a_sampled_matter_every_nth_decision_is_kept_and_the_others_name_none() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let record = RecordSettings {
        mode: Some(RecordMode::Sampled),
        sample_every: 3,
        ..RecordSettings::in_folder(scratch.dir().join("records"))
    };
    let server = Server::start_with(&sources, &scratch, record).await;
    server.supervision.caught_up().await;
    let mut kept = Vec::new();
    for _ in 0..9 {
        let permit = server.permit(FIRM, "eia-approval", Ask::LATEST).await.unwrap();
        assert_eq!(permit.outcome, "STANDARD");
        kept.extend(Some(permit.decision).filter(|name| !name.is_empty()));
    }
    assert_eq!(kept.len(), 3);
    server.stop().await;
    let server = Server::start(&sources, &scratch).await;
    for name in kept {
        assert!(server.recorded("licensing", &name).await.is_ok(), "{name}");
    }
    server.stop().await;
}

/// The answer that a record's own facts, matter, instant and handling give, by the policies that it names.
fn replayed(record: &pb::Decision) -> (String, Vec<(String, Option<String>)>) {
    let catalogue = include_str!("../../../sanctions/data/catalogue.yaml")
        .lines()
        .map(|line| match line.strip_prefix("edition:") {
            Some(_) => format!("edition: {}\n", record.versions.as_ref().unwrap().catalogue),
            None => format!("{line}\n"),
        });
    let catalogue = Catalogue::from_yaml(&catalogue.collect::<String>()).unwrap();
    let policy = Policy::load(&shipped::documents(), Arc::new(catalogue)).unwrap();
    let facts: Facts = serde_json::from_str(&record.facts).unwrap();
    let (unrated, at) = (facts.unrated(), record.as_of_time.unwrap());
    let as_of = Timestamp::from_micros(at.seconds * 1_000_000 + i64::from(at.nanos / 1_000));
    let (_, name) = record.matter.split_once('/').unwrap();
    let (department, matter) = name.split_once("/matters/").unwrap();
    let matter = policy.matter(department, matter).unwrap();
    let given = record.arguments.iter();
    let arguments = matter
        .parse_arguments(given.map(|(name, value)| (name.as_str(), value.as_str())))
        .unwrap();
    let decision = match record.handling() {
        pb::Handling::Unspecified => panic!("not recorded"),
        pb::Handling::Fresh | pb::Handling::Caveat => decide(&policy, matter, &facts, &arguments, as_of),
        pb::Handling::ManualReview => decide_cautiously(&policy, matter, &facts, &unrated, &arguments, as_of),
    }
    .unwrap();
    let measures = decision.measures.iter().map(|measure| {
        let value = measure.value.map(|value| value.to_string());
        (measure.entry.code.to_string(), value)
    });
    (decision.outcome.code.to_string(), measures.collect())
}

#[tokio::test]
async fn p7_a_stored_record_replays_to_its_answer_also_where_nobody_decided() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let mut key = sources.fact(FIRM, 3);
    key.polluter_class = PolluterClass::Key.into();
    sources.rating.rate(vec![key]).await;
    sources.star(OTHER, 5).await;
    let flag = sources.confirmed(OTHER, "serious-penalty", "eia-approval", 36);
    let token = sources.sanctions.flag(flag).await;
    let server = Server::start(&sources, &scratch).await;
    let mut seen = Vec::new();
    for stale in [false, true] {
        if stale {
            sources.rating_proxy.delay(Duration::from_secs(3_600));
            sources.clock.advance(Duration::from_secs(10));
        }
        for firm in [FIRM, OTHER] {
            let permit = server
                .permit(firm, "eia-approval", Ask::token(&token))
                .await
                .unwrap();
            let inspection = server.inspection(firm, Ask::token(&token)).await;
            for (department, name, age) in [
                ("licensing", permit.decision, permit.data_age),
                ("enforcement", inspection.decision, inspection.data_age),
            ] {
                let record = server.recorded(department, &name).await.unwrap();
                assert_eq!((record.data_age, record.policies_unfit), (age, false));
                assert_eq!(record.max_staleness.unwrap().seconds, 5);
                let handling = if stale {
                    pb::Handling::ManualReview
                } else {
                    pb::Handling::Fresh
                };
                assert_eq!(record.handling(), handling);
                let told = record.measures.iter().map(|measure| {
                    let value = measure.parameters.values().next().cloned();
                    (measure.code.clone(), value)
                });
                let answer = (record.outcome.clone(), told.collect());
                assert_eq!(replayed(&record), answer, "{name}");
                seen.push(answer.0);
            }
        }
    }
    assert_eq!(
        seen,
        [
            "STANDARD",
            "STANDARD",
            "STRICT_REVIEW",
            "EXEMPT",
            "STANDARD",
            "STANDARD",
            "STRICT_REVIEW",
            "STANDARD"
        ]
    );
    server.stop().await;
}
