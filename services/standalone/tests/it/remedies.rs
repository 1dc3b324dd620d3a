//! Repair and appeal by commands alone.

use crate::process::Process;

const FIRM: &str = "91110115MAX000015J";

/// Months ago, as documents are dated.
fn dated(months: u16) -> String {
    use greenstar_kernel::{Clock as _, Month, SystemClock};
    SystemClock::new()
        .now()
        .date()
        .minus_months(Month(months))
        .to_string()
}

impl Process {
    /// A penalty that binds: its flag's name.
    fn flagged(&self, number: &str, date: &str) -> String {
        let raised = self.ask(&[
            "flag",
            "raise",
            FIRM,
            "--kind",
            "serious-penalty",
            "--document",
            number,
            "--date",
            date,
        ]);
        let flag = raised["flag"]["name"].as_str().unwrap().to_owned();
        self.ask(&["flag", "confirm", &flag]);
        flag
    }

    fn outcome(&self, token: &str) -> String {
        let answer = self.ask(&["check", "permit", FIRM, "--token", token]);
        answer["outcome"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_flag_on_the_wrong_firm_is_put_right_by_commands_alone() {
    const OTHER: &str = "91110115MAX0000318";
    let folder = tempfile::tempdir().unwrap();
    let suite = Process::start(folder.path());
    let wrong = suite.flagged("1号", &dated(1));
    let corrected = suite.ask(&[
        "flag",
        "correct",
        &wrong,
        "--enterprise",
        OTHER,
        "--reason",
        "同名企业",
    ]);
    assert_eq!(corrected["revoked"]["state"], "FLAG_STATE_REVOKED");
    assert_eq!(suite.outcome(corrected["token"].as_str().unwrap()), "FAST_TRACK");
    let right = corrected["flag"]["name"].as_str().unwrap();
    assert!(right.contains(OTHER), "{right}");
    suite.ask(&["flag", "confirm", right]);
    let revoked = suite.ask(&["flag", "revoke", right, "--reason", "法院撤销"]);
    assert_eq!(revoked["flag"]["state"], "FLAG_STATE_REVOKED");

    // Who did not recognise the fault does not appeal for the firm.
    let flag = suite.flagged("2号", &dated(1));
    let foreign = suite.command(&["appeal", "file", &flag, "--grounds", "x", "--as", "finance"]);
    let said = String::from_utf8_lossy(&foreign.stderr).into_owned();
    assert!(said.contains("NOT_THE_RECOGNISING_BODY"), "{said}");
}

#[test]
fn a_firm_is_repaired_and_heard_by_commands_alone() {
    let folder = tempfile::tempdir().unwrap();
    let suite = Process::start(folder.path());
    let old = suite.flagged("1号", &dated(14));

    let options = suite.ask(&["repair", "options", FIRM]);
    assert_eq!(options["options"][0]["repairable"], true, "{options}");
    let applied = suite.ask(&["repair", "apply", &old, "--commitment", "已经整改"]);
    let repair = applied["repair"]["name"].as_str().unwrap();
    let open = suite.ask(&["repair", "list"]);
    assert_eq!(open["repairs"][0]["name"], repair);
    assert!(
        suite.ask(&["repair", "list", FIRM, "--overdue"])["repairs"]
            .as_array()
            .is_none_or(Vec::is_empty)
    );
    let review = ["repair", "review", repair, "--opinion", "已核实", "--grant"];
    let unconfirmed = suite.command(&review);
    let said = String::from_utf8_lossy(&unconfirmed.stderr).into_owned();
    assert!(
        !unconfirmed.status.success() && said.contains("REPAIR_CONDITION"),
        "{said}"
    );
    let confirmed = ["--corrected", "--committed", "--others-hold"];
    let granted = suite.ask(&[review.as_slice(), &confirmed].concat());
    assert_eq!(suite.outcome(granted["token"].as_str().unwrap()), "FAST_TRACK");
    let number = granted["repair"]["certificate"].as_str().unwrap();
    let certificate = suite.ask(&["repair", "certificate", number]);
    assert_eq!(certificate["certificate"]["flags"][0], old.as_str());

    let wrong = suite.flagged("2号", &dated(1));
    let filed = suite.ask(&["appeal", "file", &wrong, "--grounds", "不是我们"]);
    assert_eq!(suite.outcome(filed["token"].as_str().unwrap()), "STRICT_REVIEW");
    let appeal = filed["appeal"]["name"].as_str().unwrap();
    assert_eq!(suite.ask(&["appeal", "list", FIRM])["appeals"][0]["name"], appeal);
    let annulled = suite.ask(&["appeal", "decide", appeal, "--annul", "--opinion", "认定有误"]);
    assert_eq!(annulled["appeal"]["state"], "APPEAL_STATE_ANNULLED");
    assert_eq!(suite.outcome(annulled["token"].as_str().unwrap()), "FAST_TRACK");
    let both = suite.command(&[
        "appeal",
        "decide",
        appeal,
        "--annul",
        "--dismiss",
        "--opinion",
        "x",
    ]);
    assert_eq!(both.status.code(), Some(64));
}
