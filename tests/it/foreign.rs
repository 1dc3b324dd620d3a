//! A foreign client that knows only reflection gets the same answers.

use std::path::Path;

use serde_json::{Value, json};

use crate::door::Door;

#[tokio::test]
async fn a_python_client_that_knows_only_reflection_walks_the_headline() {
    let door = Door::open().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/reflection_client.py");
    let output = tokio::process::Command::new("python3")
        .arg(script)
        .arg(door.url().trim_start_matches("http://"))
        .arg(door.folder().join("credentials.json"))
        .output()
        .await
        .expect("python3 runs (see tests/run)");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let free = json!(["FAST_TRACK", "PRIORITY", "EXEMPT"]);
    assert_eq!(said["counts"], json!({"5": 8, "4": 60, "3": 5}));
    assert_eq!(said["star"], 5);
    assert_eq!(said["before"], free);
    assert_eq!(said["proposed"], free);
    assert_eq!(said["restricted"], json!(["STRICT_REVIEW", "PRUDENT", "KEY"]));
    assert_eq!(said["after"], free);
    assert_eq!(said["stranger"], "UNAUTHENTICATED");
}
