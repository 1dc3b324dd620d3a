//! Why REST input could not be read. The reader's own text names no field and speaks of Rust types; here the
//! input is held against the contract, and the first place that does not fit is told.

use greenstar_kernel::LocalizedText;
use greenstar_proto::METHODS;
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value;

use crate::reflection::FILES;

/// The first place that does not fit.
#[derive(Debug)]
pub(crate) struct Misread {
    /// As it was sent: `pageSize`, `document.date`, `names[1]`.
    pub(crate) field: Option<String>,
    pub(crate) said: LocalizedText,
}

/// What is wrong with a REST call, if that can be seen: its query first, then its body.
pub(crate) fn explain(verb: &str, path: &str, query: &str, body: &[u8]) -> Option<Misread> {
    let method = METHODS.iter().find(|method| {
        method
            .route
            .is_some_and(|route| route.verb == verb && route.has_path(path))
    })?;
    let (_, name) = method.path.rsplit_once('/')?;
    let input = FILES
        .get_service_by_name(method.service)?
        .methods()
        .find(|method| method.name() == name)?
        .input();
    let asked = query.split('&').filter(|pair| !pair.is_empty());
    let in_query = asked.into_iter().find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        parameter(&input, key, value).map(|wants| wants.at(key.to_owned()))
    });
    in_query.or_else(|| {
        if verb == "GET" || body.is_empty() {
            return None;
        }
        match serde_json::from_slice::<Value>(body) {
            Err(error) => Some(Misread {
                field: None,
                said: LocalizedText::new(
                    format!(
                        "请求内容不是合法的 JSON（第 {} 行第 {} 列），请更正",
                        error.line(),
                        error.column()
                    ),
                    format!(
                        "the body is not JSON at line {} column {}; correct it",
                        error.line(),
                        error.column()
                    ),
                ),
            }),
            Ok(value) => message(&input, &value, ""),
        }
    })
}

/// What belongs in a place.
enum Wants {
    /// No such field.
    Nothing,
    Integer {
        bits: u8,
        signed: bool,
    },
    Boolean,
    Text,
    OneOf(EnumDescriptor),
    Object,
    List,
}

impl Wants {
    fn at(&self, place: String) -> Misread {
        let shown: String = place.chars().filter(|one| !one.is_control()).take(100).collect();
        let (zh, en) = match self {
            Wants::Nothing => (
                "接口约定中没有这个字段".to_owned(),
                "is no field of the contract".to_owned(),
            ),
            Wants::Integer { bits, signed: true } => (
                format!("应为 {bits} 位整数"),
                format!("must be an integer of {bits} bits"),
            ),
            Wants::Integer { bits, signed: false } => (
                format!("应为 {bits} 位非负整数"),
                format!("must be an integer of {bits} bits that is not negative"),
            ),
            Wants::Boolean => (
                "只能是 true 或 false".to_owned(),
                "must be true or false".to_owned(),
            ),
            Wants::Text => ("应为字符串".to_owned(), "must be a string".to_owned()),
            Wants::OneOf(of) => {
                let names: Vec<String> = of.values().map(|value| value.name().to_owned()).collect();
                let names = names.join(", ");
                (
                    format!("只能是以下取值之一：{names}"),
                    format!("must be one of {names}"),
                )
            }
            Wants::Object => ("应为 JSON 对象".to_owned(), "must be a JSON object".to_owned()),
            Wants::List => ("应为 JSON 数组".to_owned(), "must be a JSON array".to_owned()),
        };
        let said = if shown.is_empty() {
            LocalizedText::new(
                format!("请求内容无法解析：{zh}，请更正"),
                format!("the body {en}; correct it"),
            )
        } else {
            LocalizedText::new(
                format!("字段 {shown} 无法解析：{zh}，请更正"),
                format!("`{shown}` {en}; correct it"),
            )
        };
        Misread {
            field: (!place.is_empty()).then_some(place),
            said,
        }
    }
}

fn field(of: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    of.fields()
        .find(|field| field.json_name() == name || field.name() == name)
}

