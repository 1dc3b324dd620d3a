//! Puts the contracts' comments into the OpenAPI documents: rest_over_grpc writes shapes only.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use prost_reflect::{DescriptorPool, FileDescriptor};
use serde_json::{Value, json};

use crate::OURS;

/// Comments by file and place in it.
struct Comments(HashMap<(String, Vec<i32>), String>);

impl Comments {
    fn of(pool: &DescriptorPool) -> Comments {
        let mut comments = HashMap::new();
        for file in pool.files().filter(|file| file.package_name().starts_with(OURS)) {
            let proto = file.file_descriptor_proto();
            for location in proto.source_code_info.iter().flat_map(|info| &info.location) {
                if let Some(text) = &location.leading_comments {
                    let lines: Vec<&str> = text
                        .lines()
                        .map(|line| line.strip_prefix(' ').unwrap_or(line))
                        .collect();
                    comments.insert(
                        (file.name().to_owned(), location.path.clone()),
                        lines.join("\n").trim().to_owned(),
                    );
                }
            }
        }
        Comments(comments)
    }

    fn at(&self, file: &FileDescriptor, path: &[i32]) -> Option<&str> {
        self.0
            .get(&(file.name().to_owned(), path.to_vec()))
            .map(String::as_str)
    }
}

/// Describes every package's document in `out`.
pub(crate) fn describe(pool: &DescriptorPool, out: &Path) -> Result<(), Box<dyn Error>> {
    let comments = Comments::of(pool);
    let mut packages: Vec<String> = pool
        .services()
        .map(|service| service.package_name().to_owned())
        .collect();
    packages.sort();
    packages.dedup();
    for package in packages {
        let file = out.join(format!("{package}.openapi.json"));
        if let Ok(text) = fs::read_to_string(&file) {
            let mut document: Value = serde_json::from_str(&text)?;
            operations(pool, &comments, &package, &mut document["paths"]);
            schemas(pool, &comments, &mut document["components"]["schemas"]);
            fs::write(&file, document.to_string())?;
        }
    }
    Ok(())
}

fn operations(pool: &DescriptorPool, comments: &Comments, package: &str, paths: &mut Value) {
    let methods: HashMap<String, _> = pool
        .services()
        .filter(|service| service.package_name() == package)
        .flat_map(|service| {
            service
                .methods()
                .map(|method| (method.name().to_owned(), method))
                .collect::<Vec<_>>()
        })
        .collect();
    let verbs = paths
        .as_object_mut()
        .into_iter()
        .flat_map(|paths| paths.values_mut());
    for operation in verbs
        .filter_map(Value::as_object_mut)
        .flat_map(|verbs| verbs.values_mut())
    {
        let Some(method) = operation["operationId"].as_str().and_then(|id| methods.get(id)) else {
            continue;
        };
        operation["tags"] = json!([method.parent_service().name()]);
        if let Some(text) = comments.at(&method.parent_file(), method.path()) {
            operation["summary"] = json!(
                text.split_once(". ")
                    .map_or(text, |(first, _)| first)
                    .lines()
                    .next()
            );
            operation["description"] = json!(text);
        }
    }
}

fn schemas(pool: &DescriptorPool, comments: &Comments, schemas: &mut Value) {
    for (name, schema) in schemas.as_object_mut().into_iter().flatten() {
        if let Some(of) = pool.get_enum_by_name(name) {
            if let Some(text) = comments.at(&of.parent_file(), of.path()) {
                schema["description"] = json!(text);
            }
            continue;
        }
        let Some(message) = pool.get_message_by_name(name) else {
            continue;
        };
        let file = message.parent_file();
        if let Some(text) = comments.at(&file, message.path()) {
            schema["description"] = json!(text);
        }
        for (name, property) in schema["properties"].as_object_mut().into_iter().flatten() {
            let field = message.fields().find(|field| field.json_name() == name);
            if let Some(text) = field.and_then(|field| comments.at(&file, field.path())) {
                property["description"] = json!(text);
            }
        }
    }
}
