//! Small words that several services share: codes of catalogues, and documents.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Date;

/// A code of a catalogue or scheme, e.g. `serious-penalty`, `fine_ordinary`, `A08`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code is 1 to 64 letters, digits, hyphens or underscores: {0:?}")]
pub struct MalformedCode(pub String);

impl Code {
    pub fn parse(raw: &str) -> Result<Code, MalformedCode> {
        let fits = (1..=64).contains(&raw.len())
            && raw
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if fits {
            Ok(Code(raw.to_owned()))
        } else {
            Err(MalformedCode(raw.chars().take(72).collect()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Code {
    type Error = MalformedCode;

    fn try_from(raw: String) -> Result<Self, MalformedCode> {
        Code::parse(&raw)
    }
}

impl From<Code> for String {
    fn from(code: Code) -> String {
        code.0
    }
}

impl std::borrow::Borrow<str> for Code {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The legal document behind an event or a flag. One document has one identity in the whole
/// suite (protocol.md §5): a repair acts on it, wherever it counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Document {
    /// Issuing body, as printed on the document.
    pub issuer: String,
    /// Number, e.g. 京兴环罚〔2026〕12号.
    pub number: String,
    /// Terms run from this day.
    pub date: Date,
}

impl Document {
    /// As typed by hand: full-width letters and digits become half-width, in the number every kind of bracket
    /// becomes 〔〕 and spaces go, for none of these makes another document.
    pub fn typed(issuer: &str, number: &str, date: Date) -> Document {
        let words: Vec<String> = issuer
            .split_whitespace()
            .map(|word| word.chars().map(half_width).collect())
            .collect();
        let number = number
            .chars()
            .map(half_width)
            .filter(|c| !c.is_whitespace())
            .map(bracket)
            .collect();
        Document {
            issuer: words.join(" "),
            number,
            date,
        }
    }
}

fn bracket(c: char) -> char {
    match c {
        '[' | '(' | '【' | '〈' | '<' => '〔',
        ']' | ')' | '】' | '〉' | '>' => '〕',
        other => other,
    }
}

/// Full-width forms (U+FF01 to U+FF5E) repeat ASCII at a fixed distance.
pub(crate) fn half_width(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_the_same_however_its_number_is_typed() {
        let date = "2026-03-12".parse().unwrap();
        let typed = |number: &str| Document::typed("北京市大兴区生态环境局", number, date);
        let printed = typed("京兴环罚〔2026〕12号");
        for number in [
            "京兴环罚[2026]12号",
            "京兴环罚【2026】12号",
            "京兴环罚（２０２６）１２号",
            " 京兴环罚〔2026〕 12号 ",
        ] {
            assert_eq!(typed(number), printed, "{number}");
        }
        assert_ne!(typed("京兴环罚〔2026〕13号"), printed);
    }
}