/// A query parameter; a name with dots is a field of a field.
fn parameter(of: &MessageDescriptor, key: &str, value: &str) -> Option<Wants> {
    let (first, rest) = key
        .split_once('.')
        .map_or((key, None), |(first, rest)| (first, Some(rest)));
    match (field(of, first), rest) {
        (None, _) => Some(Wants::Nothing),
        (Some(found), None) => scalar(&found.kind(), &Value::String(value.to_owned())),
        (Some(found), Some(rest)) => match found.kind() {
            Kind::Message(inner) => parameter(&inner, rest, value),
            _ => Some(Wants::Nothing),
        },
    }
}

fn message(of: &MessageDescriptor, value: &Value, place: &str) -> Option<Misread> {
    let Some(entries) = value.as_object() else {
        return Some(Wants::Object.at(place.to_owned()));
    };
    entries.iter().find_map(|(key, value)| {
        let place = if place.is_empty() {
            key.clone()
        } else {
            format!("{place}.{key}")
        };
        match field(of, key) {
            None => Some(Wants::Nothing.at(place)),
            Some(_) if value.is_null() => None,
            Some(field) if field.is_map() => entries_of_map(&field, value, &place),
            Some(field) if field.is_list() => match value.as_array() {
                None => Some(Wants::List.at(place)),
                Some(list) => list
                    .iter()
                    .enumerate()
                    .find_map(|(at, value)| single(&field.kind(), value, &format!("{place}[{at}]"))),
            },
            Some(field) => single(&field.kind(), value, &place),
        }
    })
}

fn entries_of_map(field: &FieldDescriptor, value: &Value, place: &str) -> Option<Misread> {
    let Kind::Message(entry) = field.kind() else {
        return None;
    };
    let Some(entries) = value.as_object() else {
        return Some(Wants::Object.at(place.to_owned()));
    };
    let kind = entry.map_entry_value_field().kind();
    entries
        .iter()
        .find_map(|(key, value)| single(&kind, value, &format!("{place}[{key:?}]")))
}

fn single(kind: &Kind, value: &Value, place: &str) -> Option<Misread> {
    match kind {
        // Instants and field masks are strings.
        Kind::Message(of) if of.package_name() == "google.protobuf" => {
            (!value.is_string()).then(|| Wants::Text.at(place.to_owned()))
        }
        Kind::Message(of) => message(of, value, place),
        other => scalar(other, value).map(|wants| wants.at(place.to_owned())),
    }
}

/// What belongs here, where the value is something else. Numbers may be written as strings.
fn scalar(kind: &Kind, value: &Value) -> Option<Wants> {
    let number = || match value {
        Value::String(text) => text.parse::<i128>().ok(),
        Value::Number(number) => number
            .as_i64()
            .map(i128::from)
            .or_else(|| number.as_u64().map(i128::from)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let integer = |bits: u8, signed: bool| {
        let fits = number().is_some_and(|number| match (bits, signed) {
            (32, true) => i32::try_from(number).is_ok(),
            (32, false) => u32::try_from(number).is_ok(),
            (_, true) => i64::try_from(number).is_ok(),
            (_, false) => u64::try_from(number).is_ok(),
        });
        (!fits).then_some(Wants::Integer { bits, signed })
    };
    match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => integer(32, true),
        Kind::Uint32 | Kind::Fixed32 => integer(32, false),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => integer(64, true),
        Kind::Uint64 | Kind::Fixed64 => integer(64, false),
        Kind::Bool => {
            let fits = value.is_boolean() || matches!(value.as_str(), Some("true" | "false"));
            (!fits).then_some(Wants::Boolean)
        }
        Kind::String | Kind::Bytes => (!value.is_string()).then_some(Wants::Text),
        Kind::Enum(of) => {
            let named = value
                .as_str()
                .is_some_and(|name| of.get_value_by_name(name).is_some());
            let numbered = number().is_some_and(|number| i32::try_from(number).is_ok());
            (!named && !numbered).then(|| Wants::OneOf(of.clone()))
        }
        // The contracts have no fractions, and messages are looked into elsewhere.
        Kind::Double | Kind::Float | Kind::Message(_) => None,
    }
}
