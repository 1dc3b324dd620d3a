//! Validation as protovalidate describes it, interpreted: slow, and obviously what the options say.

use std::collections::BTreeSet;

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};
use regex::Regex;

/// Paths of the fields that break a rule.
pub(crate) fn broken(pool: &DescriptorPool, message: &DynamicMessage) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(pool, message, "", &mut found);
    found
}

fn walk(pool: &DescriptorPool, message: &DynamicMessage, path: &str, found: &mut BTreeSet<String>) {
    let descriptor = message.descriptor();
    if !descriptor.full_name().starts_with("greenstar.") {
        return;
    }
    let join = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    for oneof in descriptor.oneofs().filter(|oneof| !oneof.is_synthetic()) {
        let extension = pool.get_extension_by_name("buf.validate.oneof").unwrap();
        let rules = oneof
            .options()
            .get_extension(&extension)
            .as_message()
            .unwrap()
            .clone();
        if rule(&rules, "required").is_some_and(|value| value.as_bool() == Some(true))
            && oneof.fields().all(|field| !message.has_field(&field))
        {
            found.insert(join(oneof.name()));
        }
    }
    for field in descriptor.fields() {
        let extension = pool.get_extension_by_name("buf.validate.field").unwrap();
        let options = field.options();
        let rules = options.get_extension(&extension).as_message().unwrap().clone();
        let at = join(field.name());
        // For a field without presence `has_field` means "not zero", which is what `required` asks.
        let set = message.has_field(&field);
        if !set && rule(&rules, "required").is_some_and(|value| value.as_bool() == Some(true)) {
            found.insert(at);
            continue;
        }
        let ignore = rule(&rules, "ignore")
            .and_then(|value| value.as_enum_number())
            .unwrap_or(0);
        if ignore == 3 || (!set && (field.supports_presence() || ignore == 1)) {
            continue;
        }
        value(pool, &field, &message.get_field(&field), &rules, &at, found);
    }
}

fn rule(rules: &DynamicMessage, name: &str) -> Option<Value> {
    rules
        .has_field_by_name(name)
        .then(|| rules.get_field_by_name(name).unwrap().into_owned())
}

fn value(
    pool: &DescriptorPool,
    field: &FieldDescriptor,
    value: &Value,
    rules: &DynamicMessage,
    at: &str,
    found: &mut BTreeSet<String>,
) {
    let typed = |name: &str| rule(rules, name).and_then(|value| value.as_message().cloned());
    let count = |rules: &DynamicMessage, least: &str, most: &str, have: usize| {
        let bound = |name: &str| rule(rules, name).and_then(|value| value.as_u64());
        bound(least).is_some_and(|least| (have as u64) < least)
            || bound(most).is_some_and(|most| have as u64 > most)
    };
    let bad = match value {
        Value::List(list) => {
            let own = typed("repeated");
            let items = own
                .as_ref()
                .and_then(|own| rule(own, "items"))
                .and_then(|items| items.as_message().cloned());
            for (index, entry) in list.iter().enumerate() {
                let none = DynamicMessage::new(rules.descriptor());
                self::value(
                    pool,
                    field,
                    entry,
                    items.as_ref().unwrap_or(&none),
                    &format!("{at}[{index}]"),
                    found,
                );
            }
            own.is_some_and(|own| {
                let texts: Vec<&str> = list.iter().filter_map(|entry| entry.as_str()).collect();
                let twice = texts.iter().collect::<BTreeSet<_>>().len() != texts.len();
                count(&own, "min_items", "max_items", list.len()) || (rule(&own, "unique").is_some() && twice)
            })
        }
        Value::Map(map) => {
            let own = typed("map");
            let entry = match field.kind() {
                Kind::Message(entry) => entry,
                other => panic!("a map of {other:?}"),
            };
            let part = |name: &str| {
                own.as_ref()
                    .and_then(|own| rule(own, name))
                    .and_then(|part| part.as_message().cloned())
            };
            let none = DynamicMessage::new(rules.descriptor());
            for (key, inner) in map {
                let at = format!("{at}[{:?}]", key.as_str().unwrap());
                let key = Value::String(key.as_str().unwrap().to_owned());
                self::value(
                    pool,
                    &entry.map_entry_key_field(),
                    &key,
                    &part("keys").unwrap_or(none.clone()),
                    &at,
                    found,
                );
                self::value(
                    pool,
                    &entry.map_entry_value_field(),
                    inner,
                    &part("values").unwrap_or(none.clone()),
                    &at,
                    found,
                );
            }
            own.is_some_and(|own| count(&own, "min_pairs", "max_pairs", map.len()))
        }
        Value::Message(inner) => {
            walk(pool, inner, at, found);
            false
        }
        Value::String(text) if text.chars().any(|one| misleads(one, field.name())) => true,
        Value::String(text) => typed("string").is_some_and(|own| {
            let length = text.chars().count();
            count(&own, "min_len", "max_len", length)
                || count(&own, "len", "len", length)
                || rule(&own, "pattern")
                    .is_some_and(|pattern| !Regex::new(pattern.as_str().unwrap()).unwrap().is_match(text))
                || rule(&own, "in").is_some_and(|list| !list.as_list().unwrap().contains(value))
        }),
        Value::Bytes(bytes) => {
            typed("bytes").is_some_and(|own| count(&own, "min_len", "max_len", bytes.len()))
        }
        Value::EnumNumber(number) => typed("enum").is_some_and(|own| {
            let Kind::Enum(of) = field.kind() else {
                panic!("an enum without its values")
            };
            let among = |name: &str| {
                rule(&own, name).map(|list| list.as_list().unwrap().contains(&Value::I32(*number)))
            };
            (rule(&own, "defined_only").is_some() && of.get_value(*number).is_none())
                || among("in") == Some(false)
                || among("not_in") == Some(true)
        }),
        Value::I32(number) => out_of_bounds(typed("int32"), i128::from(*number)),
        Value::I64(number) => out_of_bounds(typed("int64"), i128::from(*number)),
        Value::U32(number) => out_of_bounds(typed("uint32"), i128::from(*number)),
        Value::U64(number) => out_of_bounds(typed("uint64"), i128::from(*number)),
        Value::Bool(_) | Value::F32(_) | Value::F64(_) => false,
    };
    if bad {
        found.insert(at.to_owned());
    }
}

fn out_of_bounds(rules: Option<DynamicMessage>, number: i128) -> bool {
    let Some(rules) = rules else { return false };
    let bound = |name: &str| match rule(&rules, name)? {
        Value::I32(bound) => Some(i128::from(bound)),
        Value::I64(bound) => Some(i128::from(bound)),
        Value::U32(bound) => Some(i128::from(bound)),
        Value::U64(bound) => Some(i128::from(bound)),
        _ => None,
    };
    bound("lt").is_some_and(|bound| number >= bound)
        || bound("lte").is_some_and(|bound| number > bound)
        || bound("gt").is_some_and(|bound| number <= bound)
        || bound("gte").is_some_and(|bound| number < bound)
}

/// The characters that no text may have, by proto/README.md.
fn misleads(one: char, field: &str) -> bool {
    let code = u32::from(one);
    let control = code < 0x20 || (0x7f..0xa0).contains(&code);
    let allowed = code == 0x0a || code == 0x09 || (code == 0x0d && field == "source");
    let turns = (0x202a..=0x202e).contains(&code) || (0x2066..=0x2069).contains(&code);
    (control && !allowed) || turns
}
