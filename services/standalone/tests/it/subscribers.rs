//! `greenstar subscribers` and `greenstar converge`.

use serde_json::json;

use crate::process::Process;

#[test]
fn a_flag_is_followed_until_everybody_has_applied_it() {
    let folder = tempfile::tempdir().unwrap();
    let suite = Process::start(folder.path());
    let date = greenstar_kernel::Clock::now(&greenstar_kernel::SystemClock::new())
        .date()
        .plus_days(-10)
        .to_string();
    let raised = suite.ask(&[
        "flag",
        "raise",
        "91110115MAX000015J",
        "--kind",
        "serious-penalty",
        "--document",
        "京兴环罚〔2026〕12号",
        "--date",
        &date,
    ]);
    let flag = raised["flag"]["name"].as_str().unwrap();
    let confirmed = suite.ask(&["flag", "confirm", flag]);
    let token = confirmed["token"].as_str().unwrap();
    let waited = suite.ask(&["converge", token, "--all", "--seconds", "30"]);
    assert_eq!(waited["converged"], json!(true), "{waited}");
    assert_eq!(waited["caused"]["log"], json!("rating"), "{waited}");

    let listed = suite.ask(&["subscribers"]);
    let names = |log: &str| -> Vec<String> {
        let subscribers = listed[log]["subscribers"].as_array().unwrap();
        let names = subscribers.iter().map(|one| one["subscriber"].as_str().unwrap());
        names.map(str::to_owned).collect()
    };
    assert_eq!(names("flags"), ["rating", "supervision-policy"]);
    assert_eq!(names("ratings"), ["supervision-policy"]);
}
