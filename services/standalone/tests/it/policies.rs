//! A policy's way by commands alone.

use crate::process::Process;

const FINANCE: &str = include_str!("../../../supervision-policy/data/finance.yaml");

#[test]
fn a_policy_is_written_approved_published_and_rolled_back_by_commands_and_survives_kill_nine() {
    let folder = tempfile::tempdir().unwrap();
    let suite = Process::start(folder.path());
    let file = folder.path().join("finance.yaml");
    std::fs::write(&file, FINANCE).unwrap();
    let draft = suite.ask(&["policy", "draft", file.to_str().unwrap(), "--note", "试行"]);
    let name = draft["name"].as_str().unwrap();
    assert_eq!(
        (&draft["department"], &draft["version"]),
        (&"finance".into(), &2.into())
    );
    let step = |step: &str, officer: &str| suite.ask(&["policy", step, name, "--as", officer]);
    step("validate", "finance");
    let own = suite.command(&["policy", "approve", name, "--as", "finance"]);
    let said = String::from_utf8_lossy(&own.stderr).into_owned();
    assert!(!own.status.success() && said.contains("SAME_OFFICER"), "{said}");
    let approved = step("approve", "finance/2");
    assert_eq!(approved["draft"]["state"], "DRAFT_STATE_APPROVED");
    let published = step("publish", "finance");
    assert_eq!(published["version"]["state"], "VERSION_STATE_SCHEDULED");
    suite.kill();

    let suite = Process::start(folder.path());
    let listed = suite.ask(&["policy", "versions", "finance-default"]);
    let newest = &listed["versions"][0];
    assert_eq!(newest["name"], "policies/finance-default/versions/2");
    assert_eq!(
        (&newest["approver"], &newest["note"]),
        (&"finance/2".into(), &"试行".into())
    );
    let back = suite.ask(&[
        "policy",
        "rollback",
        "finance-default",
        "--to",
        "1",
        "--reason",
        "误伤",
        "--as",
        "finance/2",
    ]);
    assert_eq!(
        back["version"]["rollbackOf"],
        "policies/finance-default/versions/1"
    );
    let replicas = suite.ask(&["policy", "replicas"]);
    assert_eq!(replicas["replicas"].as_array().unwrap().len(), 1, "{replicas}");
    suite.kill();
}

#[test]
fn a_firm_asks_by_command_what_gives_it_a_better_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let suite = Process::start(folder.path());
    let firm = "91110115MAX000023D";
    let asked = suite.ask(&["improve", "finance/green-loan", firm]);
    let verdict = asked["verdict"].as_str().unwrap();
    match verdict {
        "IMPROVEMENT_VERDICT_BEST" => assert_eq!(asked["outcome"], "PRIORITY"),
        _ => assert!(
            asked["improvements"][0]["steps"][0]["text"]["zh"].is_string(),
            "{asked}"
        ),
    }
    let whole = "departments/finance/matters/green-loan";
    let again = suite.ask(&["improve", whole, firm, "--fully-consistent"]);
    assert_eq!(again["outcome"], asked["outcome"]);
    let other = suite.command(&["improve", whole, firm, "--as", "licensing"]);
    let said = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(
        !other.status.success() && said.contains("MATTER_NOT_YOURS"),
        "{said}"
    );
    suite.kill();
}
