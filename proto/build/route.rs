//! A method's `google.api.http` rule as clients see it: a verb, and a path in which every variable is one segment.

use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value};

use crate::methods::option_of;

const VERBS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// The verb and path that a rule gives a method.
pub(crate) struct Route {
    /// Lower case, the name of the rule's field.
    pub(crate) verb: &'static str,
    /// `/v1/enterprises/{enterprise}/flags/{flag}:confirm`.
    pub(crate) path: String,
    pub(crate) parameters: Vec<Parameter>,
    /// Fields of the request that the path carries, in its order.
    pub(crate) fields: Vec<String>,
}

/// One segment of a path that a client fills in.
pub(crate) struct Parameter {
    /// Singular of the collection before it: `flag`.
    pub(crate) name: String,
    /// Field of the request that it is a part of: `name`, `enterprise.name`.
    pub(crate) field: String,
    /// What the field holds: `enterprises/{enterprise}/flags/{flag}`.
    pub(crate) form: String,
}

/// The route of a method, if it has a rule.
pub(crate) fn of(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<Option<Route>, String> {
    let Some(rule) = option_of(pool, method, "google.api.http") else {
        return Ok(None);
    };
    let (verb, template) = pattern(&rule).ok_or_else(|| format!("{}: no verb", method.full_name()))?;
    let mut route = Route {
        verb,
        path: String::new(),
        parameters: Vec::new(),
        fields: Vec::new(),
    };
    let mut rest = template.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let (variable, after) = after
            .split_once('}')
            .ok_or_else(|| format!("{}: an open `{{`", method.full_name()))?;
        let (field, segments) = variable.split_once('=').unwrap_or((variable, "*"));
        let mut names = Vec::new();
        let mut form: Vec<String> = Vec::new();
        let mut collection = field;
        for segment in segments.split('/') {
            match segment {
                "**" => return Err(format!("{}: `**` has no OpenAPI path", method.full_name())),
                "*" => {
                    let name = collection.strip_suffix('s').unwrap_or(collection).to_owned();
                    form.push(format!("{{{name}}}"));
                    names.push(name);
                }
                literal => {
                    form.push(literal.to_owned());
                    collection = literal;
                }
            }
        }
        let form = form.join("/");
        route.path.push_str(before);
        route.path.push_str(&form);
        route.fields.push(field.to_owned());
        route.parameters.extend(names.into_iter().map(|name| Parameter {
            name,
            field: field.to_owned(),
            form: form.clone(),
        }));
        rest = after;
    }
    route.path.push_str(rest);
    Ok(Some(route))
}

fn pattern(rule: &DynamicMessage) -> Option<(&'static str, String)> {
    VERBS.into_iter().find_map(|verb| {
        let value = rule
            .has_field_by_name(verb)
            .then(|| rule.get_field_by_name(verb))??;
        Some((verb, value.as_str()?.to_owned()))
    })
}

/// Puts another path in the place of a rule's own.
pub(crate) fn replace(rule: &mut DynamicMessage, path: String) {
    if let Some((verb, _)) = pattern(rule) {
        rule.set_field_by_name(verb, Value::String(path));
    }
}
