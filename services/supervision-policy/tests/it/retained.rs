//! What is recorded, what is not, and what is no longer.

use std::path::Path;
use std::time::Duration;

use greenstar_proto::supervision::v1 as pb;
use greenstar_supervision_policy::{RecordMode, RecordSettings};
use greenstar_testkit::Scratch;
use tokio::time::timeout;
use tonic::Code;

use crate::retold::{LICENSING, dossier, list, of, publish, replay, run};
use crate::server::{Ask, FIRM, Server, Sources, refusal, refused};

const DAY: Duration = Duration::from_secs(86_400);

fn settings(scratch: &Scratch) -> RecordSettings {
    RecordSettings {
        retain_every: Duration::from_millis(20),
        ..RecordSettings::in_folder(scratch.dir().join("records"))
    }
}

async fn writers(server: &Server) -> Vec<pb::RecordWriter> {
    let request = pb::ListRecordWritersRequest {};
    let answer = server.decisions("licensing").list_record_writers(request).await;
    answer.unwrap().into_inner().writers
}

/// Whether any file of the folder holds these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    let files = std::fs::read_dir(folder).unwrap();
    files.into_iter().any(|entry| {
        // What goes away meanwhile holds nothing.
        let file = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        file.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[tokio::test]
async fn a_record_that_has_outlived_its_retention_is_erased_and_the_chain_stays_whole() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let sources = Sources::start().await;
        let server = Server::start(&sources, &scratch).await;
        server.stop().await;
        let source = LICENSING.replace("record: durable", "record: durable\nretention_days: 30");
        publish(&sources, &scratch, 2, source).await;
        let token = sources.star(FIRM, 5).await;
        let server = Server::start_with(&sources, &scratch, settings(&scratch)).await;
        server.supervision.caught_up().await;
        let old = server
            .permit(FIRM, "eia-approval", Ask::token(&token))
            .await
            .unwrap()
            .decision;
        let kept = server.finance(FIRM, Ask::token(&token)).await.decision;
        // To the end of the thirtieth day, and from then on no more.
        sources.clock.advance(DAY * 30);
        let newer = server
            .permit(FIRM, "eia-approval", Ask::full())
            .await
            .unwrap()
            .decision;
        assert!(dossier(&server, "licensing", &old).await.is_ok());
        sources.clock.advance(DAY);
        let erased = refused(Code::FailedPrecondition, "RECORD_ERASED");
        let gone = async { while dossier(&server, "licensing", &old).await.is_ok() {} };
        timeout(Duration::from_secs(30), gone).await.unwrap();
        assert_eq!(refusal(dossier(&server, "licensing", &old).await), erased);
        assert_eq!(refusal(replay(&server, "licensing", &old).await), erased);
        assert_eq!(refusal(server.recorded("licensing", &old).await), erased);
        let unknown = refused(Code::NotFound, "DECISION_UNKNOWN");
        assert_eq!(refusal(server.recorded("finance", &old).await), unknown);
        assert_eq!(refusal(dossier(&server, "finance", &old).await), unknown);
        for (department, name) in [("finance", &kept), ("licensing", &newer)] {
            assert!(replay(&server, department, name).await.unwrap().intact, "{name}");
        }
        let listed = list(&server, "licensing", of("departments/licensing"))
            .await
            .unwrap();
        let told = listed.decisions.iter();
        let told: Vec<_> = told
            .map(|decision| (&decision.name, decision.erased, decision.outcome.as_str()))
            .collect();
        assert_eq!(told, [(&newer, false, "FAST_TRACK"), (&old, true, "")]);
        let rows = writers(&server).await;
        let writer = rows.last().unwrap();
        assert_eq!((writer.erased, writer.missing, writer.shipped_through), (1, 0, 3));

        let folder = scratch.dir().join("records");
        let emptied = async {
            while holds(&folder, b"eia-approval") && !newer.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(30), emptied).await.unwrap();
        server.stop().await;
    }
}

