//! The command line, the credentials and the folder.

use std::os::unix::fs::PermissionsExt as _;

use greenstar_store::Database;

use crate::process::{Process, refused, refused_as_nobody};

#[test]
fn the_command_line_walks_the_headline() {
    let folder = tempfile::tempdir().unwrap();
    let suite = Process::start(folder.path());
    let directory = suite.ask(&["directory", "--star", "5"]);
    assert_eq!(directory["totalSize"], 8);
    let firm = directory["entries"][0]["enterprise"]
        .as_str()
        .unwrap()
        .replace("enterprises/", "");
    assert_eq!(suite.ask(&["rating", &firm])["rating"]["star"], 5);
    assert_eq!(suite.ask(&["check", "permit", &firm])["outcome"], "FAST_TRACK");

    let raised = suite.ask(&[
        "flag",
        "raise",
        &firm,
        "--kind",
        "serious-penalty",
        "--document",
        "京兴环罚〔2026〕9号",
        "--date",
        &ten_days_ago(),
    ]);
    let flag = raised["flag"]["name"].as_str().unwrap();
    let own = suite.command(&["flag", "confirm", flag, "--as", "enforcement"]);
    assert!(!own.status.success());
    assert!(
        String::from_utf8_lossy(&own.stderr).contains("SAME_OFFICER"),
        "{own:?}"
    );
    let confirmed = suite.ask(&["flag", "confirm", flag]);
    let token = confirmed["token"].as_str().unwrap();
    assert_eq!(
        suite.ask(&["check", "permit", &firm, "--token", token])["outcome"],
        "STRICT_REVIEW"
    );
    assert_eq!(
        suite.ask(&["check", "finance", &firm, "--token", token])["outcome"],
        "PRUDENT"
    );
    assert_eq!(
        suite.ask(&["check", "inspection", &firm, "--token", token])["outcome"],
        "KEY"
    );
    let lifted = suite.ask(&["flag", "lift", flag, "--reason", "mistaken identity"]);
    let token = lifted["token"].as_str().unwrap();
    assert_eq!(
        suite.ask(&["check", "permit", &firm, "--token", token])["outcome"],
        "FAST_TRACK"
    );
}

#[test]
fn credentials_are_for_the_owner_of_the_folder_only() {
    let folder = tempfile::tempdir().unwrap();
    let _suite = Process::start(folder.path());
    let credentials = std::fs::metadata(folder.path().join("credentials.json")).unwrap();
    assert_eq!(credentials.permissions().mode() & 0o777, 0o600);
    let names: std::collections::BTreeMap<String, String> =
        serde_json::from_slice(&std::fs::read(folder.path().join("credentials.json")).unwrap()).unwrap();
    for name in [
        "licensing",
        "licensing/2",
        "finance",
        "finance/2",
        "enforcement",
        "enforcement/2",
        "rating",
        "rating/2",
    ] {
        assert!(names.contains_key(name), "{name}");
    }
}

#[test]
fn a_folder_of_an_earlier_release_gets_the_secrets_that_its_services_need_and_no_officer() {
    let folder = tempfile::tempdir().unwrap();
    Process::start(folder.path()).kill();
    let path = folder.path().join("credentials.json");
    let read = || -> std::collections::BTreeMap<String, String> {
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
    };
    let mut earlier = read();
    for name in ["rating/subscriber", "sanctions/subscriber", "finance/2"] {
        assert!(earlier.remove(name).is_some(), "{name}");
    }
    std::fs::write(&path, serde_json::to_string(&earlier).unwrap()).unwrap();
    let suite = Process::start(folder.path());
    let mut now = read();
    for name in ["rating/subscriber", "sanctions/subscriber"] {
        assert!(now.remove(name).is_some(), "{name}");
    }
    assert_eq!(now, earlier);
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(suite.ask(&["directory"])["totalSize"], 73);
}

#[test]
fn a_second_process_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let suite = Process::start(folder.path());
    let (code, said) = refused(folder.path(), &[]);
    assert_ne!(code, Some(0));
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(said.contains("DATABASE_IN_USE"), "{said}");
    assert!(said.contains(folder.path().to_str().unwrap()), "{said}");
    assert_eq!(suite.ask(&["directory"])["totalSize"], 73, "the first goes on");
}

#[test]
fn a_damaged_or_newer_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    Process::start(folder.path()).kill();
    let path = folder.path().join("sanctions.db");
    let garbage = vec![0x5a; 64 << 10];
    std::fs::write(&path, &garbage).unwrap();
    for leftover in ["sanctions.db-wal", "sanctions.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(leftover));
    }
    let (code, said) = refused(folder.path(), &[]);
    assert_ne!(code, Some(0));
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(said.contains("DATABASE_DAMAGED"), "{said}");
    assert!(said.contains("sanctions.db"), "{said}");
    assert_eq!(std::fs::read(&path).unwrap(), garbage);
}

