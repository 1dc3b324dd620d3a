//! P3: what was acknowledged survives kill -9, recorded decisions included.

use std::path::PathBuf;

use greenstar_proto::common::v1::Document;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::sanctions::v1::{GetFlagRequest, RaiseFlagRequest};
use greenstar_proto::supervision::v1::decision_service_client::DecisionServiceClient;
use greenstar_proto::supervision::v1::licensing_service_client::LicensingServiceClient;
use greenstar_proto::supervision::v1::{CheckPermitRequest, GetDecisionRequest};
use greenstar_rpc::{channel, with_credential};
use greenstar_standalone::Places;
use tokio::sync::mpsc;

use crate::process::Process;
use crate::program::ten_days_ago;

#[test]
fn nothing_acknowledged_is_missing_after_kill_nine() {
    let folder = tempfile::tempdir().unwrap();
    let mut suite = Process::start(folder.path());
    let firm = {
        let directory = suite.ask(&["directory", "--star", "5"]);
        directory["entries"][0]["enterprise"]
            .as_str()
            .unwrap()
            .replace("enterprises/", "")
    };
    let mut decisions = Vec::new();
    for turn in 0..4 {
        let number = format!("京兴环罚〔2026〕{turn}号");
        let raised = suite.ask(&[
            "flag",
            "raise",
            &firm,
            "--kind",
            "serious-penalty",
            "--document",
            &number,
            "--date",
            &ten_days_ago(),
        ]);
        let flag = raised["flag"]["name"].as_str().unwrap().to_owned();
        suite.kill();

        suite = Process::start(folder.path());
        let confirmed = suite.ask(&["flag", "confirm", &flag]);
        let token = confirmed["token"].as_str().unwrap().to_owned();
        suite.kill();

        suite = Process::start(folder.path());
        let permit = suite.ask(&["check", "permit", &firm, "--token", &token]);
        assert_eq!(
            permit["outcome"], "STRICT_REVIEW",
            "the confirmed flag is missing: {permit}"
        );
        decisions.push((permit["decision"].as_str().unwrap().to_owned(), permit));
        suite.kill();

        suite = Process::start(folder.path());
        for (name, permit) in &decisions {
            let kept = decision(&suite, name);
            assert_eq!(kept["outcome"], permit["outcome"]);
            assert_eq!(kept["asOfTime"], permit["asOf"]);
        }
        let lifted = suite.ask(&["flag", "lift", &flag, "--reason", "turn ends"]);
        let token = lifted["token"].as_str().unwrap().to_owned();
        let permit = suite.ask(&["check", "permit", &firm, "--token", &token]);
        assert_eq!(permit["outcome"], "FAST_TRACK");
        decisions.push((permit["decision"].as_str().unwrap().to_owned(), permit));
    }
}

fn decision(suite: &Process, name: &str) -> serde_json::Value {
    suite.ask(&["decision", name])["decision"].clone()
}

/// What the suite has acknowledged to somebody.
#[derive(Debug)]
enum Acknowledged {
    Flag(String),
    Decision(String),
}

/// Raises flags and asks for permits until the suite is gone; tells what was acknowledged.
async fn work(
    url: String,
    folder: PathBuf,
    worker: usize,
    turn: usize,
    told: mpsc::UnboundedSender<Acknowledged>,
) {
    let client = |name: &str| {
        let secret = Places::new(&folder).secret(name).unwrap();
        with_credential(channel(&url).unwrap(), &secret).unwrap()
    };
    let mut flags = FlagServiceClient::new(client("enforcement"));
    let mut permits = LicensingServiceClient::new(client("licensing"));
    for number in 0.. {
        let raise = RaiseFlagRequest {
            parent: "enterprises/91110115MAX000015J".to_owned(),
            kind: "ordinary-penalty".to_owned(),
            document: Some(Document {
                issuer: "北京市大兴区生态环境局".to_owned(),
                number: format!("{turn}-{worker}-{number}"),
                date: ten_days_ago(),
            }),
            ..Default::default()
        };
        let Ok(raised) = flags.raise_flag(raise).await else {
            return;
        };
        let name = raised.into_inner().flag.unwrap().name;
        if told.send(Acknowledged::Flag(name)).is_err() {
            return;
        }
        let check = CheckPermitRequest {
            enterprise: "enterprises/91110115MAX000015J".to_owned(),
            permit_kind: "pollutant-permit".to_owned(),
            ..Default::default()
        };
        let Ok(checked) = permits.check_permit(check).await else {
            return;
        };
        if told
            .send(Acknowledged::Decision(checked.into_inner().decision))
            .is_err()
        {
            return;
        }
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_missing_after_kill_nine_in_the_middle_of_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for (turn, enough) in [7, 60, 200].into_iter().enumerate() {
        let suite = Process::start(folder.path());
        let (told, mut acknowledged) = mpsc::unbounded_channel();
        for worker in 0..6 {
            tokio::spawn(work(
                suite.url.clone(),
                folder.path().to_owned(),
                worker,
                turn,
                told.clone(),
            ));
        }
        drop(told);
        for _ in 0..enough {
            all.push(acknowledged.recv().await.unwrap());
        }
        suite.kill();
        // Whatever was on its way to somebody counts as well.
        while let Some(late) = acknowledged.recv().await {
            all.push(late);
        }
    }

    let suite = Process::start(folder.path());
    let client = |name: &str| {
        let secret = Places::new(folder.path()).secret(name).unwrap();
        with_credential(channel(&suite.url).unwrap(), &secret).unwrap()
    };
    let mut flags = FlagServiceClient::new(client("enforcement"));
    let mut decisions = DecisionServiceClient::new(client("licensing"));
    for one in all {
        match one {
            Acknowledged::Flag(name) => {
                let found = flags.get_flag(GetFlagRequest { name: name.clone() }).await;
                assert_eq!(found.unwrap().into_inner().flag.unwrap().name, name);
            }
            Acknowledged::Decision(name) => {
                let found = decisions
                    .get_decision(GetDecisionRequest { name: name.clone() })
                    .await;
                assert_eq!(found.unwrap().into_inner().decision.unwrap().name, name);
            }
        }
    }
}
