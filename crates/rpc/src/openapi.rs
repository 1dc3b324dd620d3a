//! `/openapi.json`: the packages' documents in one, with what the contracts cannot say: how a caller
//! names itself, and what an error looks like.

use greenstar_proto::{METHODS, OPENAPI};
use serde_json::{Value, json};

/// The OpenAPI 3.1 document of `packages`.
pub(crate) fn document(packages: &[&str]) -> String {
    let mut merged = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "GreenStar",
            "version": "v1",
            "description": "Green-credit stars, trust flags, and what they mean for a department's matter.",
        },
        "paths": {},
        "components": {
            "schemas": {"Error": error_schema()},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    });
    for (package, text) in OPENAPI {
        if packages.contains(package) {
            // Written by build.rs and read by a test.
            let part: Value = serde_json::from_str(text).unwrap_or_default();
            for (path, verbs) in part["paths"].as_object().into_iter().flatten() {
                let into = &mut merged["paths"][path];
                if into.is_null() {
                    *into = json!({});
                }
                extend(into, verbs);
            }
            extend(
                &mut merged["components"]["schemas"],
                &part["components"]["schemas"],
            );
        }
    }
    // The generator's own idea of an error, which is not what is sent.
    if let Some(schemas) = merged["components"]["schemas"].as_object_mut() {
        schemas.remove("google.rpc.Status");
    }
    let operations = merged["paths"]
        .as_object_mut()
        .into_iter()
        .flatten()
        .flat_map(|(path, verbs)| {
            let verbs = verbs.as_object_mut().into_iter().flatten();
            verbs.map(move |(verb, operation)| (path, verb, operation))
        });
    for (path, verb, operation) in operations {
        if let Some(id) = unambiguous(path, verb) {
            operation["operationId"] = Value::String(id);
        }
        if operation["responses"].is_object() {
            operation["responses"]["default"] = json!({
                "description": "Why the call could not be answered.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            });
        }
    }
    merged.to_string()
}

/// No two operations of a document may share an id: a method's name that several services have gets the service's in
/// front.
fn unambiguous(path: &str, verb: &str) -> Option<String> {
    let routed = || METHODS.iter().filter(|method| method.route.is_some());
    let own = routed().find(|method| {
        method
            .route
            .is_some_and(|route| route.path == path && route.verb.eq_ignore_ascii_case(verb))
    })?;
    let name = own.path.rsplit('/').next()?;
    let shared = routed().any(|other| other.path != own.path && other.path.rsplit('/').next() == Some(name));
    let service = own.service.rsplit('.').next()?;
    shared.then(|| format!("{service}_{name}"))
}

fn extend(into: &mut Value, from: &Value) {
    if let (Some(into), Some(from)) = (into.as_object_mut(), from.as_object()) {
        into.extend(from.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {"error": {
            "type": "object",
            "required": ["code", "status", "message", "details"],
            "properties": {
                "code": {"type": "integer", "description": "HTTP status."},
                "status": {"type": "string", "description": "Canonical code, e.g. INVALID_ARGUMENT."},
                "message": {"type": "string", "description": "For people; Chinese if Accept-Language begins with zh."},
                "details": {
                    "type": "array",
                    "description": "google.rpc details: ErrorInfo with the reason, LocalizedMessage in zh-CN and en, \
                                    BadRequest for fields, Help with the page of the reason.",
                    "items": {"type": "object", "required": ["@type"], "properties": {"@type": {"type": "string"}}},
                },
            },
        }},
    })
}
