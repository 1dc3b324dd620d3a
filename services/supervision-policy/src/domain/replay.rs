//! What was recorded beside what comes out again.

use greenstar_kernel::Timestamp;
use serde_json::Value;

use super::caution::decide_cautiously;
use super::decide::{DecideError, Decision, decide};
use super::facts::Facts;
use super::matter::{Arguments, Handling, Matter};
use super::policy::Policy;

/// Decides as it was decided: cautiously where nobody decided. `unrated` is [`Facts::unrated`] of the facts.
///
/// # Errors
/// As [`decide`].
pub fn again<'a>(
    policy: &'a Policy,
    matter: &'a Matter,
    (facts, unrated): (&'a Facts, &'a Facts),
    arguments: &'a Arguments,
    as_of: Timestamp,
    handling: Handling,
) -> Result<Decision<'a>, DecideError> {
    match handling {
        Handling::Fresh | Handling::Caveat => decide(policy, matter, facts, arguments, as_of),
        Handling::ManualReview => decide_cautiously(policy, matter, facts, unrated, arguments, as_of),
    }
}

/// A field that came out differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// E.g. `measures[strict-review].parameters.months`.
    pub field: String,
    /// Empty: it was not there.
    pub recorded: String,
    /// Empty: it is not there.
    pub replayed: String,
}

/// What differs between two messages, field by field. Entries of a list are told apart by their code, name or row, or
/// else by their place; their order is no difference where all of them can be told apart.
pub fn differences(recorded: &Value, replayed: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", recorded, replayed, &mut found);
    found
}

fn compare(field: &str, recorded: &Value, replayed: &Value, found: &mut Vec<Difference>) {
    match (recorded, replayed) {
        (Value::Object(left), Value::Object(right)) => {
            let only_right = right.keys().filter(|key| !left.contains_key(*key));
            for key in left.keys().chain(only_right) {
                let (left, right) = (left.get(key), right.get(key));
                compare(
                    &below(field, key),
                    left.unwrap_or(&Value::Null),
                    right.unwrap_or(&Value::Null),
                    found,
                );
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            let (left, right) = (keyed(left), keyed(right));
            let of = |all: &[(String, &Value)], key: &str| {
                let entry = all.iter().find(|(other, _)| other == key);
                entry.map_or(Value::Null, |(_, value)| (*value).clone())
            };
            let only_right = right
                .iter()
                .filter(|(key, _)| left.iter().all(|(other, _)| other != key));
            for (key, _) in left.iter().chain(only_right) {
                compare(
                    &format!("{field}[{key}]"),
                    &of(&left, key),
                    &of(&right, key),
                    found,
                );
            }
        }
        (left, right) if left == right => {}
        (left, right) => found.push(Difference {
            field: field.to_owned(),
            recorded: shown(left),
            replayed: shown(right),
        }),
    }
}

/// In the words of the contract: its JSON writes `measureClass` for `measure_class`.
fn below(field: &str, key: &str) -> String {
    let mut name = String::with_capacity(key.len() + 4);
    for letter in key.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    if field.is_empty() {
        name
    } else {
        format!("{field}.{name}")
    }
}

fn keyed(entries: &[Value]) -> Vec<(String, &Value)> {
    let mut keyed: Vec<(String, &Value)> = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        let name = ["code", "name", "row"]
            .iter()
            .find_map(|key| entry.get(key)?.as_str());
        let name = name.filter(|name| keyed.iter().all(|(other, _)| other != name));
        let key = name.map_or_else(|| (at + 1).to_string(), str::to_owned);
        keyed.push((key, entry));
    }
    keyed
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(recorded: &Value, replayed: &Value) -> Vec<(String, String, String)> {
        let differences = differences(recorded, replayed);
        let one = |difference: Difference| (difference.field, difference.recorded, difference.replayed);
        differences.into_iter().map(one).collect()
    }

    fn of(field: &str, recorded: &str, replayed: &str) -> (String, String, String) {
        (field.to_owned(), recorded.to_owned(), replayed.to_owned())
    }

    #[test]
    fn every_field_that_differs_is_named_and_no_other() {
        let recorded = json!({"outcome": "STRICT_REVIEW", "star": 3, "measures": [
            {"code": "strict-review", "parameters": {"months": "12"}, "measureClass": "RIGHTS"},
            {"code": "prudent"},
        ]});
        assert_eq!(told(&recorded, &recorded), []);
        let replayed = json!({"outcome": "STANDARD", "known": true, "measures": [
            {"code": "fast-track"},
            {"code": "strict-review", "parameters": {"months": "24"}, "measureClass": "FAVOUR"},
        ]});
        let mut found = told(&recorded, &replayed);
        found.sort();
        let expected = [
            of("known", "", "true"),
            of("measures[fast-track]", "", r#"{"code":"fast-track"}"#),
            of("measures[prudent]", r#"{"code":"prudent"}"#, ""),
            of("measures[strict-review].measure_class", "RIGHTS", "FAVOUR"),
            of("measures[strict-review].parameters.months", "12", "24"),
            of("outcome", "STRICT_REVIEW", "STANDARD"),
            of("star", "3", ""),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn entries_without_a_name_of_their_own_are_told_apart_by_their_place() {
        let recorded =
            json!({"reasons": [{"row": "t/1"}, {"kind": "BLOCKED"}, {"row": "t/1", "kind": "ROW"}]});
        let replayed = json!({"reasons": [{"row": "t/1"}, {"kind": "BASELINE"}, {"row": "t/1"}]});
        let expected = [
            of("reasons[2].kind", "BLOCKED", "BASELINE"),
            of("reasons[3].kind", "ROW", ""),
        ];
        assert_eq!(told(&recorded, &replayed), expected);
    }
}
