//! What is deployed says what the programs understand, as far as that can be seen without a container engine.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn compose() -> Value {
    let text = read("deploy/compose/compose.yaml");
    let mut raw: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).unwrap();
    raw.apply_merge().unwrap();
    serde_json::to_value(raw).unwrap()
}

/// The settings that a program reads from its environment.
fn settings(program: &str) -> BTreeSet<String> {
    let file = match program {
        "greenstar-gateway" => "gateway/src/program.rs".to_owned(),
        other => {
            let service = other.strip_prefix("greenstar-").unwrap();
            format!("services/{service}/src/config.rs")
        }
    };
    let text = read(&file);
    let named = text.split("env = \"").skip(1);
    named
        .filter_map(|rest| rest.split_once('"'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[test]
fn every_setting_in_compose_is_one_that_its_program_reads() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    let mut programs = BTreeSet::new();
    for (name, service) in services {
        let Some(command) = service["command"].as_array() else {
            continue;
        };
        let program = command[0].as_str().unwrap();
        if !program.starts_with("greenstar-") {
            continue;
        }
        programs.insert(program);
        let known = settings(program);
        let own = known.iter().next().unwrap().split('_').next().unwrap();
        for setting in service["environment"].as_object().unwrap().keys() {
            // The databases' block is shared by all.
            let for_it = setting.starts_with(own);
            assert!(
                !for_it || known.contains(setting),
                "{name}: {setting} is no setting of {program}"
            );
        }
    }
    assert_eq!(
        programs.into_iter().collect::<Vec<_>>(),
        [
            "greenstar-gateway",
            "greenstar-rating",
            "greenstar-sanctions",
            "greenstar-supervision-policy"
        ]
    );
}

#[test]
fn each_service_runs_twice_and_all_know_all_replicas() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    for service in ["rating", "sanctions", "supervision-policy"] {
        let replicas: Vec<&String> = services
            .keys()
            .filter(|name| {
                name.strip_prefix(service)
                    .is_some_and(|rest| rest.starts_with('-'))
            })
            .collect();
        assert_eq!(replicas.len(), 2, "{service}");
        let gateway = services["gateway"]["environment"].as_object().unwrap();
        let everywhere: String = gateway.values().filter_map(Value::as_str).collect();
        for replica in replicas {
            assert!(everywhere.contains(&format!("http://{replica}:")), "{replica}");
            let advertised = services[replica]["environment"]
                .as_object()
                .unwrap()
                .iter()
                .find(|(name, _)| name.ends_with("_ADVERTISE"));
            let url = advertised.unwrap().1.as_str().unwrap();
            assert!(url.starts_with(&format!("http://{replica}:")), "{url}");
        }
    }
}

#[test]
fn the_image_holds_every_program() {
    let dockerfile = read("deploy/Dockerfile");
    for program in [
        "greenstar",
        "greenstar-rating",
        "greenstar-sanctions",
        "greenstar-supervision-policy",
        "greenstar-gateway",
    ] {
        let package = if program == "greenstar" {
            "greenstar-standalone"
        } else {
            program
        };
        assert!(
            dockerfile.contains(&format!("target/dist/{program}")),
            "{program}"
        );
        assert!(dockerfile.contains(&format!("-p {package}")), "{package}");
    }
}