#[tokio::test]
async fn what_is_not_recorded_is_counted_and_what_is_missing_is_found() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let sources = Sources::start().await;
        let record = RecordSettings {
            mode: Some(RecordMode::Sampled),
            sample_every: 4,
            ..settings(&scratch)
        };
        let server = Server::start_with(&sources, &scratch, record).await;
        server.supervision.caught_up().await;
        for _ in 0..10 {
            server.permit(FIRM, "eia-approval", Ask::LATEST).await.unwrap();
        }
        let rows = writers(&server).await;
        let [writer] = rows.as_slice() else {
            panic!("{rows:?}")
        };
        assert!(!writer.ended);
        assert_eq!((writer.not_kept, writer.missing, writer.skipped), (7, 0, 0));
        server.stop().await;
        // Lost, as by a hand in the database.
        run(&scratch, "DELETE FROM decision WHERE sequence = 2", &[]).await;
        let server = Server::start(&sources, &scratch).await;
        let rows = writers(&server).await;
        let before = rows.first().unwrap();
        assert_eq!(
            (
                before.ended,
                before.shipped_through,
                before.not_kept,
                before.missing
            ),
            (true, 3, 7, 1)
        );
        assert_eq!(rows.len(), 2);
        server.stop().await;
    }
}

#[tokio::test]
async fn sequences_of_a_failed_write_are_explained_and_not_missing() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start_with(&sources, &scratch, settings(&scratch)).await;
    server.supervision.caught_up().await;
    let first = server
        .permit(FIRM, "eia-approval", Ask::LATEST)
        .await
        .unwrap()
        .decision;
    let (folder, moved) = (scratch.dir().join("records"), scratch.dir().join("moved"));
    let fails = async {
        // Until the segment in use was closed and the next one cannot be made.
        loop {
            std::fs::rename(&folder, &moved).unwrap();
            let answer = server.permit(FIRM, "eia-approval", Ask::LATEST).await;
            std::fs::rename(&moved, &folder).unwrap();
            if let Err(status) = answer {
                break refusal(Err::<(), _>(status));
            }
        }
    };
    let refusal = timeout(Duration::from_secs(30), fails).await.unwrap();
    assert_eq!(refusal, refused(Code::Unavailable, "RECORD_UNAVAILABLE"));
    let last = server
        .permit(FIRM, "eia-approval", Ask::LATEST)
        .await
        .unwrap()
        .decision;
    for name in [first, last] {
        assert!(
            replay(&server, "licensing", &name).await.unwrap().intact,
            "{name}"
        );
    }
    let rows = writers(&server).await;
    let writer = rows.first().unwrap();
    assert_eq!((writer.missing, writer.skipped), (0, 1));
    server.stop().await;
}

const APPLICANT: &str = "arguments:\n  - { name: applicant, title: { zh: 申请人, en: Applicant }, masked: true, kind: { type: integer, min: 0, max: 99999999999 } }\ntable:";

#[tokio::test]
async fn an_argument_that_no_table_reads_may_be_masked_and_leaves_no_trace() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let sources = Sources::start().await;
        let server = Server::start(&sources, &scratch).await;
        let masked = LICENSING.replace("\ntable:", &format!("\n{APPLICANT}"));
        let validate = async |source: String| {
            let request = pb::ValidatePolicyRequest {
                source,
                ..Default::default()
            };
            server.policies().validate_policy(request).await
        };
        assert!(validate(masked.clone()).await.is_ok());
        let tested = masked.replacen("when: { star: 5,", "when: { applicant: 5, star: 5,", 1);
        let status = validate(tested).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(format!("{status:?}").contains("is masked"), "{status:?}");
        server.stop().await;

        publish(&sources, &scratch, 2, masked).await;
        let token = sources.star(FIRM, 5).await;
        let server = Server::start(&sources, &scratch).await;
        let ask = async |arguments: &[(&str, &str)]| {
            let pairs = arguments
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let request = pb::DecideRequest {
                enterprise: format!("enterprises/{FIRM}"),
                matter: "departments/licensing/matters/eia-approval".to_owned(),
                arguments: pairs.collect(),
                consistency: Ask::token(&token).0,
                ..Default::default()
            };
            server.decisions("licensing").decide(request).await
        };
        let invalid = refused(Code::InvalidArgument, "ARGUMENT_INVALID");
        assert_eq!(refusal(ask(&[("applicant", "nobody")]).await), invalid);
        let answer = ask(&[("applicant", "13800001111")]).await.unwrap().into_inner();
        let record = server.recorded("licensing", &answer.decision).await.unwrap();
        assert_eq!(record.arguments.get("applicant").map(String::as_str), Some("***"));
        assert!(!holds(&scratch.dir().join("records"), b"13800001111"));
        let replay = replay(&server, "licensing", &answer.decision).await.unwrap();
        assert!(replay.same && replay.intact);
        server.stop().await;
    }
}
