//! The OpenAPI documents: shapes of parameters and bodies by rest_over_grpc; paths, security and the contracts'
//! comments from here.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use prost_reflect::prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
    MethodDescriptor, Value,
};
use serde_json::{Value as Json, json};

use crate::OURS;
use crate::methods::{flag, option_of};
use crate::route::{self, Parameter};

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

/// The descriptors with each rule's path as `/Service/Method/{field}`: a form that the generator takes, unique
/// among all packages. `describe` puts the real paths back.
pub(crate) fn simple_paths(pool: &DescriptorPool, descriptors: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let declared = |name: &str| format!("{name} is not declared");
    let set = pool
        .get_message_by_name("google.protobuf.FileDescriptorSet")
        .ok_or_else(|| declared("FileDescriptorSet"))?;
    let http = pool
        .get_extension_by_name("google.api.http")
        .ok_or_else(|| declared("google.api.http"))?;
    let mut set = DynamicMessage::decode(set, descriptors)?;
    for file in messages(&mut set, "file") {
        let package = text(file, "package");
        for service in messages(file, "service") {
            let service_name = text(service, "name");
            let declared = pool.get_service_by_name(&format!("{package}.{service_name}"));
            for method in messages(service, "method") {
                let method_name = text(method, "name");
                let route = match declared
                    .iter()
                    .flat_map(|service| service.methods())
                    .find(|method| method.name() == method_name)
                {
                    Some(method) => route::of(pool, &method)?,
                    None => None,
                };
                let Some(route) = route else { continue };
                let fields: Vec<String> = route.fields.iter().map(|field| format!("/{{{field}}}")).collect();
                let path = format!("/{service_name}/{method_name}{}", fields.concat());
                let rule = method
                    .get_field_by_name_mut("options")
                    .and_then(Value::as_message_mut)
                    .and_then(|options| options.get_extension_mut(&http).as_message_mut());
                if let Some(rule) = rule {
                    route::replace(rule, path);
                }
            }
        }
    }
    Ok(set.encode_to_vec())
}

fn messages<'a>(of: &'a mut DynamicMessage, field: &str) -> impl Iterator<Item = &'a mut DynamicMessage> {
    of.get_field_by_name_mut(field)
        .and_then(Value::as_list_mut)
        .into_iter()
        .flatten()
        .filter_map(Value::as_message_mut)
}

fn text(of: &DynamicMessage, field: &str) -> String {
    of.get_field_by_name(field)
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Writes every package's document to `out`, made of the generator's in `shapes`.
pub(crate) fn describe(pool: &DescriptorPool, shapes: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let comments = Comments::of(pool);
    let mut packages: Vec<String> = pool
        .services()
        .map(|service| service.package_name().to_owned())
        .collect();
    packages.sort();
    packages.dedup();
    for package in packages {
        let file = format!("{package}.openapi.json");
        if let Ok(text) = fs::read_to_string(shapes.join(&file)) {
            let mut document: Json = serde_json::from_str(&text)?;
            document["paths"] = paths(pool, &comments, &package, &document["paths"])?;
            schemas(pool, &comments, &mut document["components"]["schemas"]);
            fs::write(out.join(&file), document.to_string())?;
        }
    }
    Ok(())
}

/// Each method's operation at its real path. A method with a rule and without an operation is an error.
fn paths(
    pool: &DescriptorPool,
    comments: &Comments,
    package: &str,
    shapes: &Json,
) -> Result<Json, Box<dyn Error>> {
    let operations: HashMap<&str, &Json> = shapes
        .as_object()
        .into_iter()
        .flat_map(|paths| paths.values())
        .filter_map(Json::as_object)
        .flat_map(|verbs| verbs.values())
        .filter_map(|operation| Some((operation["operationId"].as_str()?, operation)))
        .collect();
    let mut paths = json!({});
    for service in pool
        .services()
        .filter(|service| service.package_name() == package)
    {
        for method in service.methods() {
            let Some(route) = route::of(pool, &method)? else {
                continue;
            };
            let mut operation = operations
                .get(method.name())
                .map(|operation| (*operation).clone())
                .ok_or_else(|| format!("{} has no OpenAPI operation", method.full_name()))?;
            let carried = route
                .parameters
                .iter()
                .map(|parameter| path_parameter(comments, &method, parameter));
            let asked = operation["parameters"].as_array().into_iter().flatten();
            let asked = asked
                .filter(|parameter| parameter["in"] == "query")
                .map(|parameter| query_parameter(comments, &method, parameter.clone()));
            let parameters: Vec<Json> = carried.chain(asked).collect();
            operation["parameters"] = json!(parameters);
            operation["tags"] = json!([service.name()]);
            operation["security"] = security(pool, &method);
            if let Some(text) = comments.at(&method.parent_file(), method.path()) {
                operation["summary"] = json!(
                    text.split_once(". ")
                        .map_or(text, |(first, _)| first)
                        .lines()
                        .next()
                );
                operation["description"] = json!(text);
            }
            if !paths[&route.path][route.verb].is_null() {
                return Err(format!("{}: two methods at {}", method.full_name(), route.path).into());
            }
            paths[route.path][route.verb] = operation;
        }
    }
    Ok(paths)
}

fn path_parameter(comments: &Comments, method: &MethodDescriptor, parameter: &Parameter) -> Json {
    let said = field(&method.input(), &parameter.field)
        .and_then(|field| {
            comments
                .at(&field.parent_message().parent_file(), field.path())
                .map(str::to_owned)
        })
        .unwrap_or_default();
    json!({
        "name": parameter.name,
        "in": "path",
        "required": true,
        "description": format!(
            "Of `{}`, the request's field `{}`: {said}", parameter.form, parameter.field
        ),
        "schema": {"type": "string", "minLength": 1},
    })
}

fn query_parameter(comments: &Comments, method: &MethodDescriptor, mut parameter: Json) -> Json {
    let name = parameter["name"].as_str().unwrap_or_default().to_owned();
    if let Some(field) = field(&method.input(), &name)
        && let Some(said) = comments.at(&field.parent_message().parent_file(), field.path())
    {
        parameter["description"] = json!(said);
    }
    parameter
}

/// The field at a path of names, by contract or JSON: `enterprise.name`.
fn field(of: &MessageDescriptor, path: &str) -> Option<FieldDescriptor> {
    let (first, rest) = path
        .split_once('.')
        .map_or((path, None), |(first, rest)| (first, Some(rest)));
    let found = of
        .fields()
        .find(|field| field.name() == first || field.json_name() == first)?;
    match (rest, found.kind()) {
        (None, _) => Some(found),
        (Some(rest), Kind::Message(inner)) => field(&inner, rest),
        (Some(_), _) => None,
    }
}

/// A public method may be called without a credential; all others need one.
fn security(pool: &DescriptorPool, method: &MethodDescriptor) -> Json {
    let public =
        option_of(pool, method, "greenstar.common.v1.access").is_some_and(|access| flag(&access, "public"));
    if public {
        json!([{}, {"bearer": []}])
    } else {
        json!([{"bearer": []}])
    }
}

fn schemas(pool: &DescriptorPool, comments: &Comments, schemas: &mut Json) {
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
