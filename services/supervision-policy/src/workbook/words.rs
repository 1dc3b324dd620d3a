//! Lists and words inside a cell: written one in a line, read with whatever people put between them.

use greenstar_kernel::Code;
use greenstar_tables::{CellText, Pairs};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::domain::document::{FactSource, PaperFields, PaperSource};

const SEPARATORS: [char; 6] = ['\n', ';', '；', ',', '，', '、'];

/// An empty list where no list at all would mean something else.
const EMPTY: &str = "none";

/// The word that an enum has in YAML.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}

pub(super) fn from_word<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(Value::String(text.trim().to_owned())).ok()
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "是" => Some(true),
        "false" | "否" => Some(false),
        _ => None,
    }
}

/// `None`: an item could not be told from its neighbours.
pub(super) fn list(items: &[String]) -> Option<String> {
    let sound = |item: &String| !item.is_empty() && item.trim() == item && !item.contains(SEPARATORS);
    items.iter().all(sound).then(|| items.join("\n"))
}

pub(super) fn from_list(text: &str) -> Vec<String> {
    let items = text.split(SEPARATORS).map(str::trim);
    items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// A list that may be empty, or not there.
pub(super) fn optional_list(items: Option<&Vec<String>>) -> Option<String> {
    match items {
        None => Some(String::new()),
        Some(items) if items.is_empty() => Some(EMPTY.to_owned()),
        Some(items) if items.iter().any(|item| item == EMPTY) => None,
        Some(items) => list(items),
    }
}

pub(super) fn from_optional_list(text: &str) -> Vec<String> {
    if text.trim() == EMPTY {
        Vec::new()
    } else {
        from_list(text)
    }
}

pub(super) fn measures(pairs: &Pairs<Option<i64>>) -> Option<String> {
    let mut items = Vec::with_capacity(pairs.0.len());
    for (code, value) in &pairs.0 {
        if code.contains(['=', '＝']) {
            return None;
        }
        items.push(match value {
            None => code.clone(),
            Some(value) => format!("{code}={value}"),
        });
    }
    list(&items)
}

pub(super) fn from_measures(text: &str) -> Option<Pairs<Option<i64>>> {
    let mut pairs: Vec<(String, Option<i64>)> = Vec::new();
    for item in from_list(text) {
        let (code, value) = match item.split_once(['=', '＝']) {
            None => (item, None),
            Some((code, value)) => (code.trim().to_owned(), Some(value.trim().parse().ok()?)),
        };
        if code.is_empty() || pairs.iter().any(|(seen, _)| *seen == code) {
            return None;
        }
        pairs.push((code, value));
    }
    Some(Pairs(pairs))
}

pub(super) fn rows(rows: &[u32]) -> Vec<String> {
    rows.iter().map(u32::to_string).collect()
}

pub(super) fn from_rows(items: &[String]) -> Option<Vec<u32>> {
    items.iter().map(|item| item.parse().ok()).collect()
}

/// Texts that may hold anything but line breaks, one in a line.
pub(super) fn lines<'t>(texts: impl Iterator<Item = &'t str>) -> Option<String> {
    let texts: Vec<&str> = texts.collect();
    let sound = |text: &&str| !text.trim().is_empty() && !text.contains('\n') && text.trim() == *text;
    texts.iter().all(sound).then(|| texts.join("\n"))
}

/// Whether a fact of a case is a list of papers.
pub(super) fn takes_papers(fact: &str) -> bool {
    matches!(fact, "flags" | "events")
}

/// A list of papers is written with a dash before each, so that it is never taken for a value.
pub(super) fn fact(name: &str, fact: &FactSource) -> Option<String> {
    match fact {
        FactSource::Value(CellText(text)) => {
            let plain = !text.trim().is_empty() && !text.starts_with('-') && text != "[]";
            // `-` alone is a cell of its own.
            ((plain && !takes_papers(name)) || text == "-").then(|| text.clone())
        }
        FactSource::List(papers) if papers.is_empty() => Some("[]".to_owned()),
        FactSource::List(papers) => {
            let lines: Vec<String> = papers.iter().map(|one| format!("- {}", paper(one))).collect();
            Some(lines.join("\n"))
        }
    }
}

/// Its kind, and whatever else it says as `name=value`.
fn paper(paper: &PaperSource) -> String {
    let fields = match paper {
        PaperSource::Kind(kind) => return kind.to_string(),
        PaperSource::Full(fields) => fields,
    };
    let mut text = fields.kind.to_string();
    if let Ok(Value::Object(fields)) = serde_json::to_value(fields) {
        for (name, value) in fields.iter().filter(|(name, _)| *name != KIND) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.push_str(&format!(" {name}={value}"));
        }
    }
    text
}

const KIND: &str = "kind";

pub(super) fn from_fact(name: &str, text: &str) -> Option<FactSource> {
    let trimmed = text.trim();
    if trimmed == "[]" {
        return Some(FactSource::List(Vec::new()));
    }
    if trimmed != "-" && (trimmed.starts_with("- ") || takes_papers(name)) {
        let papers: Option<Vec<PaperSource>> = from_list(text).iter().map(|item| from_paper(item)).collect();
        return papers.map(FactSource::List);
    }
    Some(FactSource::Value(CellText(text.to_owned())))
}

fn from_paper(item: &str) -> Option<PaperSource> {
    let item = item.strip_prefix("- ").unwrap_or(item);
    let mut words = item.split_whitespace();
    let kind = Code::parse(words.next()?).ok()?;
    let mut fields = Map::new();
    for word in words {
        let (name, value) = word.split_once('=')?;
        if fields.insert(name.to_owned(), Value::from(value)).is_some() || name == KIND {
            return None;
        }
    }
    if fields.is_empty() {
        return Some(PaperSource::Kind(kind));
    }
    fields.insert(KIND.to_owned(), Value::from(kind.as_str()));
    // A number is one where the text is not taken.
    let numbers = fields.iter().map(|(name, value)| {
        let number = value.as_str().and_then(|text| text.parse::<u32>().ok());
        (name.clone(), number.map_or_else(|| value.clone(), Value::from))
    });
    let numbers: Map<String, Value> = numbers.collect();
    let read = |fields| serde_json::from_value::<PaperFields>(Value::Object(fields)).ok();
    read(fields).or_else(|| read(numbers)).map(PaperSource::Full)
}
