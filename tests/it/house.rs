//! The rules of the house that the compiler does not see.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Source without comments and without its unit tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_domain_knows_neither_transport_nor_store() {
    let mut modules = files(&root().join("crates/kernel/src"), ".rs");
    for service in ["rating", "sanctions", "supervision-policy"] {
        let domain = files(&root().join("services").join(service).join("src/domain"), ".rs");
        assert!(!domain.is_empty(), "{service} has no domain");
        modules.extend(domain);
    }
    for path in modules {
        let code = code(&path);
        for word in [
            "tonic",
            "sqlx",
            "redis",
            "greenstar_proto",
            "greenstar_store",
            "axum",
            "tokio",
        ] {
            let named = code.contains(&format!("{word}::")) || code.contains(&format!("use {word}"));
            assert!(!named, "{} names {word}", path.display());
        }
        for float in ["f32", "f64"] {
            let named = code
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|word| word == float);
            assert!(!named, "{} has a float", path.display());
        }
    }
}

#[test]
fn services_never_import_one_another() {
    let services = ["rating", "sanctions", "supervision-policy"];
    for service in services {
        let manifest = fs::read_to_string(root().join("services").join(service).join("Cargo.toml")).unwrap();
        for other in services.iter().filter(|other| **other != service) {
            assert!(
                !manifest.contains(&format!("greenstar-{other}")),
                "{service} depends on {other}"
            );
        }
    }
}

#[test]
fn every_error_reason_has_a_page_and_every_page_a_reason() {
    let reasons: Vec<String> =
        fs::read_to_string(root().join("proto/greenstar/common/v1/error_reason.proto"))
            .unwrap()
            .lines()
            .filter_map(|line| line.trim().strip_prefix("ERROR_REASON_")?.split_once(" = "))
            .map(|(name, _)| name.to_owned())
            .filter(|name| name != "UNSPECIFIED")
            .collect();
    assert!(reasons.len() > 50);
    let pages = root().join("docs/errors");
    for reason in &reasons {
        let page = fs::read_to_string(pages.join(format!("{reason}.md")));
        let page = page.unwrap_or_else(|_| panic!("docs/errors/{reason}.md is missing"));
        assert!(
            page.starts_with(&format!("# {reason}")),
            "docs/errors/{reason}.md has another title"
        );
    }
    for page in files(&pages, ".md") {
        let name = page.file_stem().unwrap().to_str().unwrap();
        assert!(
            name == "README" || reasons.iter().any(|reason| reason == name),
            "{name}.md has no reason"
        );
    }
}

#[test]
fn no_source_file_grows_past_six_hundred_lines() {
    for folder in [
        "crates",
        "services",
        "gateway",
        "proto/src",
        "proto/build",
        "benches",
        "tests",
    ] {
        for path in files(&root().join(folder), ".rs") {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(
                lines <= 600,
                "{} has {lines} lines: split it by idea",
                path.display()
            );
        }
    }
}

/// The default of a setting, by the name of its environment variable.
fn default_of(file: &str, variable: &str) -> String {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let after = text
        .split(&format!("\"{variable}\""))
        .nth(1)
        .unwrap_or_else(|| panic!("{variable} in {file}"));
    let value = after
        .split("default_value = \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    value
        .unwrap_or_else(|| panic!("{variable} has no default"))
        .replace("http://", "")
}

#[test]
fn services_started_apart_find_one_another_by_their_defaults() {
    let rating = default_of("services/rating/src/config.rs", "RATING_LISTEN");
    let sanctions = default_of("services/sanctions/src/config.rs", "SANCTIONS_LISTEN");
    let supervision = default_of("services/supervision-policy/src/config.rs", "SUPERVISION_LISTEN");
    assert_eq!(default_of("gateway/src/program.rs", "GATEWAY_RATING"), rating);
    assert_eq!(
        default_of("gateway/src/program.rs", "GATEWAY_SANCTIONS"),
        sanctions
    );
    assert_eq!(
        default_of("gateway/src/program.rs", "GATEWAY_SUPERVISION"),
        supervision
    );
    assert_eq!(
        default_of("services/supervision-policy/src/config.rs", "SUPERVISION_RATING"),
        rating
    );
    assert_eq!(
        default_of(
            "services/supervision-policy/src/config.rs",
            "SUPERVISION_SANCTIONS"
        ),
        sanctions
    );
}

#[test]
fn every_promise_names_tests_that_exist() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut sources = String::new();
    for folder in ["crates", "services", "gateway", "tests"] {
        for path in files(&root().join(folder), ".rs") {
            sources.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    for promise in 1..=12 {
        let row = architecture
            .lines()
            .find(|line| line.starts_with(&format!("| P{promise} ")));
        let row = row.unwrap_or_else(|| panic!("P{promise} has no row"));
        let named = row
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| name.contains('_') && !name.contains('/'));
        let named: Vec<&str> = named.collect();
        assert!(
            !named.is_empty() || row.contains("not built yet"),
            "P{promise} names no test"
        );
        for name in named {
            assert!(
                sources.contains(&format!("fn {name}(")),
                "P{promise} names `{name}`, which is no test"
            );
        }
    }
}

/// Fields of a message as the contract writes them, `type name = number`.
fn fields(file: &str, message: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("proto/greenstar/supervision/v1").join(file)).unwrap();
    let body = text
        .split(&format!("message {message} {{"))
        .nth(1)
        .unwrap()
        .split("\n}")
        .next()
        .unwrap();
    let lines = body
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//") && line.ends_with(';'));
    lines.map(str::to_owned).collect()
}

/// docs/adr/0002-flat-answers.md
#[test]
fn the_four_doors_answer_with_the_same_fields() {
    let decide = fields("decision_service.proto", "DecideResponse");
    assert!(decide.len() >= 14);
    let doors = [
        ("licensing_service.proto", "CheckPermitResponse"),
        ("finance_service.proto", "CheckGreenFinanceResponse"),
        ("enforcement_service.proto", "GetInspectionRegimeResponse"),
    ];
    for (file, message) in doors {
        assert_eq!(fields(file, message)[..decide.len()], decide, "{message}");
    }
}
