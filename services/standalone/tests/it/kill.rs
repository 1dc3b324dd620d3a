//! P3: what was acknowledged survives kill -9, recorded decisions included.

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
