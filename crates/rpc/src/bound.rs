//! REST input that says one thing in the path and another beside it. The path would win unnoticed, and a caller who
//! meant the other enterprise would act on the wrong one.

use std::borrow::Cow;
use std::sync::LazyLock;

use greenstar_kernel::LocalizedText;
use greenstar_proto::METHODS;
use greenstar_proto::common::v1::ErrorReason;
use percent_encoding::percent_decode_str;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::Value;
use tonic::Status;

use crate::reflection::FILES;
use crate::status;

/// A method's path, and the fields of the request that it carries.
struct Bound {
    verb: &'static str,
    /// Of the generated route: decides whether a request's path is this one.
    route: greenstar_proto::Route,
    /// `:declare`, or nothing.
    suffix: String,
    fields: Vec<Carried>,
}

/// A field that the path carries.
struct Carried {
    /// As in the contract, `enterprise.name`; each part with its name in JSON.
    field: String,
    parts: Vec<(String, String)>,
    /// Segments of the path, counted from 0 behind the first `/`.
    first: usize,
    count: usize,
}

/// Those of all methods that carry a field in their path.
static BOUND: LazyLock<Vec<Bound>> = LazyLock::new(|| {
    let bound = METHODS.iter().filter_map(|method| {
        let route = method.route?;
        let (_, name) = method.path.rsplit_once('/')?;
        let service = FILES.get_service_by_name(method.service)?;
        let described = service.methods().find(|method| method.name() == name)?;
        let rule = FILES.get_extension_by_name("google.api.http")?;
        let options = described.options();
        let rule = options.get_extension(&rule);
        let template = template(rule.as_message()?, route.verb)?;
        let (suffix, fields) = carried(&template, &described.input());
        (!fields.is_empty()).then_some(Bound {
            verb: route.verb,
            route,
            suffix,
            fields,
        })
    });
    bound.collect()
});

/// `/v1/{parent=enterprises/*}/flags`
fn template(rule: &DynamicMessage, verb: &str) -> Option<String> {
    let value = rule.get_field_by_name(&verb.to_ascii_lowercase())?;
    Some(value.as_str()?.to_owned())
}

fn carried(template: &str, input: &MessageDescriptor) -> (String, Vec<Carried>) {
    let mut fields = Vec::new();
    let mut rest = template;
    let mut first = 0;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((variable, after)) = after.split_once('}') else {
            break;
        };
        // Each `/` in front ends one segment; the first `/` begins the path.
        first += before.matches('/').count();
        let (field, segments) = variable.split_once('=').unwrap_or((variable, "*"));
        let slashes = segments.matches('/').count();
        fields.push(Carried {
            field: field.to_owned(),
            parts: parts(field, input),
            first: first.saturating_sub(1),
            count: slashes + 1,
        });
        first += slashes;
        rest = after;
    }
    let suffix = rest.rfind(':').and_then(|at| rest.get(at..)).unwrap_or_default();
    (suffix.to_owned(), fields)
}

fn parts(field: &str, input: &MessageDescriptor) -> Vec<(String, String)> {
    let mut within = Some(input.clone());
    let parts = field.split('.').map(|name| {
        let found = within.take().and_then(|of| of.get_field_by_name(name));
        let json = found
            .as_ref()
            .map_or_else(|| name.to_owned(), |found| found.json_name().to_owned());
        within = found.and_then(|found| found.kind().as_message().cloned());
        (name.to_owned(), json)
    });
    parts.collect()
}

impl Carried {
    fn in_path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        let mut segments = path.strip_prefix('/').unwrap_or(path).split('/');
        let from: Vec<&str> = segments.by_ref().skip(self.first).take(self.count).collect();
        let raw = from.join("/");
        Cow::Owned(percent_decode_str(&raw).decode_utf8_lossy().into_owned())
    }

    /// What the body says; an empty text is no value, as everywhere in the contract.
    fn in_body<'a>(&self, body: &'a Value) -> Option<&'a str> {
        let mut value = body;
        for (name, json) in &self.parts {
            value = value.get(json).or_else(|| value.get(name))?;
        }
        value.as_str().filter(|text| !text.is_empty())
    }

    fn in_query<'a>(&self, query: &'a str) -> Option<Cow<'a, str>> {
        let named = |key: &str| {
            let mut parts = key.split('.');
            self.parts
                .iter()
                .all(|(name, json)| parts.next().is_some_and(|part| part == name || part == json))
                && parts.next().is_none()
        };
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, value)| named(key) && !value.is_empty())
            .map(|(_, value)| percent_decode_str(value).decode_utf8_lossy())
    }
}

/// Refuses a body or query that names for a field another value than the path does. A body that cannot be read is
/// left to its reader.
pub(crate) fn contradiction(verb: &str, path: &str, query: &str, body: &[u8]) -> Option<Status> {
    if query.is_empty() && body.is_empty() {
        return None;
    }
    let bound = BOUND
        .iter()
        .find(|bound| bound.verb == verb && bound.route.has_path(path))?;
    let path = path.strip_suffix(&bound.suffix).unwrap_or(path);
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    bound.fields.iter().find_map(|carried| {
        let expected = carried.in_path(path);
        let body = carried.in_body(&body).map(Cow::Borrowed);
        let query = carried.in_query(query);
        [body, query]
            .into_iter()
            .flatten()
            .any(|given| given != expected)
            .then(|| refusal(&carried.field))
    })
}

fn refusal(field: &str) -> Status {
    let said = LocalizedText::new(
        format!("{field} 在路径中和请求内容中不一致，未作任何更改：请保留正确的一个，或只写在路径中"),
        format!(
            "{field} has one value in the path and another in the body or query; nothing was changed: keep the right one, or leave it to the path"
        ),
    );
    status::field(field, ErrorReason::FieldInvalid, &said, &[])
}
