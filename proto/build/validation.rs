//! `buf.validate` rules to Rust: one `impl Validate` for each message of ours. A rule that is not
//! understood here fails the build, so that the contract never promises what nobody checks. Every text is
//! checked for characters that no request may carry, whatever its rules are.

use std::fmt::Write;

use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind,
    MessageDescriptor, OneofDescriptor, Value,
};

use crate::{OURS, names};

type Refused = String;

/// The code for all messages of ours.
pub(crate) fn emit(pool: &DescriptorPool) -> Result<String, Refused> {
    let extension = |name: &str| {
        pool.get_extension_by_name(name)
            .ok_or_else(|| format!("{name} is not declared"))
    };
    let emitter = Emitter {
        field: extension("buf.validate.field")?,
        oneof: extension("buf.validate.oneof")?,
    };
    let mut code = String::new();
    for message in pool
        .all_messages()
        .filter(|message| message.package_name().starts_with(OURS))
    {
        if !message.is_map_entry() {
            code.push_str(&emitter.message(&message)?);
        }
    }
    Ok(code)
}

struct Emitter {
    field: ExtensionDescriptor,
    oneof: ExtensionDescriptor,
}

impl Emitter {
    fn message(&self, message: &MessageDescriptor) -> Result<String, Refused> {
        let mut body = String::new();
        for field in message.fields() {
            if field.containing_oneof().is_none_or(|oneof| oneof.is_synthetic()) {
                body.push_str(&self.field(&field)?);
            }
        }
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            body.push_str(&self.one_of(&oneof)?);
        }
        let unused = if body.is_empty() { "_" } else { "" };
        Ok(format!(
            "impl Validate for {} {{ fn check(&self, {unused}place: &Place<'_>, {unused}found: &mut Violations) {{\n{body}}} }}\n",
            names::message(message)
        ))
    }

    /// A field of its own (not of a oneof): its presence, then its rules.
    fn field(&self, field: &FieldDescriptor) -> Result<String, Refused> {
        let rules = self.rules(field);
        let required = flag(&rules, "required");
        let ignore = rules
            .as_ref()
            .and_then(|rules| number(rules, "ignore"))
            .unwrap_or(0);
        let checks = if ignore == 3 {
            String::new()
        } else {
            self.checks(field, rules.as_ref(), false)?
        };
        if checks.is_empty() && !required {
            return Ok(String::new());
        }
        let name = names::snake(field.name());
        let at = format!("let place = &place.field({:?});", field.name());
        let missing = if required {
            "found.add(place, Rule::Required);"
        } else {
            ""
        };
        let explicit = field.supports_presence();
        Ok(if explicit {
            format!(
                "{{ {at} match &self.{name} {{ Some(value) => {{ let _ = value; {checks} }}, None => {{ {missing} }} }} }}\n"
            )
        } else if required || ignore == 1 {
            let empty = if is_collection(field) || is_bytes_or_text(field) {
                format!("self.{name}.is_empty()")
            } else {
                format!("self.{name} == Default::default()")
            };
            format!(
                "{{ {at} if {empty} {{ {missing} }} else {{ let value = &self.{name}; let _ = value; {checks} }} }}\n"
            )
        } else {
            format!("{{ {at} let value = &self.{name}; {checks} }}\n")
        })
    }

    fn one_of(&self, oneof: &OneofDescriptor) -> Result<String, Refused> {
        let options = oneof.options();
        let required = options.has_extension(&self.oneof)
            && options
                .get_extension(&self.oneof)
                .as_message()
                .is_some_and(|rules| flag(&Some(rules.clone()), "required"));
        let mut arms = String::new();
        for field in oneof.fields() {
            let rules = self.rules(&field);
            let checks = self.checks(&field, rules.as_ref(), false)?;
            if !checks.is_empty() {
                writeln!(
                    arms,
                    "Some({}::{}(value)) => {{ let place = &place.field({:?}); {checks} }}",
                    names::oneof(oneof),
                    names::camel(field.name()),
                    field.name()
                )
                .map_err(|error| error.to_string())?;
            }
        }
        if arms.is_empty() && !required {
            return Ok(String::new());
        }
        let missing = if required {
            format!("found.add(&place.field({:?}), Rule::Required);", oneof.name())
        } else {
            String::new()
        };
        Ok(format!(
            "match &self.{} {{ {arms} None => {{ {missing} }}, #[allow(unreachable_patterns)] Some(_) => {{}} }}\n",
            names::snake(oneof.name())
        ))
    }

    fn rules(&self, field: &FieldDescriptor) -> Option<DynamicMessage> {
        let options = field.options();
        options
            .has_extension(&self.field)
            .then(|| options.get_extension(&self.field).as_message().cloned())
            .flatten()
    }

    /// Statements over `value`, a reference to what is set, at `place`. `single` is one entry of a collection.
    fn checks(
        &self,
        field: &FieldDescriptor,
        rules: Option<&DynamicMessage>,
        single: bool,
    ) -> Result<String, Refused> {
        let refused = |what: &str| format!("{}: rule `{what}` is not understood", field.full_name());
        let mut typed = None;
        for (rule, value) in rules.iter().flat_map(|rules| rules.fields()) {
            match (rule.name(), value) {
                ("required" | "ignore", _) => {}
                (name, Value::Message(inner)) => typed = Some((name.to_owned(), inner.clone())),
                (name, _) => return Err(refused(name)),
            }
        }
        let expected = if single || !is_collection(field) {
            kind_of(&field.kind())
        } else if field.is_map() {
            "map"
        } else {
            "repeated"
        };
        if let Some((name, _)) = &typed
            && name != expected
        {
            return Err(format!(
                "{}: `{name}` rules on a field of kind {expected}",
                field.full_name()
            ));
        }
        let mut code = String::new();
        if expected == "string" {
            // Sources are texts of files, which may have been written on Windows.
            let function = if field.name() == "source" {
                "source"
            } else {
                "text"
            };
            code.push_str(&format!("check::{function}(value, place, found);"));
        }
        for (rule, value) in typed.iter().flat_map(|(_, rules)| rules.fields()) {
            let name = rule.name();
            let line = match (expected, name) {
                ("string", "min_len" | "max_len" | "len" | "pattern" | "in")
                | ("bytes" | "map", "min_len" | "max_len" | "min_pairs" | "max_pairs")
                | ("repeated", "min_items" | "max_items" | "unique")
                | ("int32" | "int64" | "uint32" | "uint64", "lt" | "lte" | "gt" | "gte")
                | ("enum", "in" | "not_in") => scalar(name, value).ok_or_else(|| refused(name))?,
                ("enum", "defined_only") => match field.kind() {
                    Kind::Enum(of) => format!(
                        "check::defined({}::try_from(*value).is_ok(), place, found);",
                        names::enumeration(&of)
                    ),
                    _ => return Err(refused(name)),
                },
                ("repeated", "items") | ("map", "keys" | "values") => continue,
                _ => return Err(refused(name)),
            };
            code.push_str(&line);
        }
        code.push_str(&self.inner(field, typed.as_ref().map(|(_, rules)| rules), single)?);
        Ok(code)
    }

    /// What the entries of a collection or the fields of a message must satisfy.
    fn inner(
        &self,
        field: &FieldDescriptor,
        rules: Option<&DynamicMessage>,
        single: bool,
    ) -> Result<String, Refused> {
        let part = |name: &str| {
            rules
                .and_then(|rules| rules.get_field_by_name(name))
                .and_then(|value| value.as_message().cloned())
        };
        if !single && field.is_map() {
            let Kind::Message(entry) = field.kind() else {
                return Ok(String::new());
            };
            let keys = self.checks(&entry.map_entry_key_field(), part("keys").as_ref(), true)?;
            let values = self.checks(&entry.map_entry_value_field(), part("values").as_ref(), true)?;
            if keys.is_empty() && values.is_empty() {
                return Ok(String::new());
            }
            return Ok(format!(
                "for (key, value) in value {{ let place = &place.key(key); {{ let value = key; let _ = value; {keys} }} let _ = value; {values} }}"
            ));
        }
        if !single && field.is_list() {
            let entries = self.checks(field, part("items").as_ref(), true)?;
            if entries.is_empty() {
                return Ok(String::new());
            }
            return Ok(format!(
                "for (at, value) in value.iter().enumerate() {{ let place = &place.index(at); {entries} }}"
            ));
        }
        Ok(match field.kind() {
            Kind::Message(of) if of.package_name().starts_with(OURS) => {
                "value.check(place, found);".to_owned()
            }
            _ => String::new(),
        })
    }
}