#[test]
fn credentials_that_others_could_read_are_made_private_again() {
    let folder = tempfile::tempdir().unwrap();
    Process::start(folder.path()).kill();
    let path = folder.path().join("credentials.json");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    Process::start(folder.path()).kill();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_database_that_is_gone_is_no_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    Process::start(folder.path()).kill();
    // The address is no part of a backup.
    for leftover in ["sanctions.db", "sanctions.db-wal", "sanctions.db-shm", "address"] {
        let _ = std::fs::remove_file(folder.path().join(leftover));
    }
    let (code, said) = refused(folder.path(), &[]);
    assert_ne!(code, Some(0));
    assert!(
        said.contains("DATABASE_MISSING") && said.contains("sanctions.db"),
        "{said}"
    );
    assert!(!folder.path().join("sanctions.db").exists());
}

/// Its service would wait for ever for rows that cannot be read.
#[test]
fn a_database_that_lost_a_table_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    Process::start(folder.path()).kill();
    let database = folder.path().join("sanctions.db");
    let at = format!("sqlite:{}", database.display()).parse().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let database = Database::open(&at, &greenstar_sanctions::MIGRATIONS)
            .await
            .unwrap();
        let mut tx = database.write().await.unwrap();
        tx.run("DROP TABLE flag", &[]).await.unwrap();
        tx.commit().await.unwrap();
        database.close().await;
    });
    let (code, said) = refused(folder.path(), &[]);
    assert_eq!(code, Some(1));
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    for part in ["DATABASE_DAMAGED", "sanctions.db", "table flag", "备份", "backup"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    Process::start(&data).kill();
    // Root may write everywhere, so the program runs as somebody whom permissions bind.
    assert!(
        std::process::Command::new("chmod")
            .args(["-R", "a+rwX"])
            .arg(folder.path())
            .status()
            .unwrap()
            .success()
    );
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let (file, address) = (data.join("rating.db"), data.join("address"));
    for (path, mode, whole) in [
        (&data, 0o555, 0o777),
        (&file, 0o444, 0o666),
        (&address, 0o444, 0o666),
    ] {
        set(path, mode);
        let (code, said) = refused_as_nobody(&data);
        set(path, whole);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("DATABASE_READ_ONLY"), "{said}");
        assert!(
            said.contains(path.to_str().unwrap()) && said.contains("无法写入"),
            "{said}"
        );
    }
    set(folder.path(), 0o555);
    let (code, said) = refused_as_nobody(&folder.path().join("new"));
    set(folder.path(), 0o777);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("DATABASE_READ_ONLY"), "{said}");
}

#[test]
fn options_stand_before_or_after_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let suite = Process::start(folder.path());
    let data = folder.path().to_str().unwrap();
    for arguments in [["--data", data, "directory"], ["directory", "--data", data]] {
        assert!(suite.plain(&arguments).status.success(), "{arguments:?}");
    }
}

#[test]
fn bad_settings_are_one_line_and_exit_64() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        ["--listen", "nowhere"],
        ["--sample-date", "2026-02-30"],
        ["--colour", "green"],
        ["--allow-origin", "*"],
    ] {
        let (code, said) = refused(folder.path(), &arguments);
        assert_eq!(code, Some(64), "{arguments:?}: {said}");
        assert_eq!(said.trim().lines().count(), 1, "{said}");
    }
}

/// The document's date, as officers write it.
pub(crate) fn ten_days_ago() -> String {
    use greenstar_kernel::{Clock as _, SystemClock};
    SystemClock::new().now().date().plus_days(-10).to_string()
}

/// Columns that a terminal takes for it: what is Chinese takes two.
fn columns(line: &str) -> usize {
    line.chars()
        .map(|one| if one >= '\u{2e80}' { 2 } else { 1 })
        .sum()
}

#[test]
fn tables_fit_a_page_and_say_outcomes_in_chinese() {
    let folder = tempfile::tempdir().unwrap();
    let suite = Process::start(folder.path());
    let firm = "91110115MAX000015J";
    let date = ten_days_ago();
    let raise = [
        "flag",
        "raise",
        firm,
        "--kind",
        "serious-penalty",
        "--document",
        "京兴环罚〔2026〕9号",
        "--date",
        &date,
    ];
    let raised = suite.ask(&raise);
    let flag = raised["flag"]["name"].as_str().unwrap().to_owned();
    let confirmed = suite.ask(&["flag", "confirm", &flag]);
    let token = confirmed["token"].as_str().unwrap().to_owned();
    let permit = suite.ask(&["check", "permit", firm, "--token", &token]);
    let decision = permit["decision"].as_str().unwrap().to_owned();
    let shanghai = "(Asia/Shanghai)";
    for (arguments, shown) in [
        (
            &["check", "permit", firm, "--token", &token][..],
            "STRICT_REVIEW 从严审查",
        ),
        (&["check", "finance", firm, "--token", &token], "PRUDENT 审慎授信"),
        (&["check", "inspection", firm, "--token", &token], "KEY "),
        (&["decision", &decision], "STRICT_REVIEW 从严审查"),
        (&["decision", &decision], shanghai),
        (&["flag", "list", firm], &flag),
        (&["rating", firm], "★★★★★ 5"),
        (&["directory"], firm),
    ] {
        let data = folder.path().to_str().unwrap();
        let output = suite.plain(&[arguments, &["--data", data]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && text.contains(shown),
            "{arguments:?}: {text}"
        );
        let table = text.lines().filter(|line| line.starts_with(['┌', '│', '╞', '└']));
        for line in table {
            assert!(columns(line) <= 100, "{} columns: {line}", columns(line));
        }
    }
}
