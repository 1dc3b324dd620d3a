//! `/openapi.json`: the packages' documents in one, with what the contracts cannot say: how a caller
//! names itself, and what an error looks like.

use greenstar_proto::OPENAPI;
use serde_json::{Map, Value, json};

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
        .flat_map(Map::values_mut);
    for operation in operations
        .filter_map(Value::as_object_mut)
        .flat_map(Map::values_mut)
    {
        if operation["responses"].is_object() {
            operation["responses"]["default"] = json!({
                "description": "Why the call could not be answered.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            });
        }
    }
    merged.to_string()
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
