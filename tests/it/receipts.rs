//! What was signed is verified with nobody's code but other people's.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use greenstar_standalone::{Sample, Settings};
use hyper::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::door::Door;

/// The statement, if Python's libraries say that it holds.
async fn verified(keys: &Value, receipt: &Value) -> Option<Value> {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("python/verify_receipt.py");
    let mut python = tokio::process::Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 runs (see tests/run)");
    let given = json!({"keys": keys, "receipt": receipt}).to_string();
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(given.as_bytes()).await.unwrap();
    drop(stdin);
    let said = python.wait_with_output().await.unwrap();
    said.status
        .success()
        .then(|| serde_json::from_slice(&said.stdout).unwrap())
}

#[tokio::test]
async fn receipts_of_decisions_and_screenings_hold_for_a_foreign_verifier_and_after_a_rotation() {
    let door = Door::open().await;
    let firm = format!("enterprises/{}", door.listed(5).await[0]);
    let ask = json!({"permitKind": "pollutant-permit"});
    let permit = door
        .post("licensing", &format!("/v1/{firm}:checkPermit"), ask)
        .await;
    let decision = permit["decision"].as_str().unwrap();
    let issued = door
        .post("licensing", &format!("/v1/{decision}:issueReceipt"), json!({}))
        .await;
    let screened = door
        .post("finance", &format!("/v1/{firm}:screen"), json!({}))
        .await;
    assert_eq!(screened["flags"], json!([]));

    // Whoever kept a receipt can have it verified after the key was retired.
    let before = door.get("finance", "/v1/keys").await;
    let new = door
        .post("operator", "/v1/keys:rotate", json!({"requestId": "r1"}))
        .await;
    let again = door
        .post("operator", "/v1/keys:rotate", json!({"requestId": "r1"}))
        .await;
    assert_eq!(new, again);
    let keys = door.get("finance", "/v1/keys").await;
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    assert_eq!(keys["keys"][0]["kid"], new["key"]["kid"]);
    assert_eq!(keys["keys"][1]["kid"], before["keys"][0]["kid"]);
    assert_ne!(keys["keys"][1]["retired_at"], json!(""));

    let statement = verified(&keys, &issued["receipt"]).await.unwrap();
    assert_eq!(statement["typ"], "greenstar.decision/1");
    assert_eq!(statement["decision"], decision);
    assert_eq!(statement["outcome"], "FAST_TRACK");
    let statement = verified(&keys, &screened["receipt"]).await.unwrap();
    assert_eq!(statement["typ"], "greenstar.screening/1");
    assert_eq!(statement["found"], false);
    assert_eq!(statement["enterprise"], firm);

    let mut changed = issued["receipt"].clone();
    let payload = changed["payload"]
        .as_str()
        .unwrap()
        .replace("FAST_TRACK", "STANDARD");
    changed["payload"] = payload.into();
    assert_eq!(verified(&keys, &changed).await, None);

    let after = door
        .post("licensing", &format!("/v1/{decision}:issueReceipt"), json!({}))
        .await;
    assert!(verified(&keys, &after["receipt"]).await.is_some());
    assert_eq!(verified(&before, &after["receipt"]).await.map(|_| ()), None);
}

#[tokio::test]
async fn the_chain_of_records_has_a_signed_head_that_lists_name() {
    let folder = tempfile::tempdir().unwrap();
    let settings = |folder: &Path| Settings::new(folder, "127.0.0.1:0".parse().unwrap(), Sample::Today);
    let first = settings(folder.path());
    let door = Door::open_on(folder, first).await;
    let firm = format!("enterprises/{}", door.listed(5).await[0]);
    let ask = json!({"permitKind": "pollutant-permit"});
    door.post("licensing", &format!("/v1/{firm}:checkPermit"), ask)
        .await;
    // What a life left is signed by the next one.
    let again = settings(&door.folder());
    let door = door.reopen(again, || ()).await;
    let signed = async {
        loop {
            let listed = door.get("licensing", "/v1/recordWriters").await;
            let writers = listed["writers"].as_array().unwrap().clone();
            if let Some(writer) = writers
                .into_iter()
                .find(|writer| writer["checkpoint"] != json!(""))
            {
                return writer;
            }
        }
    };
    let writer = tokio::time::timeout(Duration::from_secs(30), signed)
        .await
        .unwrap();
    let name = writer["name"].as_str().unwrap();
    let path = format!("/v1/{name}/checkpoints");
    let checkpoint = door.get("licensing", &path).await["checkpoints"][0].clone();
    let keys = door.get("licensing", "/v1/keys").await;
    let statement = verified(&keys, &checkpoint["receipt"]).await.unwrap();
    assert_eq!(statement["typ"], "greenstar.checkpoint/1");
    assert_eq!(statement["writer"], name);
    assert_eq!(statement["chain"], checkpoint["chain"]);
    let head = format!(
        "{}:{}",
        statement["sequence"],
        statement["chain"].as_str().unwrap()
    );
    assert_eq!(writer["checkpoint"], json!(head));
    let nobody = format!("/v1/recordWriters/{}/checkpoints", "0".repeat(32));
    let refused = door.refused(Some("licensing"), Method::GET, &nobody, None).await;
    assert_eq!(refused, (404, "WRITER_UNKNOWN".to_owned()));
}

#[tokio::test]
async fn another_departments_decision_and_one_that_never_was_are_not_signed() {
    let door = Door::open().await;
    let firm = format!("enterprises/{}", door.listed(5).await[0]);
    let ask = json!({"permitKind": "pollutant-permit"});
    let permit = door
        .post("licensing", &format!("/v1/{firm}:checkPermit"), ask)
        .await;
    let path = format!("/v1/{}:issueReceipt", permit["decision"].as_str().unwrap());
    let refused = door
        .refused(Some("finance"), Method::POST, &path, Some(json!({})))
        .await;
    assert_eq!(refused, (404, "DECISION_UNKNOWN".to_owned()));
    let none = "/v1/decisions/0123456789abcdef0123456789abcdef-1:issueReceipt";
    let refused = door
        .refused(Some("licensing"), Method::POST, none, Some(json!({})))
        .await;
    assert_eq!(refused, (404, "DECISION_UNKNOWN".to_owned()));
}