/// A rule with a plain argument is a call of the function of its name in `check`.
fn scalar(rule: &str, value: &Value) -> Option<String> {
    let argument = match value {
        Value::Bool(true) => return Some(format!("check::{rule}(value, place, found);")),
        Value::Bool(false) => return Some(String::new()),
        Value::I32(number) => number.to_string(),
        Value::I64(number) => number.to_string(),
        Value::U32(number) => number.to_string(),
        Value::U64(number) => number.to_string(),
        Value::String(pattern) => {
            regex::Regex::new(pattern).ok()?;
            return Some(format!(
                "{{ static PATTERN: std::sync::LazyLock<Regex> = std::sync::LazyLock::new(|| check::regex({pattern:?})); \
                 check::pattern(value, &PATTERN, {pattern:?}, place, found); }}"
            ));
        }
        Value::List(list) => {
            let entries: Option<Vec<String>> = list
                .iter()
                .map(|entry| match entry {
                    Value::I32(number) => Some(number.to_string()),
                    Value::String(text) => Some(format!("{text:?}")),
                    _ => None,
                })
                .collect();
            let one = if matches!(list.first(), Some(Value::String(_))) {
                "one_of_texts"
            } else {
                rule
            };
            let function = if one == "in" { "one_of" } else { one };
            return Some(format!(
                "check::{function}(value, &[{}], place, found);",
                entries?.join(", ")
            ));
        }
        _ => return None,
    };
    let function = match rule {
        "min_pairs" | "min_items" => "min_items",
        "max_pairs" | "max_items" => "max_items",
        other => other,
    };
    // Lengths of texts count characters; those of bytes and collections count entries.
    let target = if function.ends_with("items") {
        "value.len()"
    } else {
        "value"
    };
    Some(format!("check::{function}({target}, {argument}, place, found);"))
}

fn kind_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Uint32 => "uint32",
        Kind::Uint64 => "uint64",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Enum(_) => "enum",
        Kind::Message(_) => "message",
        _ => "a kind without rules",
    }
}

fn is_collection(field: &FieldDescriptor) -> bool {
    field.cardinality() == Cardinality::Repeated
}

fn is_bytes_or_text(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::String | Kind::Bytes)
}

fn flag(of: &Option<DynamicMessage>, field: &str) -> bool {
    of.as_ref()
        .and_then(|rules| rules.get_field_by_name(field))
        .and_then(|value| value.as_bool())
        .unwrap_or(false)
}

fn number(of: &DynamicMessage, field: &str) -> Option<i32> {
    of.get_field_by_name(field)
        .and_then(|value| value.as_enum_number())
}
